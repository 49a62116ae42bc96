"""Where the unknown colours begin (`--init`)."""

from __future__ import annotations

import torch
from jaxtyping import Float

from .colours import match_colours
from .objective import fit_short_side

NOISE = 0.06  # of a colour-matched start, sRGB: lets flat areas find a stroke
_PALETTE_SIDE = 128  # pixels of the painting's short side that stand for its palette


def starting_colours(
    kind: str,
    original: Float[torch.Tensor, "N 3"],
    weights: Float[torch.Tensor, "N"],
    painting: Float[torch.Tensor, "1 3 H W"],
    generator: torch.Generator,
) -> Float[torch.Tensor, "N 3"]:
    """Colours to begin with, sRGB 0..1.

    Args:
        kind: `content`: the original's own; `color-matched`: those in the painting's palette, with a little noise;
            `noise`: the painting's mean and spread, and nothing of the original.
        weights: how much each colour counts in the original's statistics.
        generator: on the CPU; what it draws does not depend on the device.
    """
    if kind == "content":
        return original.clone()
    palette = fit_short_side(painting, _PALETTE_SIDE)[0].flatten(1).T
    noise = torch.randn(original.shape, generator=generator).to(original.device)
    if kind == "noise":
        return (palette.mean(0) + palette.std(0) * noise).clamp(0, 1)
    return (match_colours(original, weights, palette) + NOISE * noise).clamp(0, 1)
