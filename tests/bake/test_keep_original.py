"""What nobody painted keeps the original's picture in the painting's colours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.assets import SQUARE, SQUARE_UV, HandMade, moved
from helpers.gltf_samples import Maker

from meshstyle.bake.bake import bake
from meshstyle.bake.keep_original import read_palette
from meshstyle.config.model import Settings
from meshstyle.io.gltf.asset import GltfAsset
from meshstyle.io.images import encode_png
from meshstyle.io.types import Material, Part
from meshstyle.seen_report import seen_model
from meshstyle.texture.build import build_surface
from meshstyle.texture.plan import plan_atlases
from meshstyle.texture.types import Surface

SIDE = 128
LUMA = np.array([0.299, 0.587, 0.114])


def letters(seed: int, side: int = SIDE) -> np.ndarray:
    """Blocks of colours, RGBA."""
    cells = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    colour = np.kron(cells, np.ones((side // 8, side // 8, 1), np.uint8))
    return np.concatenate([colour, np.full((side, side, 1), 255, np.uint8)], axis=2)


def two_pictures() -> tuple[HandMade, Surface]:
    parts = [
        Part("near", 0, SQUARE[None], None, SQUARE_UV),
        Part("far", 1, moved(SQUARE, 5, 0, 0)[None], None, SQUARE_UV),
    ]
    materials = [Material("near", image=0), Material("far", image=1)]
    asset = HandMade(parts, materials, (SIDE, SIDE), images={0: letters(1), 1: letters(2)})
    return asset, build_surface(asset, Settings(uv="keep", texture_size=SIDE))


def paint_over(surface: Surface, number: int) -> np.ndarray:
    """A palette of blue and yellow that follows the original's luminance."""
    light = (surface.atlases[number].start @ LUMA)[..., None]
    return (np.array([0.1, 0.2, 0.5]) + light * np.array([0.8, 0.6, -0.1])).astype(np.float32)


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef((one[..., :3] @ LUMA).ravel(), (other[..., :3] @ LUMA).ravel())[0, 1])


def test_a_part_that_no_view_saw_keeps_its_picture_in_the_paints_colours() -> None:
    asset, surface = two_pictures()
    textures = [paint_over(surface, 0), np.zeros((SIDE, SIDE, 3), np.float32)]
    seen = [np.ones((SIDE, SIDE), bool), np.zeros((SIDE, SIDE), bool)]
    result = bake(surface, textures, seen)
    kept, original = result.images[1] / 255, letters(2) / 255
    assert correlation(kept, original) > 0.97  # clipped at 0 and 1 here and there
    paint = textures[0].reshape(-1, 3)
    np.testing.assert_allclose(kept.reshape(-1, 3).mean(0), paint.mean(0), atol=0.08)
    # The paint's blue hardly varies, its red does: so it is now, whatever the original's colours were.
    np.testing.assert_allclose(np.cov(kept.reshape(-1, 3).T), np.cov(paint.T), atol=0.01)
    told = seen_model(asset, result.seen)
    assert {m.name: m.painted for m in told.materials} == {"near": 1.0, "far": 0.0}
    assert [p.name for p in told.parts] == ["near", "far"]
    (warning,) = told.warnings
    assert "'far'" in warning


def test_a_picture_that_was_lost_is_a_warning_that_names_its_material() -> None:
    asset, surface = two_pictures()
    smear = np.random.default_rng(0).random((SIDE, SIDE, 3), dtype=np.float32)
    seen = [np.ones((SIDE, SIDE), bool)] * 2
    told = seen_model(asset, bake(surface, [paint_over(surface, 0), smear], seen).seen)
    (warning,) = told.warnings
    assert warning.startswith("Material 'far' has lost its picture")
    assert told.materials[0].likeness == pytest.approx(1.0, abs=0.02)


def test_slivers_between_paint_are_filled_from_around() -> None:
    _, surface = two_pictures()
    textures = [np.full((SIDE, SIDE, 3), 0.5, np.float32) for _ in range(2)]
    seen = [np.ones((SIDE, SIDE), bool) for _ in range(2)]
    seen[0][:, 60:64] = False
    textures[0][:, 60:64] = 1.0
    (image, _) = bake(surface, textures, seen).images
    assert np.abs(image.astype(int) - 128).max() <= 1


def test_the_picture_and_the_paint_meet_without_a_step() -> None:
    _, surface = two_pictures()
    surface = replace(
        surface,
        atlases=tuple(
            replace(a, start=np.broadcast_to(np.float32([0.9, 0.9, 0.9]), a.start.shape))
            for a in surface.atlases
        ),
    )
    texture = np.full((SIDE, SIDE, 3), 0.3, np.float32)
    texture[:, :20] = 0.1
    seen = [np.ones((SIDE, SIDE), bool), np.ones((SIDE, SIDE), bool)]
    seen[0][:, 64:] = False
    (image, _) = bake(surface, [texture, texture.copy()], seen).images
    assert np.abs(np.diff(image[64, 40:, 0].astype(int))).max() <= 6


