"""A piece of a convolution as the compiled kernels take it: numbers and addresses, no more. Needs no compiler."""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

import numpy as np

LANES = 16  # channels per vector: one register of AVX-512; LLVM splits it where registers are smaller
TILE, STEP = 6, 4  # a tile's side before and after; tiles overlap by two pixels
BLOCK = 6  # tiles that are multiplied at once


class WinogradArguments(NamedTuple):
    """Some tiles and channels of a convolution, ReLU(source ∗ kernel + bias) or without a bias the bare convolution.

    C and K stand for the numbers of channels filled up to multiples of LANES; what begins with `at_` is an address.

    Attributes:
        height, width: of the picture that is read, pixels.
        made_height, made_width: of the picture that is made.
        pad: pixels by which the first tile reaches over the border of the picture that is read.
        replicate: 1: the border goes on outside; 0: there are zeros.
        spread: 1: what is read was pooled: a quarter of each value goes to each of its 2×2 pixels.
        pooled: 1: what is made is pooled.
        rows, columns: tiles along the sides of the picture.
        at_once: tiles that are taken through all steps together; a multiple of BLOCK, with AMX of its 16 rows.
        source_height, source_width, inputs: of (B, h, w, C) float32 `at_source`: a picture, or a gradient that a ReLU's
            mask, and pooling, come before.
        target_height, target_width, outputs: of (B, H', W', K) float32 `at_target`, out; half as high and wide where
            `pooled`.
        bf16: 1: what is multiplied is bf16, pairs of neighbouring channels at a time; 0: it is float32.
        depth: the true number of input channels, without those filled up; where `bf16`, of pairs of them.
        at_mask: (B, H, W, C) uint8, what that ReLU let through; 0: nothing is masked.
        at_matrices: (36, K / LANES, depth, LANES), the transformed kernels: float32, or pairs of bf16.
        at_bias: (K,) float32, or 0.
        at_made_mask: (B, H', W', K) uint8, out: 1 where the ReLU lets pass; 0: not wanted.
        at_registers: 64 bytes that set up AMX's tile registers, with which bf16 is multiplied (see `tile_registers`);
            0: without them.
        first, tiles: number of the first tile, row by row and picture by picture, and how many there are.
        at_list: int64, numbers of tiles: `first` and `tiles` are places in it then; 0: there is none.
        strip, strips: the first strip of LANES output channels, and how many.
        at_before, at_after: (36, n), scratch: the transformed tiles and their products (float32), one row of each kind.
        before_row, after_row: bytes from one row to the next.
        at_tables: (2, 36) int64, scratch: addresses.
        at_blank: (channels,) zeros.
        at_dump: (channels,) for results that nobody wants.
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
    source_height: int
    source_width: int
    inputs: int
    target_height: int
    target_width: int
    outputs: int
    bf16: int
    depth: int
    at_source: int
    at_mask: int
    at_matrices: int
    at_bias: int
    at_target: int
    at_made_mask: int
    at_registers: int = 0
    first: int = 0
    tiles: int = 0
    at_list: int = 0
    strip: int = 0
    strips: int = 0
    at_before: int = 0
    before_row: int = 0
    at_after: int = 0
    after_row: int = 0
    at_tables: int = 0
    at_blank: int = 0
    at_dump: int = 0


class Scratch(NamedTuple):
    """Memory for one thread: the last fields of a `WinogradArguments`, with what they mean there."""

    at_before: int
    before_row: int
    at_after: int
    after_row: int
    at_tables: int
    at_blank: int
    at_dump: int


def scratch_size(tiles: int, inputs: int, outputs: int) -> int:
    """Floats that `divide_scratch` needs."""
    return TILE * TILE * (tiles * (inputs + outputs) + 2 * LANES) + 2 * max(inputs, outputs) + 4 * TILE * TILE


def divide_scratch(room: np.ndarray, tiles: int, inputs: int, outputs: int) -> Scratch:
    """Memory for so many tiles (a multiple of BLOCK) and channels (multiples of LANES), cut from a flat array.

    Its first max(inputs, outputs) numbers must be 0 whenever it is used.
    """
    # Rows whose distance is a power of two would share a few lines of the cache: one vector more avoids that.
    before, after = (tiles * channels + LANES for channels in (inputs, outputs))
    wide = max(inputs, outputs)
    at_blank, at_dump, at_tables, at_before, at_after, _ = (
        room.ctypes.data + 4 * start
        for start in accumulate(
            (wide, wide, 4 * TILE * TILE, TILE * TILE * before, TILE * TILE * after), initial=0
        )
    )
    return Scratch(at_before, 4 * before, at_after, 4 * after, at_tables, at_blank, at_dump)
