"""sRGB and linear light, and that views mix in the latter, as renderers do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.gradients import check_gradient
from helpers.quads import rand
from helpers.surfaces import CPU, front, make_surface, quad

from meshstyle.io.types import Wrap
from meshstyle.views.cameras import DISTANCE
from meshstyle.views.linear_light import to_displayed, to_linear
from meshstyle.views.raytrace import Tracer
from meshstyle.views.sampling_matrix import SamplingMatrix, TexelTable
from meshstyle.views.view import View

KNOWN = [
    (0.0, 0.0),
    (0.02, 0.02 / 12.92),
    (0.04045, 0.0031308),
    (0.5, 0.2140411),
    (0.7353570, 0.5),
    (1.0, 1.0),
]


@pytest.mark.parametrize(("displayed", "linear"), KNOWN)
def test_known_values(displayed: float, linear: float) -> None:
    assert float(to_linear(torch.tensor(displayed))) == pytest.approx(linear, abs=1e-6)
    assert float(to_displayed(torch.tensor(linear))) == pytest.approx(displayed, abs=1e-6)


def test_there_and_back() -> None:
    """The standard's rounded constants leave a step of 2e-8 between the curve and its straight part."""
    values = torch.linspace(0, 1, 1001, dtype=torch.float64)
    assert torch.allclose(to_displayed(to_linear(values)), values, rtol=0, atol=1e-7)
    assert torch.allclose(to_linear(to_displayed(values)), values, rtol=0, atol=1e-7)


@pytest.mark.parametrize("convert", [to_linear, to_displayed])
def test_gradients(convert: object) -> None:
    """On both parts of the curve; black has one too, or paint could never leave it."""
    assert callable(convert)
    values = torch.tensor([0.0, 0.001, 0.02, 0.06, 0.3, 0.9, 1.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(convert, (values,))


@pytest.fixture(scope="module")
def black_and_white() -> tuple[Tracer, View]:
    """A square of two texels side by side, seen from the front so near that each is many pixels wide."""
    tracer = Tracer(make_surface(*quad(), size=(1, 2)))
    hits = tracer.view(front(64), 2)
    assert hits is not None
    return tracer, View(
        SamplingMatrix(hits, tracer, TexelTable([np.ones((1, 2), bool)], [(Wrap.CLAMP, Wrap.CLAMP)])), CPU
    )


def test_pixels_show_the_mean_of_light(black_and_white: tuple[Tracer, View]) -> None:
    """Between the middles of the texels, at u = ¼ and ¾, white's share of the light rises from 0 to 1."""
    _, view = black_and_white
    paint = torch.tensor([[0.0] * 3, [1.0] * 3])
    seen = view.sample(paint)[:, 0]
    width = view.shape[1]
    column = (view.pixels % width).numpy() - width // 2  # counted from the optical axis
    # The square's half side is 1/√2 radii; each pixel has rays at a quarter and at three quarters of its width.
    places = (column[:, None] + [0.25, 0.75]) * front(64).pitch * DISTANCE * np.sqrt(2)
    share = np.clip(((places + 1) / 2 - 0.25) / 0.5, 0, 1).mean(1)
    whole = view.pixel_coverage[:, 0].numpy() == 1
    expected = np.where(share <= 0.0031308, 12.92 * share, 1.055 * share ** (1 / 2.4) - 0.055)
    assert whole.sum() > 500
    assert np.abs(seen.numpy() - expected)[whole].max() < 1e-4
    beside_the_middle = seen[torch.from_numpy(whole & np.isin(column, (-1, 0)))]
    assert float(beside_the_middle.mean()) == pytest.approx(0.7354, abs=2e-3)  # not 0.5


def test_sampling_is_mixing_between_the_two_curves() -> None:
    """Against the matrix itself, whose columns are what is seen of one texel at a time; value and gradient."""
    tracer = Tracer(make_surface(*quad(), size=(9, 9)))
    hits = tracer.view(front(16), 2)
    assert hits is not None
    view = View(
        SamplingMatrix(hits, tracer, TexelTable([np.ones((9, 9), bool)], [(Wrap.REPEAT, Wrap.REPEAT)])), CPU
    )
    one = torch.eye(len(view.texels))
    matrix = torch.stack([view.mix(column[:, None].expand(-1, 3).contiguous())[:, 0] for column in one], 1)
    assert torch.allclose(matrix.sum(1), torch.ones(len(view.pixels)), atol=1e-5)
    weight = rand(len(view.pixels), 3, seed=1)
    leaf, dense = (rand(len(view.texels), 3).requires_grad_(True) for _ in range(2))
    ours, theirs = view.sample(leaf), to_displayed(matrix @ to_linear(dense))
    assert torch.allclose(ours, theirs, atol=1e-5)
    (ours * weight).sum().backward()
    (theirs * weight).sum().backward()
    assert leaf.grad is not None
    assert dense.grad is not None
    assert torch.allclose(leaf.grad, dense.grad, atol=1e-5)
    check_gradient(lambda texels: (view.sample(texels) * weight).sum(), leaf.detach(), rel=0.01)
