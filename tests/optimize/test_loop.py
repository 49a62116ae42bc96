"""Steps of the way down: in which order parts are looked at, and rows that are held."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from helpers.quads import rand

from meshstyle.config.model import Scale
from meshstyle.optimize.loop import Clock, Gradient, Terms, descend, in_rounds
from meshstyle.progress import ignore


class Downhill:
    """All channels want to be less, all alike; rows as free as they are said to be."""

    parts, even = 1, 1

    def __init__(self, values: torch.Tensor, freedom: torch.Tensor | None) -> None:
        self.values, self._freedom = values, freedom

    def gradient(self, part: int) -> Gradient:
        rows = torch.tensor([1, 2, 4])
        return Gradient(rows, torch.ones(3, 3), Terms(1.0, 1.0, np.nan, np.nan), self._freedom)

    def order(self, scale: Scale, shuffle: np.random.Generator) -> Iterator[tuple[int, float]]:
        yield from [(0, 0.02)] * scale.steps


@pytest.mark.parametrize("steps", [1, 3])
def test_rows_move_as_far_as_they_are_free(steps: int) -> None:
    """Adam's steps are as long as the rate where all gradients are alike."""
    values = 0.5 + 0.4 * rand(5, 3)
    before = values.clone()
    problem, scale = Downhill(values, torch.tensor([[0.0], [0.5], [1.0]])), Scale(8, steps)
    descend(problem, scale, "adam", np.random.default_rng(0), Clock([scale], ignore))
    assert torch.equal(values[[0, 1, 3]], before[[0, 1, 3]])
    assert torch.allclose(before[2] - values[2], torch.tensor(0.5 * 0.02 * steps), atol=1e-5)
    assert torch.allclose(before[4] - values[4], torch.tensor(0.02 * steps), atol=1e-5)


def test_without_a_say_all_are_free() -> None:
    values = 0.5 + 0.4 * rand(5, 3)
    before = values.clone()
    scale = Scale(8, 1)
    descend(Downhill(values, None), scale, "adam", np.random.default_rng(0), Clock([scale], ignore))
    assert torch.allclose(before[[1, 2, 4]] - values[[1, 2, 4]], torch.tensor(0.02), atol=1e-5)
    assert torch.equal(values[[0, 3]], before[[0, 3]])


def test_rounds_take_every_part_once_even_ones_first_at_a_rate_that_falls() -> None:
    found = list(in_rounds(5, 3, Scale(256, 12), np.random.default_rng(0)))
    parts = [part for part, _ in found]
    for first in (0, 5):
        assert sorted(parts[first : first + 5]) == list(range(5))
        assert set(parts[first : first + 3]) == {0, 1, 2}
    assert len(found) == 12
    assert set(parts[10:]) <= {0, 1, 2}  # a round that is cut short has begun with the even ones
    assert parts[:5] != parts[5:10]
    # From 0.05, or 0.08 where views are small, linearly towards 3 % of that.
    for size, rate in ((256, 0.05), (128, 0.08)):
        rates = [now for _, now in in_rounds(5, 3, Scale(size, 12), np.random.default_rng(0))]
        assert rates == pytest.approx([rate * (1 - 0.97 * step / 12) for step in range(12)])
