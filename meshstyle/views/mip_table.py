"""Mip levels of atlases as tables: which row of the stack [T; D·T] (see `views.sampling_matrix`) each texel of each
level is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

from ..io.types import Wrap
from ..kernels.sample_arguments import LEVELS
from ..texture.spans import wrap_index

MAX_LEVEL = LEVELS - 1  # a tap on level 4 reads 256 texels


@dataclass(frozen=True, eq=False)
class Layout:
    """Where one atlas' texels lie in the stack.

    Attributes:
        covered: texels that the surface touches.
        wrap: along u and v.
        offset: row of the atlas' first covered texel.
        levels: per mip level, level 0 first, the stack's row for each texel (h, w). Uncovered texels share the
            row of the nearest covered one: taps that reach past a chart's border read what the gutter will hold
            after the bake.
    """

    covered: Bool[np.ndarray, "H W"]
    wrap: tuple[Wrap, Wrap]
    offset: int
    levels: tuple[Int32[np.ndarray, "_ _"], ...]

    def within(self, table: Levels, number: int) -> Layout:
        """The same, layout `number` of that table, whose memory its levels share."""
        lines = range(LEVELS * number, LEVELS * (number + 1))
        starts = [(int(table.start[line]), level) for line, level in zip(lines, self.levels, strict=True)]
        levels = (table.rows[start : start + level.size].reshape(level.shape) for start, level in starts)
        return replace(self, levels=tuple(levels))


@dataclass(frozen=True, eq=False)
class Levels:
    """The levels of several layouts in one table, MAX_LEVEL + 1 lines an atlas: rays of all kinds look up at once.

    Attributes:
        rows: of the stack, for each texel of each level.
        start: where in `rows` a level begins.
        size: columns and lines of each level.
        span: likewise, but what of level 0's size is on it: not rounded to whole texels.
        wraps: per atlas.
    """

    rows: Int32[np.ndarray, "R"]
    start: Int32[np.ndarray, "L"]
    size: Int32[np.ndarray, "2 L"]
    span: Float64[np.ndarray, "2 L"]
    wraps: tuple[tuple[Wrap, Wrap], ...]

    @classmethod
    def of(cls, layouts: Sequence[Layout]) -> Levels:
        levels = [level for layout in layouts for level in layout.levels]
        ends = np.cumsum([0, *(level.size for level in levels)])
        span = [
            np.array(layout.covered.shape[::-1]) / 2**n for layout in layouts for n in range(MAX_LEVEL + 1)
        ]
        return cls(
            rows=np.concatenate([level.reshape(-1) for level in levels], dtype=np.int32, casting="same_kind"),
            start=ends[:-1].astype(np.int32),
            size=np.array([level.shape[::-1] for level in levels], np.int32).T.copy(),
            span=np.array(span).T.copy(),
            wraps=tuple(layout.wrap for layout in layouts),
        )

    def bilinear(
        self, uv: Float64[np.ndarray, "N 2"], level: Int64[np.ndarray, "N"]
    ) -> Iterator[tuple[Int32[np.ndarray, "N"], Float64[np.ndarray, "N"]]]:
        """Rows of the stack and weights of each lookup's four taps, one tap after the other.

        Args:
            level: the line of the table to look up in.
        """
        axes = [self._between(uv[:, axis], axis, level) for axis in (0, 1)]
        start, width = self.start.take(level), self.size[0].take(level)
        for line, down in axes[1]:
            first = start + line * width
            for column, across in axes[0]:
                yield self.rows.take(first + column), down * across

    def _between(
        self, place: Float64[np.ndarray, "N"], axis: int, level: Int64[np.ndarray, "N"]
    ) -> list[tuple[Int64[np.ndarray, "N"], Float64[np.ndarray, "N"]]]:
        """The two columns (or lines) that a place lies between, with their weights."""
        place = place * self.span[axis].take(level) - 0.5
        before = np.floor(place)
        part = place - before
        first = before.astype(np.int64)
        length = self.size[axis].take(level)
        # Few lie beyond a border: only those are wrapped, the rest is left where it is.
        lines = [first, first + 1]
        for line in lines:
            outside = np.flatnonzero((line < 0) | (line >= length))
            atlas = level[outside] // (MAX_LEVEL + 1)
            for number, wrap in enumerate(self.wraps):
                own = outside[atlas == number]
                line[own] = wrap_index(line[own], length[own], wrap[axis])
        return [(lines[0], 1 - part), (lines[1], part)]
