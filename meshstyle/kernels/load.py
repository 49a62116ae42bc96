"""The compiled kernels of this machine: taken from the user's cache folder, or compiled and put there.

Nothing here may fail: where numba is missing or broken there are no kernels, and torch and numpy do their work. Where
the folder cannot be used, the kernels are compiled in memory.

What is kept is machine code that needs nothing but memory. LLVM alone puts it in its place, which takes 0.1 s; numba
would need half a second, and is loaded only to compile.
"""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..system.cache_dir import cache_folder
from .cache import keep, read_kept
from .program import Program, symbol, target_machine
from .selftest import check

_LOG = logging.getLogger(__name__)
_SOURCES = (
    "addresses",
    "cache",
    "cpu_features",
    "gram_arguments",
    "gram_kernels",
    "llvm_ir",
    "program",
    "sample_arguments",
    "sample_kernels",
    "texel_arguments",
    "texel_kernels",
    "tile_programs",
    "tile_registers",
    "winograd_arguments",
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


def _place() -> Path | None:
    """The file that keeps the kernels of this machine, this LLVM and this source; None where there is no such place."""
    root = cache_folder()
    if root is None:
        return None
    try:
        import llvmlite
        from llvmlite import binding

        from .cpu_features import features

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

    from .llvm_ir import kernel_texts

    whole = binding.parse_assembly("")
    for name, text in kernel_texts():
        module = binding.parse_assembly(text)
        foreign = [f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")]
        (kernel,) = (
            f for f in module.functions if not f.is_declaration and f.linkage == binding.Linkage.external
        )
        if foreign:  # LLVM ends the process where it finds no such function
            raise RuntimeError(f"this numba's code needs {', '.join(foreign)}")
        kernel.name = symbol(name)
        whole.link_in(module)
    code: bytes = target_machine().emit_object(whole)
    return code
