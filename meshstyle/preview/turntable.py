"""Turntables and contact sheets: a model, or two in step, from all sides.

    result = turntable("out/spot.glb", "spot.gif", TurntableSettings(frames=36), compare="spot.obj")
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..asset import load_asset
from ..asset.atomic import write_all
from ..errors import AssetError, MeshStyleError, UsageError
from ..places import check_writable
from ..progress import Progress, ProgressCallback, ignore
from ..views.cameras import Frame
from . import films, sheets
from .backdrop import TRANSPARENT, Backdrop, Shadow
from .caster import Caster
from .choose import choose_renderer, make_renderer
from .orbit import Orbit, make_orbit
from .pose import Poser
from .scene import PreviewScene, Shape, moved
from .settings import TurntableSettings

_POSES_MEASURED, _POSES_SHADOWED = 24, 4
_LINE = 2  # half the width of a wipe's line, pixels
_SEPARATORS = ("/", "\\")


@dataclass(frozen=True)
class TurntablePlan:
    """What would be drawn.

    Attributes:
        size: width and height of a picture of the film, or of the whole sheet.
        frames, fps: of the film; of a sheet, frames are its pictures.
        renderer: that would draw.
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


class Model:
    """A model that turns, perhaps while an animation plays."""

    def __init__(self, path: Path, animation: str | None) -> None:
        """Raises AssetError, UsageError."""
        self.scene = PreviewScene(load_asset(path))
        self.poser = None if animation is None else Poser(self.scene.asset, animation)

    def shapes(self, part: float, seconds: float) -> tuple[Shape, ...]:
        """In the pose after part (0..1) of a film of so many seconds; the clip ends where it began."""
        if self.poser is None:
            return self.scene.shapes
        rounds = max(round(seconds / self.poser.seconds), 1) if self.poser.seconds > 0 else 1
        return self.scene.posed(self.poser.pose((part * rounds % 1.0) * self.poser.seconds))

    @property
    def moves(self) -> bool:
        return self.poser is not None


def turntable(
    model: str | Path,
    output: str | Path | None = None,
    settings: TurntableSettings | None = None,
    compare: str | Path | None = None,
    progress: ProgressCallback = ignore,
) -> TurntableResult:
    """Draw a model from all sides and write a film (.gif, .webp, .png, .mp4) or contact sheet (.png, .webp, .jpg).

    Args:
        output: None: `NAME.turntable.gif` or `NAME.sheet.png` beside the model.
        compare: another model, shown in step to the left of this one, or wiped over.

    Raises: UsageError, AssetError, PictureError, OutputError. Nothing is written then.
    """
    started = time.perf_counter()
    settings = settings or TurntableSettings()
    planned = plan_turntable(model, output, settings, compare)
    progress(Progress("read"))
    paths = [planned.model] if planned.compare is None else [planned.compare, planned.model]
    stage = Stage([Model(path, settings.animation) for path in paths], settings)
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


