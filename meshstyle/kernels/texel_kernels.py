"""What is done to rows of texels in every step, compiled for the CPU. Importing this imports numba.

Rows of three floats are fetched from all over a table: as one loop that takes about as long as memory does, where
torch goes over all rows once for each of a dozen operations.
"""

from __future__ import annotations

import numpy as np

from .addresses import float_at, int_at, long_at, reader_of, root, set_float, set_int
from .texel_arguments import AddArguments, SmoothArguments, StepArguments

_step_at, _add_at, _smooth_at = reader_of(StepArguments), reader_of(AddArguments), reader_of(SmoothArguments)
_NOTHING, _ALL, _TINY = np.float32(0), np.float32(1), np.float32(1e-8)


def step(address):  # type: ignore[no-untyped-def]
    """Make the StepArguments whose numbers lie at an address."""
    piece = _step_at(address)
    rate = float_at(piece.at_factors, 0)
    fresh, fresh_square = float_at(piece.at_factors, 1), float_at(piece.at_factors, 2)
    for number in range(piece.first, piece.end):
        row = long_at(piece.at_rows, number)
        count = int_at(piece.at_count, row)
        set_int(piece.at_count, row, count + 1)
        length = rate * float_at(piece.at_corrections, count)
        for channel in range(3):
            place = 3 * row + channel
            gradient = float_at(piece.at_gradient, 3 * number + channel)
            mean, square = float_at(piece.at_mean, place), float_at(piece.at_square, place)
            mean += (gradient - mean) * fresh
            square += (gradient * gradient - square) * fresh_square
            set_float(piece.at_mean, place, mean)
            set_float(piece.at_square, place, square)
            value = float_at(piece.at_values, place) - length * (mean / (root(square) + _TINY))
            set_float(piece.at_values, place, min(max(value, _NOTHING), _ALL))


def add(address):  # type: ignore[no-untyped-def]
    """Make the AddArguments whose numbers lie at an address."""
    piece = _add_at(address)
    for number in range(piece.first, piece.end):
        source = piece.at_added + 4 * piece.channels * number
        target = piece.at_table + 4 * piece.channels * long_at(piece.at_rows, number)
        for channel in range(piece.channels):
            set_float(target, channel, float_at(target, channel) + float_at(source, channel))


def smooth(address):  # type: ignore[no-untyped-def]
    """Make the SmoothArguments whose numbers lie at an address."""
    piece = _smooth_at(address)
    alone, together = float_at(piece.at_factors, 0), float_at(piece.at_factors, 1)
    squares, greys = 0.0, 0.0  # in double precision: they are many
    for number in range(piece.first, piece.end):
        row = long_at(piece.at_rows, number)
        place = 3 * row
        red, green = float_at(piece.at_paint, place), float_at(piece.at_paint, place + 1)
        blue = float_at(piece.at_paint, place + 2)
        reds, greens, blues = _NOTHING, _NOTHING, _NOTHING
        for side in range(4):
            near = 3 * int_at(piece.at_near, 4 * row + side)
            by_red = red - float_at(piece.at_paint, near)
            by_green = green - float_at(piece.at_paint, near + 1)
            by_blue = blue - float_at(piece.at_paint, near + 2)
            reds, greens, blues = reds + by_red, greens + by_green, blues + by_blue
            grey = by_red + by_green + by_blue
            squares += by_red * by_red + by_green * by_green + by_blue * by_blue
            greys += grey * grey
        common = together * (reds + greens + blues)
        set_float(piece.at_gradient, 3 * number, alone * reds - common)
        set_float(piece.at_gradient, 3 * number + 1, alone * greens - common)
        set_float(piece.at_gradient, 3 * number + 2, alone * blues - common)
    set_float(piece.at_sums, 0, np.float32(squares))
    set_float(piece.at_sums, 1, np.float32(greys))
