"""The texture solver: the unknown is the texture, so views cannot disagree (design, section 4).

One view a step in shuffled order, coarse to fine. At each scale the atlases are solved at the resolution at which a
texel matches a ray of the views, so that every texel gets a gradient and none is painted into the aliasing.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from jaxtyping import Float

from ..machine import give_back_memory
from ..settings import Scale
from ..views.canvas import Canvas
from ..views.looks import whole_views
from ..views.scales import TracedViews
from ..views.view import View
from .descent import Clock, Slope, Terms, descend
from .far_look import RATE, FarProblem, FarViews, give_change
from .ladder import Ladder, Solved
from .objective import ContentTarget, Objective
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
        self._rung, self._objective, self.smoothness = rung, objective, smoothness

    def slope(self, part: int) -> Slope:
        """Of one view, in the texels it reads."""
        return self.slope_of(self._rung.views[part], self._rung.targets[part])

    def slope_of(
        self, view: View, target: ContentTarget, beyond: Float[torch.Tensor, "P 3"] | None = None
    ) -> Slope:
        """`beyond`: what the view's pixels show on top of these texels (see `far_look`)."""
        seen = self.values[view.texels].requires_grad_(True)
        picture = view.render(seen, self._rung.background, beyond=beyond)
        found = self._objective(picture, self._rung.style, target)
        found.total.backward()
        assert seen.grad is not None
        value, slope = self.smoothness(self.values, view.texels)
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
        return TextureProblem(paint, rung, self.objective, smoothness, whole_views(rung.looks))

    def look_again(self, canvas: Canvas, solved: Solved, scale: Scale, clock: Clock) -> Terms | None:
        texels = solved.texels
        # Its views are made when they are looked at.
        rung = self._rung(scale, TracedViews([], [], texels, []))
        problem = self.problem(rung, solved)
        far = FarProblem(
            problem, canvas, FarViews(self.tracer, solved.looks, rung, self.objective, self._kernels)
        )
        terms = descend(far, scale, "adam", self._shuffle, clock, self._kernels, RATE)
        paint = problem.values
        del rung, problem, far
        give_back_memory()  # of the steps: enlarging takes as much again
        give_change(canvas, texels, solved.paint, paint)
        return terms

    def settle(self, rung: Rung, problem: TextureProblem, last: bool) -> tuple[Solved, None]:
        return Solved(rung.texels, problem.values, rung.use().cpu(), rung.looks), None

    @functools.cached_property
    def _charts(self) -> np.ndarray:
        return chart_of_triangle(self.tracer.surface.uv, self.tracer.surface.atlas)
