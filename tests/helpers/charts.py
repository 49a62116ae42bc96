"""What tests share that began in test_bake.py."""

from __future__ import annotations

import numpy as np

from helpers.assets import SQUARE, SQUARE_UV, HandMade, moved
from meshstyle.config.model import Settings
from meshstyle.io.types import Part
from meshstyle.texture.build import build_surface
from meshstyle.texture.types import Surface


def two_charts(left: float = 0.0, right: float = 1.0, size: int = 64) -> Surface:
    """Two squares side by side in the world, in two charts with a broad gutter between them in the atlas.

    The seam is the edge x = 1. The original's grey is `left` (linear light) on one side, `right` on the other.
    """
    chart = SQUARE_UV * [0.25, 0.5]
    colours = [np.full((2, 3, 4), value) for value in (left, right)]
    parts = [
        Part("left", 0, SQUARE[None], None, moved(chart, 0.125, 0.25), colours[0]),
        Part("right", 0, moved(SQUARE, 1, 0, 0)[None], None, moved(chart, 0.625, 0.25), colours[1]),
    ]
    return build_surface(HandMade(parts), Settings(uv="keep", texture_size=size))
