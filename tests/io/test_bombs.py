"""Limits: what would take much more memory or time than its size tells is refused, or read in another way."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import bombs
from PIL import Image

from meshstyle.config.model import Settings
from meshstyle.errors import AssetError, PictureError
from meshstyle.io import image_reduction
from meshstyle.io.gltf import accessors, container, structure
from meshstyle.io.images import decode_picture, encode_png, read_picture
from meshstyle.io.load import load_asset
from meshstyle.io.obj import large_polygons, materials
from meshstyle.io.obj.large_polygons import triangulate_large
from meshstyle.io.obj.polygons import triangulate
from meshstyle.style.style_image import load_style_image
from meshstyle.texture import limits
from meshstyle.texture.plan import plan_atlases


def refusal(path: Path) -> str:
    with pytest.raises(AssetError) as caught:
        load_asset(path)
    return caught.value.cause


@pytest.mark.parametrize(
    "name",
    [
        "images",
        "textures",
        "materials",
        "samplers",
        "scenes",
        "skins",
        "animations",
        "cameras",
        "nodes",
        "meshes",
    ],
)
def test_lists_are_counted_before_they_are_gone_through(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(structure, "MAX_ITEMS", 9)
    monkeypatch.setattr(structure, "MAX_LARGE", 9)
    path = tmp_path / "x.gltf"
    first = {"meshes": '{"primitives":[{"attributes":{"POSITION":0}}]}', "nodes": '{"mesh":0}'}.get(name, "")
    entry = {"meshes": '{"primitives":[]}'}.get(name, "{}")
    bombs.empty_entries(name, 10 - bool(first), entry, first)(path)
    assert f"its list of {name} has 10 entries" in refusal(path)
    bombs.empty_entries(name, 9 - bool(first), entry, first or ('{"nodes":[0]}' if name == "scenes" else ""))(
        path
    )
    if name != "scenes":
        load_asset(path)


def test_primitives_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structure, "MAX_PRIMITIVES", 3)
    path = tmp_path / "x.gltf"
    path.write_text(bombs.gltf(meshes=[{"primitives": [{"attributes": {"POSITION": 0}}] * 4}]))
    assert "its meshes have 4 primitives" in refusal(path)


def test_brackets_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_JSON_OBJECTS", 1000)
    path = tmp_path / "x.gltf"
    path.write_text(bombs.brackets(1000))
    assert "more than 1000 objects and lists" in refusal(path)


def only_positions() -> str:
    empty = {"componentType": 5126, "count": 2**20 + 2, "type": "VEC3"}
    return bombs.gltf(accessors=[empty])


@pytest.mark.parametrize(
    "make", [lambda: bombs.no_data(2**24), lambda: bombs.no_data(2**20, targets=200), only_positions]
)
def test_what_has_no_data_takes_little_memory(make: Callable[[], str], tmp_path: Path) -> None:
    path = tmp_path / "x.gltf"
    path.write_text(make())
    assert "without any data" in (cause := refusal(path)) or "is one too many" in cause


def test_what_is_unpacked_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accessors, "MAX_DECODED_BYTES", 36 * 4)
    path = tmp_path / "x.gltf"
    strided = {"buffer": 0, "byteLength": 36, "byteStride": 12}
    short = {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC2"}

    def write(count: int) -> None:
        kept: dict[str, Any] = {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}
        attributes = {"POSITION": 0} | {f"_{n}": n + 1 for n in range(count)}
        path.write_text(
            bombs.gltf(
                bufferViews=[strided],
                accessors=[kept, *[short] * count],
                meshes=[{"primitives": [{"attributes": attributes}]}],
            )
        )

    write(6)  # of 24 bytes
    load_asset(path)
    write(7)
    assert "is one too many" in refusal(path)


def test_images_to_paint_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_ATLASES", 3)
    (tmp_path / "x.png").write_bytes(encode_png(np.zeros((4, 4, 3), np.uint8)))
    (tmp_path / "x.gltf").write_text(bombs.materials(4))
    asset = load_asset(tmp_path / "x.gltf")
    with pytest.raises(AssetError, match=r"4 images of it would be painted.*--atlas shared"):
        plan_atlases(asset, Settings())
    assert len(plan_atlases(asset, Settings(atlas="shared"))) == 1


def test_one_picture_of_many_materials_is_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    real = materials.decode_picture
    monkeypatch.setattr(
        materials,
        "decode_picture",
        lambda data, subject: decoded.append(str(subject)) or real(data, subject),
    )
    (tmp_path / "t.png").write_bytes(encode_png(np.full((4, 4, 4), 9, np.uint8)))
    (tmp_path / "x.mtl").write_text("".join(f"newmtl m{n}\nmap_Kd -mm 0 1.{n} t.png\n" for n in range(50)))
    (tmp_path / "x.obj").write_text("mtllib x.mtl\n" + bombs.many_usemtl(50))
    assert len(load_asset(tmp_path / "x.obj").materials) == 50
    assert len(decoded) == 1


def area(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    return ((b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])) / 2


def star(count: int) -> np.ndarray:
    far = np.random.default_rng(1).uniform(0.2, 1.0, count)
    turn = np.arange(count) * 2 * np.pi / count
    return np.stack([far * np.cos(turn), far * np.sin(turn)], axis=1)


def outline_area(points: np.ndarray) -> float:
    after = np.roll(points, -1, axis=0)
    return float((points[:, 0] * after[:, 1] - points[:, 1] * after[:, 0]).sum() / 2)


def test_a_large_polygon_is_covered_once() -> None:
    points = star(5000)
    triangles = triangulate_large(points)
    assert triangles is not None
    assert len(triangles) == 4998
    areas = area(points, triangles)
    assert areas.min() >= 0
    assert areas.sum() == pytest.approx(outline_area(points))


def test_corners_on_an_edge_keep_a_triangle() -> None:
    side = np.linspace(0, 1, 5)[:-1]
    square = np.concatenate(
        [
            np.stack([side, side * 0], 1),
            np.stack([side * 0 + 1, side], 1),
            np.stack([1 - side, side * 0 + 1], 1),
            np.stack([side * 0, 1 - side], 1),
        ]
    )
    triangles = triangulate_large(square)
    assert triangles is not None
    assert len(triangles) == 14
    assert set(triangles.ravel()) == set(range(16))
    assert area(square, triangles).sum() == pytest.approx(1.0)


def test_too_much_for_ears_becomes_fans(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.concatenate([star(1500), np.ones((1500, 1))], axis=1)
    corners, first = np.arange(1500), np.array([0, 1500])
    triangles, _, cut_short = triangulate(points, corners, first)
    assert not cut_short
    assert area(points, triangles).min() >= 0
    monkeypatch.setattr("meshstyle.io.obj.polygons.MAX_WORK", 1500**2 - 1)
    triangles, _, cut_short = triangulate(points, corners, first)
    assert cut_short
    assert (triangles[:, 0] == 0).all()
    assert large_polygons.LARGE < 1500


def checks(width: int, height: int, mode: str) -> Image.Image:
    """Squares of 2 × 2 pixels, so that half of it has the colours of one pixel each."""
    small = np.random.default_rng(0).integers(0, 256, (height // 2, width // 2, 4), np.uint8)
    small[..., 3] = 255
    return Image.fromarray(np.repeat(np.repeat(small, 2, 0), 2, 1)).convert(mode)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_large_picture_is_made_smaller(mode: str, kind: str, tmp_path: Path) -> None:
    image, path = checks(64, 32, mode), tmp_path / "x"
    image.save(path, kind)
    assert read_picture(path, 64 * 32).shape == (32, 64, 4)
    half = read_picture(path, 64 * 32 - 1)
    assert half.shape == (16, 32, 4)
    if mode != "1":
        assert np.abs(half.astype(int) - np.asarray(image.convert("RGBA"))[::2, ::2]).max() <= 1


def test_a_large_jpeg_is_decoded_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (640, 320), (200, 100, 50)).save(tmp_path / "x.jpg")
    loaded: list[tuple[int, int]] = []
    real = image_reduction._reduced
    monkeypatch.setattr(
        image_reduction, "_reduced", lambda image, *rest: loaded.append(image.size) or real(image, *rest)
    )
    assert read_picture(tmp_path / "x.jpg", 640 * 320 // 16).shape == (80, 160, 4)
    assert not loaded


@pytest.mark.parametrize("kind", ["JPEG2000", "WEBP"])
def test_decoders_that_need_much_memory_have_limits(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (256, 256), (200, 100, 50)).save(stream, kind)
    assert decode_picture(stream.getvalue(), "x").shape == (256, 256, 4)
    monkeypatch.setitem(image_reduction._MOST_DECODED, kind, 256 * 256 - 1)
    with pytest.raises(PictureError, match=f"of {kind}"):
        decode_picture(stream.getvalue(), "x")


def test_large_jpeg_2000_is_decoded_at_another_level(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(image_reduction._MOST_DECODED, "JPEG2000", 256 * 256 - 1)
    Image.new("RGB", (256, 256), (200, 100, 50)).save(tmp_path / "x.jp2", "JPEG2000")
    found = read_picture(tmp_path / "x.jp2", 256 * 256 // 4)
    assert found.shape == (128, 128, 4)
    assert np.abs(found[..., :3].astype(int) - (200, 100, 50)).max() <= 2


def test_passes_of_a_jpeg_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checks(64, 64, "RGB").save(tmp_path / "x.jpg", progressive=True)
    read_picture(tmp_path / "x.jpg")
    monkeypatch.setattr(image_reduction, "MOST_SCANNED", 64 * 64 * 5)
    with pytest.raises(PictureError, match="it is a progressive JPEG"):
        read_picture(tmp_path / "x.jpg")


def test_a_transparent_key_colour_is_looked_up_before_pixels_are_mixed(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:, 4:] = 200
    Image.fromarray(pixels).save(tmp_path / "x.png", transparency=(200, 200, 200))
    found = read_picture(tmp_path / "x.png", 16)
    assert found[..., 3].tolist() == [[255, 255, 0, 0]] * 4


def test_paintings_are_the_same_numbers_opaque_or_not(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    (tmp_path / "a.png").write_bytes(encode_png(colours))
    found = load_style_image(tmp_path / "a.png")[0].permute(1, 2, 0).numpy()
    assert (found == colours.astype(np.float32) / 255).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", bombs.MODELS)
def test_every_model_ends(name: str, tmp_path: Path) -> None:
    bombs.MODELS[name](tmp_path / name)
    measured = bombs.measure("info", str(tmp_path / name))
    assert measured.code in (0, 3)
    assert measured.memory < 2 << 30
    if measured.code == 3:
        (line,) = measured.err.splitlines()
        assert len(line) <= 300


@pytest.mark.slow
@pytest.mark.parametrize("name", bombs.PICTURES)
def test_every_picture_ends(name: str, tmp_path: Path) -> None:
    bombs.PICTURES[name](tmp_path / name)
    (tmp_path / "x.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    measured = bombs.measure("stylize", str(tmp_path / "x.obj"), "-s", str(tmp_path / name), "--dry-run")
    assert measured.code in (0, 3)
    assert measured.memory < 2 << 30
