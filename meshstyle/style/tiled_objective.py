"""The objective of a picture of any size in bounded memory, tile by tile, and yet exact.

A Gram matrix is a sum over cells, so that of a picture is the sum of its tiles'. The first pass finds it without
gradients; with that, the derivative D = ∂L/∂G of the style loss is a constant, and the second pass goes back through
one tile at a time, from ⟨D, its share of G⟩, whose gradient in the features is (D + Dᵀ) f m / Σ m. Each tile is seen
with a margin as wide as the layers reach, so that its own cells are what they are in the whole picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch

from ..config.layers import CELL, block_of, reach
from .losses import structure_loss
from .objective import ByLayer, ContentTarget, Grams, LossTerms, Objective, Picture, StyleTarget, layer_shape
from .vgg import Features

SIDE = 768  # pixels of a tile's side, without its margin
WHOLE = 1024**2  # pixels up to which a picture is taken as one


@dataclass(frozen=True)
class Tile:
    """What a tile owns and what it sees, as (top, bottom, left, right) in pixels; both begin at whole cells."""

    own: tuple[int, int, int, int]
    seen: tuple[int, int, int, int]

    def crop(self, picture: torch.Tensor) -> torch.Tensor:
        """What it sees of a picture (1, C, H, W)."""
        top, bottom, left, right = self.seen
        return picture[..., top:bottom, left:right]

    def of_whole(self, maps: torch.Tensor, layer: str) -> torch.Tensor:
        """Its own cells among a layer's for the whole picture."""
        return _cells(maps, self.own, layer)

    def of_seen(self, maps: torch.Tensor, layer: str) -> torch.Tensor:
        """Its own cells among a layer's for what it sees."""
        top, bottom, left, right = self.own
        up, across = self.seen[0], self.seen[2]
        return _cells(maps, (top - up, bottom - up, left - across, right - across), layer)


def _cells(maps: torch.Tensor, box: tuple[int, int, int, int], layer: str) -> torch.Tensor:
    top, bottom, left, right = (edge >> (block_of(layer) - 1) for edge in box)
    return maps[..., top:bottom, left:right]


