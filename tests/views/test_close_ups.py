"""Windows: where they look, what they are asked for, and that they add up to a texture."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from helpers.gradients import check_against_differences
from helpers.quads import rand
from helpers.surfaces import CPU, front, make_surface, quad

from meshstyle.config.model import Detail, Scale, Settings
from meshstyle.errors import UsageError
from meshstyle.io.types import Wrap
from meshstyle.optimize.loop import Clock, descend
from meshstyle.optimize.multiscale import Solution
from meshstyle.optimize.texture import TextureProblem, TextureSolver
from meshstyle.optimize.total_variation import Smoothness
from meshstyle.optimize.windows import Windows, WindowScale, freedom, plan_windows
from meshstyle.progress import Progress, ProgressCallback, ignore
from meshstyle.style.local_style import LocalStyle, given
from meshstyle.style.objective import LossWeights, Objective
from meshstyle.style.vgg import VGG19
from meshstyle.style.view_objective import ViewObjective
from meshstyle.texture.upsample import upsample
from meshstyle.views.cameras import Camera, camera_towards_centre
from meshstyle.views.close_ups import MARGIN, CloseUps, place_close_ups
from meshstyle.views.placement import Placement
from meshstyle.views.raytrace import Tracer
from meshstyle.views.sampling_matrix import SamplingMatrix, TexelTable
from meshstyle.views.view import AMBIENT, HEADLIGHT, View

WRAP = (Wrap.REPEAT, Wrap.REPEAT)
BLACK = torch.zeros(3)


def two_sides() -> Placement:
    return Placement(np.array([[0.0, 0, 1], [0, 0, -1]]), 1.0, 1.0)


def test_windows_own_all_of_the_surface_at_the_zoom_asked_for() -> None:
    tracer = Tracer(make_surface(*quad(), size=(256, 256)))
    found = place_close_ups(tracer, two_sides(), whole=64, zoom=4, size=64, seed=0)
    # At 4 times 64 pixels the square's side, √2 radii, is this long; windows own 54 pixels of it each way.
    pitch = front(64).pitch / 4
    side = np.sqrt(2) / (pitch * np.linalg.norm(front(64).eye))
    least = (side / (64 * (1 - 2 * MARGIN))) ** 2
    assert 0.9 * least <= len(found.cameras) <= 2 * least  # perspective makes windows a little wider
    grid = np.stack(np.meshgrid(np.linspace(-0.7, 0.7, 30), np.linspace(-0.7, 0.7, 30)), -1).reshape(-1, 2)
    points = np.column_stack([grid, np.zeros(len(grid))])
    spots = np.stack([np.abs(camera.project(points)).max(1) for camera in found.cameras])
    assert (np.nanmin(spots, 0) <= 32).mean() > 0.97
    for camera in found.cameras:
        middle = camera.eye + camera.axes[2] * -camera.eye[2] / camera.axes[2, 2]
        distance = float(np.linalg.norm(middle - camera.eye))
        assert camera.pitch * distance == pytest.approx(pitch * np.linalg.norm(front(64).eye), rel=1e-6)


def test_cells_are_given_to_the_colours_nearest_to_them() -> None:
    """Three blue cells and a red one before a painting of blue, red and green: 3/4, 1/4 and nothing."""
    blue, red, green = torch.eye(3)[[2, 0, 1]]
    painting = torch.stack([blue, red, green], 1)[None, :, None]  # (1, 3, 1, 3)
    found = given(torch.stack([blue, blue, blue, red]), painting)
    assert torch.allclose(found.flatten(), torch.tensor([0.75, 0.25, 0.0]), atol=1e-6)


def test_night_is_not_asked_for_stars(network: VGG19) -> None:
    """A painting dark on the left, light on the right: a dark close-up's target is that of the dark part, nearly."""
    dark, light = (0.1 * rand(1, 3, 128, 128, seed=n) + level for n, level in ((1, 0.05), (2, 0.85)))
    between = torch.lerp(dark, light, torch.linspace(0, 1, 128))  # no edge, which would have a say of its own
    painting = torch.cat([dark, between, light], 3)
    layers = ("relu1_1", "relu2_1")
    found = LocalStyle(network, painting, layers, 128).target(dark[..., :64, :64], torch.ones(1, 1, 64, 64))
    plain = Objective(network, LossWeights(0, 1, 0), layers)
    of_dark, of_all = (plain.style_target(picture).grams for picture in (dark, painting))
    for name, gram in found.grams.items():
        assert float((gram - of_dark[name]).norm()) < 0.25 * float((of_all[name] - of_dark[name]).norm())


