"""VGG-19's feature maps, as Gatys et al. (CVPR 2016) use them: after ReLU, frozen; average pooling.

One departure from the paper: the first convolution pads by replicating the border, because black padding
paints a frame along the picture's edges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from jaxtyping import Float

from ..config.layers import LAYER_NAMES
from ..kernels.winograd import Work
from .convolution import make_convolutions, pool
from .precision import TYPES, enter, gradient_scale, leave
from .vgg_weights import VGGWeights

Features = dict[str, torch.Tensor]
Tap = Callable[[str, torch.Tensor], torch.Tensor]


class VGG19:
    """The convolutional part of VGG-19 up to whichever layer is asked for. No parameter has a gradient."""

    def __init__(
        self,
        weights: VGGWeights,
        device: torch.device | str = "cpu",
        pooling: str = "average",
        convolution: str = "torch",
        precision: str = "float32",
        loss_weight: float = 1.0,
        edges: bool = False,
    ) -> None:
        """`pooling`: `average`, as Gatys et al. advise, or `max`, as the network was trained.
        `convolution`: `torch`, `winograd` or `auto` (see `make_convolutions`).
        `precision`: `auto`, `float32`, `bf16` or `fp16`, of the convolutions and what they read (see `precision`).
        `loss_weight`: about how much the losses that will be made of the features weigh together.
        `edges`: whether every layer goes on beyond the picture's border as it is there. Zeros make other features along
        it, which count where pictures have no background: strings of beads grow there."""
        self.device = torch.device(device)
        self._pooling = pooling
        self._type = TYPES[precision]
        self._scale = gradient_scale(self._type, loss_weight)
        self.fast = convolution != "torch" and self._type == torch.float32
        self._convolutions = make_convolutions(
            weights, self.device, convolution, self._type, precision == "auto", edges
        )
        self.bf16 = any(layer.bf16 for layer in self._convolutions)
        self._mean = torch.tensor(weights.mean, device=self.device).view(1, 3, 1, 1)

    def features(
        self,
        picture: Float[torch.Tensor, "B 3 H W"],
        layers: Iterable[str],
        tap: Tap | None = None,
        work: Mapping[str, Work] | None = None,
    ) -> Features:
        """Feature maps (B, C, H/2^(block−1), W/2^(block−1)) of the layers asked for, float32.

        Args:
            picture: sRGB 0..1; sides of at least 16 pixels.
            layers: names `relu{block}_{convolution}`.
            tap: is shown the maps of each of them when they are made, and gives back what the next layer is to read.
            work: by layer, what of its maps is wanted (see `style.background_features`); None: everything.
        """
        wanted = set(layers)
        found: Features = {}
        x = enter(picture - self._mean, self._type, self._scale)
        for name, following, convolve in zip(
            LAYER_NAMES, (*LAYER_NAMES[1:], ""), self._convolutions, strict=True
        ):
            part = None if work is None else work.get(name)
            pooling = self._pooling if following.endswith("_1") else None
            if name not in wanted:
                x = convolve(x, pooling, part)  # may do both at once
                continue
            made = convolve(x, None, part)
            found[name] = leave(made, self._scale)
            passed = made if tap is None else tap(name, made)
            if len(found) == len(wanted):
                break
            x = pool(passed, pooling)
        return found
