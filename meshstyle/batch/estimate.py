"""What a batch will take. Rough: how many views a model needs, and how well its paint compresses, shows only later."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..config.model import Settings
from .model_summary import ModelSummary
from .worker_count import WorkerPlan

# Fitted to processor time and peak memory of drafts of four of the tests' models, and to `standard` on spot. In units.
_SHARE = 1.27  # of the square around it, what a view's window and losses come to
_ALONE, _PER_VIEW, _PER_TRIANGLE, _PER_TEXEL = 3.0, 0.55, 3e-5, 6.3e-6
# In bytes.
_MEMORY, _MEMORY_PER_VIEW_PIXEL, _MEMORY_PER_TEXEL, _MEMORY_PER_TRIANGLE = 1.11e9, 300, 200, 2500
_BYTES_PER_TEXEL = 2.2  # of painted PNG
_BYTES_OTHERWISE = {"png": 1.0, "webp": 0.9, "jpeg": 0.35}


@dataclass(frozen=True)
class Estimate:
    """Of a job: units of work (see `worker_count.WorkerPlan`), units that one thread does alone, bytes of memory and
    on the disk."""

    units: float
    alone: float
    memory: float
    disk: float

    def wall(self, worker_plan: WorkerPlan) -> float:
        """Seconds that it takes one of a measured worker plan's workers."""
        return (
            (self.units + self.alone * worker_plan.threads) * worker_plan.workers / (worker_plan.rate or 1.0)
        )


def estimate(settings: Settings, summary: ModelSummary, source_bytes: int) -> Estimate:
    """Of one painting, from the ladder of its settings and the model's size."""
    pixels = settings.view_count * max((scale.size for scale in settings.scales), default=0) ** 2
    painted = summary.texels * _BYTES_PER_TEXEL * _BYTES_OTHERWISE[settings.image_format]
    return Estimate(
        units=_units(settings),
        alone=_ALONE
        + settings.view_count * len(settings.scales) * _PER_VIEW
        + summary.triangles * _PER_TRIANGLE
        + summary.texels * _PER_TEXEL,
        memory=_MEMORY
        + pixels * _MEMORY_PER_VIEW_PIXEL
        + summary.texels * _MEMORY_PER_TEXEL
        + summary.triangles * _MEMORY_PER_TRIANGLE,
        disk=source_bytes + painted,
    )


def total_seconds(estimates: Sequence[Estimate], worker_plan: WorkerPlan) -> float:
    """Estimate the time of all jobs: the longest alone, or all shared out, whichever is longer."""
    walls = [estimate.wall(worker_plan) for estimate in estimates]
    return max(max(walls, default=0.0), math.fsum(walls) / worker_plan.workers)


def _units(settings: Settings) -> float:
    if settings.strength == 0:
        return 0.0
    all_views = settings.solver == "views" or settings.optimizer_used == "lbfgs"
    passes = settings.view_count if all_views else 1
    steps = sum(scale.steps * passes * (scale.size / 256) ** 2 for scale in settings.scales)
    targets = sum(
        settings.view_count * (scale.size / 256) ** 2 / 3 for scale in settings.scales
    )  # forward only
    return _SHARE * (steps + targets)
