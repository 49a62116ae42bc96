"""Painted images as PNG, WebP or JPEG: the files are such, the models say so rightly, and the paint is in them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.gltf_compare import Gltf, assert_lossless
from helpers.gltf_samples import gradient, paint
from helpers.gltf_validator import assert_no_new_problems, problems
from helpers.obj_models import paint as paint_obj
from helpers.obj_models import write_quad

from meshstyle.config.model import IMAGE_FORMATS, Scale, Settings
from meshstyle.errors import UsageError
from meshstyle.io.gltf.asset import GltfAsset
from meshstyle.io.images import decode_picture, encode, encode_png
from meshstyle.io.load import load_asset
from meshstyle.io.obj.asset import ObjAsset
from meshstyle.io.save import save_asset
from meshstyle.io.types import Asset, Paint, PaintedAtlas
from meshstyle.stylize_model import stylize

DATA = Path(__file__).parents[1] / "data"
MAGIC = {".png": b"\x89PNG", ".webp": b"RIFF", ".jpg": b"\xff\xd8\xff"}
WEBP = "EXT_texture_webp"
SMOOTH = gradient(4, 64)
SMOOTH[..., 3] = np.arange(64) * 4


def test_png_is_the_default() -> None:
    assert Settings().image_format == "png"
    assert Paint((), ()).image_format == "png"
    assert encode(SMOOTH, "png").data == encode_png(SMOOTH)
    with pytest.raises(UsageError, match="Choose one of: png, webp, jpeg"):
        Settings(image_format="bmp")


@pytest.mark.parametrize(
    ("image_format", "channels", "suffix"),
    [
        ("png", 3, ".png"),
        ("png", 4, ".png"),
        ("webp", 3, ".webp"),
        ("webp", 4, ".webp"),
        ("jpeg", 3, ".jpg"),
        ("jpeg", 4, ".png"),  # JPEG has no alpha
    ],
)
def test_encoding(image_format: str, channels: int, suffix: str) -> None:
    pixels = SMOOTH[..., :channels]
    encoded = encode(pixels, image_format)
    assert encoded.suffix == suffix
    assert encoded.media == {".png": "image/png", ".webp": "image/webp", ".jpg": "image/jpeg"}[suffix]
    assert encoded.data.startswith(MAGIC[suffix])
    assert encoded.data == encode(pixels.copy(), image_format).data
    back = decode_picture(encoded.data, "x")
    np.testing.assert_allclose(back[..., :3], pixels[..., :3], atol=16)
    assert np.abs(back[..., :3] - pixels[..., :3].astype(float)).mean() < 2.5
    np.testing.assert_array_equal(back[..., 3], pixels[..., 3] if channels == 4 else 255)


def with_image(painted: Paint, image_format: str, channels: int) -> Paint:
    atlases = tuple(PaintedAtlas(item.name, SMOOTH[..., :channels]) for item in painted.atlases)
    return replace(painted, atlases=atlases, image_format=image_format)


@pytest.mark.parametrize("suffix", [".glb", ".gltf"])
@pytest.mark.parametrize(("image_format", "channels"), [("webp", 3), ("webp", 4), ("jpeg", 3), ("jpeg", 4)])
@pytest.mark.parametrize(
    "name", ["barrel_large/barrel_large.gltf.glb", "variants/barrel_webp.glb", "car_taxi/car_taxi.gltf"]
)
def test_gltf(name: str, image_format: str, channels: int, suffix: str, tmp_path: Path) -> None:
    source, output = DATA / name, tmp_path / f"out{suffix}"
    asset = GltfAsset(source)
    written = save_asset(asset, output, with_image(paint(asset, unwrap=False), image_format, channels))
    assert_lossless(source, output)
    assert_no_new_problems(source, output)
    result = Gltf(output)
    kind = ".webp" if image_format == "webp" else ".jpg" if channels == 3 else ".png"
    assert result.image(0).startswith(MAGIC[kind])
    (texture,) = result.items("textures")
    if kind == ".webp":
        assert texture["extensions"] == {WEBP: {"source": 0}}
        assert "source" not in texture
    else:
        assert texture["source"] == 0
        assert "extensions" not in texture
    for key in ("extensionsUsed", "extensionsRequired"):
        assert (WEBP in result.items(key)) == (kind == ".webp")
    if suffix == ".gltf":
        assert kind in {path.suffix for path in written}
    again = GltfAsset(output)
    image = again.materials[0].image
    assert image is not None
    np.testing.assert_allclose(again.image(image)[..., :3], SMOOTH[..., :3], atol=16)


@pytest.mark.parametrize(("image_format", "kind"), [("webp", ".webp"), ("jpeg", ".jpg")])
def test_obj(image_format: str, kind: str, tmp_path: Path) -> None:
    asset = ObjAsset(write_quad(tmp_path))
    painted = with_image(paint_obj(asset), image_format, 3)
    written = save_asset(asset, tmp_path / "new.obj", painted)
    assert {path.name for path in written} == {"new.obj", "new.mtl", f"new{kind}"}
    assert (tmp_path / f"new{kind}").read_bytes().startswith(MAGIC[kind])
    assert f"map_Kd new{kind}" in (tmp_path / "new.mtl").read_text()
    again = load_asset(tmp_path / "new.obj")
    image = again.materials[0].image
    assert image is not None
    np.testing.assert_allclose(again.image(image)[..., :3], SMOOTH[..., :3], atol=16)


@pytest.mark.parametrize("suffix", [".glb", ".gltf"])
@pytest.mark.parametrize("image_format", IMAGE_FORMATS)
def test_other_kinds_as_gltf(image_format: str, suffix: str, tmp_path: Path) -> None:
    ply = tmp_path / "triangle.ply"
    ply.write_text(
        "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
        "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
        "0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n"
    )
    assets: list[Asset] = [load_asset(write_quad(tmp_path)), load_asset(ply)]
    for asset in assets:
        output = tmp_path / f"from_{asset.path.suffix[1:]}{suffix}"
        painted = paint_obj(asset, unwrap=True)  # type: ignore[arg-type]
        save_asset(asset, output, with_image(painted, image_format, 3))
        assert not problems(output)
        again = GltfAsset(output)
        image = again.materials[0].image
        assert image is not None
        np.testing.assert_allclose(again.image(image)[..., :3], SMOOTH[..., :3], atol=16)


def test_a_run_writes_what_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "scales", property(lambda _: (Scale(64, 1),)))
    output = tmp_path / "out.gltf"
    source = DATA / "barrel_large" / "barrel_large.gltf.glb"
    stylize(source, "great-wave", output, image_format="webp", views=4, texture_size=64)
    assert [path.suffix for path in tmp_path.iterdir() if path.suffix not in (".gltf", ".bin")] == [".webp"]
    assert (
        json.loads(output.read_text())["asset"]["extras"]["meshstyle"]["settings"]["image_format"] == "webp"
    )
    assert_no_new_problems(source, output)
