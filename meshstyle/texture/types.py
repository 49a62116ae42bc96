"""The surface: triangles in world space with the atlas texels they own.

Texel (row i, column j) of an H×W atlas is centred at u = (j + ½)/W, v = (i + ½)/H (origin top left).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, Int32, UInt8

from ..io.types import PaintedPart, Wrap


@dataclass(frozen=True, eq=False)
class UVHealth:
    """How fit UVs are for painting.

    Attributes:
        overlap: share of the covered texels that more than one surface point owns (instances of one mesh do
            not count: they share their paint).
        zero_area: share of the surface area without texels: triangles of no UV area, and what lies outside an image
            whose border is repeated.
        coverage: share of the atlas that is covered.
        low, high: the range of the UVs along u and v.
    """

    overlap: float
    zero_area: float
    coverage: float
    low: tuple[float, float]
    high: tuple[float, float]


@dataclass(frozen=True, eq=False)
class AtlasPlan:
    """What will be done with one atlas, and why.

    Attributes:
        name: of the image that will be written.
        materials: indices of the materials painted into it (they share one source image, or have none).
        parts: indices of the asset's parts painted into it.
        size: height and width in texels.
        unwrap: whether it gets fresh UVs.
        reason: one sentence for people.
        health: of the UVs the parts have; None where a part has none.
    """

    name: str
    materials: tuple[int, ...]
    parts: tuple[int, ...]
    size: tuple[int, int]
    unwrap: bool
    reason: str
    health: UVHealth | None


@dataclass(frozen=True, eq=False)
class Atlas:
    """One image to paint, before it is painted.

    Attributes:
        plan: how it came about.
        wrap: along u and v, for UVs outside 0..1.
        start: the colours the model has: sRGB 0..1, factor × vertex colour × image; gutters filled from
            charts.
        alpha: 0..1, of vertex colour × image (the factor's stays in the material), or None where it is 1
            throughout. Opaque materials have one too where the image does and its UVs are kept.
        owner: the triangle (index into the Surface) that owns a texel's centre, or the nearest one that
            touches the texel without holding its centre; -1: no triangle touches the texel.
        rest: sRGB bytes, the picture that the model has where no triangle touches it (other frames, other faces);
            None where there is none, or where it is of one colour.
    """

    plan: AtlasPlan
    wrap: tuple[Wrap, Wrap]
    start: Float32[np.ndarray, "H W 3"]
    alpha: Float32[np.ndarray, "H W"] | None
    owner: Int32[np.ndarray, "H W"]
    rest: UInt8[np.ndarray, "H W 3"] | None = None

    @property
    def covered(self) -> Bool[np.ndarray, "H W"]:
        """Texels that some triangle touches."""
        return self.owner >= 0


@dataclass(frozen=True, eq=False)
class AlphaMap:
    """An image's alpha, 0..1, and how it is read outside 0..1."""

    alpha: Float32[np.ndarray, "H W"]
    wrap: tuple[Wrap, Wrap]


@dataclass(frozen=True, eq=False)
class Opacity:
    """What stops a ray: sides and alpha, as viewers of glTF decide it.

    Attributes:
        front: 1 where a triangle's front is the side from which its corners run counter-clockwise, else -1.
        single: whether its back cannot be seen: rays pass it.
        hides_from: alpha (of the map) from which it hides what lies behind; infinite: it never does. 0: always.
        absent: triangles that no ray meets.
        map: which of `maps` its alpha comes from; -1: it is 1 throughout.
        uv: where in its map.
    """

    front: Int8[np.ndarray, "F"]
    single: Bool[np.ndarray, "F"]
    hides_from: Float32[np.ndarray, "F"]
    absent: Bool[np.ndarray, "F"]
    map: Int32[np.ndarray, "F"]
    uv: Float64[np.ndarray, "F 3 2"]
    maps: tuple[AlphaMap, ...]


@dataclass(frozen=True, eq=False)
class Surface:
    """All triangles of all instances, painted or not.

    Attributes:
        corners: world space.
        normals: unit shading normals: the file's, else smooth where faces meet at less than about 40 degrees.
        uv: effective, unwrapped where the plan says so; NaN where `atlas` is -1.
        atlas: index into `atlases`; -1: not painted (it only hides what lies behind).
        alpha_cutoff: texels whose `Atlas.alpha` is less are air; 0 where the material is opaque.
        part, triangle: where each came from: part of the asset, triangle of that part.
        atlases: what is to be painted.
        painted: per part of the asset, what goes back to the file; None: part not painted.
        opacity: what stops rays; None: every triangle does, but for its air.
    """

    corners: Float64[np.ndarray, "F 3 3"]
    normals: Float64[np.ndarray, "F 3 3"]
    uv: Float64[np.ndarray, "F 3 2"]
    atlas: Int32[np.ndarray, "F"]
    alpha_cutoff: Float32[np.ndarray, "F"]
    part: Int32[np.ndarray, "F"]
    triangle: Int32[np.ndarray, "F"]
    atlases: tuple[Atlas, ...]
    painted: tuple[PaintedPart | None, ...]
    opacity: Opacity | None = None
