"""The machine a run uses: device and threads."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch

from ..errors import UsageError
from .threads import usable_threads


def choose_device(name: str) -> torch.device:
    """The torch device of a setting. Raises UsageError where this machine does not have it."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device("cuda" if available["cuda"] else "cpu")
    if not available.get(name, False):
        raise UsageError(
            "device", f"this machine has no {name} device that torch can use", "Use cpu or auto."
        )
    return torch.device(name)


def give_back_memory() -> None:
    """What was freed goes to the system; the C library (GNU's) would keep it for whoever asks next."""
    with suppress(OSError, TypeError, AttributeError):  # another system, another library
        ctypes.CDLL(None).malloc_trim(0)


def threads_for(count: int | None) -> int:
    """CPU threads that a setting stands for: None takes as many as may run at once, but no more than torch has now
    (a thread per core of the machine, or what OMP_NUM_THREADS or the calling program says)."""
    return min(torch.get_num_threads(), usable_threads()) if count is None else count


@contextmanager
def limited_threads(count: int | None) -> Iterator[None]:
    """So many CPU threads inside the block (see `threads_for`)."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads_for(count))
    try:
        yield
    finally:
        torch.set_num_threads(before)
