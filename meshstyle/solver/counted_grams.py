"""Gram matrices made of nothing but the cells that count, while the features pass through to the next layer.

Half of a whole view, or more, is background. Its features have no part in the mean; products that leave them out take
half the time, or less. The slope is not a second tensor of the features' size, which would have to be added to that of
the next layer, but is added to it in place, in the rows that count.

This is for features that lie in memory channels last, as our convolution leaves them: a cell is a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Float32, Int64

from ..compiled.load import Program
from ..compiled.texel_pieces import AddPiece
from .losses import TINY
from .workers import address, share_out

_AT_ONCE = 1 << 17  # numbers that are added by one thread together


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of a layer that count: `rows`, row-major numbers, ascending; `weight`, their shares of the mean."""

    rows: Int64[torch.Tensor, "n"]
    weight: Float[torch.Tensor, "n 1"]

    @classmethod
    def of(cls, mask: Float[torch.Tensor, "1 1 h w"], count: Float[torch.Tensor, ""]) -> Cells:
        """`count`: Σ mask."""
        flat = mask.flatten()
        rows = flat.nonzero().squeeze(1)
        return cls(rows, (flat[rows] / count.clamp_min(TINY))[:, None])


def suits(features: Float[torch.Tensor, "B C h w"]) -> bool:
    """Whether they are one picture's, and lie as they must."""
    fast = features.device.type == "cpu" and features.dtype == torch.float32
    return fast and len(features) == 1 and features.permute(0, 2, 3, 1).is_contiguous()


def counted_gram(
    features: Float32[torch.Tensor, "1 C h w"], cells: Cells, program: Program | None = None
) -> tuple[Float32[torch.Tensor, "1 C h w"], Float32[torch.Tensor, "C C"]]:
    """The features, for the next layer alone, and G = Σ w f fᵀ over the cells that count (see `losses.masked_gram`).

    What the next layer hands back is changed in place. `program`: compiled kernels.
    """
    passed, gram = _CountedGram.apply(features, cells, program)
    return passed, gram


class _CountedGram(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, features: torch.Tensor, cells: Cells, program: Program | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        ctx.set_materialize_grads(False)
        rows = _rows(features).index_select(0, cells.rows)
        weighted = rows * cells.weight
        ctx.save_for_backward(weighted)
        ctx.cells, ctx.program, ctx.shape = cells, program, features.shape
        return features, weighted.T @ rows

    @staticmethod
    def backward(ctx: Any, *slopes: torch.Tensor | None) -> tuple[torch.Tensor | None, None, None]:
        later, slope = slopes
        if slope is None:
            return later, None, None
        (weighted,) = ctx.saved_tensors
        added = weighted @ (slope + slope.T)
        if later is None:
            _, channels, height, width = ctx.shape
            later = added.new_zeros(1, height, width, channels).permute(0, 3, 1, 2)
        elif not suits(later):
            later = later.contiguous(memory_format=torch.channels_last)
        _add(_rows(later), ctx.cells.rows, added, ctx.program)
        return later, None, None


def _rows(features: Float[torch.Tensor, "1 C h w"]) -> Float[torch.Tensor, "N C"]:
    return features.permute(0, 2, 3, 1).flatten(0, 2)


def _add(
    table: Float[torch.Tensor, "N C"],
    rows: Int64[torch.Tensor, "n"],
    added: Float[torch.Tensor, "n C"],
    program: Program | None,
) -> None:
    """To some rows of a table, in place. Each is named once."""
    if program is None:
        table.index_add_(0, rows, added)
        return
    channels = table.shape[1]
    step = max(_AT_ONCE // channels, 1)
    places = (address(rows), address(added), address(table))
    parts = [(first, min(first + step, len(rows))) for first in range(0, len(rows), step)]
    share_out(lambda part: program.add(AddPiece(*part, channels, *places)), parts)
