"""The four texels that a bilinear lookup reads, and how it weighs them; what is read there is the caller's matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from ..io.types import Wrap
from .spans import wrap_index


@dataclass(frozen=True, eq=False)
class Neighbors:
    """Texels around each of N points.

    Attributes:
        rows, columns: the two that a point lies between, wrapped into the image.
        down, across: the weight of the second row and of the second column, 0..1; the first has the rest.
    """

    rows: tuple[Int64[np.ndarray, "N"], Int64[np.ndarray, "N"]]
    columns: tuple[Int64[np.ndarray, "N"], Int64[np.ndarray, "N"]]
    down: Float64[np.ndarray, "N"]
    across: Float64[np.ndarray, "N"]


def neighbors(uv: Float64[np.ndarray, "N 2"], shape: tuple[int, int], wrap: tuple[Wrap, Wrap]) -> Neighbors:
    """The neighbors of points in an image of `shape` (height, width), whose texel (i, j) is centered at
    ((j + ½)/W, (i + ½)/H)."""
    height, width = shape
    x, y = uv[:, 0] * width - 0.5, uv[:, 1] * height - 0.5
    left, top = np.floor(x), np.floor(y)
    column, row = left.astype(np.int64), top.astype(np.int64)
    return Neighbors(
        rows=(wrap_index(row, height, wrap[1]), wrap_index(row + 1, height, wrap[1])),
        columns=(wrap_index(column, width, wrap[0]), wrap_index(column + 1, width, wrap[0])),
        down=y - top,
        across=x - left,
    )