def plan_turntable(
    model: str | Path,
    output: str | Path | None = None,
    settings: TurntableSettings | None = None,
    compare: str | Path | None = None,
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
        films.check_kind(target.suffix.lower(), fps, settings.background == TRANSPARENT)
    elif settings.background == TRANSPARENT and target.suffix.lower() not in sheets.WITH_ALPHA:
        raise UsageError("background", "JPEG knows no transparency", "Write a .png, or choose a colour.")
    Backdrop(settings.background, (1, 1))  # it refuses what is no colour
    check_writable(target)
    renderer, notes = choose_renderer(settings.renderer)
    rows, columns = settings.grid or (1, 1)
    beside = 2 if compare is not None and not settings.wipe else 1
    return TurntablePlan(
        model=model,
        output=target,
        compare=None if compare is None else Path(compare),
        size=(width * beside * columns, height * rows),
        frames=count,
        fps=fps,
        renderer=renderer,
        warnings=notes,
    )


def _choose_output(model: Path, output: str | Path | None, settings: TurntableSettings) -> Path:
    """Where the result goes. Raises UsageError for suffixes that are no kind of film or sheet."""
    sheet = settings.sheet is not None
    usual = f"{model.stem}.sheet.png" if sheet else f"{model.stem}.turntable.gif"
    target = model.with_name(usual) if output is None else Path(output)
    if output is not None and (target.is_dir() or str(output).endswith(_SEPARATORS)):
        target = target / usual
    kinds = sheets.KINDS if sheet else films.KINDS
    suffix = target.suffix.lower()
    if suffix not in kinds:
        what = "contact sheet" if sheet else "film"
        cause = f"{suffix} is no kind of {what}" if suffix else "its name has no suffix"
        remedy = f"End the name with {', '.join(kinds[:-1])} or {kinds[-1]}."
        if not sheet and suffix in sheets.KINDS:
            remedy = "Add --sheet 2x4 for a contact sheet, or end the name with .gif."
        raise UsageError(target, cause, remedy)
    return target


@dataclass(frozen=True)
class Drawer:
    """What drew the pictures, and how long it took."""

    name: str
    device: str
    seconds: float
    notes: tuple[str, ...]


class Stage:
    """Models in one common space, with cameras, ground and background."""

    def __init__(self, models: Sequence[Model], settings: TurntableSettings) -> None:
        self.models, self.settings = models, settings
        self._count, self._fps = settings.timing
        self._seconds = self._count / self._fps
        self._frame, self._orbit, floor = self._measure()
        self._backdrop = Backdrop(settings.background, settings.shape)
        shadow = settings.shadow if settings.shadow is not None else not self._backdrop.transparent
        self._shadows = [self._shadow(model, floor) for model in models] if shadow else []

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(text for model in self.models for text in model.scene.asset.warnings))

    def draw(
        self, renderer: str, progress: ProgressCallback = ignore
    ) -> tuple[list[list[np.ndarray]], Drawer]:
        """One list of pictures for each model. OpenGL that fails on the way gives place to rays."""
        try:
            return self._draw(renderer, progress)
        except (MeshStyleError, MemoryError):
            raise
        except Exception as error:
            if renderer == "rays" or self.settings.renderer != "auto":
                raise
            pictures, drawer = self._draw("rays", progress)
            reason = " ".join(str(error).split())[:100] or type(error).__name__
            return pictures, replace(drawer, notes=(f"{renderer} failed ({reason}), so rays drew the pictures.",))

    def _draw(self, name: str, progress: ProgressCallback) -> tuple[list[list[np.ndarray]], Drawer]:
        pictures: list[list[np.ndarray]] = []
        device, spent, total = "", 0.0, self._count * len(self.models)
        for number, model in enumerate(self.models):
            renderer = make_renderer(name, model.scene, self.settings.shape, self.settings.unlit)
            try:
                device, drawn = renderer.device, []
                renderer.pose(self._placed(model, 0.0))
                renderer.draw(self._orbit.camera(0.0))  # compiles and uploads: that is part of starting up
                started = time.perf_counter()
                for k in range(self._count):
                    if model.moves:
                        renderer.pose(self._placed(model, k / self._count))
                    camera = self._orbit.camera(k / self._count)
                    shadow = self._shadows[number].seen(camera, self.settings.shape) if self._shadows else None
                    drawn.append(self._backdrop.compose(renderer.draw(camera), shadow))
                    done = number * self._count + k + 1
                    seconds = (time.perf_counter() - started + spent) / done
                    progress(Progress("render", done, total, seconds_left=seconds * (total - done)))
                spent += time.perf_counter() - started
            finally:
                renderer.close()
            pictures.append(drawn)
        return pictures, Drawer(name, device, spent, ())

    def _measure(self) -> tuple[Frame, Orbit, float]:
        """The common space of all models in all poses, the orbit around it, and the height of its floor."""
        low, high = np.full(3, np.inf), np.full(3, -np.inf)
        for model in self.models:
            for points in self._points(model):
                low, high = np.minimum(low, points.min(0)), np.maximum(high, points.max(0))
        centre, radius = (low + high) / 2, 0.0
        for model in self.models:
            for points in self._points(model):
                radius = max(radius, float(np.linalg.norm(points - centre, axis=1).max()))
        frame = Frame(centre, radius if radius > 0 else 1.0)
        points_ = (frame.normalise(points) for model in self.models for points in self._points(model))
        orbit = make_orbit(points_, math.radians(self.settings.elevation), self.settings.shape)
        return frame, orbit, float((low[1] - centre[1]) / frame.radius)

    def _points(self, model: Model) -> list[np.ndarray]:
        """The corners of a model, pose by pose."""
        poses = min(self._count, _POSES_MEASURED) if model.moves else 1
        return [
            np.concatenate([shape.corners.reshape(-1, 3) for shape in model.shapes(k / poses, self._seconds)])
            for k in range(poses)
        ]

    def _placed(self, model: Model, part: float) -> tuple[Shape, ...]:
        return moved(model.shapes(part, self._seconds), self._frame.centre, self._frame.radius)

    def _shadow(self, model: Model, floor: float) -> Shadow:
        poses = min(self._count, _POSES_SHADOWED) if model.moves else 1
        return Shadow([Caster(model.scene, self._placed(model, k / poses)) for k in range(poses)], floor)


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
        return sheets.encode_picture(sheets.arrange(pictures, *settings.grid), suffix, settings.lossless)
    return films.encode(films.Film(pictures, planned.fps), suffix, settings.lossless)
