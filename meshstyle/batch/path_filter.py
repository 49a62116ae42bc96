"""What may pass of a batch, for whoever runs it more than once. This one lets everything through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from .prepare import JobSpecs, Prepared
from .types import Job, Outcome


class PathFilter:
    """Asked in the order of its methods.

    Attributes:
        waiting: models that were held back, and why.
        resting: the report's state when a pass has ended.
    """

    waiting: Mapping[str, str] = {}
    resting: ClassVar[str] = "done"

    def admit(self, wanted: JobSpecs) -> JobSpecs:
        """Leave out what should not even be looked at yet."""
        return wanted

    def hold_back(self, prepared: Prepared) -> Prepared:
        """Leave out what should not be painted yet."""
        return prepared

    def known(self, jobs: Iterable[Job]) -> dict[str, Outcome]:
        """Outcomes of jobs that are not done, but would end in the same way if they were tried again."""
        return {}
