"""What a run made, and what one would make."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .seen import SeenReport
from .settings import Settings
from .solver.ladder import ViewsReport
from .surface.contract import AtlasPlan


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
