"""What became of each material's picture, by part and in words."""

from __future__ import annotations

from dataclasses import dataclass

from .bake.painted_share import SeenParts
from .io.types import Asset

MOSTLY = 0.5  # of what can be seen of a material, below which it is told that views painted no more
PICTURE = 0.04  # contrast of luminance (0..1) from which a material's image is a picture that can be lost
LOST = 0.2  # correlation with the original's luminance below which it is


@dataclass(frozen=True)
class SeenReport:
    """A material (all of its parts) or a part: how much of what a viewer can come to see of it was painted.

    Attributes:
        name: of the material or the part.
        painted: share, by texels; the rest keeps the original's picture in the painting's colours.
        likeness: correlation of the luminance with the original's, in blocks of 4 texels; None: it is of one colour.
    """

    name: str
    painted: float
    likeness: float | None


@dataclass(frozen=True)
class SeenModel:
    """What was painted by material and by part, and a sentence for each picture that has suffered."""

    materials: tuple[SeenReport, ...] = ()
    parts: tuple[SeenReport, ...] = ()
    warnings: tuple[str, ...] = ()


def seen_model(asset: Asset, seen: SeenParts | None) -> SeenModel:
    """Put what was counted into words; None: nothing was painted."""
    if seen is None:
        return SeenModel()
    parts = [_report(part.name, seen, [number]) for number, part in enumerate(asset.parts)]
    materials, warnings = [], []
    for number, material in enumerate(asset.materials):
        own = [i for i, part in enumerate(asset.parts) if part.material == number]
        report = _report(material.name, seen, own)
        if report is None:
            continue
        materials.append(report)
        if material.image is not None:
            warnings += _warnings(report)
    return SeenModel(tuple(materials), tuple(p for p in parts if p is not None), tuple(warnings))


def _report(name: str, seen: SeenParts, parts: list[int]) -> SeenReport | None:
    share, likeness = seen.share(parts), seen.likeness(parts)
    if share is None or likeness is None:
        return None
    contrast, correlation = likeness
    return SeenReport(name, share, correlation if contrast >= PICTURE else None)


def _warnings(report: SeenReport) -> list[str]:
    if report.likeness is not None and report.likeness < LOST:
        return [
            f"Material {report.name!r} has lost its picture: the result's light and dark follow the original's by "
            f"{max(report.likeness, 0.0):.0%}."
        ]
    if report.painted < MOSTLY:
        return [
            f"Material {report.name!r}: views painted {report.painted:.0%} of what can come to be seen of it; "
            "the rest keeps its picture in the painting's colours."
        ]
    return []
