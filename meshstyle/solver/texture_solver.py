"""The texture solver: the unknown is the texture, so views cannot disagree (design, section 4).

One view a step in shuffled order, coarse to fine. At each scale the atlases are solved at the resolution at which a
texel matches a ray of the views, so that every texel gets a gradient and none is painted into the aliasing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from ..progress import Progress, ProgressCallback
from ..settings import Settings
from ..views.placement import Placement
from ..views.sampling import Texels
from ..views.tracing import Tracer
from .descent import Clock, Slope, Terms, descend
from .objective import LossWeights, Objective
from .resolution import Texture, chart_of_texel, chart_of_triangle
from .rung import Rung, build_rung
from .smoothness import Smoothness
from .starts import starting_colours
from .vgg import VGG19

_USED = 0.005  # pixels that a texel must have counted for to be called seen


@dataclass(frozen=True, eq=False)
class Solution:
    """The painted texels at the resolution they were solved at.

    Attributes:
        textures: per atlas, sRGB 0..1.
        covered: per atlas, the texels the surface touches at that resolution.
        seen: per atlas, the texels that some view really used.
        terms: loss terms at the end, or None if no step was made.
        views: how many views were used.
        interrupted: whether it was stopped early.
    """

    textures: tuple[Texture, ...]
    covered: tuple[np.ndarray, ...]
    seen: tuple[np.ndarray, ...]
    terms: Terms | None
    views: int
    interrupted: bool


@dataclass(frozen=True, eq=False)
class _Solved:
    """The paint as it stands: `paint` (T, 3) changes in place; `use` (T,): pixels that each texel counts for."""

    texels: Texels
    paint: torch.Tensor
    use: torch.Tensor
    views: int


class TextureProblem:
    """The texels of all atlases at one scale; a part is a view (see `descent.Problem`)."""

    def __init__(
        self,
        values: Float[torch.Tensor, "T 3"],
        rung: Rung,
        objective: Objective,
        smoothness: Smoothness,
        even: int,
    ) -> None:
        """`even`: how many of the views look from all sides (see `descent.Problem`)."""
        self.values, self.parts, self.even = values, len(rung.views), even
        self._rung, self._objective, self._smoothness = rung, objective, smoothness

    def slope(self, part: int) -> Slope:
        """Of one view, in the texels it reads."""
        view = self._rung.views[part]
        seen = self.values[view.texels].requires_grad_(True)
        picture = view.render(seen, self._rung.background)
        found = self._objective(picture, self._rung.style, self._rung.targets[part])
        found.total.backward()
        assert seen.grad is not None
        terms = Terms(float(found.total.detach()), found.style, found.content, found.structure)
        if self._smoothness.weight > 0:
            value, slope = self._smoothness(self.values, view.texels)
            terms = replace(terms, total=terms.total + value)
            seen.grad += slope
        return Slope(view.texels, seen.grad, terms)


class TextureSolver:
    """Paints the atlases of a surface. Deterministic for a seed, a machine and a thread count."""

    def __init__(
        self, tracer: Tracer, placement: Placement, painting: torch.Tensor, network: VGG19, settings: Settings
    ) -> None:
        """`painting`: (1, 3, H, W) sRGB 0..1, on the network's device."""
        self.tracer, self.placement, self.painting, self.settings = tracer, placement, painting, settings
        weights = LossWeights(settings.content_weight, settings.style_weight, settings.structure_weight)
        # relu4_1 is already there for the style: content on it costs nothing (design, section 3).
        self.objective = Objective(network, weights, content_layer="relu4_1")
        self.charts = chart_of_triangle(tracer.surface.uv, tracer.surface.atlas)
        self._generator = torch.Generator().manual_seed(settings.seed % 2**63)
        self._shuffle = np.random.default_rng(settings.seed)

    def solve(self, progress: ProgressCallback) -> Solution:
        """Run all scales. KeyboardInterrupt ends it early with the best so far, once there is any."""
        solved: _Solved | None = None
        terms: Terms | None = None
        clock = Clock(self.settings.scales, progress)
        interrupted = False
        for scale in self.settings.scales:
            try:
                progress(Progress("trace"))
                rung = build_rung(scale, self.tracer, self.placement, self.objective, self.painting)
                paint = self._start(rung) if solved is None else rung.refit(solved.paint, solved.texels)
                solved = _Solved(rung.texels, paint, rung.use().cpu(), len(rung.views))
                problem = self._problem(paint, rung)
                terms = descend(problem, scale, self.settings.optimizer_used, self._shuffle, clock) or terms
                del rung  # the next scale's views need the room
            except KeyboardInterrupt:
                if solved is None:
                    raise
                interrupted = True
                break
        assert solved is not None
        texels = solved.texels
        return Solution(
            textures=tuple(texels.scatter(solved.paint.cpu())),
            covered=tuple(layout.covered for layout in texels.layouts),
            seen=tuple(image[0].numpy() > _USED for image in texels.scatter(solved.use[:, None])),
            terms=terms,
            views=solved.views,
            interrupted=interrupted,
        )

    def _start(self, rung: Rung) -> torch.Tensor:
        return starting_colours(self.settings.init, rung.original, rung.use(), self.painting, self._generator)

    def _problem(self, paint: torch.Tensor, rung: Rung) -> TextureProblem:
        charts = [
            chart_of_texel(atlas.owner, self.charts, layout.covered.shape)
            for atlas, layout in zip(self.tracer.surface.atlases, rung.texels.layouts, strict=True)
        ]
        smoothness = Smoothness(rung.texels, charts, self.settings.tv_weight)
        return TextureProblem(paint, rung, self.objective, smoothness, self.settings.view_count)
