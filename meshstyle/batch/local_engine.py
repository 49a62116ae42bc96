"""The engine of one machine: worker processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Self

from ..system.threads import loading_torch
from .failures import lost
from .types import Job, Outcome, WorkerContext
from .worker_pool import Lost, Processes


class LocalEngine:
    """Satisfies `batch.types.Engine`. What workers share is loaded once in each and kept between jobs."""

    def __init__(self, workers: int, context: WorkerContext, processes: Processes | None = None) -> None:
        """`processes`: to use, where there are some that have loaded most of what it takes."""
        self.workers = workers
        self._processes = processes or Processes(workers, context)
        self._processes.reduce(workers)
        self._time_limit = context.time_limit

    def __enter__(self) -> Self:
        self._processes.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._processes.__exit__(*error)

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """See `batch.types.Engine`."""
        for ended in self._processes.each(_paint, jobs, self._time_limit):
            if isinstance(ended.answer, Lost):
                yield lost(ended.item, ended.answer.kind, ended.answer.cause, ended.seconds)
            else:
                yield ended.answer


def _paint(job: Job, context: WorkerContext) -> Outcome:
    with loading_torch():  # which the process that plans does without
        from .worker import run_job

    return run_job(job, context)
