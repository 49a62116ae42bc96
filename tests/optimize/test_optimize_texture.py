"""The texture solver and its parts."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.quads import Quads, rand
from helpers.surfaces import make_surface, quad

from meshstyle.config.model import PRESETS, Scale, Settings
from meshstyle.errors import UsageError
from meshstyle.io.types import Wrap
from meshstyle.optimize.adam import Adam
from meshstyle.optimize.init import starting_picture
from meshstyle.optimize.level import build_level
from meshstyle.optimize.loop import shuffled_round
from meshstyle.optimize.resolution import chart_of_triangle, resize_covered
from meshstyle.optimize.texture import TextureSolver
from meshstyle.optimize.total_variation import Smoothness, colour_share
from meshstyle.progress import Progress
from meshstyle.style.color_statistics import Colours
from meshstyle.style.color_transfer import match_colours
from meshstyle.style.objective import LossWeights, Objective, fit_short_side, layer_shape
from meshstyle.style.vgg import VGG19
from meshstyle.style.view_objective import ViewObjective
from meshstyle.views.cameras import camera_towards_centre
from meshstyle.views.raytrace import Tracer
from meshstyle.views.sampling_matrix import TexelTable
from meshstyle.views.trace_views import shrink_coverage, solving_sizes, trace_views


def test_matched_colours_have_the_targets_mean_and_covariance() -> None:
    target = 0.5 + 0.1 * (rand(4000, 3, seed=1) - 0.5) @ torch.tensor([[1.0, 0.5, 0], [0, 1, 0.3], [0, 0, 1]])
    colours = rand(5000, 3, seed=2)
    weights = rand(5000, seed=3)
    moved = match_colours(colours, weights, target)
    share = (weights / weights.sum())[:, None]
    mean = (moved * share).sum(0)
    assert torch.allclose(mean, target.mean(0), atol=2e-3)
    covariance = ((moved - mean) * share).T @ (moved - mean)
    assert torch.allclose(covariance, torch.cov(target.T), atol=2e-4)


def test_flat_colours_become_the_paintings_mean_and_noise_is_not_blown_up() -> None:
    flat = torch.full((500, 3), 0.7) + 0.002 * (rand(500, 3) - 0.5)
    target = rand(1000, 3, seed=4)
    moved = match_colours(flat, torch.ones(500), target)
    assert torch.allclose(moved.mean(0), target.mean(0), atol=1e-3)
    assert float(moved.std(0).max()) < 0.02


def test_with_a_sets_statistics_one_colour_becomes_one_colour_on_all_its_models() -> None:
    """A bright and a dark half of one set: apart they would both become the target's mean."""
    target = rand(1000, 3, seed=4)
    both = rand(2000, 3, seed=5)
    mean, spread = both.mean(0), torch.cov(both.T, correction=0)
    source = Colours(tuple(mean.tolist()), tuple(map(tuple, spread.tolist())))
    whole = match_colours(both, torch.ones(2000), target)
    order = both.mean(1).argsort()
    for half in (order[:1000], order[1000:]):
        moved = match_colours(both[half], torch.ones(1000), target, source)
        assert torch.allclose(moved, whole[half], atol=1e-4)
        alone = match_colours(both[half], torch.ones(1000), target)
        assert not torch.allclose(alone, whole[half], atol=0.05)


def test_darker_stays_darker() -> None:
    greys = torch.linspace(0.1, 0.9, 50)[:, None].expand(50, 3).contiguous()
    moved = match_colours(greys, torch.ones(50), rand(500, 3) * 0.5)
    luminance = moved.mean(1)
    assert bool((luminance.diff() >= -1e-6).all())


def test_adam_on_all_rows_is_adam() -> None:
    """Against algorithm 1 of the paper, letter by letter. (torch's own loads what does not bear OpenGL's LLVM.)"""
    ours = rand(6, 3)
    theirs, m, v = ours.double(), torch.zeros(6, 3).double(), torch.zeros(6, 3).double()
    mine, (b1, b2) = Adam(ours, (0.9, 0.99)), (0.9, 0.99)
    for t in range(1, 6):
        gradient = rand(6, 3, seed=t) - 0.5
        mine.step(torch.arange(6), gradient, 0.01)
        m = b1 * m + (1 - b1) * gradient
        v = b2 * v + (1 - b2) * gradient**2
        theirs = theirs - 0.01 * (m / (1 - b1**t)) / ((v / (1 - b2**t)).sqrt() + 1e-8)
    assert torch.allclose(ours.double(), theirs, atol=1e-6)


def test_adam_leaves_rows_without_a_gradient_alone() -> None:
    values = rand(5, 3)
    before = values.clone()
    adam = Adam(values, (0.9, 0.99))
    for _ in range(3):
        adam.step(torch.tensor([1, 3]), torch.ones(2, 3), 0.01)
    assert torch.equal(values[[0, 2, 4]], before[[0, 2, 4]])
    assert torch.allclose(values[[1, 3]], (before[[1, 3]] - 0.03).clamp(0, 1), atol=1e-5)


