"""The photo that is painted: colours, transparency and mask, at any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8

from ..errors import PictureError
from ..io.images import read_picture
from .objective import Picture, resize
from .preserve_color import luminance

Mask = Float[torch.Tensor, "1 1 H W"]

_SHAPES_DIFFER = 0.02  # of an aspect ratio: more is another picture


@dataclass(frozen=True, eq=False)
class ContentImage:
    """What is painted.

    Attributes:
        colours: (1, 3, H, W) sRGB 0..1, straight.
        alpha: (1, 1, H, W) 0..1. What is transparent is not painted and counts nowhere.
        mask: (1, 1, H, W) 0..1, where and how much to paint.
    """

    colours: Picture
    alpha: Mask
    mask: Mask

    def at(self, shape: tuple[int, int]) -> ContentImage:
        """Resize to (height, width); colours weighted by alpha, so that nothing hidden bleeds out."""
        if tuple(self.colours.shape[-2:]) == shape:
            return self
        alpha, mask = resize(self.alpha, shape), resize(self.mask, shape)
        if bool((self.alpha == 1).all()):
            return ContentImage(resize(self.colours, shape), alpha, mask)
        premultiplied = resize(self.colours * self.alpha, shape)
        hidden = resize(self.colours, shape)
        straight = torch.where(alpha > 0, premultiplied / alpha.clamp_min(1e-6), hidden).clamp(0, 1)
        return ContentImage(straight, alpha, mask)

    @property
    def weight(self) -> Mask:
        """How much each pixel counts."""
        return self.mask * self.alpha

    def over_mean(self) -> Picture:
        """The colours, with the visible ones' mean where nothing is visible."""
        share = self.alpha / self.alpha.sum().clamp_min(1e-12)
        mean = (self.colours * share).sum((2, 3), keepdim=True)
        return torch.where(self.alpha > 0, self.colours, mean)

    def pixels(self) -> Float32[np.ndarray, "H W 4"]:
        """sRGB and alpha 0..1."""
        return pixels_of(self.colours, self.alpha)

    def to(self, device: torch.device) -> ContentImage:
        """On another device."""
        return ContentImage(self.colours.to(device), self.alpha.to(device), self.mask.to(device))


def pixels_of(colours: Picture, alpha: Mask) -> Float32[np.ndarray, "H W 4"]:
    """sRGB and alpha 0..1, as pictures are kept in files."""
    return torch.cat([colours, alpha], 1)[0].permute(1, 2, 0).contiguous().cpu().numpy()


def read_content_image(
    pixels: UInt8[np.ndarray, "H W 4"], path: Path, mask: str | Path | None
) -> ContentImage:
    """A photo that was read from `path`, with its mask (a picture's path).

    Raises PictureError where there is nothing to paint, and for a mask of another shape.
    """
    whole = torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)[None]
    alpha = whole[:, 3:].contiguous()
    if not bool(alpha.any()):
        raise PictureError(path, "it is transparent throughout", "Give a picture that shows something.")
    share = torch.ones_like(alpha) if mask is None else _mask(Path(mask), pixels.shape[:2])
    if mask is not None and not bool((share * alpha).any()):
        cause = "it leaves nothing to paint: it is black wherever the photo shows something"
        raise PictureError(mask, cause, "Paint white what should be painted.")
    return ContentImage(whole[:, :3].contiguous(), alpha, share)


def _mask(path: Path, size: tuple[int, int]) -> torch.Tensor:
    """Luminance times alpha, (1, 1, H, W) 0..1, at the photo's size."""
    pixels = torch.from_numpy(read_picture(path).astype(np.float32) / 255).permute(2, 0, 1)[None]
    check_same_shape(tuple(pixels.shape[-2:]), size, path)
    share = luminance(pixels[:, :3]) * pixels[:, 3:]
    # 255 levels of luminance, whose weights sum to 1 only nearly: white must be exactly 1.
    return resize((share * 255).round() / 255, size)


def check_same_shape(shape: tuple[int, ...], wanted: tuple[int, ...], path: Path) -> None:
    """Raise PictureError where (height, width) are not of the proportions that are wanted, the photo's."""
    ours, theirs = shape[0] / shape[1], wanted[0] / wanted[1]
    if abs(ours / theirs - 1) > _SHAPES_DIFFER and abs(shape[0] - shape[1] * theirs) > 1:
        cause = f"{shape[1]}×{shape[0]} is another shape than the photo's {wanted[1]}×{wanted[0]} pixels"
        raise PictureError(path, cause, "Give a picture of the photo's proportions.")


def long_side(shape: Sequence[int], size: int) -> tuple[int, int]:
    """A shape (height, width) with a longer side of `size` pixels."""
    height, width = (max(1, round(side * size / max(shape))) for side in shape)
    return height, width


def shape_of(picture: Float[torch.Tensor, "1 _ H W"]) -> tuple[int, int]:
    """(height, width)."""
    return int(picture.shape[-2]), int(picture.shape[-1])
