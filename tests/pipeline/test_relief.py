"""Relief: slopes that can be worked out on a square, and what of it is written into files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.gltf_validator import validate
from helpers.surfaces import make_surface, quad
from PIL import Image

from meshstyle.config.model import Settings
from meshstyle.errors import UsageError
from meshstyle.io.gltf.tangents import vertex_tangents
from meshstyle.io.images import encode_height
from meshstyle.io.load import load_asset
from meshstyle.io.save import save_asset
from meshstyle.io.types import Material, Paint, PaintedAtlas, Part
from meshstyle.relief.height import slopes_of, stroke_height
from meshstyle.relief.maps import check_relief, make_relief
from meshstyle.texture.build import build_surface
from meshstyle.texture.rasterize import rasterize
from meshstyle.texture.types import Surface

ASSETS = Path(__file__).parents[2] / "assets"
SIDE = 256


class Square:
    """An asset without materials' maps, of two triangles; see `io.types.Asset`."""

    path, kind, warnings, record = Path("square.ply"), "PLY", (), None

    def __init__(self) -> None:
        corners, uv = quad()
        self.materials = (Material("paint"),)
        self.parts = (Part("square", 0, corners[None], uv=uv),)

    def image(self, index: int) -> Any:
        raise AssertionError(index)

    image_name = image_size = image


def square() -> tuple[Square, Surface]:
    corners, uv = quad()
    surface = make_surface(corners, uv, size=(SIDE, SIDE))
    owner = rasterize(uv, (SIDE, SIDE), surface.atlases[0].wrap).owner
    return Square(), replace(surface, atlases=(replace(surface.atlases[0], owner=owner),))


def waves(axis: int) -> np.ndarray:
    """Strokes 16 texels apart, light and dark, that follow each other along an axis."""
    place = np.indices((SIDE, SIDE))[axis]
    light = 0.5 + 0.3 * np.sin(2 * np.pi * place / 16)
    return np.repeat(np.rint(light * 255).astype(np.uint8)[..., None], 3, axis=2)


def test_slopes_stop_at_the_borders_of_charts() -> None:
    """A ramp of 2 a column in each of two charts, which lie 100 apart in height, and nothing in between them."""
    height = np.tile(np.arange(8, dtype=np.float32) * 2, (4, 1))
    chart = np.array([[0, 0, 0, -1, 1, 1, 1, 1]] * 4)
    height[:, 4:] += 100
    across, down = slopes_of(height, chart)
    assert across.tolist() == [[2, 2, 2, 0, 2, 2, 2, 2]] * 4
    assert not down.any()


def test_height_is_the_lightness_of_strokes_and_not_of_the_picture() -> None:
    """Waves of 16 texels are strokes; a slow change over the whole is none, and nor is flat paint."""
    covered = np.ones((SIDE, SIDE), bool)
    found = stroke_height(waves(1), covered, 1.0)
    assert found[128].max() == pytest.approx(0.3, rel=0.25)
    slow = np.repeat(np.linspace(50, 200, SIDE).astype(np.uint8)[None, :, None], SIDE, 0).repeat(3, 2)
    assert np.abs(stroke_height(slow, covered, 1.0)[:, 40:-40]).max() < 0.01
    assert np.abs(stroke_height(np.full((SIDE, SIDE, 3), 90, np.uint8), covered, 1.0)).max() < 1e-5


@pytest.mark.parametrize(("axis", "sign"), [(1, -1.0), (0, 1.0)])
def test_normals_lean_away_from_where_it_rises(axis: int, sign: float) -> None:
    """Along u a rise leans the normal against x; down the image, with y up in it, along y."""
    asset, surface = square()
    (maps,) = make_relief(asset, surface, [waves(axis)], 0.5)
    normal = maps.normal.astype(np.float32) / 127.5 - 1
    light = waves(axis)[..., 0].astype(np.float32)
    rise = np.gradient(light, axis=axis)
    inner = (slice(16, -16), slice(16, -16))
    along, beside = normal[..., 1 - axis], normal[..., axis]
    assert np.corrcoef(along[inner].ravel(), sign * rise[inner].ravel())[0, 1] > 0.95
    assert np.abs(beside[inner]).max() < 0.03
    assert np.abs(np.linalg.norm(normal, axis=2) - 1).max() < 0.02


