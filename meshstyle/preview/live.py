"""`--preview`: a page or a picture that follows a run.

Looking must not slow the painting: every look is timed, and the next one waits until all of them together stay below
`SHARE` of the time that has passed.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from ..asset.atomic import refuse_protected, write_all
from ..asset.contract import FromFiles
from ..asset.pictures import encode_png
from ..errors import MeshStyleError, OutputError, UsageError
from ..places import check_writable
from ..progress import Progress, ProgressCallback
from ..results import Result
from ..settings import Settings
from ..strength import paint_share
from .curves import curve
from .html import document, picture, text
from .page import Story, aside, direction, heading, write_page
from .painted import Looks

if TYPE_CHECKING:
    from ..pipeline import Painted, Scene

SUFFIXES = (".html", ".htm", ".png")
SHARE = 0.03  # of the run's time that looking may take
INTERVAL = 10.0  # seconds between two looks at the least
REFRESH = 5  # seconds after which a browser reads the page again
SIZE, RAYS = 224, 2  # pixels of a view's side, rays along a pixel's
_TURNS = (0.0, math.radians(120), math.radians(240))  # the views, around the model
_FIRST = 0.5  # seconds: what the first look is taken to cost, before one was timed


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

    def show(self, scene: Scene) -> None:
        """From here on there is something to look at. Raises OutputError where that would be written over."""

    def finish(self, painted: Painted, result: Result) -> Result:
        """The last look. Returns the result, with what went wrong among its warnings."""
        return result


class LivePreview(NoPreview):
    """A page or picture that is written again and again. What goes wrong with it after the start is a warning."""

    def __init__(
        self,
        output: Path,
        model: Path,
        style: Path,
        record: Mapping[str, Any],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Writes the first page. Raises UsageError, OutputError, PictureError.

        Args:
            record: of the run (see `pipeline.run_record`).
            clock: seconds.
        """
        self._output, self._model, self._record, self._clock = output, model, record, clock
        self._protected = (model, style)
        self._story = Story(record, style)
        self._settings = Settings.from_mapping(record["settings"])
        self._strength = self._settings.strength
        self._scene: Scene | None = None
        self._looks: Looks | None = None
        self._before: list[UInt8[np.ndarray, "S S 3"]] = []
        self._history: list[Progress] = []
        self._began = self._last = clock()
        self._spent, self._cost = 0.0, _FIRST
        self._once = 0.0  # seconds of the latest look that no later one will take
        self._problem = ""
        if not self._is_picture:
            self._write_page("starting", [], REFRESH)
            self._spent = clock() - self._began

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

    def show(self, scene: Scene) -> None:
        if isinstance(scene.asset, FromFiles):
            refuse_protected(self._output, scene.asset.sources)
        self._scene = scene

    def finish(self, painted: Painted, result: Result) -> Result:
        self._guarded(lambda: self._last_look(painted, result))
        warnings = (*result.warnings, self._problem) if self._problem else result.warnings
        return replace(result, warnings=warnings)

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
            and self._scene is not None
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
        views = self._views([np.asarray(image) for image in record.paint()])
        if self._is_picture:
            self._write_picture(views)
        else:
            self._write_page(f"painting, step {record.step} of {record.steps}", views, REFRESH)

    def _views(self, images: list[np.ndarray]) -> list[UInt8[np.ndarray, "S S 3"]]:
        """The paint from all sides, with what shows through of the original at that strength."""
        looks = self._set_up()
        share = paint_share(self._strength)
        views = looks.painted(images)
        if share == 1:
            return views
        pairs = zip(self._before, views, strict=True)
        return [np.rint(a + share * (b.astype(float) - a)).astype(np.uint8) for a, b in pairs]

    def _set_up(self) -> Looks:
        """Once: trace the views and draw the original."""
        assert self._scene is not None
        if self._looks is None:
            began = self._clock()
            sides = np.stack([direction(turn) for turn in _TURNS])
            self._looks = Looks(self._scene.asset, self._scene.surface, sides, SIZE, RAYS)
            self._before = self._looks.original()
            self._once = self._clock() - began
        return self._looks

    def _last_look(self, painted: Painted, result: Result) -> None:
        if not self._is_picture:
            figures = {
                "style loss": result.style_loss,
                "content loss": result.content_loss,
                "structure": result.structure,
                "views": result.views,
                "surface seen": f"{result.surface_seen:.1%}",
                "seconds": round(result.seconds, 1),
            }
            known = {name: value for name, value in figures.items() if value is not None}
            write_page(
                result.outputs[0],
                self._output,
                self._model,
                self._record,
                self._story.style,
                known,
                self._curves(),
            )
        elif self._settings.strength == 0:
            self._set_up()
            self._write_picture(self._before)
        else:
            self._strength = 1.0  # the images are finished
            images = [image[..., :3].astype(np.float32) / 255 for image in painted.images]
            self._write_picture(self._views(images))

    def _curves(self) -> str:
        """Of the objective and its terms."""
        one_view_a_step = self._settings.solver == "texture" and self._settings.optimizer_used == "adam"
        views = len(self._scene.placement.directions) if self._scene is not None else 1
        smooth = views if one_view_a_step else 1
        series = {
            "Objective": [record.loss for record in self._history],
            "Style loss": [record.style for record in self._history],
            "Content loss": [record.content for record in self._history],
            "Structure": [record.structure for record in self._history],
        }
        known = {title: [v for v in values if v is not None] for title, values in series.items()}
        return "".join(curve(title, v, smooth) for title, v in known.items() if any(v))

    def _write_page(self, state: str, views: list[np.ndarray], refresh: int | None) -> None:
        rows = [("before", self._before), ("now", views)] if views else []
        figures = "".join(_row(name, row) for name, row in rows)
        at = time.strftime("%H:%M:%S")
        body = (
            f"{heading(self._model.name, self._record)}<main><div class='views'>"
            f"<p><strong>{text(state)}</strong> ({at})</p>{figures}</div>"
            f"{aside(replace(self._story, curves=self._curves()))}</main>"
        )
        page = document(f"{self._model.name}: {state}", body, refresh=refresh)
        write_all({self._output: page.encode("utf-8")}, self._protected)

    def _write_picture(self, views: list[np.ndarray]) -> None:
        sheet = np.concatenate([np.concatenate(self._before, 1), np.concatenate(views, 1)], 0)
        write_all({self._output: encode_png(sheet)}, self._protected)


def _row(name: str, views: list[np.ndarray]) -> str:
    figures = [
        f"<figure>{picture(view, name)}<figcaption>{text(name)}</figcaption></figure>" for view in views
    ]
    return f'<div class="row">{"".join(figures)}</div>'


def open_preview(
    preview: str | Path | None, model: Path, output: Path, style: Path, record: Mapping[str, Any]
) -> NoPreview:
    """A preview at that place, tried before the run. Raises UsageError, OutputError."""
    if preview is None:
        return NoPreview()
    place = Path(preview)
    if place.suffix.lower() not in SUFFIXES:
        cause = "a preview is a page or a picture"
        raise UsageError(place, cause, f"End the name with one of: {', '.join(SUFFIXES)}.")
    if os.path.realpath(place) == os.path.realpath(output):
        raise UsageError(place, "the preview is the output", "Give another name.")
    if place.is_dir():
        raise OutputError(place, "this is a folder", "Give the name of a file that may be written.")
    refuse_protected(place, (model, style))
    check_writable(place)
    return LivePreview(place, model, style, record)
