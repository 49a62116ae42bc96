"""The models on their stage: one common space, cameras, ground and background; and the drawing of all pictures."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import MeshStyleError
from ..io.load import load_asset
from ..progress import Progress, ProgressCallback, ignore
from ..views.cameras import Frame
from .draw.backdrop import Backdrop, Shadow
from .draw.choose import make_renderer
from .draw.ray_caster import Caster
from .orbit import Orbit, make_orbit
from .scene.animation import Poser
from .scene.scene import PreviewScene, Shape, moved
from .turntable_settings import TurntableSettings

_POSES_MEASURED, _POSES_SHADOWED = 24, 4


class Model:
    """A model that turns, perhaps while an animation plays."""

    def __init__(self, path: Path, animation: str | None, root: Path | None = None) -> None:
        """`root`: see `load_asset`. Raises AssetError, UsageError."""
        self.scene = PreviewScene(load_asset(path, root))
        self.poser = None if animation is None else Poser(self.scene.asset, animation)

    def shapes(self, part: float, seconds: float) -> tuple[Shape, ...]:
        """Return the shapes in the pose after part (0..1) of a film of so many seconds; the clip ends where it
        began."""
        if self.poser is None:
            return self.scene.shapes
        rounds = max(round(seconds / self.poser.seconds), 1) if self.poser.seconds > 0 else 1
        return self.scene.posed(self.poser.pose((part * rounds % 1.0) * self.poser.seconds))

    @property
    def moves(self) -> bool:
        return self.poser is not None


@dataclass(frozen=True)
class Drawer:
    """What drew the pictures, and how long it took: by the clock, and of all threads together."""

    name: str
    device: str
    seconds: float
    cpu_seconds: float
    notes: tuple[str, ...] = ()


class Stage:
    """Models in one common space, with cameras, ground and background."""

    def __init__(self, models: Sequence[Model], settings: TurntableSettings, start: float = 0.0) -> None:
        """`start`: the part of a turn, 0..1, that the first picture is taken after."""
        self.models, self.settings, self._start = models, settings, start
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
            return pictures, replace(
                drawer, notes=(f"{renderer} failed ({reason}), so rays drew the pictures.",)
            )

    def _draw(self, name: str, progress: ProgressCallback) -> tuple[list[list[np.ndarray]], Drawer]:
        pictures: list[list[np.ndarray]] = []
        device, spent, cpu, total = "", 0.0, 0.0, self._count * len(self.models)
        for number, model in enumerate(self.models):
            renderer = make_renderer(name, model.scene, self.settings.shape, self.settings.unlit)
            try:
                device, drawn = renderer.device, []
                renderer.pose(self._placed(model, 0.0))
                if name != "rays":
                    renderer.draw(
                        self._orbit.camera(0.0)
                    )  # compiles and uploads: that is part of starting up
                started, started_cpu = time.perf_counter(), time.process_time()
                for k in range(self._count):
                    if model.moves:
                        renderer.pose(self._placed(model, k / self._count))
                    camera = self._orbit.camera(self._start + k / self._count)
                    shadow = (
                        self._shadows[number].seen(camera, self.settings.shape) if self._shadows else None
                    )
                    drawn.append(self._backdrop.compose(renderer.draw(camera), shadow))
                    done = number * self._count + k + 1
                    seconds = (time.perf_counter() - started + spent) / done
                    progress(Progress("render", done, total, seconds_left=seconds * (total - done)))
                spent += time.perf_counter() - started
                cpu += time.process_time() - started_cpu
            finally:
                renderer.close()
            pictures.append(drawn)
        return pictures, Drawer(name, device, spent, cpu)

    def _measure(self) -> tuple[Frame, Orbit, float]:
        """The common space of all models in all poses, the orbit around it, and the height of its floor."""
        clouds = [points for model in self.models for points in self._points(model)]
        low = np.min([points.min(0) for points in clouds], axis=0)
        centre = (low + np.max([points.max(0) for points in clouds], axis=0)) / 2
        radius = max(float(np.linalg.norm(points - centre, axis=1).max()) for points in clouds)
        frame = Frame(centre, radius if radius > 0 else 1.0)
        placed = (frame.normalise(points) for points in clouds)
        elevation, start = math.radians(self.settings.elevation), math.radians(self.settings.start)
        orbit = make_orbit(placed, elevation, self.settings.shape, start)
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
