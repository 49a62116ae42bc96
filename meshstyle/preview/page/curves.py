"""Loss curves as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .html import text

_WIDTH, _HEIGHT, _EDGE = 320, 110, 6
_MOST_POINTS = 240


def curve(title: str, values: Sequence[float], smooth: int = 1) -> str:
    """One curve over the steps, a faint line for the values and a plain one for their running mean.

    Args:
        values: one per step; those that are not finite are left out. The axis is logarithmic where the values
            are positive and span more than a factor of ten.
        smooth: steps that the mean is taken over: as many as there are views, since every step sees another.
    """
    numbers = [value for value in values if math.isfinite(value)]
    if len(numbers) < 2:
        return ""
    means = _running_means(numbers, smooth)
    logarithmic = min(numbers) > 0 and max(numbers) > 10 * min(numbers)
    scale = math.log10 if logarithmic else float
    low, high = scale(min(numbers)), scale(max(numbers))
    span = high - low or 1.0

    def line(series: Sequence[float], style: str) -> str:
        every = max(1, math.ceil(len(series) / _MOST_POINTS))
        picked = [*range(0, len(series) - 1, every), len(series) - 1]
        points = " ".join(
            f"{_EDGE + i / (len(series) - 1) * (_WIDTH - 2 * _EDGE):.1f},"
            f"{_EDGE + (high - scale(series[i])) / span * (_HEIGHT - 2 * _EDGE):.1f}"
            for i in picked
        )
        return f'<polyline points="{points}" fill="none" {style}/>'

    note = f"{means[-1]:.3g} after {len(numbers)} steps{', logarithmic' if logarithmic else ''}"
    return (
        f"<h2>{text(title)}</h2>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{text(title)}: {note}">'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" rx="4" fill="#8881"/>'
        + line(numbers, 'stroke="#8888"')
        + line(means, 'stroke="#2a6fdb" stroke-width="2"')
        + f"</svg><p>{note}</p>"
    )


def _running_means(values: Sequence[float], count: int) -> list[float]:
    means, total = [], 0.0
    for i, value in enumerate(values):
        total += value - (values[i - count] if i >= count else 0.0)
        means.append(total / min(i + 1, count))
    return means
