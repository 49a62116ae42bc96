"""Coarse to fine, whatever is solved: the loop over scales that both solvers share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

import numpy as np
import torch
from jaxtyping import Float

from ..progress import Progress, ProgressCallback
from ..settings import Scale, Settings
from ..views.placement import Placement
from ..views.sampling import Texels
from ..views.tracing import Tracer
from .descent import Problem, Terms, Way, climb
from .objective import LossWeights, Objective, resize
from .resolution import resize_covered
from .rung import Rung, build_rung
from .starts import starting_colours
from .statistics import Colours
from .vgg import VGG19

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
        seen: per atlas, the texels that some view really used.
        terms: loss terms at the end, or None if no step was made.
        views: how many views were used.
        interrupted: whether it was stopped early.
        agreement: of the views, where they were solved for.
    """

    textures: tuple[Float[torch.Tensor, "3 _ _"], ...]
    covered: tuple[np.ndarray, ...]
    seen: tuple[np.ndarray, ...]
    terms: Terms | None
    views: int
    interrupted: bool
    agreement: ViewsReport | None = None


@dataclass(frozen=True, eq=False)
class Solved:
    """A scale's result: `paint` (T, 3) sRGB 0..1; `use` (T,): pixels that each texel counts for."""

    texels: Texels
    paint: torch.Tensor
    use: torch.Tensor
    views: int


class _Watched:
    """Adds to the records of a run a way to look at the paint."""

    def __init__(self, progress: ProgressCallback) -> None:
        self.progress = progress
        self.look: Callable[[], Sequence[np.ndarray]] | None = None

    def __call__(self, record: Progress) -> None:
        self.progress(replace(record, paint=self.look))


P = TypeVar("P", bound=Problem)
S = TypeVar("S", bound=Solved)


class Ladder(ABC, Generic[P, S]):
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
    ) -> None:
        """`painting`: (1, 3, H, W) sRGB 0..1, on the network's device; `start`: likewise, to begin with.
        `colours`: what a colour-matched start takes the original's colours to be; None: the model's own."""
        self.tracer, self.placement, self.painting, self.settings = tracer, placement, painting, settings
        weights = LossWeights(
            settings.content_weight, settings.style_weight, settings.structure_weight, settings.strength
        )
        # relu4_1 is already there for the style: content on it costs nothing (design, section 3).
        self.objective = Objective(network, weights, content_layers=("relu4_1",))
        self._given, self._colours = start, colours
        self._generator = torch.Generator().manual_seed(settings.seed % 2**63)
        self._shuffle = np.random.default_rng(settings.seed)

    def solve(self, progress: ProgressCallback) -> Solution:
        """Run all scales. KeyboardInterrupt ends it early with the best so far, once there is any."""
        rung: Rung | None = None
        solved: S | None = None
        agreement: ViewsReport | None = None
        watched = _Watched(progress)

        def begin(scale: Scale) -> P:
            nonlocal rung
            progress(Progress("trace"))
            rung = self._rung(scale)
            problem = self.problem(rung, solved)
            watched.look = partial(self._images, rung, problem)
            return problem

        def settle(problem: P, last: bool) -> None:
            nonlocal rung, solved, agreement
            assert rung is not None
            solved, agreement = self.settle(rung, problem, last)
            rung = watched.look = None  # the next scale's views need the room

        way = Way(self.settings.scales, self.settings.optimizer_used, self._shuffle, watched)
        terms, interrupted = climb(way, begin, settle)
        assert solved is not None
        return self._solution(solved, terms, interrupted, agreement)

    def paint_to_begin_with(self, rung: Rung, before: Solved | None) -> torch.Tensor:
        """(T, 3): the last scale's, or the start that was asked for."""
        if before is not None:
            return rung.refit(before.paint, before.texels)
        return torch.lerp(rung.original, self._start(rung), self.settings.strength)

    def _start(self, rung: Rung) -> torch.Tensor:
        if self._given is None:
            choice, use = self.settings.init, rung.use()
            return starting_colours(choice, rung.original, use, self.painting, self._generator, self._colours)
        sizes = [layout.covered.shape for layout in rung.texels.layouts]
        given = [resize(self._given.cpu(), size)[0] for size in sizes]
        return rung.texels.gather(given).to(rung.original.device)

    @abstractmethod
    def problem(self, rung: Rung, before: S | None) -> P:
        """What is to be solved at a scale; `before`: the last scale's result."""

    @abstractmethod
    def settle(self, rung: Rung, problem: P, last: bool) -> tuple[S, ViewsReport | None]:
        """What a scale has come to. `last`: it is what will be baked."""

    def _images(self, rung: Rung, problem: P) -> list[Float[np.ndarray, "_ _ 3"]]:
        """The paint as it stands. What is between the charts is filled from them, so that any renderer may filter."""
        solved, _ = self.settle(rung, problem, last=False)
        covered = [layout.covered for layout in solved.texels.layouts]
        return [
            resize_covered(image, mask, mask.shape).permute(1, 2, 0).contiguous().numpy()
            for image, mask in zip(solved.texels.scatter(solved.paint.cpu()), covered, strict=True)
        ]

    def _rung(self, scale: Scale) -> Rung:
        return build_rung(
            scale,
            self.tracer,
            self.placement,
            self.objective,
            self.painting,
            self.settings.style_scale,
            self.wants_geometry,
        )

    def _solution(
        self, solved: Solved, terms: Terms | None, interrupted: bool, agreement: ViewsReport | None
    ) -> Solution:
        texels = solved.texels
        return Solution(
            textures=tuple(texels.scatter(solved.paint.cpu())),
            covered=tuple(layout.covered for layout in texels.layouts),
            seen=tuple(image[0].numpy() > _USED for image in texels.scatter(solved.use[:, None])),
            terms=terms,
            views=solved.views,
            interrupted=interrupted,
            agreement=agreement,
        )
