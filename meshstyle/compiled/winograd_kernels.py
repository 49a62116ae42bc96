"""Winograd's F(4×4, 3×3) compiled for the CPU, one piece of a convolution at a time. Importing this imports numba.

Lavin & Gray, Fast Algorithms for Convolutional Neural Networks (CVPR 2016), section 4.3: a tile of 6×6 values becomes
Bᵀ d B, is multiplied with the kernel's G g Gᵀ, and Aᵀ m A are 4×4 values of the convolution.

Pictures are stored pixel by pixel, channels side by side, so that neighbouring channels are one vector load. Where a
tile's values lie is a table of addresses, filled once per tile: padding, borders and pooling are entries of that
table (a zero for what lies outside, the border's pixel where it is replicated, a dump for results nobody wants), and
all tiles run the same code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit, types
from numba.core.registry import cpu_target

from .winograd_vectors import BLOCK, LANES, STEP, TILE, input_program, output_program, product_program


class Piece(NamedTuple):
    """Some tiles and channels of a convolution.

    Attributes:
        height, width: of the picture that is read, pixels.
        made_height, made_width: of the picture that is made.
        pad: pixels by which the first tile reaches over the border of the picture that is read.
        replicate: 1: the border goes on outside; 0: there are zeros.
        spread: 1: what is read was pooled: one value for 2×2 pixels of the picture.
        pooled: 1: what is made is pooled.
        rows, columns: tiles along the sides of the picture.
        at_once: tiles that are taken through all steps together; a multiple of BLOCK.
        first, tiles: number of the first tile, row by row and picture by picture, and how many there are.
        strip, strips: the first strip of LANES output channels, and how many.
    """

    height: int
    width: int
    made_height: int
    made_width: int
    pad: int
    replicate: int
    spread: int
    pooled: int
    rows: int
    columns: int
    at_once: int
    first: int = 0
    tiles: int = 0
    strip: int = 0
    strips: int = 0


def machine() -> tuple[str, ...]:
    """What the compiled code is made for: system, processor and its features."""
    found: tuple[str, ...] = cpu_target.target_context.codegen().magic_tuple()
    return found


# Sums of 6 tiles by 4 strips fill AVX-512's 32 registers; by 1 strip, the 16 of AVX2 and NEON's.
_WIDE = 4 if any("+avx512f" in fact for fact in machine()) else 1
_plain_input, _masked_input = input_program(False), input_program(True)
_linear_output, _rectified_output = output_program(False, False), output_program(True, False)
_pooled_output = output_program(True, True)
_narrow_product, _wide_product = product_program(1), product_program(_WIDE)
_compiled = njit(nogil=True, error_model="numpy")


@_compiled
def _input_places(tile, piece, source, mask, blank, tables):  # type: ignore[no-untyped-def]
    """Fill the tables with the addresses of the 36 values of a tile, and of their masks."""
    height, width, channels = source.shape[1], source.shape[2], source.shape[3]
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
            if known and (piece.replicate or column == left + j) and x < width:
                pixel = (picture * height + y) * width + x
                tables[0, TILE * i + j] = source.ctypes.data + 4 * pixel * channels
            else:
                tables[0, TILE * i + j] = blank.ctypes.data
            pixel = (picture * piece.height + row) * piece.width + column
            tables[1, TILE * i + j] = mask.ctypes.data + pixel * channels


@_compiled
def _transform_input(first, tiles, piece, source, mask, scale, tables, blank, before):  # type: ignore[no-untyped-def]
    channels = source.shape[3]
    sources, masks = tables.ctypes.data, tables.ctypes.data + 8 * TILE * TILE
    for number in range(tiles):
        _input_places(first + number, piece, source, mask, blank, tables)
        target = before.ctypes.data + 4 * number * channels
        for channel in range(0, channels, LANES):
            if mask.size:
                _masked_input(sources, masks, scale, channel, target, 4 * before.shape[1])
            else:
                _plain_input(sources, masks, scale, channel, target, 4 * before.shape[1])


@_compiled
def _multiply(tiles, piece, before, inputs, matrices, after):  # type: ignore[no-untyped-def]
    """36 products of matrices. The sums run over the true input channels only, without those filled up."""
    strips, depth = matrices.shape[1], matrices.shape[2]
    row_step, strip_step, step = 4 * inputs, 4 * LANES * depth, 4 * LANES * piece.strips
    for number in range(TILE * TILE):
        rows = before.ctypes.data + 4 * number * before.shape[1]
        columns = matrices.ctypes.data + (number * strips + piece.strip) * strip_step
        target = after.ctypes.data + 4 * number * after.shape[1]
        done = 0
        while done < piece.strips:
            wide = piece.strips - done >= _WIDE
            for tile in range(0, tiles, BLOCK):
                row, column = rows + tile * row_step, columns + done * strip_step
                place = target + tile * step + 4 * LANES * done
                if wide:
                    _wide_product(row, row_step, column, strip_step, depth, place, step)
                else:
                    _narrow_product(row, row_step, column, strip_step, depth, place, step)
            done += _WIDE if wide else 1


@_compiled
def _output_places(tile, piece, dump, target, mask, tables):  # type: ignore[no-untyped-def]
    """Fill the tables with the addresses of the results of a tile, and of their masks."""
    height, width, channels = target.shape[1], target.shape[2], target.shape[3]
    side = STEP // 2 if piece.pooled else STEP
    picture, tile = tile // (piece.rows * piece.columns), tile % (piece.rows * piece.columns)
    row, column, first = tile // piece.columns, tile % piece.columns, LANES * piece.strip
    for i in range(side):
        for j in range(side):
            y, x = side * row + i, side * column + j
            tables[0, side * i + j] = dump.ctypes.data
            if y < height and x < width:
                pixel = (picture * height + y) * width + x
                tables[0, side * i + j] = target.ctypes.data + 4 * (pixel * channels + first)
    for i in range(STEP):
        for j in range(STEP):
            y, x = STEP * row + i, STEP * column + j
            tables[1, STEP * i + j] = dump.ctypes.data
            if mask.size and y < piece.made_height and x < piece.made_width:
                pixel = (picture * piece.made_height + y) * piece.made_width + x
                tables[1, STEP * i + j] = mask.ctypes.data + pixel * channels + first


@_compiled
def _transform_output(first, tiles, piece, after, bias, tables, dump, target, mask):  # type: ignore[no-untyped-def]
    channels, apart = LANES * piece.strips, 4 * after.shape[1]
    targets, masks = tables.ctypes.data, tables.ctypes.data + 8 * TILE * TILE
    biases = bias.ctypes.data + 4 * LANES * piece.strip
    for number in range(tiles):
        _output_places(first + number, piece, dump, target, mask, tables)
        source = after.ctypes.data + 4 * number * channels
        for channel in range(0, channels, LANES):
            if not bias.size:
                _linear_output(source, apart, biases, channel, targets, masks)
            elif piece.pooled:
                _pooled_output(source, apart, biases, channel, targets, masks)
            else:
                _rectified_output(source, apart, biases, channel, targets, masks)


def _convolve(piece, scratch, source, mask, scale, matrices, bias, target, made_mask):  # type: ignore[no-untyped-def]
    """Make one piece of a convolution: ReLU(source ∗ kernel + bias), or without a bias the bare convolution.

    C and K stand for the numbers of channels filled up to multiples of LANES.

    Args:
        scratch: from `divide_scratch`, for `piece.at_once` tiles or more.
        source: (B, h, w, C) float32: a picture, or a gradient that a ReLU's mask, and pooling, come before.
        mask: (B, H, W, C) uint8, what that ReLU let through; of size 0: nothing is masked.
        scale: factor on what is masked.
        matrices: (36, K / LANES, inputs, LANES) float32, from `transformed`.
        bias: (K,) float32, or of size 0.
        target: (B, H', W', K) float32, out; half as high and wide where `piece.pooled`.
        made_mask: (B, H', W', K) uint8, out: 1 where the ReLU lets pass; of size 0: not wanted.
    """
    before, after, tables, blank, dump = scratch
    end = piece.first + piece.tiles
    for first in range(piece.first, end, piece.at_once):
        tiles = min(piece.at_once, end - first)
        _transform_input(first, tiles, piece, source, mask, scale, tables, blank, before)
        _multiply(tiles, piece, before, source.shape[3], matrices, after)
        _transform_output(first, tiles, piece, after, bias, tables, dump, target, made_mask)


class Scratch(NamedTuple):
    """Memory that tiles pass through.

    Attributes:
        before, after: (36, n) float32, the transformed tiles and their products, one row for each of the 36.
        tables: (2, 36) int64, addresses.
        blank: (channels,) zeros.
        dump: (channels,) for results that nobody wants.
    """

    before: np.ndarray
    after: np.ndarray
    tables: np.ndarray
    blank: np.ndarray
    dump: np.ndarray


def scratch_size(tiles: int, inputs: int, outputs: int) -> int:
    """Floats that `divide_scratch` needs."""
    return TILE * TILE * (tiles * (inputs + outputs) + 2 * LANES) + 2 * max(inputs, outputs) + 4 * TILE * TILE


def divide_scratch(room: np.ndarray, tiles: int, inputs: int, outputs: int) -> Scratch:
    """Memory for so many tiles (a multiple of BLOCK) and channels (multiples of LANES), cut from a flat array."""
    # Rows whose distance is a power of two would share a few lines of the cache: one vector more avoids that.
    before, after = (tiles * channels + LANES for channels in (inputs, outputs))
    sizes = (TILE * TILE * before, TILE * TILE * after, 4 * TILE * TILE, *[max(inputs, outputs)] * 2)
    ends = np.cumsum(sizes)
    parts = [room[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    tables, blank = parts[2].view(np.int64).reshape(2, -1), parts[3]
    blank[:] = 0
    return Scratch(parts[0].reshape(-1, before), parts[1].reshape(-1, after), tables, blank, parts[4])


def compile_convolution(cached: bool) -> tuple[Callable[..., None], bool]:
    """The compiled `_convolve`, from numba's cache if `cached` and it is there; and whether it was compiled now."""
    line, picture = types.Array(types.float32, 1, "C"), types.Array(types.float32, 4, "C")
    bits, addresses = types.Array(types.uint8, 4, "C"), types.Array(types.int64, 2, "C")
    piece = types.NamedUniTuple(types.int64, len(Piece._fields), Piece)
    table = types.Array(types.float32, 2, "C")
    scratch = types.NamedTuple((table, table, addresses, line, line), Scratch)
    signature = types.void(piece, scratch, picture, bits, types.float32, picture, line, picture, bits)
    made = njit(signature, cache=cached, nogil=True, error_model="numpy")(_convolve)
    return made, not made.stats.cache_hits
