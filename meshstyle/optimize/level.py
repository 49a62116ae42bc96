"""One level of the coarse-to-fine ladder: everything that is fixed while the paint changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from ..config.model import Scale
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
from .resolution import resize_covered
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
    fitted = fit_short_side(painting, scale.size)
    background = fitted.mean((0, 2, 3))
    original = _original(tracer, texels).to(painting.device)
    ground = objective.ground(background)
    targets = [objective.target(view, original[view.texels], background, ground) for view in views]
    seen = [PixelGeometry.of(*of) for of in zip(traced.hits, views, strict=True)] if geometry else []
    return Level(
        scale, texels, original, views, traced.looks, seen, targets, background, colour_share(fitted), ground
    )


def bare_level(scale: Scale, texels: TexelTable, painting: torch.Tensor) -> Level:
    """Without views, for those that are made one at a time."""
    fitted = fit_short_side(painting, scale.size)
    nothing = painting.new_zeros(0, 3)
    return Level(scale, texels, nothing, [], [], [], [], fitted.mean((0, 2, 3)), colour_share(fitted))


def _original(tracer: Tracer, texels: TexelTable) -> Float[torch.Tensor, "T 3"]:
    images = []
    for atlas, layout in zip(tracer.surface.atlases, texels.layouts, strict=True):
        start = torch.from_numpy(atlas.start).permute(2, 0, 1)
        images.append(resize_covered(start, atlas.covered, layout.covered.shape, gutters=False))
    return gather(texels, images)
