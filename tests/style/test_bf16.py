"""What our convolution multiplies may be bf16: other numbers in the last digits, and the same pictures."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from helpers.processors import needs_bf16

from meshstyle.kernels.cpu_features import features, has, multiplies_bf16
from meshstyle.kernels.load import Compiled, load_kernels
from meshstyle.kernels.winograd import WinogradConvolution
from meshstyle.kernels.winograd_matrices import transformed
from meshstyle.style import convolution
from meshstyle.style.convolution import FastConvolution, make_convolutions
from meshstyle.style.vgg import VGG19
from meshstyle.style.vgg_weights import load_weights

CPU = torch.device("cpu")


def layers_of(inputs: int, outputs: int) -> tuple[WinogradConvolution, WinogradConvolution]:
    """One that is linear but for a third of its results, which are shut off: in float32, and in bf16."""
    generator = torch.Generator().manual_seed(inputs + outputs)
    kernel = torch.randn(outputs, inputs, 3, 3, generator=generator) / (3 * inputs**0.5)
    bias = torch.where(torch.arange(outputs) % 3 > 0, 50.0, -50.0)
    whole, bf16 = (WinogradConvolution(kernel, bias, bf16=bf16) for bf16 in (False, True))
    return whole, bf16


def off(made: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((made - wanted).norm() / wanted.norm())


@needs_bf16
@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize(
    "shape", [(16, 16, 4, 4), (17, 20, 9, 14), (33, 90, 2, 3), (256, 64, 12, 9), (64, 512, 9, 9)], ids=str
)
def test_value_and_gradient_are_float32s(
    shape: tuple[int, int, int, int], pooled: bool, threads: int
) -> None:
    """But for 8 bits of each number and what the transforms make of them: 2 % of the whole."""
    inputs, outputs, height, width = shape
    whole, bf16 = layers_of(inputs, outputs)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1, inputs, height, width, generator=generator)
    found = []
    for layer in (whole, bf16):
        leaf = x.clone().requires_grad_()
        value = layer(leaf, pooled)
        slope = torch.randn(value.shape, generator=torch.Generator().manual_seed(2))
        (gradient,) = torch.autograd.grad(value, leaf, slope)
        found.append((value.detach() - 50 * (value.detach() > 0), gradient))
    (value, gradient), (half_value, half_gradient) = found
    assert 0 < off(half_value, value) < 0.03
    assert 0 < off(half_gradient, gradient) < 0.03


@needs_bf16
def test_what_is_not_a_number_or_infinite_is_not_hidden() -> None:
    _, layer = layers_of(16, 16)
    for value in (float("nan"), float("inf"), 3e38):
        x = torch.zeros(1, 16, 12, 12)
        x[0, 3, 1, 1] = value
        found = layer(x)
        assert not found[0, 1, :3, :3].isfinite().all()
        assert found[0, :, 8:, 8:].isfinite().all()


def test_transformed_kernels_lie_in_pairs() -> None:
    kernel = torch.randn(17, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    whole, bf16 = transformed(kernel), transformed(kernel, bf16=True)
    assert bf16.shape == (36, 2, 2, 16, 2)
    assert bf16.dtype == torch.bfloat16
    assert torch.equal(bf16[:, :, 0, :, 1], whole[:, :, 1].bfloat16())
    assert torch.equal(bf16[:, :, 1, :, 0], whole[:, :, 2].bfloat16())
    assert not bf16[:, :, 1, :, 1].any()  # three channels are a pair and a half


def test_who_multiplies_in_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where the processor does, only if asked to, and never the first layer."""

    def choice(has_them: bool, wanted: bool) -> list[bool]:
        compiled = Compiled(SimpleNamespace(bf16=has_them), False, 0.0)  # type: ignore[arg-type]
        monkeypatch.setattr(convolution, "load_kernels", lambda: compiled)
        made = make_convolutions(load_weights(), CPU, "auto", bf16=wanted)
        return [layer.bf16 for layer in made if isinstance(layer, FastConvolution)]

    assert choice(True, True) == [False] + [True] * 15
    assert not any(choice(False, True) + choice(True, False))


def test_float32_is_float32() -> None:
    network = VGG19(load_weights(), convolution="winograd", precision="float32")
    assert not any(layer.bf16 for layer in network._convolutions if isinstance(layer, FastConvolution))


@needs_bf16
def test_features_and_the_gradient_of_a_style_are_float32s() -> None:
    """Features within 2 %, and a gradient that points the same way."""
    names = ["relu1_1", "relu2_1", "relu3_1", "relu4_1"]
    picture = F.interpolate(torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(3)), 96)
    found = []
    for precision in ("float32", "auto"):
        leaf = picture.clone().requires_grad_()
        maps = VGG19(load_weights(), convolution="winograd", precision=precision).features(leaf, names)
        flat = [value[0].flatten(1) for value in maps.values()]
        sum((f @ f.T).square().mean() / (f @ f.T).detach().square().mean() for f in flat).backward()
        assert leaf.grad is not None
        found.append(([value.detach() for value in maps.values()], leaf.grad))
    (whole, gradient), (bf16, half_gradient) = found
    differences = [off(half, value) for half, value in zip(bf16, whole, strict=True)]
    assert differences[0] == 0  # the first layer
    assert max(differences) < 0.02
    assert float(F.cosine_similarity(half_gradient.flatten(), gradient.flatten(), 0)) > 0.99


def test_the_processor_is_asked() -> None:
    program = load_kernels().program
    assert program is not None
    assert program.bf16 == multiplies_bf16() == has("avx512bf16")
    assert all(has(feature[1:]) == (feature[0] == "+") for feature in features().split(","))
    assert not has("bf16")  # no part of a name
