"""The losses (docs/method.md). All are relative, so that one set of weights fits every model and style.

Masks are shares 0..1; background never enters a sum.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float

from ..srgb import LUMA

STRUCTURE_BLOCKS = (4, 8)  # pixels
_INSIDE = 0.9  # share of a block that must be surface
TINY = 1e-8


def masked_gram(
    features: Float[torch.Tensor, "1 C h w"],
    mask: Float[torch.Tensor, "1 1 h w"],
    count: Float[torch.Tensor, ""] | None = None,
) -> Float[torch.Tensor, "C C"]:
    """Gram matrix averaged over the mask, G = Σ m f fᵀ / Σ m (Gatys et al. 2016, eq. 3, made a mean).

    `count`: Σ m of the whole picture, where these features are a part of it: the parts' results add up to its own.
    """
    f, m = features.squeeze(0).flatten(1), mask[0].flatten(1)  # the gradient of f[0] would be a copy
    count = m.sum() if count is None else count
    found: Float[torch.Tensor, "C C"] = _MaskedGram.apply(f, m / count.clamp_min(TINY))
    return found


class _MaskedGram(torch.autograd.Function):
    """Σ w f fᵀ with the gradient (D + Dᵀ)·(f·w) in one product; automatic differentiation takes two."""

    @staticmethod
    def forward(ctx: Any, f: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        # Channels last where the convolution has made them so: it need not turn what comes back either.
        weighted = f * weight if f.is_contiguous() else (f.T * weight.T).T
        ctx.save_for_backward(weighted)
        return weighted @ f.T

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (weighted,) = ctx.saved_tensors
        both = gradients[0] + gradients[0].T
        return both @ weighted if weighted.is_contiguous() else (weighted.T @ both).T, None


def shrink_mask(
    mask: Float[torch.Tensor, "1 1 H W"], height: int, width: int
) -> Float[torch.Tensor, "1 1 h w"]:
    """The coverage of a layer's cells: the mean of the mask over each."""
    return F.adaptive_avg_pool2d(mask, (height, width))


def style_loss(
    gram: Float[torch.Tensor, "C C"], target: Float[torch.Tensor, "C C"]
) -> Float[torch.Tensor, ""]:
    """‖G − G_style‖² / ‖G_style‖², one layer (eq. 4, relative)."""
    return ((gram - target) ** 2).sum() / (target**2).sum().clamp_min(TINY)


def content_loss(
    features: Float[torch.Tensor, "1 C h w"],
    target: Float[torch.Tensor, "1 C h w"],
    mask: Float[torch.Tensor, "1 1 h w"],
    energy: Float[torch.Tensor, ""] | None = None,
) -> Float[torch.Tensor, ""]:
    """Σ m ‖f − f₀‖² / Σ m ‖f₀‖² (eq. 1, relative).

    `energy`: Σ m ‖f₀‖² of the whole picture, where these features are a part of it, as in `masked_gram`.
    """
    energy = (target**2 * mask).sum() if energy is None else energy
    return ((features - target) ** 2 * mask).sum() / energy.clamp_min(TINY)


def luminance_blocks(
    picture: Float[torch.Tensor, "1 3 H W"], mask: Float[torch.Tensor, "1 1 H W"], block: int
) -> tuple[Float[torch.Tensor, "1 1 h w"], Float[torch.Tensor, "1 1 h w"]]:
    """Mean luminance of each block, and 1 for the blocks that lie inside the silhouette.

    In a picture lower or narrower than a block, as collages may be, blocks are as large as fit.
    """
    block = min(block, *picture.shape[-2:])
    weights = torch.tensor(LUMA, dtype=picture.dtype, device=picture.device).view(1, 3, 1, 1)
    luminance = F.avg_pool2d((picture * weights).sum(1, keepdim=True), block)
    inside = (F.avg_pool2d(mask, block) > _INSIDE).to(picture.dtype)
    return luminance, inside


def correlation(
    a: Float[torch.Tensor, "1 1 h w"],
    b: Float[torch.Tensor, "1 1 h w"],
    weight: Float[torch.Tensor, "1 1 h w"],
) -> Float[torch.Tensor, ""]:
    """Pearson's correlation under a 0/1 weight; damped to 0 where either is flat."""
    count = weight.sum().clamp_min(1)
    a = (a - (a * weight).sum() / count) * weight
    b = (b - (b * weight).sum() / count) * weight
    return (a * b).sum() / (torch.sqrt((a * a).sum() + 1e-8) * torch.sqrt((b * b).sum() + 1e-8) + 1e-4)


def structure_loss(
    picture: Float[torch.Tensor, "1 3 H W"],
    original: Float[torch.Tensor, "1 3 H W"],
    mask: Float[torch.Tensor, "1 1 H W"],
    blocks: tuple[int, ...] = STRUCTURE_BLOCKS,
) -> Float[torch.Tensor, ""]:
    """1 − correlation of block luminance with the original's view, mean over block sizes.

    Keeps eyes, patches and lettering in the painting's own palette.
    """
    total = torch.zeros((), dtype=picture.dtype, device=picture.device)
    for block in blocks:
        ours, inside = luminance_blocks(picture, mask, block)
        theirs, _ = luminance_blocks(original, mask, block)
        total = total + correlation(ours, theirs, inside) / len(blocks)
    return 1 - total
