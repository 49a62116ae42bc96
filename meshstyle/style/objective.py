"""The objective for one picture: L = α·content + β·style + σ·structure (Gatys et al. 2016, eq. 7, and structure)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float

from ..config.layers import CONTENT_LAYER, STYLE_LAYERS, LayerWeights, block_of, layer_weights
from ..kernels.load import load_kernels
from ..kernels.winograd import Work
from .background_features import BackgroundFeatures, ViewBackground, work_for
from .losses import content_loss, masked_gram, shrink_mask, structure_loss, style_loss
from .masked_gram import Cells, counted_gram, suits
from .vgg import VGG19, Features

Picture = Float[torch.Tensor, "1 3 H W"]
Grams = dict[str, torch.Tensor]  # (C, C) by layer
ByLayer = Mapping[str, torch.Tensor]
Look = Callable[
    [Picture, ByLayer, ByLayer], tuple[Features, Grams]
]  # of a picture, its layer masks and counts


@dataclass(frozen=True)
class LossWeights:
    """α, β, σ of the objective; a term whose weight is 0 is not computed.

    `strength`: how far from the original's Gram matrices to the painting's the style's target lies, 0..1.
    """

    content: float
    style: float
    structure: float
    strength: float = 1.0


@dataclass(frozen=True, eq=False)
class StyleTarget:
    """The painting: its Gram matrix on every style layer."""

    grams: Grams


@dataclass(frozen=True, eq=False)
class ContentTarget:
    """What one picture must keep.

    Attributes:
        original: the picture.
        mask: the share of each pixel that counts.
        layer_masks: by layer, the share of each cell that counts.
        counts: by layer, the sum of that.
        features: of the original, by content layer; empty where content has no weight.
        energies: by content layer, the features' squared sum under the mask.
        grams: the original's; empty at full strength, which does not look at them.
        cells: by style layer, the cells that count; on the CPU only.
        work: by layer, what of the network's maps is wanted; None: everything.
    """

    original: Picture
    mask: Float[torch.Tensor, "1 1 H W"]
    layer_masks: dict[str, torch.Tensor]
    counts: dict[str, torch.Tensor]
    features: Features
    energies: dict[str, torch.Tensor]
    grams: Grams = field(default_factory=dict)
    cells: dict[str, Cells] = field(default_factory=dict)
    work: dict[str, Work] | None = None


@dataclass(frozen=True, eq=False)
class LossTerms:
    """The terms of one picture.

    Attributes:
        total: weighted; carries the gradient.
        figures: style, content and structure, unweighted, NaN for what has no weight; on the picture's device:
            reading them there would make the program wait for a GPU in the middle of a step.
    """

    total: torch.Tensor
    figures: Float[torch.Tensor, "3"]

    def fetch(self, *more: Float[torch.Tensor, ""]) -> list[float]:
        """Total, style, content, structure, and what else is wanted, in one go from the device."""
        found: list[float] = torch.cat([_row(self.total), self.figures, *map(_row, more)]).tolist()
        return found

    @property
    def style(self) -> float:
        return float(self.figures[0])

    @property
    def content(self) -> float:
        return float(self.figures[1])

    @property
    def structure(self) -> float:
        return float(self.figures[2])


def _row(value: torch.Tensor) -> torch.Tensor:
    return value.detach().reshape(1)


class Objective:
    """Style, content and structure of pictures against prepared targets."""

    def __init__(
        self,
        network: VGG19,
        weights: LossWeights,
        style_layers: Iterable[str] = STYLE_LAYERS,
        content_layers: Iterable[str] = (CONTENT_LAYER,),
    ) -> None:
        """Layers by name, with weights among their kind where one is given: `relu3_1`, `relu3_1=0.5`."""
        self.network, self.weights = network, weights
        self.style_layers = _shares(layer_weights(style_layers))
        self.content_layers = _shares(layer_weights(content_layers)) if weights.content > 0 else {}
        self.layers = set(self.style_layers) | set(self.content_layers)

    @torch.no_grad()
    def style_target(self, painting: Picture) -> StyleTarget:
        """Gram matrices of a painting, sRGB 0..1."""
        found = self.network.features(painting, self.style_layers)
        return StyleTarget({name: self._whole_gram(found[name]) for name in self.style_layers})

    def _whole_gram(self, features: Float[torch.Tensor, "1 C h w"]) -> Float[torch.Tensor, "C C"]:
        """Compute the Gram matrix of all cells, the same way as those of the views."""
        whole = torch.ones_like(features[:, :1])
        if not suits(features):
            return masked_gram(features, whole)
        return self.counted_gram(features, Cells.of(whole, whole.sum()))[1]

    def counted_gram(self, features: torch.Tensor, cells: Cells) -> tuple[torch.Tensor, torch.Tensor]:
        """The features for the next layer alone, and their Gram matrix (see `masked_gram.counted_gram`)."""
        return counted_gram(features, cells, load_kernels().program, self.network.bf16)

    def ground(self, background: Float[torch.Tensor, "3"]) -> BackgroundFeatures | None:
        """Features of nothing but that colour, sRGB 0..1; None where they are of no use."""
        return BackgroundFeatures.of(self.network, background, self.layers)

    @torch.no_grad()
    def content_target(
        self,
        original: Picture,
        mask: Float[torch.Tensor, "1 1 H W"],
        look: Look | None = None,
        backdrop: ViewBackground | None = None,
    ) -> ContentTarget:
        """Targets of one picture: `original` sRGB 0..1, `mask` the share of each pixel that counts.

        Args:
            look: how to get its content features and, where they are mixed, its Gram matrices, if not by showing it
                to the network as a whole.
            backdrop: what is known of its background; None: nothing.
        """
        height, width = int(mask.shape[-2]), int(mask.shape[-1])
        masks = {name: shrink_mask(mask, *layer_shape(height, width, name)) for name in self.layers}
        counts = {name: layer_mask.sum() for name, layer_mask in masks.items()}
        work = self._work(masks, backdrop)
        features, grams = (look or partial(self._look, work=work))(original, masks, counts)
        return ContentTarget(
            original,
            mask,
            masks,
            counts=counts,
            features=features,
            energies={name: (f**2 * masks[name]).sum() for name, f in features.items()},
            grams=grams,
            cells=self._cells(masks, counts),
            work=work,
        )

    def _cells(self, masks: ByLayer, counts: ByLayer) -> dict[str, Cells]:
        """Where they are of use: to count them a GPU would have to be waited for."""
        return {n: Cells.of(masks[n], counts[n]) for n in self.style_layers if masks[n].device.type == "cpu"}

    def _work(self, masks: ByLayer, backdrop: ViewBackground | None) -> dict[str, Work] | None:
        if backdrop is None:
            return None
        counted = {name: masks[name][0, 0].numpy() > 0 for name in self.layers}
        return work_for(backdrop.ground, backdrop.painted, counted)

    @property
    def mixes(self) -> bool:
        """Whether the style's target depends on the original."""
        return self.weights.strength < 1

    def goal(self, style: StyleTarget, target: ContentTarget) -> StyleTarget:
        """What the style is asked to become: the painting's, or what lies between it and the original's."""
        if not self.mixes:
            return style
        return StyleTarget(mixed_grams(target.grams, style.grams, self.weights.strength))

    def __call__(self, picture: Picture, style: StyleTarget, target: ContentTarget) -> LossTerms:
        """Evaluate one picture, sRGB 0..1."""
        found, grams = self._seen(picture, target)
        goal, style_term = self.goal(style, target), self.style_term(grams, style)
        total = self.weights.style * (style_term if goal is style else self.style_term(grams, goal))
        content = structure = torch.full_like(total, math.nan)
        if target.features:
            content = self.content_term(found, target.features, target.layer_masks, target.energies)
            total = total + self.weights.content * content
        if self.weights.structure > 0:
            unlike = structure_loss(picture, target.original, target.mask)
            total, structure = total + self.weights.structure * unlike, 1 - unlike
        return LossTerms(total, torch.stack([style_term, content, structure]).detach())

    def _seen(self, picture: Picture, target: ContentTarget) -> tuple[Features, Grams]:
        """Features and Gram matrices, the latter of the cells that count alone where features lie for that."""
        grams: Grams = {}

        def tap(name: str, features: torch.Tensor) -> torch.Tensor:
            if name not in target.cells or not suits(features):
                return features
            passed, grams[name] = self.counted_gram(features, target.cells[name])
            return passed

        found = self.network.features(picture, self.layers, tap, target.work)
        for name in self.style_layers.keys() - grams.keys():
            grams[name] = masked_gram(found[name], target.layer_masks[name], target.counts[name])
        return found, grams

    def _look(
        self, original: Picture, masks: ByLayer, counts: ByLayer, work: Mapping[str, Work] | None = None
    ) -> tuple[Features, Grams]:
        wanted = {*self.content_layers, *(self.style_layers if self.mixes else ())}
        found = self.network.features(original, wanted, work=work) if wanted else {}
        grams = self.grams(found, masks, counts) if self.mixes else {}
        return {name: found[name] for name in self.content_layers}, grams

    @torch.no_grad()
    def grams_of(self, picture: Picture, target: ContentTarget) -> Grams:
        """The Gram matrices of a picture, sRGB 0..1, of which `target` was made or could have been."""
        return self._seen(picture, target)[1]

    def grams(self, found: Features, masks: ByLayer, counts: ByLayer) -> Grams:
        """Gram matrices of a picture, or the share that a part of it has in them (see `masked_gram`)."""
        return {name: masked_gram(found[name], masks[name], counts[name]) for name in self.style_layers}

    def style_term(self, grams: Grams, style: StyleTarget) -> Float[torch.Tensor, ""]:
        """The weighted mean over the style layers."""
        per_layer = [w * style_loss(grams[name], style.grams[name]) for name, w in self.style_layers.items()]
        return torch.stack(per_layer).sum()

    def content_term(
        self,
        found: Features,
        target: Features,
        masks: ByLayer,
        energies: ByLayer,
    ) -> Float[torch.Tensor, ""]:
        """The weighted mean over the content layers; of a part, its share (see `content_loss`)."""
        per_layer = [
            w * content_loss(found[name], target[name], masks[name], energies[name])
            for name, w in self.content_layers.items()
        ]
        return torch.stack(per_layer).sum()


