"""UV triangles cut into spans of texels, in plain numpy.

The plane of the UVs, measured in texels, is cut into rows. Every (triangle, row) pair gives a span of
columns, found from the triangle's edges without testing texels one by one; spans are then expanded, a few
million texels at a time. Time grows with triangles + rows + covered texels, memory stays bounded.

Triangles are cut up where they lie, inside 0..1 or not, and only the finished row and column numbers are
wrapped: a triangle that straddles a border of a repeating image lands on both sides of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

from ..io.types import Wrap

ROWS_AT_ONCE = 1 << 19
TEXELS_AT_ONCE = 1 << 21
MAX_PERIODS = 4
"""A triangle that spans more repeats of its image than this is rasterised in the first ones only: it has
covered itself many times over by then."""
LARGEST_UV = 1e6
DEEP = 8  # bounding boxes over the atlas' area: beyond, triangles without a free texel are looked for
TIE = 1e-9
"""A texel centre this close to an edge (in texels) lies on it, for both triangles that share the edge."""


def wrap_index(index: np.ndarray, length: int | np.ndarray, wrap: Wrap) -> np.ndarray:
    """Column or row numbers anywhere on the plane to 0..length-1; `length`: of all, or of each."""
    if wrap is Wrap.REPEAT:
        return index % length
    if wrap is Wrap.MIRROR:
        index = index % (2 * length)
        return np.minimum(index, 2 * length - 1 - index)
    return np.clip(index, 0, length - 1)


def usable_uv(uv: Float64[np.ndarray, "F 3 2"]) -> Bool[np.ndarray, "F"]:
    """Finite, and small enough for texels to mean anything."""
    return (np.abs(uv) < LARGEST_UV).all(axis=(1, 2))  # nan compares as false


class Grid:
    """UV triangles in texel units, brought near the origin, with what the span arithmetic needs."""

    def __init__(
        self, uv: Float64[np.ndarray, "F 3 2"], size: tuple[int, int], wrap: tuple[Wrap, Wrap]
    ) -> None:
        self.height, self.width = size
        self.wrap = wrap
        scale = np.array([self.width, self.height], np.float64)
        self.usable = usable_uv(uv)
        points = np.where(self.usable[:, None, None], uv, 0.0) * scale
        limits = np.zeros((len(uv), 2, 2), np.int64)  # axis, (first, last) row or column
        for axis, (kind, length) in enumerate(zip(wrap, (self.width, self.height), strict=True)):
            points[..., axis], limits[:, axis] = _bring_near(points[..., axis], length, kind)
        self.points = points
        self.columns, self.rows = limits[:, 0], limits[:, 1]
        a, b = points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]
        self.doubled_area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]  # signed

    def barycentric(
        self, triangle: Int64[np.ndarray, "N"], x: Float64[np.ndarray, "N"], y: Float64[np.ndarray, "N"]
    ) -> Float64[np.ndarray, "N 3"]:
        p = self.points[triangle]
        area = self.doubled_area[triangle]
        out = np.empty((len(triangle), 3))
        for corner in (1, 2):
            q, r = p[:, (corner + 1) % 3], p[:, (corner + 2) % 3]
            out[:, corner] = (q[:, 0] - x) * (r[:, 1] - y) - (q[:, 1] - y) * (r[:, 0] - x)
            out[:, corner] /= area
        np.clip(out, 0.0, 1.0, out=out)
        out[:, 0] = np.maximum(1.0 - out[:, 1] - out[:, 2], 0.0)
        return out

    def inside(
        self, inset: float, taken: Int32[np.ndarray, "T"] | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Texels whose centre a triangle holds: (triangle, texel number, x, y), triangles ascending.

        Those that are `taken` (>= 0) already are left out.
        """
        big = np.flatnonzero(self.usable & (np.abs(self.doubled_area) > 1e-12))
        for triangle, row in self._row_chunks(big, taken):
            left, right = self._centre_span(triangle, row + 0.5, inset)
            first = np.maximum(np.ceil(left - 0.5 - TIE), self.columns[triangle, 0]).astype(np.int64)
            last = np.minimum(np.floor(right - 0.5 + TIE), self.columns[triangle, 1]).astype(np.int64)
            yield from self._expand(triangle, row, first, last, taken)

    def touched(
        self, taken: Int32[np.ndarray, "T"]
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Texels not yet taken whose square a triangle touches, as `inside`."""
        for triangle, row in self._row_chunks(np.flatnonzero(self.usable), taken):
            left, right = self._band_span(triangle, row)
            # A triangle that only shares its border with the square does not touch it.
            first = np.floor(left + TIE).astype(np.int64)
            last = np.maximum(np.ceil(right - TIE).astype(np.int64) - 1, first)
            low, high = self.columns[triangle].T
            empty = ~(right >= left)
            first, last = np.clip(first, low, high), np.clip(last, low, high)
            last[empty] = first[empty] - 1
            yield from self._expand(triangle, row, first, last, taken)

    def texel(self, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        row = wrap_index(row, self.height, self.wrap[1])
        return row * self.width + wrap_index(column, self.width, self.wrap[0])

    def _row_chunks(
        self, triangles: np.ndarray, taken: np.ndarray | None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(triangle, row) pairs, some hundred thousand at a time, or fewer where they are very wide."""
        rows, columns = self._box(triangles)
        deep = (rows * columns).sum() > DEEP * self.height * self.width
        for batch in _doubling(rows * (1 + columns // 4), ROWS_AT_ONCE) if deep else [slice(len(triangles))]:
            chosen = triangles[batch]
            if deep and taken is not None:
                chosen = chosen[self._some_free(chosen, taken)]
            rows, columns = self._box(chosen)
            for part in _slices(rows * (1 + columns // 4), ROWS_AT_ONCE):
                which, offset = _repeat(rows[part])
                triangle = chosen[part][which]
                yield triangle, self.rows[triangle, 0] + offset

    def _box(self, triangle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How many rows and columns each triangle's bounding box has."""
        spans = np.stack([self.rows[triangle], self.columns[triangle]])
        rows, columns = np.maximum(spans[..., 1] - spans[..., 0] + 1, 0)
        return rows, columns

    def _some_free(self, triangle: np.ndarray, taken: np.ndarray) -> Bool[np.ndarray, "N"]:
        """Which triangles have a free texel in their bounding box: in deep stacks, few."""
        free = np.zeros((self.height + 1, self.width + 1), np.int64)  # counts over all rectangles from (0, 0)
        free[1:, 1:] = (taken.reshape(self.height, self.width) < 0).cumsum(axis=0).cumsum(axis=1)
        (top, bottom), (left, right) = (
            _box_side(limits[triangle], length)
            for limits, length in ((self.rows, self.height), (self.columns, self.width))
        )
        return free[bottom, right] - free[top, right] - free[bottom, left] + free[top, left] > 0

    def _expand(
        self,
        triangle: np.ndarray,
        row: np.ndarray,
        first: np.ndarray,
        last: np.ndarray,
        taken: np.ndarray | None,
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Spans to texels, a few million at a time."""
        counts = np.maximum(last - first + 1, 0)
        kept = counts > 0
        triangle, row, first, counts = triangle[kept], row[kept], first[kept], counts[kept]
        for part in _slices(counts, TEXELS_AT_ONCE):
            which, offset = _repeat(counts[part])
            which += part.start
            column = first[which] + offset
            texel = self.texel(row[which], column)
            if taken is not None:
                free = np.flatnonzero(taken[texel] < 0)
                which, column, texel = which[free], column[free], texel[free]
            yield triangle[which], texel, column + 0.5, row[which] + 0.5

    def _centre_span(
        self, triangle: np.ndarray, y: np.ndarray, inset: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where the line through `y` is inside all three edges, moved inwards by `inset` texels."""
        left, right = np.full(len(y), -np.inf), np.full(len(y), np.inf)
        sign = np.sign(self.doubled_area[triangle])
        for corner in range(3):
            p, q = self.points[triangle, corner], self.points[triangle, (corner + 1) % 3]
            dx, dy = sign * (q[:, 0] - p[:, 0]), sign * (q[:, 1] - p[:, 1])
            # Inside means dx (y - py) - dy (x - px) >= inset |edge|.
            slack = dx * (y - p[:, 1]) - (inset * np.hypot(dx, dy) if inset else 0.0)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                bound = p[:, 0] + slack / dy
            level = dy == 0
            outside = level & (slack < -TIE * np.abs(dx))
            right = np.where(dy > 0, np.minimum(right, bound), right)
            left = np.where(dy < 0, np.maximum(left, bound), left)
            right = np.where(outside, -np.inf, right)
        empty = ~(left <= right + 2 * TIE)
        return np.where(empty, 0.0, left), np.where(empty, -2.0, right)

    def _band_span(self, triangle: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Exact extent along x of the triangle's part between y = row and y = row + 1.

        With clamping, the row above the atlas stands for all of the plane above it; the row below likewise.
        """
        low, high = row.astype(np.float64), row + 1.0
        if self.wrap[1] is Wrap.CLAMP:
            low[row < 0], high[row >= self.height] = -np.inf, np.inf
        left, right = np.full(len(row), np.inf), np.full(len(row), -np.inf)
        for corner in range(3):
            p, q = self.points[triangle, corner], self.points[triangle, (corner + 1) % 3]
            dx, dy = q[:, 0] - p[:, 0], q[:, 1] - p[:, 1]
            hit = (np.minimum(p[:, 1], q[:, 1]) <= high) & (np.maximum(p[:, 1], q[:, 1]) >= low)
            for y in (np.clip(p[:, 1], low, high), np.clip(q[:, 1], low, high)):
                with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                    along = np.where(dy != 0, np.clip((y - p[:, 1]) / dy, 0.0, 1.0), 0.0)
                x = p[:, 0] + along * dx
                left, right = (
                    np.where(hit, np.minimum(left, x), left),
                    np.where(hit, np.maximum(right, x), right),
                )
            level = hit & (dy == 0)
            left = np.where(level, np.minimum(left, q[:, 0]), left)
            right = np.where(level, np.maximum(right, q[:, 0]), right)
        return np.where(left <= right, left, 0.0), np.where(left <= right, right, -1.0)


def _bring_near(
    x: Float64[np.ndarray, "F 3"], length: int, wrap: Wrap
) -> tuple[Float64[np.ndarray, "F 3"], Int64[np.ndarray, "F 2"]]:
    """Shift triangles by whole periods to the first one; first and last row (or column) each touches."""
    if wrap is Wrap.CLAMP:
        first, last = np.floor(x.min(axis=1)), np.ceil(x.max(axis=1)) - 1
        limits = np.stack([first, np.maximum(first, last)], axis=-1)
        return x, np.clip(limits, -1, length).astype(np.int64)  # -1 and length: all that is clamped
    period = length * (2 if wrap is Wrap.MIRROR else 1)
    x = x - np.floor(x.min(axis=1, keepdims=True) / period) * period
    first, last = np.floor(x.min(axis=1)), np.ceil(x.max(axis=1)) - 1
    last = np.clip(last, first, first + MAX_PERIODS * length)
    return x, np.stack([first, last], axis=-1).astype(np.int64)


def _box_side(limits: Int64[np.ndarray, "N 2"], length: int) -> tuple[np.ndarray, np.ndarray]:
    """First row (or column) and the one after the last; the whole atlas for boxes that reach beyond it."""
    within = (limits[:, 0] >= 0) & (limits[:, 1] < length)
    return np.where(within, limits[:, 0], 0), np.where(within, limits[:, 1] + 1, length)


def _slices(counts: np.ndarray, limit: int) -> Iterator[slice]:
    """Runs of neighbours whose counts add up to about `limit` (one that is larger stands alone)."""
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):
        done = ends[start - 1] if start else 0
        stop = max(int(np.searchsorted(ends, done + limit, side="right")), start + 1)
        yield slice(start, stop)
        start = stop


def _doubling(counts: np.ndarray, limit: int) -> Iterator[slice]:
    """Runs of neighbours whose counts add up to about `limit`, then twice that, four times, ..."""
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):
        stop = max(int(np.searchsorted(ends, limit, side="right")), start + 1)
        yield slice(start, stop)
        start, limit = stop, 2 * limit + int(ends[stop - 1])


def _repeat(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[2, 1] -> ([0, 0, 1], [0, 1, 0]): whose item it is, and its number there."""
    which = np.repeat(np.arange(len(counts)), counts)
    offset = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    return which, offset
