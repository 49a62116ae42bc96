"""Cameras around a model.

World space is normalised before any camera is made: the centre of the bounding box is the origin and the
farthest vertex is 1 away. Camera space: x right, y up, looking along `forward`. Pixel (i, j) of a window
whose top left pixel is (i0, j0) looks through the point ((j0 + j + ½)·pitch, −(i0 + i + ½)·pitch, 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

FIELD_OF_VIEW = math.radians(40.0)
FRAMING = 0.9  # of the bounding sphere's radius fills half the frame
DISTANCE = FRAMING / math.sin(FIELD_OF_VIEW / 2)  # from the centre, in units of the bounding radius
ORIGIN = np.zeros(3)


@dataclass(frozen=True, eq=False)
class Frame:
    """The normalisation: normalised = (world − centre) / radius."""

    centre: Float64[np.ndarray, 3]
    radius: float

    @classmethod
    def of(cls, points: Float64[np.ndarray, "N 3"]) -> Frame:
        """Centre of the bounding box; radius to the farthest point (1 for a model that is one point)."""
        centre = (points.min(0) + points.max(0)) / 2
        radius = float(np.sqrt(((points - centre) ** 2).sum(1).max()))
        return cls(centre, radius if radius > 0 else 1.0)

    def normalise(self, points: Float64[np.ndarray, "*any 3"]) -> Float64[np.ndarray, "*any 3"]:
        return (points - self.centre) / self.radius


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera.

    Attributes:
        eye: its place, in normalised space.
        axes: rows right, up, forward; orthonormal.
        pitch: width of a pixel at distance 1.
    """

    eye: Float64[np.ndarray, 3]
    axes: Float64[np.ndarray, "3 3"]
    pitch: float

    @property
    def frame_size(self) -> int:
        """Pixels across the field of view of 40°."""
        return round(2 * math.tan(FIELD_OF_VIEW / 2) / self.pitch)

    def project(self, points: Float64[np.ndarray, "N 3"]) -> Float64[np.ndarray, "N 2"]:
        """Normalised space to (row, column) in pixels from the optical axis; points behind are NaN."""
        x, y, z = self.axes @ points.T - (self.axes @ self.eye)[:, None]
        z = np.where(z > 1e-6, z, np.nan) * self.pitch
        return np.stack([-y / z, x / z]).T

    def directions(self, rows: Float64[np.ndarray, "N"], columns: Float64[np.ndarray, "N"]) -> np.ndarray:
        """Unit ray directions (N, 3) through image points given in pixels from the optical axis."""
        right, up, forward = self.axes
        rays = forward + (columns * self.pitch)[:, None] * right - (rows * self.pitch)[:, None] * up
        return rays / np.linalg.norm(rays, axis=1, keepdims=True)

    def grid(
        self, rows: Float64[np.ndarray, "R"], columns: Float64[np.ndarray, "C"]
    ) -> Float64[np.ndarray, "R C 3"]:
        """`directions` through every crossing of some rows and columns, at a fraction of their price."""
        right, up, forward = self.axes
        across, down = forward + (columns * self.pitch)[:, None] * right, (rows * self.pitch)[:, None] * up
        x, y, z = (a - d[:, None] for a, d in zip(across.T, down.T, strict=True))
        length = np.sqrt(x * x + y * y + z * z)
        rays = np.empty((*length.shape, 3))
        for axis, part in enumerate((x, y, z)):
            np.divide(part, length, out=rays[..., axis])
        return rays


def camera_towards_centre(
    direction: Float64[np.ndarray, 3],
    size: int,
    centre: Float64[np.ndarray, 3] = ORIGIN,
    radius: float = 1.0,
) -> Camera:
    """A camera on the orbit sphere that looks at the centre; its nominal frame is `size`² pixels.

    Args:
        direction: unit vector from the centre to the eye.
        size: pixels across the field of view of 40°.
        centre, radius: of the sphere that it frames, normalised space; by default the whole model's.
    """
    forward = -np.asarray(direction, dtype=np.float64)
    up_hint = np.array([0.0, 0.0, 1.0]) if abs(forward[1]) > 0.95 else np.array([0.0, 1.0, 0.0])
    right = np.cross(forward, up_hint)
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    pitch = 2 * math.tan(FIELD_OF_VIEW / 2) / size
    return Camera(centre - forward * DISTANCE * radius, np.stack([right, up, forward]), pitch)


def fibonacci_sphere(count: int, turn: float = 0.0) -> Float64[np.ndarray, "N 3"]:
    """Directions spread evenly over the sphere, y up, from the top down.

    Point i lies at azimuth i·π(3 − √5) + `turn`, in radians, and height 1 − 2(i + ½)/count.
    """
    i = np.arange(count)
    azimuth = i * math.pi * (3 - math.sqrt(5)) + turn
    height = 1 - 2 * (i + 0.5) / count
    ring = np.sqrt(1 - height**2)
    return np.stack([ring * np.sin(azimuth), height, ring * np.cos(azimuth)], -1)


def row_dot(a: Float64[np.ndarray, "N 3"], b: Float64[np.ndarray, "N 3"]) -> Float64[np.ndarray, "N"]:
    """Products of vectors, column by column: sums over so short an axis cost numpy several times as much."""
    return a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1] + a[:, 2] * b[:, 2]
