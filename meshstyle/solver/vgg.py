"""VGG-19's feature maps, as Gatys et al. (CVPR 2016) use them: after ReLU, frozen; average pooling.

One departure from the paper: the first convolution pads by replicating the border, because black padding
paints a frame along the picture's edges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Float

from .layers import LAYER_NAMES
from .weights import VGGWeights

Features = dict[str, torch.Tensor]
_POOLINGS: dict[str, Callable[[torch.Tensor, int], torch.Tensor]] = {
    "average": F.avg_pool2d,
    "max": F.max_pool2d,
}


class VGG19:
    """The convolutional part of VGG-19 up to whichever layer is asked for. No parameter has a gradient."""

    def __init__(
        self, weights: VGGWeights, device: torch.device | str = "cpu", pooling: str = "average"
    ) -> None:
        """`pooling`: `average`, as Gatys et al. advise, or `max`, as the network was trained."""
        self.device = torch.device(device)
        self._pool = _POOLINGS[pooling]
        self._convolutions = [
            (kernel.to(self.device), bias.to(self.device))
            for kernel, bias in zip(weights.kernels, weights.biases, strict=True)
        ]
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
        for number, (name, (kernel, bias)) in enumerate(zip(LAYER_NAMES, self._convolutions, strict=True)):
            if number == 0:
                x = F.relu(F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), kernel, bias))
            else:
                if name.endswith("_1"):
                    x = self._pool(x, 2)
                x = F.relu(F.conv2d(x, kernel, bias, padding=1))
            if name in wanted:
                found[name] = x
                if len(found) == len(wanted):
                    break
        return found