def test_plain_paint_over_a_plain_model_does_not_blow_up_a_picture() -> None:
    _, surface = two_pictures()
    known = [np.ones((SIDE, SIDE), bool), np.zeros((SIDE, SIDE), bool)]
    loud = np.random.default_rng(0).random((SIDE, SIDE, 3), dtype=np.float32)
    visible = [np.ones((SIDE, SIDE), bool)] * 2
    palette = read_palette(surface, [loud * 10, loud], known, visible)
    assert palette is not None
    grey = palette.move(np.array([[0.4, 0.4, 0.4], [0.5, 0.5, 0.5]], np.float32) * np.float32(0.1)) @ LUMA
    assert abs(grey[1] - grey[0]) <= 1.5 * 0.01 + 1e-4


def flip_book(path: Path, moves: bool) -> Path:
    """A square that shows the top left quarter of a picture; an animation may move the picture across it."""
    pixels = letters(3)[..., :3]
    maker = Maker(extensionsUsed=["KHR_texture_transform", "KHR_animation_pointer"])
    image = maker.add("images", {"bufferView": maker.view(encode_png(pixels)), "mimeType": "image/png"})
    texture = maker.add("textures", {"source": image})
    info = {
        "index": texture,
        "extensions": {"KHR_texture_transform": {"scale": [0.5, 0.5], "offset": [0, 0]}},
    }
    material = maker.add("materials", {"name": "screen", "pbrMetallicRoughness": {"baseColorTexture": info}})
    maker.mesh(maker.square(material=material))
    if moves:
        pointer = f"/materials/{material}/pbrMetallicRoughness/baseColorTexture/extensions/KHR_texture_transform/offset"
        target = {"path": "pointer", "extensions": {"KHR_animation_pointer": {"pointer": pointer}}}
        times, offsets = maker.accessor(np.array([0, 1], "<f4")), maker.accessor(np.eye(2, dtype="<f4") / 2)
        maker.json["animations"] = [
            {
                "channels": [{"sampler": 0, "target": target}],
                "samplers": [{"input": times, "output": offsets, "interpolation": "STEP"}],
            }
        ]
    return maker.glb(path)


@pytest.mark.parametrize("moves", [True, False])
def test_frames_that_no_uv_reads_at_rest_keep_their_picture(tmp_path: Path, moves: bool) -> None:
    asset = GltfAsset(flip_book(tmp_path / "book.glb", moves))
    assert asset.materials[0].moves == moves
    surface = build_surface(asset, Settings(uv="keep", texture_size=SIDE))
    (atlas,) = surface.atlases
    assert atlas.covered.mean() == pytest.approx(0.25, abs=0.02)
    (image,) = bake(surface, [paint_over(surface, 0)], [atlas.covered]).images
    original = letters(3)
    for rows, columns in ((slice(80, 128), slice(80, 128)), (slice(0, 48), slice(80, 128))):
        assert correlation(image[rows, columns], original[rows, columns]) > 0.9


def test_uvs_across_which_an_animation_moves_the_picture_are_kept(tmp_path: Path) -> None:
    # The same quarter twice: without the animation this would be unwrapped.
    plans = []
    for moves in (True, False):
        asset = GltfAsset(flip_book(tmp_path / f"{moves}.glb", moves))
        twice = replace(asset.parts[0], corners=asset.parts[0].corners + 2, name="again")
        asset.parts = (*asset.parts, twice)
        plans += plan_atlases(asset, Settings())
    assert [plan.unwrap for plan in plans] == [False, True]


def test_an_empty_background_is_no_picture(tmp_path: Path) -> None:
    pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
    pixels[..., 3] = 255
    pixels[:64, :64] = letters(4)[:64, :64]
    asset = HandMade(
        [Part("a", 0, SQUARE[None], None, SQUARE_UV / 2)],
        [Material("m", image=0)],
        (SIDE, SIDE),
        images={0: pixels},
    )
    assert build_surface(asset, Settings(uv="keep", texture_size=SIDE)).atlases[0].rest is None


def test_a_part_without_a_size_at_rest_is_laid_out_by_its_mesh(tmp_path: Path) -> None:
    """Two squares with one picture, which is unwrapped; one has scale 0 until an animation shows it."""
    maker = Maker()
    pixels = letters(5)[..., :3]
    image = maker.add("images", {"bufferView": maker.view(encode_png(pixels)), "mimeType": "image/png"})
    material = maker.material(maker.add("textures", {"source": image}))
    maker.mesh(maker.square(material=material))
    maker.mesh(maker.square(material=material))
    maker.json["nodes"][1]["scale"] = [0, 0, 0]
    asset = GltfAsset(maker.glb(tmp_path / "fx.glb"))
    assert asset.parts[0].shape is None
    surface = build_surface(asset, Settings(uv="unwrap", texture_size=256))
    (atlas,) = surface.atlases
    own = [atlas.covered & (surface.part[atlas.owner] == n) for n in (0, 1)]
    assert own[1].sum() == pytest.approx(own[0].sum(), rel=0.1)
    (result,) = bake(surface, [paint_over(surface, 0)], [own[0]]).images
    before, after = atlas.start[own[1]] @ LUMA, result[own[1]][:, :3] @ LUMA
    assert np.corrcoef(before, after)[0, 1] > 0.9
