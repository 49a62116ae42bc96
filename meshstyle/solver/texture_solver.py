"""The texture solver: the unknown is the texture, so views cannot disagree (design, section 4).

Adam (Kingma & Ba 2015) on the texels of all atlases, one view a step in shuffled order, coarse to fine. At
each scale the atlases are solved at the resolution at which a texel matches a ray of the views, so that every
texel gets a gradient and none is painted into the aliasing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse
import scipy.sparse.csgraph
import torch
import torch.nn.functional as F
from jaxtyping import Float

from ..progress import Progress, ProgressCallback
from ..settings import Scale, Settings
from ..views.cameras import camera_towards_centre
from ..views.placement import Placement
from ..views.sampling import Texels, nearest_covered, triangle_uv_area
from ..views.tracing import Hits, Tracer
from ..views.view import View
from .colours import match_colours
from .objective import ContentTarget, LossWeights, Objective, StyleTarget, fit_short_side
from .smoothness import Smoothness
from .vgg import VGG19

RAYS = 2  # per pixel side
DENSITY = 1.0  # texels per ray at the median footprint
BETAS = (0.5, 0.99)  # shorter memory than usual: each step sees another view
NOISE = 0.06  # of the start, sRGB: lets flat areas find a stroke
_SMALLEST_VIEW = 0.04  # of the largest view's pixels: smaller ones (a plane seen edge-on) are left out
_TEXTURE_STEP = 8  # solved sizes are multiples of this
_USED = 0.005  # pixels that a texel must have counted for to be called seen

Texture = Float[torch.Tensor, "3 H W"]


@dataclass(frozen=True)
class Terms:
    """Means over the last round of views."""

    total: float
    style: float
    content: float
    structure: float


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
class _Rung:
    """Everything fixed at one scale."""

    scale: Scale
    texels: Texels
    views: list[View]
    targets: list[ContentTarget]
    style: StyleTarget
    background: torch.Tensor
    smoothness: Smoothness


@dataclass(frozen=True, eq=False)
class _Solved:
    """The paint as it stands: `paint` (T, 3) changes in place; `use` (T,): pixels that each texel counts for."""

    texels: Texels
    paint: torch.Tensor
    use: torch.Tensor
    views: int


class TextureSolver:
    """Paints the atlases of a surface. Deterministic for a seed, a machine and a thread count."""

    def __init__(
        self, tracer: Tracer, placement: Placement, painting: torch.Tensor, network: VGG19, settings: Settings
    ) -> None:
        """`painting`: (1, 3, H, W) sRGB 0..1, on the network's device."""
        self.tracer, self.placement, self.painting = tracer, placement, painting
        self.settings, self.network, self.device = settings, network, network.device
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
                rung = self._rung(scale, self._trace(scale.size))
                paint = self._start(rung) if solved is None else self._refit(solved, rung)
                solved = _Solved(rung.texels, paint, self._use(rung), len(rung.views))
                terms = self._descend(paint, rung, clock) or terms
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

    def _trace(self, size: int) -> list[Hits]:
        found = [
            self.tracer.view(camera_towards_centre(direction, size), RAYS)
            for direction in self.placement.directions
        ]
        views = [hits for hits in found if hits is not None]
        largest = max(len(hits.pixel) for hits in views)
        return [hits for hits in views if len(hits.pixel) >= _SMALLEST_VIEW * largest]

    def _rung(self, scale: Scale, hits: list[Hits]) -> _Rung:
        """Texels, views and targets of one scale."""
        atlases = self.tracer.surface.atlases
        sizes = solving_sizes(hits, self.tracer)
        covered = [shrink_coverage(atlas.covered, size) for atlas, size in zip(atlases, sizes, strict=True)]
        texels = Texels(covered, [atlas.wrap for atlas in atlases])
        views = [View(hit, self.tracer, texels, self.device) for hit in hits]
        painting = fit_short_side(self.painting, scale.size)
        background = painting.mean((0, 2, 3))
        original = self._original(texels)
        targets = [
            self.objective.content_target(view.render(original[view.texels], background), view.mask)
            for view in views
        ]
        charts = [
            chart_of_texel(atlas.owner, self.charts, size) for atlas, size in zip(atlases, sizes, strict=True)
        ]
        style = self.objective.style_target(painting)
        return _Rung(scale, texels, views, targets, style, background, Smoothness(texels, charts))

    def _original(self, texels: Texels) -> torch.Tensor:
        """(T, 3): the colours the model has."""
        images = []
        for atlas, layout in zip(self.tracer.surface.atlases, texels.layouts, strict=True):
            start = torch.from_numpy(np.ascontiguousarray(atlas.start.transpose(2, 0, 1)))
            images.append(resize_covered(start, atlas.covered, layout.covered.shape))
        return texels.gather(images).to(self.device)

    def _start(self, rung: _Rung) -> torch.Tensor:
        """The original's colours in the painting's palette, with a little noise."""
        painting = fit_short_side(self.painting, 128)[0].flatten(1).T
        matched = match_colours(self._original(rung.texels), self._use(rung).to(self.device), painting)
        noise = torch.randn(matched.shape, generator=self._generator).to(self.device)
        return (matched + NOISE * noise).clamp(0, 1)

    def _refit(self, coarse: _Solved, fine: _Rung) -> torch.Tensor:
        """The last scale's paint at this one's resolution."""
        images = [
            resize_covered(image, before.covered, after.covered.shape)
            for image, before, after in zip(
                coarse.texels.scatter(coarse.paint.cpu()),
                coarse.texels.layouts,
                fine.texels.layouts,
                strict=True,
            )
        ]
        return fine.texels.gather(images).to(self.device)

    def _descend(self, paint: torch.Tensor, rung: _Rung, clock: Clock) -> Terms | None:
        """Adam on one scale, one view a step; `paint` (T, 3) is changed in place."""
        steps, size = rung.scale.steps, rung.scale.size
        adam = Adam(paint, BETAS)
        order: list[int] = []
        history: list[tuple[float, float, float, float]] = []
        for step in range(steps):
            order = order or self._round(len(rung.views))
            number = order.pop()
            view = rung.views[number]
            seen = paint[view.texels].requires_grad_(True)
            picture = view.render(seen, rung.background)
            terms = self.objective(picture, rung.style, rung.targets[number])
            terms.total.backward()
            assert seen.grad is not None
            loss = float(terms.total.detach())
            if self.settings.tv_weight > 0:
                value, slope = rung.smoothness(paint, view.texels)
                loss += self.settings.tv_weight * value
                seen.grad += self.settings.tv_weight * slope
            adam.step(view.texels, seen.grad, learning_rate(size, step, steps))
            history.append((loss, terms.style, terms.content, terms.structure))
            clock.tick(rung.scale, loss)
        if not history:
            return None
        return Terms(*np.mean(history[-len(rung.views) :], axis=0).tolist())

    def _round(self, views: int) -> list[int]:
        """All views once, shuffled, to be taken from the end: the even cameras come before those for crevices, so
        that a run of few steps has looked from all sides."""
        order = self._shuffle.permutation(views)
        return order[np.argsort(order < self.settings.view_count, kind="stable")].tolist()

    def _use(self, rung: _Rung) -> torch.Tensor:
        """(T,) how many pixels each texel counts for, over all views."""
        return torch.from_numpy(np.sum([view.texel_use for view in rung.views], axis=0)).float()


