"""Big textures at constant memory: close-ups after the whole views (design, "Scaling past one view size").

What the whole views came to is enlarged, zoom by zoom, to the size of the atlases. At each zoom small windows cover the
surface; they are solved one after the other, each from what lies there. Views, targets and moments of only one of them
are in memory at a time, and only the texels that it sees are touched.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ..bake.upsample import upsample
from ..machine import give_back_memory
from ..settings import LEAST_DETAIL, Scale, Settings
from ..views.cameras import DISTANCE, camera_towards_centre
from ..views.canvas import Canvas
from ..views.close_ups import CloseUps, place_close_ups
from ..views.near_sampling import NearLookup
from ..views.placement import Placement
from ..views.scales import RAYS, shrink_coverage
from ..views.tracing import Tracer
from ..views.view import View
from .close_up_problem import CloseUpProblem
from .descent import Clock
from .local_style import LocalStyle
from .network import own_kernels
from .objective import Objective, fit_short_side, mixed_grams
from .smoothness import colour_share

STEP = 3.0  # from one zoom to the next at most
HELD = 3.0  # pixels of the coarser scale along the side of the blocks whose colours are held


@dataclass(frozen=True, eq=False)
class CloseUpPlan:
    """What is to be done: windows at each zoom, smallest zoom first, with so many steps each."""

    zooms: tuple[CloseUps, ...]
    steps: int

    @property
    def windows(self) -> int:
        return sum(len(zoom.cameras) for zoom in self.zooms)

    @property
    def scale(self) -> Scale:
        """The work as if it were one scale."""
        return Scale(self.zooms[0].size, self.windows * self.steps)


def plan_close_ups(tracer: Tracer, placement: Placement, settings: Settings) -> CloseUpPlan | None:
    """What the atlases have room for beyond the whole views, as far as the settings want it. None: nothing."""
    whole, detail = settings.scales[-1].size, settings.close_ups
    atlases = tracer.surface.atlases
    zoom = min(_texels_under_pixel(tracer, whole) / detail.texels, detail.most)
    large = any(max(atlas.owner.shape) > detail.above for atlas in atlases)
    if not large or zoom < LEAST_DETAIL or detail.steps == 0:
        return None
    count = max(1, int(np.ceil(np.log(zoom) / np.log(STEP) - 1e-9)))
    zooms = [
        place_close_ups(tracer, placement, whole, zoom ** (n / count), detail.size, settings.seed)
        for n in range(1, count + 1)
    ]
    return CloseUpPlan(tuple(zooms), detail.steps)


def _texels_under_pixel(tracer: Tracer, whole: int) -> float:
    """How many texels, along a side, lie under a pixel of the whole views: the median over the painted area."""
    surface = tracer.surface
    painted = np.flatnonzero((surface.atlas >= 0) & (tracer.uv_density > 0))
    if not len(painted):
        return 1.0
    sides = np.array([np.sqrt(atlas.owner.size) for atlas in surface.atlases])
    pixel = camera_towards_centre(np.array([0.0, 0.0, 1.0]), whole).pitch * DISTANCE
    texels = tracer.uv_density[painted] * sides[surface.atlas[painted]] * pixel
    order = np.argsort(texels)
    below = np.cumsum(tracer.area[painted][order])
    return float(texels[order][np.searchsorted(below, below[-1] / 2)])


class CloseUpSolver:
    """Paints the details. Deterministic for a seed, a machine and a thread count."""

    def __init__(
        self,
        tracer: Tracer,
        painting: torch.Tensor,
        objective: Objective,
        settings: Settings,
        plan: CloseUpPlan,
    ) -> None:
        """`painting`: (1, 3, H, W) sRGB 0..1, on the network's device."""
        self._tracer, self._painting, self._objective = tracer, painting, objective
        self._settings, self._plan = settings, plan
        self._kernels = own_kernels(settings, painting.device)
        self._whole = settings.scales[-1].size
        self._background = fit_short_side(painting, self._whole).mean((0, 2, 3))

    def solve(self, canvas: Canvas, clock: Clock, watch: Callable[[Canvas], None]) -> tuple[Canvas, bool]:
        """All close-ups. KeyboardInterrupt ends it early.

        Args:
            canvas: what the whole views came to.
            watch: is given every canvas that is begun.

        Returns: the paint, at the size of the last zoom; whether it was interrupted.
        """
        before = 1.0
        try:
            for zoom in self._plan.zooms:
                canvas = self._enlarged(canvas, zoom.zoom / self._plan.zooms[-1].zoom)
                give_back_memory()
                watch(canvas)
                self._all(canvas, zoom, max(1, round(HELD * zoom.zoom / before)), clock)
                before = zoom.zoom
        except KeyboardInterrupt:
            return canvas, True
        return canvas, False

    def _all(self, canvas: Canvas, zoom: CloseUps, block: int, clock: Clock) -> None:
        side = round(self._whole * zoom.zoom * self._settings.style_scale)
        layers = tuple(self._objective.style_layers)
        style = LocalStyle(self._objective.network, self._painting, layers, side)
        near = fit_short_side(self._painting, side)
        smooth = (self._settings.tv_weight / max(self._settings.style_weight, 1e-9), colour_share(near))
        scale, steps = self._plan.scale, self._plan.steps
        for camera in zoom.cameras:
            hits = self._tracer.view(camera, RAYS, frame=(zoom.size, zoom.size))
            lookup = None if hits is None else NearLookup(hits, self._tracer, canvas.sheets)
            if lookup is None or not len(lookup.texels):
                for _ in range(steps):
                    clock.tick(scale, 0.0)
                continue
            view = View(lookup, self._background.device)
            values = canvas.read(lookup.texels).to(self._background.device)
            problem = CloseUpProblem(
                view, values, self._objective, self._background, block, zoom.zoom, smooth
            )
            self._solve(problem, style, functools.partial(clock.tick, scale))
            canvas.write(lookup.texels, problem.values)
            give_back_memory()  # windows differ, and what one had does not fit the next

    def _solve(self, problem: CloseUpProblem, style: LocalStyle, tick: Callable[[float], None]) -> None:
        target = style.target(problem.picture, problem.mask).grams
        if self._settings.strength < 1:
            target = mixed_grams(problem.grams(), target, self._settings.strength)
        adam, steps = problem.adam(self._kernels), self._plan.steps
        for step in range(steps):
            tick(self._settings.style_weight * problem.step(adam, target, step / steps))

    def _enlarged(self, canvas: Canvas, share: float) -> Canvas:
        """At that share of the atlases' own size."""
        images, covered, wraps = [], [], []
        for atlas, sheet, image in zip(
            self._tracer.surface.atlases, canvas.sheets, canvas.images, strict=True
        ):
            (height, width), (rows, columns) = image.shape[:2], atlas.owner.shape
            size = (max(height, round(rows * share)), max(width, round(columns * share)))
            coarse = image.astype(np.float32)
            images.append(upsample(coarse, sheet.covered, size, atlas.wrap, half=True))
            covered.append(shrink_coverage(atlas.covered, size))
            wraps.append(atlas.wrap)
        return Canvas(images, covered, wraps)
