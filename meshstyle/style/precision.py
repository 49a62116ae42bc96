"""Numbers of half the width within the network; everything around it stays in float32.

Feature maps leave the network as float32, so Gram matrices and losses are summed and compared in it. In fp16 the
gradients of a relative loss in single cells may lie below what the type can hold (6e-8), or above (65504): on their
way back they are multiplied by a power of two, exactly, which is taken off again in float32 where they leave it
(Micikevicius et al., Mixed Precision Training, ICLR 2018, section 3.2).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.autograd.function import once_differentiable

# `auto`: float32, but for what the convolution multiplies where the processor does that faster (see `convolution`).
TYPES = {"auto": torch.float32, "float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_MIDDLE = 2.0**15  # see `gradient_scale`


def gradient_scale(kind: torch.dtype, weight: float) -> float:
    """The power of two for losses of that total weight. bf16 has the range of float32 and needs none.

    From noise, a flat picture and a painting, gradients were right to 3e-4 for factors × weight from 2⁷ to 2²²; the
    middle of that is taken.
    """
    if kind != torch.float16 or weight <= 0:
        return 1.0
    return 2.0 ** round(math.log2(_MIDDLE / weight))


def enter(x: torch.Tensor, kind: torch.dtype, scale: float) -> torch.Tensor:
    """What the network reads, in its own type. `scale`: of the gradients that come back."""
    return x if x.dtype == kind else _Enter.apply(x, kind, scale)


def leave(x: torch.Tensor, scale: float) -> torch.Tensor:
    """What the network made, in float32."""
    return x if x.dtype == torch.float32 else _Leave.apply(x, scale)


class _Enter(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, kind: torch.dtype, scale: float) -> torch.Tensor:
        ctx.scale = scale
        return x.to(kind)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return gradients[0].float() / ctx.scale, None, None


class _Leave(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, scale: float) -> torch.Tensor:
        ctx.kind, ctx.scale = x.dtype, scale
        return x.float()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return (gradients[0] * ctx.scale).to(ctx.kind), None
