"""What multiplies S and D (see `views.sampling_matrix`) in torch, and how images of the atlases become rows of T and
back."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse
import torch
from jaxtyping import Float

from .sampling_matrix import TexelTable


def gather(
    texels: TexelTable, textures: Sequence[Float[torch.Tensor, "C _ _"]]
) -> Float[torch.Tensor, "T C"]:
    """Images to rows."""
    parts = [
        texture[:, torch.from_numpy(layout.covered)].T
        for texture, layout in zip(textures, texels.layouts, strict=True)
    ]
    return torch.cat(parts).contiguous()


def scatter(texels: TexelTable, rows: Float[torch.Tensor, "T C"]) -> list[Float[torch.Tensor, "C _ _"]]:
    """Rows to images, gutters filled with the nearest covered texel."""
    images = []
    for layout in texels.layouts:
        index = torch.from_numpy(layout.levels[0].reshape(-1)).long()
        images.append(rows[index].T.reshape(-1, *layout.covered.shape).contiguous())
    return images


class Gathered:
    """A sparse matrix for devices on which torch knows none: entries are looked up, and summed by row."""

    def __init__(self, matrix: scipy.sparse.csr_matrix, device: torch.device) -> None:
        rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        self._rows = torch.from_numpy(rows).to(device)
        self._columns = torch.from_numpy(matrix.indices.astype(np.int64)).to(device)
        self._weights = torch.from_numpy(matrix.data).to(device)[:, None]
        self._height = matrix.shape[0]

    def __matmul__(self, x: Float[torch.Tensor, "N C"]) -> Float[torch.Tensor, "M C"]:
        made = x.new_zeros(self._height, x.shape[1])
        return made.index_add_(0, self._rows, self._weights * x[self._columns])


Product = torch.Tensor | Gathered


def to_torch(matrix: scipy.sparse.csr_matrix, device: torch.device) -> Product:
    """A scipy CSR matrix as what multiplies on that device."""
    if device.type not in ("cpu", "cuda"):
        return Gathered(matrix, device)
    with warnings.catch_warnings():
        # torch warns that its CSR layout is in beta: not the user's business.
        warnings.simplefilter("ignore", UserWarning)
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype(np.int32, copy=False)),
            torch.from_numpy(matrix.indices.astype(np.int32, copy=False)),
            torch.from_numpy(matrix.data),
            size=matrix.shape,
            device=device,
        )


class Sample(torch.autograd.Function):
    """S·T with the exact adjoint Sᵀ·g, both matrices made beforehand."""

    @staticmethod
    def forward(ctx: Any, texels: torch.Tensor, matrix: Product, transposed: Product) -> torch.Tensor:
        ctx.transposed = transposed
        return matrix @ texels

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return ctx.transposed @ gradients[0].contiguous(), None, None
