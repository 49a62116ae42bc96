"""What a batch made, and what one would make."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .estimate import Estimate
from .types import Job, JobState, Outcome
from .worker_count import WorkerPlan


@dataclass(frozen=True)
class BatchResult:
    """What became of a batch.

    Attributes:
        output: OUT.
        jobs: all of them; `outcomes`: of each, in the same order, also of those done by an earlier run.
        worker_plan: who did it.
        seconds: wall time.
        notes: what people should know, one sentence each.
    """

    output: Path
    jobs: tuple[Job, ...]
    outcomes: tuple[Outcome, ...]
    worker_plan: WorkerPlan
    seconds: float
    notes: tuple[str, ...]

    @property
    def failed(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.state is JobState.FAILED)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "output": str(self.output),
            "workers": self.worker_plan.workers,
            "threads": self.worker_plan.threads,
            "seconds": self.seconds,
            "done": sum(o.state is JobState.DONE and not o.earlier for o in self.outcomes),
            "failed": len(self.failed),
            "earlier": sum(o.earlier for o in self.outcomes),
            "notes": list(self.notes),
            "jobs": [_told(job, outcome) for job, outcome in zip(self.jobs, self.outcomes, strict=True)],
        }


@dataclass(frozen=True)
class BatchPlan:
    """What a batch would do.

    Attributes:
        jobs: all of them; `pending`: those that are not done yet; `estimates`: of these, in their order.
        seconds: wall time of all that is pending; `memory`, `disk`: bytes at the peak of all workers, and of results.
    """

    output: Path
    jobs: tuple[Job, ...]
    pending: tuple[Job, ...]
    estimates: tuple[Estimate, ...]
    worker_plan: WorkerPlan
    seconds: float
    memory: float
    disk: float
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        pending = zip(self.pending, self.estimates, strict=True)
        return {
            "output": str(self.output),
            "workers": self.worker_plan.workers,
            "threads": self.worker_plan.threads,
            "jobs": len(self.jobs),
            "earlier": len(self.jobs) - len(self.pending),
            "seconds": self.seconds,
            "memory_bytes": self.memory,
            "disk_bytes": self.disk,
            "notes": list(self.notes),
            "pending": [_described(job) | {"seconds": cost.wall(self.worker_plan)} for job, cost in pending],
        }


def _described(job: Job) -> dict[str, Any]:
    return {"id": job.id, "model": job.model, "style": job.style, "set": job.group, "notes": list(job.notes)}


def _told(job: Job, outcome: Outcome) -> dict[str, Any]:
    failure = outcome.failure
    return _described(job) | {
        "state": outcome.state.value,
        "earlier": outcome.earlier,
        "seconds": outcome.seconds,
        "attempts": outcome.attempts,
        "files": [file.path for file in outcome.files],
        "figures": dict(outcome.figures),
        "warnings": list(outcome.warnings),
        "failure": None if failure is None else asdict(failure) | {"kind": failure.kind.value},
    }
