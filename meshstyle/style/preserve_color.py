"""Keeping the photo's colours (Gatys et al. 2016, "Preserving color in neural artistic style transfer")."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float

from ..srgb import LUMA
from .color_transfer import match_colours

Picture = Float[torch.Tensor, "1 3 H W"]
Painting = Float[torch.Tensor, "1 3 h w"]


def luminance(picture: Float[torch.Tensor, "1 3 H W"]) -> Float[torch.Tensor, "1 1 H W"]:
    """Y of YIQ, of sRGB values."""
    weights = torch.tensor(LUMA, dtype=picture.dtype, device=picture.device).view(1, 3, 1, 1)
    return (picture * weights).sum(1, keepdim=True)


def grey(picture: Picture) -> Picture:
    """The luminance in all three channels."""
    return luminance(picture).expand(-1, 3, -1, -1).contiguous()


def with_luminance_of(photo: Picture, painted: Picture) -> Picture:
    """The photo's I and Q with the other's Y (section 2.2), sRGB 0..1.

    Y enters all three channels of RGB with the same factor 1, so that replacing it is adding the difference.
    """
    return (photo + luminance(painted) - luminance(photo)).clamp(0, 1)


def match_luminance(painting: Painting, photo: Picture, weight: Float[torch.Tensor, "1 1 H W"]) -> Painting:
    """The painting's luminance with the photo's mean and spread (section 2.2), grey.

    Y' = σ_photo / σ_painting · (Y − μ_painting) + μ_photo. `weight`: how much each pixel of the photo counts.
    """
    ours, theirs = luminance(painting), luminance(photo)
    share = weight / weight.sum().clamp_min(1e-12)
    mean = (theirs * share).sum()
    spread = ((theirs - mean).square() * share).sum().sqrt()
    moved = (ours - ours.mean()) * (spread / ours.std(correction=0).clamp_min(1e-4)) + mean
    return moved.clamp(0, 1).expand(-1, 3, -1, -1).contiguous()


def match_style_image(painting: Painting, photo: Picture, weight: Float[torch.Tensor, "1 1 H W"]) -> Painting:
    """The painting in the photo's colours: its mean and covariance (section 2.1; the map is that of `colours`)."""
    counted = weight.flatten() > 0
    wanted = photo[0].flatten(1).T[counted]
    pixels = painting[0].flatten(1).T
    moved = match_colours(pixels, torch.ones_like(pixels[:, 0]), wanted)
    return moved.T.reshape(painting.shape).contiguous()


def prepare(
    kind: str, photo: Picture, weight: Float[torch.Tensor, "1 1 H W"], paintings: Sequence[torch.Tensor]
) -> tuple[Picture, list[torch.Tensor]]:
    """Photo and paintings as they go into the solver. `kind`: `no`, `luminance` or `matched`."""
    if kind == "luminance":
        return grey(photo), [match_luminance(painting, photo, weight) for painting in paintings]
    if kind == "matched":
        return photo, [match_style_image(painting, photo, weight) for painting in paintings]
    return photo, list(paintings)
