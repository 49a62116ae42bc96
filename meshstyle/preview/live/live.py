"""`--preview`: a page or a picture that follows a run.

Looking must not slow the painting: every look is timed, and the next one waits until all of them together stay below
`SHARE` of the time that has passed.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from markupsafe import Markup

from ...errors import MeshStyleError, OutputError, UsageError
from ...io.atomic_write import refuse_protected, write_all
from ...io.images import encode_png
from ...output_path import check_writable, replacing
from ...progress import Progress, ProgressCallback
from ..page.curves import curve
from ..page.html import TEMPLATE, document, picture
from ..page.page import Story, aside, heading
from ..page.templates import macros

SUFFIXES = (".html", ".htm", ".png")
SHARE = 0.03  # of the run's time that looking may take
INTERVAL = 10.0  # seconds between two looks at the least
REFRESH = 5  # seconds after which a browser reads the page again
_FIRST = 0.5  # seconds: what the first look is taken to cost, before one was timed


Pictures = list[UInt8[np.ndarray, "h w 3"]]


@runtime_checkable
class Finished(Protocol):
    """What a run made: `results.Result` or `results.PictureResult`."""

    @property
    def warnings(self) -> tuple[str, ...]: ...


R = TypeVar("R", bound=Finished)
S = TypeVar("S")


@dataclass(frozen=True)
class Run:
    """What is known of a run before it begins.

    Attributes:
        sources: files that it reads, the model or photo first.
        output: what it will write.
        styles: the style pictures.
        record: what the output will remember (see `provenance.run_record`).
        root: folder above the model, from which its textures may be read as well.
    """

    sources: tuple[Path, ...]
    output: Path
    styles: tuple[Path, ...]
    record: Mapping[str, Any]
    root: str | None = None

    @property
    def name(self) -> str:
        """The name of the model or photo."""
        return self.sources[0].name

    @property
    def protected(self) -> tuple[Path, ...]:
        """What is never written over."""
        return (*self.sources, *self.styles)


class NoPreview:
    """What a run does that nobody looks at."""

    def __enter__(self) -> NoPreview:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The run is over."""

    def watching(self, progress: ProgressCallback) -> ProgressCallback:
        """A callback that also looks."""
        return progress

    def show(self, subject: Any) -> None:
        """Take what there is to look at from here on. Raises OutputError where that would be written over."""

    def finish(self, painted: Any, result: R) -> R:
        """The last look. Returns the result, with what went wrong among its warnings."""
        return result


