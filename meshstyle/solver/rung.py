"""One rung of the coarse-to-fine ladder: everything that is fixed while the paint changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from ..settings import Scale
from ..views.back_projection import PixelGeometry
from ..views.looks import Look
from ..views.products import gather, scatter
from ..views.sampling import Texels
from ..views.scales import TracedViews
from ..views.tracing import Tracer
from ..views.view import View
from .foreground import Backdrop, Ground
from .objective import ContentTarget, Objective, StyleTarget, fit_short_side
from .resolution import resize_covered
from .smoothness import colour_share


@dataclass(frozen=True, eq=False)
class Rung:
    """Views and targets at one scale.

    Attributes:
        texels: of all atlases, at the resolution at which a texel matches a ray.
        original: (T, 3) the colours the model has.
        views: those that see enough.
        looks: what each of them shows.
        geometry: per view, what its pixels look at; empty where nobody asked for it.
        targets: per view, what it must keep.
        background: the painting's mean colour, behind every view.
        ground: features of that, where they are of use.
        colour: κ, how much smoother than light and dark the paint's colour is to be (see `smoothness`).
    """

    scale: Scale
    texels: Texels
    original: Float[torch.Tensor, "T 3"]
    views: list[View]
    looks: list[Look]
    geometry: list[PixelGeometry]
    targets: list[ContentTarget]
    style: StyleTarget
    background: Float[torch.Tensor, "3"]
    colour: float
    ground: Ground | None = None

    def use(self) -> Float[torch.Tensor, "T"]:
        """How many pixels each texel counts for, over all views."""
        total = np.zeros(self.texels.count, np.float32)
        for view in self.views:
            total[view.texels.cpu().numpy()] += view.texel_use
        return torch.from_numpy(total).to(self.original.device)

    def refit(self, paint: Float[torch.Tensor, "S 3"], before: Texels) -> Float[torch.Tensor, "T 3"]:
        """Another rung's paint at this one's resolution."""
        images = [
            resize_covered(image, old.covered, new.covered.shape, gutters=False)
            for image, old, new in zip(
                scatter(before, paint.cpu()), before.layouts, self.texels.layouts, strict=True
            )
        ]
        return gather(self.texels, images).to(paint.device)


def build_rung(
    scale: Scale,
    tracer: Tracer,
    traced: TracedViews,
    objective: Objective,
    painting: torch.Tensor,
    style_scale: float = 1.0,
    geometry: bool = False,
) -> Rung:
    """Prepare the views and their targets.

    Args:
        traced: the views at this scale's size.
        painting: (1, 3, H, W) sRGB 0..1, on the network's device.
        style_scale: short side of the painting, as a share of the views' size.
        geometry: whether it is asked for.
    """
    texels = traced.texels
    views = [View(lookup, painting.device) for lookup in traced.lookups]
    fitted = fit_short_side(painting, round(scale.size * style_scale))
    background = fitted.mean((0, 2, 3))
    original = _original(tracer, texels).to(painting.device)
    ground = objective.ground(background)
    targets = [target_of(view, original, background, objective, ground) for view in views]
    seen = [PixelGeometry.of(*of) for of in zip(traced.hits, views, strict=True)] if geometry else []
    style = objective.style_target(fitted)
    return Rung(
        scale,
        texels,
        original,
        views,
        traced.looks,
        seen,
        targets,
        style,
        background,
        colour_share(fitted),
        ground,
    )


def target_of(
    view: View,
    original: Float[torch.Tensor, "T 3"],
    background: Float[torch.Tensor, "3"],
    objective: Objective,
    ground: Ground | None,
) -> ContentTarget:
    """What a view of the original asks to be kept. `ground`: features of the background, where they are of use."""
    backdrop = None if ground is None else Backdrop(ground, view.painted)
    picture = view.render(original[view.texels], background)
    return objective.content_target(picture, view.mask, backdrop=backdrop)


def _original(tracer: Tracer, texels: Texels) -> Float[torch.Tensor, "T 3"]:
    images = []
    for atlas, layout in zip(tracer.surface.atlases, texels.layouts, strict=True):
        start = torch.from_numpy(atlas.start).permute(2, 0, 1)
        images.append(resize_covered(start, atlas.covered, layout.covered.shape, gutters=False))
    return gather(texels, images)
