"""The ray renderer, and how steady a model looks, on scenes whose pictures are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.rendering import FRONT, REPEAT, FlatAsset, make
from helpers.surfaces import quad

import meshstyle.evaluation
from meshstyle.evaluation import consistency
from meshstyle.io.types import Asset, Material, Part, Wrap
from meshstyle.texture.filtering import bilinear, mip_levels
from meshstyle.views.cameras import camera_towards_centre
from meshstyle.views.reference_renderer import Renderer

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(autouse=True)
def short_orbit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turntable of eight frames instead of sixty."""
    monkeypatch.setattr(meshstyle.evaluation, "ORBIT_FRAMES", 8)


def centre_colour(asset: Asset) -> np.ndarray:
    image = Renderer(asset).render(camera_towards_centre(FRONT, 32), 2, frame=(32, 32), lit=False)
    assert image is not None
    return image.colour[16, 16]


def test_factor_and_vertex_colour_multiply_in_linear_light() -> None:
    """0.5 × 0.5 linear is 0.25, which sRGB writes as 0.5371."""
    colours = np.ones((2, 3, 4))
    colours[..., 0] = 0.5
    asset = make(Material("m", factor=(0.5, 1.0, 0.0, 1.0)), colours=colours)
    assert centre_colour(asset) == pytest.approx([0.5371, 1.0, 0.0], abs=1e-3)


def test_image_is_shown_as_it_is_where_nothing_multiplies_it() -> None:
    pixels = np.full((4, 4, 4), 255, np.uint8)
    pixels[..., :3] = (10, 100, 200)
    assert centre_colour(make(Material("m", image=0), pixels)) * 255 == pytest.approx(
        [10, 100, 200], abs=1e-2
    )


def test_blended_air_is_looked_through() -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    material = Material("m", image=0, alpha_mode="BLEND")
    assert Renderer(make(material, pixels)).render(camera_towards_centre(FRONT, 32), 1) is None
    opaque = replace(material, alpha_mode="OPAQUE")
    assert Renderer(make(opaque, pixels)).render(camera_towards_centre(FRONT, 32), 1) is not None


def two(behind: Material, before: Material, turned: bool = False, **before_part: np.ndarray) -> Asset:
    """A square and, nearer to the eye, a smaller one before it; `turned`: that one shows its back."""
    corners, uv = quad()
    near = corners * 0.9 + [0, 0, 0.1]
    near = near[:, ::-1] if turned else near
    asset = FlatAsset(Part("far", 0, corners[None], uv=uv), behind)
    asset.parts = (*asset.parts, Part("near", 1, near[None], uv=uv, **before_part))
    asset.materials = (behind, before)
    return asset


RED = Material("red", factor=(1.0, 0.0, 0.0, 1.0))


@pytest.mark.parametrize(
    ("before", "turned", "expected"),
    [
        (Material("shell", (0.0, 0.0, 1.0, 1.0)), True, [1, 0, 0]),  # an outline's back
        (Material("shell", (0.0, 0.0, 1.0, 1.0)), False, [0, 0, 1]),
        (Material("both", (0.0, 0.0, 1.0, 1.0), double_sided=True), True, [0, 0, 1]),
        (Material("glass", (0.0, 0.0, 1.0, 0.25), alpha_mode="BLEND"), False, [1, 0, 0]),
        (Material("glass", (0.0, 0.0, 1.0, 0.75), alpha_mode="BLEND"), False, [0, 0, 1]),
        (Material("lens", (0.0, 0.0, 1.0, 1.0), transmits=True), False, [1, 0, 0]),
        (Material("cut out", (0.0, 0.0, 1.0, 0.4), alpha_mode="MASK"), False, [1, 0, 0]),
    ],
)
def test_what_hides_what_is_decided_as_it_is_for_painting(
    before: Material, turned: bool, expected: list[float]
) -> None:
    assert centre_colour(two(RED, before, turned)) == pytest.approx(expected, abs=1e-3)


def test_alpha_of_vertices_counts() -> None:
    colours = np.ones((2, 3, 4))
    colours[..., 3] = 0.4
    glass = Material("glass", (0.0, 0.0, 1.0, 1.0), alpha_mode="BLEND")
    assert centre_colour(two(RED, glass, colours=colours)) == pytest.approx([1, 0, 0], abs=1e-3)


def test_what_the_file_hides_at_rest_is_not_drawn() -> None:
    blue = Material("blue", (0.0, 0.0, 1.0, 1.0))
    asset = two(RED, blue, hidden=np.array([True]))
    assert centre_colour(asset) == pytest.approx([1, 0, 0], abs=1e-3)
    alone = make(blue, hidden=np.array([True]))  # there would be nothing to look at
    assert centre_colour(alone) == pytest.approx([0, 0, 1], abs=1e-3)


def test_bilinear_lookups() -> None:
    image = np.arange(4, dtype=np.float32).reshape(2, 2, 1).repeat(3, 2)
    uv = np.array([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.5, 0.5], [1.0, 0.25]])
    assert bilinear(image, uv, REPEAT)[:, 0].tolist() == [0, 1, 2, 1.5, 0.5]
    assert bilinear(image, uv, (Wrap.CLAMP, Wrap.CLAMP))[4, 0] == 1


def test_mip_levels_are_means_down_to_one_texel() -> None:
    image = np.random.default_rng(0).random((6, 5, 3)).astype(np.float32)
    levels = mip_levels(image)
    assert [level.shape[:2] for level in levels] == [(6, 5), (3, 2), (1, 1)]
    assert np.allclose(levels[1][0, 0], image[:2, :2].mean((0, 1)))
    assert np.allclose(levels[1][2, 1], image[4:, 2:].mean((0, 1)))


def test_headlight() -> None:
    asset = make(Material("m"))
    camera = camera_towards_centre(np.array([0.6, 0.0, 0.8]), 64)
    image = Renderer(asset).render(camera, 2, frame=(64, 64))
    assert image is not None
    # The optical axis meets the quad at cos = 0.8: 0.55 + 0.45·0.8.
    assert image.colour[32, 32] == pytest.approx([0.91] * 3, abs=0.01)


def test_plain_model_is_consistent_and_fine_detail_is_not() -> None:
    pixels = np.full((64, 64, 4), 255, np.uint8)
    assert consistency(Renderer(make(Material("m", image=0), pixels))) == pytest.approx(0, abs=1e-6)
    pixels[..., :3] = (np.indices((64, 64)).sum(0) % 2 * 255)[..., None]
    assert consistency(Renderer(make(Material("m", image=0), pixels))) > 0.02
