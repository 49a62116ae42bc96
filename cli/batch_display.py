"""What people see while a batch works: how many are done, failed and left, how fast it goes, and what goes wrong."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from meshstyle.batch.types import BatchProgress, Outcome
from meshstyle.text import duration, escaped, message, rate, shortened

from .display import about_file, say
from .options import Reporting

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

STAGES = {
    "look": "looking",
    "measure": "measuring",
    "run": "painting",
    "draw": "drawing",
    "watch": "watching",
}
PLAIN_INTERVAL = 60.0  # seconds between lines where there is no terminal to redraw
_SHOWN = 2  # names of models being painted
_BAR = 16  # characters of the bar
_BESIDE = 2 + 10 + _BAR + 2  # characters of a line that the other columns take
_LEAST_NAMES = 24  # characters for names, or none are shown


class BatchDisplay:
    """A callback that shows nothing but remembers the stage, and how many are done. The others build on it."""

    every = False  # whether each model that is done gets a line

    def __init__(self, verbose: bool = False) -> None:
        self.verbose = verbose
        self.stage, self.done = "", 0

    def __enter__(self) -> BatchDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, progress: BatchProgress) -> None:
        changed, self.stage = progress.stage != self.stage, progress.stage
        if progress.stage == "run":
            self.done = progress.done
        if progress.message:
            self.note(progress.message)
        if progress.finished is not None:
            self._tell(progress.finished)
        self.show(progress, changed)

    def _tell(self, outcome: Outcome) -> None:
        if outcome.failure is not None:
            failure = outcome.failure
            self.note(f"failed: {message(outcome.job, failure.cause, failure.remedy)}")
            return
        if self.every or self.verbose:
            self.note(f"done: {outcome.job} in {duration(outcome.seconds)}")
        if self.verbose:
            for warning in outcome.warnings:
                self.note(about_file(f"{outcome.job}: {warning}"))

    def show(self, progress: BatchProgress, changed: bool) -> None:
        """Show one record; `changed`: it is the first of its stage."""

    def note(self, text: str) -> None:
        """Say something that should stay on the screen."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class PlainBatchDisplay(BatchDisplay):
    """Lines for logs: one for each model that ended, and what is left, but not more than once a minute."""

    every = True

    def __init__(
        self, stream: TextIO, verbose: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(verbose)
        self.stream, self.clock = stream, clock
        self._last = -math.inf

    def show(self, progress: BatchProgress, changed: bool) -> None:
        now = self.clock()
        if changed or now - self._last >= PLAIN_INTERVAL:
            self._last = now
            self.note(", ".join(filter(None, [STAGES[progress.stage], *_counts(progress)])))

    def note(self, text: str) -> None:
        say(text, self.stream)


class TerminalBatchDisplay(BatchDisplay):
    """One bar that is redrawn in place."""

    def __init__(self, stream: TextIO, verbose: bool = False) -> None:
        super().__init__(verbose)
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
        from rich.table import Column

        self.bar: Bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<9}"),
            BarColumn(bar_width=_BAR),
            TextColumn("{task.fields[counts]}", table_column=Column(no_wrap=True)),
            TextColumn("[dim]{task.fields[running]}[/dim]", table_column=Column(no_wrap=True)),
            console=Console(file=stream),
            transient=True,
        )
        self.task = self.bar.add_task("starting", total=None, counts="", running="")

    def __enter__(self) -> BatchDisplay:
        self.bar.start()
        return self

    def show(self, progress: BatchProgress, changed: bool) -> None:
        room = self.bar.console.width - _BESIDE
        texts = [", ".join(_counts(progress, without)) for without in range(3)]
        counts = next((text for text in texts if len(text) <= room), texts[-1])
        self.bar.update(
            self.task,
            description=STAGES[progress.stage],
            total=progress.total or None,
            completed=progress.total - progress.left,
            counts=counts,
            running=_running(progress, room - len(counts) - 1),
        )

    def note(self, text: str) -> None:
        self.bar.console.print(escaped(text), markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        self.bar.stop()


def make_batch_display(reporting: Reporting) -> BatchDisplay:
    """A bar on a terminal, lines elsewhere, nothing where quiet was asked for."""
    if reporting.quiet:
        return BatchDisplay()
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        return TerminalBatchDisplay(sys.stderr, reporting.verbose)
    return PlainBatchDisplay(sys.stderr, reporting.verbose)


def _counts(progress: BatchProgress, without: int = 0) -> list[str]:
    """What is done, failed and is left. A narrow terminal has no room for what was done before (`without` 1 and more),
    nor for the rate (2)."""
    if not progress.total:
        return []
    if progress.stage == "watch":
        return [f"{progress.done} done", f"{progress.failed} failed"]
    if progress.stage != "run":
        return [f"{progress.done} of {progress.total}"]
    parts = [f"{progress.done} done", f"{progress.failed} failed", f"{progress.left} left"]
    if progress.earlier and without < 1:
        parts.insert(0, f"{progress.earlier} done before")
    if progress.rate > 0 and without < 2:
        parts.append(rate(progress.rate))
    if progress.left and progress.seconds_left is not None:
        parts.append(f"{duration(progress.seconds_left)} left")
    return parts


def _running(progress: BatchProgress, room: int) -> str:
    """In so many characters. Names come from files: rich must not take them for its markup."""
    from rich.markup import escape

    names = [escaped(name) for name in progress.running[:_SHOWN]]
    more = len(progress.running) - len(names)
    told = ", ".join(names) + (f" and {more} more" if more else "")
    return escape(shortened(told, room)) if room >= _LEAST_NAMES else ""
