"""What pictures say of themselves: figures that need neither a model nor a network.

Pictures are sRGB 0..1 as displayed, masks shares 0..1. Sizes in pixels are meant for views of 768 pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float

from .style.losses import luminance_blocks

STRUCTURE_BLOCK = 24
WHITE = 250  # of 255, in every channel
_BLUR = 5  # what it takes away is high frequency
_EDGE = 9  # the square that must lie in the mask for its middle to count
_INTERIOR = 0.999  # mask of pixels inside the silhouette
# JFIF's Y, Cb and Cr (ITU-T T.871, section 7), without the offset of the latter two.
_YCC = ((0.299, 0.587, 0.114), (-0.1687, -0.3313, 0.5), (0.5, -0.4187, -0.0813))

Picture = Float[torch.Tensor, "1 3 H W"]
Mask = Float[torch.Tensor, "1 1 H W"]


def structure(picture: Picture, original: Picture, mask: Mask) -> float:
    """Correlation of the luminance of 24-pixel blocks inside the mask, −1..1; NaN where there are none to compare.

    It is 0 where one of the two is flat.
    """
    (ours, inside), (theirs, _) = (
        luminance_blocks(shown, mask, STRUCTURE_BLOCK) for shown in (picture, original)
    )
    if float(inside.sum()) <= 1:
        return math.nan
    a, b = (blocks[inside > 0] - blocks[inside > 0].mean() for blocks in (ours, theirs))
    return float((a * b).sum() / (a.norm() * b.norm() + 1e-6))


def high_frequencies(picture: Picture, mask: Mask) -> Float[torch.Tensor, "3"]:
    """RMS of what a 5-pixel box blur takes away of Y, Cb and Cr, inside the silhouette; NaN where there is no inside.

    The blur looks at what lies in the mask only; pixels count whose 9×9 neighbourhood does.
    """
    ycc = torch.einsum("kc,bchw->bkhw", picture.new_tensor(_YCC), picture)
    pad = _BLUR // 2
    share = F.avg_pool2d(mask, _BLUR, 1, pad).clamp_min(1e-6)
    taken = ycc - F.avg_pool2d(ycc * mask, _BLUR, 1, pad) / share
    counted = 1 - F.max_pool2d(1 - mask, _EDGE, 1, _EDGE // 2)
    return ((taken**2 * counted).sum((0, 2, 3)) / counted.sum()).sqrt()


def grain(ours: Float[torch.Tensor, "V 3"], painting: Float[torch.Tensor, "3"]) -> tuple[float, float]:
    """High frequencies of views over the painting's: of luminance (grain), of Cb and Cr together (confetti).

    1: as much as the painting; a blurred result has less grain, one of coloured dots more confetti. 0 for both where
    no view has any inside. `ours`, `painting`: of `high_frequencies`.
    """
    told = ours[torch.isfinite(ours).all(1)]
    if not len(told):
        return 0.0, 0.0
    mean = told.mean(0)
    tiny = 1e-6
    return (
        float(mean[0] / painting[0].clamp_min(tiny)),
        float(mean[1:].norm() / painting[1:].norm().clamp_min(tiny)),
    )


def white_share(unlit: Picture, mask: Mask) -> float:
    """Share of the mask's pixels that are displayed at 250 of 255 or more in every channel, 0..1."""
    burnt = (torch.round(unlit * 255) >= WHITE).all(1, keepdim=True)
    inside = mask > 0.5
    return float((burnt & inside).sum() / inside.sum().clamp_min(1))


def poles(styles: Sequence[float]) -> float:
    """Mean style loss of the highest and the lowest view over that of the others; 1: tops look as good as sides.

    `styles`: of views from the highest to the lowest; fewer than three say nothing, 1.
    """
    if len(styles) < 3:
        return 1.0
    others = sum(styles[1:-1]) / (len(styles) - 2)
    return (styles[0] + styles[-1]) / 2 / max(others, 1e-12)


def sharpness(picture: Picture, mask: Mask) -> float:
    """RMS of the 4-neighbour Laplacian of luminance where it and its neighbours lie inside the mask."""
    luminance, _ = luminance_blocks(picture, mask, 1)
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]).view(1, 1, 3, 3)
    laplacian = F.conv2d(luminance, kernel)
    whole = (-F.max_pool2d(-mask, 3, stride=1) > _INTERIOR).float()
    return float(((laplacian**2 * whole).sum() / whole.sum().clamp_min(1)).sqrt())


def geometric_mean(values: Sequence[float]) -> float:
    """Return the geometric mean of numbers of 0 or more."""
    return math.prod(values) ** (1 / len(values))
