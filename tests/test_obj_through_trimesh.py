"""PLY, STL and OFF: read with their colours, written as valid GLB, refused when broken."""

from __future__ import annotations

import os
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from gltf_validator import validate
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from obj_models import paint

from meshstyle.asset import load_asset
from meshstyle.asset.gltf import GltfAsset
from meshstyle.asset.through_trimesh import TrimeshAsset
from meshstyle.errors import AssetError, MeshStyleError, UsageError
from meshstyle.places import choose_output

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
STL += struct.pack("<12fH", 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0)
SQUARE = [[[0, 0, 0], [1, 0, 0], [1, 1, 0]], [[1, 1, 0], [0, 1, 0], [0, 0, 0]]]  # as trimesh cuts it
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
    asset.write(tmp_path / "new.glb", paint(asset, unwrap=True))  # type: ignore[arg-type]
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
    asset = TrimeshAsset(write(tmp_path, ".ply"))
    assert asset.parts[0].colours is not None
    np.testing.assert_allclose(asset.parts[0].colours[0], [[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]])
    np.testing.assert_allclose(asset.parts[0].colours[1, 1], [0.502886] * 3 + [1], rtol=1e-5)
    asset.write(tmp_path / "new.glb", paint(asset, unwrap=True))  # type: ignore[arg-type]
    (mesh,) = GltfAsset(tmp_path / "new.glb").document.new_json()["meshes"]
    assert set(mesh["primitives"][0]["attributes"]) == {"POSITION", "TEXCOORD_0", "_COLOR_0"}


def test_where_results_go(tmp_path: Path) -> None:
    path = write(tmp_path, ".ply")
    assert choose_output(path, None) == tmp_path / "square.stylized.glb"
    with pytest.raises(UsageError):
        choose_output(path, tmp_path / "new.ply")
    asset = TrimeshAsset(path)
    with pytest.raises(UsageError, match="cannot hold"):
        asset.write(tmp_path / "new.ply", paint(asset, unwrap=True))  # type: ignore[arg-type]


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
        TrimeshAsset(write(tmp_path, suffix, data))
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
            asset = TrimeshAsset(path)
        except MeshStyleError as error:
            assert "\n" not in str(error)  # noqa: PT017
        else:
            assert np.isfinite(asset.parts[0].corners).all()
