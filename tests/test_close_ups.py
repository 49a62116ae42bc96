"""Close-ups: where they look, what they read, what they are asked for, and that they add up to a texture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_views import CPU, front, make_surface, quad

from meshstyle.asset.contract import Wrap
from meshstyle.bake.upsample import upsample
from meshstyle.errors import UsageError
from meshstyle.progress import Progress, ProgressCallback, ignore
from meshstyle.settings import Detail, Scale, Settings
from meshstyle.solver.close_up_problem import CloseUpProblem, freedom
from meshstyle.solver.close_up_solver import plan_close_ups
from meshstyle.solver.ladder import Solution
from meshstyle.solver.local_style import LocalStyle, given
from meshstyle.solver.objective import LossWeights, Objective
from meshstyle.solver.texture_solver import TextureSolver
from meshstyle.solver.vgg import VGG19
from meshstyle.solver.weights import load_weights
from meshstyle.views.cameras import camera_towards_centre
from meshstyle.views.canvas import Canvas
from meshstyle.views.close_ups import MARGIN, place_close_ups
from meshstyle.views.near_sampling import NearLookup, Sheet
from meshstyle.views.placement import Placement
from meshstyle.views.sampling import Lookup, Texels
from meshstyle.views.tracing import Hits, Tracer
from meshstyle.views.view import View

WRAP = (Wrap.REPEAT, Wrap.REPEAT)
BLACK = torch.zeros(3)


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def network() -> VGG19:
    return VGG19(load_weights())


def two_sides() -> Placement:
    return Placement(np.array([[0.0, 0, 1], [0, 0, -1]]), 1.0, 1.0)


def traced(tracer: Tracer, size: int, direction: tuple[float, float, float] = (0, 0, 1)) -> Hits:
    hits = tracer.view(camera_towards_centre(np.array(direction), size), 2)
    assert hits is not None
    return hits


@pytest.mark.parametrize("size", [96, 20, 8])
def test_reads_what_a_whole_view_reads(size: int) -> None:
    """From near and from far, so that every mip level has its turn; at a slant, so that rays read two of them."""
    tracer = Tracer(make_surface(*quad(), size=(40, 56)))
    hits = traced(tracer, size, (0.6, 0, 0.8))
    everything = np.ones((40, 56), bool)
    paint = rand(40 * 56, 3)
    near = View(NearLookup(hits, tracer, [Sheet(everything, WRAP, 0)]), CPU)
    whole = View(Lookup(hits, tracer, Texels([everything], [WRAP])), CPU)
    ours, theirs = (view.render(paint[view.texels], BLACK) for view in (near, whole))
    assert torch.equal(near.mask, whole.mask)
    assert float((ours - theirs).abs().max()) < 0.02  # a level of less than 5 % of the weight is not left out
    assert float((ours - theirs).abs().mean()) < 1e-3


@pytest.mark.parametrize("size", [96, 8])
def test_what_lies_between_charts_is_never_read(size: int) -> None:
    covered = np.zeros((32, 32), bool)
    covered[4:17, 3:30] = True
    tracer = Tracer(make_surface(*quad(), size=(32, 32)))
    corners, uv = quad()
    inside = Tracer(make_surface(corners, uv * [26 / 32, 12 / 32] + [3.5 / 32, 4.5 / 32], size=(32, 32)))
    assert tracer.uv_density[0] > inside.uv_density[0]
    paint = torch.full((32 * 32, 3), 9.0)
    paint[torch.from_numpy(covered.reshape(-1))] = 0.25
    view = View(NearLookup(traced(inside, size), inside, [Sheet(covered, WRAP, 0)]), CPU)
    assert torch.allclose(view.sample(paint[view.texels]), torch.tensor(0.25), atol=1e-5)


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


def test_a_canvas_reads_and_writes_across_its_sheets() -> None:
    images = [np.zeros((2, 3, 3), np.float16), np.ones((2, 2, 3), np.float16)]
    canvas = Canvas(images, [np.ones((2, 3), bool), np.ones((2, 2), bool)], [WRAP, WRAP])
    texels = np.array([1, 5, 6, 9])
    assert canvas.read(texels)[:, 0].tolist() == [0, 0, 1, 1]
    canvas.write(texels, torch.tensor([[0.25] * 3, [0.5] * 3, [0.75] * 3, [0.125] * 3]))
    assert canvas.images[0].reshape(-1, 3)[:, 1].tolist() == [0, 0.25, 0, 0, 0, 0.5]
    assert canvas.images[1].reshape(-1, 3)[:, 1].tolist() == [0.75, 1, 1, 0.125]


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
    return View(NearLookup(hits, tracer, [Sheet(np.ones((96, 96), bool), WRAP, 0)]), CPU)


def test_paint_is_held_at_the_border_of_a_window_and_free_inside() -> None:
    view = close_view()
    seen = torch.zeros(view.shape[0] * view.shape[1])
    seen[view.pixels] = view.sample(freedom(view).expand(-1, 3))[:, 0]
    picture = seen.view(view.shape)
    assert float(picture[32, 32]) == pytest.approx(1, abs=1e-4)
    assert float(picture[0].max()) < 0.1
    assert float(picture[:, -1].max()) < 0.1
    assert (picture[32, :8].diff() > 0).all()


@pytest.mark.parametrize("smooth", [(0.0, 0.0), (2.0, 30.0)])
def test_slope_is_the_loss_derivative(network: VGG19, smooth: tuple[float, float]) -> None:
    view = close_view()
    objective = Objective(network, LossWeights(0, 1, 0), ("relu1_1", "relu2_1"))
    values = 0.3 + 0.4 * rand(len(view.texels), 3)
    problem = CloseUpProblem(view, values, objective, BLACK, block=4, zoom=2, smooth=smooth)
    target = objective.style_target(rand(1, 3, 64, 64, seed=3)).grams
    at = (values + 0.02 * rand(len(values), 3, seed=1)).requires_grad_(True)
    problem.loss(at, target).backward()
    assert at.grad is not None
    way = torch.nn.functional.normalize(at.grad, dim=None) * len(values) ** 0.5  # type: ignore[arg-type]
    step = 2e-3
    with torch.no_grad():
        ahead, behind = (float(problem.loss(at + s * step * way, target)) for s in (1, -1))
    assert (ahead - behind) / (2 * step) == pytest.approx(float((at.grad * way).sum()), rel=0.03)


def test_colour_costs_more_than_light_from_pixel_to_pixel(network: VGG19) -> None:
    """Columns in turn black and of one colour: half of the steps, those to the side, are that colour long."""
    view = close_view()
    objective = Objective(network, LossWeights(0, 1, 0), ("relu1_1",))
    problem = CloseUpProblem(
        view, rand(len(view.texels), 3), objective, BLACK, block=4, zoom=2, smooth=(0.5, 3.0)
    )
    assert float(view.mask.min()) == 1
    columns = (torch.arange(view.shape[1]) % 2).view(1, 1, 1, -1)
    for colour, cost in (((0.4, 0.4, 0.4), 0.48), ((0.6, 0.0, 0.3), 0.45 + 3 * 0.18)):
        picture = columns * torch.tensor(colour).view(1, 3, 1, 1) * torch.ones(1, 3, *view.shape)
        assert float(problem._roughness(picture)) == pytest.approx(0.5 * cost / 2, rel=1e-5)


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


def test_close_ups_are_made_where_there_is_room_and_will() -> None:
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
        plan = plan_close_ups(tracer, two_sides(), settings)
        assert (plan is not None) == expected, settings
        if plan is not None and settings.detail != "auto":
            assert plan.zooms[-1].zoom <= 4


def test_detail_is_a_word_or_a_number() -> None:
    assert Settings(detail="3").detail == 3
    assert Settings.from_mapping({"detail": 2}).close_ups.most == 2
    for wrong in ("much", 0.5, 1000):
        with pytest.raises(UsageError, match="detail"):
            Settings(detail=wrong)
