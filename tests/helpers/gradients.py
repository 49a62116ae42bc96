"""Gradients against differences, for losses that are worked out in single precision."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

Loss = Callable[[torch.Tensor], torch.Tensor]


def check_gradient(loss: Loss, at: torch.Tensor, rel: float = 0.03, step: float = 2e-3) -> None:
    """Along the gradient itself the loss changes as the gradient says: `step` a row, there and back."""
    leaf = at.clone().requires_grad_(True)
    loss(leaf).backward()
    assert leaf.grad is not None
    check_against_differences(lambda x: float(loss(x).detach()), at, leaf.grad, rel, step)


def check_against_differences(
    loss: Callable[[torch.Tensor], float],
    at: torch.Tensor,
    gradient: torch.Tensor,
    rel: float = 0.03,
    step: float = 2e-3,
) -> None:
    length = float(gradient.norm())
    assert length > 0
    way = gradient / length * len(at) ** 0.5
    ahead, behind = (loss(at + sign * step * way) for sign in (1, -1))
    assert (ahead - behind) / (2 * step) == pytest.approx(float((gradient * way).sum()), rel=rel)
