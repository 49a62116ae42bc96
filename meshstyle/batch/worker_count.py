"""How many workers, with how many threads each: what was asked for, what an earlier run had, or what is fastest."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from ..system.cgroups import memory_left
from ..system.threads import loading_torch, usable_threads
from ..text import counted
from .options import BatchOptions
from .types import WorkerContext
from .worker_pool import Lost, Processes

WORKER_MEMORY = 1.6e9  # bytes: what a worker takes with a model of ordinary size
_MEASURED = 0.8  # seconds


@dataclass(frozen=True)
class WorkerPlan:
    """`workers` processes of `threads` threads. `rate`: units a second of all together, or None before it is measured
    (a unit is one forward and backward pass of the network over 256×256 pixels)."""

    workers: int
    threads: int
    rate: float | None = None

    def __str__(self) -> str:
        return f"{counted(self.workers, 'worker')} with {counted(self.threads, 'thread')}" + (
            " each" if self.workers > 1 else ""
        )


def known_worker_plan(
    options: BatchOptions, threads: int | None, remembered: int | None
) -> WorkerPlan | None:
    """The worker plan, where there is nothing left to choose.

    Args:
        threads: as set; `remembered`: of an earlier run, which finished part of the same batch. Results depend on the
            number of threads, so that it stays; not on that of workers.
    """
    threads = threads or remembered
    cores = usable_threads()
    if options.engine == "ray":  # the cluster says how many there can be; one thread each wastes nothing
        return WorkerPlan(options.workers or 1, threads or 1)
    if threads is None:
        return (
            None if options.workers is None else WorkerPlan(options.workers, max(1, cores // options.workers))
        )
    workers = options.workers or max(1, min(cores // threads, workers_in_memory()))
    return WorkerPlan(workers, threads)


def candidates() -> list[WorkerPlan]:
    """All ways to give every core one thread, within the memory there is; more workers first."""
    cores = usable_threads()
    ways = [WorkerPlan(cores // threads, threads) for threads in range(1, cores + 1) if cores % threads == 0]
    return [worker_plan for worker_plan in ways if worker_plan.workers <= workers_in_memory()] or [
        WorkerPlan(1, cores)
    ]


def measure(worker_plan: WorkerPlan, processes: Processes) -> WorkerPlan:
    """The worker plan with its rate. Some seconds."""
    for seconds in (0.0, _MEASURED):  # first to load what they need, then all at the same time
        work = [(worker_plan.threads, seconds)] * worker_plan.workers
        rates = [ended.answer for ended in processes.each(_units, work)]
    rate = sum(rate for rate in rates if not isinstance(rate, Lost))
    return WorkerPlan(worker_plan.workers, worker_plan.threads, rate or None)


def fastest(processes: Processes) -> tuple[WorkerPlan, str]:
    """The fastest of the candidates, and a sentence about it."""
    found = [measure(worker_plan, processes) for worker_plan in candidates()]
    best = max(found, key=lambda worker_plan: worker_plan.rate or 0.0)
    if len(found) == 1 or best.rate is None:
        return best, f"{best}."
    others = ", ".join(
        f"{(worker_plan.rate or 0.0) / best.rate:.2f} with {worker_plan}"
        for worker_plan in found
        if worker_plan is not best
    )
    return best, f"{best}: the fastest here (its speed against {others})."


def workers_in_memory() -> int:
    """How many workers the free memory holds: the machine's, or what is left of the container's."""
    free, granted = psutil.virtual_memory().available, memory_left()
    return max(1, int(min(free, free if granted is None else granted) / WORKER_MEMORY))


def _units(work: tuple[int, float], _: WorkerContext) -> float:
    with loading_torch():
        from .speed import units_a_second

    return units_a_second(*work)
