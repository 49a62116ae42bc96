"""sRGB and linear light (IEC 61966-2-1) for tensors, differentiable.

Renderers filter textures in linear light and show the result in sRGB. Averaging sRGB values instead makes fine light
and dark strokes look darker than any renderer will show them.
"""

from __future__ import annotations

import torch
from jaxtyping import Float

_LINEAR_BELOW, _DISPLAYED_BELOW = 0.04045, 0.0031308  # where the curve's straight part ends, on either side


def to_linear(displayed: Float[torch.Tensor, "*shape"]) -> Float[torch.Tensor, "*shape"]:
    """sRGB 0..1 to linear light 0..1."""
    curve = ((displayed.clamp_min(_LINEAR_BELOW) + 0.055) / 1.055) ** 2.4
    return torch.where(displayed <= _LINEAR_BELOW, displayed / 12.92, curve)


def to_displayed(linear: Float[torch.Tensor, "*shape"]) -> Float[torch.Tensor, "*shape"]:
    """Linear light 0..1 to sRGB 0..1."""
    curve = 1.055 * linear.clamp_min(_DISPLAYED_BELOW) ** (1 / 2.4) - 0.055
    return torch.where(linear <= _DISPLAYED_BELOW, linear * 12.92, curve)
