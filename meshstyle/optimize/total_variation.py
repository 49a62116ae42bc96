"""Total variation on the surface: between neighbouring texels of one chart, never across chart borders."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int32, Int64, UInt8

from ..kernels.program import Program
from ..kernels.texel_arguments import SmoothArguments
from ..kernels.thread_pool import address, ranges, share_out, suits
from ..views.sampling_matrix import TexelTable

_COLOUR = 450.0  # κ at a painting whose colour changes by 1 from pixel to pixel; τ is 1 by default
_LEAST_COLOUR = 0.005  # of that change, sRGB: no painting counts as smoother


@dataclass(frozen=True)
class _Mix:
    """The gradient of a row is alone·s − together·Σ s for the sum s of its steps to its neighbours."""

    alone: float
    together: float


Rows = Int64[torch.Tensor, "V"]
Neighbours = Int32[torch.Tensor, "T 4"]
_Found = tuple[Float[torch.Tensor, "V 3"], Float[torch.Tensor, ""], Float[torch.Tensor, ""]]


def _in_torch(paint: Float[torch.Tensor, "T 3"], rows: Rows, neighbours: Neighbours, mix: _Mix) -> _Found:
    """Gradient, the sum of the squares of all steps, and of the squares of their channels' sums."""
    centre = paint.index_select(0, rows)
    total, squares, greys = torch.zeros_like(centre), paint.new_zeros(()), paint.new_zeros(())
    ones = paint.new_ones(3)
    # Side by side, and with products instead of sums over three channels: a quarter of the time of all at once.
    for near in neighbours.unbind(1):
        step = centre - paint.index_select(0, near.index_select(0, rows))
        total += step
        flat, grey = step.flatten(), step @ ones
        squares += torch.dot(flat, flat)
        greys += torch.dot(grey, grey)
    matrix = mix.alone * torch.eye(3, dtype=paint.dtype, device=paint.device) - mix.together
    return total @ matrix, squares, greys


def _run(
    program: Program, paint: Float[torch.Tensor, "T 3"], rows: Rows, neighbours: Neighbours, mix: _Mix
) -> _Found:
    """The same, compiled."""
    gradient, parts = paint.new_empty(len(rows), 3), ranges(len(rows))
    sums, factors = paint.new_empty(len(parts), 2), torch.tensor([mix.alone, mix.together])
    places = [address(table) for table in (rows, neighbours, paint, gradient, factors)]

    def make(number: int) -> None:
        program.smooth(SmoothArguments._make((*parts[number], *places, address(sums[number]))))

    share_out(make, range(len(parts)))
    squares, greys = sums.sum(0)
    return gradient, squares, greys


