"""What whole views show of paint that is finer than theirs, by mipmaps, as any renderer will show it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from .canvas import Canvas
from .filtering import mip_levels, trilinear
from .sampling import PaintedRays, ray_places
from .tracing import Hits, Tracer


class FarPaint:
    """The paint of a canvas, seen from where its texels are much smaller than pixels."""

    def __init__(self, canvas: Canvas, tracer: Tracer) -> None:
        self._tracer, self._canvas = tracer, canvas
        self._pyramids = [mip_levels(image) for image in canvas.images]

    def __call__(self, hits: Hits) -> Float32[np.ndarray, "P 3"]:
        """sRGB 0..1 of the pixels that see paint, in order: means over their painted rays, before the headlight."""
        seen, tracer = PaintedRays(hits, self._tracer), self._tracer
        uv, width = ray_places(hits, seen.rays, tracer)
        atlas = tracer.surface.atlas[hits.triangle[seen.rays]]
        colours = np.empty((len(seen.rays), 3), np.float32)
        for number, (pyramid, sheet) in enumerate(zip(self._pyramids, self._canvas.sheets, strict=True)):
            own = np.flatnonzero(atlas == number)
            if len(own):
                texels = np.exp2(width[own]) * np.sqrt(sheet.covered.size)
                colours[own] = trilinear(pyramid, uv[own], texels, sheet.wrap)
        if not len(seen.first):
            return colours
        return np.add.reduceat(colours, seen.first) / seen.count[:, None].astype(np.float32)
