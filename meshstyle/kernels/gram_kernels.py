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
from .tile_programs import begin_tiles, end_tiles, tile_product
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


_tiles = tile_product(AT_ONCE // TILE_ROWS, 1)
_add_products, _multiply = _over_strips(ROWS, adds=True), _over_strips(BLOCK, adds=False)


def pack(address):  # type: ignore[no-untyped-def]
    """Fill `at_pairs` and `at_bf16` for some pairs of cells. Where the last one has no partner, that is zeros."""
    piece = _piece_at(address)
    for pair in range(piece.first, piece.end):
        one = 2 * pair
        other = min(one + 1, piece.cells - 1)
        root = float_at(piece.at_roots, one)
        other_root = float_at(piece.at_roots, other) if other > one else _NOTHING
        source = piece.at_features + 4 * piece.channels * long_at(piece.at_rows, one)
        other_source = piece.at_features + 4 * piece.channels * long_at(piece.at_rows, other)
        target = piece.at_pairs + 4 * piece.channels * pair
        bf16 = piece.at_bf16 + 2 * piece.channels * one
        for channel in range(0, piece.channels, LANES):
            _pack(source, other_source, root, other_root, channel, target, bf16, 2 * piece.channels)


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
    """The same in AMX's registers, all of AT_ONCE cells for one strip after the other."""
    channels, depth = piece.channels, piece.channels // 2
    strip_step, step = 4 * LANES * depth, 4 * channels
    for strip in range(channels // LANES):
        column, place = piece.at_gradients + strip * strip_step, piece.at_room + 4 * LANES * strip
        _tiles(rows, 2 * channels, column, strip_step, depth, place, step)


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
