"""The losses of a view: at which sizes, beside which painting, and that gradients are theirs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from helpers.gradients import check_gradient
from helpers.quads import rand
from helpers.surfaces import CPU, front, make_surface, quad

from meshstyle.io.types import Wrap
from meshstyle.style.color_range import burnt, lightest
from meshstyle.style.objective import LossWeights, Objective, fit_short_side
from meshstyle.style.vgg import VGG19
from meshstyle.style.view_objective import HeldColours, StyleImagePyramid, ViewObjective, smaller
from meshstyle.views.raytrace import Tracer
from meshstyle.views.sampling_matrix import SamplingMatrix, TexelTable
from meshstyle.views.stroke_direction import UP, UPRIGHT
from meshstyle.views.training_views import WholeView
from meshstyle.views.view import View

BACKGROUND = torch.tensor([0.2, 0.3, 0.4])


def view_of(size: int) -> View:
    """The whole square, upright."""
    tracer = Tracer(make_surface(*quad(), size=(48, 48)))
    hits = WholeView(0, front(size), size).trace(tracer, 2, UP)
    assert hits is not None
    return View(
        SamplingMatrix(hits, tracer, TexelTable([np.ones((48, 48), bool)], [(Wrap.REPEAT, Wrap.REPEAT)])), CPU
    )


# --- the painting ---


def half(first: int) -> torch.Tensor:
    """Red and blue halves, red on top; turned counter-clockwise by so many quarters."""
    picture = torch.zeros(1, 3, 32, 32)
    picture[:, 0, :16] = 1
    picture[:, 2, 16:] = 1
    return torch.rot90(picture, first, (2, 3)).contiguous()


def one(quarter: int) -> np.ndarray:
    return np.eye(4)[quarter]


def test_a_quarter_turn_is_clockwise(network: VGG19) -> None:
    """Red on top comes to lie on the right, where a quarter the other way would have it on the left."""
    objective = Objective(network, LossWeights(0, 1, 0))
    painting = StyleImagePyramid(half(0))
    right, left = half(0), half(0)
    right[:, 0] = left[:, 2] = torch.cat([torch.zeros(32, 16), torch.ones(32, 16)], 1)
    right[:, 2] = left[:, 0] = torch.cat([torch.ones(32, 16), torch.zeros(32, 16)], 1)
    for quarter, wanted in ((0, half(0)), (1, right), (2, half(2)), (3, left)):
        found = painting.target(objective, 32, one(quarter)).grams
        for name, gram in objective.style_target(wanted).grams.items():
            assert torch.equal(found[name], gram)
    # The features tell one from the other, or this would say nothing.
    apart = (
        painting.target(objective, 32, one(1)).grams["relu2_1"]
        - painting.target(objective, 32, one(3)).grams["relu2_1"]
    )
    assert float(apart.norm()) > 0.01 * float(painting.target(objective, 32, one(1)).grams["relu2_1"].norm())


def test_several_turns_are_asked_for_by_their_shares(network: VGG19) -> None:
    objective = Objective(network, LossWeights(0, 1, 0), ("relu1_1", "relu2_1"))
    painting = StyleImagePyramid(rand(1, 3, 32, 40))
    mixed = painting.target(objective, 32, np.array([0.5, 0.25, 0.0, 0.25])).grams
    alone = [painting.target(objective, 32, one(quarter)).grams for quarter in range(4)]
    for name, gram in mixed.items():
        mean = 0.5 * alone[0][name] + 0.25 * alone[1][name] + 0.25 * alone[3][name]
        assert torch.allclose(gram, mean, rtol=1e-5, atol=1e-6)


def test_each_size_has_the_painting_at_that_size(network: VGG19) -> None:
    """A view of 96 pixels is looked at as it is and halved; a quarter of it, 24 pixels, shows nothing."""
    painting, weights = rand(1, 3, 120, 150), LossWeights(1.0, 1000.0, 0.0)
    view = view_of(96)
    assert view.style_size == 96
    assert view.turns == pytest.approx(UPRIGHT)
    objective = ViewObjective(network, painting, weights)
    target = objective.target(view, rand(len(view.texels), 3), BACKGROUND, None)
    assert target.structure is None
    assert [level.factor for level in target.levels] == [1, 2]
    plain = Objective(network, LossWeights(0, 1, 0))
    for level, size in zip(target.levels, (96, 48), strict=True):
        for name, gram in plain.style_target(fit_short_side(painting, size)).grams.items():
            assert torch.allclose(level.style.grams[name], gram, rtol=1e-5)
    # Content counts on the largest alone.
    assert [bool(level.target.features) for level in target.levels] == [True, False]
    assert target.levels[1].target.mask.shape[-2:] == smaller(view.mask, 2).shape[-2:]


def test_smaller_pictures_are_means() -> None:
    picture = rand(1, 3, 32, 48)
    assert smaller(picture, 1) is picture
    assert torch.allclose(smaller(picture, 2), picture.view(1, 3, 16, 2, 24, 2).mean((3, 5)), atol=1e-6)
    assert tuple(smaller(rand(1, 3, 88, 40), 4).shape) == (1, 3, 16, 16)  # multiples of 8, two at the least


# --- the painting's range ---


def test_lights_are_what_is_whiter_than_nearly_all_of_a_painting() -> None:
    """A hundredth of it is of whiteness 0.8, the rest of 0.6: 99.5 % of it are not whiter than 0.8. What is whiter
    still, in a thousandth of it, does not count."""
    painting = torch.full((1, 3, 100, 100), 0.6)
    painting[..., :1, :] = 0.8
    painting[..., 0, :10] = 0.9
    assert lightest(painting) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("colour", "limit"), [((0.0, 0.0, 0.0), 0.5), ((1.0, 0.9, 0.1), 0.5), ((1.0, 1.0, 1.0), 0.96)]
)
def test_the_limit_is_never_very_low_nor_white(colour: tuple[float, ...], limit: float) -> None:
    """Yellow, however bright, is not white."""
    assert lightest(torch.tensor(colour).view(1, 3, 1, 1).expand(1, 3, 20, 20)) == pytest.approx(limit)


def test_burnt_is_what_is_whiter_than_the_limit() -> None:
    paint = torch.full((1, 3, 2, 4), 0.4)
    paint[..., 0, 0] = 0.9  # by 0.3
    paint[..., 0, 1] = torch.tensor([1.0, 1.0, 0.7])  # by 0.1
    paint[..., 0, 2] = torch.tensor([1.0, 1.0, 0.6])  # by nothing
    paint[..., 1, 3] = 1.0  # beside the surface
    mask = torch.ones(1, 1, 2, 4)
    mask[..., 3] = 0
    assert float(burnt(paint, mask, 0.6)) == pytest.approx((0.3**2 + 0.1**2) / 6, rel=1e-5)


def test_gradient_of_burnt() -> None:
    paint, mask = rand(1, 3, 6, 6).double().requires_grad_(True), rand(1, 1, 6, 6, seed=1).double()
    assert float(burnt(paint.detach(), mask, 0.3)) > 0
    assert torch.autograd.gradcheck(lambda x: burnt(x, mask, 0.3), (paint,))


# --- the colours that windows hold ---


def test_held_are_mean_colours_and_nothing_finer() -> None:
    picture, mask = torch.full((1, 3, 8, 8), 0.5), torch.ones(1, 1, 8, 8)
    held = HeldColours(picture, mask, 4)
    checker = 2.0 * (torch.arange(8)[:, None] + torch.arange(8) & 1) - 1
    assert float(held(picture + 0.3 * checker)) == pytest.approx(0, abs=1e-9)
    moved = picture.clone()
    moved[:, 0, :4, :4] += 0.1  # one of three channels in one of four squares
    assert float(held(moved)) == pytest.approx(0.1**2 / 12, rel=1e-4)


def test_held_colours_are_those_of_the_surface() -> None:
    """Half of one square is surface: it counts half, and what lies beside the surface not at all."""
    picture, mask = torch.full((1, 3, 4, 8), 0.5), torch.ones(1, 1, 4, 8)
    mask[..., :2, :4] = 0
    held = HeldColours(picture, mask, 4)
    moved = picture.clone()
    moved[..., :2, :4] = 0.9
    assert float(held(moved)) == pytest.approx(0, abs=1e-9)
    moved[..., 2:, :4] += 0.2  # all channels, in a square that counts ½ of 1½
    assert float(held(moved)) == pytest.approx(0.2**2 / 3, rel=1e-4)


def test_gradient_of_held_colours() -> None:
    mask = rand(1, 1, 8, 8, seed=1).double()
    held = HeldColours(rand(1, 3, 8, 8).double(), mask, 4)
    picture = rand(1, 3, 8, 8, seed=2).double().requires_grad_(True)
    assert torch.autograd.gradcheck(held, (picture,))


# --- all of it ---


@pytest.mark.parametrize(
    "weights",
    [
        LossWeights(0.0, 1000.0, 0.0),
        LossWeights(50.0, 1000.0, 0.0),
        LossWeights(0.0, 1.0, 130.0),
        LossWeights(5.0, 1000.0, 130.0, 0.6),
    ],
    ids=["style", "content", "structure", "all"],
)
def test_gradient_is_the_derivative_through_what_views_show(network: VGG19, weights: LossWeights) -> None:
    """Of everything, through the mixing of light, the headlight and the background. The painting is dark, so that some
    of the paint is burnt."""
    view = view_of(96)
    objective = ViewObjective(network, 0.5 * rand(1, 3, 64, 64, seed=3), weights)
    original = rand(len(view.texels), 3, seed=4)
    target = objective.target(view, original, BACKGROUND, None)
    paint = 0.35 + 0.4 * rand(len(view.texels), 3, seed=5)
    _, bare = view.pictures(view.sample(paint), BACKGROUND)
    assert float(burnt(bare, view.mask, 0.5)) > 0

    def total(texels: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = objective(*view.pictures(view.sample(texels), BACKGROUND), target).total
        return found

    check_gradient(total, paint)


def test_terms_add_up(network: VGG19) -> None:
    """σ·structure and 5·β·burnt come on top of the mean over sizes of β·style."""
    view, painting = view_of(96), 0.5 * rand(1, 3, 64, 64, seed=3)
    original, paint = rand(len(view.texels), 3, seed=4), rand(len(view.texels), 3, seed=5)
    totals = {}
    shown = view.pictures(view.sample(paint), BACKGROUND)
    for style, structure in itertools.product((0.0, 2.0), (0.0, 130.0)):
        objective = ViewObjective(network, painting, LossWeights(0.0, style, structure))
        target = objective.target(view, original, BACKGROUND, None)
        totals[style, structure] = float(objective(*shown, target).total)
    assert totals[0.0, 0.0] == 0
    assert totals[0.0, 130.0] > 1
    assert totals[2.0, 130.0] == pytest.approx(totals[2.0, 0.0] + totals[0.0, 130.0], rel=1e-5)
    objective = ViewObjective(network, painting, LossWeights(0.0, 2.0, 0.0))
    target = objective.target(view, original, BACKGROUND, None)
    plain = Objective(network, LossWeights(0.0, 1.0, 0.0))
    styles = [
        float(plain(smaller(shown[0], level.factor), level.style, level.target).total)
        for level in target.levels
    ]
    excess = float(burnt(shown[1], view.mask, lightest(painting)))
    assert totals[2.0, 0.0] == pytest.approx(2 * float(np.mean(styles)) + 5 * 2 * excess, rel=1e-4)
    # The style that is told is the geometric mean over sizes.
    assert objective(*shown, target).style == pytest.approx(float(np.exp(np.mean(np.log(styles)))), rel=1e-4)


def test_structure_is_told_as_correlation(network: VGG19) -> None:
    view = view_of(96)
    objective = ViewObjective(network, rand(1, 3, 64, 64, seed=3), LossWeights(0.0, 1000.0, 130.0))
    row, column = (
        view.texels // 48 // 12,
        view.texels % 48 // 12,
    )  # squares of many pixels: hardly any shows two
    original = (0.3 + 0.4 * ((row + column) % 2))[:, None].expand(-1, 3).contiguous()
    target = objective.target(view, original, BACKGROUND, None)
    for paint, structure in ((original, 1.0), (1 - original, -1.0)):
        terms = objective(*view.pictures(view.sample(paint), BACKGROUND), target)
        assert terms.structure == pytest.approx(structure, abs=0.05)
        assert np.isnan(terms.content)
