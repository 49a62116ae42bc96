"""Adam, for unknowns of which each step sees only some."""

from __future__ import annotations

import torch


class Adam:
    """Adam (Kingma & Ba 2015) that touches only the rows a step has a gradient for.

    A texel that this view does not see keeps its moments and its place, instead of coasting on stale momentum;
    bias is corrected by each row's own number of steps.
    """

    def __init__(self, values: torch.Tensor, betas: tuple[float, float]) -> None:
        self._values, self._betas = values, betas
        self._mean = torch.zeros_like(values)
        self._square = torch.zeros_like(values)
        self._count = torch.zeros(len(values), 1, device=values.device)

    @torch.no_grad()
    def step(self, rows: torch.Tensor, gradient: torch.Tensor, rate: float) -> None:
        """One step on the given rows, values kept in 0..1."""
        b1, b2 = self._betas
        mean = self._mean[rows].lerp_(gradient, 1 - b1)
        square = self._square[rows].mul_(b2).addcmul_(gradient, gradient, value=1 - b2)
        count = self._count[rows] + 1
        denominator = (square / (1 - b2**count)).sqrt_().add_(1e-8)
        change = mean / (1 - b1**count) / denominator
        self._values.index_copy_(0, rows, (self._values[rows] - rate * change).clamp_(0, 1))
        self._mean.index_copy_(0, rows, mean)
        self._square.index_copy_(0, rows, square)
        self._count.index_copy_(0, rows, count)