def test_smoothness_value_and_gradient() -> None:
    """Two charts of 2×2 and 1×2 texels: no pair reaches from one to the other."""
    covered = np.array([[1, 1, 1], [1, 1, 1]], bool)
    chart = np.array([[0, 0, 1], [0, 0, 1]])
    texels = TexelTable([covered], [(Wrap.REPEAT, Wrap.REPEAT)])
    smooth = Smoothness.on_surface(texels, [chart])
    paint = rand(6, 3).double()
    rows = torch.arange(6)

    def by_hand(t: torch.Tensor) -> torch.Tensor:
        pairs = [(0, 1), (3, 4), (0, 3), (1, 4), (2, 5)]
        # Each pair is met from both its texels: ten directed pairs.
        return sum((((t[a] - t[b]) ** 2).sum() * 2 for a, b in pairs), torch.zeros(())) / 10

    leaf = paint.clone().requires_grad_(True)
    value = by_hand(leaf)
    value.backward()
    ours, gradient = smooth(paint.float(), rows)
    assert ours == pytest.approx(float(value.detach()), rel=1e-5)
    assert leaf.grad is not None
    assert torch.allclose(gradient.double(), leaf.grad, atol=1e-6)


def stripes(texels_long: float, count: int = 56) -> torch.Tensor:
    """A row of texels that waves around 0.5 by 0.25."""
    wave = torch.cos(2 * math.pi * torch.arange(count) / texels_long)
    return (0.5 + 0.25 * wave)[:, None].expand(-1, 3).contiguous()


@pytest.mark.parametrize(("texels_long", "left"), [(2, 0.0), (2.8, 0.34), (5.6, 0.91), (56, 1.0)])
def test_what_no_pixel_shows_is_taken_out(texels_long: float, left: float) -> None:
    count = 56
    along = np.arange(count)
    smooth = Smoothness(np.stack([(along + 1) % count, (along - 1) % count, along, along], 1))
    found = smooth.without_finest(stripes(texels_long))
    assert float(found[0, 0] - 0.5) == pytest.approx(0.25 * left, abs=0.005)
    assert float(found.mean()) == pytest.approx(0.5, abs=1e-6)


def test_colour_is_smoothed_apart_from_light_and_dark() -> None:
    """Two texels apart by d: Σ (‖d‖² + κ‖d − d̄‖²) over both directed pairs, halved; gradient by differences."""
    smooth = Smoothness(np.array([[1, 0, 0, 0], [0, 1, 1, 1]]), weight=2.0, colour=5.0)
    rows, grey = torch.arange(2), torch.tensor([[0.5, 0.5, 0.5], [0.1, 0.1, 0.1]])
    value, _ = smooth(grey, rows)
    assert float(value) == pytest.approx(2 * 3 * 0.16, rel=1e-5)  # grey steps cost what they did
    paint = torch.tensor([[0.5, 0.2, 0.1], [0.3, 0.1, 0.4]], dtype=torch.float64)
    value, gradient = smooth(paint, rows)
    step = np.array([0.2, 0.1, -0.3])  # its mean is 0: all colour
    assert float(value) == pytest.approx(2 * (1 + 5) * float(step @ step), rel=1e-9)
    for row, channel in ((0, 0), (1, 2)):
        nudge = torch.zeros_like(paint)
        nudge[row, channel] = 1e-5
        difference = (smooth(paint + nudge, rows)[0] - smooth(paint - nudge, rows)[0]) / 2e-5
        # The pair is met from both sides, so a texel's gradient counts it twice where the value's derivative does.
        assert float(gradient[row, channel]) == pytest.approx(float(difference), rel=1e-6)


def test_the_smoother_a_paintings_colour_the_more_its_noise_costs() -> None:
    ramp = torch.linspace(0, 1, 64).view(1, 1, 1, 64).expand(1, 1, 64, 64)
    grey, one = ramp.expand(1, 3, -1, -1), torch.zeros(1, 3, 64, 64)
    one[:, :1] = ramp  # red alone: colour steps of 1/63·√(2/3) along, none down
    step = (1 / 63) * math.sqrt(2 / 3) / math.sqrt(2)
    assert colour_share(one) == pytest.approx(450 / step, rel=1e-4)
    assert colour_share(grey) == pytest.approx(450 / 0.005)


def test_charts_are_triangles_joined_by_uv_corners() -> None:
    uv = np.array([[[0, 0], [1, 0], [0, 1]], [[1, 0], [1, 1], [0, 1]], [[2, 2], [3, 2], [2, 3]]], float)
    charts = chart_of_triangle(uv, np.zeros(3, np.int32))
    assert charts[0] == charts[1] != charts[2]
    apart = chart_of_triangle(uv, np.array([0, 1, 0], np.int32))
    assert len(set(apart.tolist())) == 3


