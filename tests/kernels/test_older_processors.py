"""The kernels as a processor without AVX-512 and AMX gets them, compiled and run on this one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from meshstyle.kernels import cpu_features

_SCRIPT = """
from meshstyle.kernels import cpu_features

here = cpu_features.features().split(",")
newer = ("avx512", "amx", "avx10", "avxvnni")
plain = ",".join("-" + name[1:] if name[1:].startswith(newer) else name for name in here)
cpu_features.features = lambda: plain
assert not cpu_features.multiplies_bf16() and not cpu_features.has("avx512f")

import torch
from llvmlite import binding
import torch.nn.functional as F
from meshstyle.kernels import load, program, winograd
from meshstyle.kernels.llvm_ir import kernel_texts
from meshstyle.kernels.selftest import check
from meshstyle.kernels.tile_registers import configuration

code = load._compile()
made = program.Program(code)
check(made)
assert configuration() is None and not made.bf16
load.load_kernels = winograd.load_kernels = lambda: load.Compiled(made, True, 0.0)
kernel, bias, x = torch.randn(64, 32, 3, 3), torch.randn(64), torch.rand(1, 32, 21, 34)
ours, theirs = winograd.WinogradConvolution(kernel, bias)(x), F.relu(F.conv2d(x, kernel, bias, padding=1))
assert torch.allclose(ours, theirs, atol=1e-3), (ours - theirs).abs().max()
text = dict(kernel_texts())["convolve"]
print("zmm" in program.target_machine().emit_assembly(binding.parse_assembly(text)))
"""


@pytest.mark.skipif(not cpu_features.has("avx2"), reason="a processor without AVX2")
def test_kernels_for_avx2_work() -> None:
    ran = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "False", "registers of AVX-512 are used"
