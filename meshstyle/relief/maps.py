"""Relief: normals and roughness in which the strokes of finished paint stand out, as thick paint does.

The height of paint is its lightness within a band of sizes: what is finer than a pixel at viewing size is grain, what
is coarser than strokes is the picture. Its slope is taken in world units on the surface, so that strokes stand out
alike whatever the UVs, one-sided at the borders of charts, so that nothing from between them counts. Slopes are added
to those of the material's own normal map (both turned into the tangent space of the paint's UVs); ridges are smoother
than valleys, and paint as a whole is a little smoother than what it lies on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

from ..errors import UsageError
from ..io.types import Asset, ReliefMaps
from ..preview.scene.materials import PbrMaterial, read_pbr_materials
from ..strength import paint_share
from ..texture.gutter import add_gutters
from ..texture.seams import find_seams
from ..texture.types import Atlas, Surface
from ..views.cameras import DISTANCE, Frame, camera_towards_centre
from .height import from_within, slopes_of, stroke_height
from .own_maps import axes_of, read_own

VIEW = 768  # pixels of a view that frames the whole model: the size at which strokes are looked at
HEIGHT = 9.0  # pixels of such a view that white stands above black, at relief 1
STEEPEST = 1.0  # slope: 45°, which slopes approach
GLOSS, RIDGES = 0.3, 0.25  # how much smoother paint is, and ridges than valleys, at relief 1
RIDGE = 0.12  # lightness above its surroundings that makes a ridge
_ROUGHEST, _SMOOTHEST = 1.0, 0.08
_AT_ONCE = 1 << 19  # texels


def check_relief(output_suffix: str, relief: float) -> None:
    """Raises UsageError where the output cannot hold relief."""
    if relief > 0 and output_suffix.lower() == ".obj":
        raise UsageError(
            "relief", "OBJ files have no agreed place for normal maps", "Give an output that ends in .glb."
        )


def make_relief(
    asset: Asset,
    surface: Surface,
    images: Sequence[UInt8[np.ndarray, "_ _ _"]],
    relief: float,
    strengths: Sequence[Float32[np.ndarray, "_ _"]] | float = 1.0,
) -> tuple[ReliefMaps, ...]:
    """Maps for every painted image.

    Args:
        images: finished, as they are written.
        relief: 0..1, how much the strokes stand out.
        strengths: of the style; where there is none, nothing stands out.
    """
    materials = read_pbr_materials(asset)
    frame = Frame.of(surface.corners.reshape(-1, 3))
    chart = find_seams(surface).chart
    pixel = camera_towards_centre(np.array([0.0, 0.0, 1.0]), VIEW).pitch * DISTANCE * frame.radius
    found = []
    for number, (atlas, image) in enumerate(zip(surface.atlases, images, strict=True)):
        share = _share(strengths if isinstance(strengths, float) else strengths[number], atlas)
        found.append(_maps(asset, surface, (atlas, image, share), materials, (relief, pixel, chart)))
    return tuple(found)


def _maps(
    asset: Asset,
    surface: Surface,
    of: tuple[Atlas, UInt8[np.ndarray, "H W C"], Float32[np.ndarray, "H W"]],
    materials: Sequence[PbrMaterial],
    how: tuple[float, float, Int64[np.ndarray, "F"]],
) -> ReliefMaps:
    """Maps of one atlas.

    Args:
        of: the atlas, its image, and how much of each texel is paint.
        how: relief, the side of a pixel at viewing size in world units, and the chart of each triangle.
    """
    (atlas, image, share), (relief, pixel, chart) = of, how
    height, width = atlas.owner.shape
    step_u, step_v = _steps(surface, atlas)
    texel = _texel_side(surface, atlas, step_u, step_v)
    raised = stroke_height(image, atlas.covered, pixel / texel if texel > 0 else 1.0) * share
    chart_of = np.where(atlas.covered, chart[atlas.owner], -1)
    across, down = slopes_of(raised, chart_of)
    slopes = np.zeros((height, width, 2), np.float32)
    normal = np.zeros((height, width, 3), np.float32)
    normal[..., 2] = 1
    rough = np.zeros((height, width, 3), np.float32)
    rough[...] = (1, 1, 0)
    rows = np.flatnonzero(atlas.covered)
    parts = [rows[first : first + _AT_ONCE] for first in range(0, len(rows), _AT_ONCE)]
    for texels in parts:
        owner = atlas.owner.reshape(-1)[texels]
        change = np.stack([across.reshape(-1)[texels], down.reshape(-1)[texels]], axis=1)
        slope = _in_tangent_space(change, step_u[owner], step_v[owner]) * (HEIGHT * relief * pixel)
        steep = np.linalg.norm(slope, axis=1, keepdims=True)
        slopes.reshape(-1, 2)[texels] = slope * (
            np.tanh(steep / STEEPEST) * STEEPEST / np.maximum(steep, 1e-9)
        )
    slopes = from_within(slopes, chart_of)
    for texels in parts:
        own = read_own(asset, surface, atlas, materials, texels)
        both = slopes.reshape(-1, 2)[texels] + own.slopes
        vector = np.concatenate([-both, np.ones_like(both[:, :1])], axis=1)
        normal.reshape(-1, 3)[texels] = vector / np.linalg.norm(vector, axis=1, keepdims=True)
        ridge = np.clip(raised.reshape(-1)[texels] / RIDGE, -1, 1)
        smoother = relief * share.reshape(-1)[texels] * (GLOSS * own.roughness + RIDGES * ridge)
        limits = np.minimum(own.roughness, _SMOOTHEST), _ROUGHEST
        rough.reshape(-1, 3)[texels, 1] = np.clip(own.roughness - smoother, *limits)
        rough.reshape(-1, 3)[texels, 2] = own.metallic
    for values in (normal, rough):
        add_gutters(values, atlas.covered, atlas.wrap)
    up = np.clip(raised / (2 * RIDGE) + 0.5, 0, 1)
    return ReliefMaps(
        np.rint((np.clip(normal, -1, 1) + 1) * 127.5).astype(np.uint8),
        np.rint(np.clip(rough, 0, 1) * 255).astype(np.uint8),
        np.rint(up * 65535).astype(np.uint16),
    )


def _share(strength: Float32[np.ndarray, "H W"] | float, atlas: Atlas) -> Float32[np.ndarray, "H W"]:
    if isinstance(strength, float):
        return np.full(atlas.owner.shape, paint_share(strength), np.float32)
    values, places = np.unique(strength, return_inverse=True)
    return np.array([paint_share(float(value)) for value in values], np.float32)[
        places.reshape(strength.shape)
    ]


def _steps(surface: Surface, atlas: Atlas) -> tuple[Float64[np.ndarray, "F 3"], Float64[np.ndarray, "F 3"]]:
    """How far one texel along a row, and one down a column, goes on each triangle, in world space; 0 where its UVs have
    no area."""
    height, width = atlas.owner.shape
    uv = np.nan_to_num(surface.uv) * np.array([width, height])
    edge, step = surface.corners[:, 1:] - surface.corners[:, :1], uv[:, 1:] - uv[:, :1]
    area = step[:, 0, 0] * step[:, 1, 1] - step[:, 0, 1] * step[:, 1, 0]
    flat = np.abs(area) < 1e-12
    over = np.where(flat, 0.0, 1 / np.where(flat, 1.0, area))[:, None]
    along = (edge[:, 0] * step[:, 1, 1:] - edge[:, 1] * step[:, 0, 1:]) * over
    down = (edge[:, 1] * step[:, 0, :1] - edge[:, 0] * step[:, 1, :1]) * over
    return along, down


def _texel_side(
    surface: Surface, atlas: Atlas, along: Float64[np.ndarray, "F 3"], down: Float64[np.ndarray, "F 3"]
) -> float:
    """The side of a texel in world units: the median over the covered texels."""
    owners = atlas.owner[atlas.covered][:: max(1, atlas.covered.sum() // 65536)]
    sides = np.sqrt(np.linalg.norm(np.cross(along[owners], down[owners]), axis=1))
    return float(np.median(sides)) if len(sides) else 0.0


def _in_tangent_space(
    change: Float32[np.ndarray, "N 2"], along: Float64[np.ndarray, "N 3"], down: Float64[np.ndarray, "N 3"]
) -> Float64[np.ndarray, "N 2"]:
    """The gradient on the surface, per world unit, along tangent and bitangent, of what changes so much from texel to
    texel."""
    a, b, c = (along**2).sum(axis=1), (along * down).sum(axis=1), (down**2).sum(axis=1)
    area = a * c - b * b
    flat = area <= 1e-300
    area = np.where(flat, 1.0, area)
    x, y = change[:, 0].astype(np.float64), change[:, 1].astype(np.float64)
    gradient = along * ((c * x - b * y) / area)[:, None] + down * ((a * y - b * x) / area)[:, None]
    tangent, up = axes_of(along, down)
    found = np.stack([(gradient * tangent).sum(axis=1), (gradient * up).sum(axis=1)], axis=1)
    return np.where(flat[:, None], 0.0, found)