def test_resizing_lets_nothing_bleed_in_from_between_charts() -> None:
    texture = torch.zeros(3, 8, 8)
    texture[:, :, 3:] = 1  # the uncovered part is white, the covered one black
    covered = np.zeros((8, 8), bool)
    covered[:, :3] = True
    assert float(resize_covered(texture, covered, (4, 4)).abs().max()) == 0
    assert float(resize_covered(texture, covered, (20, 20)).abs().max()) == 0
    assert shrink_coverage(covered, (4, 4)).tolist() == [[True, True, False, False]] * 4


def test_solving_size_matches_a_texel_to_a_ray() -> None:
    """The front of the quad spans s pixels, 2·s rays: the atlas is solved at about 0.7·2·s texels, as finer ones no
    loss would see."""
    tracer = Tracer(make_surface(*quad(), size=(1024, 1024)))
    hits = tracer.view(camera_towards_centre(np.array([0.0, 0.0, 1.0]), 64), 2)
    assert hits is not None
    pixels = np.sqrt(len(hits.pixel) / 4)
    (height, width), *_ = solving_sizes([hits], tracer)
    assert height == width == pytest.approx(0.7 * 2 * pixels, abs=8)
    small = Tracer(make_surface(*quad(), size=(16, 16)))
    assert solving_sizes([hits], small) == [(16, 16)]


def test_feature_maps_have_the_announced_shapes(network: VGG19) -> None:
    layers = ["relu1_2", "relu3_1", "relu4_2", "relu5_1"]
    found = network.features(rand(1, 3, 40, 56), layers)
    for layer in layers:
        assert tuple(found[layer].shape[-2:]) == layer_shape(40, 56, layer)


def test_objective_of_the_original_itself_is_its_style_alone(network: VGG19) -> None:
    objective = Objective(network, LossWeights(1.0, 10.0, 5.0))
    picture = fit_short_side(rand(1, 3, 40, 60), 32)
    assert tuple(picture.shape) == (1, 3, 32, 48)
    target = objective.content_target(picture, torch.ones(1, 1, 32, 48))
    terms = objective(picture, objective.style_target(picture), target)
    assert terms.style == pytest.approx(0, abs=1e-6)
    assert terms.content == 0
    assert terms.structure == pytest.approx(1, abs=0.02)


def test_painting_lowers_the_style_loss(network: VGG19, monkeypatch: pytest.MonkeyPatch) -> None:
    losses: list[float] = []

    def listen(record: Progress) -> None:
        if record.loss is not None:
            losses.append(record.loss)

    solver = Quads(network).solver(monkeypatch, (Scale(48, 12), Scale(64, 6)))
    solution = solver.solve(listen)
    assert len(losses) == 18
    assert np.mean(losses[-3:]) < 0.75 * np.mean(losses[:3])
    assert solution.terms is not None
    assert not solution.interrupted
    texture = solution.textures[0]
    assert float(texture.min()) >= 0
    assert float(texture.max()) <= 1
    assert float(texture[0].mean() - texture[1].mean()) > 0.3  # red, as the painting is
    assert solution.seen[0].mean() > 0.9


