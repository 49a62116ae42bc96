"""Keeps bare paint within the painting's range of light.

Losses see paint under a headlight, so paint is made brighter than the painting, and where that has its lights, the
base colour that is delivered would be burnt out: white without strokes. So what the bare paint has beyond the
painting's own lights costs.
"""

from __future__ import annotations

import torch
from jaxtyping import Float

WEIGHT = 5.0  # beside a style loss of 1, on the mean squared excess (sRGB²)
_LIGHTS = 0.995  # share of the painting that is darker than its lights
_RANGE = (0.5, 0.96)  # sRGB: the limit is never below, nor above, however dark or light the painting is
_MOST = 1 << 20  # pixels of a painting that are looked at


def lightest(painting: Float[torch.Tensor, "1 3 H W"]) -> float:
    """The whiteness (the least of the three channels) above which lie only a painting's lights, sRGB 0..1."""
    whiteness = painting.min(dim=1).values.flatten()
    whiteness = whiteness[:: max(1, len(whiteness) // _MOST)]
    return min(max(float(whiteness.quantile(_LIGHTS)), _RANGE[0]), _RANGE[1])


def burnt(
    paint: Float[torch.Tensor, "1 3 H W"], mask: Float[torch.Tensor, "1 1 H W"], limit: float | torch.Tensor
) -> Float[torch.Tensor, ""]:
    """Mean squared excess of the whiteness of bare paint over the limit, of all pixels or of each; differentiable."""
    excess = (paint.min(dim=1, keepdim=True).values - limit).clamp_min(0)
    return (excess.square() * mask).sum() / mask.sum().clamp_min(1e-6)
