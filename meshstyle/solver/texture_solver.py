"""The texture solver: the unknown is the texture, so views cannot disagree (design, section 4).

One view a step in shuffled order, coarse to fine. At each scale the atlases are solved at the resolution at which a
texel matches a ray of the views, so that every texel gets a gradient and none is painted into the aliasing.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from jaxtyping import Float

from .descent import Slope, Terms
from .ladder import Ladder, Solved
from .objective import Objective
from .resolution import chart_of_texel, chart_of_triangle
from .rung import Rung
from .smoothness import Smoothness


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
        value, slope = self._smoothness(self.values, view.texels)
        seen.grad += slope
        total, style, content, structure, smooth = found.fetch(value)
        return Slope(view.texels, seen.grad, Terms(total + smooth, style, content, structure))


class TextureSolver(Ladder[TextureProblem, Solved]):
    """Solves for the texels of all atlases at once."""

    def problem(self, rung: Rung, before: Solved | None) -> TextureProblem:
        charts = [
            chart_of_texel(atlas.owner, self._charts, layout.covered.shape)
            for atlas, layout in zip(self.tracer.surface.atlases, rung.texels.layouts, strict=True)
        ]
        device = rung.original.device
        smoothness = Smoothness.on_surface(
            rung.texels, charts, self.settings.tv_weight, device, rung.colour, self._kernels
        )
        paint = self.paint_to_begin_with(rung, before)
        return TextureProblem(paint, rung, self.objective, smoothness, self.settings.view_count)

    def settle(self, rung: Rung, problem: TextureProblem, last: bool) -> tuple[Solved, None]:
        return Solved(rung.texels, problem.values, rung.use().cpu(), len(rung.views)), None

    @functools.cached_property
    def _charts(self) -> np.ndarray:
        return chart_of_triangle(self.tracer.surface.uv, self.tracer.surface.atlas)
