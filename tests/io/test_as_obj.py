"""glTF and plain meshes as OBJ, read back by a reader that shares nothing with the writer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.gltf_samples import Maker, gradient, paint, per_triangle_uv
from helpers.obj_models import read_plainly

from meshstyle.errors import OutputError
from meshstyle.io.gltf.asset import GltfAsset
from meshstyle.io.load import load_asset
from meshstyle.io.obj.asset import ObjAsset
from meshstyle.io.save import save_asset
from meshstyle.io.types import Paint, PaintedAtlas, PaintedPart


def sample(folder: Path) -> GltfAsset:
    """A painted square twice (once mirrored), and a red one with a picture of its own."""
    maker = Maker()
    skin = maker.material(maker.texture(), name="skin", normalTexture={"index": 0})
    other = maker.add(
        "materials",
        {
            "name": "skin",
            "pbrMetallicRoughness": {"baseColorFactor": [1, 0, 0, 1], "baseColorTexture": {"index": 1}},
        },
    )
    maker.texture()
    square = maker.square(material=skin)
    square["attributes"]["NORMAL"] = maker.accessor(np.tile(np.float32([0, 0, 1]), (4, 1)))
    maker.mesh(square, maker.square(material=other), nodes=1)
    maker.add("nodes", {"mesh": 0, "scale": [-1, 1, 1], "translation": [-3, 0, 0]})
    return GltfAsset(maker.glb(folder / "in.glb"))


@pytest.mark.parametrize("unwrap", [False, True])
def test_geometry_uvs_normals_and_pictures_go_to_obj(unwrap: bool, tmp_path: Path) -> None:
    asset = sample(tmp_path)
    uv = per_triangle_uv(2) if unwrap else None
    painted = Paint((PaintedAtlas("skin paint", gradient()),), (PaintedPart(0, uv), None), {"seed": 3})
    written = save_asset(asset, tmp_path / "out.obj", painted)
    assert [path.name for path in written] == ["out.obj", "out_skin_paint.png", "out_image_1.png", "out.mtl"]
    plain = read_plainly(tmp_path / "out.obj")
    assert sorted(set(plain.materials)) == ["skin", "skin 2"]
    back = ObjAsset(tmp_path / "out.obj")
    assert back.warnings == ()
    assert back.record == {"seed": 3}
    for index, part in enumerate(back.parts):
        source = asset.parts[index]
        wanted = source.corners.copy()
        wanted[1] = wanted[1][:, ::-1]  # mirrored: turned, so that its front stays in front
        np.testing.assert_allclose(part.corners[0], wanted.reshape(-1, 3, 3), atol=1e-6)
        wanted_uv = uv if uv is not None and index == 0 else source.uv
        assert wanted_uv is not None
        np.testing.assert_allclose(part.uv, np.concatenate([wanted_uv, wanted_uv[:, ::-1]]), atol=1e-6)
    assert back.parts[0].normals is not None
    np.testing.assert_allclose(back.parts[0].normals, np.broadcast_to([0, 0, 1], (1, 4, 3, 3)))
    assert [m.factor for m in back.materials] == [(1, 1, 1, 1), (1, 0, 0, 1)]
    np.testing.assert_array_equal(back.image(0)[..., :3], gradient())
    np.testing.assert_array_equal(back.image(1), asset.image(1))


def test_what_obj_cannot_hold_is_told(tmp_path: Path) -> None:
    asset = sample(tmp_path)
    save_asset(asset, tmp_path / "out.obj", paint(asset, False))
    assert any("OBJ cannot hold" in text and "base colours" in text for text in asset.warnings)


def test_files_of_others_are_not_overwritten(tmp_path: Path) -> None:
    asset = sample(tmp_path)
    (tmp_path / "out.mtl").write_text("newmtl someone's")
    save_asset(asset, tmp_path / "out.obj", paint(asset, False))
    assert (tmp_path / "out.mtl").read_text() == "newmtl someone's"
    first = {path.name for path in tmp_path.iterdir()}
    save_asset(asset, tmp_path / "out.obj", paint(asset, False))
    assert {path.name for path in tmp_path.iterdir()} - first <= {"out.mtl"}


def test_far_coordinates_keep_their_digits(tmp_path: Path) -> None:
    far = "448262.125 5411932.0625 110.5"
    text = (
        "ply\nformat ascii 1.0\nelement vertex 3\nproperty double x\nproperty double y\nproperty double z\n"
    )
    text += "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
    (tmp_path / "a.ply").write_text(text + f"{far}\n448263 5411932 110\n448262 5411933 110\n3 0 1 2\n")
    asset = load_asset(tmp_path / "a.ply")
    save_asset(
        asset,
        tmp_path / "a.obj",
        Paint((PaintedAtlas("p", gradient()),), (PaintedPart(0, per_triangle_uv(1)),)),
    )
    assert [448262.125, 5411932.0625, 110.5] in read_plainly(tmp_path / "a.obj").positions


def test_the_input_is_never_the_output(tmp_path: Path) -> None:
    asset = load_asset(sample(tmp_path).path)
    (tmp_path / "out.obj").symlink_to(tmp_path / "in.glb")
    with pytest.raises(OutputError):
        save_asset(asset, tmp_path / "out.obj", paint(asset, False))  # type: ignore[arg-type]
