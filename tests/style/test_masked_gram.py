"""Gram matrices of the cells that count, against those of all cells under a mask."""

from __future__ import annotations

import pytest
import torch
from helpers.processors import needs_bf16, needs_tiles

import meshstyle.style.masked_gram as masked_gram_module
from meshstyle.kernels.load import load_kernels
from meshstyle.kernels.program import Program
from meshstyle.style.losses import masked_gram, shrink_mask
from meshstyle.style.masked_gram import Cells, counted_gram, suits
from meshstyle.style.objective import LossWeights, Objective
from meshstyle.style.vgg import VGG19
from meshstyle.style.vgg_weights import load_weights


@pytest.fixture(params=[True, False], ids=["compiled", "torch"])
def program(request: pytest.FixtureRequest) -> Program | None:
    return load_kernels().program if request.param else None


def features(channels: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    """Channels last, as our convolution leaves them."""
    found = torch.randn(1, height, width, channels, generator=torch.Generator().manual_seed(seed))
    return found.permute(0, 3, 1, 2)


def mask(height: int, width: int) -> torch.Tensor:
    shares = torch.rand(1, 1, height, width, generator=torch.Generator().manual_seed(9))
    return torch.where(shares < 0.5, 0.0, shares)


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 1, 1), (16, 5, 9), (64, 40, 33), (512, 3, 4)])
@pytest.mark.usefixtures("threads")
def test_gram_and_gradient_are_those_under_the_mask(
    channels: int, height: int, width: int, program: Program | None
) -> None:
    counts = mask(height, width)
    counts[0, 0, 0, 0] = 0.7
    weight = torch.randn(channels, channels, generator=torch.Generator().manual_seed(1))
    later = features(channels, height, width, seed=2)
    ours, theirs = (features(channels, height, width).requires_grad_(True) for _ in range(2))
    passed, gram = counted_gram(ours, Cells.of(counts, counts.sum()), program)
    assert torch.equal(passed, ours)
    ((gram * weight).sum() + (passed * later).sum()).backward()
    wanted = masked_gram(theirs, counts)
    ((wanted * weight).sum() + (theirs * later).sum()).backward()
    assert ours.grad is not None
    assert theirs.grad is not None
    assert torch.allclose(gram, wanted, rtol=1e-4, atol=1e-5)
    assert torch.allclose(ours.grad, theirs.grad, rtol=1e-4, atol=1e-5)


@needs_bf16
@pytest.mark.parametrize(
    ("channels", "height", "width"), [(16, 1, 1), (16, 5, 9), (64, 40, 33), (144, 7, 11), (512, 30, 40)]
)
@pytest.mark.usefixtures("threads")
def test_bf16_are_the_same_but_for_their_rounding(channels: int, height: int, width: int) -> None:
    """A number is off by 2⁻⁹ of itself at the most, and sums of many by less of theirs; of (512, 30, 40) there are more
    pairs than are gone over at once."""
    counts = mask(height, width)
    counts[0, 0, 0, 0] = 0.7
    weight = torch.randn(channels, channels, generator=torch.Generator().manual_seed(1))
    later = features(channels, height, width, seed=2)
    cells, program = Cells.of(counts, counts.sum()), load_kernels().program
    found = []
    for bf16 in (False, True):
        leaf = features(channels, height, width).requires_grad_(True)
        passed, gram = counted_gram(leaf, cells, program, bf16)
        assert torch.equal(passed, leaf)
        (gradient,) = torch.autograd.grad([passed, gram], leaf, [later.clone(), weight])
        found.append((gram.detach(), gradient - later))
    (gram, gradient), (half_gram, half_gradient) = found
    assert 0 < float((half_gram - gram).norm() / gram.norm()) < 2**-8
    assert 0 < float((half_gradient - gradient).norm() / gradient.norm()) < 2**-7
    assert torch.equal(half_gram, half_gram.T)
    nothing = counts.reshape(-1) == 0
    assert not half_gradient[0].flatten(1)[:, nothing].any()


