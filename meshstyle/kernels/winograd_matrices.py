"""Matrices in the order in which the compiled kernels read them: in strips of LANES columns."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import BFloat16, Float

from .winograd_arguments import LANES

_G = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)


def transformed(kernel: Float[torch.Tensor, "K C 3 3"], bf16: bool = False) -> torch.Tensor:
    """G g Gᵀ of every kernel, as 36 matrices (C, K), each cut into strips of LANES columns; the last one is filled up
    with zeros.

    (36, S, C, 16) float32, or where `bf16` (36, S, ⌈C / 2⌉, 16, 2) bf16: pairs of channels lie side by side.
    """
    missing = -kernel.shape[0] % LANES, -kernel.shape[1] % (2 if bf16 else 1)
    if any(missing):
        kernel = F.pad(kernel, (0, 0, 0, 0, 0, missing[1], 0, missing[0]))
    inputs = kernel.shape[1]
    g = torch.tensor(_G, dtype=torch.float64)
    both = torch.kron(g, g).to(kernel.dtype)
    strips = kernel.reshape(-1, LANES, inputs, 9).permute(3, 0, 2, 1).reshape(9, -1)
    made = (both @ strips).view(36, -1, inputs, LANES)
    return paired(made) if bf16 else made


def paired(matrices: Float[torch.Tensor, "M S C 16"]) -> BFloat16[torch.Tensor, "M S P 16 2"]:
    """Strips of matrices in bf16, pairs of their rows side by side, number by number; C is even."""
    return matrices.bfloat16().unflatten(2, (-1, 2)).transpose(3, 4).contiguous()
