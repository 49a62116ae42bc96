"""One view: what the optimizer needs to make a picture of the texture, and nothing of the geometry."""

from __future__ import annotations

import numpy as np
import scipy.sparse
import torch
from jaxtyping import Bool, Float

from .linear_light import to_displayed, to_linear
from .sampling_matrix import SamplingMatrix
from .sparse_product import Product, Sample, to_torch

AMBIENT, HEADLIGHT = 0.55, 0.45  # s = 0.55 + 0.45·cos of the angle between ray and normal


class View:
    """Picture = shade · encode(S · decode(texels)) on the mask, `background` outside.

    S mixes texels in linear light, as renderers do; `decode` and `encode` go from sRGB to linear light and back.

    Attributes:
        shape: height and width in pixels, multiples of 8.
        mask: share of a pixel's rays that hit painted surface, 0..1; 0 where it does not count (see `Hits.counted`).
        texels: the rows of T that this view reads, ascending.
        texel_use: (V,) how many pixels each of those counts for.
        turns: how the direction of strokes lies in the picture (see `views.stroke_direction`).
        style_size: pixels of the painting's short side for strokes of the right size.
        pixels: (P,) the pixels that see paint, row-major numbers, ascending.
        pixel_coverage: (P, 1) the share of their rays that do.
        shade: (P, 1) the headlight's s there.
    """

    def __init__(self, lookup: SamplingMatrix, device: torch.device) -> None:
        self.shape, self.turns, self.style_size = lookup.shape, lookup.turns, lookup.style_size
        self.pixels = torch.from_numpy(lookup.pixels).to(device)
        self.texels = torch.from_numpy(lookup.texels).to(device)
        self._matrix, self._transposed = _pair(lookup.matrix, device)
        self._coarse, self._coarse_transposed = _pair(lookup.coarse, device)
        self.shade = torch.from_numpy(AMBIENT + HEADLIGHT * lookup.cosine).to(device)[:, None]
        coverage = torch.from_numpy(lookup.coverage).to(device)
        mask = torch.zeros(self.shape[0] * self.shape[1], device=device)
        counted = lookup.coverage * lookup.counted
        mask[self.pixels] = torch.from_numpy(counted).to(device)
        self.mask: Float[torch.Tensor, "1 1 H W"] = mask.view(1, 1, *self.shape)
        self.pixel_coverage = coverage[:, None]
        use, count = lookup.matrix.T @ counted, len(lookup.texels)
        self.texel_use = use[:count] + lookup.coarse.T @ use[count:]

    @property
    def painted(self) -> Bool[np.ndarray, "H W"]:
        """Pixels that show anything but background."""
        found = np.zeros(self.shape[0] * self.shape[1], bool)
        found[self.pixels.cpu().numpy()] = True
        return found.reshape(self.shape)

    @property
    def pixels_seen(self) -> float:
        """Painted area of the view in pixels."""
        return float(self.mask.sum())

    def render(
        self, texels: Float[torch.Tensor, "V 3"], background: Float[torch.Tensor, 3], shaded: bool = True
    ) -> Float[torch.Tensor, "1 3 H W"]:
        """The picture of the given texels, sRGB 0..1, differentiable in them.

        Args:
            texels: the rows of T that this view reads, `T[view.texels]`, sRGB 0..1.
            background: colour of what is not painted surface.
            shaded: with the fixed headlight, or the bare paint.
        """
        return self.compose(self.sample(texels), background, shaded)

    def sample(self, texels: Float[torch.Tensor, "V 3"]) -> Float[torch.Tensor, "P 3"]:
        """The bare paint in every pixel that sees some, row-major, sRGB 0..1; differentiable."""
        return to_displayed(self.mix(to_linear(texels)))

    def mix(self, texels: Float[torch.Tensor, "V C"]) -> Float[torch.Tensor, "P C"]:
        """S·[t; D·t]: the weighted means that pixels show of the numbers given for texels; differentiable."""
        means = Sample.apply(texels, self._coarse, self._coarse_transposed)  # (C, 3)
        return Sample.apply(torch.cat([texels, means]), self._matrix, self._transposed)

    def maps(self, values: Float[torch.Tensor, "V K"]) -> Float[torch.Tensor, "K H W"]:
        """Pictures of numbers given for texels, 0 where no paint is seen: means over each pixel's rays, weighed by how
        many of them count."""
        shown = self.mix(values.contiguous())
        picture = shown.new_zeros(self.shape[0] * self.shape[1], values.shape[1])
        picture = picture.index_copy(0, self.pixels, shown)
        return picture.T.reshape(-1, *self.shape).contiguous() * self.mask[0]

    def spread(self, colours: Float[torch.Tensor, "P C"]) -> Float[torch.Tensor, "V C"]:
        """The adjoint of `mix`."""
        found = self._transposed @ colours
        count = len(self.texels)
        return found[:count] + self._coarse_transposed @ found[count:]

    def pictures(
        self, seen: Float[torch.Tensor, "P 3"], background: Float[torch.Tensor, 3]
    ) -> tuple[Float[torch.Tensor, "1 3 H W"], Float[torch.Tensor, "1 3 H W"]]:
        """The picture whose pixels show the given paint, under the headlight and without it; differentiable."""
        return self.compose(seen, background), self.compose(seen, background, shaded=False)

    def compose(
        self, seen: Float[torch.Tensor, "P 3"], background: Float[torch.Tensor, 3], shaded: bool = True
    ) -> Float[torch.Tensor, "1 3 H W"]:
        """The picture whose pixels show the given paint, before a background; differentiable."""
        if shaded:
            seen = seen * self.shade
        seen = seen * self.pixel_coverage + background * (1 - self.pixel_coverage)
        picture = background.expand(self.shape[0] * self.shape[1], 3).clone()
        picture = picture.index_copy(0, self.pixels, seen)
        # Contiguous: as a mere view it would carry channels-last strides into every convolution, which is slower.
        return picture.T.contiguous().view(1, 3, *self.shape)


def _pair(matrix: scipy.sparse.csr_matrix, device: torch.device) -> tuple[Product, Product]:
    """A matrix and its transpose."""
    return to_torch(matrix, device), to_torch(matrix.T.tocsr(), device)
