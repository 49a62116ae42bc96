"""What a run tells whoever started it. The library never prints: it hands these records to a callback."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Progress:
    """One moment of a run.

    Attributes:
        stage: `read`, `unwrap`, `trace`, `solve`, `bake`, `measure` or `write`; `render` or `encode` of pictures.
        step, steps: steps done and steps in all, of this stage; 0 of 0 where a stage has no steps.
        loss: the objective's latest value, in the `solve` stage.
        seconds_left: an estimate or None: in the `solve` stage to the end of the run, else to the end of the stage.
        message: something people should know, or "".
        style, content, structure: the objective's terms, unweighted, where they are known (see `optimize.loop.Terms`).
        frames_a_minute: of a film, lately.
        paint: hands out the paint as it stands, at the resolution it is solved at: per atlas (h, w, 3) sRGB 0..1, or
            one flat picture (h, w, 4) as it would be written.
            To be called while the callback runs, or not at all.
    """

    stage: str
    step: int = 0
    steps: int = 0
    loss: float | None = None
    seconds_left: float | None = None
    message: str = ""
    style: float | None = None
    content: float | None = None
    structure: float | None = None
    frames_a_minute: float | None = None
    paint: Callable[[], Sequence[np.ndarray]] | None = field(default=None, compare=False, repr=False)


ProgressCallback = Callable[[Progress], None]


def ignore(_: Progress) -> None:
    """The callback of someone who does not want to know."""
