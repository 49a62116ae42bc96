"""What the reader makes of tiny files whose answer is known."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from helpers.gltf_samples import SQUARE, SQUARE_UV, Maker, paint

from meshstyle.io.gltf.accessors import to_float
from meshstyle.io.gltf.asset import GltfAsset
from meshstyle.io.gltf.document import GltfDocument
from meshstyle.io.gltf.geometry import triangles
from meshstyle.io.load import load_asset
from meshstyle.io.save import save_asset
from meshstyle.io.types import Asset, Paint, Wrap

TWO = SQUARE[[0, 1, 2, 0, 2, 3]].reshape(2, 3, 3)


def read(maker: Maker, folder: Path) -> GltfAsset:
    asset = load_asset(maker.glb(folder / "in.glb"))
    assert isinstance(asset, Asset)
    assert isinstance(asset, GltfAsset)
    return asset


def only_part(maker: Maker, folder: Path) -> np.ndarray:
    (part,) = read(maker, folder).parts
    return part.corners


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (4, [[5, 6, 7]]),
        (5, [[5, 6, 7], [6, 8, 7], [7, 8, 9]]),  # p(i), p(i + 1 + i%2), p(i + 2 − i%2)
        (6, [[6, 7, 5], [7, 8, 5], [8, 9, 5]]),
    ],
)
def test_triangles_of_each_mode(mode: int, expected: list[list[int]]) -> None:
    np.testing.assert_array_equal(triangles(np.arange(5, 10), mode), expected)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_corners_make_no_triangle(count: int) -> None:
    for mode in (4, 5, 6):
        assert triangles(np.arange(count), mode).shape == (0, 3)


def test_strip_and_fan_wind_alike(tmp_path: Path) -> None:
    """The unit square, facing +z, as list, strip and fan: area vectors all point to +z."""
    maker = Maker()
    strip, fan = SQUARE[[0, 1, 3, 2]], SQUARE
    maker.mesh(
        {"attributes": {"POSITION": maker.positions(strip)}, "mode": 5},
        {"attributes": {"POSITION": maker.positions(fan)}, "mode": 6},
        {"attributes": {"POSITION": maker.positions(TWO.reshape(-1, 3))}},
    )
    for part in read(maker, tmp_path).parts:
        corners = part.corners[0]
        area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        np.testing.assert_array_equal(area, [[0, 0, 1]] * 2)


@pytest.mark.parametrize("dtype", ["u1", "<u2", "<u4"])
def test_index_types(dtype: str, tmp_path: Path) -> None:
    maker = Maker()
    indices = maker.accessor(np.array([0, 1, 2, 0, 2, 3], dtype))
    maker.mesh({"attributes": {"POSITION": maker.positions(SQUARE)}, "indices": indices})
    np.testing.assert_array_equal(only_part(maker, tmp_path), [TWO])


def test_interleaved(tmp_path: Path) -> None:
    maker = Maker()
    both = np.concatenate([SQUARE, SQUARE_UV], axis=1).astype("<f4")  # 20 bytes a vertex
    view = maker.view(both.tobytes(), byteStride=20)
    common = {"bufferView": view, "componentType": 5126, "count": 4}
    bounds = {"min": [0, 0, 0], "max": [1, 1, 0]}
    position = maker.add("accessors", common | bounds | {"type": "VEC3"})
    uv = maker.add("accessors", common | {"type": "VEC2", "byteOffset": 12})
    maker.mesh({"attributes": {"POSITION": position, "TEXCOORD_0": uv}, "mode": 6})
    (part,) = read(maker, tmp_path).parts
    np.testing.assert_array_equal(part.corners[0], SQUARE[[[1, 2, 0], [2, 3, 0]]])
    np.testing.assert_array_equal(part.uv, SQUARE_UV[[[1, 2, 0], [2, 3, 0]]])


@pytest.mark.parametrize("based", [True, False], ids=["over values", "over zeros"])
def test_sparse(based: bool, tmp_path: Path) -> None:
    maker = Maker()
    accessor = maker.positions(SQUARE)
    item = maker.json["accessors"][accessor]
    item["sparse"] = {
        "count": 2,
        "indices": {"bufferView": maker.view(np.array([1, 3], "u1").tobytes()), "componentType": 5121},
        "values": {"bufferView": maker.view(np.array([[5, 0, 0], [0, 7, 0]], "<f4").tobytes())},
    }
    if not based:
        del item["bufferView"]
    maker.mesh({"attributes": {"POSITION": accessor}, "mode": 6})
    expected = np.where(based, SQUARE, 0)
    expected[1], expected[3] = (5, 0, 0), (0, 7, 0)
    np.testing.assert_array_equal(only_part(maker, tmp_path)[0], expected[[[1, 2, 0], [2, 3, 0]]])


def test_normalized_integers() -> None:
    np.testing.assert_array_equal(to_float(np.array([0, 51, 255], "u1"), True), [0, 0.2, 1])
    np.testing.assert_array_equal(to_float(np.array([-128, -127, 127], "i1"), True), [-1, -1, 1])
    np.testing.assert_array_equal(to_float(np.array([65535], "<u2"), True), [1])
    np.testing.assert_array_equal(to_float(np.array([-3, 7], "<i2"), False), [-3, 7])
    np.testing.assert_array_equal(to_float(np.array([2.5], "<f4"), True), [2.5])


def test_quantized_positions_and_uvs(tmp_path: Path) -> None:
    """KHR_mesh_quantization: short positions with a padding stride, normalized UVs; the node scales them."""
    maker = Maker(extensionsRequired=["KHR_mesh_quantization"], extensionsUsed=["KHR_mesh_quantization"])
    padded = np.zeros((4, 4), "<i2")
    padded[:, :3] = SQUARE * 100
    view = maker.view(padded.tobytes(), byteStride=8)
    position = maker.add(
        "accessors",
        {
            "bufferView": view,
            "componentType": 5122,
            "count": 4,
            "type": "VEC3",
            "min": [0, 0, 0],
            "max": [100, 100, 0],
        },
    )
    uv = maker.accessor((SQUARE_UV * 65535).astype("<u2"), normalized=True)
    maker.mesh({"attributes": {"POSITION": position, "TEXCOORD_0": uv}, "mode": 6})
    maker.json["nodes"][0]["scale"] = [0.01, 0.01, 0.01]
    (part,) = read(maker, tmp_path).parts
    np.testing.assert_allclose(part.corners[0], SQUARE[[[1, 2, 0], [2, 3, 0]]])
    np.testing.assert_array_equal(part.uv, SQUARE_UV[[[1, 2, 0], [2, 3, 0]]])


def test_nodes_multiply_down_the_tree(tmp_path: Path) -> None:
    """Parent: x + 10. Child: a quarter turn about z, and double. (1, 0, 0) → (0, 2, 0) → (10, 2, 0)."""
    maker = Maker()
    maker.mesh(maker.square())
    half = math.sqrt(0.5)
    maker.json["nodes"] = [
        {"translation": [10, 0, 0], "children": [1]},
        {"mesh": 0, "rotation": [0, 0, half, half], "scale": [2, 2, 2]},
    ]
    corners = only_part(maker, tmp_path)
    np.testing.assert_allclose(corners[0, 0], [[10, 0, 0], [10, 2, 0], [8, 2, 0]], atol=1e-12)


def test_matrix_is_stored_by_columns(tmp_path: Path) -> None:
    maker = Maker()
    maker.mesh(maker.square())
    maker.json["nodes"] = [{"mesh": 0, "matrix": [0, 1, 0, 0, -1, 0, 0, 0, 0, 0, 1, 0, 5, 6, 7, 1]}]
    np.testing.assert_array_equal(only_part(maker, tmp_path)[0, 0], [[5, 6, 7], [5, 7, 7], [4, 7, 7]])


def test_mirrored_and_stretched_normals(tmp_path: Path) -> None:
    """n = (1, 1, 0)/√2 under scale (−2, 1, 1): inverse transpose gives (−½, 1, 0), unit (−1, 2, 0)/√5.

    The second vertex has no normal: the plane's stands in. The mirror turned the triangle's winding, but not
    its side.
    """
    maker = Maker()
    normals = np.array([[1, 1, 0], [0, 0, 0], [0, 0, 1]], "<f4")
    normals[0] /= math.sqrt(2)
    attributes = {"POSITION": maker.positions(SQUARE[:3]), "NORMAL": maker.accessor(normals)}
    maker.mesh({"attributes": attributes})
    maker.json["nodes"] = [{"mesh": 0, "scale": [-2, 1, 1]}]
    (part,) = read(maker, tmp_path).parts
    assert part.normals is not None
    s = 1 / math.sqrt(5)
    np.testing.assert_allclose(part.normals[0, 0], [[-s, 2 * s, 0], [0, 0, 1], [0, 0, 1]], atol=1e-7)


def test_two_nodes_are_two_instances_of_one_part(tmp_path: Path) -> None:
    maker = Maker()
    maker.mesh(maker.square(), nodes=2)
    np.testing.assert_array_equal(only_part(maker, tmp_path), [TWO, TWO + np.array([2, 0, 0])])


def test_gpu_instances(tmp_path: Path) -> None:
    maker = Maker(extensionsUsed=["EXT_mesh_gpu_instancing"])
    maker.mesh(maker.square())
    shifts = maker.accessor(np.array([[0, 0, 1], [0, 0, 2]], "<f4"))
    scales = maker.accessor(np.array([[1, 1, 1], [3, 3, 3]], "<f4"))
    attributes = {"TRANSLATION": shifts, "SCALE": scales}
    shift = np.array([[0, 0, 1], [0, 0, 2]])[:, None, None]
    maker.json["nodes"][0]["extensions"] = {"EXT_mesh_gpu_instancing": {"attributes": attributes}}
    np.testing.assert_array_equal(only_part(maker, tmp_path), TWO * [[[[1]]], [[[3]]]] + shift)


def test_default_scene_hides_the_rest(tmp_path: Path) -> None:
    maker = Maker(scene=1)
    maker.mesh(maker.square())
    maker.mesh(maker.square())
    maker.json["scenes"] = [{"nodes": [0]}, {"nodes": [1]}]
    asset = read(maker, tmp_path)
    assert [source.mesh for source in asset.part_sources] == [1]
    del maker.json["scene"]
    maker.json["scenes"].pop()
    assert [source.mesh for source in read(maker, tmp_path).part_sources] == [0, 1]


@pytest.mark.parametrize("nodes", [True, False])
def test_what_no_scene_shows_is_taken_with_a_warning(nodes: bool, tmp_path: Path) -> None:
    maker = Maker(scenes=[{"name": "empty"}], scene=0)
    maker.mesh(maker.square())
    if not nodes:
        del maker.json["nodes"]
    asset = read(maker, tmp_path)
    assert len(asset.parts) == 1
    assert ("all nodes were taken" if nodes else "all meshes were taken") in asset.warnings[-1]


def test_skin_in_rest_pose(tmp_path: Path) -> None:
    """Joint A stands at x = 1, joint B at y = 2 with inverse bind −y. The node's own place is of no effect.

    Vertex 0 follows A: +(1, 0, 0). Vertex 1 follows B: shifted by −(0, 1, 0) + (0, 2, 0). Vertex 2 half and
    half: +(½, ½, 0). Vertex 3 has no weights and follows its first joint, B.
    """
    maker = Maker()
    binds = np.tile(np.eye(4, dtype="<f4"), (2, 1, 1))
    binds[1, 1, 3] = -1
    joints = np.array([[0, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]], "u1")
    weights = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 0, 0]], "<f4")
    square = maker.square()
    square["attributes"] |= {"JOINTS_0": maker.accessor(joints), "WEIGHTS_0": maker.accessor(weights)}
    maker.mesh(square)
    accessor = maker.accessor(binds.transpose(0, 2, 1).reshape(2, 16))
    maker.json["skins"] = [{"joints": [1, 2], "inverseBindMatrices": accessor}]
    maker.json["nodes"] = [
        {"mesh": 0, "skin": 0, "translation": [100, 0, 0]},
        {"translation": [1, 0, 0]},
        {"translation": [0, 2, 0]},
    ]
    moved = SQUARE + np.array([[1, 0, 0], [0, 1, 0], [0.5, 0.5, 0], [0, 1, 0]])
    np.testing.assert_allclose(only_part(maker, tmp_path)[0], moved[[[0, 1, 2], [0, 2, 3]]])


def test_texture_transform(tmp_path: Path) -> None:
    """Scale (2, 3); a quarter turn counter-clockwise, v pointing down: (u, v) → (v, −u); offset (.1, .2)."""
    maker = Maker(extensionsUsed=["KHR_texture_transform"])
    transform = {"offset": [0.1, 0.2], "rotation": math.pi / 2, "scale": [2, 3], "texCoord": 1}
    info = {"index": maker.texture(), "texCoord": 0, "extensions": {"KHR_texture_transform": transform}}
    material = maker.add("materials", {"pbrMetallicRoughness": {"baseColorTexture": info}})
    square = maker.square(material=material)
    stored = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], "<f4")
    square["attributes"]["TEXCOORD_1"] = maker.accessor(stored)
    maker.mesh(square)
    (part,) = read(maker, tmp_path).parts
    assert part.uv is not None
    np.testing.assert_allclose(part.uv[0], [[0.1, -1.8], [3.1, 0.2], [3.1, -1.8]], atol=1e-12)


def test_material_as_the_file_has_it(tmp_path: Path) -> None:
    maker = Maker(samplers=[{"wrapS": 33071, "wrapT": 33648}])
    surface = {
        "baseColorFactor": [0.5, 0.25, 1, 0.75],
        "baseColorTexture": {"index": maker.texture(sampler=0)},
    }
    more = {"alphaMode": "MASK", "alphaCutoff": 0.3, "doubleSided": True, "name": "leaf"}
    maker.mesh(maker.square(material=maker.add("materials", {"pbrMetallicRoughness": surface, **more})))
    asset = read(maker, tmp_path)
    (material,) = asset.materials
    assert (material.name, material.factor, material.image) == ("leaf", (0.5, 0.25, 1.0, 0.75), 0)
    assert material.wrap == (Wrap.CLAMP, Wrap.MIRROR)
    assert (material.alpha_mode, material.alpha_cutoff, material.double_sided) == ("MASK", 0.3, True)
    assert asset.image_size(0) == (2, 2)
    np.testing.assert_array_equal(asset.image(0), np.full((2, 2, 4), (255, 0, 0, 255)))


def test_specular_glossiness_comes_first(tmp_path: Path) -> None:
    name = "KHR_materials_pbrSpecularGlossiness"
    maker = Maker(extensionsUsed=[name])
    first, second = maker.texture(), maker.texture()
    gloss = {"diffuseFactor": [0, 1, 0, 1], "diffuseTexture": {"index": second}}
    maker.mesh(maker.square(material=maker.material(first, extensions={name: gloss})))
    (material,) = read(maker, tmp_path).materials
    assert (material.image, material.factor) == (1, (0.0, 1.0, 0.0, 1.0))


@pytest.mark.parametrize("extension", ["EXT_texture_webp", "EXT_texture_avif", "KHR_texture_basisu"])
def test_image_of_a_texture_extension(extension: str, tmp_path: Path) -> None:
    maker = Maker(extensionsUsed=[extension])
    plain, extra = maker.image(), maker.image()
    both = {"source": plain, "extensions": {extension: {"source": extra}}}
    maker.mesh(maker.square(material=maker.material(maker.add("textures", both))))
    assert read(maker, tmp_path).materials[0].image == plain
    del both["source"]
    assert read(maker, tmp_path).materials[0].image == extra


@pytest.mark.parametrize("kind", ["VEC3 float", "VEC4 float", "VEC4 bytes", "VEC3 shorts"])
def test_vertex_colours(kind: str, tmp_path: Path) -> None:
    maker, square = Maker(), None
    colours = np.array([[1, 0, 0.2, 0.4], [0, 1, 0, 1], [0, 0, 1, 1], [2, -1, np.nan, 1]])
    if "VEC3" in kind:
        colours = colours[:, :3]
    if "float" in kind:
        accessor = maker.accessor(colours.astype("<f4"))
    else:
        dtype = "u1" if "bytes" in kind else "<u2"
        colours[3] = 1
        padded = np.zeros((4, 4), dtype)
        padded[:, : colours.shape[1]] = np.round(colours * np.iinfo(dtype).max)
        view = maker.view(padded.tobytes(), byteStride=padded.strides[0])
        accessor = maker.add(
            "accessors",
            {
                "bufferView": view,
                "componentType": 5121 if dtype == "u1" else 5123,
                "count": 4,
                "type": kind[:4],
                "normalized": True,
            },
        )
    square = maker.square()
    square["attributes"]["COLOR_0"] = accessor
    maker.mesh(square)
    (part,) = read(maker, tmp_path).parts
    assert part.colours is not None
    expected = np.array([[1, 0, 0.2, 1 if "VEC3" in kind else 0.4], [0, 1, 0, 1], [0, 0, 1, 1]])
    np.testing.assert_allclose(part.colours[0], expected, atol=1e-7)
    assert part.colours.min() >= 0
    assert part.colours.max() <= 1


def test_primitives_without_material_share_a_default(tmp_path: Path) -> None:
    maker = Maker()
    painted = maker.material(name="own")
    maker.mesh(maker.square(), maker.square(material=painted), maker.square())
    asset = read(maker, tmp_path)
    assert [part.material for part in asset.parts] == [1, 0, 1]
    assert asset.materials[1].factor == (1.0, 1.0, 1.0, 1.0)


def test_points_and_lines_are_left_alone(tmp_path: Path) -> None:
    maker = Maker()
    line = {"attributes": {"POSITION": maker.positions(SQUARE)}, "mode": 3}
    maker.mesh(line, maker.square())
    asset = read(maker, tmp_path)
    assert [source.primitive for source in asset.part_sources] == [1]
    assert asset.warnings == ("Points and lines are left as they are.",)


def test_uvs_that_are_no_numbers_count_as_missing(tmp_path: Path) -> None:
    maker = Maker()
    square = maker.square()
    square["attributes"]["TEXCOORD_0"] = maker.accessor(np.full((4, 2), np.nan, "<f4"))
    maker.mesh(square)
    asset = read(maker, tmp_path)
    assert asset.parts[0].uv is None
    assert "not finite" in asset.warnings[0]


def test_image_names(tmp_path: Path) -> None:
    maker = Maker()
    maker.image(name="wood")
    maker.add("images", {"uri": "some%20where/my%20oak.v2.png"})
    maker.image()
    maker.mesh(maker.square())
    asset = read(maker, tmp_path)
    assert [asset.image_name(i) for i in range(3)] == ["wood", "my oak.v2", "image 2"]


def test_embedded_json_and_binary_are_the_same(tmp_path: Path) -> None:
    maker = Maker()
    maker.mesh(maker.square(material=maker.material(maker.texture())))
    first = load_asset(maker.glb(tmp_path / "in.glb"))
    second = load_asset(maker.gltf(tmp_path / "in.gltf"))
    assert (first.kind, second.kind) == ("GLB", "glTF")
    np.testing.assert_array_equal(first.parts[0].corners, second.parts[0].corners)
    np.testing.assert_array_equal(first.image(0), second.image(0))


def odd_square(folder: Path, change: str) -> Path:
    """A square in a GLB that breaks the specification in one way that other readers do not mind."""
    maker = Maker()
    maker.mesh({"attributes": {"POSITION": maker.positions(TWO.reshape(-1, 3))}})
    views, accessors = maker.json["bufferViews"], maker.json["accessors"]
    if change == "version":
        maker.json["asset"]["version"] = 2
    elif change == "stride":
        views[0]["byteStride"] = 0
    elif change == "empty":
        view = maker.add("bufferViews", {"buffer": 0, "byteLength": 0})
        empty = maker.add("accessors", {**accessors[0], "bufferView": view, "count": 0, "byteOffset": 8000})
        maker.json["meshes"][0]["primitives"].append({"attributes": {"POSITION": empty}})
    data = maker.glb(folder / "odd.glb").read_bytes()
    length = int.from_bytes(data[12:16], "little")
    text = data[20 : 20 + length]
    if change == "zeros":
        text += bytes(4)
    elif change == "mark":
        text = b"\xef\xbb\xbf" + text + b" "
    data = data[:8] + (len(data) + len(text) - length).to_bytes(4, "little") + len(text).to_bytes(4, "little")
    data += b"JSON" + text + (folder / "odd.glb").read_bytes()[20 + length :]
    (folder / "odd.glb").write_bytes(data)
    return folder / "odd.glb"


@pytest.mark.parametrize("change", ["version", "stride", "empty", "zeros", "mark"])
def test_small_sins_of_exporters(tmp_path: Path, change: str) -> None:
    """A version that is a number, a stride of 0, accessors of nothing, JSON padded with zeros or after a mark."""
    asset = load_asset(odd_square(tmp_path, change))
    assert isinstance(asset, GltfAsset)
    np.testing.assert_array_equal(asset.parts[0].corners[0], TWO)
    assert len(asset.parts) == 1
    written = save_asset(asset, tmp_path / "new.glb", paint(asset, unwrap=True))
    np.testing.assert_array_equal(load_asset(written[0]).parts[0].corners[0], TWO)


def test_morph_targets_stand_at_the_weights_of_the_file(tmp_path: Path) -> None:
    """The mesh says 0.5; one of its two nodes says 1."""
    maker = Maker()
    square = maker.square()
    square["targets"] = [{"POSITION": maker.positions(np.tile(np.float32([0, 0, 4]), (4, 1)))}]
    maker.mesh(square, nodes=2, weights=[0.5])
    maker.json["nodes"][1]["weights"] = [1.0]
    (part,) = GltfAsset(maker.glb(tmp_path / "m.glb")).parts
    assert part.corners[0, ..., 2].tolist() == [[2.0] * 3] * 2
    assert part.corners[1, ..., 2].tolist() == [[4.0] * 3] * 2
    assert part.corners[:, 0, 0, 0].tolist() == [0.0, 2.0]


def test_of_very_many_instances_some_neighbours_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A field of 400 squares and one tower of a mesh of its own; at most 100 triangles are looked at."""
    monkeypatch.setattr("meshstyle.io.gltf.primitives.MAX_TRIANGLES", 500)
    monkeypatch.setattr("meshstyle.io.gltf.primitives.MAX_OF_INSTANCES", 100)
    maker = Maker(extensionsUsed=["EXT_mesh_gpu_instancing"])
    grass = maker.mesh(maker.square(), nodes=0)
    maker.mesh(maker.square())
    place = np.stack(np.meshgrid(np.arange(20), np.arange(20), [0]), axis=-1).reshape(-1, 3)
    copies = {"attributes": {"TRANSLATION": maker.accessor(place.astype("<f4"))}}
    maker.add("nodes", {"mesh": grass, "extensions": {"EXT_mesh_gpu_instancing": copies}})
    path = maker.glb(tmp_path / "field.glb")
    asset = GltfAsset(path)
    field, tower = asset.parts
    assert 40 <= field.corners.shape[0] <= 49
    assert tower.corners.shape[0] == 1
    assert np.ptp(field.corners[:, 0, 0, :2], axis=0).max() <= 9  # a patch, not scattered
    assert any("400 instances" in text for text in asset.warnings)
    save_asset(asset, tmp_path / "out.glb", Paint((), (None, None)))
    nodes = [GltfDocument(file).root.value["nodes"] for file in (path, tmp_path / "out.glb")]
    assert nodes[0] == nodes[1]
