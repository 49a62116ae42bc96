"""Hostile glTF files: a result or a MeshStyleError, soon and in bounded memory, nothing touched elsewhere.

`pytest -m slow tests/io/test_gltf_fuzz.py` tries a hundred times as many cases; MESHSTYLE_FUZZ_EXAMPLES says how many.
"""

from __future__ import annotations

import io
import json
import os
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.compressed_gltf import draco_square, meshopt_square
from helpers.gltf_samples import Maker, paint
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from meshstyle.errors import AssetError, MeshStyleError, PictureError
from meshstyle.io.gltf.asset import GltfAsset
from meshstyle.io.images import encode_png
from meshstyle.io.save import save_asset

SLOW = int(os.environ.get("MESHSTYLE_FUZZ_EXAMPLES", "3000"))
SECONDS = 20.0
MEMORY = 2**31
DATA = Path(__file__).parents[1] / "data"
RED = encode_png(np.full((4, 4, 3), (255, 0, 0), np.uint8))


def examples(count: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=count <= 100,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def whole() -> Maker:
    """A document with something of everything that the reader and the writer follow."""
    maker = Maker(
        extensionsUsed=["KHR_texture_transform", "KHR_materials_variants", "EXT_mesh_gpu_instancing"]
    )
    maker.json["extensions"] = {"KHR_materials_variants": {"variants": [{"name": "a"}, {"name": "b"}]}}
    maker.json["samplers"] = [{"wrapS": 33648, "wrapT": 33071}]
    red = maker.add("textures", {"source": maker.add("images", {"uri": "red.png"}), "sampler": 0})
    first, second = maker.material(red), maker.material(maker.texture(), alphaMode="MASK", name="leaf")
    info = maker.json["materials"][1]["pbrMetallicRoughness"]["baseColorTexture"]
    info["extensions"] = {"KHR_texture_transform": {"offset": [0.5, 0], "rotation": 0.3, "scale": [2, -1]}}
    skinned = maker.square(material=first)
    joints, weights = np.array([[0, 1, 0, 0]] * 4, "u1"), np.array([[0.5, 0.5, 0, 0]] * 4, "<f4")
    skinned["attributes"] |= {"JOINTS_0": maker.accessor(joints), "WEIGHTS_0": maker.accessor(weights)}
    coloured = maker.square(material=second, mode=5)
    coloured["attributes"]["COLOR_0"] = maker.accessor(np.full((4, 4), 65535, "<u2"), normalized=True)
    coloured["targets"] = [{"POSITION": maker.positions(np.ones((4, 3)))}]
    mapping = {"mappings": [{"material": 0, "variants": [0]}, {"material": 1, "variants": [1]}]}
    coloured["extensions"] = {"KHR_materials_variants": mapping}
    sparse = maker.json["accessors"][coloured["targets"][0]["POSITION"]]
    places = maker.view(np.array([1, 3], "<u2").tobytes())
    values = maker.view(np.zeros((2, 3), "<f4").tobytes())
    sparse["sparse"] = {
        "count": 2,
        "indices": {"bufferView": places, "componentType": 5123},
        "values": {"bufferView": values},
    }
    maker.mesh(skinned)
    maker.mesh(coloured, nodes=2, weights=[0.5])
    moved = maker.accessor(np.eye(3, dtype="<f4"))
    maker.json["nodes"][1]["children"] = [2]
    maker.json["nodes"][2]["extensions"] = {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": moved}}}
    maker.json["skins"] = [{"joints": [1, 2], "inverseBindMatrices": maker.accessor(
        np.stack([np.eye(4, dtype="<f4").reshape(16)] * 2)
    )}]  # fmt: skip
    maker.json["nodes"][0]["skin"] = 0
    times, turns = np.array([0, 1], "<f4"), np.array([[0, 0, 0, 1]] * 2, "<f4")
    sampler = {"input": maker.accessor(times), "output": maker.accessor(turns)}
    channel = {"sampler": 0, "target": {"node": 1, "path": "rotation"}}
    maker.json["animations"] = [{"samplers": [sampler], "channels": [channel]}]
    return maker


def compressed() -> dict[str, bytes]:
    """Small files of each compression, as GLB."""
    with tempfile.TemporaryDirectory() as folder:
        makers = {"draco": draco_square(), "meshopt": meshopt_square()}
        found = {name: maker.glb(Path(folder) / "a.glb").read_bytes() for name, maker in makers.items()}
        maker = Maker(extensionsUsed=["KHR_texture_basisu"], extensionsRequired=["KHR_texture_basisu"])
        ktx2 = maker.view((DATA / "variants" / "2d_etc1s.ktx2").read_bytes())
        image = maker.add("images", {"bufferView": ktx2, "mimeType": "image/ktx2"})
        texture = maker.add("textures", {"extensions": {"KHR_texture_basisu": {"source": image}}})
        maker.mesh(maker.square(material=maker.material(texture)))
        found["basis"] = maker.glb(Path(folder) / "b.glb").read_bytes()
    return found


WHOLE = whole()
GLTF = json.dumps({**WHOLE.document(), "buffers": [{"byteLength": len(WHOLE.binary), "uri": "whole.bin"}]})
with tempfile.TemporaryDirectory() as _folder:
    GLB = WHOLE.glb(Path(_folder) / "a.glb").read_bytes()
COMPRESSED = compressed()

_opened: list[tuple[str, bool]] = []


def _note(event: str, args: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(args[0], str | bytes | os.PathLike):
        writes = bool((args[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        _opened.append((os.fsdecode(args[0]), writes))


sys.addaudithook(_note)


@contextmanager
def bounded_memory() -> Iterator[None]:
    """Whatever takes more than MEMORY beyond what is in use draws a MemoryError, where the system can do that."""
    try:
        import resource

        in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (in_use + MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def use(model: Path, output: Path) -> None:
    """Everything that can be done with a model."""
    asset = GltfAsset(model)
    for part in asset.parts:
        assert np.isfinite(part.corners).all()
        assert part.uv is None or np.isfinite(part.uv).all()
        assert part.normals is None or np.isfinite(part.normals).all()
        assert part.colours is None or ((part.colours >= 0) & (part.colours <= 1)).all()
    for index in range(len(asset.document.root.children("images"))):
        try:
            size = asset.image_size(index)
            assert asset.image(index).shape == (*size, 4)
        except PictureError:
            continue
    for name, unwrap in (("a.glb", True), ("b.gltf", False)):
        save_asset(asset, output / name, paint(asset, unwrap))
        again = GltfAsset(output / name)
        assert len(again.parts) == len(asset.parts)


def attack(**files: bytes) -> str:
    """Use the one .gltf or .glb of these files. Returns the error's message, "" where there is none."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        folder, output = root / "in", root / "out"
        folder.mkdir()
        for forbidden in ("forbidden.png", "forbidden.bin"):
            (root / forbidden).write_bytes(RED)
        content = {"whole.bin": bytes(WHOLE.binary), "red.png": RED, **files}
        for path, data in content.items():
            (folder / path).write_bytes(data)
        (model,) = (folder / path for path in content if path.endswith((".gltf", ".glb")))
        _opened.clear()
        started, message = (
            sum(os.times()[:4]),
            "",
        )  # CPU, children's too: the machine may have other things to do
        try:
            with bounded_memory():
                use(model, output)
        except MeshStyleError as error:
            message = str(error)
        touched = list(_opened)
        assert sum(os.times()[:4]) - started < SECONDS
        assert "\n" not in message
        assert len(message) < 1000
        assert not any("forbidden" in path for path, _ in touched)
        written = [
            path for path, writes in touched if writes and not path.endswith(".pyc") and "pycache" not in path
        ]
        assert all(Path(path).is_relative_to(output) or path == os.devnull for path in written), written
        assert {path.name for path in root.iterdir()} <= {"in", "out", "forbidden.png", "forbidden.bin"}
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == content
    return message


# --- damage -----------------------------------------------------------------------------------------------------

ODD: list[Any] = [
    None, True, -1, 0, 1, 2, 3, 5, 7, 254, 255, 65535, 2**31 - 1, 2**32, 10**9, 2**53, 10**40, 0.5, -1e308, 1e38,
    "", "x", "x" * 10**5, "../forbidden.png", "..%2fforbidden.bin", "/forbidden.png", "red.png",
    "http://example.com/forbidden.png", "file:///forbidden.png", "data:,",
    "\0", "data:image/png;base64,AAAA", "a" * 5000, "\ud800", "木", ".", "in",
    [], {}, [0], [[]], [{}], {"extensions": {}}, [0, 0, 0], [1e38, 1e38, 1e38], [0] * 16, [1e20] * 16, list(range(50)),
    5120, 5121, 5123, 5125, 5126, "SCALAR", "VEC2", "VEC3", "VEC4", "MAT4", "BLEND", "ATTRIBUTES", "whole.bin",
]  # fmt: skip
WORDS = [
    b"1e999",
    b"NaN",
    b"-Infinity",
    b"[" * 3000,
    b'{"a":' * 3000,
    b'"',
    b"null",
    b"\xff",
    b"\0",
    b"//",
    b"9" * 5000,
]


def json_paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from json_paths(item, (*path, key))


@st.composite
def odd_documents(draw: st.DrawFn, text: str = GLTF) -> bytes:
    """The JSON with one to three values replaced, removed, or put in another's place."""
    document = json.loads(text)
    for _ in range(draw(st.integers(1, 3))):
        paths = list(json_paths(document))
        *way, key = draw(st.sampled_from(paths))
        holder: Any = document
        for step in way:
            holder = holder[step]
        kind = draw(st.sampled_from(["odd", "odd", "index", "drop", "swap"]))
        if kind == "odd":
            holder[key] = deepcopy(draw(st.sampled_from(ODD)))
        elif kind == "index":
            holder[key] = draw(st.integers(-2, 40))
        elif kind == "drop":
            del holder[key]
        else:
            other: Any = document
            for step in draw(st.sampled_from(paths)):
                other = other[step] if isinstance(other, list | dict) and _has(other, step) else other
            holder[key] = json.loads(json.dumps(other))
    return json.dumps(document).encode()


def _has(holder: Any, key: Any) -> bool:
    return key in holder if isinstance(holder, dict) else isinstance(key, int) and key < len(holder)


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes flipped, cut out, doubled or cut off, or worse words put in."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        kind = draw(st.sampled_from(["flip", "high", "cut", "double", "end", "word", "numbers"]))
        if kind == "flip":
            data = data[:at] + draw(st.binary(min_size=1, max_size=3)) + data[at + 1 :]
        elif kind == "high":
            data = data[:at] + b"\xff" * 4 + data[at + 4 :]
        elif kind == "cut":
            data = data[:at] + data[at + draw(st.integers(1, 60)) :]
        elif kind == "double":
            data = data[:at] + data[at : at + draw(st.integers(1, 300))] + data[at:]
        elif kind == "end":
            data = data[:at]
        elif kind == "word":
            data = data[:at] + draw(st.sampled_from(WORDS)) + data[at:]
        else:
            value = draw(st.sampled_from([np.nan, np.inf, -np.inf, 3e38, 1e-40]))
            at -= at % 4
            data = data[:at] + struct.pack("<f", value) + data[at + 4 :]
    return data


def as_glb(text: bytes, binary: bytes) -> bytes:
    text, binary = text + b" " * (-len(text) % 4), binary + b"\0" * (-len(binary) % 4)
    chunks = (
        struct.pack("<II", len(text), 0x4E4F534A)
        + text
        + struct.pack("<II", len(binary), 0x004E4942)
        + binary
    )
    return b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks


def split_glb(data: bytes) -> tuple[str, bytes]:
    (length,) = struct.unpack_from("<I", data, 12)
    return data[20 : 20 + length].decode(), data[28 + length :]


compressed_bytes = st.sampled_from(sorted(COMPRESSED)).flatmap(
    lambda kind: damaged(split_glb(COMPRESSED[kind])[1]).map(
        lambda binary: as_glb(split_glb(COMPRESSED[kind])[0].encode(), binary.ljust(4000, b"\0"))
    )
)
compressed_documents = st.sampled_from(sorted(COMPRESSED)).flatmap(
    lambda kind: odd_documents(split_glb(COMPRESSED[kind])[0]).map(
        lambda text: as_glb(text, split_glb(COMPRESSED[kind])[1])
    )
)
KINDS: dict[str, tuple[str, st.SearchStrategy[bytes], int]] = {
    "values": ("model.gltf", odd_documents(), 60),
    "text": ("model.gltf", damaged(GLTF.encode()), 25),
    "container": ("model.glb", damaged(GLB), 40),
    "buffer": ("whole.bin", damaged(bytes(WHOLE.binary)), 25),
    "picture": ("red.png", damaged(RED), 10),
    "compressed bytes": ("model.glb", compressed_bytes, 8),
    "compressed values": ("model.glb", compressed_documents, 25),
}


def test_the_undamaged_models_work() -> None:
    assert attack(**{"model.gltf": GLTF.encode()}) == ""
    assert attack(**{"model.glb": GLB}) == ""
    for data in COMPRESSED.values():
        assert attack(**{"model.glb": data}) == ""


def hammer(kind: str, count: int) -> None:
    name, strategy, _ = KINDS[kind]
    beside = {} if name.startswith("model") else {"model.gltf": GLTF.encode()}

    @examples(count)
    @given(strategy)
    def run(data: bytes) -> None:
        attack(**{**beside, name: data})

    run()


@pytest.mark.parametrize("kind", KINDS)
def test_damage(kind: str) -> None:
    hammer(kind, KINDS[kind][2])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_much_damage(kind: str) -> None:
    hammer(kind, SLOW // 10 if kind.startswith("compressed") else SLOW)


# --- made on purpose ---------------------------------------------------------------------------------------------


def png(width: int, height: int, data: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rest = b"".join(chunk(*item) for item in chunks)
    return b"\x89PNG\r\n\x1a\n" + header + rest + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("picture", "cause"),
    [
        (png(60_000, 60_000, zlib.compress(bytes(1000))), "limit"),
        (png(16_384, 16_384, zlib.compress(bytes(1000))), "limit"),
        (png(2**31 - 1, 1, zlib.compress(bytes(1000))), "limit"),
        (png(11_000, 11_000, zlib.compress(bytes(1000))), "damaged or cut off"),
        (
            png(4, 4, zlib.compress(bytes(52)), (b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(10**8)))),
            "damaged",
        ),
        (png(4, 4, zlib.compress(bytes(52)), (b"iCCP", b"a\0\0" + zlib.compress(bytes(10**8)))), "damaged"),
        (png(4, 4, zlib.compress(bytes(10**8))), ""),
    ],
    ids=["sides", "area", "line", "little data", "long text", "long profile", "too much data"],
)
def test_picture_bombs(picture: bytes, cause: str, tmp_path: Path) -> None:
    maker = Maker()
    image = maker.add("images", {"bufferView": maker.view(picture), "mimeType": "image/png"})
    maker.mesh(maker.square(material=maker.material(maker.add("textures", {"source": image}))))
    path = maker.glb(tmp_path / "bomb.glb")
    assert attack(**{"model.glb": path.read_bytes()}) == ""  # painting over it is fine; looking at it is not
    started = time.monotonic()
    with bounded_memory():
        asset = GltfAsset(path)
        if cause:
            with pytest.raises(PictureError, match=cause):
                asset.image(0)
        else:
            assert asset.image(0).shape == (4, 4, 4)
    assert time.monotonic() - started < 5


def test_the_largest_picture_stays_within_bounds(tmp_path: Path) -> None:
    """As large as the limits allow, in a file of half a megabyte."""
    side = 11_500
    body = io.BytesIO()
    Image.new("RGB", (side, side)).save(body, "PNG", compress_level=9)
    maker = Maker()
    image = maker.add("images", {"bufferView": maker.view(body.getvalue()), "mimeType": "image/png"})
    maker.mesh(maker.square(material=maker.material(maker.add("textures", {"source": image}))))
    asset = GltfAsset(maker.glb(tmp_path / "large.glb"))
    with bounded_memory():
        assert asset.image(0).shape == (side, side, 4)


def deep(levels: int) -> Maker:
    maker = Maker()
    maker.mesh(maker.square())
    maker.json["nodes"] = [{"children": [i + 1]} for i in range(levels)] + [{"mesh": 0}]
    return maker


def many_nodes_of_one_mesh() -> Maker:
    maker = Maker()
    maker.mesh(maker.square())
    maker.json["nodes"] = [{"mesh": 0}] * 10_000
    return maker


def counts(**changes: int) -> Maker:
    maker = Maker()
    maker.mesh(maker.square())
    maker.json["accessors"][0].update(changes)
    return maker


def empty_accessors() -> Maker:
    """A thousand attributes that claim sixteen million elements each, without data."""
    maker = counts(count=2**24)
    del maker.json["accessors"][0]["bufferView"]
    attributes = maker.json["meshes"][0]["primitives"][0]["attributes"]
    for i in range(1000):
        accessor = {"componentType": 5126, "type": "MAT4", "count": 2**24}
        attributes[f"_{i}"] = maker.add("accessors", accessor)
    return maker


def instanced(count: int) -> Maker:
    maker = Maker(extensionsUsed=["EXT_mesh_gpu_instancing"])
    maker.mesh(maker.square())
    number = maker.add("accessors", {"componentType": 5126, "type": "VEC3", "count": count})
    maker.json["nodes"][0]["extensions"] = {
        "EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": number}}
    }
    return maker


def loop() -> Maker:
    maker = Maker()
    maker.mesh(maker.square(), nodes=3)
    for i in range(3):
        maker.json["nodes"][i]["children"] = [(i + 1) % 3]
    maker.json["scenes"] = [{"nodes": [0]}]
    return maker


@pytest.mark.parametrize(
    ("maker", "cause"),
    [
        (deep(5000), ""),
        (many_nodes_of_one_mesh(), ""),
        (loop(), "loop"),
        (counts(count=2**40), "bufferView"),
        (counts(byteOffset=2**52), "bufferView"),
        (empty_accessors(), "but 16777216 positions"),
        (instanced(2**20), ""),
        (instanced(2**24), "instances"),
    ],
    ids=["deep", "many", "loop", "count", "offset", "empty", "instanced", "too often"],
)
def test_inflated(maker: Maker, cause: str, tmp_path: Path) -> None:
    path = maker.glb(tmp_path / "model.glb")
    started = time.monotonic()
    with bounded_memory():
        if cause:
            with pytest.raises(AssetError, match=cause):
                GltfAsset(path)
        else:
            GltfAsset(path)
    assert time.monotonic() - started < SECONDS


@examples(20)
@given(st.integers(1, 200_000))
@example(100)
@example(101)
@example(10**6)
def test_deep_nesting(levels: int) -> None:
    text = GLTF[:-1] + ', "extras": ' + "[" * levels + "]" * levels + "}"
    message = attack(**{"model.gltf": text.encode()})
    assert ("nested deeper" in message) == (levels > 99)
