"""Parts of the work on rows of texels as the compiled kernels take it: numbers and addresses. Needs no compiler.

All addresses are of what lies in memory one after the other. `first` and `end`: the part, of the V rows of a step.
"""

from __future__ import annotations

from typing import NamedTuple


class StepArguments(NamedTuple):
    """Some rows of a step of Adam (see `optimize.adam`).

    Attributes:
        at_rows: (V,) int64, of the tables of T rows.
        at_gradient: (V, 3) float32.
        at_values, at_mean, at_square: (T, 3) float32, changed.
        at_count: (T,) int32, the steps that each row has made, changed.
        at_corrections: float32, what a row's step is multiplied with, by the steps it has made before.
        at_factors: (3,) float32: the step's length, 1 − β₁ and 1 − β₂.
    """

    first: int
    end: int
    at_rows: int
    at_gradient: int
    at_values: int
    at_mean: int
    at_square: int
    at_count: int
    at_corrections: int
    at_factors: int


class AddArguments(NamedTuple):
    """Some rows of a table to which something is added (see `style.masked_gram`).

    Attributes:
        channels: numbers in a row.
        at_rows: (V,) int64, of the table, each once.
        at_added: (V, channels) float32.
        at_table: (T, channels) float32, changed.
    """

    first: int
    end: int
    channels: int
    at_rows: int
    at_added: int
    at_table: int


class SmoothArguments(NamedTuple):
    """Some rows of the gradient of smoothness (see `optimize.total_variation`).

    Attributes:
        at_rows: (V,) int64, of the table of T rows.
        at_near: (T, 4) int32, the neighbours of each row of the table, itself where it has none.
        at_paint: (T, 3) float32.
        at_gradient: (V, 3) float32, out: a·s − b·Σ s for the sum s of a row's steps to its neighbours.
        at_factors: (2,) float32: a and b.
        at_sums: (2,) float32, out: of the squares of all steps, and of the squares of their channels' sums.
    """

    first: int
    end: int
    at_rows: int
    at_near: int
    at_paint: int
    at_gradient: int
    at_factors: int
    at_sums: int
