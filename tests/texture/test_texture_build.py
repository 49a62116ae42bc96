"""From asset to Surface: numbering, start colours, alpha, normals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.assets import SQUARE, SQUARE_UV, HandMade, moved

from meshstyle.config.model import Settings
from meshstyle.io.load import load_asset
from meshstyle.io.types import Material, Part, Wrap
from meshstyle.srgb import to_linear, to_srgb
from meshstyle.texture.build import build_surface
from meshstyle.texture.image_sampler import ImageSampler
from meshstyle.texture.normals import find_twins, smooth_normals, weld
from meshstyle.texture.plan import plan_atlases
from meshstyle.texture.rasterize import rasterize
from meshstyle.texture.texel_positions import texel_points, texel_weights

ROOT = Path(__file__).parents[1]
KEEP16 = Settings(uv="keep", texture_size=16)


def test_srgb_is_the_standards_curve() -> None:
    # IEC 61966-2-1: 0.5 in sRGB is 0.21404 in linear light; below 0.04045 the curve is a line of gradient 1 / 12.92.
    assert to_linear(np.array([0.0, 0.04, 0.5, 1.0])) == pytest.approx(
        [0, 0.04 / 12.92, 0.214041, 1], abs=1e-6
    )
    ramp = np.linspace(0, 1, 256)
    np.testing.assert_allclose(to_srgb(to_linear(ramp)), ramp, atol=1e-6)


def test_instances_share_texels_but_not_places() -> None:
    twice = np.stack([SQUARE, moved(SQUARE, 0, 0, 3)])
    surface = build_surface(
        HandMade([Part("a", 0, SQUARE[None] + 9, None, SQUARE_UV), Part("b", 0, twice, None, SQUARE_UV)]),
        KEEP16,
    )
    assert surface.corners.shape == (6, 3, 3)
    assert surface.part.tolist() == [0, 0, 1, 1, 1, 1]
    assert surface.triangle.tolist() == [0, 1, 0, 1, 0, 1]
    assert surface.atlas.tolist() == [0] * 6
    assert (surface.uv[4:] == SQUARE_UV).all()
    assert surface.corners[4:, :, 2].min() == 3
    owners = np.unique(surface.atlases[0].owner)
    assert set(owners) <= {0, 1, 2, 3}  # of the first instance of each part
    assert [p.uv for p in surface.painted if p] == [None, None]


def test_parts_in_no_plan_only_hide() -> None:
    asset = HandMade(
        [Part("a", 0, SQUARE[None], None, SQUARE_UV), Part("b", 0, SQUARE[None] + 5, None, None)]
    )
    (plan,) = plan_atlases(HandMade(asset.parts[:1]), Settings(texture_size=16))
    surface = build_surface(asset, Settings(), [plan])
    assert surface.atlas.tolist() == [0, 0, -1, -1]
    assert np.isnan(surface.uv[2:]).all()
    assert surface.painted[1] is None


def test_fresh_uvs_go_back_to_the_file_and_the_surface() -> None:
    asset = HandMade([Part("a", 0, SQUARE[None], None, None)])
    surface = build_surface(asset, Settings(texture_size=64))
    painted = surface.painted[0]
    assert painted is not None
    assert painted.uv is not None
    np.testing.assert_array_equal(painted.uv, surface.uv)
    assert surface.atlases[0].covered.mean() > 0.3


def test_kept_uvs_start_from_the_image_itself() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 4), dtype=np.uint8)
    asset = HandMade(
        [Part("a", 0, SQUARE[None], None, SQUARE_UV)], [Material("m", image=0)], images={0: picture}
    )
    asset.size = (16, 16)
    (atlas,) = build_surface(asset, KEEP16).atlases
    np.testing.assert_allclose(atlas.start, picture[..., :3] / 255, atol=1e-6)
    assert atlas.alpha is not None  # opaque, and yet the image's own alpha goes back into the file
    np.testing.assert_allclose(atlas.alpha, picture[..., 3] / 255, atol=1e-6)


def test_colours_multiply_in_linear_light() -> None:
    # Factor ½, vertex colour ½, image 188 (linear 0.5029): 0.1257 linear is 0.3906 in sRGB.
    half = np.full((2, 3, 4), 0.5)
    grey = np.full((4, 4, 4), 188, np.uint8)
    material = Material("m", factor=(0.5, 0.5, 0.5, 0.25), image=0, alpha_mode="BLEND")
    asset = HandMade([Part("a", 0, SQUARE[None], None, SQUARE_UV, half)], [material], images={0: grey})
    asset.size = (4, 4)
    for settings in (KEEP16, Settings(uv="unwrap", texture_size=64)):
        (atlas,) = build_surface(asset, settings).atlases
        assert atlas.start[atlas.covered] == pytest.approx(0.3906, abs=1e-3)
        # Vertex colour ½ × image 188 / 255; the factor's quarter stays in the material.
        assert atlas.alpha is not None
        assert atlas.alpha[atlas.covered] == pytest.approx(0.5 * 188 / 255, abs=1e-3)


def test_vertex_colours_without_an_image() -> None:
    colours = np.ones((2, 3, 4))
    colours[..., :3] = SQUARE[..., :1]  # linear brightness grows along x from 0 to 1
    asset = HandMade([Part("a", 0, SQUARE[None], None, SQUARE_UV, colours)])
    (atlas,) = build_surface(asset, Settings(uv="keep", texture_size=32)).atlases
    ramp = to_srgb((np.arange(32) + 0.5) / 32)
    np.testing.assert_allclose(atlas.start, np.broadcast_to(ramp[None, :, None], (32, 32, 3)), atol=1e-5)


def test_unwrapping_carries_the_picture_over() -> None:
    """Wherever a texel lies in the new atlas, it holds what the old image showed at that place."""
    ramp = np.full((256, 256, 4), 255, np.uint8)
    ramp[..., 0], ramp[..., 1] = np.arange(256)[None], np.arange(256)[:, None]
    asset = HandMade(
        [Part("a", 0, SQUARE[None], None, SQUARE_UV)], [Material("m", image=0)], images={0: ramp}
    )
    surface = build_surface(asset, Settings(uv="unwrap", texture_size=256))
    (atlas,) = surface.atlases
    texel = np.flatnonzero(atlas.covered)
    place, normal = texel_points(surface, atlas, texel)  # x is u, y is v
    colour = atlas.start.reshape(-1, 3)[texel]
    inside = ((place[:, :2] > 0.02) & (place[:, :2] < 0.98)).all(axis=1)
    np.testing.assert_allclose(colour[inside, :2] * 255, place[inside, :2] * 256 - 0.5, atol=1.5)
    np.testing.assert_allclose(np.abs(normal), np.broadcast_to([0, 0, 1], normal.shape), atol=1e-9)


def test_several_images_in_one_atlas() -> None:
    red, green = (
        np.full((4, 4, 4), 255, np.uint8) * np.array(c, np.uint8) for c in ([1, 0, 0, 1], [0, 1, 0, 0])
    )
    # Red is cut out where its alpha says so (nowhere); green is opaque and its alpha (0) does not count.
    materials = [
        Material("a", image=0, alpha_mode="MASK"),
        Material("b", image=1),
        Material("c", (0, 0, 1, 1)),
    ]
    parts = [
        Part(m.name, i, moved(SQUARE, 2 * i, 0, 0)[None], None, SQUARE_UV) for i, m in enumerate(materials)
    ]
    asset = HandMade(parts, materials, (4, 4), images={0: red, 1: green})
    surface = build_surface(asset, Settings(texture_size=64, atlas="shared"))
    (atlas,) = surface.atlases
    assert atlas.alpha is None
    for number, colour in enumerate(np.eye(3)):
        own = atlas.covered & (surface.part[atlas.owner] == number)
        assert own.any()
        np.testing.assert_allclose(atlas.start[own], np.broadcast_to(colour, (own.sum(), 3)), atol=1e-5)


@pytest.mark.parametrize(
    ("wrap", "expected"),
    [(Wrap.REPEAT, [0, 1, 0, 1]), (Wrap.MIRROR, [1, 0, 0, 1]), (Wrap.CLAMP, [0, 0, 0, 1])],
)
def test_samplers_outside_the_image(wrap: Wrap, expected: list[float]) -> None:
    # Two pixels, black and white, read at their centres in the images from -1 to 1.
    pixels = np.zeros((1, 2, 4), np.uint8)
    pixels[0, 1] = 255
    uv = np.array([[-0.75, 0.5], [-0.25, 0.5], [0.25, 0.5], [0.75, 0.5]])
    assert ImageSampler(pixels).sample(uv, (wrap, wrap), np.zeros(4))[:, 0] == pytest.approx(expected)


def test_shrinking_averages_in_linear_light() -> None:
    # Black and white pixels in turn: their mean is 0.5 linear, wherever one looks.
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[::2, ::2] = pixels[1::2, 1::2] = 255
    pixels[..., 3] = 255
    uv = np.random.default_rng(1).random((20, 2))
    sampled = ImageSampler(pixels).sample(uv, (Wrap.REPEAT, Wrap.REPEAT), np.ones(20))
    assert sampled[:, :3] == pytest.approx(0.5)
    assert ImageSampler(pixels).resized((4, 4))[..., :3] == pytest.approx(0.5)


def test_resizing_does_not_mix_in_invisible_colours() -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:, ::2] = [0, 255, 0, 0]  # transparent green
    pixels[:, 1::2] = [255, 0, 0, 255]  # opaque red
    assert ImageSampler(pixels).resized((2, 2))[..., :3] == pytest.approx(
        np.broadcast_to([1.0, 0, 0], (2, 2, 3))
    )


def test_cut_out_texels_take_visible_colours_and_keep_their_alpha() -> None:
    pixels = np.zeros((16, 16, 4), np.uint8)  # black and transparent on the left, red and opaque on the right
    pixels[:, 8:] = [255, 0, 0, 255]
    material = Material("leaf", image=0, alpha_mode="MASK", factor=(1, 1, 1, 0.8), alpha_cutoff=0.4)
    asset = HandMade([Part("a", 0, SQUARE[None], None, SQUARE_UV)], [material], images={0: pixels})
    asset.size = (16, 16)
    surface = build_surface(asset, KEEP16)
    (atlas,) = surface.atlases
    assert atlas.alpha is not None
    np.testing.assert_array_equal(atlas.alpha, pixels[..., 3] / 255)
    np.testing.assert_allclose(atlas.start, np.broadcast_to([1.0, 0, 0], (16, 16, 3)))
    assert surface.alpha_cutoff == pytest.approx(0.5)  # 0.4, of which the factor supplies 0.8


def test_texel_weights_match_the_rasteriser() -> None:
    surface = build_surface(load_asset(ROOT / "../assets/models/spot/spot.obj"), Settings(texture_size=256))
    (atlas,) = surface.atlases
    texels = rasterize(surface.uv, (256, 256), atlas.wrap, conservative=False)
    inside = np.flatnonzero(texels.owner >= 0)
    owner, weights = texel_weights(surface, atlas, inside)
    np.testing.assert_array_equal(owner, texels.owner.reshape(-1)[inside])
    np.testing.assert_allclose(weights, texels.barycentric.reshape(-1, 3)[inside], atol=1e-5)


def test_normals_are_smooth_over_soft_edges_and_creased_at_sharp_ones() -> None:
    # Two squares that meet in the edge x = 1 and make a roof with flanks of ±15 degrees: a bend of 30.
    for bend, smooth in ((30, True), (60, False)):
        gradient = np.tan(np.radians(bend / 2))
        roof = np.concatenate([SQUARE, moved(SQUARE, 1, 0, 0)])
        roof[..., 2] = -gradient * np.abs(roof[..., 0] - 1)
        normals = smooth_normals(roof)
        ridge = roof[..., 0] == 1
        expected = 1.0 if smooth else np.cos(np.radians(bend / 2))
        assert normals[ridge][:, 2] == pytest.approx(expected, abs=1e-9)
        assert normals[~ridge][:, 2] == pytest.approx(np.cos(np.radians(bend / 2)), abs=1e-9)


def test_broken_normals_are_mended() -> None:
    given = np.tile(np.array([0.0, 0, 2]), (1, 2, 3, 1))  # not of unit length
    given[0, 0, 0] = np.nan
    given[0, 1, 2] = 0
    asset = HandMade([Part("a", 0, SQUARE[None], given, SQUARE_UV)])
    np.testing.assert_allclose(build_surface(asset, KEEP16).normals, np.tile([0, 0, 1.0], (2, 3, 1)))


def test_welding_is_exact() -> None:
    corners = np.array(
        [[[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[1, 0, 0], [-0.0, 0, 0], [0, 1, 1e-12]]], np.float64
    )
    vertex = weld(corners)
    assert vertex[0, 0] == vertex[1, 1]
    assert vertex[0, 1] == vertex[1, 0]
    assert len(np.unique(vertex)) == 4


def test_triangles_at_one_place_share_their_texels() -> None:
    """Triangle 2 is triangle 0 begun at its second corner; triangle 3 the same turned over, which is another side."""
    twice = np.stack([SQUARE[0], SQUARE[1], SQUARE[0][[1, 2, 0]], SQUARE[0][[2, 1, 0]]])
    twin, turn = find_twins(twice, np.zeros(4, np.int64))
    np.testing.assert_array_equal(twin, [0, 1, 0, 3])
    np.testing.assert_array_equal(turn, [[0, 1, 2], [0, 1, 2], [1, 2, 0], [0, 1, 2]])
    np.testing.assert_array_equal(find_twins(twice, np.array([0, 0, 1, 1]))[0], [0, 1, 2, 3])
    asset = HandMade((Part("all", 0, twice[None]),), (Material("plain"),))
    surface = build_surface(asset, Settings(uv="unwrap", texture_size=128))
    np.testing.assert_array_equal(surface.uv[2], surface.uv[0][[1, 2, 0]])
    assert not np.allclose(surface.uv[3], surface.uv[0][[2, 1, 0]])
    assert not np.allclose(surface.uv[1], surface.uv[0])
