"""PLY, STL and OFF: read with their colours, written as valid GLB, refused when broken."""

from __future__ import annotations

import os
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from helpers.gltf_validator import validate
from helpers.obj_models import paint
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from meshstyle.errors import AssetError, MeshStyleError, UsageError
from meshstyle.io.gltf.asset import GltfAsset
from meshstyle.io.load import load_asset
from meshstyle.io.mesh.asset import MeshAsset
from meshstyle.io.save import save_asset
from meshstyle.io.types import Part
from meshstyle.output_path import choose_output

PLY = """\
ply
format ascii 1.0
comment a square of four colours
element vertex 4
property float x
property float y
property float z
property uchar red
property uchar green
property uchar blue
element face 1
property list uchar int vertex_indices
end_header
0 0 0 255 0 0
1 0 0 0 255 0
1 1 0 0 0 255
0 1 0 188 188 188
4 0 1 2 3
"""
OFF = "OFF # a square\n4 1 4\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n4 0 1 2 3\n"
STL = bytes(80) + struct.pack("<I", 2)
STL += struct.pack("<12fH", 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0)
STL += struct.pack("<12fH", 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0)
SQUARE = [[[0, 0, 0], [1, 0, 0], [1, 1, 0]], [[0, 0, 0], [1, 1, 0], [0, 1, 0]]]
FILES = {".ply": PLY.encode(), ".off": OFF.encode(), ".stl": STL}


def write(folder: Path, suffix: str, data: bytes | None = None) -> Path:
    path = folder / f"square{suffix}"
    path.write_bytes(FILES[suffix] if data is None else data)
    return path


@pytest.mark.parametrize("suffix", FILES)
def test_squares(tmp_path: Path, suffix: str) -> None:
    asset = load_asset(write(tmp_path, suffix))
    assert asset.kind == suffix[1:].upper()
    np.testing.assert_array_equal(asset.parts[0].corners[0], SQUARE)
    save_asset(asset, tmp_path / "new.glb", paint(asset, unwrap=True))  # type: ignore[arg-type]
    assert [
        item for item in validate(tmp_path / "new.glb")["issues"]["messages"] if item["severity"] <= 1
    ] == []
    back = GltfAsset(tmp_path / "new.glb")
    np.testing.assert_array_equal(back.parts[0].corners[0], SQUARE)
    np.testing.assert_array_equal(back.parts[0].uv, paint(asset, unwrap=True).parts[0].uv)  # type: ignore
    assert back.record == {"seed": 7}
    assert back.parts[0].colours is None


def test_vertex_colours(tmp_path: Path) -> None:
    """sRGB 188 is 0.503 in linear light: ((188/255 + 0.055) / 1.055)^2.4."""
    asset = MeshAsset(write(tmp_path, ".ply"))
    assert asset.parts[0].colours is not None
    np.testing.assert_allclose(asset.parts[0].colours[0], [[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]])
    np.testing.assert_allclose(asset.parts[0].colours[1, 2], [0.502886] * 3 + [1], rtol=1e-5)
    save_asset(asset, tmp_path / "new.glb", paint(asset, unwrap=True))  # type: ignore[arg-type]
    (mesh,) = GltfAsset(tmp_path / "new.glb").document.new_json()["meshes"]
    assert set(mesh["primitives"][0]["attributes"]) == {"POSITION", "TEXCOORD_0", "_COLOR_0"}


def test_where_results_go(tmp_path: Path) -> None:
    path = write(tmp_path, ".ply")
    assert choose_output(path, None) == tmp_path / "square.stylized.glb"
    with pytest.raises(UsageError):
        choose_output(path, tmp_path / "new.ply")
    asset = MeshAsset(path)
    with pytest.raises(UsageError, match="cannot hold"):
        save_asset(asset, tmp_path / "new.ply", paint(asset, unwrap=True))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("suffix", "data", "cause"),
    [
        (".ply", b"", "no PLY header"),
        (".ply", PLY.replace("element vertex 4", "element vertex 4000000000").encode(), "promises more"),
        (".ply", PLY.replace("4 0 1 2 3", "4 0 1 2 9").encode(), "index beyond|damaged"),
        (".ply", PLY.replace("1 1 0 0 0 255", "nan 1 0 0 0 255").encode(), "finite"),
        (".ply", PLY[:-30].encode(), "damaged|no faces|index"),
        (".off", OFF.replace("4 1 4", "4000000000 1 4").encode(), "promises more"),
        (".off", OFF.replace("4 0 1 2 3", "4 0 1 2 4").encode(), "index|damaged"),
        (".off", b"OFF\n0 0 0\n", "no faces|damaged"),
        (".stl", STL[:100], "promises more"),
        (".stl", b"solid x\nendsolid x\n", "no faces|damaged"),
        (".stl", STL[:80] + struct.pack("<I", 2**31) + STL[84:], "promises more"),
    ],
    ids=range(11),
)
def test_broken_files(tmp_path: Path, suffix: str, data: bytes, cause: str) -> None:
    with pytest.raises(AssetError, match=cause) as error:
        MeshAsset(write(tmp_path, suffix, data))
    assert "\n" not in str(error.value)


