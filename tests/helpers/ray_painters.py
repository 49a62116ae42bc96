"""Workers of a Ray cluster that only pretend to paint."""

from __future__ import annotations

import os

from meshstyle.batch.ray.node import Painter
from meshstyle.batch.ray.transfer import FileContents, Missing, Order, Returned
from meshstyle.batch.types import JobState, Outcome


class Pretender(Painter):
    """Done at once; a model called `deadly.glb` ends the process."""

    def paint(self, order: Order, parcel: FileContents | None) -> Returned | Missing:
        job = order.job
        if job.model == "deadly.glb":
            os._exit(1)
        return Returned(Outcome(job.id, job.key, JobState.DONE))


class Stillborn(Painter):
    """Cannot begin, as where a node lacks a package."""

    def greet(self) -> str:
        raise ModuleNotFoundError("No module named 'torch'")


class Old(Painter):
    """Another version."""

    def greet(self) -> str:
        return "0.0.1"
