"""How much of the style a result takes: `--strength`, from 0 (the original, exactly) to 1 (the full style).

Three things follow it; each is the whole thing at 1, so that full strength is the paper's method and nothing else:

- the style's target: on every layer the Gram matrix that lies between the original view's and the painting's;
- the colours that the optimizer begins with, between the original's and those it would begin with;
- `paint_share`: near 0 the paint is faded in over the original.

The first does the work. It costs one Gram matrix per view and layer before the first step, nothing after it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

FADE = 0.25  # strength from which on nothing of the original's own texels is left


Strength = float | Float32[np.ndarray, "H W"]
"""Of all texels, or of each."""


def paint_share(strength: float) -> float:
    """Share of the paint in the result: 0 at 0, 1 from `FADE` on, smooth between.

    However near its target lies to where it began, the optimizer makes steps of a fixed length, and paints at its
    own resolution. So the way to 0 is a fade.
    """
    x = min(max(strength / FADE, 0.0), 1.0)
    return x * x * (3 - 2 * x)


def lay_over(
    original: Float32[np.ndarray, "H W 3"], paint: Float32[np.ndarray, "H W 3"], strength: Strength
) -> Float32[np.ndarray, "H W 3"]:
    """A result's colours, sRGB 0..1, from the original's and what the optimizer made of them at that strength."""
    if isinstance(strength, np.ndarray):
        x = np.clip(strength / np.float32(FADE), 0, 1)
        shares = (x * x * (3 - 2 * x))[..., None]
        return np.where(shares == 1, paint, original + shares * (paint - original))
    share = np.float32(paint_share(strength))
    return paint if share == 1 else original + share * (paint - original)
