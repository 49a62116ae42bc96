"""Gram matrices made of nothing but the cells that count, while the features pass through to the next layer.

Half of a whole view, or more, is background. Its features have no part in the mean; products that leave them out take
half the time, or less. The gradient is not a second tensor of the features' size, which would have to be added to
that of the next layer, but is added to it in place, in the rows that count.

This is for features that lie in memory channels last, as our convolution leaves them: a cell is a row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Float32, Int64

from ..kernels.gram_arguments import AT_ONCE, GramArguments, filled_up
from ..kernels.program import Program
from ..kernels.texel_arguments import AddArguments
from ..kernels.thread_pool import address, share_out
from ..kernels.tile_registers import PAIRS, configuration
from ..kernels.winograd_arguments import LANES
from ..kernels.winograd_matrices import paired
from .losses import TINY

_AT_ONCE = 1 << 17  # numbers that are added by one thread together
_SUMS = 8  # parts of a Gram matrix's sum at most; and of so many times AT_ONCE cells at least
_LEAST_SUM = 4
_PIECES = 3  # for each thread: other programs may slow one of them down


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of a layer that count: `rows`, row-major numbers, ascending; `weight`, their shares of the mean."""

    rows: Int64[torch.Tensor, "n"]
    weight: Float[torch.Tensor, "n 1"]

    @cached_property
    def roots(self) -> Float[torch.Tensor, "n"]:
        """√ of the weights."""
        return self.weight[:, 0].sqrt()

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
    features: Float32[torch.Tensor, "1 C h w"],
    cells: Cells,
    program: Program | None = None,
    bf16: bool = False,
) -> tuple[Float32[torch.Tensor, "1 C h w"], Float32[torch.Tensor, "C C"]]:
    """The features, for the next layer alone, and G = Σ w f fᵀ over the cells that count (see `losses.masked_gram`).

    What the next layer hands back is changed in place. `program`: compiled kernels. `bf16`: multiply in bf16, where
    they can; the sums are float32.
    """
    fit = program is not None and program.bf16 and features.shape[1] % LANES == 0 and len(cells.rows) > 0
    made = _Bf16Gram if bf16 and fit else _CountedGram
    passed, gram = made.apply(features, cells, program)
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
    def backward(ctx: Any, *gradients: torch.Tensor | None) -> tuple[torch.Tensor | None, None, None]:
        later, gradient = gradients
        if gradient is None:
            return later, None, None
        (weighted,) = ctx.saved_tensors
        later = _changeable(later, ctx.shape, gradient)
        _add(_rows(later), ctx.cells.rows, weighted @ (gradient + gradient.T), ctx.program)
        return later, None, None


class _Bf16Gram(torch.autograd.Function):
    """The same from a = √w f in bf16: G = Σ a aᵀ, whose gradient in f is √w (D + Dᵀ) a."""

    @staticmethod
    def forward(
        ctx: Any, features: torch.Tensor, cells: Cells, program: Program
    ) -> tuple[torch.Tensor, torch.Tensor]:
        ctx.set_materialize_grads(False)
        count, channels = len(cells.rows), features.shape[1]
        bf16 = torch.empty(filled_up(count), channels, dtype=torch.bfloat16)
        rows = _rows(features)
        registers = configuration() if channels % (2 * PAIRS) == 0 else None
        ctx.at_registers = 0 if registers is None else registers.ctypes.data
        piece = _piece(cells, channels)._replace(
            at_features=address(rows), at_bf16=address(bf16), at_registers=ctx.at_registers
        )
        gram = _gram(piece, program) if registers is None else _gram_in_tiles(piece, program)
        ctx.save_for_backward(bf16)
        ctx.cells, ctx.program, ctx.shape = cells, program, features.shape
        return features, gram

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor | None) -> tuple[torch.Tensor | None, None, None]:
        later, gradient = gradients
        if gradient is None:
            return later, None, None
        (bf16,) = ctx.saved_tensors
        channels = bf16.shape[1]
        later = _changeable(later, ctx.shape, gradient)
        strips = (gradient + gradient.T).view(channels, -1, LANES).transpose(0, 1)
        gradients_at = paired(strips[None])
        table = _rows(later)
        piece = _piece(ctx.cells, channels)._replace(
            at_bf16=address(bf16),
            at_gradients=address(gradients_at),
            at_table=address(table),
            at_registers=ctx.at_registers,
        )

        def pull(part: GramArguments) -> None:
            room = torch.empty(AT_ONCE, channels)
            ctx.program.gram_backward(part._replace(at_room=address(room)))

        _in_parts(pull, piece, len(ctx.cells.rows), AT_ONCE)
        return later, None, None


