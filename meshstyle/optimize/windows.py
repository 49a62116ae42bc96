"""Windows: how large textures get detail that whole views cannot show.

What the whole views came to is enlarged, zoom by zoom, to the size of the atlases. At each zoom narrow views cover the
surface piece by piece. They are views like all others, but for three things: each is made when it is looked at, and
takes all its steps then, so that memory is that of one; its style is that of the part of the painting that its colours
come from (see `local_style`); and it must look as it did from where the whole views stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from ..config.model import LEAST_DETAIL, Scale, Settings
from ..kernels.program import Program
from ..style.view_objective import ViewObjective, ViewTarget
from ..views.cameras import DISTANCE, camera_towards_centre
from ..views.close_ups import CloseUps, place_close_ups
from ..views.pieces import texels_per_length
from ..views.placement import Placement
from ..views.raytrace import Tracer
from ..views.sampling_matrix import SamplingMatrix, TexelTable
from ..views.trace_views import rays_of
from ..views.view import AMBIENT, HEADLIGHT, View

STEP = 3.0  # from one zoom to the next at most
HELD = 3.0  # pixels of the coarser scale along the side of the blocks whose colours are held
RATE = 0.06  # of Adam; falls linearly to a tenth in each window
RAMP = 0.12  # of a window's side: how far from its border paint may change in full
STEEP = (0.15, 0.4)  # cosines of the viewing angle between which paint begins to change


@dataclass(frozen=True)
class WindowScale(Scale):
    """All windows at one zoom, with `each` steps for each of them.

    Attributes:
        close_ups: where they are.
        share: of the atlases' own size at which texels are solved.
        block: pixels along the side of the squares whose mean colours are held.
    """

    close_ups: CloseUps
    each: int
    share: float
    block: int


def plan_windows(tracer: Tracer, placement: Placement, settings: Settings) -> tuple[WindowScale, ...]:
    """What the atlases have room for beyond the whole views, as far as the settings want it; smallest zoom first."""
    whole, detail = settings.scales[-1].size, settings.close_ups
    atlases = tracer.surface.atlases
    zoom = min(_texels_under_pixel(tracer, whole) / detail.texels, detail.most)
    large = any(max(atlas.owner.shape) > detail.above for atlas in atlases)
    if not large or zoom < LEAST_DETAIL or detail.steps == 0:
        return ()
    count = max(1, int(np.ceil(np.log(zoom) / np.log(STEP) - 1e-9)))
    scales, before = [], 1.0
    for number in range(1, count + 1):
        now = zoom ** (number / count)
        found = place_close_ups(tracer, placement, whole, now, detail.size, settings.seed)
        steps = detail.steps * len(found.cameras)
        block = max(1, round(HELD * now / before))
        scales.append(WindowScale(detail.size, steps, found, detail.steps, now / zoom, block))
        before = now
    return tuple(scales)


def _texels_under_pixel(tracer: Tracer, whole: int) -> float:
    """How many texels, along a side, lie under a pixel of the whole views: the median over the painted area."""
    surface = tracer.surface
    painted = np.flatnonzero((surface.atlas >= 0) & (tracer.uv_density > 0))
    if not len(painted):
        return 1.0
    pixel = camera_towards_centre(np.array([0.0, 0.0, 1.0]), whole).pitch * DISTANCE
    return texels_per_length(tracer, painted) * pixel


@dataclass(frozen=True, eq=False)
class HeldView:
    """A view, what it is held to, and how much of a step each of its texels may take (V, 1); None: all of it."""

    view: View
    target: ViewTarget
    freedom: Float[torch.Tensor, "V 1"] | None = None


class Windows:
    """The windows of one scale, made one at a time."""

    def __init__(
        self,
        scale: WindowScale,
        tracer: Tracer,
        texels: TexelTable,
        objective: ViewObjective,
        background: Float[torch.Tensor, "3"],
        program: Program | None,
        areas: Float[torch.Tensor, "T K"] | None = None,
    ) -> None:
        """`program`: compiled kernels, as `Lookup` takes them; `areas`: see `Level.areas`."""
        self._areas = areas
        self._scale, self._tracer, self._texels = scale, tracer, texels
        self._objective, self._background, self._program = objective, background, program
        self._last: tuple[int, HeldView | None] = (-1, None)

    def __len__(self) -> int:
        return len(self._scale.close_ups.cameras)

    def shown(self, number: int, paint: Float[torch.Tensor, "T 3"]) -> HeldView | None:
        """A window beside the paint that was there when it was first looked at; None where it shows nothing."""
        if self._last[0] != number:
            self._last = (-1, None)  # the old one's memory first
            self._last = (number, self._make(number, paint))
        return self._last[1]

    def order(self) -> Iterator[tuple[int, float]]:
        """All steps of one window, then those of the next; each with its learning rate."""
        each = self._scale.each
        for number in range(len(self)):
            for step in range(each):
                yield number, RATE * (1 - 0.9 * step / each)

    def _make(self, number: int, paint: Float[torch.Tensor, "T 3"]) -> HeldView | None:
        size, camera = self._scale.close_ups.size, self._scale.close_ups.cameras[number]
        hits = self._tracer.view(camera, rays_of(size), frame=(size, size))
        lookup = None if hits is None else SamplingMatrix(hits, self._tracer, self._texels, self._program)
        if lookup is None or not len(lookup.texels):
            return None
        view = View(lookup, self._background.device)
        zoom, block = self._scale.close_ups.zoom, self._scale.block
        areas = None if self._areas is None else self._areas[view.texels]
        target = self._objective.window_target(view, paint[view.texels], self._background, zoom, block, areas)
        return HeldView(view, target, freedom(view))


def freedom(view: View) -> Float[torch.Tensor, "V 1"]:
    """How freely each texel may change, 0..1: not at all on the window's border or where it is seen too steeply."""
    height, width = view.shape
    device = view.pixels.device
    inwards = _ramp(height, device)[:, None] * _ramp(width, device)
    cosine = (view.shade - AMBIENT) / HEADLIGHT
    facing = _smooth((cosine - STEEP[0]) / (STEEP[1] - STEEP[0]))
    free = inwards.flatten()[view.pixels][:, None] * facing
    used = view.spread(view.pixel_coverage)
    return view.spread(view.pixel_coverage * free) / used.clamp_min(1e-6)


def _ramp(length: int, device: torch.device) -> Float[torch.Tensor, "L"]:
    """Make weights that rise from 0 at both ends to 1."""
    inside = torch.arange(length, device=device) + 0.5
    return _smooth(torch.minimum(inside, length - inside) / (RAMP * length))


def _smooth(x: torch.Tensor) -> torch.Tensor:
    x = x.clamp(0, 1)
    return x * x * (3 - 2 * x)