def close_view(size: int = 64) -> View:
    """The middle of a square, so near that it fills the window."""
    tracer = Tracer(make_surface(*quad(), size=(96, 96)))
    hits = tracer.view(front(3 * size), 2, frame=(size, size))
    assert hits is not None
    return View(SamplingMatrix(hits, tracer, TexelTable([np.ones((96, 96), bool)], [WRAP])), CPU)


def test_paint_is_held_at_the_border_of_a_window_and_free_inside() -> None:
    view = close_view()
    seen = torch.zeros(view.shape[0] * view.shape[1])
    seen[view.pixels] = view.mix(freedom(view).expand(-1, 3))[:, 0]
    picture = seen.view(view.shape)
    assert float(picture[32, 32]) == pytest.approx(1, abs=1e-4)
    assert float(picture[0].max()) < 0.1
    assert float(picture[:, -1].max()) < 0.1
    assert (picture[32, :8].diff() > 0).all()


def test_paint_that_is_seen_too_steeply_is_held() -> None:
    """In the middle of the window the square is seen at 80°, whose cosine, 0.174, is barely above 0.15."""
    tracer = Tracer(make_surface(*quad(), size=(96, 96)))
    aside = np.array([np.sin(np.radians(80)), 0.0, np.cos(np.radians(80))])
    hits = tracer.view(camera_towards_centre(aside, 256), 2, frame=(32, 32))
    assert hits is not None
    view = View(SamplingMatrix(hits, tracer, TexelTable([np.ones((96, 96), bool)], [WRAP])), CPU)
    assert (view.shade.max() - AMBIENT) / HEADLIGHT < 0.25
    steepness = (0.25 - 0.15) / (0.4 - 0.15)
    assert float(freedom(view).max()) < steepness**2 * (3 - 2 * steepness)


def window_problem(
    network: VGG19, cameras: tuple[Camera, ...], each: int = 3, zoom: float = 2.0
) -> tuple[TextureProblem, WindowScale]:
    """A square of noise, with windows of 48 pixels, without smoothness, whose gradient counts every pair twice."""
    tracer = Tracer(make_surface(*quad(), size=(96, 96)))
    texels = TexelTable([np.ones((96, 96), bool)], [WRAP])
    objective = ViewObjective(network, rand(1, 3, 64, 64, seed=3), LossWeights(0, 1000, 0))
    scale = WindowScale(48, each * len(cameras), CloseUps(cameras, 48, zoom), each, 1.0, 4)
    windows = Windows(scale, tracer, texels, objective, BLACK, None)
    values = 0.3 + 0.4 * rand(texels.count, 3)
    smoothness = Smoothness(np.tile(np.arange(texels.count)[:, None], 4), 0.0)
    return TextureProblem(values, windows, BLACK, objective, smoothness), scale


@pytest.mark.parametrize("zoom", [1.0, 2.0], ids=["beside the painting", "and from afar"])
def test_a_windows_gradient_is_the_loss_derivative(network: VGG19, zoom: float) -> None:
    problem, _ = window_problem(network, (front(144),), zoom=zoom)
    problem.gradient(0)  # what lies there now is what it is held to
    problem.values.add_(0.02 * rand(*problem.values.shape, seed=1))
    found, at = problem.gradient(0), problem.values.clone()
    assert found.freedom is not None

    def loss(rows: torch.Tensor) -> float:
        problem.values.copy_(at).index_copy_(0, found.rows, rows)
        return problem.gradient(0).terms.total

    check_against_differences(loss, at[found.rows], found.gradient)


def test_windows_are_taken_one_after_the_other(network: VGG19) -> None:
    away = Camera(front(144).eye, front(144).axes * [[1], [1], [-1]], front(144).pitch)
    problem, scale = window_problem(network, (front(144), away), each=2)
    order = list(problem.order(scale, np.random.default_rng(0)))
    # The rate falls linearly from 0.06 towards a tenth of it at the end of each window.
    assert [part for part, _ in order] == [0, 0, 1, 1]
    assert [rate for _, rate in order] == pytest.approx([0.06, 0.033, 0.06, 0.033])
    before = problem.values.clone()
    terms = descend(problem, scale, "adam", np.random.default_rng(0), Clock([scale], ignore))
    assert terms is not None
    nothing = problem.gradient(1)  # a window that shows nothing has no rows, and its steps do nothing
    assert len(nothing.rows) == len(nothing.gradient) == 0
    shown = problem.gradient(0)
    moved = (problem.values != before).any(1)
    assert set(moved.nonzero().flatten().tolist()) <= set(shown.rows.tolist())
    assert moved.any()