def test_more_relief_is_steeper_and_paint_without_strength_is_flat() -> None:
    asset, surface = square()
    tilt = []
    for relief in (0.25, 0.5, 1.0):
        (maps,) = make_relief(asset, surface, [waves(1)], relief)
        tilt.append(np.abs(maps.normal[..., 0].astype(int) - 128).max())
    assert tilt[0] < tilt[1] < tilt[2]
    half = np.ones((SIDE, SIDE), np.float32)
    half[:, : SIDE // 2] = 0
    (maps,) = make_relief(asset, surface, [waves(1)], 1.0, [half])
    assert np.abs(maps.normal[:, : SIDE // 2 - 8].astype(int) - (128, 128, 255)).max() <= 1
    assert (maps.surface[:, : SIDE // 2 - 8, 1] == 255).all()
    assert np.abs(maps.normal[:, SIDE // 2 + 8 :, 0].astype(int) - 128).max() > 20


def test_ridges_are_smoother_than_valleys() -> None:
    asset, surface = square()
    image = waves(1)
    (maps,) = make_relief(asset, surface, [image], 1.0)
    rough, light = maps.surface[64:-64, 64:-64, 1].astype(float), image[64:-64, 64:-64, 0].astype(float)
    assert rough[light > light.mean()].mean() < rough[light < light.mean()].mean() - 20
    assert maps.height.dtype == np.uint16
    assert np.corrcoef(maps.height[64:-64, 64:-64].ravel(), light.ravel())[0, 1] > 0.9


def test_tangents_follow_u_and_their_sign_the_images_up() -> None:
    corners, uv = quad()
    vertices, normals = corners.reshape(-1, 3), np.tile([0.0, 0, 1], (6, 1))
    order = np.arange(6).reshape(2, 3)
    assert vertex_tangents(vertices, normals, uv.reshape(-1, 2), order) == pytest.approx(
        np.tile([1.0, 0, 0, 1], (6, 1)), abs=1e-6
    )
    mirrored = uv.reshape(-1, 2) * [-1, 1] + [1, 0]
    assert vertex_tangents(vertices, normals, mirrored, order) == pytest.approx(
        np.tile([-1.0, 0, 0, -1], (6, 1)), abs=1e-6
    )
    nothing = vertex_tangents(vertices, normals, np.zeros((6, 2)), order)
    assert np.abs((nothing[:, :3] * normals).sum(axis=1)).max() < 1e-6
    assert np.linalg.norm(nothing[:, :3], axis=1) == pytest.approx(1)


def raised(model: Path, output: Path, relief: float = 0.5) -> dict[str, Any]:
    """The JSON of a model that is given a striped image and relief."""
    asset = load_asset(model)
    surface = build_surface(asset, Settings(texture_size=64))
    stripes = np.repeat(np.indices((64, 64))[1][..., None] // 4 % 2 * 120 + 60, 3, axis=2).astype(np.uint8)
    images = [stripes[: atlas.owner.shape[0], : atlas.owner.shape[1]] for atlas in surface.atlases]
    maps = make_relief(asset, surface, images, relief)
    atlases = zip(surface.atlases, images, maps, strict=True)
    painted = tuple(PaintedAtlas(atlas.plan.name, image, found) for atlas, image, found in atlases)
    save_asset(asset, output, Paint(painted, surface.painted, {}))
    data = output.read_bytes()
    found: dict[str, Any] = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
    return found


@pytest.mark.parametrize("model", ["robot/robot.glb", "fox/Fox.glb", "spot/spot.obj", "barrel/barrel.glb"])
def test_relief_is_written_beside_the_paint(model: str, tmp_path: Path) -> None:
    """Normals and roughness are read through the UVs of the paint; primitives with normals get tangents."""
    document = raised(ASSETS / "models" / model, tmp_path / "out.glb")
    images = document["images"]
    for mesh in document["meshes"]:
        for primitive in mesh["primitives"]:
            material = document["materials"][primitive["material"]]
            surface = material["pbrMetallicRoughness"]
            base, normal = surface["baseColorTexture"], material["normalTexture"]
            assert base.get("texCoord", 0) == normal.get("texCoord", 0)
            assert surface["metallicRoughnessTexture"].get("texCoord", 0) == base.get("texCoord", 0)
            assert surface["roughnessFactor"] == 1
            names = [images[document["textures"][i["index"]]["source"]]["mimeType"] for i in (normal, base)]
            assert names[0] == "image/png"
            assert ("TANGENT" in primitive["attributes"]) == ("NORMAL" in primitive["attributes"])
            if "TANGENT" in primitive["attributes"]:
                tangent = document["accessors"][primitive["attributes"]["TANGENT"]]
                position = document["accessors"][primitive["attributes"]["POSITION"]]
                assert (tangent["type"], tangent["count"]) == ("VEC4", position["count"])


def test_khronos_validator_has_nothing_more_to_say(tmp_path: Path) -> None:
    model = ASSETS / "models" / "robot" / "robot.glb"
    raised(model, tmp_path / "out.glb")
    before, after = (
        {(issue["code"], issue["severity"]) for issue in validate(path)["issues"]["messages"]}
        for path in (model, tmp_path / "out.glb")
    )
    assert after <= before


def test_obj_has_no_place_for_relief() -> None:
    check_relief(".glb", 1.0)
    check_relief(".obj", 0.0)
    with pytest.raises(UsageError, match="no agreed place for normal maps"):
        check_relief(".obj", 0.5)
    with pytest.raises(UsageError, match="no height without relief"):
        Settings(height_map=True)


def test_heights_are_sixteen_bits(tmp_path: Path) -> None:
    height = np.array([[0, 1], [40000, 65535]], np.uint16)
    (tmp_path / "h.png").write_bytes(encode_height(height))
    with Image.open(tmp_path / "h.png") as picture:
        assert np.array_equal(np.asarray(picture).astype(np.uint16), height)
