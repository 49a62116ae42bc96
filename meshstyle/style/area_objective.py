"""The style loss of a picture whose areas have styles of their own: one pass through the network for all of them.

    style = Σ_k a_k · ‖G_k − T_k‖² / ‖T_k‖²,   G_k = Σ m_k f fᵀ / Σ m_k

m_k is the share of each cell that lies in area k, a_k the area's share of the picture. Borders are soft: a cell on one
counts, in part, for both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float

from .losses import masked_gram, shrink_mask
from .masked_gram import Cells, suits
from .objective import (
    ContentTarget,
    Grams,
    LossTerms,
    Objective,
    Picture,
    StyleTarget,
    layer_shape,
    mixed_grams,
)

_LEAST = 0.02  # of a pixel: what is less does not count for an area
_FEW = 24.0  # pixels: smaller parts of areas have no statistics worth comparing

Mask = Float[torch.Tensor, "1 1 H W"]


@dataclass(frozen=True, eq=False)
class AreaTarget:
    """What one area of a picture is held to.

    Attributes:
        goal: what its Gram matrices are asked to become; `style`: those of its paintings.
        share: of the picture's painted areas.
        layer_masks: by style layer, the share of each cell that counts; `counts`: their sums.
        cells: by style layer, those that count; on the CPU only.
    """

    goal: StyleTarget
    style: StyleTarget
    share: float
    layer_masks: dict[str, torch.Tensor]
    counts: dict[str, torch.Tensor]
    cells: dict[str, Cells] = field(default_factory=dict)


@torch.no_grad()
def area_targets(
    objective: Objective,
    original: Picture,
    target: ContentTarget,
    areas: Sequence[tuple[Mask, StyleTarget, float]],
) -> tuple[AreaTarget, ...]:
    """Targets of the areas that the picture shows.

    Args:
        original: the picture as the model has it, sRGB 0..1.
        target: what was made of it.
        areas: of each the share of every pixel, its style, and its strength.
    """
    masks = [torch.where(mask < _LEAST, 0.0, mask) for mask, _, _ in areas]
    sums = [float(mask.sum()) for mask in masks]
    total = sum(of for of in sums if of >= _FEW)
    made = []
    for (_, style, _), mask, of in zip(areas, masks, sums, strict=True):
        if of < _FEW:
            continue
        height, width = mask.shape[-2:]
        layers = {n: shrink_mask(mask, *layer_shape(height, width, n)) for n in objective.style_layers}
        counts = {name: layer.sum() for name, layer in layers.items()}
        on_cpu = mask.device.type == "cpu"
        cells = {n: Cells.of(layers[n], counts[n]) for n in layers} if on_cpu else {}
        made.append(AreaTarget(style, style, of / total, layers, counts, cells))
    strengths = [strength for (_, _, strength), of in zip(areas, sums, strict=True) if of >= _FEW]
    if all(strength == 1 for strength in strengths):
        return tuple(made)
    _, own = _seen(objective, original, target, made)
    return tuple(
        AreaTarget(
            StyleTarget(mixed_grams(grams, area.style.grams, strength)),
            area.style,
            area.share,
            area.layer_masks,
            area.counts,
            area.cells,
        )
        for area, grams, strength in zip(made, own, strengths, strict=True)
    )


def area_terms(
    objective: Objective, picture: Picture, target: ContentTarget, areas: Sequence[AreaTarget]
) -> LossTerms:
    """Evaluate one picture, sRGB 0..1: as `Objective`, but each area beside its own style."""
    found, grams = _seen(objective, picture, target, areas)
    nothing = (picture * 0).sum()
    wanted = nothing + sum(
        (area.share * objective.style_term(own, area.goal) for area, own in zip(areas, grams, strict=True)),
        nothing,
    )
    with torch.no_grad():
        style = nothing + sum(
            (
                area.share * objective.style_term(own, area.style)
                for area, own in zip(areas, grams, strict=True)
            ),
            nothing,
        )
    total = objective.weights.style * wanted
    content = structure = torch.full_like(total, torch.nan)
    if target.features:
        content = objective.content_term(found, target.features, target.layer_masks, target.energies)
        total = total + objective.weights.content * content
    return LossTerms(total, torch.stack([style, content, structure]).detach())


def _seen(
    objective: Objective, picture: Picture, target: ContentTarget, areas: Sequence[AreaTarget]
) -> tuple[dict[str, torch.Tensor], list[Grams]]:
    """Features, and the Gram matrices of each area."""
    grams: list[Grams] = [{} for _ in areas]

    def tap(name: str, features: torch.Tensor) -> torch.Tensor:
        for area, own in zip(areas, grams, strict=True):
            if name in area.cells and len(area.cells[name].rows) and suits(features):
                features, own[name] = objective.counted_gram(features, area.cells[name])
        return features

    found = objective.network.features(picture, objective.layers, tap, target.work)
    for area, own in zip(areas, grams, strict=True):
        for name in objective.style_layers.keys() - own.keys():
            own[name] = masked_gram(found[name], area.layer_masks[name], area.counts[name])
    return found, grams
