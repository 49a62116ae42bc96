"""Winograd's F(4×4, 3×3) compiled for the CPU, one piece of a convolution at a time. Importing this imports numba.

Lavin & Gray, Fast Algorithms for Convolutional Neural Networks (CVPR 2016), section 4.3: a tile of 6×6 values becomes
Bᵀ d B, is multiplied with the kernel's G g Gᵀ, and Aᵀ m A are 4×4 values of the convolution.

Pictures are stored pixel by pixel, channels side by side, so that neighbouring channels are one vector load. Where a
tile's values lie is a table of addresses, filled once per tile: padding, borders and pooling are entries of that
table (a zero for what lies outside, the border's pixel where it is replicated, a dump for results nobody wants), and
all tiles run the same code.

The whole works on addresses, so that what comes out is a function of C that needs nothing of numba when it runs.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .addresses import float_at, long_at, reader_of, set_byte, set_float, set_long
from .cpu_features import multiplies_bf16
from .tile_programs import begin_tiles, end_tiles, tile_product
from .tile_registers import PAIRS, ROWS
from .winograd_arguments import BLOCK, LANES, STEP, TILE, WinogradArguments
from .winograd_vectors import WIDE, input_program, output_program, product_program

_HALVES = multiplies_bf16()  # elsewhere no piece asks for them, and their programs are those of float32
_plain_input, _masked_input = input_program(False, False), input_program(True, False)
_plain_bf16, _masked_bf16 = input_program(False, _HALVES), input_program(True, _HALVES)
_linear_output, _rectified_output = output_program(False, False), output_program(True, False)
_pooled_output = output_program(True, True)
_narrow_product, _wide_product = product_program(BLOCK, 1, False), product_program(BLOCK, WIDE, False)
_narrow_bf16, _wide_bf16 = product_program(BLOCK, 1, _HALVES), product_program(BLOCK, WIDE, _HALVES)
_one_tile, _two_rows, _two_strips, _four_tiles = (tile_product(r, s) for s in (1, 2) for r in (1, 2))
_SECOND = 8 * TILE * TILE  # bytes from the first table to the second
_compiled = njit(nogil=True, error_model="numpy")
_piece_at = reader_of(WinogradArguments)


@_compiled
def _tile(number, piece):  # type: ignore[no-untyped-def]
    return long_at(piece.at_list, number) if piece.at_list else number


@_compiled
def _input_places(tile, piece):  # type: ignore[no-untyped-def]
    """Fill the tables with the addresses of the 36 values of a tile, and of their masks."""
    height, width, channels = piece.source_height, piece.source_width, piece.inputs
    picture, tile = tile // (piece.rows * piece.columns), tile % (piece.rows * piece.columns)
    top, left = STEP * (tile // piece.columns) - piece.pad, STEP * (tile % piece.columns) - piece.pad
    shrink = 2 if piece.spread else 1
    for i in range(TILE):
        row = min(max(top + i, 0), piece.height - 1)
        y = row // shrink
        known = (piece.replicate or row == top + i) and y < height
        for j in range(TILE):
            column = min(max(left + j, 0), piece.width - 1)
            x = column // shrink
            place = piece.at_blank
            if known and (piece.replicate or column == left + j) and x < width:
                place = piece.at_source + 4 * ((picture * height + y) * width + x) * channels
            set_long(piece.at_tables, TILE * i + j, place)
            pixel = (picture * piece.height + row) * piece.width + column
            set_long(piece.at_tables + _SECOND, TILE * i + j, piece.at_mask + pixel * channels)


@_compiled
def _transform_input(first, tiles, piece):  # type: ignore[no-untyped-def]
    sources, masks = piece.at_tables, piece.at_tables + _SECOND
    scale = np.float32(0.25) if piece.spread else np.float32(1)
    for number in range(tiles):
        _input_places(_tile(first + number, piece), piece)
        target = piece.at_before + (2 if piece.bf16 else 4) * number * piece.inputs
        for channel in range(0, piece.inputs, LANES):
            if piece.bf16 and piece.at_mask:
                _masked_bf16(sources, masks, scale, channel, target, piece.before_row)
            elif piece.bf16:
                _plain_bf16(sources, masks, scale, channel, target, piece.before_row)
            elif piece.at_mask:
                _masked_input(sources, masks, scale, channel, target, piece.before_row)
            else:
                _plain_input(sources, masks, scale, channel, target, piece.before_row)


@_compiled
def _multiply(tiles, piece):  # type: ignore[no-untyped-def]
    """36 products of matrices. The sums run over the true input channels only, without those filled up."""
    strips, depth = piece.outputs // LANES, piece.depth
    row_step, strip_step = (2 if piece.bf16 else 4) * piece.inputs, 4 * LANES * depth
    step = 4 * LANES * piece.strips
    for number in range(TILE * TILE):
        rows = piece.at_before + number * piece.before_row
        columns = piece.at_matrices + (number * strips + piece.strip) * strip_step
        target = piece.at_after + number * piece.after_row
        done = 0
        while done < piece.strips:
            wide = piece.strips - done >= WIDE
            for tile in range(0, tiles, BLOCK):
                row, column = rows + tile * row_step, columns + done * strip_step
                place = target + tile * step + 4 * LANES * done
                if piece.bf16 and wide:
                    _wide_bf16(row, row_step, 1, column, strip_step, LANES, depth, place, step)
                elif piece.bf16:
                    _narrow_bf16(row, row_step, 1, column, strip_step, LANES, depth, place, step)
                elif wide:
                    _wide_product(row, row_step, 1, column, strip_step, LANES, depth, place, step)
                else:
                    _narrow_product(row, row_step, 1, column, strip_step, LANES, depth, place, step)
            done += WIDE if wide else 1


@_compiled
def _multiply_tiles(tiles, piece):  # type: ignore[no-untyped-def]
    """The same in AMX's registers, up to 32 rows and two strips at a time."""
    row_step, strip_step = 2 * piece.inputs, 4 * LANES * piece.depth
    step, depth = 4 * LANES * piece.strips, piece.depth // PAIRS
    below, wide, deep = ROWS * row_step, 4 * PAIRS, 4 * PAIRS * LANES
    for number in range(TILE * TILE):
        rows = piece.at_before + number * piece.before_row
        columns = piece.at_matrices + (number * (piece.outputs // LANES) + piece.strip) * strip_step
        target = piece.at_after + number * piece.after_row
        for strip in range(0, piece.strips, 2):
            for tile in range(0, tiles, 2 * ROWS):
                row, column = rows + tile * row_step, columns + strip * strip_step
                place = target + tile * step + 4 * LANES * strip
                if tile + ROWS < tiles and strip + 1 < piece.strips:
                    _four_tiles(
                        row, row_step, below, wide, column, wide, strip_step, deep, depth, place, step
                    )
                elif strip + 1 < piece.strips:
                    _two_strips(
                        row, row_step, below, wide, column, wide, strip_step, deep, depth, place, step
                    )
                elif tile + ROWS < tiles:
                    _two_rows(row, row_step, below, wide, column, wide, strip_step, deep, depth, place, step)
                else:
                    _one_tile(row, row_step, below, wide, column, wide, strip_step, deep, depth, place, step)


@_compiled
def _output_places(tile, piece):  # type: ignore[no-untyped-def]
    """Fill the tables with the addresses of the results of a tile, and of their masks."""
    height, width, channels = piece.target_height, piece.target_width, piece.outputs
    side = STEP // 2 if piece.pooled else STEP
    picture, tile = tile // (piece.rows * piece.columns), tile % (piece.rows * piece.columns)
    row, column, first = tile // piece.columns, tile % piece.columns, LANES * piece.strip
    for i in range(side):
        for j in range(side):
            y, x = side * row + i, side * column + j
            place = piece.at_dump
            if y < height and x < width:
                place = piece.at_target + 4 * (((picture * height + y) * width + x) * channels + first)
            set_long(piece.at_tables, side * i + j, place)
    for i in range(STEP):
        for j in range(STEP):
            y, x = STEP * row + i, STEP * column + j
            place = piece.at_dump
            if piece.at_made_mask and y < piece.made_height and x < piece.made_width:
                pixel = (picture * piece.made_height + y) * piece.made_width + x
                place = piece.at_made_mask + pixel * channels + first
            set_long(piece.at_tables + _SECOND, STEP * i + j, place)


@_compiled
def _transform_output(first, tiles, piece):  # type: ignore[no-untyped-def]
    channels = LANES * piece.strips
    targets, masks = piece.at_tables, piece.at_tables + _SECOND
    biases = piece.at_bias + 4 * LANES * piece.strip
    for number in range(tiles):
        _output_places(_tile(first + number, piece), piece)
        source = piece.at_after + 4 * number * channels
        for channel in range(0, channels, LANES):
            if not piece.at_bias:
                _linear_output(source, piece.after_row, biases, channel, targets, masks)
            elif piece.pooled:
                _pooled_output(source, piece.after_row, biases, channel, targets, masks)
            else:
                _rectified_output(source, piece.after_row, biases, channel, targets, masks)


def convolve(address):  # type: ignore[no-untyped-def]
    """Make the piece of a convolution whose numbers lie at an address."""
    piece = _piece_at(address)
    first, end = piece.first, piece.first + piece.tiles
    while first < end:  # not a range: one of step 0 would raise, and that needs numba
        tiles = min(piece.at_once, end - first)
        _transform_input(first, tiles, piece)
        if piece.at_registers:
            begin_tiles(piece.at_registers)
            _multiply_tiles(tiles, piece)
            end_tiles()
        else:
            _multiply(tiles, piece)
        _transform_output(first, tiles, piece)
        first += piece.at_once


def fill(address):  # type: ignore[no-untyped-def]
    """Fill tiles of a result with the same values for every pixel: those at `at_bias`, or zeros.

    Their masks let nothing pass: no gradient from there leads to anything that is wanted, but it would leave its
    rounding in what is, where both lie in one tile.
    """
    piece = _piece_at(address)
    side = STEP // 2 if piece.pooled else STEP
    for number in range(piece.first, piece.first + piece.tiles):
        _output_places(_tile(number, piece), piece)
        for place in range(side * side):
            target = long_at(piece.at_tables, place)
            for channel in range(piece.outputs):
                value = float_at(piece.at_bias, channel) if piece.at_bias else np.float32(0)
                set_float(target, channel, value)
        for place in range(STEP * STEP if piece.at_made_mask else 0):
            mask = long_at(piece.at_tables + _SECOND, place)
            for channel in range(piece.outputs):
                set_byte(mask, channel, np.uint8(0))
