"""What the writer does to tiny files, one feature at a time; every result is lossless and valid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.gltf_compare import Gltf, assert_lossless
from helpers.gltf_samples import SQUARE, SQUARE_UV, Maker, gradient, paint, per_triangle_uv
from helpers.gltf_validator import assert_no_new_problems

from meshstyle.errors import OutputError, UsageError
from meshstyle.io.gltf.asset import GltfAsset
from meshstyle.io.gltf.vertices import split_vertices
from meshstyle.io.load import load_asset
from meshstyle.io.save import save_asset
from meshstyle.io.types import Paint, PaintedAtlas, PaintedPart

ATLAS = PaintedAtlas("paint", gradient())


def write(maker: Maker, folder: Path, painted: Paint | None = None, unwrap: bool = False) -> Gltf:
    """Write and check; the result as another program would see it."""
    source = maker.glb(folder / "in.glb")
    asset = GltfAsset(source)
    output = folder / "out.glb"
    painted = painted or paint(asset, unwrap)
    save_asset(asset, output, painted)
    assert_lossless(source, output)
    assert_no_new_problems(source, output)
    result = GltfAsset(output)
    for part, wanted in zip(result.parts, painted.parts, strict=True):
        if wanted is not None:
            image = result.materials[part.material].image
            assert image is not None
            np.testing.assert_array_equal(result.image(image)[..., :3], painted.atlases[wanted.atlas].pixels)
            if wanted.uv is not None:
                np.testing.assert_array_equal(part.uv, wanted.uv.astype(np.float32))
    return Gltf(output)


def parts(*uvs: Any, atlases: int = 1) -> Paint:
    """Paint from UVs; "keep" and None as they say."""
    images = tuple(PaintedAtlas(f"paint {i}", gradient() // (i + 1)) for i in range(atlases))
    made = [
        None if uv is None else PaintedPart(i % atlases, None if isinstance(uv, str) else uv)
        for i, uv in enumerate(uvs)
    ]
    return Paint(images, tuple(made), {"v": 1})


TWO_CELLS = per_triangle_uv(2)


def test_split_by_hand() -> None:
    """Square 0 1 2 / 0 2 3. Vertex 0 has the same UV in both triangles, vertex 2 another: one copy."""
    vertices = np.array([[0, 1, 2], [0, 2, 3]])
    uv = np.array([[[0, 0], [1, 0], [1, 1]], [[-0.0, 0], [0.5, 0.5], [0, 1]]])
    split = split_vertices(vertices, uv, 5)
    np.testing.assert_array_equal(split.copies, [2])
    np.testing.assert_array_equal(split.corners, [[0, 1, 2], [0, 5, 3]])
    np.testing.assert_array_equal(split.uv, [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0], [0.5, 0.5]])


def test_unwrapping_adds_a_set_and_splits(tmp_path: Path) -> None:
    maker = Maker()
    square = maker.square(material=maker.material(maker.texture()))
    square["attributes"]["_OWN"] = maker.accessor(np.array([1, 2, 3, 4], "<f4"))
    shifts = maker.accessor(
        np.array([[0, 0, 1], [0, 0, 2], [0, 0, 3], [0, 0, 4]], "<f4"), min=[0, 0, 1], max=[0, 0, 4]
    )
    square["targets"] = [{"POSITION": shifts}]
    maker.mesh(square, weights=[0.5])
    result = write(maker, tmp_path, parts(TWO_CELLS))
    (primitive,) = result.json["meshes"][0]["primitives"]
    assert set(primitive["attributes"]) == {"POSITION", "TEXCOORD_0", "_OWN", "TEXCOORD_1"}
    # Corners 0 and 2 are in both triangles: copies 4 and 5.
    np.testing.assert_array_equal(result.accessor(primitive["indices"])[:, 0], [0, 1, 2, 4, 5, 3])
    np.testing.assert_array_equal(result.accessor(primitive["attributes"]["_OWN"])[:, 0], [1, 2, 3, 4, 1, 3])
    np.testing.assert_array_equal(
        result.accessor(primitive["targets"][0]["POSITION"])[:, 2], [1, 2, 3, 4, 1, 3]
    )
    surface = result.json["materials"][0]["pbrMetallicRoughness"]
    assert surface["baseColorTexture"] == {"index": 0}  # programs that know one set only see the paint
    np.testing.assert_array_equal(
        result.accessor(primitive["attributes"]["TEXCOORD_1"])[:4], Gltf(tmp_path / "in.glb").accessor(1)
    )
    assert len(result.json["bufferViews"]) == 7  # six attributes and indices, one image: no dead ones


def test_kept_uvs_change_no_geometry(tmp_path: Path) -> None:
    maker = Maker()
    maker.mesh(maker.square(material=maker.material(maker.texture())))
    result = write(maker, tmp_path)
    before = Gltf(tmp_path / "in.glb")
    assert result.json["accessors"] == before.json["accessors"]
    assert result.json["meshes"] == before.json["meshes"]


@pytest.mark.parametrize("mode", [5, 6])
@pytest.mark.parametrize("indexed", [True, False])
def test_strips_and_fans(mode: int, indexed: bool, tmp_path: Path) -> None:
    """They stay what they are where no vertex is split, and become triangles where one is."""
    maker = Maker()
    primitive: dict[str, Any] = {"attributes": {"POSITION": maker.positions(SQUARE)}, "mode": mode}
    if indexed:
        primitive["indices"] = maker.accessor(np.array([0, 1, 2, 3], "u1"))
    maker.mesh(primitive)
    asset = GltfAsset(maker.glb(tmp_path / "in.glb"))
    smooth = SQUARE[asset.part_sources[0].vertices][..., :2].astype(np.float64)
    (kept,) = write(maker, tmp_path, parts(smooth)).json["meshes"][0]["primitives"]
    assert kept["mode"] == mode
    assert ("indices" in kept) == indexed
    result = write(maker, tmp_path, parts(TWO_CELLS))
    (torn,) = result.json["meshes"][0]["primitives"]
    assert torn["mode"] == 4
    assert result.json["accessors"][torn["indices"]]["componentType"] == (5121 if indexed else 5123)


def test_unindexed_triangles_stay_unindexed(tmp_path: Path) -> None:
    maker = Maker()
    corners = SQUARE[[0, 1, 2, 0, 2, 3]]
    maker.mesh({"attributes": {"POSITION": maker.positions(corners)}})
    result = write(maker, tmp_path, parts(TWO_CELLS))
    (primitive,) = result.json["meshes"][0]["primitives"]
    assert "indices" not in primitive
    assert result.json["accessors"][primitive["attributes"]["POSITION"]]["count"] == 6


@pytest.mark.parametrize(
    ("vertices", "before", "after"), [(253, 5121, 5121), (254, 5121, 5123), (65534, 5123, 5125)]
)
def test_indices_widen_before_the_restart_number(
    vertices: int, before: int, after: int, tmp_path: Path
) -> None:
    """Two copies are added: the last index is vertices + 1, and neither 255 nor 65535 may appear."""
    maker = Maker()
    positions = np.tile(SQUARE, (vertices // 4 + 1, 1))[:vertices]
    dtype = {5121: "u1", 5123: "<u2"}[before]
    attributes = {"POSITION": maker.positions(positions)}
    indices = maker.accessor(np.array([0, 1, 2, 0, 2, 3], dtype), min=[0], max=[3])
    maker.mesh({"attributes": attributes, "indices": indices})
    result = write(maker, tmp_path, parts(TWO_CELLS))
    item = result.json["accessors"][result.json["meshes"][0]["primitives"][0]["indices"]]
    assert (item["componentType"], item["max"]) == (after, [vertices + 1])


def test_interleaved_attributes_split(tmp_path: Path) -> None:
    maker = Maker()
    both = np.concatenate([SQUARE, SQUARE[:, :2]], axis=1).astype("<f4")
    view = maker.view(both.tobytes(), byteStride=20)
    common = {"bufferView": view, "componentType": 5126, "count": 4}
    position = maker.add("accessors", {**common, "type": "VEC3", "min": [0, 0, 0], "max": [1, 1, 0]})
    uv = maker.add("accessors", {**common, "type": "VEC2", "byteOffset": 12})
    indices = maker.accessor(np.array([0, 1, 2, 0, 2, 3], "u1"))
    maker.mesh({"attributes": {"POSITION": position, "TEXCOORD_0": uv}, "indices": indices})
    result = write(maker, tmp_path, parts(TWO_CELLS))
    assert {item["byteLength"] for item in result.items("bufferViews")}.isdisjoint(
        {80}
    )  # the old one is gone


def test_odd_element_sizes_are_padded(tmp_path: Path) -> None:
    """Colours of 3 bytes and positions of 3 shorts lie 4 and 8 bytes apart."""
    maker = Maker(extensionsUsed=["KHR_mesh_quantization"], extensionsRequired=["KHR_mesh_quantization"])
    shorts, colours = np.zeros((4, 4), "<i2"), np.zeros((4, 4), "u1")
    shorts[:, :3], colours[:, :3] = SQUARE, [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12]]
    position = {"bufferView": maker.view(shorts.tobytes(), byteStride=8), "componentType": 5122, "count": 4}
    position |= {"type": "VEC3", "min": [0, 0, 0], "max": [1, 1, 0]}
    colour = {"bufferView": maker.view(colours.tobytes(), byteStride=4), "componentType": 5121, "count": 4}
    colour |= {"type": "VEC3", "normalized": True}
    attributes = {"POSITION": maker.add("accessors", position), "COLOR_0": maker.add("accessors", colour)}
    indices = maker.accessor(np.array([0, 1, 2, 0, 2, 3], "u1"))
    maker.mesh({"attributes": attributes, "indices": indices})
    result = write(maker, tmp_path, parts(TWO_CELLS))
    strides = [item.get("byteStride") for item in result.items("bufferViews")]
    assert sorted(stride for stride in strides if stride) == [4, 8]


@pytest.mark.parametrize("unwrap", [False, True])
def test_sparse_values(unwrap: bool, tmp_path: Path) -> None:
    """Sparse storage stays where nothing is split, and is filled in where something is."""
    maker = Maker()
    square = maker.square()
    item = maker.json["accessors"][square["attributes"]["POSITION"]]
    item["sparse"] = {
        "count": 1,
        "indices": {"bufferView": maker.view(np.array([1], "u1").tobytes()), "componentType": 5121},
        "values": {"bufferView": maker.view(np.array([[2, 0, 0]], "<f4").tobytes())},
    }
    item["max"] = [2, 1, 0]
    maker.mesh(square)
    result = write(maker, tmp_path, unwrap=unwrap)
    after = result.json["accessors"][result.json["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]
    assert ("sparse" in after) == (not unwrap)


@pytest.mark.parametrize("both", [True, False])
def test_primitives_sharing_their_vertices(both: bool, tmp_path: Path) -> None:
    """Two primitives over one set of vertices go on sharing it when both are painted."""
    maker = Maker()
    first = maker.square()
    second = {
        **first,
        "attributes": dict(first["attributes"]),
        "indices": maker.accessor(np.array([0, 3, 2], "<u2")),
    }
    maker.mesh(first, second)
    result = write(maker, tmp_path, parts(TWO_CELLS, TWO_CELLS[:1] + 0.01 if both else None))
    mine, other = (item["attributes"] for item in result.json["meshes"][0]["primitives"])
    assert (mine == other) == both
    counts = [item["count"] for item in result.items("accessors")]
    assert len(counts) == (5 if both else 7)


def test_one_accessor_under_two_names(tmp_path: Path) -> None:
    maker = Maker()
    square = maker.square()
    square["attributes"]["TEXCOORD_1"] = square["attributes"]["TEXCOORD_0"]
    maker.mesh(square)
    result = write(maker, tmp_path, parts(TWO_CELLS))
    attributes = result.json["meshes"][0]["primitives"][0]["attributes"]
    assert attributes["TEXCOORD_2"] == attributes["TEXCOORD_1"] != attributes["TEXCOORD_0"]


def test_accessor_that_an_animation_uses_stays(tmp_path: Path) -> None:
    """The positions double as a translation track; the animation goes on reading four keys."""
    maker = Maker()
    square = maker.square()
    maker.mesh(square)
    times = maker.accessor(np.arange(4, dtype="<f4"), min=[0], max=[3])
    sampler = {"input": times, "output": square["attributes"]["POSITION"]}
    channel = {"sampler": 0, "target": {"node": 0, "path": "translation"}}
    maker.json["animations"] = [{"samplers": [sampler], "channels": [channel]}]
    result = write(maker, tmp_path, parts(TWO_CELLS))
    assert result.json["accessors"][sampler["output"]]["count"] == 4


def test_mesh_of_two_nodes(tmp_path: Path) -> None:
    maker = Maker()
    maker.mesh(maker.square(), nodes=2)
    result = write(maker, tmp_path, parts(TWO_CELLS))
    assert [node["mesh"] for node in result.json["nodes"]] == [0, 0]
    assert len(result.json["meshes"]) == 1


def test_lines_keep_their_material(tmp_path: Path) -> None:
    """Lines share the material with a painted square: they keep it, the square gets a copy."""
    maker = Maker()
    material = maker.material(maker.texture(), name="wire")
    line = {"attributes": {"POSITION": maker.positions(SQUARE)}, "mode": 2, "material": material}
    maker.mesh(line, maker.square(material=material))
    result = write(maker, tmp_path)
    assert [item["material"] for item in result.json["meshes"][0]["primitives"]] == [0, 1]
    assert [item["name"] for item in result.json["materials"]] == ["wire", "wire painted"]
    indices = [item["pbrMetallicRoughness"]["baseColorTexture"]["index"] for item in result.json["materials"]]
    assert indices == [0, 1]
    assert result.image(0) == Gltf(tmp_path / "in.glb").image(0)


def test_texture_that_is_also_an_emissive_map_is_painted_there_too(tmp_path: Path) -> None:
    maker = Maker()
    texture = maker.texture()
    maker.mesh(maker.square(material=maker.material(texture, emissiveTexture={"index": texture})))
    result = write(maker, tmp_path)
    (material,) = result.json["materials"]
    assert material["emissiveTexture"] == material["pbrMetallicRoughness"]["baseColorTexture"] == {"index": 0}
    assert len(result.json["images"]) == 1
    assert result.image(0) != Gltf(tmp_path / "in.glb").image(0)


def test_image_that_another_texture_uses_stays(tmp_path: Path) -> None:
    maker = Maker()
    texture = maker.texture()
    other = maker.add("textures", {"source": 0})
    maker.mesh(maker.square(material=maker.material(texture, occlusionTexture={"index": other})))
    result = write(maker, tmp_path)
    assert [item["source"] for item in result.json["textures"]] == [1, 0]


def test_sampler_and_texture_name_stay(tmp_path: Path) -> None:
    maker = Maker(samplers=[{"magFilter": 9728}, {"wrapS": 33071}])
    maker.mesh(maker.square(material=maker.material(maker.texture(sampler=1, name="skin"))))
    result = write(maker, tmp_path)
    assert result.json["textures"] == [{"source": 0, "sampler": 1, "name": "skin"}]


def test_material_with_two_atlases_is_cloned(tmp_path: Path) -> None:
    maker = Maker(samplers=[{"wrapS": 33071}])
    material = maker.material(maker.texture(sampler=0), name="m")
    maker.mesh(maker.square(material=material), maker.square(material=material))
    result = write(maker, tmp_path, parts("keep", "keep", atlases=2))
    assert [item["name"] for item in result.json["materials"]] == ["m", "m painted"]
    assert [item["sampler"] for item in result.json["textures"]] == [0, 0]
    assert len(result.json["images"]) == 2


def test_kept_and_unwrapped_parts_of_one_material(tmp_path: Path) -> None:
    maker = Maker()
    material = maker.material(maker.texture())
    maker.mesh(maker.square(material=material), maker.square(material=material))
    result = write(maker, tmp_path, parts("keep", TWO_CELLS))
    infos = [item["pbrMetallicRoughness"]["baseColorTexture"] for item in result.json["materials"]]
    assert infos == [{"index": 0}, {"index": 0}]
    first, second = result.json["meshes"][0]["primitives"]
    assert (first["material"], second["material"]) == (0, 1)


def test_two_images_into_one_atlas(tmp_path: Path) -> None:
    maker = Maker()
    maker.mesh(
        maker.square(material=maker.material(maker.texture())),
        maker.square(material=maker.material(maker.texture())),
    )
    result = write(maker, tmp_path)
    assert [item["source"] for item in result.json["textures"]] == [0, 0]
    assert result.json["images"][0]["bufferView"] == result.json["images"][1]["bufferView"]  # no dead weight


def test_factor_becomes_white_and_keeps_its_alpha(tmp_path: Path) -> None:
    maker = Maker()
    surface = {"baseColorFactor": [0.1, 0.2, 0.3, 0.4], "metallicFactor": 0.5}
    maker.mesh(
        maker.square(material=maker.add("materials", {"pbrMetallicRoughness": surface, "alphaMode": "BLEND"}))
    )
    result = write(maker, tmp_path)
    assert result.json["materials"][0]["pbrMetallicRoughness"]["baseColorFactor"] == [1, 1, 1, 0.4]
    assert result.json["materials"][0]["pbrMetallicRoughness"]["metallicFactor"] == 0.5


def test_no_material_gets_one(tmp_path: Path) -> None:
    maker = Maker()
    maker.mesh(maker.square(), maker.square())
    result = write(maker, tmp_path)
    assert result.json["materials"] == [
        {"name": "atlas 0", "pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}
    ]


@pytest.mark.parametrize("unwrap", [False, True])
def test_texture_transform(unwrap: bool, tmp_path: Path) -> None:
    """Kept with the UVs that it transforms, dropped with the new ones that need none."""
    maker = Maker(extensionsUsed=["KHR_texture_transform"])
    extension = {"KHR_texture_transform": {"scale": [0.5, 0.5]}}
    info = {"index": maker.texture(), "extensions": extension}
    maker.mesh(
        maker.square(material=maker.add("materials", {"pbrMetallicRoughness": {"baseColorTexture": info}}))
    )
    result = write(maker, tmp_path, unwrap=unwrap)
    after = result.json["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"]
    assert after == ({"index": 0} if unwrap else info)
    assert ("extensionsUsed" in result.json) == (not unwrap)


@pytest.mark.parametrize("fallback", [False, True])
def test_specular_glossiness(fallback: bool, tmp_path: Path) -> None:
    name = "KHR_materials_pbrSpecularGlossiness"
    maker = Maker(extensionsUsed=[name])
    gloss = {
        "diffuseFactor": [0, 1, 0, 0.5],
        "diffuseTexture": {"index": maker.texture()},
        "glossinessFactor": 0.1,
    }
    material: dict[str, Any] = {"extensions": {name: gloss}}
    if fallback:
        material["pbrMetallicRoughness"] = {"baseColorFactor": [0, 1, 0, 1], "roughnessFactor": 0.9}
    maker.mesh(maker.square(material=maker.add("materials", material)))
    (after,) = write(maker, tmp_path).json["materials"]
    assert after["extensions"][name] == {**gloss, "diffuseFactor": [1, 1, 1, 0.5]}
    assert ("pbrMetallicRoughness" in after) == fallback
    if fallback:
        surface = after["pbrMetallicRoughness"]
        assert surface["baseColorFactor"] == [1, 1, 1, 1]
        source = [result["source"] for result in Gltf(tmp_path / "out.glb").json["textures"]]
        assert source[surface["baseColorTexture"]["index"]] == source[gloss["diffuseTexture"]["index"]]


def test_vertex_colours_step_aside(tmp_path: Path) -> None:
    maker = Maker()
    square, plain = maker.square(), maker.square()
    for primitive in (square, plain):
        primitive["attributes"]["COLOR_0"] = maker.accessor(np.ones((4, 4), "<f4") / 2)
        primitive["attributes"]["COLOR_1"] = maker.accessor(np.ones((4, 4), "<f4") / 4)
    maker.mesh(square, plain)
    result = write(maker, tmp_path, parts("keep", None))
    first, second = (item["attributes"] for item in result.json["meshes"][0]["primitives"])
    assert list(first) == ["POSITION", "TEXCOORD_0", "_COLOR_0", "_COLOR_1"]
    assert list(second) == ["POSITION", "TEXCOORD_0", "COLOR_0", "COLOR_1"]


def test_variants(tmp_path: Path) -> None:
    """The look shown is painted, in the variant that names it too; other variants stay as they are."""
    name = "KHR_materials_variants"
    maker = Maker(extensionsUsed=[name], extensions={name: {"variants": [{"name": "a"}, {"name": "b"}]}})
    first, second = maker.material(maker.texture(), name="a"), maker.material(maker.texture(), name="b")
    mappings = [{"material": first, "variants": [0]}, {"material": second, "variants": [1]}]
    for shown in (first, second):
        maker.mesh(maker.square(material=shown, extensions={name: {"mappings": mappings}}))
    result = write(maker, tmp_path, parts("keep", None))
    painted, plain = (mesh["primitives"][0] for mesh in result.json["meshes"])
    assert painted["material"] == 2
    assert [item["material"] for item in painted["extensions"][name]["mappings"]] == [2, 1]
    assert (plain["material"], plain["extensions"][name]["mappings"]) == (1, mappings)


def test_numbers_in_unknown_extensions_keep_their_meaning(tmp_path: Path) -> None:
    """An extension may refer to anything by number: what it might mean is not reused for something else."""
    maker = Maker(extensionsUsed=["VENDOR_x"])
    maker.mesh(maker.square(material=maker.material(maker.texture())))
    before = maker.json["images"][0]["bufferView"]
    maker.json["extensions"] = {"VENDOR_x": {"picture": 0, "data": [0, before]}}
    result = write(maker, tmp_path, unwrap=True)
    old = Gltf(tmp_path / "in.glb")
    assert (result.image(0), result.view(before), result.view(0)) == (
        old.image(0),
        old.view(before),
        old.view(0),
    )
    assert result.json["accessors"][0] == old.json["accessors"][0]


@pytest.mark.parametrize("target", [".glb", ".gltf"])
def test_several_buffers(target: str, tmp_path: Path) -> None:
    """A .gltf of two .bin files, one with a percent-encoded name, and a data URI."""
    maker = Maker()
    maker.mesh(maker.square(material=maker.material(maker.texture())))
    document = maker.document()
    cut = document["bufferViews"][1]["byteOffset"]
    for view in document["bufferViews"][1:]:
        view["buffer"], view["byteOffset"] = 1, view["byteOffset"] - cut
    data = bytes(maker.binary)
    folder = tmp_path / "in"
    (folder / "sub folder").mkdir(parents=True)
    (folder / "a.bin").write_bytes(data[:cut])
    (folder / "sub folder" / "ä b.bin").write_bytes(data[cut:])
    document["buffers"] = [
        {"uri": "a.bin", "byteLength": cut, "name": "first"},
        {"uri": "sub%20folder/%C3%A4%20b.bin", "byteLength": len(data) - cut},
    ]
    source = folder / "in.gltf"
    source.write_text(json.dumps(document))
    output = tmp_path / "out" / f"out{target}"
    asset = GltfAsset(source)
    save_asset(asset, output, paint(asset, unwrap=True))
    assert_lossless(source, output)
    assert_no_new_problems(source, output)
    if target == ".gltf":
        assert (output.parent / "sub folder" / "ä b.bin").read_bytes() == data[cut:]
    else:
        assert [path.name for path in output.parent.iterdir()] == ["out.glb"]


def test_dead_weight_of_an_embedded_buffer_goes(tmp_path: Path) -> None:
    maker = Maker()
    maker.view(b"\0" * 4)
    maker.mesh(
        maker.square(
            material=maker.material(
                maker.add(
                    "textures",
                    {
                        "source": maker.add(
                            "images", {"bufferView": maker.view(bytes(100_000)), "mimeType": "image/png"}
                        )
                    },
                )
            )
        )
    )
    source = maker.gltf(tmp_path / "in.gltf")
    asset = GltfAsset(source)
    save_asset(asset, tmp_path / "out.gltf", paint(asset, unwrap=False))
    assert (tmp_path / "out.gltf").stat().st_size < 10_000


def test_only_outputs_that_can_hold_everything(tmp_path: Path) -> None:
    maker = Maker()
    maker.mesh(maker.square())
    source = maker.glb(tmp_path / "in.glb")
    asset = GltfAsset(source)
    data = source.read_bytes()
    with pytest.raises(UsageError, match=r"cannot be written as \.ply"):
        save_asset(asset, tmp_path / "out.ply", paint(asset, unwrap=False))
    with pytest.raises(OutputError, match="never overwritten"):
        save_asset(asset, source, paint(asset, unwrap=False))
    assert [path.name for path in tmp_path.iterdir()] == ["in.glb"]
    assert source.read_bytes() == data


def test_extras_that_are_no_object_survive(tmp_path: Path) -> None:
    maker = Maker()
    maker.json["asset"]["extras"] = "note"
    maker.mesh(maker.square())
    asset = GltfAsset(maker.glb(tmp_path / "in.glb"))
    save_asset(asset, tmp_path / "out.glb", paint(asset, unwrap=False))
    extras = Gltf(tmp_path / "out.glb").json["asset"]["extras"]
    assert extras == {"original": "note", "meshstyle": {"seed": 7, "preset": "draft"}}


def test_unknown_chunks_survive(tmp_path: Path) -> None:
    maker = Maker()
    maker.mesh(maker.square())
    source = maker.glb(tmp_path / "in.glb")
    data = bytearray(source.read_bytes() + b"\x04\0\0\0ABCDwxyz")
    data[8:12] = len(data).to_bytes(4, "little")
    source.write_bytes(data)
    asset = GltfAsset(source)
    save_asset(asset, tmp_path / "out.glb", paint(asset, unwrap=True))
    assert Gltf(tmp_path / "out.glb").chunks[2:] == [(int.from_bytes(b"ABCD", "little"), b"wxyz")]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("extras", "kept"), 2),
        (("nodes", 0, "translation"), [0, 0, 1]),
        (("meshes", 0, "name"), "n"),
        (("materials", 0, "emissiveFactor"), [0, 0, 0]),
        (("meshes", 0, "primitives", 0, "mode"), 5),
        (("meshes", 0, "primitives", 0, "attributes"), {"POSITION": 0}),
        (("accessors", 1, "bufferView"), 0),
        (("accessors", 2, "count"), 3),
        (("bufferViews", 1, "byteOffset"), 0),
        (("asset", "extras"), {"more": 1}),
    ],
    ids=str,
)
def test_the_comparison_itself_sees_damage(path: tuple[str | int, ...], value: Any, tmp_path: Path) -> None:
    """A comparison that passes everything would prove nothing."""
    maker = Maker(extras={"kept": 1})
    maker.mesh(maker.square(material=maker.material(maker.texture(), emissiveFactor=[1, 0, 0])), name="m")
    source, output = maker.glb(tmp_path / "in.glb"), tmp_path / "out.gltf"
    asset = GltfAsset(source)
    save_asset(asset, output, paint(asset, unwrap=True))
    assert_lossless(source, output)
    document = holder = json.loads(output.read_text())
    for key in path[:-1]:
        holder = holder[key]
    assert holder.get(path[-1]) != value
    holder[path[-1]] = value
    output.write_text(json.dumps(document))
    with pytest.raises(AssertionError):
        assert_lossless(source, output)


@pytest.mark.parametrize("suffix", [".glb", ".gltf"])
def test_bytes_that_an_extension_names_directly(suffix: str, tmp_path: Path) -> None:
    """As EXT_meshopt_compression does; here bytes of a second buffer, which a GLB has no room for."""
    maker = Maker(extensionsUsed=["VENDOR_raw"])
    maker.mesh(maker.square(material=maker.material(maker.texture())))
    maker.json["bufferViews"][1]["extensions"] = {
        "VENDOR_raw": {"buffer": 1, "byteOffset": 2, "byteLength": 3}
    }
    (tmp_path / "raw.bin").write_bytes(b"ab123")
    maker.json["buffers"] = [{"byteLength": len(maker.binary)}, {"uri": "raw.bin", "byteLength": 5}]
    source, output = maker.glb(tmp_path / "in.glb"), tmp_path / "out" / f"out{suffix}"
    asset = GltfAsset(source)
    save_asset(asset, output, paint(asset, unwrap=False))
    assert_lossless(source, output)
    assert_no_new_problems(source, output)
    result = Gltf(output)
    place = result.json["bufferViews"][1]["extensions"]["VENDOR_raw"]
    assert result.buffers[place["buffer"]][place["byteOffset"] :][: place["byteLength"]] == b"123"
    assert len(result.buffers) == (1 if suffix == ".glb" else 2)


def test_primitives_sharing_their_indices(tmp_path: Path) -> None:
    """The same triangles twice, in two materials: each gets the indices that its own UVs need."""
    maker = Maker()
    first = maker.square()
    second = {**first, "attributes": dict(first["attributes"]), "material": maker.material()}
    maker.mesh(first, second)
    smooth = SQUARE[[[0, 1, 2], [0, 2, 3]]][..., :2].astype(np.float64)
    result = write(maker, tmp_path, parts(smooth, TWO_CELLS))
    mine, other = result.json["meshes"][0]["primitives"]
    assert result.accessor(mine["indices"])[:, 0].tolist() == [0, 1, 2, 0, 2, 3]
    assert mine["indices"] != other["indices"]
    assert len(set(result.accessor(other["indices"])[:, 0].tolist()) - {0, 1, 2, 3}) == 6


def test_an_external_image_with_an_encoded_name_comes_along(tmp_path: Path) -> None:
    """The base colour is replaced; the emissive map, in a file of its own, is copied to the same place."""
    maker = Maker()
    picture = Gltf(square_with_image(tmp_path / "picture.glb")).image(0)
    folder = tmp_path / "in"
    (folder / "my maps").mkdir(parents=True)
    (folder / "my maps" / "glow #1.png").write_bytes(picture)
    uri = "my%20maps/glow%20%231.png"
    texture = maker.add("textures", {"source": maker.add("images", {"uri": uri})})
    maker.mesh(maker.square(material=maker.material(maker.texture(), emissiveTexture={"index": texture})))
    source, output = maker.glb(folder / "in.glb"), tmp_path / "out" / "out.gltf"
    asset = GltfAsset(source)
    save_asset(asset, output, paint(asset, unwrap=False))
    assert_lossless(source, output)
    assert_no_new_problems(source, output)
    assert (output.parent / "my maps" / "glow #1.png").read_bytes() == picture
    assert Gltf(output).json["images"][0]["uri"] == uri


def square_with_image(path: Path) -> Path:
    maker = Maker()
    maker.mesh(maker.square(material=maker.material(maker.texture())))
    return maker.glb(path)


@pytest.mark.parametrize(
    ("more", "free"),
    [
        ({}, True),
        ({"normalTexture": {"index": 1}}, False),
        ({"normalTexture": {"index": 1, "texCoord": 1}}, True),
        ({"extensions": {"KHR_materials_clearcoat": {"clearcoatTexture": {"index": 1}}}}, False),
        ({"occlusionTexture": {"index": 1, "extensions": {"KHR_texture_transform": {"texCoord": 1}}}}, True),
    ],
)
def test_new_uvs_come_first_where_no_other_texture_reads_the_first(
    more: dict, free: bool, tmp_path: Path
) -> None:  # type: ignore[type-arg]
    maker = Maker(extensionsUsed=["KHR_texture_transform", "KHR_materials_clearcoat"])
    square = maker.square(material=maker.material(maker.texture(), **more))
    maker.texture()
    square["attributes"]["TEXCOORD_1"] = maker.accessor(SQUARE_UV / 2)
    square["targets"] = [{"TEXCOORD_0": maker.accessor(SQUARE_UV / 8)}]
    maker.mesh(square)
    result = write(maker, tmp_path, parts(TWO_CELLS))
    (primitive,) = result.json["meshes"][0]["primitives"]
    (material,) = result.json["materials"]
    old, new = ("TEXCOORD_2", "TEXCOORD_0") if free else ("TEXCOORD_0", "TEXCOORD_2")
    np.testing.assert_array_equal(result.accessor(primitive["attributes"][old])[:4], SQUARE_UV)
    np.testing.assert_array_equal(result.accessor(primitive["attributes"]["TEXCOORD_1"])[:4], SQUARE_UV / 2)
    assert result.accessor(primitive["attributes"][new]).max() < 0.96
    assert list(primitive["targets"][0]) == [old]
    info = material["pbrMetallicRoughness"]["baseColorTexture"]
    assert info == ({"index": 0} if free else {"index": 0, "texCoord": 2})
    assert {key: material[key] for key in more} == more


def test_a_variant_that_reads_the_first_uvs_keeps_them(tmp_path: Path) -> None:
    maker = Maker(
        extensionsUsed=["KHR_materials_variants"],
        extensions={"KHR_materials_variants": {"variants": [{"name": "other"}]}},
    )
    square = maker.square(material=maker.material(maker.texture()))
    other = maker.material(maker.texture())
    square["extensions"] = {"KHR_materials_variants": {"mappings": [{"variants": [0], "material": other}]}}
    maker.mesh(square)
    result = write(maker, tmp_path, parts(TWO_CELLS))
    assert result.json["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"]["texCoord"] == 1


def test_a_black_material_is_painted_where_it_shines(tmp_path: Path) -> None:
    maker = Maker()
    texture = maker.texture()
    surface = {"baseColorFactor": [0, 0, 0, 1]}
    shining = {"emissiveFactor": [0.5, 1, 1], "emissiveTexture": {"index": texture}, "name": "screen"}
    maker.mesh(maker.square(material=maker.add("materials", {"pbrMetallicRoughness": surface, **shining})))
    asset = GltfAsset(maker.glb(tmp_path / "screen.glb"))
    assert asset.materials[0].image == 0
    assert asset.materials[0].factor == (0.5, 1.0, 1.0, 1.0)
    for uvs in (None, TWO_CELLS):
        result = write(maker, tmp_path, parts("keep" if uvs is None else uvs))
        (material,) = result.json["materials"]
        assert material["pbrMetallicRoughness"] == surface
        assert (material["emissiveFactor"], material["emissiveTexture"]) == ([1, 1, 1], {"index": 0})
        assert result.image(0) != Gltf(tmp_path / "in.glb").image(0)


def _material_without_pictures(gltf: Gltf) -> dict[str, Any]:
    (material,) = json.loads(json.dumps(gltf.json["materials"]))
    del material["emissiveTexture"], material["pbrMetallicRoughness"]["baseColorTexture"]
    return material


@pytest.mark.parametrize(("base", "shines"), [((20, 30, 10), True), ((20, 90, 10), False)])
def test_a_black_picture_as_the_base_colour_is_as_good_as_a_black_factor(
    base: tuple[int, int, int], shines: bool, tmp_path: Path
) -> None:
    maker = Maker()
    dark = maker.add("textures", {"source": maker.image(base)})
    lamp = {"emissiveTexture": {"index": maker.texture()}, "emissiveFactor": [1, 1, 1]}
    maker.mesh(maker.square(material=maker.material(dark, **lamp)))
    asset = GltfAsset(maker.glb(tmp_path / "in.glb"))
    assert asset.materials[0].image == int(shines)
    save_asset(asset, tmp_path / "out.glb", paint(asset, False))
    assert_no_new_problems(tmp_path / "in.glb", tmp_path / "out.glb")
    result, before = Gltf(tmp_path / "out.glb"), Gltf(tmp_path / "in.glb")
    assert [result.image(n) != before.image(n) for n in (0, 1)] == [not shines, shines]
    assert _material_without_pictures(result) == _material_without_pictures(before)


def test_a_black_picture_that_cannot_be_read_is_left_to_whoever_paints_it(tmp_path: Path) -> None:
    maker = Maker()
    broken = maker.add(
        "textures", {"source": maker.add("images", {"uri": "data:image/png;base64,iVBORw0KGgo="})}
    )
    lamp = {"emissiveTexture": {"index": maker.texture()}, "emissiveFactor": [1, 1, 1]}
    maker.mesh(maker.square(material=maker.material(broken, **lamp)))
    assert GltfAsset(maker.glb(tmp_path / "broken.glb")).materials[0].image == 0


def test_emissive_pictures_of_their_own_stay_where_the_base_colour_is_seen(tmp_path: Path) -> None:
    maker = Maker()
    base, lamp = maker.texture(), maker.texture()
    maker.mesh(
        maker.square(material=maker.material(base, emissiveTexture={"index": lamp}, emissiveFactor=[1, 1, 1]))
    )
    result = write(maker, tmp_path)
    assert result.json["materials"][0]["emissiveTexture"] == {"index": lamp}
    assert result.image(1) == Gltf(tmp_path / "in.glb").image(1)


def test_vrm_1_shade_follows_the_paint_and_what_does_not_is_told(tmp_path: Path) -> None:
    maker = Maker(extensionsUsed=["VRMC_materials_mtoon", "KHR_texture_transform"])
    texture = maker.texture()
    moved = {"index": texture, "extensions": {"KHR_texture_transform": {"offset": [0.5, 0]}}}
    mtoon = {"specVersion": "1.0", "shadeMultiplyTexture": {"index": texture}, "rimMultiplyTexture": moved}
    maker.mesh(
        maker.square(
            material=maker.material(texture, name="skin", extensions={"VRMC_materials_mtoon": mtoon})
        )
    )
    result = write(maker, tmp_path)
    (material,) = result.json["materials"]
    painted = material["pbrMetallicRoughness"]["baseColorTexture"]["index"]
    assert material["extensions"]["VRMC_materials_mtoon"]["shadeMultiplyTexture"]["index"] == painted
    assert material["extensions"]["VRMC_materials_mtoon"]["rimMultiplyTexture"] == moved
    (warning,) = GltfAsset(tmp_path / "in.glb").warnings
    assert "'skin'" in warning
    assert "rimMultiplyTexture" in warning


def vrm_0(**more: int) -> Maker:
    maker = Maker()
    texture = maker.texture()
    names = {"_MainTex": texture, "_ShadeTexture": texture, **more}
    entry = {"name": "skin", "shader": "VRM/MToon", "textureProperties": names}
    maker.json["extensions"] = {"VRM": {"materialProperties": [entry]}}
    maker.json["extensionsUsed"] = ["VRM"]
    maker.mesh(maker.square(material=maker.material(texture, name="skin")))
    return maker


@pytest.mark.parametrize("unwrap", [False, True])
def test_vrm_0_entries_name_the_paint(unwrap: bool, tmp_path: Path) -> None:
    vrm_0().glb(tmp_path / "in.vrm")
    asset = load_asset(tmp_path / "in.vrm")
    assert isinstance(asset, GltfAsset)
    save_asset(asset, tmp_path / "out.vrm", paint(asset, unwrap))
    result = Gltf(tmp_path / "out.vrm")
    info = result.json["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"]
    assert "texCoord" not in info
    (entry,) = result.json["extensions"]["VRM"]["materialProperties"]
    assert entry["textureProperties"] == {"_MainTex": info["index"], "_ShadeTexture": info["index"]}
    source = result.json["textures"][info["index"]]["source"]
    assert result.image(source) != Gltf(tmp_path / "in.vrm").image(0)


def test_vrm_0_places_that_do_not_follow_are_told(tmp_path: Path) -> None:
    maker = vrm_0(_RimTexture=0)
    asset = GltfAsset(maker.glb(tmp_path / "in.vrm"))
    save_asset(asset, tmp_path / "out.vrm", paint(asset, False))
    (entry,) = Gltf(tmp_path / "out.vrm").json["extensions"]["VRM"]["materialProperties"]
    assert entry["textureProperties"]["_RimTexture"] == 0
    (warning,) = asset.warnings
    assert "'skin'" in warning
    assert "as _RimTexture too" in warning


def test_a_picture_that_an_expression_of_vrm_0_moves_keeps_its_uvs(tmp_path: Path) -> None:
    maker = vrm_0()
    move = {"materialName": "skin", "propertyName": "_MainTex_ST", "targetValue": [1, 1, 0.5, 0]}
    blink = {"name": "blink", "materialValues": [move]}
    maker.json["extensions"]["VRM"]["blendShapeMaster"] = {"blendShapeGroups": [blink]}
    assert GltfAsset(maker.glb(tmp_path / "in.vrm")).materials[0].moves
    blink["materialValues"] = [{**move, "propertyName": "_Color"}, 3]
    assert not GltfAsset(maker.glb(tmp_path / "in.vrm")).materials[0].moves


def test_only_vrms_can_become_vrms(tmp_path: Path) -> None:
    maker = Maker()
    maker.mesh(maker.square())
    asset = GltfAsset(maker.glb(tmp_path / "in.glb"))
    with pytest.raises(UsageError):
        save_asset(asset, tmp_path / "out.vrm", paint(asset, True))
