"""All kernels, in LLVM's language. Importing this imports numba."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from numba import njit, types

from .gram_kernels import gram, gram_backward, gram_tiles, pack
from .sample_kernels import texel_sample
from .texel_kernels import add, smooth, step
from .winograd_kernels import convolve, fill

_REORDERED = {"contract", "reassoc"}  # of sums, so that vectors can make them
# Wrappers for Python and for C would need numba when they run.
_BARE: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "error_model": "numpy"}


def kernel_texts() -> Iterator[tuple[str, str]]:
    """Name and module of each kernel: one function that can be called from outside, and what it calls."""
    yield "convolve", _text(convolve, fastmath=False)
    yield "fill", _text(fill, fastmath=False)
    yield "pack", _text(pack, fastmath=False)
    yield "gram", _text(gram, fastmath=False)
    yield "gram_tiles", _text(gram_tiles, fastmath=False)
    yield "gram_backward", _text(gram_backward, fastmath=False)
    yield "texel_sample", _text(texel_sample, fastmath=False)
    yield "step", _text(step, fastmath=_REORDERED)
    yield "add", _text(add, fastmath=False)
    yield "smooth", _text(smooth, fastmath=_REORDERED)


def _text(kernel: Callable[[int], None], **how: Any) -> str:
    made = njit(types.void(types.int64), **_BARE, **how)(kernel)
    text: str = made.inspect_llvm(made.signatures[0])
    return text
