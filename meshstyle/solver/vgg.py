"""VGG-19's feature maps, as Gatys et al. (CVPR 2016) use them: after ReLU, frozen; average pooling.

One departure from the paper: the first convolution pads by replicating the border, because black padding
paints a frame along the picture's edges.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float

from .convolution import make_convolutions, pool
from .layers import LAYER_NAMES
from .weights import VGGWeights

Features = dict[str, torch.Tensor]


class VGG19:
    """The convolutional part of VGG-19 up to whichever layer is asked for. No parameter has a gradient."""

    def __init__(
        self,
        weights: VGGWeights,
        device: torch.device | str = "cpu",
        pooling: str = "average",
        convolution: str = "torch",
    ) -> None:
        """`pooling`: `average`, as Gatys et al. advise, or `max`, as the network was trained.
        `convolution`: `torch`, `winograd` or `auto` (see `make_convolutions`)."""
        self.device = torch.device(device)
        self._pooling = pooling
        self._convolutions = make_convolutions(weights, self.device, convolution)
        self._mean = torch.tensor(weights.mean, device=self.device).view(1, 3, 1, 1)

    def features(self, picture: Float[torch.Tensor, "B 3 H W"], layers: Iterable[str]) -> Features:
        """Feature maps (B, C, H/2^(block−1), W/2^(block−1)) of the layers asked for.

        Args:
            picture: sRGB 0..1; sides of at least 16 pixels.
            layers: names `relu{block}_{convolution}`.
        """
        wanted = set(layers)
        found: Features = {}
        x = picture - self._mean
        for name, following, convolve in zip(
            LAYER_NAMES, (*LAYER_NAMES[1:], ""), self._convolutions, strict=True
        ):
            pooling = self._pooling if following.endswith("_1") else None
            if name not in wanted:
                x = convolve(x, pooling)  # may do both at once
                continue
            found[name] = convolve(x)
            if len(found) == len(wanted):
                break
            x = pool(found[name], pooling)
        return found
