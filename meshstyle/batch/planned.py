"""What a batch would take, all models together."""

from __future__ import annotations

from collections.abc import Iterator

from .estimate import Estimate, estimate, total_seconds
from .options import BatchInput, BatchOptions
from .prepare import Prepared
from .results import BatchPlan
from .types import Job


def batch_plan(request: BatchInput, prepared: Prepared, pending: tuple[Job, ...]) -> BatchPlan:
    """Of the jobs that are `pending`."""
    costs = tuple(_estimate(job, prepared) for job in pending)
    largest = sorted((cost.memory for cost in costs), reverse=True)[: prepared.worker_plan.workers]
    return BatchPlan(
        request.output,
        prepared.jobs,
        pending,
        costs,
        prepared.worker_plan,
        seconds=total_seconds(costs, prepared.worker_plan),
        memory=sum(largest),
        disk=sum(cost.disk for cost in costs),
        notes=(*prepared.notes, *_unknown(request.options)),
    )


def _unknown(options: BatchOptions) -> Iterator[str]:
    """What a plan cannot know."""
    if options.engine == "ray":
        yield "The cluster is not asked: times count with workers as fast as this machine's" + (
            "." if options.workers else ", and with one of them."
        )


def _estimate(job: Job, prepared: Prepared) -> Estimate:
    summary = prepared.summaries[job.model]
    files = [job.source.parent / file.path for file in summary.sources if file.sha256]
    return estimate(job.settings, summary, sum(file.stat().st_size for file in files))
