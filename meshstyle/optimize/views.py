"""The view solver: the unknowns are the views, held together by a loss, then projected back (docs/solvers.md).

    L = mean over views of (α·content + β·style + σ·structure) + γ·Σ m ‖I − render(bake(I))‖² / Σ m

A view's unknown is the paint in its pixels, before the headlight, which is known: two views can then agree. All
views take part in every step; they are looked at one after the other, so that memory is that of one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float

from ..config.model import Scale
from ..style.view_objective import ViewObjective
from ..views.back_projection import BackProjection, Consistency, PixelGeometry
from ..views.reprojection import Shown, disagreement
from ..views.sampling_matrix import nearest_covered
from ..views.training_views import numbers_of
from .level import Level
from .loop import Gradient, Terms, in_rounds, mean_terms
from .multiscale import MultiscaleSolver, Solved, ViewsReport
from .total_variation import Smoothness, neighbouring

PASSES = 3  # of the back-projection whose render holds the views together
BAKE_PASSES = 6  # of the last one: the texture must show what the views show
BAKE_SHARPNESS = 8.0  # power of its weights: nearly the best view of each texel, feathered
_NEIGHBOURS = math.cos(math.radians(60))  # views whose directions are closer than this are compared

Paint = Float[torch.Tensor, "P 3"]


class ViewProblem:
    """The paint of all views at one scale; there is one part, which is everything (see `optimize.loop.Problem`)."""

    parts, even = 1, 1

    def __init__(
        self,
        values: Paint,
        level: Level,
        objective: ViewObjective,
        smoothness: Smoothness,
        consistency: tuple[float, Consistency],
    ) -> None:
        """`consistency`: γ and the loss."""
        self.values = values
        self._level, self._objective, self._smoothness = level, objective, smoothness
        self._gamma, self._consistency = consistency
        self._rows = torch.arange(len(values), device=values.device)

    def order(self, scale: Scale, shuffle: np.random.Generator) -> Iterator[tuple[int, float]]:
        """The one part, at a rate that falls."""
        return in_rounds(self.parts, self.even, scale, shuffle)

    def gradient(self, part: int) -> Gradient:
        """Return the gradient of the whole objective in all pixels."""
        found = [self._view(number, seen) for number, seen in enumerate(split(self.values, self._level))]
        terms = mean_terms([terms for _, terms in found])
        gradient = torch.cat([gradient for gradient, _ in found]) / len(found)
        value, slope = self._consistency(self.values)
        gradient += self._gamma * slope
        terms = replace(terms, total=terms.total + self._gamma * value, consistency=value)
        smooth, slope = self._smoothness(self.values, self._rows)
        gradient += slope
        return Gradient(self._rows, gradient, replace(terms, total=terms.total + float(smooth)))

    def _view(self, number: int, paint: Paint) -> tuple[Paint, Terms]:
        """Gradient and terms of one view's own losses."""
        level = self._level
        leaf = paint.detach().clone().requires_grad_(True)
        lit, bare = level.views[number].pictures(leaf, level.background)
        found = self._objective(lit, bare, level.targets[number])
        found.total.backward()
        assert leaf.grad is not None
        return leaf.grad, Terms(*found.fetch())


@dataclass(frozen=True, eq=False)
class SolvedViews(Solved):
    """And the views' own pictures, by the number of their direction: (3, H, W), filled beyond the silhouette."""

    pictures: dict[int, tuple[PixelGeometry, Float[torch.Tensor, "3 _ _"]]]


