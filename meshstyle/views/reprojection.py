"""Do two views show the same surface point in the same colour? Exact reprojection with a visibility test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from .cameras import Camera
from .raytrace import Tracer

_DEPTH_SLACK = 2e-3  # bounding radii
_INTERIOR = 0.999  # mask of pixels that count


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture and where it was taken from.

    Attributes:
        corner: row and column of its top left pixel, counted from the optical axis.
        colour: sRGB 0..1, without shading.
        mask: share of each pixel that is covered.
    """

    camera: Camera
    corner: tuple[int, int]
    colour: Float32[np.ndarray, "H W 3"]
    mask: Float32[np.ndarray, "H W"]


def disagreement(one: Shown, other: Shown, tracer: Tracer) -> Float32[np.ndarray, "N"]:
    """Squared colour differences, summed over channels, of the pixels of `one` that `other` sees too.

    Every pixel is carried along its surface point into the other picture, where a ray towards that point must
    reach it, and that picture is read bilinearly.
    """
    height, width = other.mask.shape
    points, pixels = _pixel_points(one, tracer)
    camera = other.camera
    place = camera.project(points) - np.array(other.corner) - 0.5  # (row, column) of texel centres
    inside = (place >= 1).all(1) & (place[:, 0] < height - 2) & (place[:, 1] < width - 2)
    points, pixels, place = points[inside], pixels[inside], place[inside]
    ray = points - camera.eye
    length = np.linalg.norm(ray, axis=1)
    _, _, distance = tracer.first_hits(np.broadcast_to(camera.eye, points.shape), ray / length[:, None])
    whole = other.mask > _INTERIOR
    corner = place.astype(int)
    solid = np.ones(len(points), bool)
    for row in (0, 1):
        for column in (0, 1):
            solid &= whole[corner[:, 0] + row, corner[:, 1] + column]
    seen = (np.abs(distance - length) < _DEPTH_SLACK) & solid
    place, pixels, corner = place[seen], pixels[seen], corner[seen]
    fy, fx = (place - corner).astype(np.float32).T
    colour = np.zeros((len(place), 3), np.float32)
    for row, wy in ((0, 1 - fy), (1, fy)):
        for column, wx in ((0, 1 - fx), (1, fx)):
            colour += other.colour[corner[:, 0] + row, corner[:, 1] + column] * (wy * wx)[:, None]
    return ((one.colour.reshape(-1, 3)[pixels] - colour) ** 2).sum(1)


def _pixel_points(shown: Shown, tracer: Tracer) -> tuple[np.ndarray, np.ndarray]:
    """Surface point (normalised space) behind the centre of every interior pixel, and the pixel's number."""
    pixels = np.flatnonzero(shown.mask.reshape(-1) > _INTERIOR)
    rows, columns = np.divmod(pixels, shown.mask.shape[1])
    camera = shown.camera
    directions = camera.directions(shown.corner[0] + rows + 0.5, shown.corner[1] + columns + 0.5)
    eyes = np.broadcast_to(camera.eye, directions.shape)
    triangle, _, distance = tracer.first_hits(eyes, directions)
    found = triangle >= 0
    return (eyes + directions * distance[:, None])[found], pixels[found]
