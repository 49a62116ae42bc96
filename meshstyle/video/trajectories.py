"""Motion over several frames: composed of that from frame to frame, and refined."""

from __future__ import annotations

from collections import deque

import numpy as np
from jaxtyping import Bool

from ..config.video import GAPS
from .flow import Flow, FlowEstimator, Frame, Motion, carried


class Trajectories:
    """Follows pixels back through the latest frames of a scene, which are given one after the other."""

    def __init__(self) -> None:
        """Raises UsageError where OpenCV is missing."""
        self._estimator = FlowEstimator()
        self._frames: deque[Frame] = deque(maxlen=max(GAPS) + 1)  # the latest first
        self._ways: list[tuple[Flow, Flow]] = []  # back to the n-th of them, and ahead from there

    def advance(self, frame: Frame) -> dict[int, tuple[Motion, Frame]]:
        """The next frame. By gap, its motion from the frame so many before it, and that frame."""
        step = self.pass_by(frame)
        if step is None:
            return {}
        found = {1: (step, self._frames[1])}
        for gap in GAPS:
            if 1 < gap < len(self._frames):
                earlier = self._frames[gap]
                found[gap] = self._estimator.between(frame, earlier, self._ways[gap - 1]), earlier
        return found

    def pass_by(self, frame: Frame) -> Motion | None:
        """The next frame, of which nobody wants to know but how it has come from the one before."""
        step = self._estimator.between(frame, self._frames[0]) if self._frames else None
        if step is not None:
            longer = [
                (step.back + carried(back, step.back, "linear"), ahead + carried(step.ahead, ahead, "linear"))
                for back, ahead in self._ways[: max(GAPS) - 1]
            ]
            self._ways = [(step.back, step.ahead), *longer]
        self._frames.appendleft(frame)
        return step

    def still(self, frame: Frame, earlier: Frame) -> Bool[np.ndarray, "H W"]:
        """Where nothing has moved between two frames, however far apart."""
        return self._estimator.still(frame, earlier)
