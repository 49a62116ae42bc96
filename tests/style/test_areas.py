"""Areas with styles of their own: their losses, and what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.gradients import check_gradient
from helpers.quads import rand

from meshstyle.config.model import Settings
from meshstyle.config.styles import parse_styles
from meshstyle.optimize.init import starting_areas
from meshstyle.style.area_objective import area_targets, area_terms
from meshstyle.style.areas import SCALES, STRENGTHS, Area, Areas, Style, _by_region, _hats
from meshstyle.style.objective import LossWeights, Objective, StyleTarget
from meshstyle.style.vgg import VGG19

SIDE = 64


def halves() -> tuple[torch.Tensor, torch.Tensor]:
    """Masks of the left and right halves of a picture."""
    left = torch.zeros(1, 1, SIDE, SIDE)
    left[..., : SIDE // 2] = 1
    return left, 1 - left


def styles(objective: Objective) -> tuple[StyleTarget, StyleTarget]:
    return objective.style_target(rand(1, 3, 48, 48, seed=1)), objective.style_target(
        rand(1, 3, 48, 48, seed=2) ** 3
    )


def test_one_area_that_is_everything_is_the_plain_objective(network: VGG19) -> None:
    objective = Objective(network, LossWeights(1.0, 1000.0, 0.0))
    original, picture, whole = (
        rand(1, 3, SIDE, SIDE),
        rand(1, 3, SIDE, SIDE, seed=3),
        torch.ones(1, 1, SIDE, SIDE),
    )
    target, (style, _) = objective.content_target(original, whole), styles(objective)
    areas = area_targets(objective, original, target, [(whole, style, 1.0)])
    plain, found = objective(picture, style, target), area_terms(objective, picture, target, areas)
    assert float(found.total) == pytest.approx(float(plain.total), rel=1e-5)
    assert found.style == pytest.approx(plain.style, rel=1e-5)


def test_each_area_is_beside_its_own_style_by_its_share(network: VGG19) -> None:
    """A quarter of the picture in one style and the rest in the other."""
    objective = Objective(network, LossWeights(0.0, 1.0, 0.0))
    picture, (one, other) = rand(1, 3, SIDE, SIDE), styles(objective)
    quarter = torch.zeros(1, 1, SIDE, SIDE)
    quarter[..., : SIDE // 4] = 1
    target = objective.content_target(picture, torch.ones(1, 1, SIDE, SIDE))
    areas = area_targets(objective, picture, target, [(quarter, one, 1.0), (1 - quarter, other, 1.0)])
    assert [area.share for area in areas] == [0.25, 0.75]
    alone = []
    for mask, style in ((quarter, one), (1 - quarter, other)):
        alone.append(float(objective(picture, style, objective.content_target(picture, mask)).total))
    total = float(area_terms(objective, picture, target, areas).total)
    assert total == pytest.approx(0.25 * alone[0] + 0.75 * alone[1], rel=1e-4)


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_the_gradient_is_that_of_the_loss(network: VGG19, strength: float) -> None:
    objective = Objective(network, LossWeights(0.0, 1.0, 0.0))
    original, (one, other), (left, right) = rand(1, 3, SIDE, SIDE), styles(objective), halves()
    target = objective.content_target(original, torch.ones(1, 1, SIDE, SIDE))
    areas = area_targets(objective, original, target, [(left, one, 1.0), (right, other, strength)])
    check_gradient(lambda x: area_terms(objective, x, target, areas).total, rand(1, 3, SIDE, SIDE, seed=5))


def test_an_area_of_no_strength_pulls_nothing(network: VGG19) -> None:
    """Beyond what the network sees across the border, the half without a style has no gradient."""
    objective = Objective(network, LossWeights(0.0, 1.0, 0.0), ("relu1_1", "relu2_1"))
    picture, (one, _), (left, _) = rand(1, 3, SIDE, SIDE).requires_grad_(True), styles(objective), halves()
    target = objective.content_target(picture.detach(), torch.ones(1, 1, SIDE, SIDE))
    area_terms(
        objective, picture, target, area_targets(objective, picture, target, [(left, one, 1.0)])
    ).total.backward()
    assert picture.grad is not None
    assert float(picture.grad[..., : SIDE // 2].abs().max()) > 0
    assert float(picture.grad[..., SIDE // 2 + 8 :].abs().max()) == 0


def test_a_picture_without_painted_areas_has_no_style_loss(network: VGG19) -> None:
    objective = Objective(network, LossWeights(0.0, 1.0, 0.0))
    picture = rand(1, 3, SIDE, SIDE).requires_grad_(True)
    target = objective.content_target(picture.detach(), torch.ones(1, 1, SIDE, SIDE))
    terms = area_terms(objective, picture, target, ())
    terms.total.backward()
    assert float(terms.total.detach()) == 0
    assert picture.grad is not None
    assert float(picture.grad.abs().max()) == 0


def test_styles_of_one_place_are_mixed_and_others_apart() -> None:
    requests = parse_styles("a + b + c:part=x:strength=0.5")
    found = [Style(request, torch.full((1, 3, 4, 4), number / 2)) for number, request in enumerate(requests)]
    base, regions = _by_region(found, Settings(style_weights=(3, 1, 1), strength=0.8))
    assert base is not None
    assert base.shares == (0.75, 0.25)
    assert base.strength == 0.8
    (area,) = regions.values()
    assert area.strength == pytest.approx(0.4)
    assert torch.equal(area.paintings[0], found[2].painting)


@pytest.mark.parametrize("knots", [STRENGTHS, SCALES])
def test_maps_become_knots_that_sum_to_one(knots: tuple[float, ...]) -> None:
    values = np.array([0, 0.25, 0.5, 1], np.float32)
    hats = _hats(values, len(knots))
    assert np.sum(hats, axis=0).tolist() == [1, 1, 1, 1]
    assert [hat.tolist() for hat in hats] == [[1, 0.5, 0, 0], [0, 0.5, 1, 0], [0, 0, 0, 1]]


def test_each_area_begins_in_its_own_colours() -> None:
    """Red on the first half of the texels, blue on the second, and the original where nothing is painted."""
    red, blue = torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16)
    red[:, 0], blue[:, 2] = 0.8, 0.8
    areas = Areas(
        (Area((red,), (1.0,)), Area((blue,), (1.0,)), Area((), (), 0.0)),
        tuple((np.ones((2, 2), np.float32),) for _ in range(3)),
    )
    rows = torch.eye(3).repeat_interleave(50, 0)
    original = torch.full((150, 3), 0.5)
    generator = torch.Generator().manual_seed(0)
    found = starting_areas("color-matched", original, torch.ones(150), areas, rows, generator)
    assert float(found[:50, 0].mean()) > 0.6 > 0.3 > float(found[:50, 2].mean())
    assert float(found[50:100, 2].mean()) > 0.6 > 0.3 > float(found[50:100, 0].mean())
    assert torch.equal(found[100:], original[100:])


def test_texels_take_the_strength_of_their_areas() -> None:
    painting = torch.zeros(1, 3, 16, 16)
    maps = ((np.array([[1, 0]], np.float32),), (np.array([[0, 1]], np.float32),))
    areas = Areas((Area((painting,), (1.0,), 0.5), Area((), (), 0.0)), maps)
    (found,) = areas.strength_maps([(1, 2)])  # type: ignore[misc]
    assert found.tolist() == [[0.5, 0.0]]
    assert Areas((Area((painting,), (1.0,), 0.5),)).strength_maps([(1, 2)]) == 0.5
