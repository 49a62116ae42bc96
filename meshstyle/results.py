"""What a run made, and what one would make."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .bake.painted_share import SeenParts
from .config.image import PictureSettings
from .config.model import Settings
from .io.types import PaintedPart, ReliefMaps
from .optimize.multiscale import Solution, ViewsReport
from .seen_report import SeenReport
from .texture.types import Atlas, AtlasPlan


@dataclass(frozen=True)
class AtlasReport:
    """One painted image: its name, (height, width), whether its UVs are new, why, and the share that was filled."""

    name: str
    size: tuple[int, int]
    unwrapped: bool
    reason: str
    filled: float


@dataclass(frozen=True)
class Result:
    """What a run made and how it went.

    Attributes:
        outputs: the files written, the model first.
        settings: what it was made with; `style` by what picture.
        seconds: wall time.
        style_loss: style at viewing size, on the scale of `evaluate`, from a few views that were not painted from;
            where that was not done (`judged` False: drafts, other short runs and interrupted ones) the training views'
            own, at their size. None without a step.
        structure: correlation of luminance with the original's, likewise; None where there is nothing to compare.
        content_loss: mean over the training views of the last scale that looked at it; None without a weight.
        surface_seen: share of the area visible from outside that some view saw well.
        surface_visible: share of the painted area that is visible from outside.
        views: how many were used; `close_ups`: beside them, for detail.
        coverage: share of the painted atlases' texels that a view painted; the others keep the original's picture in
            the painting's colours.
        atlases: the images painted.
        warnings: what was odd and how it was taken.
        agreement: of the views, with the views' solver.
        interrupted: stopped early; the outputs hold the best so far.
        judged: whether `style_loss` and `structure` are on the scale of `evaluate`.
        materials, parts: how much of each was painted.
    """

    outputs: tuple[Path, ...]
    settings: Settings
    style: str
    seconds: float
    style_loss: float | None
    content_loss: float | None
    structure: float | None
    surface_seen: float
    surface_visible: float
    views: int
    coverage: float
    atlases: tuple[AtlasReport, ...]
    warnings: tuple[str, ...]
    agreement: ViewsReport | None = None
    close_ups: int = 0
    interrupted: bool = False
    judged: bool = False
    materials: tuple[SeenReport, ...] = ()
    parts: tuple[SeenReport, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        found = asdict(self)
        found["outputs"] = [str(path) for path in self.outputs]
        found["settings"] = self.settings.to_dict()
        return found


@dataclass(frozen=True)
class Plan:
    """What a run would do."""

    model: Path
    style: str
    output: Path
    settings: Settings
    atlases: tuple[AtlasPlan, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "model": str(self.model),
            "style": self.style,
            "output": str(self.output),
            "settings": self.settings.to_dict(),
            "scales": [asdict(scale) for scale in self.settings.scales],
            "views": self.settings.view_count,
            "atlases": [asdict(atlas) for atlas in self.atlases],
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class Figures:
    """Figures of a result, from a few views of 768 pixels.

    Attributes:
        style: style at viewing size (see `viewing`); lower is better.
        structure: correlation of luminance with the original's views, −1..1; NaN where nothing can be compared.
    """

    style: float
    structure: float


@dataclass(frozen=True, eq=False)
class PaintedModel:
    """One painting of a scene: what is to be written, and how it came about.

    Attributes:
        atlases: the images painted: those of the surface, but for strength 0, which leaves kept UVs' alone.
        images: one for each of them; `parts`: what reads them (see `Paint.parts`).
        filled: per image, the share of covered texels that no view saw; `seen`: the same by part.
        figures: of the result; None after an interruption, and of runs too short for a look.
    """

    atlases: tuple[Atlas, ...]
    images: tuple[np.ndarray, ...]
    parts: tuple[PaintedPart | None, ...]
    filled: tuple[float, ...]
    solution: Solution
    seen: SeenParts | None = None
    figures: Figures | None = None
    relief: tuple[ReliefMaps, ...] = ()


@dataclass(frozen=True)
class PicturePlan:
    """What a run would do. `size`: of the result, (height, width)."""

    photo: Path
    styles: tuple[str, ...]
    output: Path
    size: tuple[int, int]
    settings: PictureSettings
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "photo": str(self.photo),
            "styles": list(self.styles),
            "output": str(self.output),
            "size": list(self.size),
            "settings": self.settings.to_dict(),
            "scales": [asdict(scale) for scale in self.settings.scales],
            "optimizer": self.settings.optimizer_used,
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class PictureResult:
    """What a run made and how it went.

    Attributes:
        outputs: the files written, the result first, then intermediate ones.
        size: of the result, (height, width).
        settings: what it was made with; `styles` by what pictures.
        seconds: wall time.
        style_loss, content_loss, structure: at the end; None without a step. `structure` is None where it had no
            weight.
        warnings: what was odd and how it was taken.
        interrupted: stopped early; the output holds the best so far.
    """

    outputs: tuple[Path, ...]
    size: tuple[int, int]
    settings: PictureSettings
    styles: tuple[str, ...]
    seconds: float
    style_loss: float | None
    content_loss: float | None
    structure: float | None
    warnings: tuple[str, ...]
    interrupted: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        found = asdict(self)
        found["outputs"] = [str(path) for path in self.outputs]
        found["settings"] = self.settings.to_dict()
        return found
