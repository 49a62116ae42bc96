"""Which convolution is used, and that compiled code is found, made or done without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from meshstyle.config.model import Settings
from meshstyle.errors import UsageError
from meshstyle.kernels import load
from meshstyle.kernels.load import Compiled, load_kernels
from meshstyle.progress import Progress
from meshstyle.style import convolution, network
from meshstyle.style.convolution import FastConvolution, TorchConvolution, make_convolutions
from meshstyle.style.network import make_network
from meshstyle.style.vgg import VGG19
from meshstyle.style.vgg_weights import load_weights

CPU = torch.device("cpu")


class Idle:
    """Stands for kernels that do nothing."""

    def nothing(self, piece: object) -> None: ...

    bf16 = True
    texel_sample = convolve = step = smooth = nothing


NONE = Compiled(None, False, 0.1, "ImportError: no numba")


def test_the_choice_is_kept() -> None:
    weights = load_weights()
    assert all(type(layer) is TorchConvolution for layer in make_convolutions(weights, CPU, "torch"))
    for choice in ("auto", "winograd"):
        assert all(type(layer) is FastConvolution for layer in make_convolutions(weights, CPU, choice))


def test_a_network_is_torchs_unless_told_otherwise() -> None:
    """`evaluate` makes its network so: its figures do not depend on how a picture was painted."""
    assert all(type(layer) is TorchConvolution for layer in VGG19(load_weights())._convolutions)


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_features_and_gradients_are_the_same(pooling: str) -> None:
    layers = ["relu1_1", "relu2_2", "relu3_1", "relu4_1"]  # 2_2 is wanted and pooled, 1_2 only pooled
    x = torch.rand(1, 3, 50, 37, generator=torch.Generator().manual_seed(3))
    found = {}
    for choice in ("torch", "winograd"):
        picture = x.clone().requires_grad_()
        features = VGG19(load_weights(), CPU, pooling, choice).features(picture, layers)
        sum(value.square().mean() / value.detach().square().mean() for value in features.values()).backward()
        found[choice] = [features[layer].detach() for layer in layers] + [picture.grad]
    for ours, theirs in zip(found["winograd"], found["torch"], strict=True):
        assert ours.shape == theirs.shape
        assert float((ours - theirs).norm() / theirs.norm()) < 5e-3  # a ReLU near 0 may go the other way


def layer_of(inputs: int, outputs: int) -> TorchConvolution:
    return TorchConvolution(torch.randn(outputs, inputs, 3, 3), torch.randn(outputs), replicate=False)


def test_torch_does_what_winograd_does_not_suit(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = layer_of(16, 16)
    monkeypatch.setattr("meshstyle.kernels.winograd.WinogradConvolution.__call__", None)
    small = torch.randn(1, 16, 8, 8)
    assert torch.equal(FastConvolution(plain, always=False)(small), plain(small))
    double = TorchConvolution(plain.kernel.double(), plain.bias.double(), replicate=False)
    wide = torch.randn(1, 16, 400, 400, dtype=torch.float64)
    assert torch.equal(FastConvolution(double, always=True)(wide, "average"), double(wide, "average"))


def test_without_compiled_code_torch_convolves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "load_kernels", lambda: NONE)
    layers = make_convolutions(load_weights(), CPU, "auto")
    assert all(type(layer) is TorchConvolution for layer in layers)
    with pytest.raises(UsageError, match="ImportError: no numba"):
        make_convolutions(load_weights(), CPU, "winograd")


def test_other_devices_convolve_by_torch() -> None:
    meta = torch.device("meta")
    assert all(type(layer) is TorchConvolution for layer in make_convolutions(load_weights(), meta, "auto"))
    with pytest.raises(UsageError, match="on the CPU in float32 only, not on meta in float32"):
        make_convolutions(load_weights(), meta, "winograd")
    with pytest.raises(UsageError, match="not on cpu in bfloat16"):
        make_convolutions(load_weights(), CPU, "winograd", torch.bfloat16)


def test_numba_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_place", lambda: None)  # else what others compiled would do
    monkeypatch.setitem(sys.modules, "numba", None)
    for name in (
        "addresses",
        "kernels",
        "tap_kernels",
        "texel_kernels",
        "winograd_kernels",
        "winograd_vectors",
    ):
        monkeypatch.delitem(sys.modules, f"meshstyle.kernels.{name}", raising=False)
    found = load.load_kernels.__wrapped__()
    assert found.program is None
    assert "numba" in found.reason


def test_wrong_machine_code_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_place", lambda: None)
    monkeypatch.setattr(load, "Program", lambda _code: Idle())
    monkeypatch.setattr(load, "_compile", lambda: b"")
    found = load.load_kernels.__wrapped__()
    assert found.program is None
    assert found.reason == "ArithmeticError: the compiled code is wrong"


def test_processes_share_a_cache_and_a_damaged_one_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "cache_folder", lambda: tmp_path)
    program = (
        "import sys; from pathlib import Path; from meshstyle.kernels import load;"
        "load.cache_folder = lambda: Path(sys.argv[1]); found = load.load_kernels();"
        "print(found.program is not None, 'torch' in sys.modules, found.reason)"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.communicate(timeout=120)[0] for process in both] == ["True False \n"] * 2
    found = load.load_kernels.__wrapped__()
    assert found.program is not None
    assert not found.fresh
    (kept,) = (path for path in tmp_path.rglob("*") if path.is_file())
    for damaged in (kept.read_bytes()[:-20], b"", kept.read_bytes()[:-1] + b"?"):
        kept.write_bytes(damaged)
        assert load._read(kept) is None
    found = load.load_kernels.__wrapped__()
    assert found.program is not None
    assert found.fresh
    assert load._read(kept) is not None  # mended


def test_what_was_compiled_is_used_without_numba(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_place", lambda: tmp_path / "kernels" / "code")
    load._keep(tmp_path / "kernels" / "code", load._compile())
    program = (
        "import sys; from pathlib import Path; from meshstyle.kernels import load;"
        "load._place = lambda: Path(sys.argv[1]); found = load.load_kernels();"
        "print(found.program is not None, found.fresh, 'numba' in sys.modules, found.reason)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "kernels" / "code")]
    assert (
        subprocess.run(command, capture_output=True, text=True, timeout=120).stdout == "True False False \n"
    )


def test_code_that_is_whole_but_of_no_use_is_compiled_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "code"
    monkeypatch.setattr(load, "_place", lambda: place)
    real, compiled = load.Program, load._compile()

    def program(code: bytes) -> object:
        return real(code) if code == compiled else Idle()

    monkeypatch.setattr(load, "Program", program)
    monkeypatch.setattr(load, "_compile", lambda: compiled)
    load._keep(place, b"other code")
    found = load.load_kernels.__wrapped__()
    assert isinstance(found.program, real)
    assert found.fresh
    assert load._read(place) == compiled


def test_places_that_cannot_hold_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    monkeypatch.setattr(load, "cache_folder", lambda: None)
    assert load._place() is None
    monkeypatch.setattr(load, "cache_folder", lambda: tmp_path / "file")
    place = load._place()
    assert place is not None
    load._keep(place, b"code")  # says nothing
    assert load._read(place) is None
    own = tmp_path / "own"
    load._keep(own, b"code")
    assert load._read(own) == b"code"
    monkeypatch.setattr(os, "getuid", lambda: own.stat().st_uid + 1)
    assert load._read(own) is None  # it would be executed


def test_code_that_needs_more_than_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from meshstyle.kernels import llvm_ir

    text = "declare void @elsewhere()\ndefine i32 @f() {\n  call void @elsewhere()\n  ret i32 0\n}\n"
    monkeypatch.setattr(llvm_ir, "kernel_texts", lambda: [("step", text)])
    with pytest.raises(RuntimeError, match="needs elsewhere"):
        load._compile()


@pytest.mark.skipif(sys.platform != "linux", reason="the place differs")
def test_the_cache_lies_where_the_user_keeps_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert load.cache_folder() == tmp_path / "meshstyle"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert load.cache_folder() == tmp_path / "home" / ".cache" / "meshstyle"


@pytest.mark.parametrize(
    ("compiled", "message"),
    [
        (
            Compiled(load_kernels().program, True, 3.14, ""),
            "compiled the convolution for this machine in 3.1 s",
        ),
        (Compiled(load_kernels().program, False, 0.3, ""), ""),
        (NONE, "using torch's slower convolution: ImportError: no numba"),
    ],
)
def test_people_are_told_what_compiling_cost(
    compiled: Compiled, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (network, convolution):
        monkeypatch.setattr(module, "load_kernels", lambda: compiled)
    told: list[Progress] = []
    make_network(load_weights(), Settings(), CPU, told.append)
    assert [record.message for record in told] == ([message] if message else [])
    make_network(load_weights(), Settings(convolution="torch"), CPU, told.append)
    assert len(told) == bool(message)
