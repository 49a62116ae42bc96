"""What each pixel of a view reads, compiled for the CPU. Importing this imports numba.

The same as `views.sampling_matrix` makes with numpy, but for texels that several rays of a pixel read: they are one
entry here, which makes half as many.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .addresses import double_at, int_at, long_at, reader_of, set_double, set_float, set_int
from .sample_arguments import CLAMP, LEAST_SHARE, LEVELS, REPEAT, SampleArguments

_piece_at = reader_of(SampleArguments)
_compiled = njit(nogil=True, error_model="numpy")


@_compiled
def _inside(place, length, wrap):  # type: ignore[no-untyped-def]
    """A column or row anywhere on the plane, as one of 0..length − 1 (see `texture.spans.wrap_index`)."""
    if 0 <= place < length:
        return place
    if wrap == CLAMP:
        return min(max(place, 0), length - 1)
    if wrap == REPEAT:
        return place % length
    place = place % (2 * length)
    return min(place, 2 * length - 1 - place)


@_compiled
def _floor(x):  # type: ignore[no-untyped-def]
    whole = np.int64(x)
    return whole - 1 if x < whole else whole


@_compiled
def _add(piece, row, weight, count):  # type: ignore[no-untyped-def]
    """Add to the pixel's `count` entries. Returns how many there are then."""
    for number in range(count):
        if int_at(piece.at_found, number) == row:
            set_double(piece.at_sums, number, double_at(piece.at_sums, number) + weight)
            return count
    set_int(piece.at_found, count, row)
    set_double(piece.at_sums, count, weight)
    return count + 1


@_compiled
def _tap(piece, ray, line, share, count):  # type: ignore[no-untyped-def]
    """The four texels around a ray on one level."""
    atlas = line // LEVELS
    width, height = int_at(piece.at_size, line), int_at(piece.at_size, piece.lines + line)
    x = double_at(piece.at_uv, 2 * ray) * double_at(piece.at_span, line) - 0.5
    y = double_at(piece.at_uv, 2 * ray + 1) * double_at(piece.at_span, piece.lines + line) - 0.5
    left, top = _floor(x), _floor(y)
    right, low = x - left, y - top
    start = int_at(piece.at_start, line)
    for i in range(2):
        down = low if i else 1 - low
        row = _inside(top + i, height, int_at(piece.at_wraps, 2 * atlas + 1))
        for j in range(2):
            weight = down * (right if j else 1 - right) * share
            if weight > 0:
                column = _inside(left + j, width, int_at(piece.at_wraps, 2 * atlas))
                count = _add(piece, int_at(piece.at_rows, start + row * width + column), weight, count)
    return count


def texel_sample(address):  # type: ignore[no-untyped-def]
    """Make the SampleArguments whose numbers lie at an address."""
    piece = _piece_at(address)
    done = 0
    set_int(piece.at_pointer, 0, np.int32(0))
    for pixel in range(piece.pixels):
        first, rays = long_at(piece.at_first, pixel), long_at(piece.at_count, pixel)
        count = 0
        for ray in range(first, first + rays):
            level = double_at(piece.at_level, ray)
            base = np.int64(level)
            blend = level - base
            if blend < LEAST_SHARE:
                blend = 0.0
            elif blend > 1 - LEAST_SHARE:
                blend = 1.0
            line = int_at(piece.at_atlas, ray) * LEVELS
            if blend < 1:
                count = _tap(piece, ray, line + base, (1 - blend) / rays, count)
            if blend > 0:
                count = _tap(piece, ray, line + min(base + 1, LEVELS - 1), blend / rays, count)
        for number in range(count):
            set_int(piece.at_index, done + number, int_at(piece.at_found, number))
            set_float(piece.at_weight, done + number, np.float32(double_at(piece.at_sums, number)))
        done += count
        set_int(piece.at_pointer, pixel + 1, np.int32(done))