class Adam:
    """Adam (Kingma & Ba 2015) that touches only the rows a step has a gradient for.

    A texel that this view does not see keeps its moments and its place, instead of coasting on stale momentum;
    bias is corrected by each row's own number of steps.
    """

    def __init__(self, values: torch.Tensor, betas: tuple[float, float]) -> None:
        self._values, self._betas = values, betas
        self._mean = torch.zeros_like(values)
        self._square = torch.zeros_like(values)
        self._count = torch.zeros(len(values), 1, device=values.device)

    @torch.no_grad()
    def step(self, rows: torch.Tensor, gradient: torch.Tensor, rate: float) -> None:
        """One step on the given rows, values kept in 0..1."""
        b1, b2 = self._betas
        mean = self._mean[rows].lerp_(gradient, 1 - b1)
        square = self._square[rows].mul_(b2).addcmul_(gradient, gradient, value=1 - b2)
        count = self._count[rows] + 1
        denominator = (square / (1 - b2**count)).sqrt_().add_(1e-8)
        change = mean / (1 - b1**count) / denominator
        self._values.index_copy_(0, rows, (self._values[rows] - rate * change).clamp_(0, 1))
        self._mean.index_copy_(0, rows, mean)
        self._square.index_copy_(0, rows, square)
        self._count.index_copy_(0, rows, count)


