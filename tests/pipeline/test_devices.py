"""Other devices and other precisions, as far as a CPU can tell.

torch's device `meta` stands for a GPU: its tensors know their shape and hold nothing. Every operation of a step is
watched: what is on the CPU takes no part, nothing is copied between devices, nothing is read. What this cannot tell is
whether the numbers of a real GPU are right, and how fast it is.
"""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import torch
from helpers.surfaces import make_surface, quad
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from meshstyle.config.layers import BLOCKS
from meshstyle.config.model import PRESETS, Preset, Scale, Settings
from meshstyle.kernels.cpu_features import multiplies_bf16
from meshstyle.optimize.adam import Adam
from meshstyle.optimize.level import Level, build_level
from meshstyle.optimize.texture import AllViews, TextureProblem, TextureSolver
from meshstyle.optimize.total_variation import Smoothness
from meshstyle.progress import ignore
from meshstyle.style.network import make_network
from meshstyle.style.objective import LossTerms, LossWeights, Objective
from meshstyle.style.vgg import VGG19
from meshstyle.style.vgg_weights import CHANNELS, VGGWeights, load_weights
from meshstyle.style.view_objective import ViewObjective
from meshstyle.views.cameras import camera_towards_centre
from meshstyle.views.placement import Placement
from meshstyle.views.raytrace import Tracer
from meshstyle.views.sampling_matrix import SamplingMatrix
from meshstyle.views.sparse_product import Gathered, to_torch
from meshstyle.views.trace_views import trace_views
from meshstyle.views.view import View

GPU = torch.device("meta")
SIDES = Placement(np.array([[0.0, 0.0, 1.0], [0.5, 0.1, 0.8]]), 1.0, 1.0)


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def tracer() -> Tracer:
    surface = make_surface(*quad(), size=(64, 64))
    surface.atlases[0].start[:] = rand(64, 64, 3).numpy()
    return Tracer(surface)


@pytest.fixture(scope="module")
def level(tracer: Tracer, network: VGG19) -> Level:
    painting = rand(1, 3, 40, 40, seed=1)
    objective = ViewObjective(network, painting, LossWeights(1.0, 1000.0, 130.0))
    return build_level(Scale(32, 1), tracer, trace_views(tracer, SIDES, 32), objective, painting)


def random_weights() -> VGGWeights:
    outputs = [channels for channels, count in zip(CHANNELS, BLOCKS, strict=True) for _ in range(count)]
    inputs = [3, *outputs[:-1]]
    kernels = [torch.rand(n, before, 3, 3) for n, before in zip(outputs, inputs, strict=True)]
    return VGGWeights(tuple(kernels), tuple(torch.rand(n) for n in outputs), (0.5, 0.5, 0.5))


class Watch(TorchDispatchMode):
    """Lets nothing but the GPU's tensors take part."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        made = func(*args, **(kwargs or {}))
        for value in tree_leaves((args, kwargs, made)):
            if isinstance(value, torch.Tensor):
                assert value.device == GPU, f"{func} has a tensor on the {value.device}"
        assert "_local_scalar_dense" not in str(func), "a value was read"
        return made


@pytest.fixture
def gpu_problem(
    tracer: Tracer, level: Level, monkeypatch: pytest.MonkeyPatch
) -> tuple[TextureProblem, list[LossTerms]]:
    """The texture's problem at one scale on a GPU that is none; and what is read in its steps."""
    told: list[LossTerms] = []

    def fetch(self: LossTerms, *more: torch.Tensor) -> list[float]:
        assert all(value.device == GPU for value in (self.total, self.figures, *more))
        told.append(self)
        return [0.0] * (4 + len(more))

    monkeypatch.setattr(LossTerms, "fetch", fetch)
    # Pairs are counted once a view, when it is first seen: that reading is left out.
    monkeypatch.setattr(Smoothness, "_count", lambda *_: 1)
    hits = [tracer.view(camera_towards_centre(direction, 32), 2) for direction in SIDES.directions]
    views = [View(SamplingMatrix(hit, tracer, level.texels), GPU) for hit in hits if hit is not None]
    network = VGG19(random_weights(), GPU, precision="fp16", loss_weight=1401.0)
    background, paint = torch.rand(3, device=GPU), torch.rand(level.texels.count, 3, device=GPU)
    with monkeypatch.context() as prepared:
        # Before the first step a few numbers are read. The device has none: any will do.
        prepared.setattr(torch.Tensor, "__float__", lambda _: 0.5)
        painting = torch.rand(1, 3, 32, 32, device=GPU)
        objective = ViewObjective(network, painting, LossWeights(1.0, 1000.0, 130.0, 0.5))
        targets = [objective.target(view, paint[view.texels], background, None) for view in views]
    assert all(target.structure is not None for target in targets)
    there = Level(level.scale, level.texels, paint, views, level.looks, [], targets, background, 1.0)
    smoothness = Smoothness(np.zeros((level.texels.count, 4), np.int64), 1.0, GPU)
    return TextureProblem(paint, AllViews(there), background, objective, smoothness, 2), told


