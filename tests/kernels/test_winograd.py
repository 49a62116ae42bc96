"""Winograd's convolution against torch's in double precision, and against finite differences."""

from __future__ import annotations

import threading

import pytest
import torch
import torch.nn.functional as F
from helpers.processors import needs_bf16, needs_tiles

from meshstyle.kernels import winograd
from meshstyle.kernels.winograd import WinogradConvolution
from meshstyle.kernels.winograd_matrices import transformed

# (batch, channels in, channels out, height, width, replicate, pooled)
SHAPES = [
    (1, 16, 16, 4, 4, False, False),  # a single tile
    (1, 3, 64, 33, 18, True, False),  # like VGG's first layer
    (1, 64, 3, 9, 14, True, False),
    (2, 24, 40, 13, 7, False, True),  # odd sides under pooling
    (1, 5, 17, 1, 1, False, False),  # one pixel
    (1, 5, 17, 1, 1, True, False),
    (3, 4, 6, 1, 21, True, True),  # too thin to pool
    (2, 33, 90, 2, 3, True, True),
    (1, 256, 512, 9, 9, False, False),
    (1, 512, 48, 6, 10, False, True),
    (1, 64, 64, 50, 61, False, True),
]


def make_layer(
    inputs: int, outputs: int, replicate: bool = False, bf16: bool = False
) -> tuple[WinogradConvolution, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(inputs * 1000 + outputs)
    kernel = torch.randn(outputs, inputs, 3, 3, generator=generator) / (3 * inputs**0.5)
    bias = torch.randn(outputs, generator=generator) / 10
    return WinogradConvolution(kernel, bias, replicate, bf16), kernel, bias


def direct(x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor, replicate: bool) -> torch.Tensor:
    around = F.pad(x, (1, 1, 1, 1), mode="replicate" if replicate else "constant")
    return F.conv2d(around, kernel.double(), bias.double())


def pooled_means(x: torch.Tensor) -> torch.Tensor:
    height, width = x.shape[2] // 2, x.shape[3] // 2
    return x[:, :, : 2 * height, : 2 * width].unflatten(3, (width, 2)).unflatten(2, (height, 2)).mean((3, 5))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_value_and_gradient_are_torchs(
    shape: tuple[int, int, int, int, int, bool, bool], threads: int
) -> None:
    batch, inputs, outputs, height, width, replicate, pooled = shape
    layer, kernel, bias = make_layer(inputs, outputs, replicate)
    torch.manual_seed(0)  # rounding of 256 channels comes near the tolerance: not another picture each time
    x = torch.randn(batch, inputs, height, width, requires_grad=True)
    found = layer(x, pooled)
    exact = x.detach().double().requires_grad_()
    linear = direct(exact, kernel, bias, replicate)
    expected = pooled_means(F.relu(linear)) if pooled else F.relu(linear)
    assert found.shape == expected.shape
    assert torch.allclose(found.double(), expected, atol=5e-5)
    # Where a sum is 0 but for rounding, both sides of the ReLU's kink are right: ours is taken.
    passed = (layer(x.detach()) > 0).double()
    assert ((passed != (linear > 0)) <= (linear.abs() < 5e-5)).all()
    gradient = torch.randn(found.shape)
    found.backward(gradient)
    (pooled_means(linear * passed) if pooled else linear * passed).backward(gradient.double())
    assert x.grad is not None
    assert exact.grad is not None
    assert torch.allclose(x.grad.double(), exact.grad, atol=1e-4)


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("replicate", [False, True])
def test_gradient_is_the_gradient_of_the_value(replicate: bool, pooled: bool) -> None:
    _, kernel, _ = make_layer(8, 20)
    on = torch.arange(20) % 3 > 0
    layer = WinogradConvolution(kernel, torch.where(on, 20.0, -20.0), replicate)  # linear, a third shut off
    x, direction = torch.randn(1, 8, 7, 10, requires_grad=True), torch.randn(1, 8, 7, 10)
    weights = torch.randn(layer(x, pooled).shape).double()

    def value(at: torch.Tensor) -> torch.Tensor:
        return (layer(at, pooled).double() * weights).sum()

    (gradient,) = torch.autograd.grad(value(x), x)
    slope = (value(x.detach() + direction) - value(x.detach() - direction)) / 2
    assert float(slope) == pytest.approx(float((gradient.double() * direction).sum()), rel=1e-3, abs=1e-3)
    assert (layer(x)[:, ~on] == 0).all()


@needs_tiles
@pytest.mark.parametrize(
    ("inputs", "outputs", "height", "width"), [(32, 32, 3, 5), (64, 160, 50, 61), (512, 96, 9, 30)]
)
@pytest.mark.usefixtures("threads")
def test_tile_registers_multiply_as_vectors_do(
    inputs: int, outputs: int, height: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both round the same numbers to bf16; only the order of the float32 sums differs. Odd numbers of strips and of 16
    tiles are among the shapes."""
    layer, _, _ = make_layer(inputs, outputs, bf16=True)
    x = torch.randn(1, inputs, height, width, requires_grad=True)

    def run() -> tuple[torch.Tensor, torch.Tensor]:
        made = layer(x)
        (gradient,) = torch.autograd.grad(made.square().sum(), x)
        return made.detach(), gradient

    tiles = run()
    monkeypatch.setattr(winograd, "configuration", lambda: None)
    for ours, theirs in zip(tiles, run(), strict=True):
        assert float((ours - theirs).norm() / theirs.norm()) < 1e-3
    assert not torch.equal(tiles[0], layer(x))


@pytest.mark.parametrize("bf16", [False, pytest.param(True, marks=needs_bf16)])
@pytest.mark.parametrize("inputs", [48, 64])
def test_bytes_depend_neither_on_the_run_nor_on_the_threads(inputs: int, bf16: bool) -> None:
    layer, _, _ = make_layer(inputs, 96, bf16=bf16)
    x = torch.randn(2, inputs, 37, 22, requires_grad=True)

    def run(count: int) -> bytes:
        torch.set_num_threads(count)
        (gradient,) = torch.autograd.grad(layer(x, True).square().sum(), x)
        return layer(x).detach().contiguous().numpy().tobytes() + gradient.contiguous().numpy().tobytes()

    before = torch.get_num_threads()
    try:
        assert len({run(count) for count in (1, 2, 2, 3, 1)}) == 1
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_several_callers_at_once(threads: int) -> None:
    layer, _, _ = make_layer(32, 32)
    pictures = [torch.randn(1, 32, 20 + 9 * number, 30) for number in range(4)]
    expected = [layer(x) for x in pictures]
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(10):
            if not torch.equal(layer(pictures[number]), expected[number]):
                wrong.append(number)

    callers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert wrong == []


def test_any_memory_layout() -> None:
    layer, _, _ = make_layer(16, 32)
    x = torch.randn(2, 16, 9, 12)
    expected = layer(x)
    assert torch.equal(layer(x.to(memory_format=torch.channels_last)), expected)
    assert torch.equal(layer(x.transpose(2, 3).contiguous().transpose(2, 3)), expected)
    assert layer(torch.empty(0, 16, 9, 12)).shape == (0, 32, 9, 12)


def test_what_is_not_a_number_is_not_hidden() -> None:
    layer, _, _ = make_layer(16, 16)
    x = torch.zeros(1, 16, 12, 12)
    x[0, 3, 1, 1] = float("nan")
    found = layer(x)
    assert found[0, :, :3, :3].isnan().all()
    assert not found[0, :, 8:, 8:].isnan().any()


def test_no_gradient_is_kept_where_none_is_needed_and_none_is_taken_twice() -> None:
    layer, _, _ = make_layer(16, 16)
    assert not layer(torch.randn(1, 16, 4, 4)).requires_grad
    x = torch.randn(1, 16, 4, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_scratch_memory_does_not_grow_with_the_picture() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    layer, _, _ = make_layer(64, 64)
    try:
        layer(torch.randn(1, 64, 60, 60))
        room = winograd._kept.room
        layer(torch.randn(3, 64, 90, 400))
    finally:
        torch.set_num_threads(before)
    assert winograd._kept.room is room
    assert room.nbytes < 16 << 20


def test_transformed_kernels_fill_up_the_last_strip() -> None:
    kernel = torch.zeros(17, 2, 3, 3)
    kernel[16, 1, 0, 0] = 1.0  # G e₀ e₀ᵀ Gᵀ, e₀ the first unit vector: the first column of G with itself
    made = transformed(kernel)
    assert made.shape == (36, 2, 2, 16)
    column = torch.tensor([1 / 4, -1 / 6, -1 / 6, 1 / 24, 1 / 24, 0])
    assert torch.allclose(made[:, 1, 1, 0], torch.outer(column, column).flatten())
    assert int((made != 0).sum()) == 25
