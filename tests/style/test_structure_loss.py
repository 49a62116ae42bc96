"""What is kept of light and dark, by how much contrast there was, and until when."""

from __future__ import annotations

import pytest
import torch
from helpers.quads import rand

from meshstyle.style.structure_loss import CONTRAST, Enough, StructureTarget

FRAME = 64  # so many blocks along it at the finer size: one pixel each
WHOLE = torch.ones(1, 1, FRAME, FRAME)


def checker(contrast: float) -> torch.Tensor:
    """Grey squares of 4 pixels, of that standard deviation around 0.5: in every block, window and view alike."""
    squares = torch.arange(FRAME) // 4 % 2
    sign = 2.0 * (squares[:, None] ^ squares) - 1
    return (0.5 + contrast * sign).expand(1, 3, -1, -1).contiguous()


def missing(original: torch.Tensor, picture: torch.Tensor, enough: Enough | None = None) -> float:
    return float(StructureTarget(original, WHOLE, FRAME)(picture, enough or Enough())[0])


def test_an_untextured_original_asks_for_nothing() -> None:
    plain = torch.full((1, 3, FRAME, FRAME), 0.5)
    assert missing(plain, rand(1, 3, FRAME, FRAME)) == pytest.approx(0, abs=1e-6)


def test_the_original_itself_has_all_of_it() -> None:
    for original in (checker(0.2), rand(1, 3, FRAME, FRAME)):
        target = StructureTarget(original, WHOLE, FRAME)
        lost, found = target(original, Enough())
        assert float(lost) == 0
        assert float(found) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("contrast", [CONTRAST / 2, CONTRAST, 0.2])
def test_what_its_negative_misses_goes_by_contrast(contrast: float) -> None:
    """Correlation −1 over the whole; in windows, whose variance v is damped by 1e-4, −v/(v + 1e-4). Both count by
    v/(v + 0.04²): at a contrast of 0.04 half. Windows weigh four times as much as whole views."""
    variance = contrast**2
    counts = variance / (variance + 0.04**2)
    expected = counts * (0.9 + 1) + 4 * counts * (0.85 + variance / (variance + 1e-4))
    assert missing(checker(contrast), checker(-contrast)) == pytest.approx(expected, rel=1e-3)


def test_nothing_is_pushed_beyond_enough() -> None:
    """Noise of a third of the pattern's contrast: a correlation of 1/√(1 + 1/9) = 0.949 is more than 0.9."""
    original, target = checker(0.15), StructureTarget(checker(0.15), WHOLE, FRAME)
    noise = torch.randn(1, 1, FRAME, FRAME, generator=torch.Generator().manual_seed(0))
    leaf = (original + 0.05 * noise).requires_grad_(True)
    lost, found = target(leaf, Enough())
    assert 0.94 < float(found) < 0.99  # blocks of four pixels have less of the noise
    assert float(lost.detach()) == 0
    lost.backward()
    assert leaf.grad is not None
    assert float(leaf.grad.abs().max()) == 0
    assert float(target(leaf.detach(), Enough(whole=1.0))[0]) > 0


def test_colours_of_one_luminance_are_alike() -> None:
    original = checker(0.1)
    turned = original.clone()
    turned[:, 0] += 0.114
    turned[:, 2] -= 0.299  # as much of light as red has gained
    assert missing(original, turned) == 0


def test_only_surface_is_compared() -> None:
    mask = WHOLE.clone()
    mask[..., FRAME // 2 :] = 0
    original = checker(0.1)
    half = original.clone()
    half[..., FRAME // 2 :] = 1 - half[..., FRAME // 2 :]
    assert float(StructureTarget(original, mask, FRAME)(half, Enough())[0]) == 0
    assert missing(original, half) > 0.5


def test_a_collage_lower_than_a_block_is_compared() -> None:
    low = checker(0.2)[..., :8, :]
    lost, found = StructureTarget(low, WHOLE[..., :8, :], frame=1024)(low, Enough())
    assert float(lost) == 0
    assert torch.isfinite(found)


def test_gradient() -> None:
    """Of the whole and of windows, with and without enough of it."""
    original, picture = (rand(1, 3, 16, 16, seed=n).double() for n in (1, 2))
    mask = torch.ones(1, 1, 16, 16, dtype=torch.float64)
    mask[..., :3] = 0.5
    target = StructureTarget(original, mask, 16)

    def lost(at: torch.Tensor) -> torch.Tensor:
        return target(at, Enough())[0]

    assert float(lost(picture)) > 0.5
    assert torch.autograd.gradcheck(lost, (picture.requires_grad_(True),), fast_mode=True)


def test_more_weight_asks_for_more() -> None:
    """What may be missing to 1, 0.1 and 0.15 at 130, falls with the root of the weight; windows' at most doubles."""
    assert Enough.at(130.0) == Enough()
    assert vars(Enough.at(4 * 130.0)) == pytest.approx({"whole": 1 - 0.05, "window": 1 - 0.075})
    assert vars(Enough.at(130.0 / 4)) == pytest.approx({"whole": 1 - 0.2, "window": 1 - 0.3})
    assert vars(Enough.at(0.0)) == pytest.approx({"whole": 0.0, "window": 1 - 0.3})
