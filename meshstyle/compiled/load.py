"""The compiled kernels of this machine: taken from the user's cache folder, or compiled and put there.

Nothing here may fail: where numba is missing or broken there are no kernels, and torch and numpy do their work. Where
the folder cannot be used, the kernels are compiled in memory.

What is kept is machine code that needs nothing but memory. LLVM alone puts it in its place, which takes 0.1 s; numba
would need half a second, and is loaded only to compile.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .check import check
from .gram_piece import GramPiece
from .keeping import keep, read_kept
from .piece import Piece
from .tap_piece import TapPiece
from .texel_pieces import AddPiece, SmoothPiece, StepPiece

if TYPE_CHECKING:
    from llvmlite import binding

_LOG = logging.getLogger(__name__)
_NAMES = ("taps", "convolve", "fill", "pack", "gram", "pull", "step", "add", "smooth")
_SOURCES = (
    "addresses",
    "gram_kernels",
    "gram_piece",
    "keeping",
    "kernels",
    "piece",
    "processor",
    "tap_kernels",
    "tap_piece",
    "texel_kernels",
    "texel_pieces",
    "winograd_kernels",
    "winograd_vectors",
)


@dataclass(frozen=True)
class Compiled:
    """What came of it.

    Attributes:
        program: the kernels; None where they cannot be compiled.
        fresh: whether it had to be compiled.
        seconds: that it took, importing numba included.
        reason: why it cannot be, or "".
    """

    program: Program | None
    fresh: bool
    seconds: float
    reason: str = ""


@lru_cache(maxsize=1)
def load_kernels() -> Compiled:
    """Once per process; 5 to 8 s where they must be compiled, else a fraction of one."""
    began = time.monotonic()
    reason = ""
    place = _place()
    for kept in dict.fromkeys((_read(place), None)):
        try:
            code = _compile() if kept is None else kept
            program = Program(code)
            check(program)
        except Exception as error:  # numba is missing or broken, or what was kept is of no use
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            _LOG.info("no compiled kernels (kept in: %s): %s", place, reason)
            continue
        if kept is None and place is not None:
            _keep(place, code)
        return Compiled(program, kept is None, time.monotonic() - began)
    return Compiled(None, False, time.monotonic() - began, reason)


def cache_folder() -> Path | None:
    """meshstyle's folder among the user's caches; None where there is no such place. It need not exist."""
    home = Path(os.path.expanduser("~"))
    if sys.platform == "win32":
        place = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        place = home / "Library" / "Caches"
    else:
        place = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return place / "meshstyle" if place.is_absolute() else None


def _place() -> Path | None:
    """The file that keeps the kernels of this machine, this LLVM and this source; None where there is no such place."""
    root = cache_folder()
    if root is None:
        return None
    try:
        import llvmlite
        from llvmlite import binding

        from .processor import features

        sources = [Path(__file__).with_name(f"{name}.py").read_bytes() for name in _SOURCES]
        facts = (llvmlite.__version__, binding.get_process_triple(), binding.get_host_cpu_name(), features())
        digest = hashlib.sha256(b"".join(sources) + repr(facts).encode()).hexdigest()
    except Exception:  # no LLVM: `load_kernels` will tell
        return None
    return root / "kernels" / f"kernels-{digest[:16]}"


def _read(place: Path | None) -> bytes | None:
    """The machine code that lies there, if it is whole and this user's own."""
    return None if place is None else read_kept(place)


def _keep(place: Path, code: bytes) -> None:
    """Put machine code there for the next run, where that can be."""
    try:
        keep(place, code)
    except (
        Exception
    ) as error:  # a full disk, or a place that others may write to: the next run compiles again
        _LOG.info("the compiled kernels are not kept in %s: %s", place, error)


def _compile() -> bytes:
    """The kernels as machine code. Imports numba."""
    from llvmlite import binding

    from .kernels import kernel_texts

    whole = binding.parse_assembly("")
    for name, text in kernel_texts():
        module = binding.parse_assembly(text)
        foreign = [f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")]
        (kernel,) = (
            f for f in module.functions if not f.is_declaration and f.linkage == binding.Linkage.external
        )
        if foreign:  # LLVM ends the process where it finds no such function
            raise RuntimeError(f"this numba's code needs {', '.join(foreign)}")
        kernel.name = _symbol(name)
        whole.link_in(module)
    code: bytes = _target_machine().emit_object(whole)
    return code


def _symbol(name: str) -> str:
    return f"meshstyle_{name}"


def _target_machine() -> binding.TargetMachine:
    from llvmlite import binding

    from .processor import features

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
        halves: whether the machine multiplies bf16, twice as fast as float32. Only then `convolve` takes pieces in it,
            and `pack`, `gram` and `pull` make sense.
    """

    def __init__(self, code: bytes) -> None:
        from llvmlite import binding

        from .processor import multiplies_halves

        self.halves = multiplies_halves()
        self._engine: Any = binding.create_mcjit_compiler(binding.parse_assembly(""), _target_machine())
        self._engine.add_object_file(binding.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        self._functions = {name: self._function(name) for name in _NAMES}

    def _function(self, name: str) -> Callable[..., int]:
        address = self._engine.get_function_address(_symbol(name))
        if not address:
            raise RuntimeError("the compiled kernels are not what they should be")
        return ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(address)

    def _run(self, name: str, piece: tuple[int, ...]) -> None:
        numbers = (ctypes.c_int64 * len(piece))(*piece)
        result, exception = ctypes.c_void_p(), ctypes.c_void_p()
        self._functions[name](ctypes.byref(result), ctypes.byref(exception), ctypes.addressof(numbers))

    def taps(self, piece: TapPiece) -> None:
        """What all pixels of a view read."""
        self._run("taps", piece)

    def convolve(self, piece: Piece) -> None:
        """One piece of a convolution."""
        self._run("convolve", piece)

    def fill(self, piece: Piece) -> None:
        """Tiles of a convolution's result that are not made."""
        self._run("fill", piece)

    def pack(self, piece: GramPiece) -> None:
        """Some pairs of cells, in bf16; where the machine has `halves`, as the next two."""
        self._run("pack", piece)

    def gram(self, piece: GramPiece) -> None:
        """Some strips of a Gram matrix."""
        self._run("gram", piece)

    def pull(self, piece: GramPiece) -> None:
        """The slope of a Gram matrix in some cells."""
        self._run("pull", piece)

    def step(self, piece: StepPiece) -> None:
        """Some rows of a step of Adam."""
        self._run("step", piece)

    def add(self, piece: AddPiece) -> None:
        """To some rows of a table."""
        self._run("add", piece)

    def smooth(self, piece: SmoothPiece) -> None:
        """Some rows of the slope of smoothness."""
        self._run("smooth", piece)
