"""What a model holds, how fit its UVs are for painting, and what `stylize` would do with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .config.model import Settings
from .io.load import load_asset
from .io.types import Asset, Part
from .texture.plan import plan_atlases
from .texture.types import AtlasPlan


@dataclass(frozen=True)
class PartInfo:
    """Triangles with one material.

    Attributes:
        name, material: as in the asset.
        triangles: of one instance.
        instances: how often the file shows them.
        has_uv, has_colours, has_normals: what its corners carry.
    """

    name: str
    material: str
    triangles: int
    instances: int
    has_uv: bool
    has_colours: bool
    has_normals: bool


@dataclass(frozen=True)
class MaterialInfo:
    """A material's base colour.

    Attributes:
        factor: linear RGBA, 0..1.
        texture: name of its image, or None.
        texture_size: height and width of that image in texels, or None.
    """

    name: str
    factor: tuple[float, float, float, float]
    texture: str | None
    texture_size: tuple[int, int] | None
    alpha_mode: str
    double_sided: bool


@dataclass(frozen=True)
class UVInfo:
    """How fit UVs are, as in `meshstyle.texture.types.UVHealth`. Shares are 0..1."""

    overlap: float
    zero_area: float
    coverage: float
    low: tuple[float, float]
    high: tuple[float, float]


@dataclass(frozen=True)
class AtlasInfo:
    """What `stylize` would do with one image.

    Attributes:
        name: of the image that would be written.
        size: its height and width in texels.
        materials: names of the materials painted into it.
        unwrap: whether it would get fresh UVs.
        reason: why, as a sentence.
        uv: how fit the UVs are that the model has now; None where it has none.
    """

    name: str
    size: tuple[int, int]
    materials: tuple[str, ...]
    unwrap: bool
    reason: str
    uv: UVInfo | None


@dataclass(frozen=True)
class ModelInfo:
    """A model, described.

    Attributes:
        path, kind: the file, and "glTF", "GLB" or "OBJ".
        triangles: in all, every instance counted.
        extent: of the bounding box in the file's units, along x, y and z.
        parts, materials: in the file's order.
        atlases: what `stylize` would paint.
        warnings: what is odd in the file and how it is taken.
        record: what an earlier run of meshstyle left in the file, or None.
    """

    path: Path
    kind: str
    triangles: int
    extent: tuple[float, float, float]
    parts: tuple[PartInfo, ...]
    materials: tuple[MaterialInfo, ...]
    atlases: tuple[AtlasInfo, ...]
    warnings: tuple[str, ...]
    record: Mapping[str, Any] | None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {**asdict(self), "path": str(self.path), "record": dict(self.record) if self.record else None}


def describe(path: str | Path, settings: Settings | None = None) -> ModelInfo:
    """Describe a model, and what `stylize` would do with these settings.

    Raises: AssetError for a model that cannot be used; PictureError for a damaged texture.
    """
    settings = settings or Settings()
    asset = load_asset(Path(path), settings.root)
    plans = plan_atlases(asset, settings)
    return ModelInfo(
        path=Path(path),
        kind=asset.kind,
        triangles=sum(part.corners.shape[0] * part.corners.shape[1] for part in asset.parts),
        extent=_extent(asset),
        parts=tuple(_part(part, asset) for part in asset.parts),
        materials=tuple(_material(asset, index) for index in range(len(asset.materials))),
        atlases=tuple(_atlas(plan, asset) for plan in plans),
        warnings=asset.warnings,
        record=asset.record,
    )


def _extent(asset: Asset) -> tuple[float, float, float]:
    corners = [part.corners.reshape(-1, 3) for part in asset.parts if part.corners.size]
    if not corners:
        return (0.0, 0.0, 0.0)
    low = np.min([each.min(0) for each in corners], axis=0)
    high = np.max([each.max(0) for each in corners], axis=0)
    x, y, z = (high - low).tolist()
    return (x, y, z)


def _part(part: Part, asset: Asset) -> PartInfo:
    return PartInfo(
        name=part.name,
        material=asset.materials[part.material].name,
        triangles=part.corners.shape[1],
        instances=part.corners.shape[0],
        has_uv=part.uv is not None,
        has_colours=part.colours is not None,
        has_normals=part.normals is not None,
    )


def _material(asset: Asset, index: int) -> MaterialInfo:
    material = asset.materials[index]
    image = material.image
    return MaterialInfo(
        name=material.name,
        factor=material.factor,
        texture=None if image is None else asset.image_name(image),
        texture_size=None if image is None else asset.image_size(image),
        alpha_mode=material.alpha_mode,
        double_sided=material.double_sided,
    )


def _atlas(plan: AtlasPlan, asset: Asset) -> AtlasInfo:
    health = plan.health
    return AtlasInfo(
        name=plan.name,
        size=plan.size,
        materials=tuple(asset.materials[index].name for index in plan.materials),
        unwrap=plan.unwrap,
        reason=plan.reason,
        uv=None
        if health is None
        else UVInfo(health.overlap, health.zero_area, health.coverage, health.low, health.high),
    )
