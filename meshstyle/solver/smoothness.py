"""Total variation on the surface: between neighbouring texels of one chart, never across chart borders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64

from ..compiled.load import Program
from ..compiled.texel_pieces import SmoothPiece
from ..views.sampling import Texels
from .workers import address, ranges, share_out, suits

_COLOUR = 450.0  # κ at a painting whose colour changes by 1 from pixel to pixel; τ is 1 by default
_LEAST_COLOUR = 0.005  # of that change, sRGB: no painting counts as smoother


@dataclass(frozen=True, eq=False)
class _Around:
    """The neighbours of some rows on each of four sides, and how many pairs they make. `rows`: held so that their id
    stays theirs."""

    rows: Int64[torch.Tensor, "V"]
    near: Int64[torch.Tensor, "4 V"]
    pairs: int


@dataclass(frozen=True)
class _Mix:
    """The slope of a row is alone·s − together·Σ s for the sum s of its steps to its neighbours."""

    alone: float
    together: float


_Found = tuple[Float[torch.Tensor, "V 3"], Float[torch.Tensor, ""], Float[torch.Tensor, ""]]


def _in_torch(paint: Float[torch.Tensor, "T 3"], around: _Around, mix: _Mix) -> _Found:
    """Slope, the sum of the squares of all steps, and of the squares of their channels' sums."""
    centre = paint.index_select(0, around.rows)
    total, squares, greys = torch.zeros_like(centre), paint.new_zeros(()), paint.new_zeros(())
    ones = paint.new_ones(3)
    # Side by side, and with products instead of sums over three channels: a quarter of the time of all at once.
    for near in around.near:
        step = centre - paint.index_select(0, near)
        total += step
        flat, grey = step.flatten(), step @ ones
        squares += torch.dot(flat, flat)
        greys += torch.dot(grey, grey)
    matrix = mix.alone * torch.eye(3, dtype=paint.dtype, device=paint.device) - mix.together
    return total @ matrix, squares, greys


def _run(program: Program, paint: Float[torch.Tensor, "T 3"], around: _Around, mix: _Mix) -> _Found:
    """The same, compiled."""
    slope, parts = paint.new_empty(len(around.rows), 3), ranges(len(around.rows))
    sums, factors = paint.new_empty(len(parts), 2), torch.tensor([mix.alone, mix.together])
    places = [address(table) for table in (around.rows, around.near, paint, slope, factors)]

    def make(number: int) -> None:
        piece = SmoothPiece(*parts[number], len(slope), *places, address(sums[number]))
        program.smooth(piece)

    share_out(make, range(len(parts)))
    squares, greys = sums.sum(0)
    return slope, squares, greys


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
        program: Program | None = None,
    ) -> None:
        """`neighbours`: the row of each row's neighbours, itself where it has none. `weight`: τ. `colour`: κ.
        `program`: compiled kernels, used for float32 on the CPU."""
        self.weight, self.colour, self._program = weight, colour, program
        self._neighbours = torch.from_numpy(neighbours).to(device)
        self._known: dict[int, _Around] = {}

    @classmethod
    def on_surface(
        cls,
        texels: Texels,
        charts: Sequence[np.ndarray],
        weight: float = 1.0,
        device: torch.device | str = "cpu",
        colour: float = 0.0,
        program: Program | None = None,
    ) -> Smoothness:
        """Between the texels of all atlases. `charts`: per atlas (h, w), the chart of each texel, -1 for none."""
        neighbours = [
            neighbouring(layout.levels[0], layout.covered, chart)
            for layout, chart in zip(texels.layouts, charts, strict=True)
        ]
        return cls(np.concatenate(neighbours), weight, device, colour, program)

    def __call__(
        self, paint: Float[torch.Tensor, "T 3"], rows: Int64[torch.Tensor, "V"]
    ) -> tuple[Float[torch.Tensor, ""], Float[torch.Tensor, "V 3"]]:
        """Value and slope on the given rows, on their device."""
        if self.weight == 0:
            return paint.new_zeros(()), paint.new_zeros(len(rows), 3)
        around = self._around(rows)
        # ‖d − d̄‖² = ‖d‖² − (Σ d)²/3. Each pair's square appears once from either side; its slope at one texel is
        # 2·(tᵢ − tⱼ) twice.
        factor, share = self.weight / around.pairs, self.colour / 3
        mix = _Mix(4 * factor * (1 + self.colour), 4 * factor * share)
        if self._program is not None and suits(paint):
            slope, squares, greys = _run(self._program, paint, around, mix)
        else:
            slope, squares, greys = _in_torch(paint, around, mix)
        return ((1 + self.colour) * squares - share * greys) * factor, slope

    def _around(self, rows: Int64[torch.Tensor, "V"]) -> _Around:
        """Looked up when rows are first seen: a GPU would have to be waited for at every step."""
        if id(rows) not in self._known:
            near = self._neighbours[rows]
            self._known[id(rows)] = _Around(rows, near.T.contiguous(), self._count(near, rows))
        return self._known[id(rows)]

    @staticmethod
    def _count(near: Int64[torch.Tensor, "V 4"], rows: Int64[torch.Tensor, "V"]) -> int:
        return max(int((near != rows[:, None]).sum()), 1)


def colour_share(painting: Float[torch.Tensor, "1 3 H W"]) -> float:
    """κ for paint in the manner of a painting, sRGB 0..1, at the size of the views.

    The style loss leaves the finest colour to chance, and a solver of few steps fills it with noise: pink and green
    dots several times as strong as any in the painting. The smoother the painting's own colour is from pixel to pixel,
    the more the noise costs.
    """
    steps = [painting.diff(dim=axis).flatten(2)[0].T for axis in (2, 3)]
    found = torch.cat(steps)
    colour = (found - found.mean(1, keepdim=True)).square().sum(1).mean().sqrt()
    return _COLOUR / max(float(colour), _LEAST_COLOUR)


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
