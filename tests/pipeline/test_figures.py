"""Figures of pictures, on pictures small and plain enough to work them out on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from meshstyle.figures import (
    geometric_mean,
    grain,
    high_frequencies,
    poles,
    sharpness,
    structure,
    white_share,
)


def plain(value: float, side: int = 48) -> torch.Tensor:
    return torch.full((1, 3, side, side), value)


def checkers(side: int = 48) -> torch.Tensor:
    """(1, 1, side, side), 0 and 1 in turns."""
    return torch.from_numpy(np.indices((side, side)).sum(0) % 2).float()[None, None]


WHOLE = torch.ones(1, 1, 48, 48)


def test_sharpness_of_a_checkerboard_and_of_a_plain_picture() -> None:
    assert sharpness(plain(0.4), WHOLE) == pytest.approx(0, abs=1e-6)
    assert sharpness(checkers().expand(1, 3, -1, -1), WHOLE) == pytest.approx(4)  # |−4·0 + 4·1| everywhere


def middle() -> torch.Tensor:
    """A mask whose inside lies away from the picture's border."""
    mask = torch.zeros(1, 1, 48, 48)
    mask[..., 8:40, 8:40] = 1
    return mask


def test_high_frequencies_of_a_grey_checkerboard() -> None:
    """Of 25 cells 13 are like the middle, so a blur takes 12/25 of the contrast away; grey has no colour."""
    found = high_frequencies(checkers().expand(1, 3, -1, -1), middle())
    assert found.tolist() == pytest.approx([0.48, 0, 0], abs=1e-5)


def test_high_frequencies_of_blue_checkers() -> None:
    """Blue has 0.114 of the luminance, ½ in Cb and −0.0813 in Cr."""
    picture = torch.cat([plain(0.3)[:, :2], checkers()], 1)
    expected = [0.48 * share for share in (0.114, 0.5, 0.0813)]
    assert high_frequencies(picture, middle()).tolist() == pytest.approx(expected, rel=1e-3)


def test_the_silhouette_is_no_high_frequency() -> None:
    picture = torch.where(middle() > 0, plain(0.8), plain(0.1))
    assert high_frequencies(picture, middle()).tolist() == pytest.approx([0, 0, 0], abs=1e-5)
    assert bool(high_frequencies(picture, torch.zeros_like(WHOLE)).isnan().all())


def test_grain_and_confetti_are_shares_of_the_paintings() -> None:
    """Two views: luminance 1 and 3 (mean 2) over 4; colour (3, 4), which is 5 long, over (0, 2)."""
    views = torch.tensor([[1.0, 3, 4], [3, 3, 4], [math.nan, math.nan, math.nan]])
    assert grain(views, torch.tensor([4.0, 0, 2])) == pytest.approx((0.5, 2.5))
    assert grain(views[2:], torch.tensor([4.0, 0, 2])) == (0, 0)


def test_white_is_250_in_every_channel() -> None:
    picture = plain(250 / 255, 4)
    picture[0, :, 0, 0] = 249 / 255  # not quite
    picture[0, 2, 0, 1] = 0.9  # yellow
    mask = torch.ones(1, 1, 4, 4)
    assert white_share(picture, mask) == 14 / 16
    mask[0, 0, 0] = 0  # the row with those two
    assert white_share(picture, mask) == 1
    assert white_share(plain(0.9, 4), mask) == 0
    assert white_share(picture, torch.zeros_like(mask)) == 0


def test_poles_are_the_first_and_the_last() -> None:
    assert poles([0.4, 0.1, 0.3, 0.2]) == pytest.approx(0.3 / 0.2)
    assert poles([0.4, 0.1]) == 1


def test_structure_looks_at_blocks_of_24_pixels() -> None:
    mask = torch.ones(1, 1, 96, 96)
    blocks = torch.rand(1, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    original = blocks.repeat_interleave(24, 2).repeat_interleave(24, 3).expand(1, 3, -1, -1)
    assert structure(original, original, mask) == pytest.approx(1, abs=1e-3)
    assert structure(1 - original, original, mask) == pytest.approx(-1, abs=1e-3)
    # What is finer than a block, and alike in all of them, does not count; nor do contrast and brightness.
    fine = 0.5 * original + 0.3 * checkers(96)
    assert structure(fine, original, mask) == pytest.approx(1, abs=1e-3)
    assert math.isnan(structure(original, original, torch.zeros_like(mask)))


def test_geometric_mean() -> None:
    assert geometric_mean([1, 2, 4]) == pytest.approx(2)
    assert geometric_mean([0, 2]) == 0
