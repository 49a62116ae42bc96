"""The paint of all atlases at full size, kept small: close-ups read and write the few texels they see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Float16, Float32, Int64

from ..asset.contract import Wrap
from .near_sampling import Sheet

_LOOK = 1024  # texels along the longer side of a sheet that is looked at


class Canvas:
    """Half precision, sRGB 0..1; texels are numbered row by row, sheet after sheet (see `near_sampling.Sheet`).

    Attributes:
        sheets: one per atlas.
        images: their paint, (H, W, 3).
    """

    def __init__(
        self,
        images: Sequence[Float16[np.ndarray, "_ _ 3"]],
        covered: Sequence[Bool[np.ndarray, "_ _"]],
        wraps: Sequence[tuple[Wrap, Wrap]],
    ) -> None:
        self.images = tuple(images)
        ends = np.cumsum([0, *(mask.size for mask in covered)])
        self.sheets = tuple(
            Sheet(mask, wrap, int(offset))
            for mask, wrap, offset in zip(covered, wraps, ends[:-1], strict=True)
        )
        self._ends = ends

    def read(self, texels: Int64[np.ndarray, "V"]) -> Float[torch.Tensor, "V 3"]:
        """`texels`: ascending, as in all that follows."""
        parts = [image[own] for image, own in self._split(texels)]
        return torch.from_numpy(np.concatenate(parts).astype(np.float32))

    def write(self, texels: Int64[np.ndarray, "V"], colours: Float[torch.Tensor, "V 3"]) -> None:
        values, done = colours.cpu().numpy(), 0
        for image, own in self._split(texels):
            image[own] = values[done : done + len(own)]
            done += len(own)

    def small(self) -> list[Float32[np.ndarray, "_ _ 3"]]:
        """To look at: every second texel, or fewer, of large sheets."""
        steps = [max(1, max(image.shape) // _LOOK) for image in self.images]
        return [image[::n, ::n].astype(np.float32) for image, n in zip(self.images, steps, strict=True)]

    def _split(self, texels: Int64[np.ndarray, "V"]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Per sheet: its paint as rows, and the numbers of its own texels."""
        cuts = np.searchsorted(texels, self._ends)
        return [
            (image.reshape(-1, 3), texels[first:last] - offset)
            for image, first, last, offset in zip(
                self.images, cuts[:-1], cuts[1:], self._ends[:-1], strict=True
            )
        ]
