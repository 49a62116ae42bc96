"""The term that holds frames together: values worked out on paper, and its gradient against differences."""

from __future__ import annotations

import pytest
import torch
from helpers.gradients import check_against_differences

from meshstyle.video.temporal_loss import TemporalTarget, combined, mixed, temporal_loss


def target(color: float, weight: list[float]) -> TemporalTarget:
    """One row of pixels of one color."""
    return TemporalTarget(torch.full((1, 3, 1, len(weight)), color), torch.tensor(weight).view(1, 1, 1, -1))


def test_value_by_hand() -> None:
    """Two pixels, D = 6 numbers: γ/D · (1·3·0.2² + 0.5·3·0.1²) = 10/6 · 0.135."""
    values = torch.tensor([[0.7] * 3, [0.6] * 3])
    value, gradient = temporal_loss(values, target(0.5, [1.0, 0.5]), torch.arange(2), 10.0)
    assert float(value) == pytest.approx(10 / 6 * 0.135)
    expected = torch.tensor([[2 * 10 / 6 * 0.2] * 3, [2 * 10 / 6 * 0.5 * 0.1] * 3])
    assert torch.allclose(gradient, expected)


def test_only_the_pixels_that_are_painted_are_held() -> None:
    """The second of two; the other one still counts in D."""
    value, _ = temporal_loss(torch.tensor([[0.6] * 3]), target(0.5, [1.0, 1.0]), torch.tensor([1]), 6.0)
    assert float(value) == pytest.approx(6 / 6 * 3 * 0.01)


def test_gradient_is_that_of_the_value() -> None:
    random = torch.Generator().manual_seed(0)
    held = TemporalTarget(torch.rand(1, 3, 4, 5, generator=random), torch.rand(1, 1, 4, 5, generator=random))
    rows = torch.tensor([0, 3, 7, 19])
    values = torch.rand(4, 3, generator=random)
    _, gradient = temporal_loss(values, held, rows, 100.0)
    check_against_differences(
        lambda x: float(temporal_loss(x, held, rows, 100.0)[0]), values, gradient, rel=1e-3
    )


def test_a_frame_that_tells_nothing_holds_nothing() -> None:
    value, gradient = temporal_loss(
        torch.rand(3, 3), combined([target(0.5, [0.0] * 3)]), torch.arange(3), 1e6
    )
    assert float(value) == 0
    assert not gradient.any()


def test_the_first_counts_and_others_fill_in() -> None:
    """Weights 1, 0.5, 0 of the first; the second has 0.8 everywhere: it adds 0, 0.3, 0.8."""
    found = combined([target(0.2, [1.0, 0.5, 0.0]), target(0.6, [0.8, 0.8, 0.8])])
    assert torch.allclose(found.weight.flatten(), torch.tensor([1.0, 0.8, 0.8]))
    assert torch.allclose(found.colors[0, 0, 0], torch.tensor([0.2, (0.5 * 0.2 + 0.3 * 0.6) / 0.8, 0.6]))


def test_all_count_by_share_and_reliability() -> None:
    """Shares 2 and 1; where the second cannot be relied on the first alone counts."""
    found = mixed([target(0.2, [1.0, 1.0]), target(0.8, [1.0, 0.0])], [2.0, 1.0])
    assert torch.allclose(found.weight.flatten(), torch.tensor([1.0, 1.0]))
    assert torch.allclose(found.colors[0, 0, 0], torch.tensor([0.4, 0.2]))


def test_colors_over_a_picture_by_their_weight() -> None:
    found = target(1.0, [0.0, 0.25, 1.0]).over(torch.zeros(1, 3, 1, 3))
    assert torch.allclose(found[0, 0, 0], torch.tensor([0.0, 0.25, 1.0]))
