"""The losses: values worked out by hand, and gradients against finite differences."""

from __future__ import annotations

import pytest
import torch

from meshstyle.style.losses import (
    content_loss,
    correlation,
    luminance_blocks,
    masked_gram,
    shrink_mask,
    structure_loss,
    style_loss,
)


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_gram_is_the_mean_of_outer_products_over_the_mask() -> None:
    # Two pixels with features (1, 2) and (3, 4), the second one half covered:
    # G = (1·[1 2; 2 4] + ½·[9 12; 12 16]) / 1.5
    features = torch.tensor([[[[1.0, 3.0]], [[2.0, 4.0]]]])
    gram = masked_gram(features, torch.tensor([[[[1.0, 0.5]]]]))
    assert torch.allclose(gram, torch.tensor([[5.5, 8.0], [8.0, 12.0]]) / 1.5)


def test_background_never_enters_the_gram() -> None:
    features, mask = rand(1, 4, 6, 6), torch.zeros(1, 1, 6, 6, dtype=torch.float64)
    mask[..., 2:4, 2:4] = 1
    changed = features.clone()
    changed[mask.expand_as(features) == 0] = 1e6
    assert torch.equal(masked_gram(features, mask), masked_gram(changed, mask))


def test_style_loss_is_relative() -> None:
    target = torch.tensor([[3.0, 0.0], [0.0, 4.0]])  # ‖·‖² = 25
    assert style_loss(target, target) == 0
    assert style_loss(torch.zeros(2, 2), target) == 1
    assert style_loss(2 * target, 2 * target + torch.eye(2)) == pytest.approx(2 / (49 + 81))


def test_content_loss_by_hand() -> None:
    target = torch.tensor([[[[2.0, 1.0]]]])
    features = torch.tensor([[[[3.0, 100.0]]]])
    mask = torch.tensor([[[[1.0, 0.0]]]])
    assert content_loss(features, target, mask) == pytest.approx(1 / 4)


def test_mask_shrinks_to_coverage() -> None:
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2, :3] = 1
    assert torch.equal(shrink_mask(mask, 2, 2), torch.tensor([[[[1.0, 0.5], [0.0, 0.0]]]]))


def test_correlation_of_a_line_is_one_and_of_its_mirror_minus_one() -> None:
    a = torch.arange(8.0).view(1, 1, 2, 4)
    inside = torch.ones_like(a)
    assert float(correlation(a, 3 * a + 2, inside)) == pytest.approx(1, abs=1e-4)
    assert float(correlation(a, -a, inside)) == pytest.approx(-1, abs=1e-4)


def test_correlation_of_a_flat_picture_is_nought_and_has_a_finite_gradient() -> None:
    flat = torch.full((1, 1, 2, 2), 0.5, requires_grad=True)
    value = correlation(flat, torch.rand(1, 1, 2, 2), torch.ones(1, 1, 2, 2))
    value.backward()
    assert float(value.detach()) == 0
    assert flat.grad is not None
    assert torch.isfinite(flat.grad).all()


def test_structure_ignores_colour_but_not_light() -> None:
    ramp = torch.linspace(0, 1, 16)
    original = rand(1, 3, 16, 16).float() * 0.5 + 0.5 * ramp.view(1, 1, 16, 1) * ramp
    mask = torch.ones(1, 1, 16, 16)
    assert float(structure_loss(original, original, mask)) == pytest.approx(0, abs=2e-3)
    # A grey of the same luminance keeps the structure, its negative turns it over.
    grey, _ = luminance_blocks(original, mask, 1)
    assert float(structure_loss(grey.expand(1, 3, 16, 16), original, mask)) == pytest.approx(0, abs=2e-3)
    assert float(structure_loss(1 - original, original, mask)) == pytest.approx(2, abs=4e-3)


def test_blocks_that_reach_over_the_silhouette_do_not_count() -> None:
    mask = torch.ones(1, 1, 8, 8)
    mask[..., 7] = 0
    _, inside = luminance_blocks(torch.rand(1, 3, 8, 8), mask, 4)
    assert torch.equal(inside, torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]]))


def test_gradients_of_every_loss() -> None:
    mask = rand(1, 1, 8, 8, seed=1)
    mask[..., :6, :6] = 1
    features, other = rand(1, 3, 8, 8, seed=2).requires_grad_(True), rand(1, 3, 8, 8, seed=3)
    target = masked_gram(other, mask)
    assert torch.autograd.gradcheck(lambda f: masked_gram(f, mask), features)
    assert torch.autograd.gradcheck(lambda f: style_loss(masked_gram(f, mask), target), features)
    assert torch.autograd.gradcheck(lambda f: content_loss(f, other, mask), features)
    assert torch.autograd.gradcheck(
        lambda f: structure_loss(f, other, torch.ones_like(mask), (2, 4)), features
    )