class Smoothness:
    """τ times the mean squared step between neighbouring texels (Mahendran & Vedaldi 2015, eq. 4, with β = 2).

    For a view's texels V: value = τ Σ (‖d‖² + κ‖d − d̄‖²) / pairs over the pairs whose first texel is in V, with
    d = tᵢ − tⱼ and d̄ the mean of its channels; the gradient is that sum's derivative with respect to the texels of V.
    κ holds colour apart from light and dark: see `colour_share`.
    """

    def __init__(
        self,
        neighbours: Int[np.ndarray, "T 4"],
        weight: float = 1.0,
        device: torch.device | str = "cpu",
        colour: float = 0.0,
        program: Program | None = None,
    ) -> None:
        """`neighbours`: the row of each row's neighbours, itself where it has none. `weight`: τ. `colour`: κ.
        `program`: compiled kernels, used for float32 on the CPU."""
        self.weight, self.colour, self._program = weight, colour, program
        pairs = (neighbours != np.arange(len(neighbours))[:, None]).sum(1, dtype=np.uint8)
        self._neighbours = torch.from_numpy(neighbours.astype(np.int32, copy=False)).to(device)
        self._pairs = torch.from_numpy(pairs).to(device)
        self._known: dict[int, tuple[Rows, int]] = {}

    @classmethod
    def on_surface(
        cls,
        texels: TexelTable,
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
        self, paint: Float[torch.Tensor, "T 3"], rows: Rows
    ) -> tuple[Float[torch.Tensor, ""], Float[torch.Tensor, "V 3"]]:
        """Value and gradient on the given rows, on their device."""
        if self.weight == 0:
            return paint.new_zeros(()), paint.new_zeros(len(rows), 3)
        # ‖d − d̄‖² = ‖d‖² − (Σ d)²/3. Each pair's square appears once from either side; its gradient at one texel is
        # 2·(tᵢ − tⱼ) twice.
        factor, share = self.weight / self._pairs_of(rows), self.colour / 3
        mix = _Mix(4 * factor * (1 + self.colour), 4 * factor * share)
        if self._program is not None and suits(paint):
            gradient, squares, greys = _run(self._program, paint, rows, self._neighbours, mix)
        else:
            gradient, squares, greys = _in_torch(paint, rows, self._neighbours, mix)
        return ((1 + self.colour) * squares - share * greys) * factor, gradient

    def without_finest(
        self,
        paint: Float[torch.Tensor, "T 3"],
        octaves: Float[torch.Tensor, "T"] | None = None,
    ) -> Float[torch.Tensor, "T 3"]:
        """The paint less what changes from each texel to the next: five taps (−1, 4, 10, 4, −1)/16 along either axis.

        They take away all of a change of two texels' length, two thirds of one of 2.8 texels, and a twelfth of one of
        5.6 texels; means and even gradients stay as they are.

        `octaves`: how often that is done at each texel, every time with taps twice as far apart (the à trous algorithm,
        Holschneider et al. 1989), which takes away changes twice as long; a share of the last time is a share of its
        effect. None: once.
        """
        if octaves is None:
            octaves = torch.ones(len(paint), device=paint.device)
        hops = [column.long() for column in self._neighbours.unbind(1)]
        for octave in range(math.ceil(float(octaves.max()) if len(octaves) else 0.0)):
            if octave:
                hops = [hop[hop] for hop in hops]
            share = (octaves - octave).clamp(0, 1)[:, None]
            smooth = paint
            for left, right in (hops[:2], hops[2:]):
                near = smooth[left] + smooth[right]
                far = smooth[left[left]] + smooth[right[right]]
                smooth = (10 * smooth + 4 * near - far) / 16
            paint = torch.lerp(paint, smooth, share)
        return paint.clamp(0, 1)

    def forget(self) -> None:
        """The rows that were asked for: others will be."""
        self._known.clear()

    def _pairs_of(self, rows: Rows) -> int:
        """Counted when rows are first seen, which are held so that their id stays theirs: a GPU would have to be waited
        for at every step."""
        if id(rows) not in self._known:
            self._known[id(rows)] = rows, self._count(self._pairs, rows)
        return self._known[id(rows)][1]

    @staticmethod
    def _count(pairs: UInt8[torch.Tensor, "T"], rows: Rows) -> int:
        return max(int(pairs.index_select(0, rows).sum()), 1)


def colour_share(painting: Float[torch.Tensor, "1 3 H W"]) -> float:
    """κ for paint in the manner of a painting, sRGB 0..1, at the size of the views.

    The style loss leaves the finest colour to chance, and a solver of few steps fills it with noise: pink and green
    dots several times as strong as any in the painting. The smoother the painting's own colour is from pixel to pixel,
    the more the noise costs.
    """
    total, count = 0.0, 0
    for axis in (2, 3):  # one after the other: for close-ups the painting is much enlarged
        step = painting.diff(dim=axis)
        total += float((step - step.mean(1, keepdim=True)).square().sum())
        count += step[:, 0].numel()
    return _COLOUR / max(math.sqrt(total / count), _LEAST_COLOUR)


def neighbouring(
    rows: Int[np.ndarray, "h w"], covered: Bool[np.ndarray, "h w"], chart: Int[np.ndarray, "h w"]
) -> Int32[np.ndarray, "t 4"]:
    """Per covered cell of a grid, the rows of its four neighbours; its own where one is not of its chart."""
    found = []
    for axis, shift in ((1, -1), (1, 1), (0, -1), (0, 1)):
        other = np.roll(rows, shift, axis)
        same = (np.roll(chart, shift, axis) == chart) & (chart >= 0) & np.roll(covered, shift, axis)
        edge = [slice(None), slice(None)]
        edge[axis] = slice(-1, None) if shift < 0 else slice(0, 1)
        same[tuple(edge)] = False
        found.append(np.where(same, other, rows)[covered])
    return np.stack(found, -1).astype(np.int32)
