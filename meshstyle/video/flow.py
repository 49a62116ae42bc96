"""Optical flow between two frames, and what a frame looks like carried along it.

Flow is OpenCV's DIS (Kroeger et al. 2016, "Fast Optical Flow using Dense Inverse Search") at its most accurate preset.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from .packages import load_package

Flow = Float32[np.ndarray, "H W 2"]  # pixels, x to the right and y down
Frame = UInt8[np.ndarray, "H W 3"]

_LEAST_SIDE = 32  # pixels: DIS needs some room for its patches; smaller frames are enlarged for it
_FINE = 400_000  # pixels up to which flow is refined at full resolution, four times as much work,
_FINE_AGAIN = 60_000  # where it is known about what it is
_STILL = 3.0 / 255  # mean absolute difference of a neighborhood above which something has moved there
_STILL_SIDE = 9  # pixels of that neighborhood
_STILL_FLOW = 0.25  # pixels: what seems to move faster is not taken for still
_EXPLAINED = 0.3 / 255  # by how much motion must explain the difference better than standing still does


@dataclass(frozen=True, eq=False)
class Motion:
    """Motion between two frames of one scene, both ways.

    Attributes:
        back: for every pixel of the later frame, how far away it was in the earlier one.
        ahead: for every pixel of the earlier frame, how far away it will be in the later one.
        still: where nothing has moved: `back` is exactly 0 there.
    """

    back: Flow
    ahead: Flow
    still: Bool[np.ndarray, "H W"]


class FlowEstimator:
    """Estimates motion. Deterministic for a machine and a number of threads."""

    def __init__(self) -> None:
        """Raises UsageError where OpenCV is missing."""
        self._cv2 = load_package("cv2")

    def between(self, later: Frame, earlier: Frame, about: tuple[Flow, Flow] | None = None) -> Motion:
        """The motion between two frames, sRGB. `about`: nearly what it is, back and ahead, where that is known."""
        now, before = (self._gray(frame) for frame in (later, earlier))
        back = self._flow(now, before, None if about is None else about[0])
        ahead = self._flow(before, now, None if about is None else about[1])
        still = self._still(later, earlier, back)
        return Motion(np.where(still[..., None], 0, back), np.where(still[..., None], 0, ahead), still)

    def still(self, later: Frame, earlier: Frame) -> Bool[np.ndarray, "H W"]:
        """Where nothing has moved between two frames, however far apart."""
        if not (self._change(later, earlier) < _STILL).any():
            return np.zeros(later.shape[:2], bool)
        back = self._flow(self._gray(later), self._gray(earlier), None)
        return self._still(later, earlier, back)

    def _change(self, later: Frame, earlier: Frame) -> Float32[np.ndarray, "H W"]:
        """Mean absolute difference of neighborhoods, sRGB 0..1."""
        difference = np.abs(later.astype(np.float32) - earlier).mean(2) / 255
        found: np.ndarray = self._cv2.blur(difference, (_STILL_SIDE, _STILL_SIDE))
        return found

    def _still(self, later: Frame, earlier: Frame, back: Flow) -> Bool[np.ndarray, "H W"]:
        """Where nothing has moved: noise alone makes flows of a tenth of a pixel, along which paint would drift."""
        standing = self._change(later, earlier)
        explained = np.abs(later - carried(earlier.astype(np.float32), back)).mean(2) / 255
        moved = self._cv2.blur(explained, (_STILL_SIDE, _STILL_SIDE))
        slow = np.square(back).sum(2) < _STILL_FLOW**2
        still: np.ndarray = slow & (standing < _STILL) & (standing < moved + _EXPLAINED)
        return still

    def _gray(self, frame: Frame) -> UInt8[np.ndarray, "H W"]:
        gray: np.ndarray = self._cv2.cvtColor(frame, self._cv2.COLOR_RGB2GRAY)
        return gray

    def _flow(self, start: np.ndarray, end: np.ndarray, about: Flow | None) -> Flow:
        height, width = start.shape
        scale = max(1, -(-_LEAST_SIDE // min(height, width)))
        if scale > 1:
            size = (width * scale, height * scale)
            start, end = (
                self._cv2.resize(f, size, interpolation=self._cv2.INTER_CUBIC) for f in (start, end)
            )
            about = None if about is None else self._cv2.resize(about, size) * scale
        # A new one each time: one that was given a flow to begin with goes on from its rests where it is given none.
        dis = self._cv2.DISOpticalFlow_create(self._cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        dis.setFinestScale(0 if start.size <= (_FINE if about is None else _FINE_AGAIN) else 1)
        flow: np.ndarray = dis.calc(start, end, None if about is None else about.astype(np.float32))
        if scale > 1:
            flow = self._cv2.resize(flow, (width, height), interpolation=self._cv2.INTER_AREA) / scale
        return flow


def carried(
    picture: Float32[np.ndarray, "H W C"], flow: Flow, interpolation: str = "lanczos"
) -> Float32[np.ndarray, "H W C"]:
    """A picture as it looks from a frame whose pixels lie `flow` away in it; its border goes on beyond it.

    Args:
        interpolation: `lanczos` (8 × 8 pixels: little is lost when a frame is carried on and on), or `linear`.
    """
    cv2 = load_package("cv2")
    height, width = flow.shape[:2]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    kind = cv2.INTER_LANCZOS4 if interpolation == "lanczos" else cv2.INTER_LINEAR
    found: np.ndarray = cv2.remap(
        picture, columns + flow[..., 0], rows + flow[..., 1], kind, borderMode=cv2.BORDER_REPLICATE
    )
    return found.reshape(picture.shape)
