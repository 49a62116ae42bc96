"""Where motion can be relied on: not at disoccluded places, not at borders of motion, not beyond the frame.

After Sundaram, Brox, Keutzer 2010, as Ruder, Dosovitskiy, Brox 2016 use it (section 4.2, eq. 6 and 7), with soft edges,
and with the colors of the clip itself as a witness: what has been carried must look like what is there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from .flow import Flow, Frame, Motion, carried
from .packages import load_package

Reliability = Float32[np.ndarray, "H W"]  # 0..1

_ROUND_TRIP = 0.01  # of both flows' squared lengths: what the way there and back may miss
_ROUND_TRIP_PIXELS = 0.5  # pixels², beside that
_BORDER = 0.01  # of the squared flow: its squared gradient above which motion has a border there
_BORDER_PIXELS = 0.002  # beside that
_COLOR = 0.10  # sRGB 0..1: difference of carried colors at which reliability is 1/e
_COLOR_SIDE = 5  # pixels of the neighborhood that it is a mean over


@dataclass(frozen=True, eq=False)
class Followed:
    """How far pixels of the later frame can be followed back to the earlier one.

    Attributes:
        seen: whether they are seen there: what has been carried is a fair guess.
        reliable: of these, those away from borders of motion: what has been carried is what they should be.
    """

    seen: Reliability
    reliable: Reliability


def follow(motion: Motion, later: Frame, earlier: Frame) -> Followed:
    """Check a motion against itself and against the frames it was estimated from."""
    cv2 = load_package("cv2")
    seen = _round_trip(motion) * _inside(motion.back)
    before = carried(earlier.astype(np.float32) / 255, motion.back, "linear")
    difference = cv2.blur(np.abs(later / np.float32(255) - before).mean(2), (_COLOR_SIDE, _COLOR_SIDE))
    seen = np.where(motion.still, 1, seen * np.exp(-((difference / _COLOR) ** 2)))
    reliable = np.where(motion.still, 1, seen * _away_from_borders(motion.back))
    return Followed(seen.astype(np.float32), reliable.astype(np.float32))


def _round_trip(motion: Motion) -> Reliability:
    """Eq. 6: the way back and forth again ends where it began, |w̃ + ŵ|² ≤ 0.01 (|w̃|² + |ŵ|²) + 0.5; 1 at none of that
    and 0 at all of it."""
    ahead = carried(motion.ahead, motion.back, "linear")
    missed = np.square(ahead + motion.back).sum(2)
    allowed = _ROUND_TRIP * (np.square(ahead).sum(2) + np.square(motion.back).sum(2)) + _ROUND_TRIP_PIXELS
    return np.asarray(np.clip(2 - 2 * missed / allowed, 0, 1), np.float32)


def _away_from_borders(flow: Flow) -> Reliability:
    """Eq. 7: |∇u|² + |∇v|² ≤ 0.01 |w|² + 0.002."""
    slope = np.zeros(flow.shape[:2], np.float32)
    for axis in (0, 1):
        if flow.shape[axis] > 1:
            slope += np.square(np.gradient(flow, axis=axis)).sum(2)
    return np.asarray(slope <= _BORDER * np.square(flow).sum(2) + _BORDER_PIXELS, np.float32)


def _inside(flow: Flow) -> Reliability:
    """Where the pixel came from lies within the earlier frame."""
    height, width = flow.shape[:2]
    x = np.arange(width) + flow[..., 0]
    y = np.arange(height)[:, None] + flow[..., 1]
    return ((x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)).astype(np.float32)
