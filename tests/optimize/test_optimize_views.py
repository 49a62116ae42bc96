"""Back-projection, the consistency loss and the view solver, on scenes that can be worked out on paper."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.quads import Quads, rand
from helpers.surfaces import front, make_surface, quad

from meshstyle.config.model import Scale, Settings
from meshstyle.io.types import Wrap
from meshstyle.optimize.level import Level
from meshstyle.optimize.loop import Clock, descend
from meshstyle.optimize.total_variation import Smoothness
from meshstyle.optimize.views import ViewProblem, ViewSolver, _neighbours_in_views, _resampled
from meshstyle.progress import Progress, ignore
from meshstyle.style.objective import LossTerms
from meshstyle.style.vgg import VGG19
from meshstyle.style.view_objective import ViewObjective, ViewTarget
from meshstyle.views.back_projection import BackProjection, Consistency, PixelGeometry
from meshstyle.views.cameras import Camera, camera_towards_centre
from meshstyle.views.raytrace import Tracer
from meshstyle.views.reprojection import Shown, disagreement
from meshstyle.views.sampling_matrix import SamplingMatrix, TexelTable
from meshstyle.views.view import View

CPU = torch.device("cpu")
ASIDE = np.array([0.6, 0.0, 0.8])


class Scene:
    """Views of one square from the given cameras."""

    def __init__(self, cameras: list[Camera], texels: int = 16) -> None:
        self.tracer = Tracer(make_surface(*quad(), size=(texels, texels)))
        self.texels = TexelTable([np.ones((texels, texels), bool)], [(Wrap.CLAMP, Wrap.CLAMP)])
        found = [self.tracer.view(camera, 2) for camera in cameras]
        hits = [hit for hit in found if hit is not None]
        assert len(hits) == len(cameras)
        self.views = [View(SamplingMatrix(hit, self.tracer, self.texels), CPU) for hit in hits]
        self.geometry = [PixelGeometry.of(hit, view) for hit, view in zip(hits, self.views, strict=True)]
        self.coverage = torch.cat([view.pixel_coverage for view in self.views])

    def projection(self, passes: int, even: bool = False) -> BackProjection:
        weights = [np.ones(len(g.pixels), np.float32) if even else g.weight() for g in self.geometry]
        return BackProjection(self.views, weights, self.texels.count, passes)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene([front(24), camera_towards_centre(ASIDE, 24)])


def test_spreading_is_the_adjoint_of_mixing(scene: Scene) -> None:
    for view in scene.views:
        texels, paint = rand(len(view.texels), 3), rand(len(view.pixels), 3, seed=1)
        assert float((view.mix(texels) * paint).sum()) == pytest.approx(
            float((texels * view.spread(paint)).sum()), rel=1e-5
        )


@pytest.mark.parametrize("passes", [1, 4])
def test_back_projection_is_linear_and_is_what_its_formula_says(scene: Scene, passes: int) -> None:
    """Against dense matrices: T = Σ_k (1 − C·Sᵀ·W·S)^k · C·Sᵀ·W·I."""
    projection = scene.projection(passes)
    eye = torch.eye(scene.texels.count)
    columns = [projection.render(eye[:, i : i + 3].clone()) for i in range(0, scene.texels.count - 2, 3)]
    columns.append(projection.render(eye[:, -3:].clone()))
    s = torch.cat([*columns[:-1], columns[-1][:, -(scene.texels.count % 3 or 3) :]], 1)
    w = torch.from_numpy(np.concatenate([g.weight() for g in scene.geometry]))
    total = s.T @ w
    c = torch.where(total > 0, 1 / total.clamp_min(1e-12), torch.zeros_like(total))
    back = c[:, None] * s.T * w
    power = sum(torch.matrix_power(eye - back @ s, k) for k in range(passes)) @ back
    paint = rand(len(scene.coverage), 3)
    assert torch.allclose(projection.bake(paint), power @ paint, atol=1e-4)
    assert torch.allclose(projection.residual(paint), paint - s @ (power @ paint), atol=1e-4)


def test_more_passes_bring_back_what_one_has_blurred(scene: Scene) -> None:
    texture = rand(scene.texels.count, 3)
    paint = scene.projection(1).render(texture)
    left = [float(scene.projection(passes).residual(paint).square().mean()) for passes in (1, 4, 16)]
    assert left[0] > 1.5 * left[1] > 1.5**2 * left[2]


def test_the_residuals_adjoint(scene: Scene) -> None:
    projection = scene.projection(3)
    x, y = rand(len(scene.coverage), 3), rand(len(scene.coverage), 3, seed=1)
    forwards = float((projection.residual(x) * y).sum())
    assert forwards == pytest.approx(float((x * projection.residual_transposed(y)).sum()), rel=1e-4)


def test_consistency_gradient_against_numerical_ones(scene: Scene) -> None:
    """The loss is quadratic: central differences are exact at any width."""
    consistency = Consistency(scene.projection(3), scene.coverage)
    paint = rand(len(scene.coverage), 3)
    _, gradient = consistency(paint)
    for row in np.random.default_rng(0).integers(0, len(paint), 6):
        values = []
        for step in (3.0, -3.0):
            moved = paint.clone()
            moved[row, 1] += step
            values.append(consistency(moved)[0])
        assert (values[0] - values[1]) / 6 == pytest.approx(float(gradient[row, 1]), rel=2e-3, abs=1e-6)


def test_two_flat_views_meet_half_way() -> None:
    """Twice the same view, one painted 0.8, the other 0.2: consensus 0.5, loss 3·0.3² (three channels)."""
    scene = Scene([front(24), front(24)])
    half = len(scene.coverage) // 2
    paint = torch.cat([torch.full((half, 3), 0.8), torch.full((half, 3), 0.2)])
    projection = scene.projection(2)
    assert torch.allclose(projection.bake(paint), torch.full((scene.texels.count, 3), 0.5), atol=1e-5)
    value, gradient = Consistency(projection, scene.coverage)(paint)
    assert value == pytest.approx(3 * 0.3**2, rel=1e-4)
    assert torch.allclose(gradient[:half], -gradient[half:], atol=1e-7)
    assert bool((gradient[:half] > 0).all())


class Fond(ViewObjective):
    """An objective that wants each view to stay at a colour of its own: Σ m ‖I − a‖² / Σ m."""

    def __init__(self, colours: dict[ViewTarget, float]) -> None:
        self._colours = colours

    def __call__(self, lit: torch.Tensor, bare: torch.Tensor, target: ViewTarget) -> LossTerms:
        mask = target.mask  # before black, a pixel shows m·I
        off = ((lit - mask * self._colours[target]) ** 2 / mask.clamp_min(1e-9)).sum() / mask.sum()
        return LossTerms(off, torch.tensor([0.0, 0.0, 1.0]))


@pytest.mark.parametrize("gamma", [0.0, 1.0, 4.0])
def test_gamma_pulls_views_together_by_the_amount_worked_out_on_paper(gamma: float) -> None:
    """Two views want 0.7 and 0.3. With I = ½ ± d/2 in both, a pixel's share of the loss is, up to a factor,
    (d − 0.4)² + γ·d², so that d = 0.4 / (1 + γ)."""
    scene = Scene([front(24), front(24)])
    for view in scene.views:
        view.shade = torch.ones_like(view.shade)
    targets = [ViewTarget((), view.mask) for view in scene.views]
    fond = Fond(dict(zip(targets, (0.7, 0.3), strict=True)))
    level = Level(
        scale=Scale(24, 15),
        texels=scene.texels,
        original=torch.zeros(0, 3),
        views=scene.views,
        looks=[],
        geometry=scene.geometry,
        targets=targets,
        background=torch.zeros(3),
        colour=0.0,
    )
    values = torch.full((len(scene.coverage), 3), 0.5)
    consistency = Consistency(scene.projection(2), scene.coverage)
    smoothness = Smoothness(_neighbours_in_views(level), 0.0)
    problem = ViewProblem(values, level, fond, smoothness, (gamma, consistency))
    descend(problem, level.scale, "lbfgs", np.random.default_rng(0), Clock([level.scale], ignore))
    whole = scene.coverage[:, 0] == 1
    one, other = values[whole].chunk(2)
    assert torch.allclose(one - other, torch.full_like(one, 0.4 / (1 + gamma)), atol=2e-3)


def test_weights_fall_with_the_angle_and_towards_edges() -> None:
    head_on, aside = Scene([front(128), camera_towards_centre(ASIDE, 128)]).geometry
    middle = [g.weight()[np.argmax(g.inside)] for g in (head_on, aside)]
    assert middle[0] > 0.95
    assert 0.4 < middle[1] < 0.8**2 + 0.1  # cos² of the angle, less the greater distance
    assert head_on.weight()[head_on.inside <= 1].max() < 0.2
    steep = np.array([np.sin(np.radians(83)), 0.0, np.cos(np.radians(83))])
    assert Scene([camera_towards_centre(steep, 64)]).geometry[0].weight().max() < 0.02
    sharp = aside.weight(4.0)
    best = int(np.argmax(aside.inside))
    assert sharp[best] == pytest.approx(middle[1] ** 4, rel=1e-3)


def test_steps_in_depth_are_edges() -> None:
    """A small square floats before a large one: pixels beside its outline count little, on either side."""
    near, uv = quad(0.5)
    far, _ = quad(-0.5)
    tracer = Tracer(make_surface(np.concatenate([near * [0.4, 0.4, 1], far]), np.concatenate([uv, uv])))
    hits = tracer.view(front(96), 2)
    assert hits is not None
    texels = TexelTable([np.ones((8, 8), bool)], [(Wrap.CLAMP, Wrap.CLAMP)])
    geometry = PixelGeometry.of(hits, View(SamplingMatrix(hits, tracer, texels), CPU))
    inside = np.zeros(geometry.shape)
    inside.reshape(-1)[geometry.pixels] = geometry.inside
    row = inside[geometry.shape[0] // 2]
    edges = np.flatnonzero((row > 0) & (row <= 1))
    assert len(edges) >= 2 + 2 * 2 - 2  # two silhouettes, and two outlines
    assert row[len(row) // 2] > 5


def test_views_that_show_the_same_agree_and_an_offset_is_measured_exactly() -> None:
    scene = Scene([front(64), camera_towards_centre(ASIDE, 64)])
    shown = []
    for geometry, view, colour in zip(scene.geometry, scene.views, (0.5, 0.6), strict=True):
        picture = np.full((*geometry.shape, 3), colour, np.float32)
        shown.append(Shown(geometry.camera, geometry.corner, picture, view.mask[0, 0].numpy()))
    squared = disagreement(shown[0], shown[1], scene.tracer)
    assert len(squared) > 300
    assert np.allclose(squared, 3 * 0.1**2, atol=1e-6)
    assert np.allclose(disagreement(shown[1], shown[1], scene.tracer), 0, atol=1e-10)


def test_a_ramp_is_carried_to_a_larger_view_as_the_same_ramp() -> None:
    small, large = Scene([front(32)]).geometry[0], Scene([front(64)]).geometry[0]
    rows = np.arange(small.shape[0])[:, None] + small.corner[0] + 0.5  # from the optical axis
    ramp = torch.from_numpy(np.broadcast_to(0.5 + rows / 64, small.shape).copy()).float().expand(3, -1, -1)
    carried = _resampled(small, ramp.contiguous(), large)
    expected = 0.5 + (large.pixels // large.shape[1] + large.corner[0] + 0.5) / 2 / 64
    assert np.allclose(carried[:, 0].numpy(), expected, atol=1e-5)


def view_solver(network: VGG19, monkeypatch: pytest.MonkeyPatch, **choices: object) -> ViewSolver:
    monkeypatch.setattr(Settings, "scales", property(lambda _: (Scale(32, 4), Scale(48, 6))))
    scene = Quads(network)
    placement = replace(scene.placement, directions=np.array([[0.0, 0, 1], [0, 0, -1], ASIDE]))
    settings = Settings(solver="views", structure_weight=0.0, **choices)
    return ViewSolver(scene.tracer, placement, scene.painting, network, settings)


def test_consistency_brings_the_views_together(network: VGG19, monkeypatch: pytest.MonkeyPatch) -> None:
    losses: list[float] = []

    def listen(record: Progress) -> None:
        if record.loss is not None:
            losses.append(record.loss)

    free = view_solver(network, monkeypatch, consistency=0.0, init="noise").solve(ignore).agreement
    solution = view_solver(network, monkeypatch, consistency=1e4, init="noise").solve(listen)
    held = solution.agreement
    assert free is not None
    assert held is not None
    assert losses[3] < losses[0]
    assert losses[-1] < losses[4]
    assert held.rmse_between < 0.8 * free.rmse_between
    assert held.rmse_to_baked < 0.8 * free.rmse_to_baked
    assert solution.terms is not None
    assert solution.terms.style == pytest.approx(held.style_loss, rel=1e-3)
    assert solution.seen[0].mean() > 0.9


def test_the_same_seed_gives_the_same_texels_and_adam_works_too(
    network: VGG19, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other, adam = (
        view_solver(network, monkeypatch, optimizer=optimizer).solve(ignore).textures[0]
        for optimizer in ("lbfgs", "lbfgs", "adam")
    )
    assert torch.equal(one, other)
    assert not torch.equal(one, adam)


def test_an_interrupted_view_solver_bakes_what_there_is(
    network: VGG19, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop_at_second(record: Progress) -> None:
        if record.stage == "solve" and record.step == 2:
            raise KeyboardInterrupt

    solution = view_solver(network, monkeypatch).solve(stop_at_second)
    assert solution.interrupted
    assert solution.agreement is not None
    assert bool(torch.isfinite(solution.textures[0]).all())
