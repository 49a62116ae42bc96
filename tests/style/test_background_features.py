"""Views before a background of one colour: what is not made must not matter."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from meshstyle.kernels.winograd import Tiles, WinogradConvolution, Work
from meshstyle.style.background_features import (
    BackgroundFeatures,
    ViewBackground,
    _needed,
    _reached,
    work_for,
)
from meshstyle.style.objective import ContentTarget, LossWeights, Objective, StyleTarget
from meshstyle.style.vgg import VGG19
from meshstyle.style.vgg_weights import load_weights

BACKGROUND = torch.tensor([0.2, 0.5, 0.7])
TO_RELU2_1 = ("relu1_1", "relu1_2", "relu2_1")


@pytest.fixture(scope="module")
def network() -> VGG19:
    """Winograd's algorithm on every layer, however small."""
    return VGG19(load_weights(), convolution="winograd")


def blob(height: int, width: int, seed: int) -> np.ndarray:
    """A few rectangles."""
    rng, found = np.random.default_rng(seed), np.zeros((height, width), bool)
    for _ in range(3):
        top, left = rng.integers(0, height - 8), rng.integers(0, width - 8)
        found[top : top + rng.integers(4, height // 2), left : left + rng.integers(4, width // 3)] = True
    return found


def test_what_a_pixel_reaches() -> None:
    """One cell further with each convolution; and from the second on all of the border is unlike the inside."""
    painted = np.zeros((32, 40), bool)
    painted[15, 20] = True
    found = _reached(TO_RELU2_1, painted)
    one = np.zeros_like(painted)
    one[14:17, 19:22] = True
    assert np.array_equal(found["relu1_1"], one)
    two = np.zeros_like(painted)
    two[13:18, 18:23] = True
    two[[0, -1]] = two[:, [0, -1]] = True
    assert np.array_equal(found["relu1_2"], two)
    three = np.zeros((16, 20), bool)
    three[5:10, 8:13] = True  # rows 13 to 17 are cells 6 to 8, columns 18 to 22 cells 9 to 11
    three[[0, 1, -2, -1]] = three[:, [0, 1, -2, -1]] = True
    assert np.array_equal(found["relu2_1"], three)


def test_what_reaches_a_cell() -> None:
    shapes = {name: np.zeros((32, 40) if "1_" in name else (16, 20), bool) for name in TO_RELU2_1}
    counted = {"relu1_1": np.zeros((32, 40), bool), "relu2_1": np.zeros((16, 20), bool)}
    counted["relu2_1"][5, 7] = True
    counted["relu1_1"][30, 2] = True
    found = _needed(TO_RELU2_1, shapes, counted)
    assert np.argwhere(found["relu2_1"]).tolist() == [[5, 7]]
    pooled = np.zeros((32, 40), bool)
    pooled[8:14, 12:18] = True  # cells 4 to 6 and 6 to 8, of two pixels each
    assert np.array_equal(found["relu1_2"], pooled)
    first = np.zeros((32, 40), bool)
    first[7:15, 11:19] = first[30, 2] = True
    assert np.array_equal(found["relu1_1"], first)


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("shape", [(24, 40), (17, 10)])
@pytest.mark.usefixtures("threads")
def test_active_tiles_are_made_and_idle_ones_filled(pooled: bool, shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    kernel, bias = torch.randn(32, 16, 3, 3, generator=generator), torch.randn(32, generator=generator)
    layer = WinogradConvolution(kernel, bias)
    x = torch.randn(1, 16, *shape, generator=generator)
    rows, columns = -(-shape[0] // 4), -(-shape[1] // 4)
    active = np.random.default_rng(1).random(rows * columns) < 0.4
    ground = torch.arange(32.0)
    forward = Tiles(np.flatnonzero(active), np.flatnonzero(~active), ground)
    back = Tiles(forward.idle, forward.active, torch.empty(0))
    ours, theirs = (x.clone().requires_grad_(True) for _ in range(2))
    made, whole = layer(ours, pooled, Work(forward, back)), layer(theirs, pooled)
    of_pixel = torch.from_numpy(active.reshape(rows, columns)).repeat_interleave(4, 0).repeat_interleave(4, 1)
    size = made.shape[2:]
    shown = of_pixel[::2, ::2] if pooled else of_pixel
    there = shown[: size[0], : size[1]]
    assert torch.allclose(made[..., there], whole[..., there], atol=1e-4)
    assert torch.equal(made[..., ~there], ground[None, :, None].expand(1, 32, int((~there).sum())))
    # Gradients from what was made, as none come from elsewhere.
    factor = torch.randn(made.shape, generator=generator) * there
    (made * factor).sum().backward()
    (whole * factor).sum().backward()
    assert ours.grad is not None
    assert theirs.grad is not None
    wanted = ~of_pixel[: shape[0], : shape[1]]
    assert torch.allclose(ours.grad[..., wanted], theirs.grad[..., wanted], rtol=1e-3, atol=1e-3)
    assert float(ours.grad[..., ~wanted].abs().max()) == 0


@pytest.mark.parametrize(("height", "width"), [(128, 96), (200, 144), (64, 64)])
@pytest.mark.parametrize("whole", [True, False], ids=["all that is painted counts", "a part of it counts"])
def test_what_counts_is_the_same_and_so_is_its_gradient(
    height: int, width: int, whole: bool, network: VGG19
) -> None:
    objective = Objective(network, LossWeights(5.0, 1000.0, 400.0), content_layers=("relu4_1",))
    ground = BackgroundFeatures.of(network, BACKGROUND, objective.layers)
    assert ground is not None
    generator = torch.Generator().manual_seed(height)
    painted = blob(height, width, height)
    counts = painted if whole else painted & (np.arange(width) < width // 2)
    on = torch.from_numpy(painted)
    style = objective.style_target(torch.rand(1, 3, 96, 96, generator=generator))

    def over(colours: torch.Tensor) -> torch.Tensor:
        return torch.where(on, colours, BACKGROUND.view(1, 3, 1, 1)).contiguous()

    original, paint = (torch.rand(1, 3, height, width, generator=generator) for _ in range(2))
    mask = torch.from_numpy(counts.astype(np.float32))[None, None]
    plain = objective.content_target(over(original), mask)
    sparse = objective.content_target(over(original), mask, backdrop=ViewBackground(ground, painted))
    assert sparse.work is not None
    idle = sum(len(work.forward.idle) for work in sparse.work.values())
    assert idle > 0
    (ours, gradient), (theirs, wanted) = (judged(objective, paint, over, style, t) for t in (sparse, plain))
    assert torch.allclose(ours, theirs, rtol=1e-5)
    # Rounding turns a few of millions of rectifiers: so much between torch and Winograd's algorithm too.
    assert float((gradient - wanted).norm()) < 3e-3 * float(wanted.norm())


@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_what_memory_held_before_does_not_matter(precision: str) -> None:
    """Gradients to the last bit: tiles that nobody makes must not be read, not even to be rounded away."""
    network = VGG19(load_weights(), convolution="winograd", precision=precision)
    objective = Objective(network, LossWeights(5.0, 1000.0, 400.0), content_layers=("relu4_1",))
    generator = torch.Generator().manual_seed(0)
    painted = blob(96, 64, 1)
    mask, on = torch.from_numpy(painted.astype(np.float32))[None, None], torch.from_numpy(painted)
    paint = torch.rand(1, 3, 96, 64, generator=generator)
    style = objective.style_target(torch.rand(1, 3, 96, 96, generator=generator))
    ground = BackgroundFeatures.of(network, BACKGROUND, objective.layers)
    assert ground is not None

    def over(colours: torch.Tensor) -> torch.Tensor:
        return torch.where(on, colours, BACKGROUND.view(1, 3, 1, 1)).contiguous()

    gradients = []
    for number in range(6):
        for channels in (64, 128, 256, 512):  # such as the maps are, given back full of something else
            torch.full((1, channels, 96, 64), 3.0 * number).to(torch.uint8 if number % 2 else torch.float32)
        target = objective.content_target(over(paint), mask, backdrop=ViewBackground(ground, painted))
        gradients.append(judged(objective, paint, over, style, target)[1])
    assert all(torch.equal(gradient, gradients[0]) for gradient in gradients)


def judged(
    objective: Objective, paint: torch.Tensor, over: object, style: StyleTarget, target: ContentTarget
) -> tuple[torch.Tensor, torch.Tensor]:
    """The figures, and the gradient in the paint, which the background has no part in."""
    assert callable(over)
    leaf = paint.clone().requires_grad_(True)
    terms = objective(over(leaf), style, target)
    terms.total.backward()
    assert leaf.grad is not None
    return torch.cat([terms.total.detach().reshape(1), terms.figures]), leaf.grad


def test_nothing_on_a_background_is_a_picture_of_ground(network: VGG19) -> None:
    ground = BackgroundFeatures.of(network, BACKGROUND, ["relu3_1"])
    assert ground is not None
    assert ground.layers[-1] == "relu3_1"
    flat = BACKGROUND.view(1, 3, 1, 1).expand(1, 3, 96, 96).contiguous()
    found = network.features(flat, ground.layers)
    for name, values in ground.values.items():
        side = found[name].shape[2]
        assert torch.allclose(found[name][0, :, side // 2, side // 2 - 1], values, atol=1e-4)
    nothing = np.zeros((96, 96), bool)
    counted = {"relu3_1": np.zeros((24, 24), bool)}
    for work in work_for(ground, nothing, counted).values():
        assert len(work.forward.active) == 0


def test_where_it_is_of_no_use_everything_is_made(network: VGG19) -> None:
    assert (
        BackgroundFeatures.of(VGG19(load_weights()), BACKGROUND, ["relu4_1"]) is None
    )  # torch makes everything
    assert (
        BackgroundFeatures.of(network, BACKGROUND, ["relu5_1"]) is None
    )  # sees farther than the picture of ground is
