"""From painted textures to images: holes, gutters, seams, alpha."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.assets import SQUARE, SQUARE_UV, HandMade, moved
from helpers.charts import two_charts
from scipy.ndimage import map_coordinates

from meshstyle.bake.bake import bake, quantized
from meshstyle.bake.inpaint import fill_unseen
from meshstyle.bake.seam_leveling import match_seams
from meshstyle.config.model import Settings
from meshstyle.io.load import load_asset
from meshstyle.io.types import Material, Part
from meshstyle.texture.build import build_surface
from meshstyle.texture.seams import find_seams
from meshstyle.texture.texel_positions import texel_points
from meshstyle.texture.types import Surface

ROOT = Path(__file__).parents[1]
MODELS = {
    "spot (UVs kept)": (ROOT / "../assets/models/spot/spot.obj", "keep"),
    "fox (UVs kept)": (ROOT / "data/Fox/Fox.glb", "keep"),
    "barrel (unwrapped)": (ROOT / "data/barrel_large/barrel_large.gltf.glb", "unwrap"),
    "robot (unwrapped)": (ROOT / "data/robot/robot.glb", "unwrap"),
}


def painted_by_place(surface: Surface, paint: np.ufunc | object) -> list[np.ndarray]:
    """Textures whose covered texels are a function of their place."""
    textures = []
    for atlas in surface.atlases:
        texture = np.full((*atlas.owner.shape, 3), 0.5, np.float32)
        texel = np.flatnonzero(atlas.covered)
        place, _ = texel_points(surface, atlas, texel)
        texture.reshape(-1, 3)[texel] = paint(place)  # type: ignore[operator]
        textures.append(texture)
    return textures


def test_quantizing_rounds() -> None:
    colour = np.array([[[0.0, 0.5, 1.0], [1.4 / 255, 1.6 / 255, -1]]], np.float32)
    assert quantized(colour, None).tolist() == [[[0, 128, 255], [1, 2, 0]]]
    assert quantized(colour, np.array([[1.0, 0.25]], np.float32))[..., 3].tolist() == [[255, 64]]


def test_what_was_seen_stays_as_it_was_painted() -> None:
    surface = two_charts()
    texture = np.random.default_rng(0).random((64, 64, 3), dtype=np.float32)
    covered = surface.atlases[0].covered
    result = bake(surface, [texture], [covered])
    away = covered.copy()
    away[:, 20:44] = False  # the columns near the seam, in both charts
    np.testing.assert_array_equal(result.images[0][away], quantized(texture, None)[away])
    assert result.filled_share == (0.0,)


def test_holes_take_the_colours_around_them() -> None:
    surface = two_charts()
    (texture,) = painted_by_place(surface, lambda place: np.where(place[:, :1] < 1, 0.2, 0.8))
    covered = surface.atlases[0].covered
    hole = np.zeros_like(covered)
    hole[28:36, 10:18] = hole[28:36, 44:50] = True
    texture[hole] = [1, 0, 1]
    (filled,) = fill_unseen(surface, [texture], [covered & ~hole])
    assert filled[28:36, 10:18] == pytest.approx(0.2, abs=1e-3)
    assert filled[28:36, 44:50] == pytest.approx(0.8, abs=1e-3)
    share = bake(surface, [texture], [~hole]).filled_share[0]
    assert share == pytest.approx(hole.sum() / covered.sum())


def test_a_hidden_chart_continues_its_neighbour_across_the_seam() -> None:
    # The right square was not seen at all: next to the seam it takes the left one's colours there, row by row.
    surface = two_charts()
    (texture,) = painted_by_place(surface, lambda place: place[:, 1:2] * np.ones(3))
    seen = surface.atlases[0].covered.copy()
    seen[:, 32:] = False
    (filled,) = fill_unseen(surface, [texture], [seen])
    rows = (np.arange(18, 46) + 0.5 - 16) / 32  # y of each row
    np.testing.assert_allclose(filled[18:46, 40, 0], rows, atol=0.05)


def test_the_far_side_of_a_wall_prefers_its_own_paint() -> None:
    # A thin wall: the front is painted black, the back white but for a hole.
    uv = SQUARE_UV * [0.45, 0.9] + 0.03
    back = moved(SQUARE[:, ::-1], 0, 0, -0.01)
    parts = [
        Part("front", 0, SQUARE[None], None, uv),
        Part("back", 0, back[None], None, uv[:, ::-1] + [0.5, 0]),
    ]
    surface = build_surface(HandMade(parts), Settings(uv="keep", texture_size=64))
    (texture,) = painted_by_place(
        surface, lambda place: np.where(place[:, 2:] < -0.005, 1.0, 0.0) * np.ones(3)
    )
    seen = surface.atlases[0].covered.copy()
    seen[28:36, 44:52] = False
    (filled,) = fill_unseen(surface, [texture], [seen])
    assert filled[28:36, 44:52].min() > 0.95


def test_where_nothing_was_seen_textures_stay() -> None:
    surface = two_charts()
    texture = np.random.default_rng(0).random((64, 64, 3), dtype=np.float32)
    (filled,) = fill_unseen(surface, [texture], [np.zeros((64, 64), bool)])
    np.testing.assert_array_equal(filled, texture)


def test_seams_are_found_and_charts_told_apart() -> None:
    seams = find_seams(two_charts())
    assert seams.chart.tolist() in ([0, 0, 1, 1], [1, 1, 0, 0])
    assert len(seams.triangle) == 1
    # The edge x = 1 from y = 0 to 1: the right border of the left chart, the left border of the right one.
    (left, right) = seams.uv[0] if seams.triangle[0, 0] < 2 else seams.uv[0, ::-1]
    ends = np.argsort(left[:, 1])
    np.testing.assert_allclose(left[ends], [[0.375, 0.25], [0.375, 0.75]])
    np.testing.assert_allclose(right[ends], [[0.625, 0.25], [0.625, 0.75]])


def test_both_sides_of_a_seam_meet_halfway_and_the_rest_stays() -> None:
    surface = two_charts(left=0.3, right=0.3, size=256)
    (texture,) = painted_by_place(surface, lambda place: np.where(place[:, :1] < 1, 0.4, 0.6) * np.ones(3))
    (matched,) = match_seams(surface, [texture])
    middle = matched[128, :, 0]
    assert middle[95] == pytest.approx(0.5, abs=0.02)  # last texel of the left chart
    assert middle[160] == pytest.approx(0.5, abs=0.02)  # first of the right one
    assert middle[32:84] == pytest.approx(0.4, abs=1e-3)
    assert middle[172:224] == pytest.approx(0.6, abs=1e-3)
    assert (np.diff(middle[32:96]) >= -1e-4).all()  # fading in without a wave


def test_seams_where_the_original_changes_colour_are_left_alone() -> None:
    surface = two_charts(left=0.0, right=1.0)
    (texture,) = painted_by_place(surface, lambda place: np.where(place[:, :1] < 1, 0.2, 0.8) * np.ones(3))
    np.testing.assert_allclose(match_seams(surface, [texture])[0], texture, atol=1e-3)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_steps_across_seams_shrink_on_real_models(name: str) -> None:
    """Noise painted chart by chart differs across seams; matched, it differs far less."""
    file, uv = MODELS[name]
    surface = build_surface(load_asset(file), Settings(uv=uv, texture_size=256))
    rng = np.random.default_rng(0)
    textures = [rng.random((*a.owner.shape, 3), dtype=np.float32) * 0.5 + 0.25 for a in surface.atlases]
    before, after = seam_step(surface, textures), seam_step(surface, match_seams(surface, textures))
    assert after < 0.5 * before


def seam_step(surface: Surface, textures: list[np.ndarray]) -> float:
    """Mean difference across the middles of seams at which the original model has one colour."""
    seams = find_seams(surface)
    middle, atlas = seams.uv.mean(axis=2), surface.atlas[seams.triangle]
    long = np.linalg.norm(seams.uv[:, 0, 0] - seams.uv[:, 0, 1], axis=1) * 256 > 2
    steps = []
    for pictures in (textures, [a.start for a in surface.atlases]):
        sides = np.zeros((*atlas.shape, 3))
        for number, picture in enumerate(pictures):
            chosen = atlas == number
            sides[chosen] = sampled(picture, surface.atlases[number].covered, middle[chosen])
        steps.append(np.abs(sides[:, 0] - sides[:, 1]).mean(axis=1))
    return float(steps[0][long & (steps[1] < 0.01)].mean())


def sampled(picture: np.ndarray, covered: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Bilinear, of covered texels only, in a repeating image."""
    place = np.stack([uv[:, 1] * picture.shape[0] - 0.5, uv[:, 0] * picture.shape[1] - 0.5])

    def look(layer: np.ndarray) -> np.ndarray:
        return map_coordinates(layer.astype(np.float64), place, order=1, mode="grid-wrap")

    weight = np.maximum(look(covered), 1e-6)
    return np.stack([look(picture[..., c] * covered) / weight for c in range(3)], axis=1)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_no_pale_lines_at_chart_borders(name: str) -> None:
    """Charts of one colour, magenta between them: bilinear lookups on the surface give that colour, in the
    image and in its mipmaps 1 to 3."""
    file, uv = MODELS[name]
    surface = build_surface(load_asset(file), Settings(uv=uv, texture_size=1024))
    atlas = surface.atlases[0]
    texture = np.full((*atlas.owner.shape, 3), 0.35, np.float32)
    texture[~atlas.covered] = [1, 0, 1]
    (image,) = bake(surface, [texture], [atlas.covered]).images[:1]
    rng = np.random.default_rng(0)
    weights = rng.dirichlet([0.3, 0.3, 0.3], (len(surface.uv), 4))  # many of them near edges and corners
    uvs = np.einsum("fnk,fkc->fnc", weights, surface.uv[:, :]).reshape(-1, 2)
    level = image[..., :3].astype(np.float64)
    for _ in range(4):
        everywhere = np.ones(level.shape[:2], bool)
        assert (
            np.abs(sampled(level, everywhere, uvs) - quantized(texture[:1, :1] * 0 + 0.35, None)).max() <= 1.0
        )
        level = (level[0::2] + level[1::2])[:, 0::2] / 4 + (level[0::2] + level[1::2])[:, 1::2] / 4


