"""Cameras of a seamless loop around a model, near enough to fill the picture and never cutting anything off."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from ..views.cameras import Camera

FIELD_OF_VIEW = math.radians(30.0)  # of the picture's shorter side; a portrait lens
FILL = 0.86  # of the picture that the model may take up
_RINGS, _TURNS = 64, 72


@dataclass(frozen=True, eq=False)
class Orbit:
    """A circle of cameras around the vertical axis through the origin, all looking at the origin.

    Attributes:
        distance: from the origin.
        elevation: of the cameras above the horizon, radians.
        shape: height and width of the picture, pixels.
        start: azimuth of the first camera, radians: 0 is +z, the front of most models, π/2 is +x.
    """

    distance: float
    elevation: float
    shape: tuple[int, int]
    start: float = 0.0

    @property
    def pitch(self) -> float:
        """Width of a pixel at distance 1."""
        return 2 * math.tan(FIELD_OF_VIEW / 2) / min(self.shape)

    def camera(self, turn: float) -> Camera:
        """The camera after part of a turn, 0..1; it sees the model turn to its right."""
        azimuth = self.start - 2 * math.pi * turn
        sin, cos = math.sin(azimuth), math.cos(azimuth)
        right = np.array([cos, 0.0, -sin])
        back = math.cos(self.elevation) * np.array([sin, 0.0, cos])
        back[1] = math.sin(self.elevation)
        axes = np.stack([right, np.cross(back, right), -back])
        return Camera(back * self.distance, axes, self.pitch)


def make_orbit(
    points: Iterable[Float64[np.ndarray, "N 3"]], elevation: float, shape: tuple[int, int], start: float = 0.0
) -> Orbit:
    """The nearest orbit from which nothing is cut off.

    Args:
        points: all corners of the model in all its poses, around the origin.
        elevation: radians, −π/2..π/2.
        shape: height and width in pixels.
        start: azimuth of the first camera, radians.
    """
    radius, height = _outline(points)
    theta = np.linspace(0, 2 * math.pi, _TURNS, endpoint=False)
    x, z = radius[:, None] * np.sin(theta), radius[:, None] * np.cos(theta)
    y = np.broadcast_to(height[:, None], x.shape)
    sin, cos = math.sin(elevation), math.cos(elevation)
    up, near = y * cos - z * sin, z * cos + y * sin
    half = math.tan(FIELD_OF_VIEW / 2) * FILL / min(shape)
    needed = np.maximum(np.abs(x) / (half * shape[1]), np.abs(up) / (half * shape[0])) + near
    return Orbit(max(float(needed.max()), 1.5), elevation, shape, start)


def _outline(points: Iterable[Float64[np.ndarray, "N 3"]]) -> tuple[np.ndarray, np.ndarray]:
    """Radii and heights of rings that hold all that the points sweep while they turn."""
    edges = np.linspace(-1, 1, _RINGS + 1)
    largest, used = np.zeros(_RINGS), np.zeros(_RINGS, bool)
    for some in points:
        ring = np.clip(np.searchsorted(edges, some[:, 1]) - 1, 0, _RINGS - 1)
        np.maximum.at(largest, ring, np.hypot(some[:, 0], some[:, 2]))
        used[ring] = True
    rings = np.flatnonzero(used)
    return np.repeat(largest[rings], 2), np.stack([edges[rings], edges[rings + 1]], -1).reshape(-1)
