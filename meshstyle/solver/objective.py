"""The whole objective for one picture: L = α·content + β·style + σ·structure (design, section 3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float

from .losses import content_loss, masked_gram, shrink_mask, structure_loss, style_loss
from .vgg import CONTENT_LAYER, STYLE_LAYERS, VGG19

Picture = Float[torch.Tensor, "1 3 H W"]


@dataclass(frozen=True)
class LossWeights:
    """α, β, σ of the objective; a term whose weight is 0 is not computed."""

    content: float
    style: float
    structure: float


@dataclass(frozen=True, eq=False)
class StyleTarget:
    """The painting: its Gram matrix on every style layer."""

    grams: dict[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class ContentTarget:
    """What one picture must keep: the original, its features on the content layer, and the masks."""

    original: Picture
    mask: Float[torch.Tensor, "1 1 H W"]
    layer_masks: dict[str, torch.Tensor]
    features: torch.Tensor | None


@dataclass(frozen=True)
class LossTerms:
    """The terms of one picture, unweighted; `total` carries the gradient."""

    total: torch.Tensor
    style: float
    content: float
    structure: float


class Objective:
    """Style, content and structure of pictures against prepared targets."""

    def __init__(
        self,
        network: VGG19,
        weights: LossWeights,
        style_layers: tuple[str, ...] = STYLE_LAYERS,
        content_layer: str = CONTENT_LAYER,
    ) -> None:
        self.network, self.weights = network, weights
        self.style_layers, self.content_layer = style_layers, content_layer
        self._layers = set(style_layers) | ({content_layer} if weights.content > 0 else set())

    @torch.no_grad()
    def style_target(self, painting: Picture) -> StyleTarget:
        """Gram matrices of a painting, sRGB 0..1."""
        found = self.network.features(painting, self.style_layers)
        whole = {name: torch.ones_like(f[:, :1]) for name, f in found.items()}
        return StyleTarget({name: masked_gram(found[name], whole[name]) for name in self.style_layers})

    @torch.no_grad()
    def content_target(self, original: Picture, mask: Float[torch.Tensor, "1 1 H W"]) -> ContentTarget:
        """Targets of one picture: `original` sRGB 0..1, `mask` the share of each pixel that counts."""
        features = None
        if self.weights.content > 0:
            features = self.network.features(original, [self.content_layer])[self.content_layer]
        height, width = int(mask.shape[-2]), int(mask.shape[-1])
        masks = {}
        for name in self._layers:
            h, w = layer_shape(height, width, name)
            masks[name] = shrink_mask(mask, h, w)
        return ContentTarget(original, mask, masks, features)

    def __call__(self, picture: Picture, style: StyleTarget, target: ContentTarget) -> LossTerms:
        """Evaluate one picture, sRGB 0..1."""
        found = self.network.features(picture, self._layers)
        per_layer = [
            style_loss(masked_gram(found[name], target.layer_masks[name]), style.grams[name])
            for name in self.style_layers
        ]
        style_term = torch.stack(per_layer).mean()
        total = self.weights.style * style_term
        content = structure = 0.0
        if target.features is not None:
            mask = target.layer_masks[self.content_layer]
            content_term = content_loss(found[self.content_layer], target.features, mask)
            total = total + self.weights.content * content_term
            content = float(content_term.detach())
        if self.weights.structure > 0:
            structure_term = structure_loss(picture, target.original, target.mask)
            total = total + self.weights.structure * structure_term
            structure = 1 - float(structure_term.detach())
        return LossTerms(total, float(style_term.detach()), content, structure)


def layer_shape(height: int, width: int, layer: str) -> tuple[int, int]:
    """Size of a layer's feature maps: halved, rounding down, once per block."""
    block = int(layer[len("relu")])
    return height >> (block - 1), width >> (block - 1)


def fit_short_side(picture: Picture, size: int) -> Float[torch.Tensor, "1 3 h w"]:
    """Resize so that the short side has `size` pixels; antialiased bicubic, sRGB 0..1."""
    height, width = picture.shape[-2:]
    scale = size / min(height, width)
    shape = (max(16, round(height * scale)), max(16, round(width * scale)))
    resized = F.interpolate(picture, size=shape, mode="bicubic", antialias=True, align_corners=False)
    return resized.clamp(0, 1)
