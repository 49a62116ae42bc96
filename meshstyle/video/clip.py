"""What a clip is, however it is kept: numbered frames of one size, when they are shown, and what its file tells."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

Pixels = UInt8[np.ndarray, "H W 4"]  # sRGB and straight alpha

UNKNOWN = 2  # "unspecified" of ISO/IEC 23091-2 (H.273), as all containers have it
BT709, BT601 = 1, 6
HDR = (16, 18)  # transfer characteristics: PQ (SMPTE ST 2084) and HLG (ARIB STD-B67)


@dataclass(frozen=True)
class ColorTags:
    """How numbers stand for colors, by the codes of H.273. `full`: luminance has all 256 levels, not 16 to 235."""

    primaries: int = BT709
    transfer: int = BT709
    matrix: int = BT709
    full: bool = False


@dataclass(frozen=True)
class ClipInfo:
    """What is known of a clip when all of it has been looked at.

    Attributes:
        path: a film, or a folder of numbered pictures.
        size: (height, width) as it is shown: upright, in square pixels.
        times: when each frame begins to be shown, in units of `unit`, from 0 on; and when the last one ends.
        unit: seconds.
        rate: frames a second, on average.
        color: of the frames.
        has_alpha: whether some of it may be transparent.
        has_sound: whether there is sound.
        warnings: what is odd about it.
    """

    path: Path
    size: tuple[int, int]
    times: tuple[int, ...]
    unit: Fraction
    rate: Fraction
    color: ColorTags
    has_alpha: bool
    has_sound: bool
    warnings: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many frames there are."""
        return len(self.times) - 1

    @property
    def seconds(self) -> float:
        """How long it is."""
        return float(self.times[-1] * self.unit)


def swscale_matrix(matrix: int) -> int:
    """The number that libswscale has for a matrix of H.273."""
    return {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}.get(matrix, 5)


@runtime_checkable
class Frames(Protocol):
    """The frames of a clip at one size. Few of them are held at a time."""

    def read(self, number: int) -> Pixels:
        """A frame, counted from 0. It costs least when they are read in order, forward or backward."""
        ...

    def close(self) -> None:
        """Let go of the files."""
        ...
