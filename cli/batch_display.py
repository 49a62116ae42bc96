"""What people see of a batch while it runs: how many are done, have failed, are left; the rate, the time left."""

from __future__ import annotations

import math
from collections.abc import Iterator

from meshstyle.batch.contract import BatchProgress, JobState, Outcome
from meshstyle.wording import duration

from .display import Display, TerminalDisplay

STAGES = {
    "look": "looking at models",
    "measure": "measuring",
    "run": "painting",
    "draw": "drawing",
    "watch": "watching",
}
_NAMED = 2  # models that are named while they are worked on


class BatchDisplay:
    """A batch's callback that shows its records on a display; failures and messages stay on the screen.

    So does a line for each model that is done, where lines are all there is, or where they were asked for.
    """

    def __init__(self, display: Display, verbose: bool = False) -> None:
        self._display = display
        self._tells_all = verbose or not isinstance(display, TerminalDisplay)
        self._stage = ""

    def __call__(self, record: BatchProgress) -> None:
        for line in self._lines(record):
            self._display.note(line)
        changed, self._stage = record.stage != self._stage, record.stage
        ended = record.done + record.failed + record.earlier
        what = STAGES.get(record.stage, record.stage)
        self._display.put(what, (ended, record.total), list(_details(record)), changed)

    def _lines(self, record: BatchProgress) -> Iterator[str]:
        outcome = record.finished
        if outcome is not None and outcome.failure is not None:
            yield f"failed: {outcome.failure}"
        elif outcome is not None and not outcome.earlier and self._tells_all:
            yield _done(outcome)
        if record.message:
            yield record.message


def _done(outcome: Outcome) -> str:
    assert outcome.state is JobState.DONE
    figures = outcome.figures
    told = [
        f"{name.replace('_', ' ')} {figures[name]:{form}}"
        for name, form in (("style_loss", ".3f"), ("structure", ".2f"))
        if name in figures
    ]
    warnings = [f"{len(outcome.warnings)} notes"] if outcome.warnings else []
    return f"done: {outcome.job} in {', '.join([duration(outcome.seconds), *told, *warnings])}"


def _details(record: BatchProgress) -> Iterator[str]:
    if record.failed:
        yield f"{record.failed} failed"
    if record.stage == "run":
        yield f"{record.left} left"
        if record.done + record.failed:
            yield f"{record.rate:.3g} an hour"
    if record.seconds_left is not None and math.isfinite(record.seconds_left) and record.left:
        yield f"{duration(record.seconds_left)} to go"
    if record.running:
        more = len(record.running) - _NAMED
        yield "now " + ", ".join(record.running[:_NAMED]) + (f" and {more} more" if more > 0 else "")
