"""The whole views once more after close-ups: what they see, what they change, and that it is for the better."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_close_ups import WRAP, rand, traced, two_sides
from test_views import CPU, make_surface, quad

from meshstyle.bake.upsample import upsample
from meshstyle.progress import ignore
from meshstyle.settings import Scale, Settings
from meshstyle.solver.descent import Clock
from meshstyle.solver.far_look import FarProblem, FarViews, blurred, give_change
from meshstyle.solver.ladder import Solved
from meshstyle.solver.texture_solver import TextureSolver
from meshstyle.solver.vgg import VGG19
from meshstyle.solver.weights import load_weights
from meshstyle.views.canvas import Canvas
from meshstyle.views.far_sampling import FarPaint
from meshstyle.views.looks import looks_at
from meshstyle.views.products import gather
from meshstyle.views.sampling import Lookup, Texels
from meshstyle.views.scales import TracedViews
from meshstyle.views.tracing import Tracer
from meshstyle.views.view import View

FINE, COARSE = 256, 64


def canvas_of(image: np.ndarray) -> Canvas:
    return Canvas([image.astype(np.float16)], [np.ones(image.shape[:2], bool)], [WRAP])


def smooth_paint(seed: int) -> np.ndarray:
    """(64, 64, 3): blotches far larger than texels."""
    blotches = rand(6, 6, 3, seed=seed).numpy()
    return upsample(blotches, np.ones((6, 6), bool), (COARSE, COARSE), WRAP)


def enlarged(image: np.ndarray) -> np.ndarray:
    return upsample(image, np.ones(image.shape[:2], bool), (FINE, FINE), WRAP)


def test_a_canvas_from_afar_is_what_it_was_enlarged_from() -> None:
    """And fine stripes on it are grey there, not stripes."""
    tracer = Tracer(make_surface(*quad(), size=(FINE, FINE)))
    hits = traced(tracer, 64)
    texels = Texels([np.ones((COARSE, COARSE), bool)], [WRAP])
    coarse = smooth_paint(1)
    view = View(Lookup(hits, tracer, texels), CPU)
    paint = gather(texels, [torch.from_numpy(coarse).permute(2, 0, 1)])
    wanted = view.sample(paint[view.texels]).numpy()
    assert np.abs(FarPaint(canvas_of(enlarged(coarse)), tracer)(hits) - wanted).max() < 0.02
    striped = enlarged(coarse) * 0.5
    striped[:, ::2] += 0.4
    assert np.abs(FarPaint(canvas_of(striped), tracer)(hits) - (0.5 * wanted + 0.2)).max() < 0.02


def test_a_canvas_gets_the_change_and_keeps_its_detail() -> None:
    texels = Texels([np.ones((COARSE, COARSE), bool)], [WRAP])
    before = gather(texels, [torch.from_numpy(smooth_paint(1)).permute(2, 0, 1) * 0.5 + 0.2])
    detail = 0.05 * np.random.default_rng(0).standard_normal((FINE, FINE, 3))
    fine = enlarged(smooth_paint(1) * 0.5 + 0.2) + detail
    canvas = canvas_of(fine)
    change = torch.tensor([0.1, 0, -0.05])
    give_change(canvas, texels, before, before + change)
    assert np.abs(canvas.images[0] - (fine + change.numpy())).max() < 2e-3  # half precision
    give_change(canvas, texels, before, before + 5)
    assert float(canvas.images[0].max()) == 1


def test_only_covered_texels_are_blurred_into_each_other() -> None:
    image = torch.zeros(1, 3, 4)
    image[0, 1, 1] = 1
    image[0, 1, 3] = 100
    covered = torch.tensor([[True] * 4, [True, True, True, False], [True] * 4])
    found = blurred(image.expand(3, -1, -1), covered)[2]
    assert float(found[1, 1]) == pytest.approx(4 / 16)
    assert float(found[0, 0]) == pytest.approx(1 / 9)  # outside there is nothing
    assert float(found[1, 2]) == pytest.approx(2 / 14)  # without the one on the right, which would count 2


@pytest.fixture(scope="module")
def solver() -> TextureSolver:
    painting = torch.zeros(1, 3, 96, 96)
    painting[:, 0] = 0.9
    painting[:, 2, ::6] = 0.8
    tracer = Tracer(make_surface(*quad(), size=(FINE, FINE)))
    settings = Settings(structure_weight=0.0, content_weight=0.0)
    return TextureSolver(tracer, two_sides(), painting, VGG19(load_weights()), settings)


def far_problem(solver: TextureSolver, canvas: Canvas, solved: Solved) -> FarProblem:
    rung = solver._rung(Scale(48, 1), TracedViews([], [], solved.texels, []))
    views = FarViews(solver.tracer, solved.looks, rung, solver.objective, None)
    return FarProblem(solver.problem(rung, solved), canvas, views)


def solved_and_canvas() -> tuple[Solved, Canvas]:
    """Smooth paint, and a canvas that has noise on top."""
    texels = Texels([np.ones((COARSE, COARSE), bool)], [WRAP])
    paint = gather(texels, [torch.from_numpy(smooth_paint(1)).permute(2, 0, 1)])
    noise = 0.2 * np.random.default_rng(0).standard_normal((FINE, FINE, 3))
    canvas = canvas_of(np.clip(enlarged(smooth_paint(1)) + noise, 0, 1))
    return Solved(texels, paint, torch.ones(len(paint)), looks_at(two_sides(), 48)), canvas


def test_the_slope_is_the_derivative_of_what_is_seen(solver: TextureSolver) -> None:
    solved, canvas = solved_and_canvas()
    problem = far_problem(solver, canvas, solved)
    problem.values.copy_(0.3 + 0.4 * problem.values)  # away from the borders of the box
    found = problem.slope(1)
    way = found.gradient / found.gradient.norm() * 0.3
    ends = []
    for sign in (1, -1):
        problem.values.index_add_(0, found.rows, sign * way)
        ends.append(problem.slope(1).terms.total)
        problem.values.index_add_(0, found.rows, -sign * way)
    assert (ends[0] - ends[1]) / 0.6 == pytest.approx(float(found.gradient.norm()), rel=0.03)


def test_another_look_is_for_the_better(solver: TextureSolver) -> None:
    """The canvas, looked at anew, is nearer to the painting from both sides."""
    solved, canvas = solved_and_canvas()
    before = [far_problem(solver, canvas, solved).slope(n).terms.style for n in (0, 1)]
    fine = canvas.images[0].astype(np.float32)
    scale = Scale(48, 8)
    terms = solver.look_again(canvas, solved, scale, Clock([scale], ignore))
    assert terms is not None
    change = canvas.images[0].astype(np.float32) - fine
    assert np.abs(change).mean() > 0.01
    # The paint from afar is now solved.paint + what it has changed by, which the canvas holds.
    small = torch.from_numpy(change.reshape(COARSE, 4, COARSE, 4, 3).mean((1, 3))).permute(2, 0, 1)
    moved = Solved(solved.texels, solved.paint + gather(solved.texels, [small]), solved.use, solved.looks)
    after = [far_problem(solver, canvas, moved).slope(n).terms.style for n in (0, 1)]
    assert sum(after) < 0.8 * sum(before)
