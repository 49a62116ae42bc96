"""OBJ in, GLB or glTF out: valid, with the names, materials and colours of the OBJ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.gltf_validator import validate
from helpers.obj_models import QUAD, paint, read_obj, write_quad

from meshstyle.io.gltf.asset import GltfAsset
from meshstyle.io.images import encode_png
from meshstyle.io.obj.asset import ObjAsset
from meshstyle.io.save import save_asset
from meshstyle.io.types import Paint, PaintedAtlas, PaintedPart, Wrap

ASSETS = Path(__file__).parents[2] / "assets"
DATA = Path(__file__).parents[1] / "data"


def assert_valid(path: Path) -> None:
    messages = validate(path)["issues"]["messages"]
    assert [item for item in messages if item["severity"] <= 1] == []


@pytest.mark.parametrize("suffix", [".glb", ".gltf"])
def test_square(tmp_path: Path, suffix: str) -> None:
    asset = ObjAsset(write_quad(tmp_path))
    out = tmp_path / f"new{suffix}"
    names = [path.name for path in save_asset(asset, out, paint(asset))]
    assert names == (["new.glb"] if suffix == ".glb" else ["new.gltf", "new.bin"])
    assert_valid(out)
    back = GltfAsset(out)
    (part,), (material,) = back.parts, back.materials
    np.testing.assert_array_equal(part.corners, asset.parts[0].corners)
    np.testing.assert_array_equal(part.uv, asset.parts[0].uv)
    np.testing.assert_array_equal(part.normals, asset.parts[0].normals)
    np.testing.assert_array_equal(back.image(0)[..., :3], paint(asset).atlases[0].pixels)
    assert back.record == {"seed": 7}
    assert (material.name, material.factor, material.double_sided) == ("paper", (1, 1, 1, 1), True)
    assert material.wrap == (Wrap.REPEAT, Wrap.REPEAT)
    assert len(back.document.new_json()["accessors"]) == 4
    assert back.document.new_json()["nodes"] == [{"name": "Square", "mesh": 0}]
    assert back.document.new_json()["accessors"][0]["count"] == 4  # the square's corners are shared


def test_placed_textures_need_no_options(tmp_path: Path) -> None:
    asset = ObjAsset(write_quad(tmp_path, mtl="newmtl paper\nmap_Kd -s 2 2 -o 0.5 0 -clamp on four.png\n"))
    save_asset(asset, tmp_path / "new.glb", paint(asset))
    back = GltfAsset(tmp_path / "new.glb")
    np.testing.assert_array_equal(back.parts[0].uv, asset.parts[0].uv)
    assert back.materials[0].wrap == (Wrap.CLAMP, Wrap.CLAMP)


OBJECTS = """\
mtllib m.mtl
v 0 0 0
v 1 0 0
v 0 1 0
v 0 0 1
vt 0 0
vt 1 0
vt 0 1
vn 0 0 2
usemtl a
f 1/1/1 2/2/1 3/3/1
o left
g ignored
f 1/1/1 2/2/1 3/3/1
usemtl b
f 1/1 2/2 4/3
o right
f 1/1 2/2 4/3
o left
f 1/1 2/2 3/3
"""
MTL = "newmtl a\nKd 1 0 0\nmap_Kd four.png\nmap_d -imfchan r four.png\nnewmtl b\nKd 0 1 0\nmap_Kd four.jpg\nd 0.5\n"


def test_objects_materials_and_what_stays_unpainted(tmp_path: Path) -> None:
    write_quad(tmp_path)
    picture = encode_png(np.full((2, 2, 3), 77, np.uint8))
    asset = read_obj(tmp_path, OBJECTS, m__mtl=MTL, four__jpg=picture)
    new_uv = np.array([[[0.25, 0.25], [0.5, 0.25], [0.25, 0.5]]] * 2)
    new = Paint((PaintedAtlas("wood", np.zeros((4, 4, 4), np.uint8)),), (PaintedPart(0, new_uv), None))
    save_asset(asset, tmp_path / "new.glb", new)
    assert_valid(tmp_path / "new.glb")
    document = GltfAsset(tmp_path / "new.glb").document.new_json()
    assert [(mesh["name"], len(mesh["primitives"])) for mesh in document["meshes"]] == [
        ("model", 1),
        ("left", 2),
        ("right", 1),
    ]
    a, b = document["materials"]
    assert (a["alphaMode"], a["pbrMetallicRoughness"]["baseColorFactor"]) == ("MASK", [1, 1, 1, 1])
    assert (b["alphaMode"], b["pbrMetallicRoughness"]["baseColorFactor"]) == ("BLEND", [0, 1, 0, 0.5])
    assert [image["name"] for image in document["images"]] == ["wood", "four"]
    primitives = [item for mesh in document["meshes"] for item in mesh["primitives"]]
    assert ["NORMAL" in item["attributes"] for item in primitives] == [True, True, False, False]
    back = GltfAsset(tmp_path / "new.glb")
    np.testing.assert_allclose(back.parts[0].uv, new_uv[:1])
    np.testing.assert_array_equal(back.image(1)[..., :3], np.full((2, 2, 3), 77))


@pytest.mark.parametrize(
    "path",
    [
        DATA / "building_A" / "building_A.obj",
        DATA / "plane" / "plane.obj",
        ASSETS / "models" / "spot" / "spot.obj",
    ],
    ids=lambda path: path.stem,
)
def test_real_models(tmp_path: Path, path: Path) -> None:
    asset = ObjAsset(path)
    rng = np.random.default_rng(3)
    parts = tuple(PaintedPart(0, rng.random((part.corners.shape[1], 3, 2))) for part in asset.parts)
    out = tmp_path / "new.glb"
    save_asset(asset, out, Paint((PaintedAtlas("a", np.zeros((4, 4, 3), np.uint8)),), parts, {}))
    assert_valid(out)
    back = GltfAsset(out)
    np.testing.assert_allclose(back.parts[0].corners, asset.parts[0].corners, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(back.parts[0].uv, parts[0].uv, atol=2e-7)


def test_vertex_colours_are_kept_where_they_tint_nothing(tmp_path: Path) -> None:
    text = "v 0 0 0 1 0 0\nv 1 0 0 0 1 0\nv 0 1 0 0 0 1\nusemtl a\nf 1 2 3\nusemtl b\nf 1 2 3\n"
    asset = read_obj(tmp_path, text)
    new = paint(asset, unwrap=True)
    save_asset(asset, tmp_path / "new.glb", Paint(new.atlases, (new.parts[0], None)))
    assert_valid(tmp_path / "new.glb")
    painted, kept = GltfAsset(tmp_path / "new.glb").parts
    assert painted.colours is None
    np.testing.assert_array_equal(kept.colours, [[[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]]])
    (mesh,) = GltfAsset(tmp_path / "new.glb").document.new_json()["meshes"]
    assert "_COLOR_0" in mesh["primitives"][0]["attributes"]


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    asset = ObjAsset(write_quad(tmp_path, QUAD))
    (tmp_path / "new.bin").write_bytes(b"precious")
    assert [path.name for path in save_asset(asset, tmp_path / "new.gltf", paint(asset))] == [
        "new.gltf",
        "new_2.bin",
    ]
    assert (tmp_path / "new.bin").read_bytes() == b"precious"
