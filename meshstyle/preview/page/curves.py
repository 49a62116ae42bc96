"""Loss curves as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from .html import TEMPLATE
from .templates import macros

_SIZE, _EDGE = (320, 110), 6  # width and height; the margin around the curve
_MOST_POINTS = 240


def curve(title: str, values: Sequence[float], smooth: int = 1) -> Markup:
    """One curve over the steps, a faint line for the values and a plain one for their running mean.

    Args:
        values: one per step; those that are not finite are left out. The axis is logarithmic where the values
            are positive and span more than a factor of ten.
        smooth: steps that the mean is taken over: as many as there are views, since every step sees another.
    """
    numbers = [value for value in values if math.isfinite(value)]
    if len(numbers) < 2:
        return Markup("")
    means = _running_means(numbers, smooth)
    logarithmic = min(numbers) > 0 and max(numbers) > 10 * min(numbers)
    scale = math.log10 if logarithmic else float
    low, high = scale(min(numbers)), scale(max(numbers))
    span = high - low or 1.0

    def points(series: Sequence[float]) -> str:
        every = max(1, math.ceil(len(series) / _MOST_POINTS))
        picked = [*range(0, len(series) - 1, every), len(series) - 1]
        return " ".join(
            f"{_EDGE + i / (len(series) - 1) * (_SIZE[0] - 2 * _EDGE):.1f},"
            f"{_EDGE + (high - scale(series[i])) / span * (_SIZE[1] - 2 * _EDGE):.1f}"
            for i in picked
        )

    note = f"{means[-1]:.3g} after {len(numbers)} steps{', logarithmic' if logarithmic else ''}"
    return Markup(macros(TEMPLATE).curve(title, note, _SIZE, points(numbers), points(means)))


def _running_means(values: Sequence[float], count: int) -> list[float]:
    means, total = [], 0.0
    for i, value in enumerate(values):
        total += value - (values[i - count] if i >= count else 0.0)
        means.append(total / min(i + 1, count))
    return means
