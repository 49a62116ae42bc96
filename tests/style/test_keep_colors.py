"""Colours that are kept, on texels that can be worked out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.quads import rand
from helpers.surfaces import make_surface, quad

from meshstyle.config.styles import StyleRequest
from meshstyle.style.areas import Area, Areas, Style
from meshstyle.style.cielab import from_lab, shown, to_lab
from meshstyle.style.color_statistics import Colours
from meshstyle.style.keep_colors import finished, model_colours, prepared, transported


def test_cielab_is_that_of_the_standard_and_comes_back() -> None:
    """White is (100, 0, 0), and sRGB's red (53.24, 80.09, 67.20)."""
    colours = np.array([[1, 1, 1], [1, 0, 0], [0, 0, 0], [0.2, 0.5, 0.7]], np.float32)
    lab = to_lab(colours)
    assert lab[0] == pytest.approx([100, 0, 0], abs=0.01)
    assert lab[1] == pytest.approx([53.24, 80.09, 67.20], abs=0.02)
    back, outside = from_lab(lab)
    assert back == pytest.approx(colours, abs=2e-3)
    assert not outside.any()


def test_what_cannot_be_shown_keeps_lightness_and_hue() -> None:
    far = np.array([[50, 120, 60]], np.float32)
    found = to_lab(shown(far))[0]
    assert found[0] == pytest.approx(50, abs=0.5)
    assert found[2] / found[1] == pytest.approx(0.5, abs=0.02)
    assert found[1] < 100


def surface_of(colour: tuple[float, float, float]):  # type: ignore[no-untyped-def]
    surface = make_surface(*quad(), size=(32, 32))
    surface.atlases[0].start[:] = colour
    return surface


@pytest.mark.parametrize("colour", [(0.8, 0.4, 0.1), (0.3, 0.5, 0.9), (0.9, 0.85, 0.8)])
def test_luminance_keeps_the_mean_hue_whatever_was_painted(colour: tuple[float, float, float]) -> None:
    surface = surface_of(colour)
    paint = rand(32, 32, 1, seed=4).numpy().repeat(3, axis=2) * 0.7 + 0.1
    area = Areas((Area((torch.zeros(1, 3, 16, 16),), (1.0,)),))
    (found,) = finished("luminance", [paint], [np.ones((32, 32), bool)], surface, area)
    lab, own = to_lab(found.reshape(-1, 3)), to_lab(np.array([colour], np.float32))
    assert np.abs(lab[:, 1:].mean(axis=0) - own[0, 1:]).max() < 3
    assert np.corrcoef(lab[:, 0], paint.reshape(-1, 3)[:, 0])[0, 1] > 0.95


def test_match_gives_the_painting_the_models_colours() -> None:
    surface = surface_of((0.2, 0.3, 0.4))
    surface.atlases[0].start[:] += rand(32, 32, 3, seed=1).numpy() * 0.3
    (made,) = prepared("match", [Style(StyleRequest("x"), rand(1, 3, 40, 40, seed=2))], surface)
    wanted, found = model_colours(surface), made.painting[0].flatten(1).T
    assert found.mean(0).tolist() == pytest.approx(wanted.mean(0).tolist(), abs=0.02)
    assert torch.cov(found.T).numpy() == pytest.approx(torch.cov(wanted.T).numpy(), abs=3e-3)
    set_of = Colours((0.5, 0.4, 0.3), ((0.01, 0, 0), (0, 0.02, 0), (0, 0, 0.01)))
    (made,) = prepared("match", [Style(StyleRequest("x"), rand(1, 3, 40, 40, seed=2))], surface, set_of)
    assert made.painting.mean((0, 2, 3)).tolist() == pytest.approx([0.5, 0.4, 0.3], abs=0.02)


def test_luminance_takes_the_paintings_colours_away() -> None:
    (made,) = prepared("luminance", [Style(StyleRequest("x"), rand(1, 3, 8, 8))], surface_of((0.5, 0.5, 0.5)))
    assert torch.equal(made.painting[:, 0], made.painting[:, 2])


def test_transport_takes_the_palette_and_no_other_colours() -> None:
    """Two colours of a palette, a quarter and three quarters: a spread of greys becomes them in that measure."""
    palette = np.array([[0.9, 0.1, 0.1]] * 25 + [[0.1, 0.2, 0.8]] * 75, np.float32)
    found = transported(rand(4000, 3, seed=7).numpy(), palette)
    apart = np.linalg.norm(found[:, None] - palette[[0, -1]][None], axis=2)
    assert np.quantile(apart.min(axis=1), 0.9) < 0.08
    assert float((apart[:, 0] < apart[:, 1]).mean()) == pytest.approx(0.25, abs=0.03)
    assert transported(palette, palette) == pytest.approx(palette, abs=0.02)