def test_alpha_goes_into_the_image_and_hidden_colours_do_not_bleed() -> None:
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[:, 32:] = 255  # the left half is cut out
    material = Material("leaf", image=0, alpha_mode="MASK")
    asset = HandMade(
        [Part("leaf", 0, SQUARE[None], None, SQUARE_UV)], [material], (64, 64), images={0: pixels}
    )
    surface = build_surface(asset, Settings(uv="keep", texture_size=64))
    texture = np.zeros((64, 64, 3), np.float32)
    texture[:, :32], texture[:, 32:] = [1, 0, 1], [0.2, 0.4, 0.6]
    result = bake(surface, [texture], [np.ones((64, 64), bool)])
    (image,) = result.images
    np.testing.assert_array_equal(image[..., 3], pixels[..., 3])
    assert (np.abs(image[:, 20:, :3].astype(int) - [51, 102, 153]) <= 1).all()
    assert result.filled_share == (0.0,)  # what is cut out does not count


def test_several_atlases_fill_from_each_other() -> None:
    materials = [Material("a", image=0), Material("b", image=1)]
    parts = [
        Part("a", 0, SQUARE[None], None, SQUARE_UV),
        Part("b", 1, moved(SQUARE, 1, 0, 0)[None], None, SQUARE_UV),
    ]
    surface = build_surface(HandMade(parts, materials, (32, 32)), Settings(uv="keep", texture_size=32))
    seen = [np.ones((32, 32), bool), np.zeros((32, 32), bool)]
    result = bake(surface, [np.full((32, 32, 3), 0.6, np.float32), np.zeros((32, 32, 3), np.float32)], seen)
    assert (result.images[1] == 153).all()
    assert result.filled_share == (0.0, 1.0)
