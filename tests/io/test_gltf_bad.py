"""Damaged and hostile glTF files: one clear line that names the file and the cause, soon, and no other exception."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.gltf_samples import SQUARE, Maker, paint

from meshstyle.errors import AssetError, MeshStyleError, PictureError
from meshstyle.io.gltf.asset import GltfAsset
from meshstyle.io.load import load_asset
from meshstyle.io.safe_paths import decode_data_uri, encode_uri, file_stem, resolve_uri
from meshstyle.io.save import save_asset

DATA = Path(__file__).parents[1] / "data"
CAUSES = {
    "IndexOutOfRange.gltf": "has the index 255, but only 24 vertices",
    "BoxWithInfinites.glb": "positions that are not finite",
    "required-extensions-unsupported.gltf": "no triangles",
    "non_relative_uri.gltf": "'http://example.com/buffer.bin' is not a relative path",
    "not_found.gltf": "needs the file 'not_found.bin'",
    "empty_file.glb": "the file is empty",
    "invalid_json_chunk.glb": "JSON cannot be read",
    "truncated_chunk_data.glb": "cut off",
    "invalid_image_data.gltf": "no triangles",
    "primitive_no_position.gltf": "no positions",
    "node_loop.gltf": "loop",
}


def refusal(path: Path) -> str:
    """The message of the error, which is one line, names the file, and comes soon."""
    started = time.process_time()
    with pytest.raises(MeshStyleError) as caught:
        load_asset(path)
    assert time.process_time() - started < 5
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert len(message) < 600
    return message


@pytest.mark.parametrize("name", CAUSES)
def test_samples(name: str) -> None:
    (path,) = DATA.rglob(name)
    assert CAUSES[name] in refusal(path)


def test_every_broken_sample_is_tried() -> None:
    found = {path.name for path in (DATA / "broken").rglob("*.gl*")}
    assert found <= set(CAUSES)
    assert len(found) == 11


def square() -> Maker:
    maker = Maker()
    maker.mesh(maker.square(material=maker.material(maker.texture())))
    return maker


def changed(*path: Any, value: Any) -> Maker:
    """The square with one thing changed."""
    maker = square()
    holder: Any = maker.json
    for key in path[:-1]:
        holder = holder.setdefault(key, {}) if isinstance(holder, dict) else holder[key]
    holder[path[-1]] = value
    return maker


@pytest.mark.parametrize(
    ("path", "value", "cause"),
    [
        (("asset", "version"), "1.0", "only version 2"),
        (("asset",), {}, "no asset.version"),
        (("asset",), [], "asset is no JSON object"),
        (
            ("extensionsRequired",),
            ["FB_ngon_encoding", "X"],
            "requires the glTF extension 'FB_ngon_encoding'",
        ),
        (("extensionsRequired",), "X", "not a list of names"),
        (("accessors", 0, "count"), 5, "reaches byte 60 of a bufferView of 48 bytes"),
        (("accessors", 0, "count"), -1, "count = -1"),
        (("accessors", 0, "count"), 10**30, "count = 1000000"),
        (("accessors", 0, "count"), True, "count = True"),
        (("accessors", 0, "count"), "4", "count = '4'"),
        (("accessors", 0, "count"), None, "count = None"),
        (("accessors", 0, "byteOffset"), 4, "reaches byte 52"),
        (("accessors", 0, "componentType"), 5124, "unknown componentType 5124"),
        (("accessors", 0, "type"), "VEC9", "unknown type 'VEC9'"),
        (("accessors", 0, "type"), "VEC2", "POSITION of 2 components"),
        (("accessors", 0, "bufferView"), 99, "refers to bufferViews[99]"),
        (("accessors", 0, "bufferView"), [0], "bufferView = [0]"),
        (("accessors", 1, "count"), 3, "has 3 of TEXCOORD_0, but 4 positions"),
        (("accessors", 2, "componentType"), 5122, "does not hold unsigned integers"),
        (("accessors", 0, "sparse"), {"count": 5}, "count = 5"),
        (("accessors",), {}, "accessors is no list"),
        (("accessors",), [1], "accessors[0] is no JSON object"),
        (("bufferViews", 0, "byteLength"), 10**9, "beyond the end of its buffer"),
        (("bufferViews", 0, "byteOffset"), -4, "byteOffset = -4"),
        (("bufferViews", 1, "byteStride"), 4, "byteStride of 4"),
        (("bufferViews", 0, "buffer"), 7, "refers to buffers[7]"),
        (("buffers",), [{"byteLength": 10**6}], "is cut off"),
        (("buffers",), [{"byteLength": 0}], "byteLength = 0"),
        (("meshes", 0, "primitives"), "x", "primitives is no list"),
        (("meshes", 0, "primitives", 0, "mode"), 7, "mode = 7"),
        (("meshes", 0, "primitives", 0, "indices"), 99, "refers to accessors[99]"),
        (("meshes", 0, "primitives", 0, "attributes"), [], "attributes is no JSON object"),
        (("meshes", 0, "primitives", 0, "attributes", "POSITION"), 1.5, "POSITION = 1.5"),
        (("meshes", 0, "primitives", 0, "material"), 4, "refers to materials[4]"),
        (("meshes", 0, "primitives", 0, "targets"), [{"POSITION": 2}], "has 6 of POSITION, but 4 positions"),
        (("nodes", 0, "mesh"), 3, "refers to meshes[3]"),
        (("nodes", 0, "children"), [0], "loop"),
        (("nodes", 0, "children"), [0.5], "children = 0.5"),
        (("nodes", 0, "scale"), [1, 2], "where 3 numbers belong"),
        (("nodes", 0, "matrix"), ["a"] * 16, "where a finite number belongs"),
        (("nodes", 0, "scale"), [1e300, 1e300, 1e300], "once its nodes are applied"),
        (("nodes", 0, "translation"), [10**400, 0, 0], "where a finite number belongs"),
        (("scene",), 5, "refers to scenes[5]"),
        (("materials", 0, "pbrMetallicRoughness", "baseColorFactor"), [1, 1, 1], "where 4 numbers belong"),
        (("materials", 0, "pbrMetallicRoughness", "baseColorTexture", "index"), -1, "index = -1"),
        (("materials", 0, "alphaMode"), "SOME", "unknown alphaMode 'SOME'"),
        (("materials", 0, "extensions"), 3, "extensions is no JSON object"),
        (("textures", 0, "source"), 8, "refers to images[8]"),
        (("textures", 0, "sampler"), 0, "refers to samplers[0]"),
        (("images", 0, "name"), 5, "name = 5"),
        (("animations",), [{"samplers": [{"input": 77}]}], "refers to accessors[77]"),
        (("skins",), [{"joints": [0], "inverseBindMatrices": 88}], "refers to accessors[88]"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_one_thing_wrong(path: tuple[Any, ...], value: Any, cause: str, tmp_path: Path) -> None:
    assert cause in refusal(changed(*path, value=value).glb(tmp_path / "bad.glb"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_positions_that_are_no_numbers(value: float, tmp_path: Path) -> None:
    maker = Maker()
    positions = SQUARE.copy()
    positions[3, 1] = value
    primitive = {"attributes": {"POSITION": maker.accessor(positions)}, "mode": 6}
    maker.mesh(primitive)
    assert "not finite" in refusal(maker.glb(tmp_path / "bad.glb"))
    primitive["indices"] = maker.accessor(np.array([0, 1, 2], "u1"))  # vertex 3 is not used: no harm
    assert len(load_asset(maker.glb(tmp_path / "good.glb")).parts) == 1


def test_zeros_out_of_nothing_are_limited(tmp_path: Path) -> None:
    maker = Maker(accessors=[{"componentType": 5126, "type": "VEC3", "count": 2**31}])
    maker.mesh({"attributes": {"POSITION": 0}})
    assert "without any data" in refusal(maker.glb(tmp_path / "bad.glb"))


def test_instances_are_limited(tmp_path: Path) -> None:
    """100 nodes of 2 triangles in 100,000 places each: 20 million triangles out of a few bytes."""
    maker = Maker()
    maker.mesh(maker.square())
    count = maker.add("accessors", {"componentType": 5126, "type": "VEC3", "count": 100_000})
    node = {"mesh": 0, "extensions": {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": count}}}}
    maker.json["nodes"] = [node] * 100
    assert "more than" in refusal(maker.glb(tmp_path / "bad.glb"))


def test_second_parent(tmp_path: Path) -> None:
    maker = square()
    maker.json["nodes"] += [{"children": [0]}, {"children": [0]}]
    assert "two parents, nodes 1 and 2" in refusal(maker.glb(tmp_path / "bad.glb"))


def test_deep_node_trees_are_fine(tmp_path: Path) -> None:
    maker = Maker()
    maker.mesh(maker.square())
    maker.json["nodes"] = [{"children": [i + 1]} for i in range(5000)] + [{"mesh": 0}]
    assert len(load_asset(maker.glb(tmp_path / "deep.glb")).parts) == 1


@pytest.mark.parametrize("opening", ["[", '{"a":', '"\\"[[', "[[1],"])
def test_deep_json(opening: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.gltf"
    path.write_text(f'{{"asset": {opening * 100_000}')
    message = refusal(path)
    assert "nested deeper" in message or "JSON cannot be read" in message


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "[1, 2]",
        "null",
        '{"asset": NaN}',
        '{"extras": 1e999}',
        "{",
        "\x00",
        '{"a": 1' + "0" * 5000 + "}",
    ],
)
def test_text_that_is_no_gltf(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.gltf"
    path.write_text(text)
    refusal(path)


def test_damaged_containers(tmp_path: Path) -> None:
    good = square().glb(tmp_path / "good.glb").read_bytes()
    path = tmp_path / "bad.glb"

    def put(data: bytes) -> str:
        path.write_bytes(data)
        return refusal(path)

    assert "version 1 of GLB" in put(good[:4] + b"\1\0\0\0" + good[8:])
    assert "cut off" in put(good[:-100])
    assert "cut off" in put(good[:12] + b"\xff\xff\xff\x7f" + good[16:])
    assert "first chunk" in put(good[:16] + b"ABCD" + good[20:])
    start = 20 + int.from_bytes(good[12:16], "little")
    twice = good + good[start:]
    assert "2 binary chunks" in put(twice[:8] + len(twice).to_bytes(4, "little") + twice[12:])
    path.unlink()
    path.mkdir()
    assert "folder" in refusal(path)
    assert "no such file" in refusal(tmp_path / "none.glb")
    (tmp_path / "model.fbx").write_bytes(b"x")
    assert "'.fbx'" in refusal(tmp_path / "model.fbx") or ".fbx" in refusal(tmp_path / "model.fbx")


BAD_URIS = [
    "http://example.com/a.bin",
    "file:///etc/passwd",
    "FILE:a.bin",
    "//host/a.bin",
    "/etc/passwd",
    "../secret.bin",
    "..%2Fsecret.bin",
    "a/../../secret.bin",
    "%2e%2e/secret.bin",
    "..\\secret.bin",
    "C:\\secret.bin",
    "\\\\host\\secret",
    "%2Fetc%2Fpasswd",
    "link/secret.bin",
    "a%00.bin",
    "",
]


@pytest.mark.parametrize("uri", BAD_URIS)
@pytest.mark.parametrize("kind", ["buffers", "images"])
def test_uris_that_lead_elsewhere_are_never_opened(
    kind: str, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(b"\0" * 1000)
    (folder / "link").symlink_to(tmp_path)
    maker = square()
    maker.json.setdefault(kind, []).append(
        {"uri": uri, "byteLength": 4} if kind == "buffers" else {"uri": uri}
    )
    if kind == "buffers":
        maker.json["buffers"].insert(0, {"byteLength": len(maker.binary)})
    path = maker.glb(folder / "bad.glb")
    opened: list[str] = []
    real = Path.open
    monkeypatch.setattr(
        Path, "open", lambda self, *more, **k: (opened.append(self.name), real(self, *more, **k))[1]
    )
    assert "the reference" in refusal(path)
    assert opened == ["bad.glb"]


def test_uris_that_stay_inside(tmp_path: Path) -> None:
    for name in ("plain.bin", "with space.bin", "100%.bin", "ümlaut.bin", "a:b.bin", "sub/x.bin", "#1.bin"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
        assert resolve_uri(encode_uri(name), tmp_path, tmp_path) == tmp_path / name
    assert resolve_uri("with space.bin", tmp_path, tmp_path) == tmp_path / "with space.bin"
    assert resolve_uri("100%.bin", tmp_path, tmp_path) == tmp_path / "100%.bin"
    assert resolve_uri("sub\\x.bin", tmp_path, tmp_path) == tmp_path / "sub" / "x.bin"
    assert resolve_uri("./sub/x.bin", tmp_path, tmp_path) == tmp_path / "sub" / "x.bin"


def test_data_uris() -> None:
    here = Path("x.gltf")
    assert decode_data_uri("data:image/PNG;base64,AAE=", here) == ("image/png", b"\0\1")
    assert decode_data_uri("data:;base64,AAE", here) == ("", b"\0\1")
    assert decode_data_uri("data:a/b,x%20y", here) == ("a/b", b"x y")
    for bad in ("data:a/b;base64", "data:;base64,A*B=", "data:;base64,A", "data:;base64,ä"):
        with pytest.raises(AssetError):
            decode_data_uri(bad, here)


def test_file_stems() -> None:
    assert file_stem("a b/../c:d") == "a_b_.._c_d"
    assert file_stem("../..") == "image"
    assert file_stem("木") == "image"
    assert len(file_stem("x" * 500)) == 80


def test_images_that_cannot_be_read(tmp_path: Path) -> None:
    """The model is read; only asking for the image fails, with its name."""
    maker = square()
    maker.image(name="good")
    images = [
        {"uri": "gone.png"},
        {"bufferView": maker.view(b"no picture at all"), "mimeType": "image/png", "name": "noise"},
        {"bufferView": maker.view(b"\xabKTX 20\xbb\r\n\x1a\n" + bytes(9)), "mimeType": "image/ktx2"},
        {"name": "empty"},
    ]
    numbers = [maker.add("images", image) for image in images]
    asset = GltfAsset(maker.glb(tmp_path / "in.glb"))
    for number, cause in zip(numbers, ("gone.png", "noise", "cut off", "neither"), strict=True):
        with pytest.raises(PictureError, match=cause):
            asset.image(number)
        with pytest.raises(PictureError, match=cause):
            asset.image_size(number)


def read_and_write(source: Path, output: Path) -> str:
    """The message of the error, "" where there is none. Anything but a MeshStyleError comes through."""
    try:
        asset = GltfAsset(source)
        save_asset(asset, output, paint(asset, unwrap=True))
    except MeshStyleError as error:
        return str(error)
    return ""


def mutations(data: bytes, seed: int) -> Iterator[bytes]:
    rng = random.Random(seed)
    for _ in range(60):
        kind = rng.randrange(4)
        changed = bytearray(data)
        if kind == 0:
            for _ in range(rng.randrange(1, 8)):
                changed[rng.randrange(len(changed))] = rng.randrange(256)
        elif kind == 1:
            del changed[rng.randrange(len(changed)) :]
        elif kind == 2:
            start = rng.randrange(len(changed))
            del changed[start : start + rng.randrange(1, 40)]
        else:
            at = rng.randrange(len(changed))
            changed[at:at] = rng.choice([b"-", b"9999999999", b"null", b"[", b'"', b"1e999", b"\xff", b"{}"])
        yield bytes(changed)


@pytest.mark.parametrize("seed", range(4))
def test_random_damage_never_escapes(seed: int, tmp_path: Path) -> None:
    """Whatever is damaged: it is read and can be written, or refused in an orderly way."""
    good = square().gltf(tmp_path / "good.gltf").read_bytes()
    for number, data in enumerate(mutations(good, seed)):
        path = tmp_path / f"{number}.gltf"
        path.write_bytes(data)
        assert "\n" not in read_and_write(path, tmp_path / "out" / f"{number}.glb")


def json_values(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from json_values(item, (*path, key))


@pytest.mark.parametrize("odd", [None, -1, 10**20, 0.5, "x", [], {}, [[]], [{}], {"a": 1}, True], ids=str)
def test_any_value_of_a_wrong_kind(odd: Any, tmp_path: Path) -> None:
    """Every value of a whole document in turn: read and written, or refused; nothing else is raised."""
    maker = square()
    maker.json["meshes"][0]["primitives"][0]["targets"] = [{"POSITION": 0}]
    maker.json["meshes"][0]["primitives"][0]["extensions"] = {
        "KHR_materials_variants": {"mappings": [{"material": 0, "variants": [0]}]}
    }
    maker.json["skins"] = [{"joints": [0]}]
    maker.json["animations"] = [
        {"samplers": [{"input": 0, "output": 0}], "channels": [{"sampler": 0, "target": {}}]}
    ]
    maker.json["extensionsUsed"] = ["KHR_materials_variants"]
    maker.json["samplers"] = [{"wrapS": 10497}]
    document = maker.document()
    binary = bytes(maker.binary)
    for path in list(json_values(document))[1:]:
        broken = json.loads(json.dumps(document))
        holder = broken
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = odd
        again = Maker()
        again.json, again.binary = broken, bytearray(binary)
        again.document = lambda broken=broken: broken  # type: ignore[method-assign]
        assert "\n" not in read_and_write(again.glb(tmp_path / "odd.glb"), tmp_path / "out.gltf")
