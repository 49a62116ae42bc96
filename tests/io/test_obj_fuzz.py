"""Hostile OBJ, MTL and picture files: a result or a MeshStyleError, never anything else, nothing opened outside."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from helpers.obj_models import FOUR, QUAD, QUAD_MTL, paint
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from meshstyle.errors import MeshStyleError
from meshstyle.io.images import decode_picture, encode_png, picture_size, read_picture
from meshstyle.io.obj.asset import ObjAsset
from meshstyle.io.save import save_asset

EXAMPLES = int(os.environ.get("MESHSTYLE_FUZZ_EXAMPLES", "30"))
fuzz = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES <= 100, suppress_health_check=list(HealthCheck)
)

OBJ = QUAD + (
    "usemtl glass\nv 0 0 1 1 0 0\nv 1 0 1 0 1 0\nf -1 1/-1 \\\n 2/2/1\nmtllib more.mtl\ng a b\n"
    "f 1/1 2/2 3/3 4/4 6/1\nl 1/1 2/2\nusemtl\nf 1 2 3\n"
)
MTL = QUAD_MTL + (
    "d 0.5\nmap_d -imfchan l four.png\nmap_Bump -bm 1 -s 1 2 3 ../secret.png\n"
    "newmtl glass\nTr 0.3\nmap_Kd -o 1 1 -mm 0 1 -clamp on Four.PNG\n# meshstyle {\"a\":[1]}\n"
)  # fmt: skip
WORDS = (
    b"nan inf -inf 1e999 -1e308 1e-320 99999999999999999999 -99999999999999999999 0 -1 1.5 / // 1//// 2147483648 "
    b'usemtl mtllib newmtl map_Kd map_d v vt vn f l o g Kd d Tr -s -o -mm \\ # " .. ../secret.png /secret.png '
    b"four.png quad.mtl quad.obj . / C:\\secret.png file:///secret.png four.png/../../secret.png "
    b"\xff\xfe \xef\xbb\xbf \0 \r \xe4 %2e%2e/secret.png"
).split(b" ")
opened: list[str] = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)


@st.composite
def damage(draw: st.DrawFn, data: bytes) -> bytes:
    """Some bytes flipped, cut out, doubled, cut off, or words replaced by worse ones."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        kind = draw(st.sampled_from(["flip", "cut", "double", "end", "word", "repeat"]))
        if kind == "flip":
            data = data[:at] + draw(st.binary(min_size=1, max_size=2)) + data[at + 1 :]
        elif kind == "cut":
            data = data[:at] + data[at + draw(st.integers(1, 30)) :]
        elif kind == "double":
            data = data[:at] + data[at : at + draw(st.integers(1, 200))] + data[at:]
        elif kind == "end":
            data = data[:at]
        elif kind == "word":
            end = next((i for i in range(at, len(data)) if data[i] in b" \n"), len(data))
            data = data[:at] + draw(st.sampled_from(WORDS)) + data[end:]
        else:
            data = data[:at] + draw(st.sampled_from(WORDS)) * draw(st.sampled_from([10, 5000])) + data[at:]
    return data


def one_line(error: MeshStyleError) -> None:
    assert "\n" not in str(error)


def use(folder: Path) -> None:
    """Everything that can be done with a model."""
    asset = ObjAsset(folder / "quad.obj")
    assert all(np.isfinite(part.corners).all() for part in asset.parts)
    assert all(part.uv is None or np.isfinite(part.uv).all() for part in asset.parts)
    assert all(part.normals is None or np.isfinite(part.normals).all() for part in asset.parts)
    try:
        for index in range(len({item.image for item in asset.materials} - {None})):
            assert asset.image(index).shape[:2] == asset.image_size(index)
    except MeshStyleError:
        pass
    for unwrap, name in ((True, "a.obj"), (False, "b.obj"), (True, "c.glb")):
        out = folder.parent / "out" / name
        save_asset(asset, out, paint(asset, unwrap=unwrap, channels=4))
        if unwrap and name.endswith(".obj"):
            again = ObjAsset(out)
            total = sum(part.corners.shape[1] for part in asset.parts)
            assert sum(part.corners.shape[1] for part in again.parts) == total


def attack(**files: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "in"
        folder.mkdir()
        (folder.parent / "secret.png").write_bytes(encode_png(FOUR))
        content = {"obj": OBJ.encode(), "mtl": MTL.encode(), "png": encode_png(FOUR)} | files
        for path, kind in (("quad.obj", "obj"), ("quad.mtl", "mtl"), ("four.png", "png")):
            (folder / path).write_bytes(content[kind])
        before = {path: path.read_bytes() for path in folder.iterdir()}
        opened.clear()
        try:
            use(folder)
        except MeshStyleError as error:
            one_line(error)
        assert not any("secret" in path for path in opened)
        assert {path: path.read_bytes() for path in folder.iterdir()} == before
        assert {path.name for path in folder.parent.iterdir()} <= {"in", "out", "secret.png"}


def test_the_undamaged_model_works() -> None:
    attack()


@fuzz
@given(damage(OBJ.encode()))
@example(b"f 1" * 5000)
@example(b"v 0 0 0\n" * 3 + b"f" + b" 1 2 3" * 3000)
@example(b"v 0 0 0\nv 1 0 0\nv 0 1 0\n" + b"usemtl a\n" * 2000 + b"f 1 2 3\n")
@example(b"\\\n" * 5000)
def test_damaged_models(data: bytes) -> None:
    attack(obj=data)


@fuzz
@given(damage(OBJ.encode("utf-16")))
def test_damaged_wide_models(data: bytes) -> None:
    attack(obj=data)


@fuzz
@given(damage(MTL.encode()))
@example(b"newmtl paper\nmap_Kd " + b"-s " * 5000 + b"four.png\n")
@example(b"# meshstyle " + b"{" * 50_000)
@example(b"# meshstyle {" + b'"a":[' * 50_000)
@example(b"newmtl paper\nmap_Kd quad.obj\nmap_d .\n")
def test_damaged_libraries(data: bytes) -> None:
    attack(mtl=data)


def encoded(kind: str) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (9, 7, 4), np.uint8)
    buffer = io.BytesIO()
    image = Image.fromarray(noise)
    (image.convert("RGB") if kind in ("JPEG", "PPM") else image).save(buffer, format=kind)
    return buffer.getvalue()


PICTURES = {
    kind: encoded(kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "TGA", "BMP", "PPM", "DDS")
}


@fuzz
@given(st.sampled_from(sorted(PICTURES)).flatmap(lambda kind: damage(PICTURES[kind])))
def test_damaged_pictures(data: bytes) -> None:
    for read in (decode_picture, picture_size):
        try:
            read(data, "picture")
        except MeshStyleError as error:
            one_line(error)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "picture"
        path.write_bytes(data)
        try:
            assert read_picture(path).shape[2] == 4
        except MeshStyleError as error:
            one_line(error)


@fuzz
@given(damage(PICTURES["PNG"]))
def test_damaged_textures(data: bytes) -> None:
    attack(png=data)
