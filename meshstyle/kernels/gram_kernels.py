"""Gram matrices and their gradients from bf16, compiled for processors that multiply it. Importing this imports numba.

What is multiplied are pairs, whose two products are added at once. In G = Σ a aᵀ they are of two cells, so cells lie
interleaved; in the gradient (D + Dᵀ) a they are of two channels, so they lie as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from .addresses import float_at, long_at, reader_of, set_float
from .cpu_features import multiplies_bf16
from .gram_arguments import AT_ONCE, DEEP, ROWS, GramArguments
from .tile_programs import begin_tiles, end_tiles, tile_product, turn_tile
from .tile_registers import PAIRS
from .tile_registers import ROWS as TILE_ROWS
from .winograd_arguments import BLOCK, LANES
from .winograd_vectors import WIDE, pack_program, product_program

_HALVES = multiplies_bf16()  # elsewhere nothing here is called
_NOTHING = np.float32(0)
_compiled = njit(nogil=True, error_model="numpy")
_piece_at = reader_of(GramArguments)
_pack = pack_program(_HALVES)


def _over_strips(rows: int, adds: bool) -> Any:
    """`product_program` for any number of strips, which comes first."""
    narrow, wide = (product_program(rows, strips, _HALVES, adds) for strips in (1, WIDE))

    @_compiled
    def multiply(strips, left, left_step, left_apart, right, right_step, right_apart, depth, target, step):  # type: ignore[no-untyped-def]
        while strips > 0:
            done = WIDE if strips >= WIDE else 1
            if done == WIDE:
                wide(left, left_step, left_apart, right, right_step, right_apart, depth, target, step)
            else:
                narrow(left, left_step, left_apart, right, right_step, right_apart, depth, target, step)
            right, target = right + done * right_step, target + 4 * LANES * done
            strips -= done

    return multiply


_square = tile_product(2, 2)
_add_square = tile_product(2, 2, adds=True)
_add_products, _multiply = _over_strips(ROWS, adds=True), _over_strips(BLOCK, adds=False)


@_compiled
def _pack_pair(one, target, piece):  # type: ignore[no-untyped-def]
    """A cell and the next; zeros where there is none."""
    last = piece.cells - 1
    root = float_at(piece.at_roots, one) if one <= last else _NOTHING
    other_root = float_at(piece.at_roots, one + 1) if one < last else _NOTHING
    source = piece.at_features + 4 * piece.channels * long_at(piece.at_rows, min(one, last))
    other_source = piece.at_features + 4 * piece.channels * long_at(piece.at_rows, min(one + 1, last))
    bf16 = piece.at_bf16 + 2 * piece.channels * one
    for channel in range(0, piece.channels, LANES):
        _pack(source, other_source, root, other_root, channel, target, bf16, 2 * piece.channels)


def pack(address):  # type: ignore[no-untyped-def]
    """Fill `at_pairs` and `at_bf16` for some pairs of cells. Where the last one has no partner, that is zeros."""
    piece = _piece_at(address)
    for pair in range(piece.first, piece.end):
        _pack_pair(2 * pair, piece.at_pairs + 4 * piece.channels * pair, piece)


@_compiled
def _strip(strip, piece):  # type: ignore[no-untyped-def]
    """LANES rows of G from the diagonal on."""
    channels, step = piece.channels, 4 * piece.channels
    pairs = (piece.cells + 1) // 2
    for row in range(LANES * strip, LANES * (strip + 1)):
        for column in range(LANES * strip, channels):
            set_float(piece.at_gram + row * step, column, _NOTHING)
    deep = DEEP // channels
    first = 0
    while first < pairs:  # not a range: one of step 0 would raise, and that needs numba
        depth = min(deep, pairs - first)
        table = piece.at_pairs + first * step
        for row in range(LANES * strip, LANES * (strip + 1), ROWS):
            rows, columns = table + 4 * row, table + 4 * LANES * strip
            target = piece.at_gram + row * step + 4 * LANES * strip
            left = channels // LANES - strip
            _add_products(left, rows, 4, channels, columns, 4 * LANES, channels, depth, target, step)
        first += deep


def gram(address):  # type: ignore[no-untyped-def]
    """Make some strips of rows of G, and what is the same on the other side of the diagonal."""
    piece = _piece_at(address)
    step = 4 * piece.channels
    for strip in range(piece.first, piece.end):
        _strip(strip, piece)
        for row in range(LANES * strip, LANES * (strip + 1)):
            for column in range(LANES * (strip + 1), piece.channels):
                set_float(piece.at_gram + column * step, row, float_at(piece.at_gram + row * step, column))


def gram_tiles(address):  # type: ignore[no-untyped-def]
    """Add to G, above its diagonal and a little more, the products of some cells, in AMX's registers; fill `at_bf16`.

    AT_ONCE cells are packed and multiplied before the next ones, so that they are still in the core's cache.
    """
    piece = _piece_at(address)
    begin_tiles(piece.at_registers)
    for first in range(piece.first, piece.end, AT_ONCE):
        for pair in range(AT_ONCE // 2):
            _pack_pair(first + 2 * pair, piece.at_pairs + 4 * piece.channels * pair, piece)
        for block in range(AT_ONCE // 2 // PAIRS):
            for channel in range(0, piece.channels, LANES):
                source = piece.at_pairs + 4 * (piece.channels * PAIRS * block + channel)
                target = piece.at_turned + 4 * PAIRS * (piece.channels * block + channel)
                turn_tile(source, 4 * piece.channels, target)
        _add_squares(piece)
    end_tiles()


@_compiled
def _add_squares(piece):  # type: ignore[no-untyped-def]
    """The products of AT_ONCE cells, 32 by 32 channels at a time."""
    step, depth, row = 4 * piece.channels, AT_ONCE // 2 // PAIRS, 4 * PAIRS
    strip, deep = TILE_ROWS * row, row * piece.channels
    for top in range(0, piece.channels, 2 * LANES):
        for left in range(top, piece.channels, 2 * LANES):
            rows, columns = piece.at_turned + row * top, piece.at_pairs + 4 * left
            place = piece.at_gram + step * top + 4 * left
            _add_square(rows, row, strip, deep, columns, step, 4 * LANES, PAIRS * step, depth, place, step)


@_compiled
def _multiply_blocks(rows, piece):  # type: ignore[no-untyped-def]
    """AT_ONCE cells of (D + Dᵀ) a, into `at_room`."""
    channels, depth = piece.channels, piece.channels // 2
    strips, strip_step, step = channels // LANES, 4 * LANES * depth, 4 * channels
    for block in range(0, AT_ONCE, BLOCK):
        row, place = rows + 2 * channels * block, piece.at_room + step * block
        _multiply(strips, row, 2 * channels, 1, piece.at_gradients, strip_step, LANES, depth, place, step)


@_compiled
def _multiply_tiles(rows, piece):  # type: ignore[no-untyped-def]
    """The same in AMX's registers."""
    channels = piece.channels
    step, row, depth = 4 * channels, 2 * channels, channels // 2 // PAIRS
    strip, wide = 4 * LANES * channels // 2, 4 * PAIRS
    for left in range(0, channels, 2 * LANES):
        column = piece.at_gradients + left // LANES * strip
        for top in range(0, AT_ONCE, 2 * TILE_ROWS):
            here, place = rows + row * top, piece.at_room + step * top + 4 * left
            _square(here, row, TILE_ROWS * row, wide, column, wide, strip, wide * LANES, depth, place, step)


def gram_backward(address):  # type: ignore[no-untyped-def]
    """Add to the gradient in the features of some cells that of the Gram matrix: √w (D + Dᵀ) a."""
    piece = _piece_at(address)
    channels = piece.channels
    for first in range(piece.first, piece.end, AT_ONCE):
        rows = piece.at_bf16 + 2 * channels * first
        if piece.at_registers:
            begin_tiles(piece.at_registers)
            _multiply_tiles(rows, piece)
            end_tiles()
        else:
            _multiply_blocks(rows, piece)
        for number in range(min(AT_ONCE, piece.end - first)):
            source = piece.at_room + 4 * channels * number
            target = piece.at_table + 4 * channels * long_at(piece.at_rows, first + number)
            root = float_at(piece.at_roots, first + number)
            for channel in range(channels):
                set_float(target, channel, float_at(target, channel) + root * float_at(source, channel))
