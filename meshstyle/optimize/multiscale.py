"""Coarse to fine, whatever is solved: the loop over scales that both solvers share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Float32

from ..config.model import PRESETS, Scale, Settings
from ..progress import Progress, ProgressCallback
from ..style.areas import Areas
from ..style.color_statistics import Colours
from ..style.network import own_kernels
from ..style.objective import LossWeights, resize
from ..style.vgg import VGG19
from ..style.view_objective import ViewObjective
from ..system.device import give_back_memory
from ..views.placement import Placement
from ..views.raytrace import Tracer
from ..views.sampling_matrix import TexelTable
from ..views.sparse_product import gather, scatter
from ..views.trace_views import Trace, TracedViews, texels_at, trace_views
from ..views.training_views import TrainingView, make_training_views, numbers_of, whole_views
from .clock import Clock, views_to_measure
from .init import starting_areas, starting_colours
from .level import Level, bare_level, build_level
from .loop import Problem, Schedule, Terms, run_coarse_to_fine
from .resolution import resize_covered
from .windows import WindowScale, plan_windows

_FELT = 0.05  # α³/β; at 0.001 the judged figures are the same to three digits with and without, at 0.1 nobody sees it
_CONTENT_POWER, _MOST_CONTENT = (
    3,
    1e12,
)  # of α as it is set: a touch at 1, as much as the style's default at 10
_LOOKS = 1.4  # steps for each view, on every scale, at the least, of models that need many views
_USED = 0.005  # pixels that a texel must have counted for to be called seen


@dataclass(frozen=True)
class ViewsReport:
    """How well the views of the view solver agree, and what baking them into one texture costs.

    Attributes:
        rmse_to_baked: between the views' paint and the baked texture seen from there, sRGB 0..1.
        rmse_between: of one surface point's paint in two views, before the bake (exact reprojection with a
            visibility test).
        rmse_between_baked: the same after the bake: what sampling alone costs.
        style_loss: mean over the views, before the bake.
        style_loss_baked: mean over the same views of the baked texture.
    """

    rmse_to_baked: float
    rmse_between: float
    rmse_between_baked: float
    style_loss: float
    style_loss_baked: float


@dataclass(frozen=True, eq=False)
class Solution:
    """The painted texels at the resolution they were solved at.

    Attributes:
        textures: per atlas, sRGB 0..1.
        covered: per atlas, the texels the surface touches at that resolution.
        seen: per atlas, the texels that some whole view or collage really used, at the resolution of those.
        terms: loss terms at the end, or None if no step was made.
        views: how many views were used.
        interrupted: whether it was stopped early.
        agreement: of the views, where they were solved for.
        close_ups: how many windows beside them showed detail.
    """

    textures: tuple[Float[torch.Tensor, "3 _ _"], ...]
    covered: tuple[np.ndarray, ...]
    seen: tuple[np.ndarray, ...]
    terms: Terms | None
    views: int
    interrupted: bool
    agreement: ViewsReport | None = None
    close_ups: int = 0

    def paint(self) -> Iterator[tuple[Float32[np.ndarray, "_ _ 3"], np.ndarray]]:
        """Per atlas, and the texels that the surface touches at that resolution."""
        for texture, covered in zip(self.textures, self.covered, strict=True):
            yield texture.permute(1, 2, 0).contiguous().numpy(), covered


@dataclass(frozen=True, eq=False)
class Solved:
    """A scale's result: `paint` (T, 3) sRGB 0..1; `use` (T,): pixels that each texel counts for; `looks`: what the
    views showed."""

    texels: TexelTable
    paint: torch.Tensor
    use: torch.Tensor
    looks: list[TrainingView]


class _Watched:
    """Adds to the records of a run a way to look at the paint."""

    def __init__(self, progress: ProgressCallback) -> None:
        self.progress = progress
        self.look: Callable[[], Sequence[np.ndarray]] | None = None

    def __call__(self, record: Progress) -> None:
        self.progress(replace(record, paint=self.look))


P = TypeVar("P", bound=Problem)
S = TypeVar("S", bound=Solved)


class MultiscaleSolver(ABC, Generic[P, S]):
    """Paints the atlases of a surface. Deterministic for a seed, a machine and a thread count."""

    wants_geometry = False

    def __init__(
        self,
        tracer: Tracer,
        placement: Placement,
        painting: torch.Tensor,
        network: VGG19,
        settings: Settings,
        start: torch.Tensor | None = None,
        colours: Colours | None = None,
        trace: Trace | None = None,
        areas: Areas | None = None,
    ) -> None:
        """`painting`: (1, 3, H, W) sRGB 0..1, on the network's device; `start`: likewise, to begin with.
        `colours`: what a colour-matched start takes the original's colours to be; None: the model's own.
        `trace`: where the views come from; None: they are traced when they are needed.
        `areas`: where several styles count; None: the painting is everything."""
        self._areas = areas
        self.tracer, self.placement, self.painting, self.settings = tracer, placement, painting, settings
        whole = settings.whole_views
        self._looks = partial(make_training_views, placement, whole=whole)
        self._trace = trace or partial(
            trace_views, tracer, placement, compiled=settings.compiled, whole=whole
        )
        self._network = network
        self._kernels = own_kernels(settings, painting.device)
        self._objectives: dict[float, ViewObjective] = {}
        self.objective = self._objective(settings.scales[0])
        self._given, self._colours = start, colours
        self._windows = plan_windows(tracer, placement, settings)
        self._generator = torch.Generator().manual_seed(settings.seed % 2**63)
        self._shuffle = np.random.default_rng(settings.seed)

    def solve(self, progress: ProgressCallback) -> Solution:
        """Run all scales. KeyboardInterrupt ends it early with the best so far, once there is any."""
        level: Level | None = None
        solved: S | None = None
        seen: tuple[np.ndarray, ...] = ()
        views = 0
        agreement: ViewsReport | None = None
        watched = _Watched(progress)

        def begin(scale: Scale) -> P:
            nonlocal level
            progress(Progress("trace"))
            if isinstance(scale, WindowScale):
                assert solved is not None
                give_back_memory()  # of the whole views: windows need little, but for long
                level = bare_level(scale, self._texels(scale.share), self.painting, self._areas)
                problem = self.windows(scale, level, solved)
            else:
                self.objective = self._objective(scale)
                level = self._level(scale, self._trace(scale.size))
                problem = self.problem(level, solved)
            watched.look = partial(self._images, level, problem)
            return problem

        def settle(problem: P, last: bool) -> None:
            nonlocal level, solved, agreement, seen, views
            assert level is not None
            solved, agreement = self.settle(level, problem, last)
            if not isinstance(level.scale, WindowScale):
                seen, views = _seen(solved), len(numbers_of(solved.looks))
            level = watched.look = None  # the next scale's views need the room

        scales = (*self._scales(), *self._windows)
        way = Schedule(scales, self.settings.optimizer_used, self._shuffle, watched, self._kernels)
        terms, interrupted = run_coarse_to_fine(way, begin, settle, self._clock(scales, watched))
        assert solved is not None
        windows = sum(len(scale.close_ups.cameras) for scale in self._windows)
        return Solution(
            textures=tuple(scatter(solved.texels, solved.paint.cpu())),
            covered=tuple(layout.covered for layout in solved.texels.layouts),
            seen=seen,
            terms=terms,
            views=views,
            interrupted=interrupted,
            agreement=agreement,
            close_ups=windows,
        )

    def _clock(self, scales: Sequence[Scale], progress: ProgressCallback) -> Clock:
        steps = sum(scale.steps for scale in self.settings.scales)
        return Clock(scales, progress, len(self.placement.directions), views_to_measure(steps))

    def _texels(self, share: float) -> TexelTable:
        """Make the table of texels of all atlases, at that share of their own size."""
        shapes = (atlas.owner.shape for atlas in self.tracer.surface.atlases)
        sizes = [(max(8, round(rows * share)), max(8, round(columns * share))) for rows, columns in shapes]
        return texels_at(self.tracer, sizes)

    def _scales(self) -> tuple[Scale, ...]:
        """The preset's, with more steps where there are more pictures than it reckons with and a step looks at one:
        collages add to the work what they add to the pictures; of very many views each is looked at less often."""
        scales, settings = self.settings.scales, self.settings
        reckoned = PRESETS[settings.preset].views
        one_view_a_step = settings.optimizer_used == "adam" and settings.solver == "texture"
        if settings.iterations is not None or not one_view_a_step:
            return scales
        found = []
        for scale in scales:
            looks = self._looks(scale.size)
            each = max(scale.steps / max(whole_views(looks), reckoned), min(_LOOKS, scale.steps / reckoned))
            found.append(replace(scale, steps=max(scale.steps, math.ceil(each * len(looks)))))
        return tuple(found)

    def _objective(self, scale: Scale) -> ViewObjective:
        """Content is held on the coarsest scale, where it is cheap and the composition is set; on the others only where
        its weight is felt, since its targets take a look at every view first."""
        settings = self.settings
        weight = min(settings.content_weight**_CONTENT_POWER, _MOST_CONTENT)
        felt = weight >= _FELT * settings.style_weight or scale.size == settings.scales[0].size
        content = weight if felt else 0.0
        if (
            content not in self._objectives
        ):  # what it knows of the painting at one size serves other scales too
            weights = LossWeights(content, settings.style_weight, settings.structure_used, settings.strength)
            self._objectives[content] = ViewObjective(
                self._network, self.painting, weights, settings.style_scale, self._areas
            )
        return self._objectives[content]

    def paint_to_begin_with(self, level: Level, before: Solved | None) -> torch.Tensor:
        """(T, 3): the last scale's, or the start that was asked for."""
        if before is not None:
            return level.refit(before.paint, before.texels)
        strength: float | torch.Tensor = self.settings.strength
        if self._areas is not None:
            strengths = [area.strength if area.paintings else 0.0 for area in self._areas.areas]
            strength = strengths[0]
            if self._areas.weights and level.areas is not None:
                strength = (level.areas[:, : len(strengths)] @ level.areas.new_tensor(strengths))[:, None]
        return torch.lerp(level.original, self._start(level), strength)

    def _start(self, level: Level) -> torch.Tensor:
        if self._given is None:
            choice, use = self.settings.init, level.use()
            if self._areas is not None:
                rows = level.areas if self._areas.weights else None
                return starting_areas(
                    choice, level.original, use, self._areas, rows, self._generator, self._colours
                )
            return starting_colours(
                choice, level.original, use, self.painting, self._generator, self._colours
            )
        sizes = [layout.covered.shape for layout in level.texels.layouts]
        given = [resize(self._given.cpu(), size)[0] for size in sizes]
        return gather(level.texels, given).to(level.original.device)

    @abstractmethod
    def problem(self, level: Level, before: S | None) -> P:
        """What is to be solved at a scale; `before`: the last scale's result."""

    def windows(self, scale: WindowScale, level: Level, before: S) -> P:
        """What is to be solved in windows, where a solver has any."""
        raise NotImplementedError

    @abstractmethod
    def settle(self, level: Level, problem: P, last: bool) -> tuple[S, ViewsReport | None]:
        """What a scale has come to. `last`: it is what will be baked."""

    def _images(self, level: Level, problem: P) -> list[Float[np.ndarray, "_ _ 3"]]:
        """The paint as it stands. What is between the charts is filled from them, so that any renderer may filter."""
        solved, _ = self.settle(level, problem, last=False)
        covered = [layout.covered for layout in solved.texels.layouts]
        return [
            resize_covered(image, mask, mask.shape).permute(1, 2, 0).contiguous().numpy()
            for image, mask in zip(scatter(solved.texels, solved.paint.cpu()), covered, strict=True)
        ]

    def _level(self, scale: Scale, traced: TracedViews) -> Level:
        return build_level(scale, self.tracer, traced, self.objective, self.painting, self.wants_geometry)


def _seen(solved: Solved) -> tuple[np.ndarray, ...]:
    """Per atlas, the texels that views used."""
    return tuple(image[0].numpy() > _USED for image in scatter(solved.texels, solved.use[:, None]))
