"""Which way is up for a stroke: one direction for every surface point, and how views see it.

A painting has a direction of its own: its strokes run across, its trees stand upright. A view asks for it as it lies
on the screen. From the side all cameras agree on what is up. From above they do not: each turns the top of the model
another way, and strokes that please one cross those that please the next. So the surface has a direction of its own,
the part of an axis (the vertical one, or the model's longest) that lies in its plane, and a view asks for the painting
turned as that direction lies in its picture: of each quarter turn as much as there is surface with it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from .raytrace import Hits, Tracer

QUARTERS = 4
UP = np.array([0.0, 1.0, 0.0])
_AGREED = (
    0.25  # squared length of the axis' part in the surface up to which cameras around it have no up in common
)

_LITTLE, _MUCH = 0.2, 0.7  # shares of a picture in which every turn counts alike

Turns = Float64[np.ndarray, "4"]
"""Shares of a picture, by how many quarter turns clockwise the surface's direction is from the picture's up."""

UPRIGHT: Turns = np.array([1.0, 0.0, 0.0, 0.0])
ANY_WAY: Turns = np.full(QUARTERS, 1 / QUARTERS)


def stroke_axis(tracer: Tracer, choice: str) -> Float64[np.ndarray, "3"] | None:
    """The axis whose part in the surface is its direction.

    Args:
        choice: `up`: the vertical; `shape`: the direction in which the surface extends most; `free`: None, as strokes
            may run any way.
    """
    if choice == "free":
        return None
    if choice == "up":
        return UP
    middle, weight = tracer.corners.mean(axis=1), tracer.area / max(float(tracer.area.sum()), 1e-300)
    centre = weight @ middle
    # Second moments of whole triangles, up to a factor: of their middles alone a plank of two would lie aslant.
    points = np.concatenate([(tracer.corners - centre).reshape(-1, 3), 3 * (middle - centre)])
    weights = np.concatenate([weight.repeat(3), weight])
    _, axes = np.linalg.eigh((points * weights[:, None]).T @ points)
    longest = axes[:, -1]
    return longest * np.sign(longest[np.abs(longest).argmax()])


def turns_of(hits: Hits, tracer: Tracer, axis: Float64[np.ndarray, "3"] | None) -> tuple[Turns, float]:
    """How the surface's direction lies in the picture that some rays of one camera make.

    An angle between two quarter turns counts for both, for the nearer one more. The flatter the surface lies under the
    axis, the less the cameras that see it agree on what is up there, and the more every turn counts alike: the mean of
    cos 2α over cameras around a point falls from 1 on an upright surface to 0 on one that rises by 30°. What is seen
    steeply shows few strokes, and counts little.

    Returns: the shares, and how many rays they are shares of.
    """
    rays = np.flatnonzero(tracer.surface.atlas[hits.triangle] >= 0)
    if axis is None or not len(rays):
        return ANY_WAY.copy(), float(len(rays))
    normal = tracer.face_normals[hits.triangle[rays]]
    inside = axis - normal * (normal @ axis)[:, None]
    right, up = inside @ hits.camera.axes[0], inside @ hits.camera.axes[1]
    quarter = np.arctan2(right, up) / (np.pi / 2)
    first = np.floor(quarter).astype(np.int64)
    beyond = quarter - first
    weight = hits.facing[rays].astype(np.float64) ** 2
    defined = np.maximum(((inside**2).sum(axis=1) - _AGREED) / (1 - _AGREED), 0.0)
    shares = (weight * (1 - defined)).sum() / QUARTERS + sum(
        np.bincount((first + step) % QUARTERS, weight * defined * share, QUARTERS)
        for step, share in ((0, 1 - beyond), (1, beyond))
    )
    return shares / shares.sum(), float(len(rays))


def asked_turns(found: list[tuple[Turns, float]]) -> Turns:
    """What is asked of a picture of one or several parts.

    A little of every turn is left out, and where there is much of every turn, nothing else is asked: a picture that
    is to have most strokes upright and some of each other kind comes out with strokes that cross.
    """
    total = sum(count for _, count in found)
    if not total:
        return ANY_WAY.copy()
    turns = sum((turns * count for turns, count in found), np.zeros(QUARTERS)) / total
    every = QUARTERS * float(turns.min())
    if every > 1 - 1e-9:
        return ANY_WAY.copy()
    rest = (turns - turns.min()) / (1 - every)
    x = min(max((every - _LITTLE) / (_MUCH - _LITTLE), 0.0), 1.0)
    share = x * x * (3 - 2 * x)
    return share * ANY_WAY + (1 - share) * rest
