"""Statistics of colours, as plain numbers that go from process to process."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Colours:
    """Mean (3,) and covariance (3, 3) of some colours, sRGB 0..1."""

    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
