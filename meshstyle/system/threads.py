"""The cores: how to waste none, and how many this process may use: its affinity, and what control groups grant.

In a container that may use two of a machine's 64 cores libraries start 64 threads, which then wait for each other
whenever the quota is used up.
"""

from __future__ import annotations

import gc
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .cgroups import core_quota


def tune_torch() -> None:
    """Set what torch reads when it is loaded, in this process's environment. What the user has set stays; where torch
    is loaded already nothing is changed. `meshstyle` calls it when it is imported.

    A step's tensors are too large for the allocator to keep: in pages of 2 MB instead of 4 kB (where the system grants
    them to those who ask) they need a fifth of the page faults; `standard` takes a twentieth less time.

    torch's threads (GNU OpenMP) wait for more to do by spinning, for milliseconds, on the cores that our convolution's
    threads need: with a core for each thread, `standard` took 13.4 s and 22 s of processor time, and takes 11.4 s and
    15.5 s since they spin for microseconds. On cores that others use too it is several times the processor time.
    """
    if "torch" in sys.modules:
        return
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


@contextmanager
def loading_torch() -> Iterator[None]:
    """A context to load torch in, without the search for garbage among the million objects that then begin to live,
    which took 0.25 of 1.3 s, and none of which is looked at later either. Where it is loaded, nothing happens."""
    if "torch" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def allowed_cores() -> int:
    """Cores that this process may run on (`taskset`, cpusets)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usable_threads() -> int:
    """As many as are of use: no more than may run at once."""
    quota = core_quota()
    return allowed_cores() if quota is None else min(allowed_cores(), max(math.ceil(quota), 1))
