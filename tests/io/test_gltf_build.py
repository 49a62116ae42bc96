"""A GLB from plain arrays: what goes in is in the bytes, and the validator has no complaint."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from helpers.gltf_validator import validate

from meshstyle.io.gltf.asset import GltfAsset
from meshstyle.io.gltf.build import BuildImage, BuildMaterial, BuildMesh, BuildPrimitive, build_glb
from meshstyle.io.images import encode_png
from meshstyle.io.types import Wrap

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float64)
FACES = np.array([[0, 1, 2], [0, 2, 3]])


def square(**changes: object) -> BuildPrimitive:
    return BuildPrimitive(**({"positions": SQUARE, "indices": FACES} | changes))  # type: ignore[arg-type]


def parse(data: bytes) -> tuple[dict, bytes]:
    size = struct.unpack_from("<I", data, 12)[0]
    return json.loads(data[20 : 20 + size]), data[28 + size :]


def test_everything_is_in_the_file(tmp_path: Path) -> None:
    png = encode_png(np.full((4, 4, 3), 200, np.uint8))
    primitive = square(
        material=0,
        normals=np.array([[0, 0, 2], [0, 0, 1e-200], [0, 0, 0], [0, 3, 4]], np.float64),
        uvs=SQUARE[:, :2],
        attributes={"_COLOR_0": np.ones((4, 4))},
    )
    material = BuildMaterial(
        "paint", (1.0, 0.5, 1.0, 0.5), 0, (Wrap.CLAMP, Wrap.MIRROR), "MASK", 0.25, double_sided=True
    )
    data = build_glb([BuildMesh("quad", [primitive])], [material], [BuildImage("p", png)], {"seed": 3})
    (tmp_path / "a.glb").write_bytes(data)
    report = validate(tmp_path / "a.glb")
    assert report["issues"]["messages"] == []
    assert report["info"]["totalTriangleCount"] == 2

    document, binary = parse(data)
    assert document["asset"]["extras"] == {"meshstyle": {"seed": 3}}
    assert document["materials"] == [
        {
            "name": "paint",
            "pbrMetallicRoughness": {
                "baseColorFactor": [1, 0.5, 1, 0.5],
                "baseColorTexture": {"index": 0},
                "metallicFactor": 0.0,
                "roughnessFactor": 1.0,
            },
            "alphaMode": "MASK",
            "alphaCutoff": 0.25,
            "doubleSided": True,
        }
    ]
    assert document["samplers"] == [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33648}]

    def read(accessor: int, dtype: str, width: int) -> np.ndarray:
        item = document["accessors"][accessor]
        start = document["bufferViews"][item["bufferView"]]["byteOffset"]
        return np.frombuffer(binary, dtype, item["count"] * width, start).reshape(-1, width)

    attributes = document["meshes"][0]["primitives"][0]["attributes"]
    np.testing.assert_array_equal(read(attributes["POSITION"], "<f4", 3), SQUARE)
    np.testing.assert_allclose(
        read(attributes["NORMAL"], "<f4", 3), [[0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0.6, 0.8]]
    )
    np.testing.assert_array_equal(read(attributes["TEXCOORD_0"], "<f4", 2), SQUARE[:, :2])
    np.testing.assert_array_equal(
        read(document["meshes"][0]["primitives"][0]["indices"], "<u2", 1).ravel(), FACES.ravel()
    )
    view = document["bufferViews"][document["images"][0]["bufferView"]]
    assert binary[view["byteOffset"] :][: view["byteLength"]] == png


def test_empty_meshes_are_left_out_and_textures_are_shared(tmp_path: Path) -> None:
    png = encode_png(np.zeros((2, 2, 3), np.uint8))
    empty = BuildMesh("none", [square(indices=FACES[:0])])
    materials = [BuildMaterial("a", image=0), BuildMaterial("b", image=0), BuildMaterial("c")]
    shown = BuildMesh("quad", [square(material=i, uvs=SQUARE[:, :2]) for i in range(3)])
    data = build_glb([empty, shown], materials, [BuildImage("p", png)], {})
    document, _ = parse(data)
    assert [mesh["name"] for mesh in document["meshes"]] == ["quad"]
    assert len(document["textures"]) == len(document["samplers"]) == 1
    assert "extras" not in document["asset"]
    (tmp_path / "a.glb").write_bytes(data)
    issues = validate(tmp_path / "a.glb")["issues"]
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0)


def test_65536_vertices_need_wide_indices() -> None:
    positions = np.zeros((65536, 3))
    document, _ = parse(build_glb([BuildMesh("m", [square(positions=positions)])], [], [], {}))
    kinds = [item["componentType"] for item in document["accessors"]]
    assert kinds == [5126, 5125]


def test_bad_arrays_are_bugs_of_the_caller() -> None:
    with pytest.raises(ValueError, match="single precision"):
        build_glb([BuildMesh("m", [square(positions=np.full((4, 3), np.inf))])], [], [], {})
    with pytest.raises(ValueError, match="within the vertices"):
        build_glb([BuildMesh("m", [square(indices=FACES + 2)])], [], [], {})


def test_far_from_the_origin_the_nodes_take_the_offset(tmp_path: Path) -> None:
    """A cube of 2 units in map coordinates keeps its shape to single precision of its own size."""
    shape = np.array([[0, 0, 0], [2, 0, 0], [0, 0.3, 0], [0, 0.3, 2]])
    corners = np.add(shape, [448_262.25, 5_411_932.1, 110.7])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    meshes = [
        BuildMesh("a", [BuildPrimitive(corners[:3], faces[:1])]),
        BuildMesh("b", [BuildPrimitive(corners, faces)]),
    ]
    path = tmp_path / "far.glb"
    path.write_bytes(build_glb(meshes, [], [], {}))
    asset = GltfAsset(path)
    for part, wanted in zip(asset.parts, (corners[faces[:1]], corners[faces]), strict=True):
        np.testing.assert_allclose(part.corners[0], wanted, rtol=0, atol=2e-7)
    nodes = asset.document.root.value["nodes"]
    assert nodes[0]["translation"] == nodes[1]["translation"]
    assert [float(np.float32(value)) for value in nodes[0]["translation"]] == nodes[0]["translation"]


def test_near_the_origin_positions_are_written_as_they_are() -> None:
    mesh = BuildMesh("a", [BuildPrimitive(np.eye(3), np.array([[0, 1, 2]]))])
    assert b"translation" not in build_glb([mesh], [], [], {})
