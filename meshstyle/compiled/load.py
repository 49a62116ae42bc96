"""The compiled kernels of this machine: taken from the user's cache folder, or compiled and put there.

Nothing here may fail: where numba is missing or broken there are no kernels, and torch's convolution is used. Where
the folder cannot be used, the kernels are compiled in memory.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Compiled:
    """What came of it.

    Attributes:
        convolve: `winograd_kernels._convolve`, compiled; None where it cannot be.
        fresh: whether it had to be compiled.
        seconds: that it took, importing numba included.
        reason: why it cannot be, or "".
    """

    convolve: Callable[..., None] | None
    fresh: bool
    seconds: float
    reason: str = ""


@lru_cache(maxsize=1)
def load_kernels() -> Compiled:
    """Once per process; 2 to 4 s where they must be compiled, else a fraction of one."""
    began = time.monotonic()
    reason = ""
    for folder in dict.fromkeys((_kernel_folder(), None)):
        try:
            convolve, fresh = _compile(folder)
            _check(convolve)
            return Compiled(convolve, fresh, time.monotonic() - began)
        except Exception as error:  # numba is missing or broken, or the folder damaged or full
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            _LOG.info("no compiled convolution (cached in: %s): %s", folder, reason)
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


def _compile(folder: Path | None) -> tuple[Callable[..., None], bool]:
    from .winograd_kernels import compile_convolution

    if folder is None:
        return compile_convolution(cached=False)
    with _numba_caches_in(folder):
        return compile_convolution(cached=True)


@contextmanager
def _numba_caches_in(folder: Path) -> Iterator[None]:
    """numba decides where to cache when a function is decorated, by a setting that is otherwise left alone."""
    from numba.core import config as module

    config: Any = module
    before = config.CACHE_DIR
    config.CACHE_DIR = str(folder)
    try:
        yield
    finally:
        config.CACHE_DIR = before


def _kernel_folder() -> Path | None:
    """Where the kernels of this machine, this numba and this source are cached; None where that cannot be.

    One folder holds one version only: processes that use it at once can but write the same over the same. What lies
    in it is executed, so it must be the user's own.
    """
    root = cache_folder()
    if root is None:
        return None
    try:
        import llvmlite
        import numba

        from . import winograd_kernels

        sources = [
            Path(__file__).with_name(f"winograd_{name}.py").read_bytes() for name in ("kernels", "vectors")
        ]
        facts = (numba.__version__, llvmlite.__version__, sys.version, winograd_kernels.machine())
        digest = hashlib.sha256(b"".join(sources) + repr(facts).encode()).hexdigest()
        folder = root / "numba" / digest[:16]
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        own = not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
        return folder if own and os.access(folder, os.W_OK | os.X_OK) else None
    except Exception:  # no numba: `load_kernels` will tell
        return None


def _check(convolve: Callable[..., None]) -> None:
    """The kernel that changes nothing must change nothing. Raises ArithmeticError."""
    from .winograd_kernels import Piece, divide_scratch, scratch_size
    from .winograd_vectors import LANES

    middle = np.array([0, -1 / 6, 1 / 6, 1 / 12, -1 / 12, 0], np.float32)  # G g for g = (0, 1, 0)
    matrices = np.outer(middle, middle).reshape(36, 1, 1, 1) * np.eye(LANES, dtype=np.float32)
    picture = np.random.default_rng(0).random((1, 5, 7, LANES), np.float32)
    made, nothing = np.zeros_like(picture), np.empty(0, np.float32)
    no_mask = np.empty((0, 0, 0, 0), np.uint8)
    piece = Piece(5, 7, 5, 7, 1, 0, 0, 0, 2, 2, at_once=6, first=0, tiles=4, strip=0, strips=1)
    scratch = divide_scratch(np.empty(scratch_size(6, LANES, LANES), np.float32), 6, LANES, LANES)
    convolve(piece, scratch, picture, no_mask, 1.0, matrices, nothing, made, no_mask)
    if not np.allclose(made, picture, atol=1e-4):
        raise ArithmeticError("the compiled convolution is wrong")
