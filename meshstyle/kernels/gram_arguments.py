"""A part of a Gram matrix in bf16, or of its gradient, as the compiled kernels take it. Needs no compiler."""

from __future__ import annotations

from typing import NamedTuple

from .tile_registers import PAIRS
from .tile_registers import ROWS as TILE_ROWS
from .winograd_arguments import BLOCK, LANES

ROWS = 4  # channels whose products with others are summed at once
AT_ONCE = 192  # cells that are worked on together: whole blocks, and whole tiles of AMX
DEEP = 1 << 17  # numbers of the table of pairs that are gone over together: they stay in a core's cache


class GramArguments(NamedTuple):
    """A part of G = Σ a aᵀ over n cells, a = √w f, and of its gradient in f (see `style.masked_gram`).

    Attributes:
        first, end: the part: of pairs of cells (`pack`), of strips of LANES rows of G (`gram`), of cells
            (`gram_backward`, and `gram_tiles`, from a multiple of AT_ONCE on).
        cells, channels: n, and C, a multiple of LANES.
        at_rows: (n,) int64, of the tables of N cells.
        at_roots: (n,) float32, √w.
        at_features: (N, C) float32, f.
        at_pairs: (⌈n / 2⌉, C) pairs of bf16: a of two cells side by side, channel by channel; `pack` makes it.
        at_bf16: (n', C) bf16: a, cell by cell; n' is n filled up (`filled_up`). `pack` makes it too.
        at_gram: (C, C) float32, out.
        at_gradients: (C / LANES, C / 2, LANES, 2) bf16: D + Dᵀ for the gradient D in G, pairs of rows side by side.
        at_table: (N, C) float32, to which `gram_backward` adds the gradient in f.
        at_room: (AT_ONCE, C) float32, scratch.
        at_turned: (AT_ONCE / 2 / PAIRS, C, PAIRS) pairs of bf16, scratch: `at_pairs`, which holds AT_ONCE cells for
            `gram_tiles`, with rows and columns exchanged, PAIRS rows at a time.
        at_registers: 64 bytes that set up AMX's tile registers (see `tile_registers`); 0: without them.
    """

    first: int
    end: int
    cells: int
    channels: int
    at_rows: int
    at_roots: int
    at_features: int = 0
    at_pairs: int = 0
    at_bf16: int = 0
    at_gram: int = 0
    at_gradients: int = 0
    at_table: int = 0
    at_room: int = 0
    at_turned: int = 0
    at_registers: int = 0


def filled_up(cells: int) -> int:
    """Rows of `at_bf16`: whole pairs, and as many as are worked on together."""
    return -(-cells // AT_ONCE) * AT_ONCE


assert AT_ONCE % BLOCK == 0
assert AT_ONCE % (2 * PAIRS) == 0
assert AT_ONCE % TILE_ROWS == 0
assert LANES % ROWS == 0