def solve(
    network: VGG19, monkeypatch: pytest.MonkeyPatch, listen: ProgressCallback = ignore, most: float = 9.0
) -> Solution:
    """A square of 128² texels, whole views of 48 pixels, and close-ups at two zooms."""
    corners, uv = quad()
    monkeypatch.setattr(Settings, "scales", property(lambda _: (Scale(48, 2),)))
    monkeypatch.setattr(Settings, "close_ups", property(lambda _: Detail(64, 1, 1.0, 0, most)))
    painting = torch.zeros(1, 3, 96, 96)
    painting[:, 0] = 0.9
    painting[:, 2, ::6] = 0.8
    tracer = Tracer(make_surface(corners, uv, size=(128, 128)))
    solver = TextureSolver(tracer, two_sides(), painting, network, Settings(structure_weight=0.0))
    return solver.solve(listen)


def test_close_ups_paint_the_atlas_at_its_own_size(network: VGG19, monkeypatch: pytest.MonkeyPatch) -> None:
    records: list[Progress] = []
    solution = solve(network, monkeypatch, records.append)
    ((image, covered),) = solution.paint()
    assert image.shape == (128, 128, 3)
    assert covered.shape == (128, 128)
    assert not solution.interrupted
    steps = [record for record in records if record.stage == "solve"]
    assert [record.step for record in steps] == list(range(1, steps[0].steps + 1))
    assert steps[-1].seconds_left == pytest.approx(0, abs=1e-6)
    # What the paint looks like from afar is what the whole views made of it; from near, it is another.
    ((whole, _),) = solve(network, monkeypatch, most=1.0).paint()
    assert whole.shape[0] < 128
    before = upsample(whole, np.ones(whole.shape[:2], bool), (128, 128), WRAP)
    afar = [picture.reshape(8, 16, 8, 16, 3).mean((1, 3)) for picture in (before, image)]
    assert np.abs(afar[0] - afar[1]).mean() < 0.05
    assert np.abs(before - image).mean() > 0.02
    assert np.array_equal(next(solve(network, monkeypatch).paint())[0], image)


def test_interrupted_close_ups_give_what_there_is(network: VGG19, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(record: Progress) -> None:
        if record.step == 5:
            assert record.paint is not None
            assert record.paint()[0].shape[2] == 3
            raise KeyboardInterrupt

    solution = solve(network, monkeypatch, stop)
    assert solution.interrupted
    assert np.isfinite(next(solution.paint())[0]).all()


def test_windows_are_planned_where_there_is_room_and_will() -> None:
    large = Tracer(make_surface(*quad(), size=(2064, 2064)))
    small = Tracer(make_surface(*quad(), size=(128, 128)))
    wanted = {
        (large, Settings()): True,
        (large, Settings(preset="draft")): False,
        (large, Settings(preset="draft", detail=4)): True,
        (large, Settings(detail="off")): False,
        (large, Settings(solver="views", detail=4.0)): False,
        (large, Settings(iterations=0)): False,
        (small, Settings(preset="fine")): False,
    }
    for (tracer, settings), expected in wanted.items():
        plan = plan_windows(tracer, two_sides(), settings)
        assert bool(plan) == expected, settings
        if plan and settings.detail != "auto":
            assert plan[-1].close_ups.zoom <= 4
        for before, after in itertools.pairwise(plan):
            # No step is longer than 3, and texels shrink as fast as pixels.
            assert 1 < after.close_ups.zoom / before.close_ups.zoom <= 3 + 1e-6
            assert after.share / before.share == pytest.approx(after.close_ups.zoom / before.close_ups.zoom)
        for scale in plan:
            assert scale.steps == scale.each * len(scale.close_ups.cameras) > 0
        if plan:
            assert plan[-1].share == 1


def test_detail_is_a_word_or_a_number() -> None:
    assert Settings(detail="3").detail == 3
    assert Settings.from_mapping({"detail": 2}).close_ups.most == 2
    for wrong in ("much", 0.5, 1000):
        with pytest.raises(UsageError, match="detail"):
            Settings(detail=wrong)