EXAMPLES = int(os.environ.get("MESHSTYLE_FUZZ_EXAMPLES", "60"))


@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES <= 100, suppress_health_check=list(HealthCheck)
)
@given(st.sampled_from(sorted(FILES)), st.integers(0, 500), st.binary(max_size=6), st.integers(0, 12))
@example(".ply", 0, b"ply\nformat ascii 1.0\n", 0)
def test_damaged_files(suffix: str, at: int, new: bytes, gone: int) -> None:
    data = FILES[suffix]
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), suffix, data[:at] + new + data[at + gone :])
        try:
            asset = MeshAsset(path)
        except MeshStyleError as error:
            assert "\n" not in str(error)  # noqa: PT017
        else:
            assert np.isfinite(asset.parts[0].corners).all()


def corners(text: str | bytes, folder: Path, suffix: str) -> Part:
    return MeshAsset(write(folder, suffix, text if isinstance(text, bytes) else text.encode())).parts[0]


VERTICES = "0 0 0\n1 0 0\n1 1 0\n0 1 0\n"
TRIANGLE_AND_QUAD = """\
ply
format {form} 1.0
element vertex 4
property float x
property double y
property short z
element face 2
property uchar kind
property list uchar ushort vertex_index
end_header
"""


@pytest.mark.parametrize(("form", "order"), [("binary_little_endian", "<"), ("binary_big_endian", ">")])
def test_ply_of_triangles_and_quads(tmp_path: Path, form: str, order: str) -> None:
    """Rows of different lengths; text and both byte orders are the same mesh."""
    faces = [(3, 0, 1, 2), (4, 0, 1, 2, 3)]
    text = TRIANGLE_AND_QUAD.format(form="ascii") + VERTICES
    text += "".join(f"7 {' '.join(map(str, face))}\n" for face in faces)
    binary = TRIANGLE_AND_QUAD.format(form=form).encode()
    for line in VERTICES.splitlines():
        x, y, z = map(int, line.split())
        binary += struct.pack(f"{order}fdh", x, y, z)
    for face in faces:
        binary += struct.pack(f"{order}BB{len(face) - 1}H", 7, *face)
    expected = [SQUARE[0], *SQUARE]
    for data in (text, text.replace("\n", "\r\n"), binary):
        np.testing.assert_array_equal(corners(data, tmp_path, ".ply").corners[0], expected)
    with pytest.raises(AssetError, match="damaged"):
        corners(binary[:-1], tmp_path, ".ply")


UV_PLY = """\
ply
format ascii 1.0
comment TextureFile red dot.png
of a comment of two lines
element vertex 4
property float x
property float y
property float z
property float nx
property float ny
property float nz
property float s
property float t
property uchar diffuse_red
property uchar diffuse_green
property uchar diffuse_blue
element face 1
property list uchar int vertex_indices
end_header
0 0 0 0 0 2 0 0 255 0 0
1 0 0 0 0 1 1 0 255 0 0
1 1 0 0 0 1 1 1 255 0 0
0 1 0 0 0 1 0 1 255 0 0
4 0 1 2 3
"""


def test_ply_with_texture_and_normals(tmp_path: Path) -> None:
    """v is turned over: the corner at the origin has the picture's bottom left."""
    Image.new("RGB", (2, 3), (255, 0, 0)).save(tmp_path / "red dot.png")
    asset = MeshAsset(write(tmp_path, ".ply", UV_PLY.encode()))
    (part,) = asset.parts
    np.testing.assert_array_equal(part.uv[0], [[0, 1], [1, 1], [1, 0]])  # type: ignore[index]
    np.testing.assert_array_equal(part.normals, np.broadcast_to([0, 0, 1.0], (1, 2, 3, 3)))
    assert asset.materials[0].image == 0
    assert asset.image_size(0) == (3, 2)
    assert asset.image(0)[0, 0].tolist() == [255, 0, 0, 255]
    assert part.colours is None
    assert [warning for warning in asset.warnings if "colours" in warning]
    save_asset(asset, tmp_path / "new.glb", paint(asset, unwrap=False))  # type: ignore[arg-type]
    back = GltfAsset(tmp_path / "new.glb").parts[0]
    np.testing.assert_array_equal(back.uv, part.uv)  # type: ignore[arg-type]
    np.testing.assert_array_equal(back.normals, part.normals)  # type: ignore[arg-type]