def mixed_grams(original: Grams, style: Grams, strength: float) -> Grams:
    """Targets on the straight line from the original's Gram matrices (0) to the painting's (1).

    Gram matrices are means over pixels, so each of them is that of a surface of which a share looks like the
    original and a share like the painting: strokes stay whole, where mixing colours would make them pale.
    """
    return {name: torch.lerp(original[name], style[name], strength) for name in style}


def _shares(weights: LayerWeights) -> LayerWeights:
    """Weights that sum to 1, without layers of no weight."""
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items() if weight > 0}


def layer_shape(height: int, width: int, layer: str) -> tuple[int, int]:
    """Size of a layer's feature maps: halved, rounding down, once per block."""
    return height >> (block_of(layer) - 1), width >> (block_of(layer) - 1)


def fit_short_side(picture: Picture, size: int) -> Float[torch.Tensor, "1 3 h w"]:
    """Resize so that the short side has `size` pixels; antialiased bicubic, sRGB 0..1."""
    height, width = picture.shape[-2:]
    scale = size / min(height, width)
    shape = (max(16, round(height * scale)), max(16, round(width * scale)))
    return resize(picture, shape)


def resize(picture: Float[torch.Tensor, "1 C H W"], shape: tuple[int, int]) -> Float[torch.Tensor, "1 C h w"]:
    """Resize to (height, width): antialiased bicubic, kept in 0..1. A picture of that size stays as it is."""
    if tuple(picture.shape[-2:]) == shape:
        return picture
    resized = F.interpolate(picture, size=shape, mode="bicubic", antialias=True, align_corners=False)
    return resized.clamp(0, 1)
