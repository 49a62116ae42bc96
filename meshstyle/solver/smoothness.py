"""Total variation on the surface: between neighbouring texels of one chart, never across chart borders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64

from ..views.sampling import Texels


class Smoothness:
    """τ times the mean squared step between neighbouring texels (Mahendran & Vedaldi 2015, eq. 4, with β = 2).

    For a view's texels V: value = τ Σ (tᵢ − tⱼ)² / pairs over the pairs whose first texel is in V; the slope is
    that sum's derivative with respect to the texels of V.
    """

    def __init__(self, neighbours: Int64[np.ndarray, "T 4"], weight: float = 1.0) -> None:
        """`neighbours`: the row of each row's neighbours, itself where it has none. `weight`: τ."""
        self.weight = weight
        self._neighbours = torch.from_numpy(neighbours)

    @classmethod
    def on_surface(cls, texels: Texels, charts: Sequence[np.ndarray], weight: float = 1.0) -> Smoothness:
        """Between the texels of all atlases. `charts`: per atlas (h, w), the chart of each texel, -1 for none."""
        neighbours = [
            neighbouring(layout.levels[0], layout.covered, chart)
            for layout, chart in zip(texels.layouts, charts, strict=True)
        ]
        return cls(np.concatenate(neighbours), weight)

    def __call__(
        self, paint: Float[torch.Tensor, "T 3"], rows: Int64[torch.Tensor, "V"]
    ) -> tuple[float, Float[torch.Tensor, "V 3"]]:
        """Value and slope on the given rows."""
        neighbours = self._neighbours.to(paint.device)[rows]
        centre = paint[rows]
        steps = 4 * centre - paint[neighbours].sum(1)
        pairs = max(int((neighbours != rows[:, None]).sum()), 1)
        value = sum(float(((centre - paint[neighbours[:, k]]) ** 2).sum()) for k in range(4)) / pairs
        # Each pair's square appears once from either side; its slope at one texel is 2·(tᵢ − tⱼ) twice.
        return self.weight * value, steps * (4 * self.weight / pairs)


def neighbouring(
    rows: Int64[np.ndarray, "h w"], covered: Bool[np.ndarray, "h w"], chart: Int[np.ndarray, "h w"]
) -> Int64[np.ndarray, "t 4"]:
    """Per covered cell of a grid, the rows of its four neighbours; its own where one is not of its chart."""
    found = []
    for axis, shift in ((1, -1), (1, 1), (0, -1), (0, 1)):
        other = np.roll(rows, shift, axis)
        same = (np.roll(chart, shift, axis) == chart) & (chart >= 0) & np.roll(covered, shift, axis)
        edge = [slice(None), slice(None)]
        edge[axis] = slice(-1, None) if shift < 0 else slice(0, 1)
        same[tuple(edge)] = False
        found.append(np.where(same, other, rows)[covered])
    return np.stack(found, -1).astype(np.int64)
