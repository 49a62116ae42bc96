"""One level of the coarse-to-fine ladder: everything that is fixed while the paint changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from ..config.model import Scale
from ..style.areas import Areas
from ..style.background_features import BackgroundFeatures
from ..style.objective import fit_short_side
from ..style.view_objective import ViewObjective, ViewTarget
from ..texture.upsample import upsample
from ..views.back_projection import PixelGeometry
from ..views.raytrace import Tracer
from ..views.sampling_matrix import TexelTable
from ..views.sparse_product import gather, scatter
from ..views.trace_views import TracedViews
from ..views.training_views import TrainingView
from ..views.view import View
from .resolution import octaves_too_fine, resize_covered
from .total_variation import colour_share


@dataclass(frozen=True, eq=False)
class Level:
    """One level from coarse to fine: the views and targets of one scale.

    Attributes:
        texels: of all atlases, at the resolution at which a texel matches a ray.
        original: (T, 3) the colours the model has.
        views: those that see enough.
        looks: what each of them shows.
        geometry: per view, what its pixels look at; empty where nobody asked for it.
        targets: per view, what it is held to.
        background: the painting's mean colour, behind every view.
        ground: features of that, where they are of use.
        areas: `Areas.rows` at the texels.
        octaves: how many times texels are too fine for the pixels that look at them (see `octaves_too_fine`); None: not
            known.
        colour: κ, how much smoother than light and dark the paint's colour is to be (see `optimize.total_variation`).
    """

    scale: Scale
    texels: TexelTable
    original: Float[torch.Tensor, "T 3"]
    views: list[View]
    looks: list[TrainingView]
    geometry: list[PixelGeometry]
    targets: list[ViewTarget]
    background: Float[torch.Tensor, "3"]
    colour: float
    ground: BackgroundFeatures | None = None
    areas: Float[torch.Tensor, "T C"] | None = None
    octaves: Float[torch.Tensor, "T"] | None = None

    def use(self) -> Float[torch.Tensor, "T"]:
        """How many pixels each texel counts for, over all views."""
        total = np.zeros(self.texels.count, np.float32)
        for view in self.views:
            total[view.texels.cpu().numpy()] += view.texel_use
        return torch.from_numpy(total).to(self.original.device)

    def refit(self, paint: Float[torch.Tensor, "S 3"], before: TexelTable) -> Float[torch.Tensor, "T 3"]:
        """Another level's paint at this one's resolution."""
        images = []
        for image, old, new in zip(
            scatter(before, paint.cpu()), before.layouts, self.texels.layouts, strict=True
        ):
            texture = image.permute(1, 2, 0).contiguous().numpy()
            resized = upsample(texture, old.covered, new.covered.shape, old.wrap)
            images.append(torch.from_numpy(resized).permute(2, 0, 1))
        return gather(self.texels, images).to(paint.device)


def build_level(
    scale: Scale,
    tracer: Tracer,
    traced: TracedViews,
    objective: ViewObjective,
    painting: torch.Tensor,
    geometry: bool = False,
) -> Level:
    """Prepare the views and their targets.

    Args:
        traced: the views at this scale's size.
        painting: (1, 3, H, W) sRGB 0..1, on the network's device.
        geometry: whether it is asked for.
    """
    texels = traced.texels
    views = [View(lookup, painting.device) for lookup in traced.lookups]
    background, colour = _behind(objective.areas, painting, scale.size)
    original = _original(tracer, texels).to(painting.device)
    ground = objective.ground(background)
    areas = _on(objective.areas.rows(texels), painting)
    targets = [
        objective.target(
            view, original[view.texels], background, ground, None if areas is None else areas[view.texels]
        )
        for view in views
    ]
    seen = [PixelGeometry.of(*of) for of in zip(traced.hits, views, strict=True)] if geometry else []
    octaves = octaves_too_fine(texels, tracer, traced.footprint).to(painting.device)
    return Level(
        scale,
        texels,
        original,
        views,
        traced.looks,
        seen,
        targets,
        background,
        colour,
        ground,
        areas,
        octaves,
    )


def bare_level(scale: Scale, texels: TexelTable, painting: torch.Tensor, areas: Areas | None = None) -> Level:
    """Without views, for those that are made one at a time."""
    background, colour = _behind(areas, painting, scale.size)
    nothing = painting.new_zeros(0, 3)
    rows = None if areas is None else _on(areas.rows(texels), painting)
    return Level(scale, texels, nothing, [], [], [], [], background, colour, areas=rows)


def _on(rows: torch.Tensor | None, painting: torch.Tensor) -> torch.Tensor | None:
    return None if rows is None else rows.to(painting.device)


def _behind(areas: Areas | None, painting: torch.Tensor, size: int) -> tuple[torch.Tensor, float]:
    """The colour behind every view, and how smooth colours are to be."""
    fitted = fit_short_side(painting, size)
    if areas is None or len(paintings := areas.paintings()) < 2:
        return fitted.mean((0, 2, 3)), colour_share(fitted)
    colours = [weight * colour_share(fit_short_side(one, size)) for weight, one in paintings]
    return areas.background(size), sum(colours)


def _original(tracer: Tracer, texels: TexelTable) -> Float[torch.Tensor, "T 3"]:
    images = []
    for atlas, layout in zip(tracer.surface.atlases, texels.layouts, strict=True):
        start = torch.from_numpy(atlas.start).permute(2, 0, 1)
        images.append(resize_covered(start, atlas.covered, layout.covered.shape, gutters=False))
    return gather(texels, images)
