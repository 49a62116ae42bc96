"""What holds a frame to those before it (Ruder, Dosovitskiy, Brox 2016, "Artistic style transfer for videos")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64

from ..optimize.picture_problem import PixelTerm
from ..style.objective import Picture, resize

Weight = Float[torch.Tensor, "1 1 H W"]


@dataclass(frozen=True, eq=False)
class TemporalTarget:
    """Colors that a frame is held to.

    Attributes:
        colors: sRGB 0..1, what other frames show, carried along the motion.
        weight: 0..1, how far they can be relied on.
    """

    colors: Picture
    weight: Weight

    def at(self, shape: tuple[int, int]) -> TemporalTarget:
        """Resize to (height, width)."""
        return TemporalTarget(resize(self.colors, shape), resize(self.weight, shape))

    def over(self, picture: Picture) -> Picture:
        """The colors where they can be relied on, and elsewhere a picture's."""
        return torch.lerp(picture, self.colors, self.weight)


def mixed(targets: Sequence[TemporalTarget], shares: Sequence[float]) -> TemporalTarget:
    """One target for several frames that all count, by their shares and as far as they can be relied on; the weight is
    the largest.

    Here we depart from the paper, where the nearest counts alone: paint that is held to the last frame only goes astray
    by what each step of the flow misses, over eight frames several times as far.
    """
    total = torch.zeros_like(targets[0].weight)
    colors = torch.zeros_like(targets[0].colors)
    for target, share in zip(targets, shares, strict=True):
        colors += share * target.weight * target.colors
        total += share * target.weight
    weight = torch.stack([target.weight for target in targets]).amax(0)
    return TemporalTarget(colors / total.clamp_min(1e-6), weight)


def combined(targets: Sequence[TemporalTarget]) -> TemporalTarget:
    """One target for several frames, in their order. What an earlier one tells counts alone; a later one adds what was
    hidden or beyond the border in all before it (eq. 10: c_long = max(c − Σ c of nearer ones, 0)).

    The sum Σ c_k |x − t_k|² and c |x − t|², with c = Σ c_k and c·t = Σ c_k t_k, have the same gradient.
    """
    total = torch.zeros_like(targets[0].weight)
    colors = torch.zeros_like(targets[0].colors)
    for target in targets:
        share = (target.weight - total).clamp_min(0)
        colors += share * target.colors
        total += share
    return TemporalTarget(colors / total.clamp_min(1e-6), total.clamp(0, 1))


def temporal_loss(
    values: Float[torch.Tensor, "N 3"], target: TemporalTarget, rows: Int64[torch.Tensor, "N"], weight: float
) -> tuple[Float[torch.Tensor, ""], Float[torch.Tensor, "N 3"]]:
    """γ/D Σ c (x − t)² over pixels and channels (eq. 7, D their number in the picture), and its gradient.

    Args:
        values: x, of the pixels `rows` (row-major), sRGB 0..1.
        weight: γ.
    """
    goal = target.colors[0].flatten(1).T[rows]
    share = target.weight.flatten()[rows][:, None] * (weight / target.colors.numel())
    difference = values - goal
    pull = share * difference
    return (pull * difference).sum(), 2 * pull


def temporal_term(target: TemporalTarget, rows: Int64[torch.Tensor, "N"], weight: float) -> PixelTerm:
    """`temporal_loss` as a term of the objective of one picture."""
    return lambda values: temporal_loss(values, target, rows, weight)