class ViewSolver(MultiscaleSolver[ViewProblem, SolvedViews]):
    """Solves for the pictures of all views at once."""

    wants_geometry = True

    def problem(self, level: Level, before: SolvedViews | None) -> ViewProblem:
        texels = self.paint_to_begin_with(level, before)
        paint = torch.cat([view.sample(texels[view.texels]) for view in level.views])
        if before is not None:
            paint = self._carried(level, before, paint)
        coverage = torch.cat([view.pixel_coverage for view in level.views])
        consistency = Consistency(_projection(level, 1.0, PASSES), coverage)
        neighbours, tau = _neighbours_in_views(level), self.settings.tv_weight
        smoothness = Smoothness(neighbours, tau, paint.device, level.colour, self._kernels)
        gamma = self.settings.consistency
        return ViewProblem(paint.clamp(0, 1), level, self.objective, smoothness, (gamma, consistency))

    def settle(
        self, level: Level, problem: ViewProblem, last: bool
    ) -> tuple[SolvedViews, ViewsReport | None]:
        projection = _projection(level, BAKE_SHARPNESS, BAKE_PASSES)
        texels = projection.bake(problem.values).clamp(0, 1)
        parts = split(problem.values, level)
        pictures = {
            number: (geometry, _filled(paint.cpu(), geometry))
            for number, geometry, paint in zip(numbers_of(level.looks), level.geometry, parts, strict=True)
        }
        solved = SolvedViews(level.texels, texels, level.use().cpu(), level.looks, pictures)
        return solved, self._report(level, problem, projection.render(texels)) if last else None

    def _carried(self, level: Level, before: SolvedViews, paint: Paint) -> Paint:
        """The last scale's pictures in this one's pixels; `paint` where a view is new."""
        parts = split(paint, level)
        for index, (number, geometry) in enumerate(zip(numbers_of(level.looks), level.geometry, strict=True)):
            if number in before.pictures:
                parts[index] = _resampled(*before.pictures[number], geometry).to(paint.device)
        return torch.cat(parts)

    def _report(self, level: Level, problem: ViewProblem, baked: Paint) -> ViewsReport:
        coverage = torch.cat([view.pixel_coverage for view in level.views])
        off = ((problem.values - baked) ** 2 * coverage).sum() / coverage.sum() / 3
        return ViewsReport(
            rmse_to_baked=float(off) ** 0.5,
            rmse_between=self._between(level, problem.values),
            rmse_between_baked=self._between(level, baked),
            style_loss=self._style(level, problem.values),
            style_loss_baked=self._style(level, baked),
        )

    @torch.no_grad()
    def _style(self, level: Level, paint: Paint) -> float:
        losses = [
            self.objective(*view.pictures(seen, level.background), target).style
            for view, seen, target in zip(level.views, split(paint, level), level.targets, strict=True)
        ]
        return float(np.mean(losses))

    def _between(self, level: Level, paint: Paint) -> float:
        """RMSE of one surface point's paint in two neighbouring views."""
        shown = [
            _shown(geometry, view.mask, seen)
            for geometry, view, seen in zip(level.geometry, level.views, split(paint, level), strict=True)
        ]
        directions = self.placement.directions[numbers_of(level.looks)]
        near = directions @ directions.T > _NEIGHBOURS
        total, count = 0.0, 0
        for one, other in np.argwhere(near & ~np.eye(len(near), dtype=bool)):
            squared = disagreement(shown[one], shown[other], self.tracer)
            total, count = total + float(squared.sum()), count + len(squared)
        return math.sqrt(total / count / 3) if count else 0.0


def split(paint: Paint, level: Level) -> list[Float[torch.Tensor, "_ 3"]]:
    """The rows of each view."""
    return list(paint.split([len(view.pixels) for view in level.views]))


def _projection(level: Level, sharpness: float, passes: int) -> BackProjection:
    weights = [geometry.weight(sharpness) for geometry in level.geometry]
    return BackProjection(level.views, weights, level.texels.count, passes)


def _neighbours_in_views(level: Level) -> np.ndarray:
    """Per pixel of all views, the rows of the four beside it, its own where there is none."""
    found, first = [], 0
    for geometry in level.geometry:
        rows = np.zeros(geometry.shape, np.int64)
        rows.reshape(-1)[geometry.pixels] = np.arange(len(geometry.pixels)) + first
        covered = np.zeros(geometry.shape, bool)
        covered.reshape(-1)[geometry.pixels] = True
        found.append(neighbouring(rows, covered, np.zeros(geometry.shape, np.int64)))
        first += len(geometry.pixels)
    return np.concatenate(found)


def _filled(paint: Paint, geometry: PixelGeometry) -> Float[torch.Tensor, "3 H W"]:
    """A view's paint as a picture; beyond the silhouette each pixel takes the nearest one's."""
    covered = np.zeros(geometry.shape, bool)
    covered.reshape(-1)[geometry.pixels] = True
    picture = torch.zeros(covered.size, 3)
    picture[torch.from_numpy(geometry.pixels)] = paint
    nearest = torch.from_numpy(nearest_covered(covered))
    return picture[nearest].T.reshape(3, *geometry.shape).contiguous()


def _resampled(old: PixelGeometry, picture: Float[torch.Tensor, "3 H W"], new: PixelGeometry) -> Paint:
    """A picture in the pixels of a view from the same place with another pitch; bilinear."""
    rows, columns = np.divmod(new.pixels, new.shape[1])
    ratio = new.camera.pitch / old.camera.pitch
    grid = []
    for place, axis in ((columns, 1), (rows, 0)):
        centre = (place + new.corner[axis] + 0.5) * ratio - old.corner[axis]
        grid.append(torch.from_numpy(2 * centre / old.shape[axis] - 1).float())
    points = torch.stack(grid, -1)[None, None]
    found = F.grid_sample(picture[None], points, mode="bilinear", padding_mode="border", align_corners=False)
    return found[0, :, 0].T.contiguous()


def _shown(geometry: PixelGeometry, mask: torch.Tensor, paint: Paint) -> Shown:
    colour = np.zeros((geometry.shape[0] * geometry.shape[1], 3), np.float32)
    colour[geometry.pixels] = paint.detach().cpu().numpy()
    return Shown(
        geometry.camera, geometry.corner, colour.reshape(*geometry.shape, 3), mask[0, 0].cpu().numpy()
    )