def test_same_seed_same_texels(network: VGG19, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Quads(network)
    textures = [
        scene.solver(monkeypatch, (Scale(48, 4),), seed).solve(lambda _: None).textures[0]
        for seed in (3, 3, 4)
    ]
    assert torch.equal(textures[0], textures[1])
    assert not torch.equal(textures[0], textures[2])


def test_interrupted_solver_gives_the_best_so_far(network: VGG19, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop_at_third(record: Progress) -> None:
        if record.stage == "solve" and record.step == 3:
            raise KeyboardInterrupt

    solution = Quads(network).solver(monkeypatch, (Scale(48, 50),)).solve(stop_at_third)
    assert solution.interrupted
    assert solution.views == 3


def test_interrupted_before_the_first_scale_there_is_nothing_to_give(
    network: VGG19, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Quads(network).solver(monkeypatch, (Scale(48, 5),)).solve(stop)


def test_a_round_takes_every_view_once_even_cameras_first() -> None:
    shuffle = np.random.default_rng(0)
    rounds = [shuffled_round(12, 7, shuffle) for _ in range(2)]
    for order in rounds:
        assert sorted(order) == list(range(12))
        assert set(order[-7:]) == set(range(7))
    assert rounds[0] != rounds[1]


def test_a_given_picture_is_laid_over_the_atlas(network: VGG19, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a step the texture is the picture: left half red, right half blue, as texels lie."""
    monkeypatch.setattr(Settings, "scales", property(lambda _: (Scale(48, 0),)))
    scene = Quads(network)
    picture = torch.zeros(1, 3, 40, 40)
    picture[:, 0, :, :20] = 1
    picture[:, 2, :, 20:] = 1
    solver = TextureSolver(scene.tracer, scene.placement, scene.painting, network, Settings(), picture)
    texture = solver.solve(lambda _: None).textures[0]
    width = texture.shape[2]
    assert torch.allclose(texture[0, :, : width // 2 - 2], torch.tensor(1.0), atol=1e-3)
    assert torch.allclose(texture[2, :, width // 2 + 2 :], torch.tensor(1.0), atol=1e-3)
    assert float(texture[1].abs().max()) < 1e-3


def test_a_start_that_is_no_file_is_named() -> None:
    assert starting_picture("noise") is None
    with pytest.raises(UsageError, match=r"'dots' is neither a choice nor a picture file"):
        starting_picture("dots")


def test_style_scale_enlarges_the_painting_beside_the_views(network: VGG19) -> None:
    scene = Quads(network)
    weights = LossWeights(0.0, 1.0, 0.0)
    traced = trace_views(scene.tracer, scene.placement, 32)
    enlarged = ViewObjective(network, scene.painting, weights, style_scale=1.5)
    rung = build_level(Scale(32, 1), scene.tracer, traced, enlarged, scene.painting)
    objective = Objective(network, weights)
    wanted = objective.style_target(fit_short_side(scene.painting, 48))
    plain = objective.style_target(fit_short_side(scene.painting, 32))
    for target in rung.targets:
        (level,) = target.levels  # half of 32 pixels shows nothing
        for layer, gram in level.style.grams.items():
            assert torch.equal(gram, wanted.grams[layer])
            assert not torch.equal(gram, plain.grams[layer])


def test_content_too_light_to_be_felt_is_looked_at_on_the_coarsest_scale_only(
    network: VGG19, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, scales = Quads(network), (Scale(32, 1), Scale(48, 1))
    monkeypatch.setattr(Settings, "scales", property(lambda _: scales))

    def looks(**weights: float) -> list[bool]:
        found: list[bool] = []

        def listen(record: Progress) -> None:
            if record.stage == "solve":
                found.append(record.content is not None)

        settings = Settings(**weights)
        solver = TextureSolver(scene.tracer, scene.placement, scene.painting, network, settings)
        terms = solver.solve(listen).terms
        assert terms is not None
        assert math.isnan(terms.content) == (settings.content_weight == 0)
        return found

    assert looks() == [True, False]
    assert looks(content_weight=5.0) == [True, True]
    assert looks(content_weight=0.0) == [False, False]


def test_every_view_is_looked_at_however_many_there_are(
    network: VGG19, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Quads(network)
    monkeypatch.setattr(Settings, "scales", property(lambda _: (Scale(32, 1), Scale(48, 6))))
    monkeypatch.setitem(PRESETS, "standard", replace(PRESETS["standard"], views=2))
    counts: list[list[int]] = []
    for settings in (Settings(), Settings(iterations=2)):
        steps = [0, 0]

        def listen(record: Progress, steps: list[int] = steps) -> None:
            steps[0], steps[1] = max(steps[0], record.step), max(steps[1], record.steps)

        TextureSolver(scene.tracer, scene.placement, scene.painting, network, settings).solve(listen)
        counts.append(steps)
    # Three views where two are reckoned with: 1 step becomes 2, and 6, two for each view, are enough.
    assert counts == [[8, 8], [7, 7]]


@pytest.mark.parametrize(
    ("texels_long", "octaves", "left"), [(4, 1.0, 0.75), (4, 2.0, 0.0), (8, 3.0, 0.0), (8, 0.0, 1.0)]
)
def test_finer_texels_are_smoothed_over_more_of_them(texels_long: float, octaves: float, left: float) -> None:
    """(10 + 8 cos ω − 2 cos 2ω)/16 of a wave is left by each time, whose ω is twice the last one's."""
    along = np.arange(56)
    smooth = Smoothness(np.stack([(along + 1) % 56, (along - 1) % 56, along, along], 1))
    found = smooth.without_finest(stripes(texels_long), torch.full((56,), octaves))
    assert float(found[0, 0] - 0.5) == pytest.approx(0.25 * left, abs=0.005)


def test_octaves_hold_where_they_are_asked_for() -> None:
    along = np.arange(56)
    smooth = Smoothness(np.stack([(along + 1) % 56, (along - 1) % 56, along, along], 1))
    octaves = (torch.arange(56) < 28).float()
    found = smooth.without_finest(stripes(2), octaves)
    assert torch.allclose(found[:28], torch.full((28, 3), 0.5), atol=1e-6)
    assert torch.equal(found[28:], stripes(2)[28:])
