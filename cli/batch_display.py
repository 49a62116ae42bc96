"""What people see while a batch works: how many are done, failed and left, how fast it goes, and what goes wrong."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from meshstyle.batch.contract import BatchProgress, Outcome
from meshstyle.wording import escaped, message

from .display import about_file, duration, say
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


class BatchDisplay:
    """A callback that shows nothing but remembers the stage, and how many are done. The others build on it."""

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
        elif self.verbose:
            self.note(f"done: {outcome.job} in {duration(outcome.seconds)}")
            for warning in outcome.warnings:
                self.note(about_file(f"{outcome.job}: {warning}"))

    def show(self, progress: BatchProgress, changed: bool) -> None:
        """Show one record; `changed`: it is the first of its stage."""

    def note(self, text: str) -> None:
        """Say something that should stay on the screen."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class PlainBatchDisplay(BatchDisplay):
    """Lines for logs: one when something ended, but not more than one a minute."""

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

        self.bar: Bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<9}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[counts]}"),
            TextColumn("[dim]{task.fields[running]}[/dim]"),
            console=Console(file=stream),
            transient=True,
        )
        self.task = self.bar.add_task("starting", total=None, counts="", running="")

    def __enter__(self) -> BatchDisplay:
        self.bar.start()
        return self

    def show(self, progress: BatchProgress, changed: bool) -> None:
        self.bar.update(
            self.task,
            description=STAGES[progress.stage],
            total=progress.total or None,
            completed=progress.total - progress.left,
            counts=", ".join(_counts(progress)),
            running=_running(progress),
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


def _counts(progress: BatchProgress) -> list[str]:
    if not progress.total:
        return []
    if progress.stage == "watch":
        return [f"{progress.done} done", f"{progress.failed} failed"]
    if progress.stage != "run":
        return [f"{progress.done} of {progress.total}"]
    parts = [f"{progress.done} done", f"{progress.failed} failed", f"{progress.left} left"]
    if progress.earlier:
        parts.insert(0, f"{progress.earlier} done before")
    if progress.rate > 0:
        parts.append(f"{progress.rate:.3g} an hour")
    if progress.left and progress.seconds_left is not None:
        parts.append(f"{duration(progress.seconds_left)} left")
    return parts


def _running(progress: BatchProgress) -> str:
    """Names come from files: rich must not take them for its markup."""
    from rich.markup import escape

    names = [escaped(name) for name in progress.running[:_SHOWN]]
    more = len(progress.running) - len(names)
    return escape(", ".join(names) + (f" and {more} more" if more else ""))
