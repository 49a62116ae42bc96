"""What the readers of PLY, OFF and STL hand on: polygons with what stands at their corners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

REMEDY = "Export the model again."
MAX_POLYGONS = 6_000_000


@dataclass(frozen=True, eq=False)
class Polygons:
    """V vertices, C corners of F polygons.

    Attributes:
        positions: of the vertices.
        vertex: of each corner.
        first: each polygon's first corner, and C at the end.
        normals: of the vertices, as long as they are in the file.
        colours: sRGB and alpha of every corner, in the file's own range.
        uvs: of every corner, origin at the bottom left.
        picture: the texture's name in the file, if it names exactly one.
        notes: what was left aside, one sentence each.
    """

    positions: Float64[np.ndarray, "V 3"]
    vertex: Int64[np.ndarray, " C"]
    first: Int64[np.ndarray, " F1"]
    normals: Float64[np.ndarray, "V 3"] | None = None
    colours: Float64[np.ndarray, "C 4"] | None = None
    uvs: Float64[np.ndarray, "C 2"] | None = None
    picture: str | None = None
    notes: tuple[str, ...] = ()


def first_of(sizes: Int64[np.ndarray, " F"]) -> Int64[np.ndarray, " F1"]:
    """Where each polygon of these sizes begins."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def with_alpha(
    colours: Float64[np.ndarray, "N _"], opaque: float | None = None
) -> Float64[np.ndarray, "N 4"] | None:
    """Three or four columns as RGBA in 0..1. `opaque` is what stands for one; None: 1, or 255 where it must.

    None where a value is not finite.
    """
    if len(colours) == 0 or not np.isfinite(colours).all():
        return None
    if opaque is None:
        opaque = 1.0 if colours[:, :3].max() <= 1.0 else 255.0
    rgba = np.ones((len(colours), 4))
    rgba[:, : colours.shape[1]] = np.clip(colours / opaque, 0.0, 1.0)
    return rgba
