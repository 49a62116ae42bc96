"""How many workers, with how many threads each: what was asked for, what an earlier run had, or what is fastest."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from ..control_groups import memory_left
from ..cores import loading_torch, usable_threads
from ..wording import counted
from .contract import WorkerContext
from .options import BatchOptions
from .processes import Lost, Processes

WORKER_MEMORY = 1.6e9  # bytes: what a worker takes with a model of ordinary size
_MEASURED = 0.8  # seconds


@dataclass(frozen=True)
class Crew:
    """`workers` processes of `threads` threads. `rate`: units a second of all together, or None before it is measured
    (a unit is one forward and backward pass of the network over 256×256 pixels)."""

    workers: int
    threads: int
    rate: float | None = None

    def __str__(self) -> str:
        return f"{counted(self.workers, 'worker')} with {counted(self.threads, 'thread')}" + (
            " each" if self.workers > 1 else ""
        )


def known_crew(options: BatchOptions, threads: int | None, remembered: int | None) -> Crew | None:
    """The crew, where there is nothing left to choose.

    Args:
        threads: as set; `remembered`: of an earlier run, which finished part of the same batch. Results depend on the
            number of threads, so that it stays; not on that of workers.
    """
    threads = threads or remembered
    cores = usable_threads()
    if options.engine == "ray":  # the cluster says how many there can be; one thread each wastes nothing
        return Crew(options.workers or 1, threads or 1)
    if threads is None:
        return None if options.workers is None else Crew(options.workers, max(1, cores // options.workers))
    workers = options.workers or max(1, min(cores // threads, _room()))
    return Crew(workers, threads)


def candidates() -> list[Crew]:
    """All ways to give every core one thread, within the memory there is; more workers first."""
    cores = usable_threads()
    ways = [Crew(cores // threads, threads) for threads in range(1, cores + 1) if cores % threads == 0]
    return [crew for crew in ways if crew.workers <= _room()] or [Crew(1, cores)]


def measure(crew: Crew, processes: Processes) -> Crew:
    """The crew with its rate. Some seconds."""
    for seconds in (0.0, _MEASURED):  # first to load what they need, then all at the same time
        work = [(crew.threads, seconds)] * crew.workers
        rates = [ended.answer for ended in processes.each(_units, work)]
    rate = sum(rate for rate in rates if not isinstance(rate, Lost))
    return Crew(crew.workers, crew.threads, rate or None)


def fastest(processes: Processes) -> tuple[Crew, str]:
    """The fastest of the candidates, and a sentence about it."""
    found = [measure(crew, processes) for crew in candidates()]
    best = max(found, key=lambda crew: crew.rate or 0.0)
    if len(found) == 1 or best.rate is None:
        return best, f"{best}."
    others = ", ".join(
        f"{(crew.rate or 0.0) / best.rate:.2f} with {crew}" for crew in found if crew is not best
    )
    return best, f"{best}: the fastest here (its speed against {others})."


def _room() -> int:
    """How many workers the free memory holds: the machine's, or what is left of the container's."""
    free, granted = psutil.virtual_memory().available, memory_left()
    return max(1, int(min(free, free if granted is None else granted) / WORKER_MEMORY))


def _units(work: tuple[int, float], _: WorkerContext) -> float:
    with loading_torch():
        from .speed import units_a_second

    return units_a_second(*work)
