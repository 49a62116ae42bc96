"""AMX, the matrix unit of some x86-64 processors: whether it may be used here, and how its registers are set up.

Its eight registers hold tiles of 16 rows of 64 bytes. One instruction multiplies two tiles of bf16 and adds the
products to a tile of 16×16 float32, which takes as long as sixteen of AVX-512's instructions that do as much as one
row. Linux makes room for the registers only in processes that ask for it (arch_prctl, ARCH_REQ_XCOMP_PERM).
"""

from __future__ import annotations

import ctypes
import platform
import sys
from functools import cache

import numpy as np

from .cpu_features import has

ROWS = 16  # of a tile
PAIRS = 16  # pairs of bf16 in a row of a tile
_TILES = 8
_ARCH_PRCTL, _REQUEST, _TILE_DATA = 158, 0x1023, 18  # numbers of Linux on x86-64


def multiplies_tiles() -> bool:
    """Whether the processor multiplies tiles of bf16, as LLVM tells."""
    return sys.platform == "linux" and platform.machine() == "x86_64" and has("amx-bf16") and has("amx-tile")


@cache
def configuration() -> np.ndarray | None:
    """The 64 bytes that set up all registers as whole tiles; None where this process may not use them."""
    if not multiplies_tiles() or not _permitted():
        return None
    found = np.zeros(64, np.uint8)
    found[0] = 1  # the palette
    found[16 : 16 + 2 * _TILES].view(np.uint16)[:] = 4 * PAIRS  # bytes of a row
    found[48 : 48 + _TILES] = ROWS
    return found


def _permitted() -> bool:
    try:
        return int(ctypes.CDLL(None).syscall(_ARCH_PRCTL, _REQUEST, _TILE_DATA)) == 0
    except (OSError, AttributeError):
        return False
