"""Turntables and contact sheets: a model, or two in step, from all sides.

Example: `turntable("out/spot.glb", "spot.gif", TurntableSettings(frames=36), compare="spot.obj")`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import AssetError, UsageError
from ..io.atomic_write import write_all
from ..io.safe_paths import roots_for
from ..output_path import check_writable, replacing
from ..progress import Progress, ProgressCallback, ignore
from . import contact_sheet, film
from .draw.backdrop import TRANSPARENT, Backdrop
from .draw.choose import choose_renderer
from .stage import Model, Stage
from .turntable_settings import TurntableSettings

PAGE = ".html"
BROWSER = "browser"  # what draws a page
_LINE = 2  # half the width of a wipe's line, pixels
_SEPARATORS = ("/", "\\")


@dataclass(frozen=True)
class TurntablePlan:
    """What would be drawn.

    Attributes:
        size: width and height of a picture of the film, or of the whole sheet.
        frames, fps: of the film; of a sheet, frames are its pictures; 0 for a page.
        renderer: that would draw; "browser" for a page.
    """

    model: Path
    output: Path
    compare: Path | None
    size: tuple[int, int]
    frames: int
    fps: float
    renderer: str
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class TurntableResult:
    """What was drawn; see `TurntablePlan`.

    Attributes:
        output: the file.
        device: what the renderer drew with.
        ms_per_frame: milliseconds to draw and compose one picture of one model.
        seconds: of the whole run.
    """

    output: Path
    size: tuple[int, int]
    frames: int
    fps: float
    renderer: str
    device: str
    ms_per_frame: float
    seconds: float
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def turntable(
    model: str | Path,
    output: str | Path | None = None,
    settings: TurntableSettings | None = None,
    compare: str | Path | None = None,
    progress: ProgressCallback = ignore,
    overwrite: bool = True,
) -> TurntableResult:
    """Draw a model from all sides and write a film (.gif, .webp, .png, .mp4) or contact sheet (.png, .webp, .jpg).

    A name that ends in .html takes a page with a 3D viewer instead, which a browser draws.

    Args:
        output: None: `NAME.turntable.gif` or `NAME.sheet.png` beside the model.
        compare: another model, shown in step to the left of this one, or wiped over.
        overwrite: whether an output that is there already may be replaced; else OutputError.

    Raises: UsageError, AssetError, PictureError, OutputError. Nothing is written then.
    """
    started = time.perf_counter()
    settings = settings or TurntableSettings()
    planned = plan_turntable(model, output, settings, compare, overwrite)
    progress(Progress("read"))
    if planned.renderer == BROWSER:
        from .page.page import AZIMUTH, write_page  # loads torch

        eye = (AZIMUTH + math.radians(settings.start), math.radians(settings.elevation))
        write_page(planned.model, planned.output, planned.compare, eye=eye, root=settings.root)
        return _of_page(planned, time.perf_counter() - started)
    paths = [planned.model] if planned.compare is None else [planned.compare, planned.model]
    roots = roots_for(paths, settings.root)
    models = [Model(path, settings.animation, root) for path, root in zip(paths, roots, strict=True)]
    stage = Stage(models, settings)
    films_, drawer = stage.draw(planned.renderer, progress)
    progress(Progress("encode"))
    data = _encode(_joined(films_, settings), planned, settings)
    check_writable(planned.output)
    write_all({planned.output: data}, paths)
    return TurntableResult(
        output=planned.output,
        size=planned.size,
        frames=planned.frames,
        fps=planned.fps,
        renderer=drawer.name,
        device=drawer.device,
        ms_per_frame=drawer.seconds * 1000 / (planned.frames * len(paths)),
        seconds=time.perf_counter() - started,
        warnings=(*planned.warnings, *drawer.notes, *stage.warnings),
    )


def _of_page(planned: TurntablePlan, seconds: float) -> TurntableResult:
    return TurntableResult(
        output=planned.output,
        size=planned.size,
        frames=0,
        fps=0.0,
        renderer=BROWSER,
        device="",
        ms_per_frame=0.0,
        seconds=seconds,
        warnings=planned.warnings,
    )


def plan_turntable(
    model: str | Path,
    output: str | Path | None = None,
    settings: TurntableSettings | None = None,
    compare: str | Path | None = None,
    overwrite: bool = True,
) -> TurntablePlan:
    """Check everything that can be checked without reading the model. Raises as `turntable` does."""
    settings, model = settings or TurntableSettings(), Path(model)
    for path in (model, *([Path(compare)] if compare else [])):
        if not path.is_file():
            cause = "it is a folder" if path.is_dir() else "there is no such file"
            raise AssetError(path, cause, "Check the path.")
    if settings.wipe and compare is None:
        raise UsageError("wipe", "there is nothing to wipe over", "Give the other model with --compare.")
    target = _choose_output(model, output, settings)
    (count, fps), (height, width) = settings.timing, settings.shape
    if settings.sheet is None:
        film.check_kind(target.suffix.lower(), fps, settings.background == TRANSPARENT)
    elif settings.background == TRANSPARENT and target.suffix.lower() not in contact_sheet.WITH_ALPHA:
        raise UsageError("background", "JPEG knows no transparency", "Write a .png, or choose a colour.")
    Backdrop(settings.background, (1, 1))  # it refuses what is no colour
    replaced = replacing(target, overwrite)
    check_writable(target)
    page = target.suffix.lower() == PAGE
    if page and settings.animation is not None:
        raise UsageError(
            "animation", "pages show the model at rest", "Write a film, or leave the option out."
        )
    renderer, notes = (BROWSER, ()) if page else choose_renderer(settings.renderer)
    rows, columns = settings.grid or (1, 1)
    beside = 2 if compare is not None and not settings.wipe else 1
    return TurntablePlan(
        model=model,
        output=target,
        compare=None if compare is None else Path(compare),
        size=(width * beside * columns, height * rows),
        frames=0 if page else count,
        fps=0.0 if page else fps,
        renderer=renderer,
        warnings=(*notes, *replaced),
    )


def _choose_output(model: Path, output: str | Path | None, settings: TurntableSettings) -> Path:
    """Where the result goes. Raises UsageError for suffixes that are no kind of film or sheet."""
    sheet = settings.sheet is not None
    usual = f"{model.stem}.sheet.png" if sheet else f"{model.stem}.turntable.gif"
    target = model.with_name(usual) if output is None else Path(output)
    if output is not None and (target.is_dir() or str(output).endswith(_SEPARATORS)):
        target = target / usual
    kinds = contact_sheet.KINDS if sheet else (*film.KINDS, PAGE)
    suffix = target.suffix.lower()
    if suffix not in kinds:
        what = "contact sheet" if sheet else "film"
        cause = f"{suffix} is no kind of {what}" if suffix else "its name has no suffix"
        remedy = f"End the name with {', '.join(kinds[:-1])} or {kinds[-1]}."
        if not sheet and suffix in contact_sheet.KINDS:
            remedy = "Add --sheet 2x4 for a contact sheet, or end the name with .gif."
        raise UsageError(target, cause, remedy)
    return target


def _joined(pictures: list[list[np.ndarray]], settings: TurntableSettings) -> list[np.ndarray]:
    """One list of pictures: side by side, or wiped from one to the other and back."""
    if len(pictures) == 1:
        return pictures[0]
    before, after = pictures
    join: Callable[[int], np.ndarray]
    if settings.wipe:

        def join(k: int) -> np.ndarray:
            return wiped(before[k], after[k], 0.5 - 0.5 * math.cos(2 * math.pi * k / len(before)))
    else:

        def join(k: int) -> np.ndarray:
            return np.concatenate([before[k], after[k]], axis=1)

    return [join(k) for k in range(len(before))]


def wiped(before: np.ndarray, after: np.ndarray, part: float) -> np.ndarray:
    """`after` to the left of a line at `part` (0..1) of the width, `before` to its right."""
    width = before.shape[1]
    edge = round(part * width)
    result = before.copy()
    result[:, :edge] = after[:, :edge]
    if 0 < edge < width:
        result[:, max(edge - _LINE, 0) : edge + _LINE] = 255
    return result


def _encode(pictures: list[np.ndarray], planned: TurntablePlan, settings: TurntableSettings) -> bytes:
    suffix = planned.output.suffix.lower()
    if settings.grid is not None:
        return contact_sheet.encode_picture(
            contact_sheet.arrange(pictures, *settings.grid), suffix, settings.lossless
        )
    return film.encode(film.Film(pictures, planned.fps), suffix, settings.lossless)
