"""From an asset to its Surface: every triangle in world space, every texel with its owner and its colour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Float64, Int32
from PIL import Image

from ..config.model import Settings
from ..io.types import Asset, PaintedPart, Part
from ..progress import Progress, ProgressCallback, ignore
from .base_color import AtlasTriangles, common_wrap, start_colours
from .gutter import fill_gutters
from .normals import face_normals, find_twins, repaired, smooth_normals
from .opacity import air_below, read_opacity
from .plan import plan_atlases
from .rasterize import rasterize
from .types import Atlas, AtlasPlan, Surface
from .unread_texels import read_rest
from .unwrap import unwrap


def build_surface(
    asset: Asset,
    settings: Settings,
    plans: Sequence[AtlasPlan] | None = None,
    progress: ProgressCallback = ignore,
) -> Surface:
    """Lay the model out for painting.

    Args:
        plans: what to paint; None: what `plan_atlases` says. Parts in no plan only hide what is behind them.
        progress: told of the stage `unwrap`.

    Raises UsageError where UVs are to be kept that do not exist, PictureError where an image is unreadable.
    """
    plans = plan_atlases(asset, settings) if plans is None else tuple(plans)
    layout = _Layout(asset.parts)
    uv = np.full((layout.count, 3, 2), np.nan)
    atlas = np.full(layout.count, -1, np.int32)
    painted: list[PaintedPart | None] = [None] * len(asset.parts)
    atlases = []
    for number, plan in enumerate(plans):
        triangles = atlas_triangles(asset, plan, progress)
        for part in plan.parts:
            own = triangles.uv[slice(*np.searchsorted(triangles.part, (part, part + 1)))]
            layout.spread(uv, part, own)
            layout.spread(atlas, part, np.full(len(own), number, np.int32))
            painted[part] = PaintedPart(number, own if plan.unwrap else None)
        atlases.append(_atlas(asset, plan, triangles, layout))
    corners = layout.gather([p.places for p in asset.parts], (3, 3))
    part_of = layout.per_part(list(range(len(asset.parts))), np.int32)
    triangle = layout.triangle()
    return Surface(
        corners=corners,
        normals=_normals(asset.parts, layout, corners),
        uv=uv,
        atlas=atlas,
        alpha_cutoff=layout.per_part(
            [air_below(asset.materials[p.material]) for p in asset.parts], np.float32
        ),
        part=part_of,
        triangle=triangle,
        atlases=tuple(atlases),
        painted=tuple(painted),
        opacity=read_opacity(asset, atlases, (atlas, uv, part_of, triangle)),
    )


def atlas_triangles(asset: Asset, plan: AtlasPlan, progress: ProgressCallback = ignore) -> AtlasTriangles:
    """Collect what is painted into one atlas, with fresh UVs where the plan says so."""
    parts = [asset.parts[i] for i in plan.parts]
    counts = [p.places.shape[1] for p in parts]
    counted = list(zip(parts, counts, strict=True))
    corners = np.concatenate([p.layout for p in parts])
    source = np.concatenate([np.full((n, 3, 2), np.nan) if p.uv is None else p.uv for p, n in counted])
    number = np.repeat(np.array(plan.parts, np.int32), counts)
    colours = None
    if any(p.colours is not None for p in parts):
        colours = np.concatenate([np.ones((n, 3, 4)) if p.colours is None else p.colours for p, n in counted])
    uv = source
    if plan.unwrap:
        progress(Progress("unwrap", message=f"{plan.name}: laying out {len(corners)} triangles"))
        kinds = [p.material if p.shape is None else -1 - number for number, p in enumerate(parts)]
        material = np.repeat(np.array(kinds, np.int64), counts)
        # Of triangles at one place a view meets only one: they share its texels, so that none stays unpainted.
        twin, turn = find_twins(corners, material)
        own = np.flatnonzero(twin == np.arange(len(twin)))
        laid, message = unwrap(corners[own], np.repeat(np.arange(len(parts)), counts)[own], max(plan.size))
        uv = np.take_along_axis(laid[np.searchsorted(own, twin)], turn[..., None], axis=1)
        if message:
            progress(Progress("unwrap", message=f"{plan.name}: {message}"))
    return AtlasTriangles(
        corners=corners,
        uv=uv,
        source_uv=source,
        colours=colours,
        material=np.repeat(np.array([p.material for p in parts], np.int32), counts),
        part=number,
        triangle=np.concatenate([np.arange(n, dtype=np.int32) for n in counts]),
    )


def _atlas(asset: Asset, plan: AtlasPlan, triangles: AtlasTriangles, layout: _Layout) -> Atlas:
    wrap = common_wrap(asset.materials, plan)
    texels = rasterize(triangles.uv, plan.size, wrap)
    start, alpha = start_colours(asset, plan, triangles, texels)
    covered = texels.owner >= 0
    index = (layout.first[triangles.part] + triangles.triangle).astype(np.int32)
    owner = np.where(covered, index[texels.owner], np.int32(-1))
    own, rest = _own_alpha(asset, plan), read_rest(asset, plan, covered)
    if all(asset.materials[m].alpha_mode == "OPAQUE" for m in plan.materials):
        return Atlas(plan, wrap, fill_gutters(start, covered, wrap), own, owner, rest)
    if (alpha == 1.0).all() and own is None:
        return Atlas(plan, wrap, fill_gutters(start, covered, wrap), None, owner, rest)
    cutoff = np.array([air_below(asset.materials[p.material]) for p in asset.parts], np.float32)
    visible = covered & (alpha >= cutoff[triangles.part][texels.owner])
    # What is cut out often holds black or white that was never meant to be seen: visible colours replace it.
    filled = fill_gutters(start, visible if visible.any() else covered, wrap)
    if own is None or triangles.colours is not None:
        own = fill_gutters(alpha[..., None], covered, wrap)[..., 0]
    return Atlas(plan, wrap, filled, own, owner, rest)


def _own_alpha(asset: Asset, plan: AtlasPlan) -> Float32[np.ndarray, "H W"] | None:
    """The image's own alpha where its UVs are kept, also between charts and also where it is not looked at:
    opaque materials may store something else in it. None where there is none."""
    image = asset.materials[plan.materials[0]].image if plan.materials else None
    if plan.unwrap or image is None:
        return None
    pixels = asset.image(image)
    if pixels[..., 3].min() == 255:
        return None
    alpha = Image.fromarray(np.ascontiguousarray(pixels[..., 3]))
    if alpha.size != plan.size[::-1]:
        alpha = alpha.resize(plan.size[::-1], Image.Resampling.BOX)
    return np.asarray(alpha, np.float32) / 255


def _normals(
    parts: Sequence[Part], layout: _Layout, corners: Float64[np.ndarray, "F 3 3"]
) -> Float64[np.ndarray, "F 3 3"]:
    """The file's normals where it has them; smooth ones elsewhere."""
    flat = np.repeat(face_normals(corners)[0][:, None], 3, axis=1)
    given = [_given_normals(p) for p in parts]
    normals = layout.gather(given, (3, 3))
    missing = layout.per_part([p.normals is None or p.stand_in is not None for p in parts], np.bool_)
    if missing.any():
        normals[missing] = smooth_normals(corners[missing])
    return repaired(normals, flat)


