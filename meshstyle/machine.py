"""The machine a run uses: device and threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .errors import UsageError


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


@contextmanager
def limited_threads(count: int | None) -> Iterator[None]:
    """At most `count` CPU threads inside the block; None changes nothing."""
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
