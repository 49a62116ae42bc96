"""Starting colours: the model's own, moved into the painting's palette."""

from __future__ import annotations

import torch
from jaxtyping import Float

from .color_statistics import Colours

_FLOOR = 1e-3  # variance (sRGB²) below which an axis counts as flat: its noise must not be blown up


def match_colours(
    colours: Float[torch.Tensor, "N 3"],
    weights: Float[torch.Tensor, "N"],
    target: Float[torch.Tensor, "M 3"],
    source: Colours | None = None,
) -> Float[torch.Tensor, "N 3"]:
    """Move colours so that their mean and covariance become the target's.

    The map is the optimal transport between two Gaussians,
    T = A^{-1/2} (A^{1/2} B A^{1/2})^{1/2} A^{-1/2} (Pitié & Kokaram 2007, section 3), which keeps the order of
    colours: what was darker stays darker.

    Args:
        colours: sRGB 0..1.
        weights: how much each colour counts in the statistics.
        target: the painting's pixels, sRGB 0..1.
        source: statistics to take for the colours' own, so that the same colour moves alike in all of a set.

    Returns the moved colours, clamped to 0..1.
    """
    if source is None:
        share = (weights / weights.sum().clamp_min(1e-12))[:, None]
        mean = (colours * share).sum(0)
        centred = colours - mean
        spread = (centred * share).T @ centred
    else:
        mean = torch.tensor(source.mean, dtype=colours.dtype, device=colours.device)
        centred = colours - mean
        spread = torch.tensor(source.covariance, dtype=colours.dtype, device=colours.device)
    covariance = spread + _FLOOR * torch.eye(3, device=colours.device)
    target_mean = target.mean(0)
    target_centred = target - target_mean
    target_covariance = target_centred.T @ target_centred / len(target)
    root = _power(covariance, 0.5)
    inverse = _power(covariance, -0.5)
    transport = inverse @ _power(root @ target_covariance @ root, 0.5) @ inverse
    return (centred @ transport + target_mean).clamp(0, 1)


def _power(matrix: Float[torch.Tensor, "3 3"], exponent: float) -> Float[torch.Tensor, "3 3"]:
    values, vectors = torch.linalg.eigh(matrix.cpu())  # three by three; not every device can
    return (vectors @ torch.diag(values.clamp_min(1e-8) ** exponent) @ vectors.T).to(matrix.device)