def cut(height: int, width: int, margin: int, side: int = SIDE, whole: int = WHOLE) -> list[Tile]:
    """Tiles that own every pixel once. `side`: a multiple of CELL; `margin`: how far a cell sees."""
    if height * width <= whole:
        return [Tile((0, height, 0, width), (0, height, 0, width))]
    margin = -(-margin // CELL) * CELL
    return [
        Tile((*rows, *columns), (*_widen(rows, margin, height), *_widen(columns, margin, width)))
        for rows in _spans(height, side)
        for columns in _spans(width, side)
    ]


def _spans(length: int, side: int) -> list[tuple[int, int]]:
    """Cut into spans of at most `side`, about equal, beginning at whole cells; the last one takes what is less than
    a cell."""
    count = max(1, -(-length // side))
    step = -(-length // count // CELL) * CELL
    starts = list(range(0, max(length - CELL + 1, 1), step))
    return list(zip(starts, [*starts[1:], length], strict=True))


def _widen(span: tuple[int, int], margin: int, length: int) -> tuple[int, int]:
    return max(0, span[0] - margin), min(length, span[1] + margin)


class TiledObjective:
    """`Objective` for pictures of any size: the same values and gradients (see the top of this page)."""

    def __init__(self, objective: Objective, side: int = SIDE, whole: int = WHOLE) -> None:
        """`side`: of a tile, pixels, a multiple of CELL; `whole`: pixels up to which there is but one tile."""
        self.objective = objective
        self._side, self._whole = side, whole

    def style_target(self, painting: Picture) -> StyleTarget:
        """As `Objective.style_target`."""
        height, width = painting.shape[-2:]
        masks = {
            name: painting.new_ones(1, 1, *layer_shape(height, width, name))
            for name in self.objective.style_layers
        }
        return StyleTarget(self._grams(painting, masks, {name: mask.sum() for name, mask in masks.items()}))

    def content_target(self, original: Picture, mask: torch.Tensor) -> ContentTarget:
        """As `Objective.content_target`."""
        return self.objective.content_target(original, mask, self._look)

    def gradient(
        self, picture: Picture, style: StyleTarget, target: ContentTarget
    ) -> tuple[torch.Tensor, LossTerms]:
        """The gradient (1, 3, H, W) at a picture, sRGB 0..1, and the terms, whose `total` carries none."""
        tiles = self._tiles(picture, self.objective.layers)
        if len(tiles) == 1:
            picture = picture.detach().requires_grad_(True)
            terms = self.objective(picture, style, target)
            (gradient,) = torch.autograd.grad(terms.total, picture)
            return gradient, LossTerms(terms.total.detach(), terms.figures)
        weights = self.objective.weights
        grams, goal = (
            self._grams(picture, target.layer_masks, target.counts),
            self.objective.goal(style, target),
        )
        pull, goal_loss = self._pull(grams, goal)
        style_loss = goal_loss if goal is style else self.objective.style_term(grams, style)
        gradient, content = torch.zeros_like(picture), torch.zeros_like(style_loss)
        for tile in tiles:
            slope, share = self._tile_gradient(tile, picture, pull, target)
            tile.crop(gradient).add_(slope)
            content += share
        total = weights.style * goal_loss + weights.content * content
        structure = torch.full_like(total, math.nan)
        if not target.features:
            content = structure
        if weights.structure > 0:
            leaf = picture.detach().requires_grad_(True)
            term = structure_loss(leaf, target.original, target.mask)
            gradient += weights.structure * torch.autograd.grad(term, leaf)[0]
            total, structure = total + weights.structure * term.detach(), 1 - term.detach()
        return gradient, LossTerms(total, torch.stack([style_loss, content, structure]))

    def _tiles(self, picture: Picture, layers: Iterable[str]) -> list[Tile]:
        height, width = picture.shape[-2:]
        return cut(height, width, reach(layers), self._side, self._whole)

    def _look(self, original: Picture, masks: ByLayer, counts: ByLayer) -> tuple[Features, Grams]:
        grams = self._grams(original, masks, counts) if self.objective.mixes else {}
        return self._features(original, self.objective.content_layers), grams

    @torch.no_grad()
    def _features(self, picture: Picture, layers: Iterable[str]) -> Features:
        """Feature maps of the whole picture."""
        names = list(layers)
        if not names:
            return {}
        tiles, (height, width) = self._tiles(picture, names), picture.shape[-2:]
        found: Features = {}
        for tile in tiles:
            for name, maps in self.objective.network.features(tile.crop(picture), names).items():
                if name not in found:
                    shape = layer_shape(height, width, name)
                    found[name] = maps.new_empty(1, maps.shape[1], *shape)
                tile.of_whole(found[name], name).copy_(tile.of_seen(maps, name))
        return found

    @torch.no_grad()
    def _grams(self, picture: Picture, masks: ByLayer, counts: ByLayer) -> Grams:
        """Gram matrices of the whole picture."""
        objective, total = self.objective, Grams()
        for tile in self._tiles(picture, objective.style_layers):
            found = objective.network.features(tile.crop(picture), objective.style_layers)
            own = {name: tile.of_seen(maps, name) for name, maps in found.items()}
            for name, gram in objective.grams(own, _own_masks(tile, masks, own), counts).items():
                total[name] = total[name].add_(gram) if name in total else gram
        return total

    def _pull(self, grams: Grams, goal: StyleTarget) -> tuple[Grams, torch.Tensor]:
        """β ∂style/∂G by layer, and the style loss."""
        leaves = {name: gram.detach().requires_grad_(True) for name, gram in grams.items()}
        term = self.objective.style_term(leaves, goal)
        gradients = torch.autograd.grad(self.objective.weights.style * term, list(leaves.values()))
        return dict(zip(leaves, gradients, strict=True)), term.detach()

    def _tile_gradient(
        self, tile: Tile, picture: Picture, pull: Grams, target: ContentTarget
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One tile's share in the gradient, on what it sees, and in the content loss."""
        objective = self.objective
        leaf = tile.crop(picture).detach().contiguous().requires_grad_(True)
        found = objective.network.features(leaf, objective.layers)
        own = {name: tile.of_seen(maps, name) for name, maps in found.items()}
        masks = _own_masks(tile, target.layer_masks, own)
        grams = objective.grams(own, masks, target.counts)
        total = torch.stack([(pull[name] * gram).sum() for name, gram in grams.items()]).sum()
        content = torch.zeros_like(total)
        if target.features:
            wanted = {name: tile.of_whole(maps, name) for name, maps in target.features.items()}
            content = objective.content_term(own, wanted, masks, target.energies)
            total = total + objective.weights.content * content
        return torch.autograd.grad(total, leaf)[0], content.detach()


def _own_masks(tile: Tile, masks: ByLayer, own: Features) -> dict[str, torch.Tensor]:
    return {name: tile.of_whole(masks[name], name) for name in own}
