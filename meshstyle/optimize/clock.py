"""How much longer a run takes, from what its steps have taken so far."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..config.model import Scale
from ..progress import Progress, ProgressCallback

FIRST = 5  # step from which on an estimate is told: the first ones load and compile
_RECENT = 24  # steps whose mean counts: how busy the machine is changes
# Pixels beside those of a view that a step, and preparing a scale, take as long as. Fitted to processor time on spot:
# steps of 0.11, 0.31, 0.55 and 1.93 s, preparations of 2.6, 4.5, 8.6 and 21 s, at 128, 256, 384 and 768 pixels.
_STEP_BESIDE, _SCALE_BESIDE = 135**2, 274**2
_MOST_OF_A_STEP = 1.2  # that preparing a view takes; what took longer at first was loading and compiling
_LOOK = 2.1  # steps of so many pixels that one look at the result takes, with the bake
_LOOK_SIZE = 768
MEASURED_VIEWS = 4  # of a result, by the run that made it, at the most
STEPS_A_LOOK = 64  # steps of painting for each of them: a preview is not kept waiting


class Clock:
    """Turns steps into progress records, with the time left of the whole run.

    A step's work is that of its pixels and some more, as is what is done once for each scale. What both take on the
    scale that is being painted says what they will take on the others.
    """

    def __init__(
        self,
        scales: Sequence[Scale],
        progress: ProgressCallback,
        pictures: int = 1,
        looks: int = 0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`pictures`: of each scale; `looks`: at the result, when the last step is done; `now`: seconds."""
        self._scales, self._progress, self._pictures, self._looks = scales, progress, pictures, looks
        self._steps = sum(scale.steps for scale in scales)
        self._now, self._latest = now, now()
        self._done = self._level = self._on_level = 0
        self._rates: deque[float] = deque(maxlen=_RECENT)  # seconds a pixel
        self._preparing = 0.0

    def tick(
        self,
        scale: Scale,
        loss: float,
        style: float | None = None,
        content: float | None = None,
        structure: float | None = None,
    ) -> None:
        """A step of a scale is done. All that is told beside: see `Progress`."""
        now = self._now()
        took, self._latest = now - self._latest, now
        self._done += 1
        self._on_level += 1
        while self._level < len(self._scales) - 1 and self._on_level > self._scales[self._level].steps:
            self._on_level -= self._scales[self._level].steps
            self._level += 1
        if self._on_level == 1:
            self._preparing = took
        else:
            self._rates.append(took / _work(scale.size, _STEP_BESIDE))
        record = Progress("solve", self._done, self._steps, loss, self._left())
        self._progress(replace(record, style=style, content=content, structure=structure))

    def _left(self) -> float | None:
        """Seconds; None as long as nobody can know."""
        if self._done < FIRST and self._done < self._steps:
            return None
        here, later = self._scales[self._level], self._scales[self._level + 1 :]
        rates = [*self._rates] or [self._preparing / (1 + self._pictures) / _work(here.size, _STEP_BESIDE)]
        rate = sum(rates) / len(rates)
        step = rate * _work(here.size, _STEP_BESIDE)
        preparing = min(max(self._preparing - step, 0.0), _MOST_OF_A_STEP * self._pictures * step)
        ahead = (here.steps - self._on_level) * _work(here.size, _STEP_BESIDE)
        ahead += sum(scale.steps * _work(scale.size, _STEP_BESIDE) for scale in later)
        ahead += self._looks * _LOOK * _work(_LOOK_SIZE, _STEP_BESIDE)
        scales = sum(_work(scale.size, _SCALE_BESIDE) for scale in later) / _work(here.size, _SCALE_BESIDE)
        return rate * ahead + preparing * scales


def _work(size: int, beside: int) -> float:
    return float(size**2 + beside)


def views_to_measure(steps: int) -> int:
    """How many views of its result a run looks at, after so many steps: a look costs as much as a few of them, and
    short runs get fewer, or none."""
    return min(MEASURED_VIEWS, steps // STEPS_A_LOOK)
