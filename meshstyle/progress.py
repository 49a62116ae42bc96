"""What a run tells whoever started it. The library never prints: it hands these records to a callback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One moment of a run.

    Attributes:
        stage: `read`, `unwrap`, `trace`, `solve`, `bake` or `write`.
        step, steps: steps done and steps in all, of this stage; 0 of 0 where a stage has no steps.
        loss: the objective's latest value, in the `solve` stage.
        seconds_left: an estimate for this stage, or None.
        message: something people should know, or "".
    """

    stage: str
    step: int = 0
    steps: int = 0
    loss: float | None = None
    seconds_left: float | None = None
    message: str = ""


ProgressCallback = Callable[[Progress], None]


def ignore(_: Progress) -> None:
    """The callback of someone who does not want to know."""