def _gram(piece: GramArguments, program: Program) -> Float32[torch.Tensor, "C C"]:
    """G by vectors, strip by strip; fills `at_bf16`."""
    pairs = torch.empty(-(-piece.cells // 2), piece.channels, 2, dtype=torch.bfloat16)
    gram = torch.empty(piece.channels, piece.channels)
    piece = piece._replace(at_pairs=address(pairs), at_gram=address(gram))
    _in_parts(program.pack, piece, len(pairs), 1)
    _in_parts(program.gram, piece, piece.channels // LANES, 1)
    return gram


def _gram_in_tiles(piece: GramArguments, program: Program) -> Float32[torch.Tensor, "C C"]:
    """G by AMX, as a sum over parts of the cells, of which there are as many whatever the number of threads: the bytes
    must not depend on it. Fills `at_bf16`."""
    step = max(-(-piece.cells // _SUMS // AT_ONCE), _LEAST_SUM) * AT_ONCE
    parts = range(0, piece.cells, step)
    grams = torch.zeros(len(parts), piece.channels, piece.channels)

    def add(number: int) -> None:
        pairs, turned = torch.empty(2, AT_ONCE, piece.channels, dtype=torch.bfloat16)
        first = parts[number]
        program.gram_tiles(
            piece._replace(
                first=first,
                end=min(first + step, piece.cells),
                at_pairs=address(pairs),
                at_turned=address(turned),
                at_gram=address(grams[number]),
            )
        )

    share_out(add, range(len(parts)))
    upper = grams.sum(0).triu()
    return upper + upper.triu(1).T


def _piece(cells: Cells, channels: int) -> GramArguments:
    return GramArguments(0, 0, len(cells.rows), channels, address(cells.rows), address(cells.roots))


def _in_parts(work: Callable[[GramArguments], None], piece: GramArguments, count: int, block: int) -> None:
    """A few parts for each thread, of whole blocks: which they are makes no difference to the bytes."""
    threads = torch.get_num_threads()
    step = -(-count // (1 if threads == 1 else _PIECES * threads) // block) * block
    parts = [(first, min(first + step, count)) for first in range(0, count, step)]
    share_out(lambda part: work(piece._replace(first=part[0], end=part[1])), parts)


def _changeable(
    later: torch.Tensor | None, shape: torch.Size, gradient: torch.Tensor
) -> Float[torch.Tensor, "1 C h w"]:
    """What the next layer hands back, or zeros, as a table of cells that something can be added to."""
    if later is None:
        _, channels, height, width = shape
        return gradient.new_zeros(1, height, width, channels).permute(0, 3, 1, 2)
    return later if suits(later) else later.contiguous(memory_format=torch.channels_last)


def _rows(features: Float[torch.Tensor, "1 C h w"]) -> Float[torch.Tensor, "N C"]:
    return features.permute(0, 2, 3, 1).flatten(0, 2)


def _add(
    table: Float[torch.Tensor, "N C"],
    rows: Int64[torch.Tensor, "n"],
    added: Float[torch.Tensor, "n C"],
    program: Program | None,
) -> None:
    """Add to some rows of a table in place. Each row is named once."""
    if program is None:
        table.index_add_(0, rows, added)
        return
    channels = table.shape[1]
    step = max(_AT_ONCE // channels, 1)
    places = (address(rows), address(added), address(table))
    parts = [(first, min(first + step, len(rows))) for first in range(0, len(rows), step)]
    share_out(lambda part: program.add(AddArguments(*part, channels, *places)), parts)
