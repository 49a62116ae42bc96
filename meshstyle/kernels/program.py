"""The kernels' machine code in memory, as functions of Python."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from llvmlite import binding

from .gram_arguments import GramArguments
from .sample_arguments import SampleArguments
from .texel_arguments import AddArguments, SmoothArguments, StepArguments
from .winograd_arguments import WinogradArguments

_NAMES = (
    "texel_sample",
    "convolve",
    "fill",
    "pack",
    "gram",
    "gram_tiles",
    "gram_backward",
    "step",
    "add",
    "smooth",
)


def symbol(name: str) -> str:
    return f"meshstyle_{name}"


def target_machine() -> binding.TargetMachine:
    from llvmlite import binding

    from .cpu_features import features

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    triple = binding.get_process_triple()
    # As numba has it: code that stays in this process may use addresses as they are.
    reloc = "static" if triple.startswith("x86") else "default"
    return binding.Target.from_triple(triple).create_target_machine(
        cpu=binding.get_host_cpu_name(), features=features(), opt=3, reloc=reloc, jit=True
    )


class Program:
    """Machine code in memory, ready to run. It does not hold Python's lock.

    numba's calling convention: where to put a result and an exception, and the arguments; there is neither here.

    Attributes:
        bf16: whether the machine multiplies bf16, twice as fast as float32. Only then `convolve` takes pieces in it,
            and `pack`, `gram` and `gram_backward` make sense.
    """

    def __init__(self, code: bytes) -> None:
        from llvmlite import binding

        from .cpu_features import multiplies_bf16

        self.bf16 = multiplies_bf16()
        self._engine: Any = binding.create_mcjit_compiler(binding.parse_assembly(""), target_machine())
        self._engine.add_object_file(binding.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        self._functions = {name: self._function(name) for name in _NAMES}

    def _function(self, name: str) -> Callable[..., int]:
        address = self._engine.get_function_address(symbol(name))
        if not address:
            raise RuntimeError("the compiled kernels are not what they should be")
        return ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(address)

    def _run(self, name: str, piece: tuple[int, ...]) -> None:
        numbers = (ctypes.c_int64 * len(piece))(*piece)
        result, exception = ctypes.c_void_p(), ctypes.c_void_p()
        self._functions[name](ctypes.byref(result), ctypes.byref(exception), ctypes.addressof(numbers))

    def texel_sample(self, piece: SampleArguments) -> None:
        """Compute the texels that all pixels of a view read, and their weights."""
        self._run("texel_sample", piece)

    def convolve(self, piece: WinogradArguments) -> None:
        """Compute some tiles and channels of a convolution."""
        self._run("convolve", piece)

    def fill(self, piece: WinogradArguments) -> None:
        """Fill tiles of a convolution's result that are not computed."""
        self._run("fill", piece)

    def pack(self, piece: GramArguments) -> None:
        """Pack some pairs of cells in bf16; where the machine has `bf16`, as the next two."""
        self._run("pack", piece)

    def gram(self, piece: GramArguments) -> None:
        """Compute some strips of a Gram matrix."""
        self._run("gram", piece)

    def gram_tiles(self, piece: GramArguments) -> None:
        """Add the products of some cells to a Gram matrix; where `tile_registers.configuration` gives any."""
        self._run("gram_tiles", piece)

    def gram_backward(self, piece: GramArguments) -> None:
        """Add the gradient of a Gram matrix in some cells."""
        self._run("gram_backward", piece)

    def step(self, piece: StepArguments) -> None:
        """Make a step of Adam in some rows."""
        self._run("step", piece)

    def add(self, piece: AddArguments) -> None:
        """Add to some rows of a table."""
        self._run("add", piece)

    def smooth(self, piece: SmoothArguments) -> None:
        """Compute some rows of the gradient of smoothness."""
        self._run("smooth", piece)