def _given_normals(part: Part) -> Float64[np.ndarray, "I F 3 3"]:
    if part.normals is None or part.stand_in is not None:
        return np.full(part.places.shape, np.nan)
    return part.normals


class _Layout:
    """Where each part's triangles lie in the Surface: part by part, instance by instance."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.instances = np.array([p.places.shape[0] for p in parts], np.int64)
        self.triangles = np.array([p.places.shape[1] for p in parts], np.int64)
        ends = np.cumsum(self.instances * self.triangles)
        self.first = ends - self.instances * self.triangles
        self.count = int(ends[-1]) if len(ends) else 0

    def spread(self, target: np.ndarray, part: int, values: np.ndarray) -> None:
        """Write one value per triangle of a part into all of its instances."""
        first, instances = self.first[part], self.instances[part]
        stop = first + instances * self.triangles[part]
        target[first:stop] = np.tile(values, (instances,) + (1,) * (values.ndim - 1))

    def gather(self, arrays: Sequence[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
        """(I, F, ...) per part to one array over all triangles."""
        return np.concatenate([a.reshape(-1, *shape) for a in arrays] or [np.zeros((0, *shape))])

    def per_part(self, values: Sequence[float], dtype: type) -> np.ndarray:
        """One value per part to one per triangle."""
        return np.repeat(np.array(values, dtype), self.instances * self.triangles)

    def triangle(self) -> Int32[np.ndarray, "F"]:
        """Index into the part's triangles."""
        copies = self.instances * self.triangles
        number = np.arange(self.count) - np.repeat(self.first, copies)
        return (number % np.repeat(self.triangles, copies)).astype(np.int32)
