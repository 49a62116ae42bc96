"""Threads for pieces of work that fit a core's cache and are better done start to end by one thread.

The work must be compiled code that does not hold Python's lock.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from functools import cache
from queue import SimpleQueue
from typing import TypeVar

import torch

Item = TypeVar("Item")
_ROWS = 1 << 14  # of a table that are worked on together


def share_out(work: Callable[[Item], None], items: Iterable[Item]) -> None:
    """Do `work` for all items, each by whichever thread is free, of as many as torch has now: this one and its helpers.

    Raises what `work` raises.
    """
    left = deque(items)

    def drain() -> None:
        while True:
            try:
                item = left.popleft()
            except IndexError:
                return
            work(item)

    others = min(torch.get_num_threads(), len(left)) - 1
    if others < 1:
        drain()
        return
    ended: SimpleQueue[BaseException | None] = SimpleQueue()

    def help_out() -> None:
        try:
            drain()
        except BaseException as error:
            ended.put(error)
        else:
            ended.put(None)

    jobs = _helpers(torch.get_num_threads() - 1, os.getpid())  # threads do not live on in a forked process
    asked = 0
    try:
        for _ in range(others):
            jobs.put(help_out)
            asked += 1
        drain()
    finally:
        errors = _all_of(ended, asked)
    for error in filter(None, errors):
        raise error


def _all_of(ended: SimpleQueue[BaseException | None], count: int) -> list[BaseException | None]:
    """What so many helpers came to. Ctrl-C has to wait for them: they work on what belongs to this thread."""
    found: list[BaseException | None] = []
    while len(found) < count:
        try:
            found.append(ended.get())
        except KeyboardInterrupt as error:
            found.append(error)
            count += 1
    return found


def ranges(rows: int) -> list[tuple[int, int]]:
    """Parts of a table's rows, first and end, that do not depend on the number of threads."""
    return [(first, min(first + _ROWS, rows)) for first in range(0, rows, _ROWS)]


def suits(x: torch.Tensor) -> bool:
    """Whether compiled code can take it."""
    return x.is_contiguous() and x.dtype == torch.float32 and x.device.type == "cpu"


def address(x: torch.Tensor) -> int:
    """Return the address of a contiguous array; 0 for None."""
    assert x.is_contiguous()
    return x.data_ptr() if x.numel() else 0


@cache
def _helpers(count: int, _process: int) -> SimpleQueue[Callable[[], None]]:
    """So many threads that do what is put here, and wait meanwhile.

    An executor's futures take 40 µs more for every time that work is shared out, which a step does 50 times.
    """
    jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def serve() -> None:
        while True:
            jobs.get()()

    for _ in range(count):
        threading.Thread(target=serve, name="meshstyle-helper", daemon=True).start()
    return jobs