class Clock:
    """Turns steps into progress records, with the time left judged by pixels, not by steps."""

    def __init__(self, scales: Sequence[Scale], progress: ProgressCallback) -> None:
        self._steps = sum(scale.steps for scale in scales)
        self._work = sum(scale.steps * scale.size**2 for scale in scales)
        self._progress, self._done, self._work_done, self._began = progress, 0, 0, time.monotonic()

    def tick(self, scale: Scale, loss: float) -> None:
        self._done += 1
        self._work_done += scale.size**2
        left = (time.monotonic() - self._began) * (self._work - self._work_done) / self._work_done
        self._progress(Progress("solve", self._done, self._steps, loss, left))


def learning_rate(size: int, step: int, steps: int) -> float:
    """Falls linearly to a tenth over a scale; larger where views are small and colours still have far to go."""
    return (0.08 if size <= 128 else 0.05) * (1 - 0.9 * step / max(steps, 1))


def solving_sizes(hits: Sequence[Hits], tracer: Tracer) -> list[tuple[int, int]]:
    """Per atlas, the size at which the median ray's footprint is one texel; never above the atlas' own."""
    surface = tracer.surface
    density = np.sqrt(triangle_uv_area(surface.uv) / np.maximum(tracer.area, 1e-300))
    triangle = np.concatenate([hit.triangle for hit in hits])
    width = np.concatenate([hit.distance * hit.camera.pitch / hit.side for hit in hits])
    sizes = []
    for number, atlas in enumerate(surface.atlases):
        height, columns = atlas.owner.shape
        rays = surface.atlas[triangle] == number
        share = 1.0
        if rays.any():
            footprint = np.median(width[rays] * density[triangle[rays]]) * np.sqrt(height * columns)
            share = min(1.0, DENSITY / max(float(footprint), 1e-6))
        sizes.append((_round_size(height, share), _round_size(columns, share)))
    return sizes


def _round_size(full: int, share: float) -> int:
    if share >= 1.0:
        return full
    return min(full, max(_TEXTURE_STEP * 2, round(full * share / _TEXTURE_STEP) * _TEXTURE_STEP))


def shrink_coverage(covered: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Which texels of a smaller atlas the surface touches."""
    if covered.shape == tuple(size):
        return covered
    mask = torch.from_numpy(covered.astype(np.float32))[None, None]
    return (F.adaptive_max_pool2d(mask, size)[0, 0] > 0).numpy()


def resize_covered(
    texture: Texture, covered: np.ndarray, size: tuple[int, int]
) -> Float[torch.Tensor, "3 h w"]:
    """Resize an atlas so that only covered texels count: nothing from between the charts bleeds in."""
    height, width = covered.shape
    nearest = torch.from_numpy(nearest_covered(covered))
    filled = texture.reshape(3, -1)[:, nearest].reshape(3, height, width)
    if (height, width) == tuple(size):
        return filled
    if size[0] > height or size[1] > width:
        return F.interpolate(filled[None], size=size, mode="bilinear", align_corners=False)[0]
    mask = torch.from_numpy(covered.astype(np.float32))
    weight = F.adaptive_avg_pool2d(mask[None, None], size)
    mean = F.adaptive_avg_pool2d((filled * mask)[None], size) / weight.clamp_min(1e-6)
    return torch.where(weight > 0, mean, F.adaptive_avg_pool2d(filled[None], size))[0]


def chart_of_triangle(uv: np.ndarray, atlas: np.ndarray) -> np.ndarray:
    """Chart number of each triangle: triangles that share a UV corner (in one atlas) are of one chart."""
    count = len(uv)
    if not count:
        return np.zeros(0, np.int64)
    keys = np.concatenate([np.nan_to_num(uv), np.broadcast_to(atlas[:, None, None], (count, 3, 1))], -1)
    _, corner = np.unique(np.round(keys.reshape(-1, 3), 7), axis=0, return_inverse=True)
    nodes = int(corner.max()) + 1
    links = scipy.sparse.coo_matrix(
        (np.ones(3 * count, bool), (np.repeat(np.arange(count), 3), corner.reshape(-1) + count)),
        shape=(count + nodes, count + nodes),
    )
    return scipy.sparse.csgraph.connected_components(links, directed=False)[1][:count]


def chart_of_texel(owner: np.ndarray, charts: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(h, w) chart number of each texel at a smaller atlas' resolution, -1 where nothing is."""
    rows = ((np.arange(size[0]) + 0.5) * owner.shape[0] / size[0]).astype(int)
    columns = ((np.arange(size[1]) + 0.5) * owner.shape[1] / size[1]).astype(int)
    small = owner[rows[:, None], columns[None]]
    return np.where(small >= 0, charts[small], -1)
