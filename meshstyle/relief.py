"""Relief: normals and roughness in which the strokes of finished paint stand out, as thick paint does.

The height of paint is its lightness within a band of sizes: what is finer than a pixel at viewing size is grain, what
is coarser than strokes is the picture. Its slope is taken in world units on the surface, so that strokes stand out
alike whatever the UVs, one-sided at the borders of charts, so that nothing from between them counts. Slopes are added
to those of the material's own normal map (both turned into the tangent space of the paint's UVs); ridges are smoother
than valleys, and paint as a whole is a little smoother than what it lies on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage
from jaxtyping import Bool, Float32, Float64, Int64, UInt8

from .errors import UsageError
from .io.types import Asset, ReliefMaps, Wrap
from .preview.scene.materials import PbrMaterial, TextureReference, read_pbr_materials
from .preview.scene.scene import part_uvs
from .srgb import LUMA
from .strength import paint_share
from .texture.gutter import add_gutters
from .texture.seams import find_seams
from .texture.texel_positions import texel_weights
from .texture.types import Atlas, Surface
from .views.cameras import DISTANCE, Frame, camera_towards_centre

VIEW = 768  # pixels of a view that frames the whole model: the size at which strokes are looked at
FINE, COARSE = 0.8, 9.0  # pixels of such a view: the band of sizes that strokes have
HEIGHT = 9.0  # pixels of such a view that white stands above black, at relief 1
STEEPEST = 1.0  # slope: 45°, which slopes approach
GLOSS, RIDGES = 0.3, 0.25  # how much smoother paint is, and ridges than valleys, at relief 1
RIDGE = 0.12  # lightness above its surroundings that makes a ridge
_ROUGHEST, _SMOOTHEST = 1.0, 0.08
_BORDER = 2  # texels from the border of a chart that are not looked at
_AT_ONCE = 1 << 19  # texels

Slopes = Float32[np.ndarray, "N 2"]


@dataclass(frozen=True, eq=False)
class _Own:
    """What a material has without relief, at some texels: slopes in the paint's tangent space, roughness, metalness."""

    slopes: Slopes
    roughness: Float32[np.ndarray, "N"]
    metallic: Float32[np.ndarray, "N"]


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


def stroke_height(
    image: UInt8[np.ndarray, "H W C"], covered: Bool[np.ndarray, "H W"], texels: float
) -> Float32[np.ndarray, "H W"]:
    """Lightness (0..1) of strokes above their surroundings; 0 where nothing is covered.

    `texels`: along the side of a pixel at viewing size.
    """
    light = (image[..., :3].astype(np.float32) / 255) @ np.array(LUMA, np.float32)
    fine, coarse = (_blurred(light, covered, max(size * texels, 0.5)) for size in (FINE, COARSE))
    found: Float32[np.ndarray, "H W"] = np.where(covered, fine - coarse, 0).astype(np.float32)
    return found


def slopes_of(
    height: Float32[np.ndarray, "H W"],
    chart: Int64[np.ndarray, "H W"],
) -> tuple[Float32[np.ndarray, "H W"], Float32[np.ndarray, "H W"]]:
    """How much the height grows from column to column and from row to row: central differences, one-sided where a
    neighbour is of another chart (−1: of none)."""
    found = []
    for axis in (1, 0):
        total, count = np.zeros_like(height), np.zeros_like(height)
        for side in (1, -1):
            near, near_chart = np.roll(height, -side, axis), np.roll(chart, -side, axis)
            same = (near_chart == chart) & (chart >= 0)
            edge = [slice(None), slice(None)]
            edge[axis] = slice(-1, None) if side == 1 else slice(0, 1)
            same[tuple(edge)] = False
            total += np.where(same, (near - height) * side, 0)
            count += same
        found.append((total / np.maximum(count, 1)).astype(np.float32))
    return found[0], found[1]


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
    slopes = _from_within(slopes, chart_of)
    for texels in parts:
        own = _own(asset, surface, atlas, materials, texels)
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


def _from_within(
    slopes: Float32[np.ndarray, "H W 2"], chart: Int64[np.ndarray, "H W"]
) -> Float32[np.ndarray, "H W 2"]:
    """Slopes of which those near the borders of charts are the nearest ones from within: on the border itself, texels
    hold what lies beside the chart too. Charts too narrow to have anything within are flat."""
    size = 2 * _BORDER + 1
    low, high = (
        extreme(chart, size) for extreme in (scipy.ndimage.minimum_filter, scipy.ndimage.maximum_filter)
    )
    inside = (low == high) & (chart >= 0)
    if not inside.any():
        return np.zeros_like(slopes)
    distance, near = scipy.ndimage.distance_transform_edt(~inside, return_indices=True)
    found: Float32[np.ndarray, "H W 2"] = slopes[tuple(near)]
    found[(distance > 2 * size) | (chart[tuple(near)] != chart)] = 0
    return found


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