class LivePreview(NoPreview, ABC, Generic[S]):
    """A page or picture that is written again and again. What goes wrong with it after the start is a warning.

    Kinds of it say how to draw their subject.
    """

    def __init__(self, output: Path, run: Run, clock: Callable[[], float] = time.monotonic) -> None:
        """Writes the first page. `clock`: seconds. Raises OutputError, PictureError."""
        self._output, self._run, self._clock = output, run, clock
        self._story = Story(run.record, run.styles)
        self._subject: S | None = None
        self._before: Pictures = []
        self._history: list[Progress] = []
        self._began = self._last = clock()
        self._spent, self._cost = 0.0, _FIRST
        self._once = 0.0  # seconds of the latest look that no later one will take
        self._problem = ""
        if not self._is_picture:
            self._write_page("starting", [], REFRESH)
            self._spent = clock() - self._began

    @abstractmethod
    def _draw_before(self, subject: S) -> Pictures:
        """What the run began with. Called once, before `_draw_now`."""

    @abstractmethod
    def _draw_now(self, paint: Sequence[np.ndarray]) -> Pictures:
        """The same with the paint as it stands (see `Progress.paint`)."""

    @abstractmethod
    def _draw_last(self, painted: Any) -> Pictures:
        """The same, of the finished result."""

    @abstractmethod
    def _write_last_page(self, painted: Any, result: Any, curves: Markup) -> None:
        """The page to hand over."""

    def _steps_of_a_round(self) -> int:
        """Steps that see the whole: what curves are averaged over."""
        return 1

    @property
    def _is_picture(self) -> bool:
        return self._output.suffix.lower() == ".png"

    def watching(self, progress: ProgressCallback) -> ProgressCallback:
        def watch(record: Progress) -> None:
            progress(record)
            if record.stage == "solve" and record.loss is not None:
                self._history.append(replace(record, paint=None))
            if self._may_look(record):
                self._guarded(lambda: self._look(record))
                if self._problem:
                    progress(replace(record, message=self._problem, paint=None))

        return watch

    def show(self, subject: S) -> None:
        self._subject = subject

    def finish(self, painted: Any, result: R) -> R:
        self._guarded(lambda: self._last_look(painted, result))
        warnings = (*result.warnings, self._problem) if self._problem else result.warnings
        return replace(result, warnings=warnings)  # type: ignore[type-var]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and not self._is_picture:
            self._guarded(lambda: self._write_page("stopped: nothing was written", [], None))

    def _may_look(self, record: Progress) -> bool:
        now = self._clock()
        return (
            not self._problem
            and record.paint is not None
            and self._subject is not None
            and now - self._last >= INTERVAL
            and self._spent + self._cost <= SHARE * (now - self._began)
        )

    def _guarded(self, act: Callable[[], None]) -> None:
        """Whatever is wrong with a picture of the work must not end the work."""
        if self._problem:
            return
        began = self._clock()
        try:
            act()
        except MeshStyleError as error:
            self._problem = f"The preview {error.subject} was given up: {error.cause}."
        except Exception as error:
            self._problem = f"The preview was given up: {type(error).__name__}: {error}."
        self._last = self._clock()
        self._spent += self._last - began
        self._cost, self._once = self._last - began - self._once, 0.0

    def _look(self, record: Progress) -> None:
        assert record.paint is not None
        self._set_up()
        now = self._draw_now(record.paint())
        if self._is_picture:
            self._write_picture(now)
        else:
            self._write_page(f"painting, step {record.step} of {record.steps}", now, REFRESH)

    def _set_up(self) -> None:
        """Once: draw what the run began with."""
        assert self._subject is not None
        if not self._before:
            began = self._clock()
            self._before = self._draw_before(self._subject)
            self._once = self._clock() - began

    def _last_look(self, painted: Any, result: Any) -> None:
        if not self._is_picture:
            self._write_last_page(painted, result, self._curves())
        else:
            self._set_up()
            self._write_picture(self._draw_last(painted))

    def _curves(self) -> Markup:
        """Draw the curves of the objective and its terms."""
        series = {
            "Objective": [record.loss for record in self._history],
            "Style loss": [record.style for record in self._history],
            "Content loss": [record.content for record in self._history],
            "Structure": [record.structure for record in self._history],
        }
        known = {title: [v for v in values if v is not None] for title, values in series.items()}
        smooth = self._steps_of_a_round()
        return Markup("").join(curve(title, v, smooth) for title, v in known.items() if any(v))

    def _write_page(self, state: str, now: Pictures, refresh: int | None) -> None:
        before = [("before", picture(shown, "before")) for shown in self._before]
        after = [("now", picture(shown, "now")) for shown in now]
        rows = [] if not now else [[*before, *after]] if len(now) == 1 else [before, after]
        above = heading(self._run.name, self._run.record)
        beside = aside(replace(self._story, curves=self._curves()))
        body = macros(TEMPLATE).progress(above, state, time.strftime("%H:%M:%S"), rows, beside)
        page = document(f"{self._run.name}: {state}", body, refresh=refresh)
        write_all({self._output: page.encode("utf-8")}, self._run.protected)

    def _write_picture(self, now: Pictures) -> None:
        """Before beside now; where each has several pictures, above."""
        if len(now) == 1:
            sheet = np.concatenate([*self._before, *now], 1)
        else:
            sheet = np.concatenate([np.concatenate(self._before, 1), np.concatenate(now, 1)], 0)
        write_all({self._output: encode_png(sheet)}, self._run.protected)


def known_figures(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Those that there are."""
    return {name: value for name, value in figures.items() if value is not None}


def open_preview(
    preview: str | Path | None, run: Run, kind: Callable[[Path, Run], NoPreview], overwrite: bool = True
) -> NoPreview:
    """A preview of some kind at that place, tried before the run. Raises UsageError, OutputError."""
    if preview is None:
        return NoPreview()
    place = Path(preview)
    if place.suffix.lower() not in SUFFIXES:
        cause = "a preview is a page or a picture"
        raise UsageError(place, cause, f"End the name with one of: {', '.join(SUFFIXES)}.")
    if os.path.realpath(place) == os.path.realpath(run.output):
        raise UsageError(place, "the preview is the output", "Give another name.")
    if place.is_dir():
        raise OutputError(place, "this is a folder", "Give the name of a file that may be written.")
    refuse_protected(place, run.protected)
    replacing(place, overwrite)
    check_writable(place)
    return kind(place, run)
