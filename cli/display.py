"""What people see while a command works (stderr), and the results programs read (stdout)."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from meshstyle.errors import OutputError
from meshstyle.text import duration, escaped, shortened

from . import own_process
from .options import Reporting

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from meshstyle.progress import Progress
    from meshstyle.results import PictureResult, Result

STAGES = {
    "read": "reading",
    "unwrap": "unwrapping",
    "trace": "placing views",
    "solve": "painting",
    "bake": "baking",
    "measure": "looking at the result",
    "write": "writing",
    "evaluate": "judging",
    "render": "drawing",
    "encode": "encoding",
}
_LONGEST = 300  # characters of a line about a file
_CELL, _TEXT = 60, 1000  # of a cell in a table's first column, and in its second
PLAIN_INTERVAL = 10.0  # seconds between lines where there is no terminal to redraw


def emit(text: str) -> None:
    """Write a result to stdout, its lines escaped. A reader that has gone away is no error; a full disk is."""
    try:
        sys.stdout.write("\n".join(map(escaped, text.split("\n"))) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # What Python flushes when it exits must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise OutputError(
            "standard output", f"it cannot be written ({error.strerror})", "Send it elsewhere."
        ) from error


def emit_json(value: Mapping[str, Any]) -> None:
    """Write one JSON object to stdout. JSON knows no infinity and no NaN: null stands for both."""
    emit(json.dumps(_plain(value), indent=2, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    return str(value)  # paths


def about_file(text: str) -> str:
    """A note that may hold texts from a file, at most 300 characters."""
    return shortened(escaped(f"note: {text}"), _LONGEST)


def say(text: str, stream: TextIO | None = None) -> None:
    """Write one line to stderr."""
    say_block(escaped(text) + "\n", stream)


def say_block(text: str, stream: TextIO | None = None) -> None:
    """Write text as it is to stderr. Where nobody listens any more, the work goes on."""
    stream = stream or sys.stderr
    with contextlib.suppress(OSError, ValueError):
        stream.write(text)
        stream.flush()


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Two columns, the first as wide as it must be."""
    shown = [(shortened(escaped(left), _CELL), shortened(escaped(right), _TEXT)) for left, right in rows]
    width = max((len(left) for left, _ in shown), default=0)
    return "\n".join(f"{left:<{width}}  {right}".rstrip() for left, right in shown)


def elapsed(seconds: float) -> str:
    """How long a run took, as the clock on the wall counts: from the beginning of the process, where that is the
    command's own. `seconds`: what the run itself counted."""
    if own_process.begun_for_one_command:
        import psutil  # 15 ms that only what ends with a time needs

        with contextlib.suppress(psutil.Error, OSError):  # of a system that does not tell
            seconds = max(seconds, time.time() - psutil.Process().create_time())
    return duration(seconds)


def texels(size: tuple[int, int]) -> str:
    """Width first, as people say it; everywhere else it is (height, width)."""
    return f"{size[1]} × {size[0]} texels"


class Display:
    """A progress callback that shows nothing but remembers the stage. The others build on it."""

    stage = ""

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, progress: Progress) -> None:
        changed = progress.stage != self.stage
        self.stage = progress.stage
        self.show(progress, changed)

    def show(self, progress: Progress, changed: bool) -> None:
        """Show one record; `changed`: it is the first of its stage."""

    def note(self, text: str) -> None:
        """Say something that should stay on the screen."""

    def warn(self, text: str) -> None:
        """Say something about a file, which may hold texts from it."""
        self.note(about_file(text))

    def close(self) -> None:
        """Leave the terminal as it was."""


SILENT = Display()


class PlainDisplay(Display):
    """Lines for logs and pipes: one per stage, and one every few seconds within a long stage.

    Reading goes without: what is wrong with a file then takes one line, and no other.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream, self.clock = stream, clock
        self.last = -math.inf

    def show(self, progress: Progress, changed: bool) -> None:
        now = self.clock()
        if progress.stage != "read" and (changed or now - self.last >= PLAIN_INTERVAL):
            self.last = now
            self.note(_line(progress))
        if progress.message:
            self.note(shortened(escaped(progress.message), _LONGEST))

    def note(self, text: str) -> None:
        say(text, self.stream)


def _line(progress: Progress) -> str:
    parts = [STAGES.get(progress.stage, progress.stage)]
    if progress.steps:
        unit = "step" if progress.frames_a_minute is None else "frame"
        parts.append(f"{unit} {progress.step} of {progress.steps}")
    parts += _details(progress)
    return ", ".join(parts)


def _details(progress: Progress) -> list[str]:
    parts = []
    if progress.loss is not None:
        parts.append(f"loss {progress.loss:.4g}")
    if progress.frames_a_minute:
        parts.append(f"{progress.frames_a_minute:.3g} frames a minute")
    if progress.seconds_left is not None and math.isfinite(progress.seconds_left):
        parts.append(f"{duration(progress.seconds_left)} left")
    return parts


class TerminalDisplay(Display):
    """One bar that is redrawn in place."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        self.bar: Bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<13}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[counter]}"),
            TextColumn("{task.fields[details]}"),
            console=Console(file=stream),
            transient=True,
        )
        self.task = self.bar.add_task("starting", total=None, counter="", details="")

    def __enter__(self) -> Display:
        self.bar.start()
        return self

    def show(self, progress: Progress, changed: bool) -> None:
        if progress.message:
            self.note(shortened(escaped(progress.message), _LONGEST))
        self.bar.update(
            self.task,
            description=STAGES.get(progress.stage, progress.stage),
            total=progress.steps or None,
            completed=progress.step,
            counter=f"{progress.step}/{progress.steps}" if progress.steps else "",
            details=", ".join(_details(progress)),
        )

    def note(self, text: str) -> None:
        self.bar.console.print(escaped(text), markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        self.bar.stop()


def show_outcome(result: Result | PictureResult, display: Display, reporting: Reporting) -> None:
    """What all runs tell of their results: the JSON where it was asked for, what was odd, and that it was stopped."""
    if reporting.json:
        emit_json(result.to_dict())
    if reporting.quiet:
        return
    for warning in result.warnings:
        display.warn(warning)
    if result.interrupted:
        display.note("interrupted: this is the best result so far")


def make_display(reporting: Reporting) -> Display:
    """A bar on a terminal, lines elsewhere, nothing where quiet was asked for."""
    if reporting.quiet:
        return Display()
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        return TerminalDisplay(sys.stderr)
    return PlainDisplay(sys.stderr)
