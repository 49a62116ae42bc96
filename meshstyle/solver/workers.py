"""Threads for pieces of work that fit a core's cache and are better done start to end by one thread.

The work must be compiled code that does not hold Python's lock.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import torch

Item = TypeVar("Item")
_ROWS = 1 << 14  # of a table that are worked on together


def share_out(work: Callable[[Item], None], items: Iterable[Item]) -> None:
    """Do `work` for all items, on as many threads as torch has now, each item by whichever is free.

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

    count = min(torch.get_num_threads(), len(left))
    if count <= 1:
        drain()
        return
    pool = _pool(torch.get_num_threads(), os.getpid())  # threads do not live on in a forked process
    for future in [pool.submit(drain) for _ in range(count)]:
        future.result()


def ranges(rows: int) -> list[tuple[int, int]]:
    """Parts of a table's rows, first and end, that do not depend on the number of threads."""
    return [(first, min(first + _ROWS, rows)) for first in range(0, rows, _ROWS)]


def suits(x: torch.Tensor) -> bool:
    """Whether compiled code can take it."""
    return x.is_contiguous() and x.dtype == torch.float32 and x.device.type == "cpu"


def address(x: torch.Tensor) -> int:
    """Of what is in memory one after the other; 0 for nothing."""
    assert x.is_contiguous()
    return x.data_ptr() if x.numel() else 0


@lru_cache(maxsize=4)
def _pool(count: int, _process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, "meshstyle-convolution")
