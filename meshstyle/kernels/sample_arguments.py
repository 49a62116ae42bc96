"""The taps of some pixels of a view as the compiled kernel takes them: numbers and addresses. Needs no compiler."""

from __future__ import annotations

from typing import NamedTuple

LEVELS = 5  # mip levels of each atlas
LEAST_SHARE = 0.05  # of a ray's weight: a level that counts for less is left out
REPEAT, MIRROR, CLAMP = 0, 1, 2  # what becomes of places beyond an atlas' border


class SampleArguments(NamedTuple):
    """All pixels of a view (see `views.sampling_matrix` and `views.mip_table`, whose tables these are).

    Attributes:
        pixels: how many.
        room: entries that a pixel can have at most: 8 for each of its rays.
        at_first, at_count: (P,) int64, a pixel's first ray and how many it has.
        at_uv: (N, 2) float64.
        at_level: (N,) float64, 0..LEVELS − 1.
        at_atlas: (N,) int32.
        at_rows: (R,) int32; at_start: (L,) int32; at_size: (2, L) int32; at_span: (2, L) float64; `lines`: L.
        at_wraps: (A, 2) int32, REPEAT, MIRROR or CLAMP along u and v.
        at_index, at_weight: (room · P,) int32 and float32, out: rows of the stack, each once a pixel, and weights.
        at_pointer: (P + 1,) int32, out: where a pixel's entries begin.
        at_found, at_sums: (room,) int32 and float64, scratch.
    """

    pixels: int
    room: int
    lines: int
    at_first: int
    at_count: int
    at_uv: int
    at_level: int
    at_atlas: int
    at_rows: int
    at_start: int
    at_size: int
    at_span: int
    at_wraps: int
    at_index: int
    at_weight: int
    at_pointer: int
    at_found: int
    at_sums: int
