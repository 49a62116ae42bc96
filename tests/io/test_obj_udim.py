"""UDIM: a material with a picture for each unit square of the UVs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.gltf_samples import SQUARE_UV, Maker
from helpers.obj_models import FOUR, read_obj, read_plainly

from meshstyle.config.model import Settings
from meshstyle.io.gltf.asset import GltfAsset
from meshstyle.io.images import encode_png
from meshstyle.io.obj.asset import ObjAsset
from meshstyle.io.save import save_asset
from meshstyle.io.types import Paint, PaintedAtlas, PaintedPart
from meshstyle.texture.plan import plan_atlases

OBJ = """\
mtllib m.mtl
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
v 2 0 0
v 2 1 0
vt 0 0
vt 1 0
vt 1 1
vt 0 1
vt 1 1
vt 2 1
vt 2 2
vt 1 2
usemtl skin
f 1/1 2/2 3/3 4/4
f 2/5 5/6 6/7 3/8
"""
MTL = "newmtl skin\nKd 1 1 1\nmap_Kd t.<UDIM>.png\n"


def two_tiles(folder: Path, missing: bool = False, mark: str = "<UDIM>") -> ObjAsset:
    """A square in tile 1001 and one in tile 1012, whose picture is the other's turned over."""
    second = {} if missing else {"t__1012__png": encode_png(FOUR[::-1])}
    library = MTL.replace("<UDIM>", mark)
    return read_obj(folder, OBJ, m__mtl=library, t__1001__png=encode_png(FOUR), **second)


def painted(asset: ObjAsset, unwrap: bool) -> Paint:
    pictures = tuple(
        PaintedAtlas(f"t.{n}", np.full((16, 16, 3), value, np.uint8))
        for n, value in ((1001, 50), (1012, 200))
    )
    corner = np.array([[0.25, 0.125], [0.5, 0.125], [0.25, 0.375]])
    uv = np.broadcast_to(corner, (2, 3, 2)).copy() if unwrap else None
    return Paint(pictures, (PaintedPart(0, uv), PaintedPart(1, uv)), {"seed": 1})


@pytest.mark.parametrize("mark", ["<UDIM>", "1001", "1012"])
def test_tiles_are_read_as_pictures_of_their_own(mark: str, tmp_path: Path) -> None:
    asset = two_tiles(tmp_path, mark=mark)
    assert asset.warnings == ()
    assert [part.name for part in asset.parts] == ["skin, tile 1001", "skin, tile 1012"]
    assert [material.name for material in asset.materials] == ["skin", "skin"]
    np.testing.assert_array_equal(asset.image(0)[..., :3], FOUR)
    np.testing.assert_array_equal(asset.image(1)[..., :3], FOUR[::-1])
    for part in asset.parts:
        assert part.uv is not None
        np.testing.assert_array_equal(part.uv[0], [[0, 1], [1, 1], [1, 0]])
    assert [plan.unwrap for plan in plan_atlases(asset, Settings())] == [False, False]


@pytest.mark.parametrize(
    ("unwrap", "mark"), [(False, "<UDIM>"), (True, "<UDIM>"), (True, "1001"), (False, "1012")]
)
def test_tiles_are_written_as_tiles(unwrap: bool, mark: str, tmp_path: Path) -> None:
    asset = two_tiles(tmp_path, mark=mark)
    written = save_asset(asset, tmp_path / "out.obj", painted(asset, unwrap))
    assert [path.name for path in written] == ["out.obj", "out.mtl", "out_skin.1001.png", "out_skin.1012.png"]
    assert f"map_Kd out_skin.{mark}.png" in (tmp_path / "out.mtl").read_text()
    assert read_plainly(tmp_path / "out.obj").materials.count("skin") == (4 if unwrap else 2)
    back = ObjAsset(tmp_path / "out.obj")
    assert back.warnings == ()
    assert [int(back.image(n)[0, 0, 0]) for n in (0, 1)] == [50, 200]
    for part in back.parts:
        assert part.uv is not None
        wanted = [[0.25, 0.125], [0.5, 0.125], [0.25, 0.375]] if unwrap else [[0, 1], [1, 1], [1, 0]]
        np.testing.assert_allclose(part.uv[0], wanted, atol=1e-6)
    save_asset(asset, tmp_path / "out.obj", painted(asset, unwrap))  # an earlier result is replaced
    assert not (tmp_path / "out_skin_2.1001.png").exists()


def test_tiles_become_materials_of_a_glb(tmp_path: Path) -> None:
    asset = two_tiles(tmp_path)
    save_asset(asset, tmp_path / "out.glb", painted(asset, False))
    back = GltfAsset(tmp_path / "out.glb")
    assert [int(back.image(part_image)[0, 0, 0]) for part_image in (0, 1)] == [50, 200]
    for part in back.parts:
        assert part.uv is not None
        assert (part.uv.min(), part.uv.max()) == (0, 1)


def test_a_tile_that_is_not_there_is_told(tmp_path: Path) -> None:
    asset = two_tiles(tmp_path, missing=True)
    (told,) = asset.lost_textures
    assert "t.1012.png" in told
    assert [material.image for material in asset.materials] == [0, None]


@pytest.mark.parametrize(
    ("name", "missing", "obj"),
    [
        ("1001", True, OBJ),  # faces lie in another tile, which is not there: the picture repeats
        (
            "1001",
            False,
            OBJ.replace("vt 1 2", "vt 0 1").replace("vt 2 2", "vt 1 1").replace("f 2/5 5/6", "f 2/1 5/2"),
        ),
        ("5001", False, OBJ),
    ],
)
def test_a_number_alone_is_no_tile(name: str, missing: bool, obj: str, tmp_path: Path) -> None:
    files = {f"t__{name}__png": encode_png(FOUR)} | (
        {} if missing else {"t__1012__png": encode_png(FOUR[::-1])}
    )
    asset = read_obj(tmp_path, obj, m__mtl=MTL.replace("<UDIM>", name), **files)
    assert [part.name for part in asset.parts] == ["skin"]
    assert asset.lost_textures == ()


def test_a_material_for_each_tile_stays_one_for_each(tmp_path: Path) -> None:
    library = (
        "newmtl skin\nmap_Kd t.1012.png\n"  # its faces lie in that tile alone, the others have no texture
    )
    obj = OBJ.replace("f 1/1 2/2 3/3 4/4", "f 1 2 3 4").replace("usemtl skin\n", "usemtl bare\n")
    obj = obj.replace("f 2/5", "usemtl skin\nf 2/5")
    asset = read_obj(
        tmp_path, obj, m__mtl=library, t__1012__png=encode_png(FOUR), t__1001__png=encode_png(FOUR)
    )
    assert [item.tile for item in asset.model.materials] == [None, None]


@pytest.mark.parametrize(("shift", "other", "told"), [(1, True, 1), (0, True, 0), (1, False, 0)])
def test_gltf_files_with_tiles_are_told_of(shift: int, other: bool, told: int, tmp_path: Path) -> None:
    names = ["t.1001.png", *(["t.1002.png"] if other else [])]
    for name in names:
        (tmp_path / name).write_bytes(encode_png(FOUR))
    maker = Maker(images=[{"uri": names[0]}], textures=[{"source": 0}])
    square = maker.square(material=maker.material(0))
    square["attributes"]["TEXCOORD_0"] = maker.accessor((SQUARE_UV + np.array([shift, 0])).astype("<f4"))
    maker.mesh(square)
    warnings = GltfAsset(maker.gltf(tmp_path / "m.gltf")).warnings
    assert len(warnings) == told
    assert all("t.1001.png" in text for text in warnings)
