"""The texture solver: the unknown is the texture, so views cannot disagree.

One view a step, coarse to fine. At each scale the atlases are solved at the resolution at which a texel matches a ray
of the views, so that every texel gets a gradient and none is painted into the aliasing.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float

from ..config.model import Scale
from ..style.view_objective import ViewObjective
from ..views.mip_table import MAX_LEVEL
from ..views.sampling_matrix import TexelTable
from ..views.training_views import whole_views
from .level import Level
from .loop import Gradient, Terms, in_rounds
from .multiscale import MultiscaleSolver, Solved
from .resolution import chart_of_texel, chart_of_triangle
from .total_variation import Smoothness
from .windows import HeldView, Windows, WindowScale

SMOOTH = 0.6  # of τ: beside a style loss that is a mean over levels


@runtime_checkable
class Views(Protocol):
    """The views of one scale."""

    def __len__(self) -> int: ...

    def shown(self, number: int, paint: Float[torch.Tensor, "T 3"]) -> HeldView | None:
        """One of them, beside the paint as it stands; None where it shows nothing."""
        ...


@dataclass(frozen=True, eq=False)
class AllViews:
    """Views that are all there."""

    level: Level

    def __len__(self) -> int:
        return len(self.level.views)

    def shown(self, number: int, paint: Float[torch.Tensor, "T 3"]) -> HeldView:
        """`paint` does not matter."""
        return HeldView(self.level.views[number], self.level.targets[number])


class TextureProblem:
    """The texels of all atlases at one scale; a part is a view (see `optimize.loop.Problem`)."""

    def __init__(
        self,
        values: Float[torch.Tensor, "T 3"],
        views: Views,
        background: Float[torch.Tensor, "3"],
        objective: ViewObjective,
        smoothness: Smoothness,
        even: int = 0,
    ) -> None:
        """`background`: colour behind the views; `even`: how many of them look from all sides."""
        self.values, self.parts, self.even = values, len(views), even
        self._views, self._background = views, background
        self._objective, self.smoothness = objective, smoothness

    def order(self, scale: Scale, shuffle: np.random.Generator) -> Iterator[tuple[int, float]]:
        """Shuffled rounds; of windows one after the other."""
        if isinstance(self._views, Windows):
            return self._views.order()
        return in_rounds(self.parts, self.even, scale, shuffle)

    def gradient(self, part: int) -> Gradient:
        """Return the gradient of one view in the texels that it reads."""
        shown = self._views.shown(part, self.values)
        if shown is None:
            nothing = self.values.new_zeros(0, 3)
            return Gradient(torch.zeros(0, dtype=torch.int64), nothing, Terms(0.0, 0.0, np.nan, np.nan))
        view = shown.view
        leaf = self.values[view.texels].requires_grad_(True)
        found = self._objective(*view.pictures(view.sample(leaf), self._background), shown.target)
        found.total.backward()
        assert leaf.grad is not None
        value, gradient = self.smoothness(self.values, view.texels)
        if isinstance(self._views, Windows):
            self.smoothness.forget()  # it would keep what it has looked up for each of them
        leaf.grad += gradient
        total, style, content, structure, smooth = found.fetch(value)
        terms = Terms(total + smooth, style, content, structure)
        return Gradient(view.texels, leaf.grad, terms, shown.freedom)


class TextureSolver(MultiscaleSolver[TextureProblem, Solved]):
    """Solves for the texels of all atlases at once."""

    def problem(self, level: Level, before: Solved | None) -> TextureProblem:
        smoothness = self._smoothness(level.texels, level.colour)
        paint = self.paint_to_begin_with(level, before)
        even = whole_views(level.looks)
        return TextureProblem(paint, AllViews(level), level.background, self.objective, smoothness, even)

    def windows(self, scale: WindowScale, level: Level, before: Solved) -> TextureProblem:
        paint = level.refit(before.paint, before.texels)
        views = Windows(
            scale, self.tracer, level.texels, self.objective, level.background, self._kernels, level.areas
        )
        smoothness = self._smoothness(level.texels, level.colour)
        return TextureProblem(paint, views, level.background, self.objective, smoothness)

    def settle(self, level: Level, problem: TextureProblem, last: bool) -> tuple[Solved, None]:
        paint = self._as_seen(level, problem, last)
        return Solved(level.texels, paint, level.use().cpu(), level.looks), None

    def _as_seen(self, level: Level, problem: TextureProblem, last: bool) -> torch.Tensor:
        """The paint without what lies between the views' pixels, where texels are finer than those.

        No loss has seen it, and the next scale would show it as a fine grid. Of what is baked only what lies within a
        pixel goes: a filter that is sharp enough for more would cost strokes their edges.
        """
        octaves = level.octaves
        if octaves is None:
            octaves = problem.values.new_zeros(len(problem.values))
        octaves = (octaves + (0 if last else 1)).clamp(0, MAX_LEVEL)
        if not last:
            for atlas, layout in zip(self.tracer.surface.atlases, level.texels.layouts, strict=True):
                if layout.covered.shape != atlas.owner.shape:  # solved at the density of the median pixel
                    octaves[layout.offset : layout.offset + int(layout.covered.sum())].clamp_(min=1)
        return problem.smoothness.without_finest(problem.values, octaves)

    def _smoothness(self, texels: TexelTable, colour: float) -> Smoothness:
        charts = [
            chart_of_texel(atlas.owner, self._charts, layout.covered.shape)
            for atlas, layout in zip(self.tracer.surface.atlases, texels.layouts, strict=True)
        ]
        device, weight = self.painting.device, SMOOTH * self.settings.tv_weight
        return Smoothness.on_surface(texels, charts, weight, device, colour, self._kernels)

    @functools.cached_property
    def _charts(self) -> np.ndarray:
        return chart_of_triangle(self.tracer.surface.uv, self.tracer.surface.atlas)