def test_a_step_stays_on_its_device_and_is_read_once(
    gpu_problem: tuple[TextureProblem, list[LossTerms]],
) -> None:
    problem, told = gpu_problem
    adam = Adam(problem.values, (0.5, 0.99))
    with Watch():
        for part in range(problem.parts):
            gradient = problem.gradient(part)
            adam.step(gradient.rows, gradient.gradient, 0.1)
    assert len(told) == problem.parts


def test_the_watch_sees() -> None:
    there = torch.rand(4, device=GPU)
    for mistake in (
        lambda: there.sum() + torch.ones(()),
        lambda: torch.zeros(3),
        lambda: there[torch.tensor([0, 1])],
        lambda: torch.rand(4).to(GPU),
        lambda: float(there.sum()),
    ):
        with pytest.raises((AssertionError, RuntimeError)), Watch():
            mistake()


def test_one_read_gives_all_figures() -> None:
    terms = LossTerms(torch.tensor(5.0, requires_grad=True), torch.tensor([1.0, 2.0, 3.0]))
    assert terms.fetch(torch.tensor(0.5)) == [5.0, 1.0, 2.0, 3.0, 0.5]
    assert (terms.style, terms.content, terms.structure) == (1.0, 2.0, 3.0)


def test_gathering_is_the_sparse_product() -> None:
    """On a device for which torch has no sparse matrices; an empty row and a column that is there twice."""
    entries = (np.array([2, 3, 4], np.float32), np.array([1, 1, 0]), np.array([0, 2, 2, 3]))
    matrix = scipy.sparse.csr_matrix(entries, shape=(3, 2))
    x = rand(2, 3)
    cpu = torch.device("cpu")
    assert torch.allclose(Gathered(matrix, cpu) @ x, torch.stack([5 * x[1], torch.zeros(3), 4 * x[0]]))
    assert torch.allclose(to_torch(matrix, cpu) @ x, Gathered(matrix, cpu) @ x)
    assert isinstance(to_torch(matrix, torch.device("meta")), Gathered)


@pytest.mark.parametrize(
    ("precision", "weight", "off"), [("bf16", 1.0, 0.03), ("fp16", 1e-2, 0.01), ("fp16", 1e5, 0.01)]
)
def test_gradients_through_fewer_bits(precision: str, weight: float, off: float, network: VGG19) -> None:
    """However much the losses weigh: unscaled, 1e-2 would be lost in fp16, and 1e5 beyond its range."""
    picture, painting = rand(1, 3, 32, 32), rand(1, 3, 32, 32, seed=1) ** 2
    found = []
    for used in (network, VGG19(load_weights(), precision=precision, loss_weight=weight)):
        objective = Objective(used, LossWeights(0.0, weight, 0.0))
        leaf = picture.clone().requires_grad_()
        target = objective.content_target(picture, torch.ones(1, 1, 32, 32))
        objective(leaf, objective.style_target(painting), target).total.backward()
        assert leaf.grad is not None
        assert leaf.grad.dtype == torch.float32
        found.append(leaf.grad)
    assert float((found[1] - found[0]).norm() / found[0].norm()) < off


@pytest.mark.parametrize("other", ["bf16", "auto"])
def test_bf16_paints_the_same_picture(other: str, tracer: Tracer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Style loss within 5 %, colours within 0.02 of 1 on average."""
    monkeypatch.setitem(PRESETS, "draft", Preset((Scale(40, 8),), views=2))
    painted, losses = [], []
    for precision in ("float32", other):
        settings = Settings(preset="draft", precision=precision)
        network = make_network(load_weights(), settings, torch.device("cpu"), ignore)
        solution = TextureSolver(tracer, SIDES, rand(1, 3, 48, 48, seed=1) ** 2, network, settings).solve(
            ignore
        )
        assert solution.terms is not None
        painted.append(solution.textures[0])
        losses.append(solution.terms.style)
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
    difference = float((painted[1] - painted[0]).abs().mean())
    # `auto` is float32 where the processor does not multiply bf16.
    assert (difference == 0) == (other == "auto" and not multiplies_bf16())
    assert difference < 0.02
