"""Total variation on the surface: between neighbouring texels of one chart, never across chart borders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64

from ..views.sampling import Texels

_COLOUR = 450.0  # κ at a painting whose colour changes by 1 from pixel to pixel; τ is 1 by default
_LEAST_COLOUR = 0.005  # of that change, sRGB: no painting counts as smoother


class Smoothness:
    """τ times the mean squared step between neighbouring texels (Mahendran & Vedaldi 2015, eq. 4, with β = 2).

    For a view's texels V: value = τ Σ (‖d‖² + κ‖d − d̄‖²) / pairs over the pairs whose first texel is in V, with
    d = tᵢ − tⱼ and d̄ the mean of its channels; the slope is that sum's derivative with respect to the texels of V.
    κ holds colour apart from light and dark: see `colour_share`.
    """

    def __init__(
        self,
        neighbours: Int64[np.ndarray, "T 4"],
        weight: float = 1.0,
        device: torch.device | str = "cpu",
        colour: float = 0.0,
    ) -> None:
        """`neighbours`: the row of each row's neighbours, itself where it has none. `weight`: τ. `colour`: κ."""
        self.weight, self.colour = weight, colour
        self._neighbours = torch.from_numpy(neighbours).to(device)
        self._counted: dict[
            int, tuple[torch.Tensor, int]
        ] = {}  # rows, held so that their id stays theirs; pairs

    @classmethod
    def on_surface(
        cls,
        texels: Texels,
        charts: Sequence[np.ndarray],
        weight: float = 1.0,
        device: torch.device | str = "cpu",
        colour: float = 0.0,
    ) -> Smoothness:
        """Between the texels of all atlases. `charts`: per atlas (h, w), the chart of each texel, -1 for none."""
        neighbours = [
            neighbouring(layout.levels[0], layout.covered, chart)
            for layout, chart in zip(texels.layouts, charts, strict=True)
        ]
        return cls(np.concatenate(neighbours), weight, device, colour)

    def __call__(
        self, paint: Float[torch.Tensor, "T 3"], rows: Int64[torch.Tensor, "V"]
    ) -> tuple[Float[torch.Tensor, ""], Float[torch.Tensor, "V 3"]]:
        """Value and slope on the given rows, on their device."""
        centre = paint[rows]
        if self.weight == 0:
            return paint.new_zeros(()), torch.zeros_like(centre)
        near = paint[self._neighbours[rows]]
        factor = self.weight / self._pairs(rows)
        steps = centre[:, None] - near
        value, slope = (steps**2).sum(), steps.sum(1)
        if self.colour:
            value = value + self.colour * (_without_grey(steps) ** 2).sum()
            slope = slope + self.colour * _without_grey(slope)
        # Each pair's square appears once from either side; its slope at one texel is 2·(tᵢ − tⱼ) twice.
        return value * factor, slope * (4 * factor)

    def _pairs(self, rows: Int64[torch.Tensor, "V"]) -> int:
        """How many pairs begin there. Counted when they are first seen: a GPU would have to be waited for."""
        if id(rows) not in self._counted:
            pairs = int((self._neighbours[rows] != rows[:, None]).sum())
            self._counted[id(rows)] = rows, max(pairs, 1)
        return self._counted[id(rows)][1]


def colour_share(painting: Float[torch.Tensor, "1 3 H W"]) -> float:
    """κ for paint in the manner of a painting, sRGB 0..1, at the size of the views.

    The style loss leaves the finest colour to chance, and a solver of few steps fills it with noise: pink and green
    dots several times as strong as any in the painting. The smoother the painting's own colour is from pixel to pixel,
    the more the noise costs.
    """
    steps = [painting.diff(dim=axis).flatten(2)[0].T for axis in (2, 3)]
    colour = _without_grey(torch.cat(steps)).square().sum(1).mean().sqrt()
    return _COLOUR / max(float(colour), _LEAST_COLOUR)


def _without_grey(steps: Float[torch.Tensor, "*any 3"]) -> Float[torch.Tensor, "*any 3"]:
    return steps - steps.mean(-1, keepdim=True)


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
