"""How much of each part was painted, and whether its picture is still there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8

from ..srgb import LUMA
from ..texture.types import Atlas, Surface

BLOCK = 4  # texels along the side of the blocks whose means are compared
_LUMA = np.array(LUMA, np.float32)


@dataclass(frozen=True, eq=False)
class SeenParts:
    """Sums over the texels of each part of the asset, from which shares and correlations follow.

    Attributes:
        visible: texels that a viewer can come to see.
        painted: those of them that some view painted.
        moments: of luminance (sRGB) over blocks of texels, original x and result y: Σ1, Σx, Σy, Σx², Σy², Σxy.
    """

    visible: Float64[np.ndarray, "P"]
    painted: Float64[np.ndarray, "P"]
    moments: Float64[np.ndarray, "P 6"]

    def share(self, parts: Sequence[int]) -> float | None:
        """Return the share of what can be seen of these parts that was painted; None where they have nothing to
        paint."""
        visible = self.visible[list(parts)].sum()
        return float(self.painted[list(parts)].sum() / visible) if visible else None

    def likeness(self, parts: Sequence[int]) -> tuple[float, float] | None:
        """Contrast of the original's luminance, and the correlation of the result's with it; None: no texels."""
        n, x, y, xx, yy, xy = self.moments[list(parts)].sum(axis=0)
        if not n:
            return None
        spread_x, spread_y = max(xx / n - (x / n) ** 2, 0.0), max(yy / n - (y / n) ** 2, 0.0)
        both = xy / n - x * y / n**2
        correlation = both / np.sqrt(spread_x * spread_y) if spread_x * spread_y > 1e-12 else 0.0
        return float(np.sqrt(spread_x)), float(correlation)


def count_seen(
    surface: Surface,
    images: Sequence[UInt8[np.ndarray, "_ _ _"]],
    known: Sequence[Bool[np.ndarray, "_ _"]],
    visible: Sequence[Bool[np.ndarray, "_ _"]],
) -> SeenParts:
    """Count by part. `images`: the finished ones; `known`: what was painted; `visible`: what can be seen."""
    parts = len(surface.painted)
    counts, moments = np.zeros((2, parts)), np.zeros((parts, 6))
    for atlas, image, k, v in zip(surface.atlases, images, known, visible, strict=True):
        for row, mask in zip(counts, (v, k), strict=True):
            row += np.bincount(surface.part[atlas.owner[mask]], minlength=parts)
        owner, x, y = _blocks(atlas, image, v)
        part = surface.part[owner]
        for column, values in enumerate((np.ones_like(x), x, y, x * x, y * y, x * y)):
            moments[:, column] += np.bincount(part, values, minlength=parts)
    return SeenParts(counts[0], counts[1], moments)


def _blocks(
    atlas: Atlas, image: UInt8[np.ndarray, "H W C"], visible: Bool[np.ndarray, "H W"]
) -> tuple[np.ndarray, Float32[np.ndarray, "N"], Float32[np.ndarray, "N"]]:
    """A triangle of each block with visible texels, and the means of their luminance before and after."""
    count = _summed(visible.astype(np.float32))
    some = count > 0
    before = _summed(np.where(visible, atlas.start @ _LUMA, np.float32(0)))
    after = _summed(np.where(visible, image[..., :3] @ (_LUMA / np.float32(255)), np.float32(0)))
    owner = _padded(np.where(visible, atlas.owner, -1), -1)
    owner = owner.reshape(owner.shape[0] // BLOCK, BLOCK, -1, BLOCK).max(axis=(1, 3))
    return owner[some], before[some] / count[some], after[some] / count[some]


def _summed(values: Float32[np.ndarray, "H W"]) -> Float32[np.ndarray, "h w"]:
    values = _padded(values, 0)
    return values.reshape(values.shape[0] // BLOCK, BLOCK, -1, BLOCK).sum(axis=(1, 3))


def _padded(values: np.ndarray, filler: float) -> np.ndarray:
    rows, columns = (-side % BLOCK for side in values.shape)
    return np.pad(values, ((0, rows), (0, columns)), constant_values=filler) if rows or columns else values