def test_ply_without_its_texture(tmp_path: Path) -> None:
    asset = MeshAsset(write(tmp_path, ".ply", UV_PLY.encode()))
    assert asset.materials[0].image is None
    assert "red dot.png" in asset.warnings[0]
    np.testing.assert_array_equal(asset.parts[0].colours[..., :2], np.broadcast_to([1, 0], (2, 3, 2)))  # type: ignore
    two = UV_PLY.replace("comment", "comment TextureFile other.png\ncomment")
    asset = MeshAsset(write(tmp_path, ".ply", two.encode()))
    assert asset.parts[0].uv is None
    assert "more than one" in asset.warnings[0]


def test_ply_uvs_of_corners_and_colours_of_faces(tmp_path: Path) -> None:
    """MeshLab's wedge coordinates; colours of 16 bits."""
    head = PLY.replace("property uchar red\nproperty uchar green\nproperty uchar blue\n", "")
    head = head.replace("end_header", "property list uchar float texcoord\nproperty ushort red\nend_header")
    head = head.replace("end_header", "property ushort green\nproperty ushort blue\nend_header")
    text = head[: head.index("0 0 0 255")] + VERTICES + "4 0 1 2 3 8 0 0 1 0 1 1 0 1 65535 0 0\n"
    part = corners(text, tmp_path, ".ply")
    np.testing.assert_array_equal(part.uv[1], [[0, 1], [1, 0], [0, 0]])  # type: ignore[index]
    np.testing.assert_array_equal(part.colours, np.broadcast_to([1, 0, 0, 1.0], (2, 3, 4)))  # type: ignore


def test_ply_strips(tmp_path: Path) -> None:
    """Two strips, of which the first turns every other triangle: 0 1 2, 2 1 3; then 1 2 3."""
    text = PLY[: PLY.index("element face")] + "element tristrips 1\nproperty list int int vertex_indices\n"
    text += "end_header\n" + "".join(f"{line} 0 0 0\n" for line in VERTICES.splitlines())
    part = corners(text + "8 0 1 2 3 -1 1 2 3\n", tmp_path, ".ply")
    points = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    np.testing.assert_array_equal(part.corners[0], points[[[0, 1, 2], [2, 1, 3], [1, 2, 3]]])


@pytest.mark.parametrize(
    ("head", "tail", "face", "colours"),
    [
        ("COFF", " 255 0 0 255", "4 0 1 2 3", [1, 0, 0, 1]),
        ("COFF", " 1.0 0 0 1", "4 0 1 2 3", [1, 0, 0, 1]),
        ("COFF", " 255 0 0", "4 0 1 2 3", [1, 0, 0, 1]),
        ("CNOFF", " 0 0 1 0 1 0 1", "4 0 1 2 3", [0, 1, 0, 1]),
        ("OFF", "", "4 0 1 2 3 0 255 0", [0, 1, 0, 1]),
        ("", "", "4 0 1 2 3 0 255 0", [0, 1, 0, 1]),
        ("OFF", "", "4 0 1 2 3 0 1.0 0 0.5", [0, 1, 0, 0.5]),
        ("OFF BINARY", "", "", None),
    ],
    ids=range(8),
)
def test_off_colours(tmp_path: Path, head: str, tail: str, face: str, colours: list[float] | None) -> None:
    lines = "".join(f"{line}{tail} # a vertex\n" for line in VERTICES.splitlines())
    text = f"# made by hand\n{head}\n\n4 1 0\n{lines}\n{face}\n"
    if colours is None:
        with pytest.raises(AssetError, match="binary"):
            corners(text, tmp_path, ".off")
        return
    part = corners(text, tmp_path, ".off")
    np.testing.assert_array_equal(part.corners[0], SQUARE)
    np.testing.assert_array_equal(part.colours, np.broadcast_to(colours, (2, 3, 4)))  # type: ignore
    assert (part.normals is not None) == ("N" in head)


def test_stl_in_its_forms(tmp_path: Path) -> None:
    """Text; binary that begins with `solid`; bytes behind the last facet; colours of Magics."""
    facet = "facet normal 0 0 1\n outer loop\n  vertex {}\n  vertex {}\n  vertex {}\n endloop\nendfacet\n"
    text = "solid a vertex\n" + "".join(
        facet.format(*(" ".join(map(str, point)) for point in triangle)) for triangle in SQUARE
    )
    for data in (
        text + "endsolid a\n",
        text.upper().replace("\n", "\r\n"),
        b"solid" + STL[5:],
        STL + b"\0\0",
    ):
        np.testing.assert_array_equal(corners(data, tmp_path, ".stl").corners[0], SQUARE)
    coloured = b"COLOR=\xff\0\0\xff" + STL[10:]
    coloured = coloured[:132] + struct.pack("<H", 31 << 10) + coloured[134:-2] + struct.pack("<H", 1 << 15)
    found = corners(coloured, tmp_path, ".stl").colours
    np.testing.assert_array_equal(found[:, 0], [[0, 0, 1, 1], [1, 0, 0, 1]])  # type: ignore[index]
