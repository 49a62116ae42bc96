"""Back-projection: from pictures of the views to the texels they show.

The views' paint I = (I₁, …, I_N), one row per pixel that sees some, goes into the texels by iterated back-projection
(Irani & Peleg 1991; in tomography SIRT, Gregor & Benson 2008):

    T ← T + C·Sᵀ·W·(I − S·T),    C = 1 / (Sᵀ·W·1),    K times from T = 0.

One pass is the weighted mean of the pixels that show a texel; each further pass gives back what that mean blurred.
The result is linear in I: I − S·T = Mᴷ·I with M = 1 − S·C·Sᵀ·W, so its derivative is exact and as cheap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage
import torch
from jaxtyping import Float, Float32, Int64

from .cameras import Camera
from .raytrace import Hits
from .view import View

ANGLE_POWER = 2.0  # k of cosᵏ
STEEPEST = (math.cos(math.radians(80)), math.cos(math.radians(70)))  # between these the weight falls to 0
FEATHER = 1 / 40  # of the focal length, 9 pixels of a 256 pixel view: where edges stop mattering
_JUMP = 0.01  # bounding radii: a step in depth beyond what the surface's gradient explains
_FLOOR = 0.01  # weight of the worst pixel: a texel that only bad ones show takes its colour from them

Paint = Float[torch.Tensor, "P 3"]


@dataclass(frozen=True, eq=False)
class PixelGeometry:
    """What the pixels of one view that see paint look at.

    Attributes:
        camera, shape, corner: as in `Hits`.
        pixels: row-major numbers, ascending.
        cosine: |cos| between the ray and the surface.
        depth: from the eye, bounding radii.
        inside: pixels to the nearest silhouette or depth edge.
    """

    camera: Camera
    shape: tuple[int, int]
    corner: tuple[int, int]
    pixels: Int64[np.ndarray, "P"]
    cosine: Float32[np.ndarray, "P"]
    depth: Float32[np.ndarray, "P"]
    inside: Float32[np.ndarray, "P"]

    @classmethod
    def of(cls, hits: Hits, view: View) -> PixelGeometry:
        """`view`: made of the same hits."""
        pixels = view.pixels.cpu().numpy()
        size = hits.shape[0] * hits.shape[1]
        count = np.bincount(hits.pixel, minlength=size)
        share = np.maximum(count, 1)
        cosine = np.bincount(hits.pixel, hits.facing, size) / share
        depth = np.bincount(hits.pixel, hits.distance, size) / share
        whole = (count == hits.side**2).reshape(hits.shape)
        inside = _distance_to_edges(whole, cosine.reshape(hits.shape), depth.reshape(hits.shape), hits.camera)
        return cls(
            hits.camera,
            hits.shape,
            hits.corner,
            pixels,
            cosine[pixels].astype(np.float32),
            depth[pixels].astype(np.float32),
            inside.reshape(-1)[pixels].astype(np.float32),
        )

    def weight(self, sharpness: float = 1.0) -> Float32[np.ndarray, "P"]:
        """How much each pixel counts for the texels it shows: angle, footprint on the surface, distance to edges.

        Args:
            sharpness: power of it all; large ones leave each texel to the view that sees it best.
        """
        low, high = STEEPEST
        angle = self.cosine**ANGLE_POWER * _smooth_step((self.cosine - low) / (high - low))
        footprint = (self.depth.min(initial=np.inf) / self.depth) ** 2 if len(self.depth) else self.depth
        edges = _smooth_step(self.inside * self.camera.pitch / FEATHER)
        return (np.maximum(angle * footprint * edges, _FLOOR) ** sharpness).astype(np.float32)


def _smooth_step(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def _distance_to_edges(
    whole: np.ndarray, cosine: np.ndarray, depth: np.ndarray, camera: Camera
) -> Float32[np.ndarray, "H W"]:
    """Distance of each pixel to the nearest that is not filled by surface or lies at a step in depth."""
    cosine = np.maximum(cosine, 0.05)
    gradient = camera.pitch * depth * np.sqrt(1 - np.minimum(cosine, 1) ** 2) / cosine  # depth a pixel on
    edge = ~whole
    for axis in (0, 1):
        step = np.abs(np.diff(depth, axis=axis))
        first, second = [(slice(None),) * axis + (part,) for part in (slice(-1), slice(1, None))]
        jump = step > _JUMP + 2 * np.maximum(gradient[first], gradient[second])
        edge[first] |= jump
        edge[second] |= jump
    return scipy.ndimage.distance_transform_edt(np.pad(~edge, 1))[1:-1, 1:-1].astype(np.float32)


class BackProjection:
    """The linear maps between the views' paint (all views' pixels in one table, P rows) and the texels (T rows)."""

    def __init__(self, views: Sequence[View], weights: Sequence[np.ndarray], count: int, passes: int) -> None:
        """`weights`: per view (P_v,), positive. `count`: texels. `passes`: K."""
        self._views, self._count, self._passes = list(views), count, passes
        device = self._views[0].texels.device
        self._parts = [len(view.pixels) for view in self._views]
        self._weight = torch.cat([torch.from_numpy(w) for w in weights]).to(device)[:, None]
        total = self._spread(self._weight.expand(-1, 3).contiguous())
        self._scale = torch.where(total > 0, 1 / total, torch.zeros_like(total))

    def bake(self, paint: Paint) -> Float[torch.Tensor, "T 3"]:
        """The texels that show the given paint best. Those that no pixel reads stay 0."""
        texels = torch.zeros(self._count, 3, dtype=paint.dtype, device=paint.device)
        for _ in range(self._passes):
            texels += self._scale * self._spread(self._weight * (paint - self.render(texels)))
        return texels

    def render(self, texels: Float[torch.Tensor, "T 3"]) -> Paint:
        """What all views see of the texels."""
        return torch.cat([view.mix(texels[view.texels]) for view in self._views])

    def residual(self, paint: Paint) -> Paint:
        """I − S·T for the texels T that are baked from I."""
        return paint - self.render(self.bake(paint))

    def residual_transposed(self, paint: Paint) -> Paint:
        """The adjoint of `residual`: (Mᵀ)ᴷ with Mᵀ = 1 − W·S·C·Sᵀ."""
        for _ in range(self._passes):
            paint = paint - self._weight * self.render(self._scale * self._spread(paint))
        return paint

    def _spread(self, paint: Paint) -> Float[torch.Tensor, "T 3"]:
        texels = torch.zeros(self._count, 3, dtype=paint.dtype, device=paint.device)
        for view, part in zip(self._views, paint.split(self._parts), strict=True):
            texels.index_add_(0, view.texels, view.spread(part.contiguous()))
        return texels


class Consistency:
    """Σ m ‖I − render(bake(I))‖² / Σ m over all views (docs/solvers.md), and its exact gradient."""

    def __init__(self, projection: BackProjection, coverage: Float[torch.Tensor, "P 1"]) -> None:
        """`coverage`: m, the share of each pixel that is painted surface."""
        self._projection, self._share = projection, coverage / coverage.sum()

    def __call__(self, paint: Paint) -> tuple[float, Paint]:
        """Value (squared differences summed over the three channels) and gradient."""
        left = self._projection.residual(paint)
        pull = self._share * left
        value = float((left * pull).sum(dtype=torch.float64))
        return value, 2 * self._projection.residual_transposed(pull)
