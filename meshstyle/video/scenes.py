"""Where one scene ends and the next begins: frames of which hardly anything can be found in the one before."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

from .flow import FlowEstimator
from .packages import load_package
from .reliability import follow

LOOK = 96  # pixels of the longer side at which cuts are looked for
_LOST = 0.12  # mean reliability below which a frame is another scene's
_DOUBTFUL = 0.35  # below which it is if its colors are others too
_COLORS = 0.25  # difference of color histograms, 0..1, above which they are
_LEVELS = 8  # of each channel


class SceneFinder:
    """Looks at one small frame after the other."""

    def __init__(self) -> None:
        """Raises UsageError where OpenCV is missing."""
        self._estimator = FlowEstimator()
        self._before: UInt8[np.ndarray, "H W 3"] | None = None

    def begins(self, frame: UInt8[np.ndarray, "H W 3"]) -> bool:
        """Whether a scene begins with this frame, about `LOOK` pixels wide; the first one does."""
        before, self._before = self._before, frame
        if before is None:
            return True
        motion = self._estimator.between(frame, before)
        followed = float(follow(motion, frame, before).reliable.mean())
        return followed < (_DOUBTFUL if _color_difference(before, frame) > _COLORS else _LOST)


def _color_difference(one: UInt8[np.ndarray, "H W 3"], other: UInt8[np.ndarray, "H W 3"]) -> float:
    """Half the sum of the differences of their color histograms: 0 for the same colors, 1 for none in common.

    Histograms are blurred, so that a slight change of light is a slight difference.
    """
    cv2 = load_package("cv2")
    found = []
    for frame in (one, other):
        levels = [_LEVELS] * 3
        histogram = cv2.calcHist([frame], [0, 1, 2], None, levels, [0, 256] * 3)
        smooth = histogram.reshape(_LEVELS, -1)
        for _ in range(3):  # along each channel in turn
            smooth = cv2.blur(smooth.reshape(_LEVELS, -1), (1, 3)).reshape([_LEVELS] * 3)
            smooth = np.moveaxis(smooth, 0, 2)
        found.append(smooth / smooth.sum())
    return float(np.abs(found[0] - found[1]).sum() / 2)