def _axes(
    along: Float64[np.ndarray, "N 3"], down: Float64[np.ndarray, "N 3"]
) -> tuple[Float64[np.ndarray, "N 3"], Float64[np.ndarray, "N 3"]]:
    """Tangent and bitangent (up in the image) of triangles, perpendicular to each other."""
    tangent = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-30)
    up = -(down - tangent * (down * tangent).sum(axis=1, keepdims=True))
    return tangent, up / np.maximum(np.linalg.norm(up, axis=1, keepdims=True), 1e-30)


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
    tangent, up = _axes(along, down)
    found = np.stack([(gradient * tangent).sum(axis=1), (gradient * up).sum(axis=1)], axis=1)
    return np.where(flat[:, None], 0.0, found)


def _own(
    asset: Asset,
    surface: Surface,
    atlas: Atlas,
    materials: Sequence[PbrMaterial],
    texels: Int64[np.ndarray, "N"],
) -> _Own:
    """What the materials have there already, read through their own UVs."""
    owner, weights = texel_weights(surface, atlas, texels)
    count = len(texels)
    slopes = np.zeros((count, 2), np.float32)
    rough, metal = np.ones(count, np.float32), np.zeros(count, np.float32)
    part = surface.part[owner]
    for number in np.unique(part):
        rows = np.flatnonzero(part == number)
        material = materials[asset.parts[number].material]
        rough[rows], metal[rows] = material.roughness, material.metallic
        if not {"normal", "metal_rough"} & material.maps.keys():
            continue
        uvs = part_uvs(asset, int(number), material)
        triangle = surface.triangle[owner[rows]]
        for name in ("normal", "metal_rough"):
            reference = material.maps.get(name)
            uv = None if reference is None else uvs[reference.mapping]
            if reference is None or uv is None:
                continue
            found = _read(asset, reference, np.einsum("nk,nkc->nc", weights[rows], uv[triangle]))
            if name == "metal_rough":
                rough[rows] *= found[:, 1]
                metal[rows] *= found[:, 2]
                continue
            vector = found * 2 - 1
            tilt = -vector[:, :2] * material.normal_scale / np.maximum(vector[:, 2:], 0.05)
            slopes[rows] = _turned(surface, owner[rows], uv[triangle], tilt)
    return _Own(slopes, rough, metal)


def _turned(
    surface: Surface,
    owner: Int64[np.ndarray, "N"],
    uv: Float64[np.ndarray, "N 3 2"],
    tilt: Float32[np.ndarray, "N 2"],
) -> Slopes:
    """Slopes in the tangent space of other UVs, in that of the paint's."""
    edge = surface.corners[owner, 1:] - surface.corners[owner, :1]
    axes = []
    for corners in (uv, surface.uv[owner]):
        step = corners[:, 1:] - corners[:, :1]
        turn = np.sign(step[:, 0, 0] * step[:, 1, 1] - step[:, 0, 1] * step[:, 1, 0])[:, None]
        along = (edge[:, 0] * step[:, 1, 1:] - edge[:, 1] * step[:, 0, 1:]) * turn
        down = (edge[:, 1] * step[:, 0, :1] - edge[:, 0] * step[:, 1, :1]) * turn
        axes.append(_axes(along, down))
    (tangent, up), (new_tangent, new_up) = axes
    world = tangent * tilt[:, :1] + up * tilt[:, 1:]
    found = np.stack([(world * new_tangent).sum(axis=1), (world * new_up).sum(axis=1)], axis=1)
    return found.astype(np.float32)


def _read(
    asset: Asset, reference: TextureReference, uv: Float64[np.ndarray, "N 2"]
) -> Float32[np.ndarray, "N 3"]:
    """Numbers 0..1 that an image holds as bytes, bilinear."""
    image = asset.image(reference.image)[..., :3]
    places = []
    for axis in (1, 0):
        u, length = uv[:, axis], image.shape[1 - axis]
        if reference.wrap[axis] is Wrap.MIRROR:
            u = 1 - np.abs(1 - np.mod(u, 2.0))
        elif reference.wrap[axis] is Wrap.REPEAT:
            u = u - np.floor(u)
        places.append(np.clip(u, 0, 1) * length - 0.5)
    columns = [
        scipy.ndimage.map_coordinates(image[..., c], places, np.float32, 1, "nearest") for c in range(3)
    ]
    found: Float32[np.ndarray, "N 3"] = np.stack(columns, axis=1) / np.float32(255)
    return found


def _blurred(
    values: Float32[np.ndarray, "H W"], counted: Bool[np.ndarray, "H W"], size: float
) -> Float32[np.ndarray, "H W"]:
    """Gaussian means over what counts."""
    weight = scipy.ndimage.gaussian_filter(counted.astype(np.float32), size, truncate=3)
    total = scipy.ndimage.gaussian_filter(np.where(counted, values, 0).astype(np.float32), size, truncate=3)
    found: Float32[np.ndarray, "H W"] = total / np.maximum(weight, 1e-6)
    return found