@needs_tiles
def test_tile_registers_multiply_as_vectors_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both round the same numbers to bf16; of 2,000 cells the last are no whole part."""
    counts = mask(50, 60)
    cells, program = Cells.of(counts, counts.sum()), load_kernels().program
    found = []
    for tiles in (True, False):
        if not tiles:
            monkeypatch.setattr(masked_gram_module, "configuration", lambda: None)
        leaf = features(96, 50, 60).requires_grad_(True)
        _, gram = counted_gram(leaf, cells, program, True)
        (gradient,) = torch.autograd.grad(gram.square().sum(), leaf)
        found += [gram.detach(), gradient]
    for ours, theirs in zip(found[:2], found[2:], strict=True):
        assert float((ours - theirs).norm() / theirs.norm()) < 1e-3
    assert not torch.equal(found[0], found[2])


@needs_bf16
@pytest.mark.parametrize("channels", [80, 96])
def test_bytes_of_bf16_depend_neither_on_the_run_nor_on_the_threads(channels: int) -> None:
    counts = mask(67, 59)
    cells, program = Cells.of(counts, counts.sum()), load_kernels().program

    def run(count: int) -> bytes:
        torch.set_num_threads(count)
        leaf = features(channels, 67, 59).requires_grad_(True)
        _, gram = counted_gram(leaf, cells, program, True)
        gram.square().sum().backward()
        assert leaf.grad is not None
        return gram.detach().numpy().tobytes() + leaf.grad.contiguous().numpy().tobytes()

    before = torch.get_num_threads()
    try:
        assert len({run(count) for count in (1, 2, 2, 3, 1)}) == 1
    finally:
        torch.set_num_threads(before)


def test_what_bf16_do_not_suit_is_float32(program: Program | None) -> None:
    """Channels that fill no vector, no compiled code, and nothing that counts."""
    for channels, share in ((17, 0.5), (16, 0.5 if program is None else 0.0)):
        cells = Cells.of(torch.full((1, 1, 4, 5), share), torch.tensor(20 * share))
        one, other = (
            counted_gram(features(channels, 4, 5), cells, program, bf16)[1] for bf16 in (True, False)
        )
        assert torch.equal(one, other)


def test_what_is_not_used_has_no_gradient(program: Program | None) -> None:
    """The last layer has nothing after it; and where nobody asks for the Gram matrix, the features just pass."""
    counts = mask(6, 7)
    cells = Cells.of(counts, counts.sum())
    alone, through = (features(16, 6, 7).requires_grad_(True) for _ in range(2))
    counted_gram(alone, cells, program)[1].sum().backward()
    assert alone.grad is not None
    assert torch.equal(alone.grad[0, 0] != 0, (counts[0, 0] > 0) & (alone.grad[0, 0] != 0))
    counted_gram(through, cells, program)[0].sum().backward()
    assert through.grad is not None
    assert torch.equal(through.grad, torch.ones_like(through))


def test_gradients_of_another_layout_are_taken_too(program: Program | None) -> None:
    counts = mask(6, 7)
    ours, theirs = (features(16, 6, 7).requires_grad_(True) for _ in range(2))
    factor = torch.rand(1, 16, 6, 7)  # makes gradients that lie channel by channel
    passed, gram = counted_gram(ours, Cells.of(counts, counts.sum()), program)
    (passed.contiguous() * factor).sum().add(gram.sum()).backward()
    (theirs * factor).sum().add(masked_gram(theirs, counts).sum()).backward()
    assert ours.grad is not None
    assert theirs.grad is not None
    assert torch.allclose(ours.grad, theirs.grad, rtol=1e-4, atol=1e-5)


def test_only_what_lies_cell_by_cell_suits() -> None:
    assert suits(features(16, 4, 5))
    assert not suits(features(16, 4, 5).contiguous())
    assert not suits(features(16, 4, 5).double())
    assert not suits(torch.cat([features(16, 4, 5), features(16, 4, 5)]))


def test_the_objective_is_the_same_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    network = VGG19(load_weights(), convolution="auto")
    objective = Objective(network, LossWeights(5.0, 1000.0, 400.0), content_layers=("relu4_1",))
    generator = torch.Generator().manual_seed(3)
    picture, original, painting = (torch.rand(1, 3, 96, 80, generator=generator) for _ in range(3))
    shown = torch.zeros(1, 1, 96, 80)
    shown[..., 20:70, 10:60] = 1
    target, style = objective.content_target(original, shown), objective.style_target(painting)
    for name, cells in target.cells.items():
        assert len(cells.rows) == int((shrink_mask(shown, *target.layer_masks[name].shape[-2:]) > 0).sum())
    found = []
    for either in (True, False):
        monkeypatch.setattr("meshstyle.style.objective.suits", lambda f, yes=either: yes and suits(f))
        leaf = picture.clone().requires_grad_(True)
        terms = objective(leaf, style, target)
        terms.total.backward()
        assert leaf.grad is not None
        found.append((terms, leaf.grad))
    (ours, gradient), (theirs, wanted) = found
    assert float(ours.total.detach()) == pytest.approx(float(theirs.total.detach()), rel=1e-5)
    assert torch.allclose(ours.figures, theirs.figures, rtol=1e-4)
    assert float((gradient - wanted).abs().max()) < 1e-4 * float(wanted.abs().max())
