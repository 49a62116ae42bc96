"""One view: what the optimizer needs to make a picture of the texture, and nothing of the geometry."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from .sampling import Lookup, Sample, TexelStack, to_torch
from .tracing import Hits, Tracer

AMBIENT, HEADLIGHT = 0.55, 0.45  # s = 0.55 + 0.45·cos (design, section 2)


class View:
    """Picture = shade · (S·texels) on the mask, `background` outside; linear in the texels.

    Attributes:
        shape: height and width in pixels, multiples of 16.
        mask: share of a pixel's rays that hit painted surface, 0..1.
        texel_use: (T,) how much each texel of the stack counts in this view.
    """

    def __init__(self, hits: Hits, tracer: Tracer, stack: TexelStack, device: torch.device) -> None:
        lookup = Lookup(hits, tracer, stack)
        self.shape = lookup.shape
        self._pixels = torch.from_numpy(lookup.pixels).to(device)
        self._matrix = to_torch(lookup.matrix, device)
        self._transposed = to_torch(lookup.matrix.T.tocsr(), device)
        self._shade = torch.from_numpy(AMBIENT + HEADLIGHT * lookup.cosine).to(device)[:, None]
        coverage = torch.from_numpy(lookup.coverage).to(device)
        mask = torch.zeros(self.shape[0] * self.shape[1], device=device)
        mask[self._pixels] = coverage
        self.mask: Float[torch.Tensor, "1 1 H W"] = mask.view(1, 1, *self.shape)
        self._coverage = coverage[:, None]
        self.texel_use = np.asarray(lookup.matrix.T @ lookup.coverage)

    @property
    def pixels_seen(self) -> float:
        """Painted area of the view in pixels."""
        return float(self.mask.sum())

    def render(
        self, stack: Float[torch.Tensor, "T 3"], background: Float[torch.Tensor, "3"], shaded: bool = True
    ) -> Float[torch.Tensor, "1 3 H W"]:
        """The picture of the given texels, sRGB 0..1, differentiable in them.

        Args:
            stack: texels with their mip levels, from `TexelStack.flatten`.
            background: colour of what is not painted surface.
            shaded: with the fixed headlight, or the bare paint.
        """
        seen = Sample.apply(stack, self._matrix, self._transposed)  # (P, 3)
        if shaded:
            seen = seen * self._shade
        seen = seen * self._coverage + background * (1 - self._coverage)
        picture = background.expand(self.shape[0] * self.shape[1], 3).clone()
        picture = picture.index_copy(0, self._pixels, seen)
        return picture.T.reshape(1, 3, *self.shape)
