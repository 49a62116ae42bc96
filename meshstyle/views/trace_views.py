"""All views at one scale, traced: everything about them that neither the paint nor the painting has a part in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from ..kernels.load import load_kernels
from .placement import Placement
from .raytrace import Hits, Tracer
from .sampling_matrix import SamplingMatrix, TexelTable
from .training_views import Collage, TrainingView, make_training_views

FINE = 512  # pixels: larger views are looked at with one ray a pixel
DENSITY = 1.4  # texels per pixel at the median footprint: what is finer than pixels no loss can see
_SMALLEST_VIEW = 0.04  # of the largest view's pixels: smaller ones (a plane seen edge-on) are left out
_TEXTURE_STEP = 8  # solved sizes are multiples of this


@dataclass(frozen=True, eq=False)
class TracedViews:
    """The views of a placement at one size, those that see enough.

    Attributes:
        looks: what each of them shows.
        hits: per view, what its rays hit.
        texels: of all atlases, at the resolution at which a texel matches a ray.
        lookups: per view, how its picture follows from the texels.
        footprint: per triangle, log₂ of the length in UVs that a pixel spans there, as the views see it on average.
    """

    looks: list[TrainingView]
    hits: list[Hits]
    texels: TexelTable
    lookups: list[SamplingMatrix]
    footprint: Float32[np.ndarray, "F"]


Trace = Callable[[int], TracedViews]
"""From the views' size in pixels to the views."""


def rays_of(size: int) -> int:
    """Rays per pixel side of views of that size: two, and one where the finest detail is painted, as renderers do."""
    return 2 if size <= FINE else 1


def trace_views(
    tracer: Tracer, placement: Placement, size: int, compiled: bool = False, whole: bool = False
) -> TracedViews:
    """Trace all views; at least one must see something.

    Args:
        size: of the views, in pixels (see `camera_towards_centre`).
        compiled: by compiled kernels, where they can be had.
        whole: no collages (see `views.training_views`).
    """
    looks, rays = make_training_views(placement, size, whole), rays_of(size)
    traced = ((look, look.trace(tracer, rays, placement.axis)) for look in looks)
    found = [(look, hits) for look, hits in traced if hits is not None]
    least = _SMALLEST_VIEW * max(len(hits.pixel) for _, hits in found)
    found = [(look, hits) for look, hits in found if isinstance(look, Collage) or len(hits.pixel) >= least]
    views = [hits for _, hits in found]
    texels = texels_at(tracer, solving_sizes(views, tracer))
    program = load_kernels().program if compiled else None
    looks = [look for look, _ in found]
    lookups = [SamplingMatrix(hits, tracer, texels, program) for hits in views]
    return TracedViews(looks, views, texels, lookups, mean_footprint(views, tracer))


def texels_at(tracer: Tracer, sizes: Sequence[tuple[int, int]]) -> TexelTable:
    """Those of all atlases, at these sizes (height, width)."""
    atlases = tracer.surface.atlases
    covered = [shrink_coverage(atlas.covered, size) for atlas, size in zip(atlases, sizes, strict=True)]
    return TexelTable(covered, [atlas.wrap for atlas in atlases])


def solving_sizes(hits: Sequence[Hits], tracer: Tracer) -> list[tuple[int, int]]:
    """Per atlas, the size at which the median pixel's footprint is DENSITY texels wide; never above the atlas' own."""
    surface = tracer.surface
    triangle = np.concatenate([hit.triangle for hit in hits])
    width = np.concatenate([hit.distance * hit.camera.pitch for hit in hits])
    sizes = []
    for number, atlas in enumerate(surface.atlases):
        height, columns = atlas.owner.shape
        rays = surface.atlas[triangle] == number
        share = 1.0
        if rays.any():
            footprint = np.median(width[rays] * tracer.uv_density[triangle[rays]]) * np.sqrt(height * columns)
            share = min(1.0, DENSITY / max(float(footprint), 1e-6))
        sizes.append((_round_size(height, share), _round_size(columns, share)))
    return sizes


def mean_footprint(hits: Sequence[Hits], tracer: Tracer) -> Float32[np.ndarray, "F"]:
    """Per triangle, log₂ of the length in UVs that a pixel spans there: the mean over its pixels, those that look at it
    straight counting more; of a triangle without any, the mean over all."""
    triangle = np.concatenate([hit.triangle for hit in hits])
    width = np.concatenate([hit.distance * hit.camera.pitch for hit in hits])
    straight = np.concatenate([hit.facing for hit in hits]).astype(np.float64) ** 2
    octave = np.log2(np.maximum(width * tracer.uv_density[triangle], 1e-12))
    faces = len(tracer.uv_density)
    weight = np.bincount(triangle, straight, faces)
    total = np.bincount(triangle, straight * octave, faces)
    every = total.sum() / max(weight.sum(), 1e-12)
    return np.where(weight > 0, total / np.maximum(weight, 1e-12), every).astype(np.float32)


def _round_size(full: int, share: float) -> int:
    if share >= 1.0:
        return full
    return min(full, max(_TEXTURE_STEP * 2, round(full * share / _TEXTURE_STEP) * _TEXTURE_STEP))


def shrink_coverage(covered: Bool[np.ndarray, "H W"], size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """Which texels of a smaller atlas the surface touches: those with a covered one anywhere under them."""
    for axis, (full, small) in enumerate(zip(covered.shape, size, strict=True)):
        if full != small:
            first = np.arange(small) * full // small
            after = -(-np.arange(1, small + 1) * full // small)  # neighbours share the texel on their border
            count = np.pad(np.cumsum(covered, axis, dtype=np.int32), [(1 - axis, 0), (axis, 0)])
            covered = np.take(count, after, axis) > np.take(count, first, axis)
    return covered
