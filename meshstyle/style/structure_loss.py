"""What a picture keeps of the original's light and dark, and when that is enough.

Strength of its own a paint must have; but eyes, patches, badges and panels have to stay where they are. So the
luminance of a view's bare paint is compared with the original's bare colours (the headlight, which is the same for
both, would make any two pictures of one shape alike), over the whole view and in windows, and:

- What the original has nothing of cannot be lost: comparisons count by its contrast, and an untextured model is free.
- Once paint and original agree well enough, nothing pushes on: beyond that the painting's own lights and darks,
  swirls and moons, would be driven out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float

from .losses import correlation, luminance_blocks

BLOCKS = (64, 32)  # how many blocks lie along a frame's side; the finer ones are compared in windows, too
WINDOW, WINDOW_STEP = 8, 4  # blocks along a window's side, and from one to the next
CONTRAST = 0.04  # of the original's luminance, sRGB: a comparison of this counts half
_FLAT = 1e-4  # variance added to both sides of a window's correlation
_FILLED = 0.3  # share of a window that must be surface
_WHOLE_ENOUGH, _WINDOW_ENOUGH = 0.9, 0.85  # correlations at the default weight
_DEFAULT_WEIGHT = 130.0
_WINDOWS = 4.0  # weight of the windows beside that of whole views: they hold eyes and badges


@dataclass(frozen=True)
class Enough:
    """The correlations from which on nothing is pushed any more: over the whole of a view, and in its windows."""

    whole: float = _WHOLE_ENOUGH
    window: float = _WINDOW_ENOUGH

    @classmethod
    def at(cls, weight: float) -> Enough:
        """Whoever wants more of it wants it to go on longer: what is missing to 1 falls with the weight's root."""
        missing = math.sqrt(_DEFAULT_WEIGHT / max(weight, 1e-9))
        return cls(
            max(1 - (1 - _WHOLE_ENOUGH) * missing, 0.0),
            max(1 - (1 - _WINDOW_ENOUGH) * min(missing, 2.0), 0.0),
        )


@dataclass(frozen=True, eq=False)
class _Blocks:
    """The original's luminance in blocks, which of them count, and how much its contrast makes of comparisons."""

    pixels: int
    luminance: Float[torch.Tensor, "1 1 h w"]
    inside: Float[torch.Tensor, "1 1 h w"]
    known: float


class StructureTarget:
    """What one view is to keep."""

    def __init__(
        self, original: Float[torch.Tensor, "1 3 H W"], mask: Float[torch.Tensor, "1 1 H W"], frame: int
    ) -> None:
        """`original`: the model's own colours without light, sRGB 0..1. `frame`: pixels across what the view frames."""
        self.mask = mask
        self.blocks = [_blocks(original, mask, max(frame // count, 1)) for count in BLOCKS]
        self.windows = _Windows(self.blocks[0])

    def __call__(
        self, picture: Float[torch.Tensor, "1 3 H W"], enough: Enough
    ) -> tuple[Float[torch.Tensor, ""], Float[torch.Tensor, ""]]:
        """How much is missing, 0 where there is enough, differentiable; and the correlation over the whole view."""
        missing, found = picture.new_zeros(()), picture.new_zeros(())
        for blocks in self.blocks:
            luminance, _ = luminance_blocks(picture, self.mask, blocks.pixels)
            alike = correlation(luminance, blocks.luminance, blocks.inside)
            missing = missing + (enough.whole - alike).clamp_min(0) * (blocks.known / len(self.blocks))
            found = found + alike.detach() / len(self.blocks)
            if blocks is self.blocks[0]:
                missing = missing + _WINDOWS * self.windows(luminance, enough.window)
        return missing, found


def _blocks(original: torch.Tensor, mask: torch.Tensor, pixels: int) -> _Blocks:
    luminance, inside = luminance_blocks(original, mask, pixels)
    count = inside.sum().clamp_min(1)
    mean = (luminance * inside).sum() / count
    variance = float(((luminance - mean) ** 2 * inside).sum() / count)
    return _Blocks(pixels, luminance, inside, variance / (variance + CONTRAST**2))


class _Windows:
    """Correlations of luminance in windows that overlap by half, weighed by the original's contrast in each."""

    def __init__(self, blocks: _Blocks) -> None:
        self._inside = blocks.inside
        self._fits = min(blocks.luminance.shape[-2:]) >= WINDOW
        if not self._fits:
            return
        share = _means(blocks.inside)
        counts = (share > _FILLED).to(share.dtype)
        self._share = share.clamp_min(1e-6)
        self._luminance = blocks.luminance
        self._mean, self._variance = self._moments(blocks.luminance)
        self._weight = counts * self._variance / (self._variance + CONTRAST**2) / counts.sum().clamp_min(1)

    def __call__(self, luminance: Float[torch.Tensor, "1 1 h w"], enough: float) -> Float[torch.Tensor, ""]:
        """The mean of what windows miss."""
        if not self._fits:
            return luminance.new_zeros(())
        mean, variance = self._moments(luminance)
        product = _means(luminance * self._luminance * self._inside) / self._share - mean * self._mean
        alike = product / ((variance + _FLAT).sqrt() * (self._variance + _FLAT).sqrt())
        return ((enough - alike).clamp_min(0) * self._weight).sum()

    def _moments(self, luminance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean = _means(luminance * self._inside) / self._share
        square = _means(luminance**2 * self._inside) / self._share
        return mean, (square - mean**2).clamp_min(0)


def _means(x: Float[torch.Tensor, "1 1 h w"]) -> Float[torch.Tensor, "1 1 n m"]:
    return F.avg_pool2d(x, WINDOW, WINDOW_STEP)
