"""Small files that would like to be large: what the tests of limits write, and how they measure what becomes of it.

python tests/helpers/bombs.py FOLDER      writes all of them
"""

from __future__ import annotations

import base64
import io
import json
import math
import random
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TRIANGLE = base64.b64encode(struct.pack("<9f", 0, 0, 0, 1, 0, 0, 0, 1, 0)).decode()
HERE = "data:application/octet-stream;base64,"


def gltf(**more: Any) -> str:
    """A triangle, and what is added to its document."""
    document: dict[str, Any] = {
        "asset": {"version": "2.0"},
        "buffers": [{"byteLength": 36, "uri": HERE + TRIANGLE}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "nodes": [{"mesh": 0}],
        "scenes": [{"nodes": [0]}],
        "scene": 0,
    }
    return json.dumps({**document, **more})


def empty_entries(name: str, count: int, entry: str = "{}", first: str = "") -> Callable[[Path], None]:
    """A triangle's document with so many entries in one of its lists."""

    def write(path: Path) -> None:
        text = json.loads(gltf())
        text[name] = "HERE"
        items = ",".join([first] * bool(first) + [entry] * count)
        path.write_text(json.dumps(text).replace('"HERE"', f"[{items}]"))

    return write


def written(text: Callable[[], str | bytes]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        data = text()
        path.write_bytes(data if isinstance(data, bytes) else data.encode())

    return write


def no_data(count: int, kind: str = "VEC3", targets: int = 0) -> str:
    """Positions, and targets, that are all zeros without a byte in the file."""
    empty = {"componentType": 5126, "count": count, "type": "VEC3"}
    attributes = {"POSITION": 0, "NORMAL": 1, "TEXCOORD_0": 2, "COLOR_0": 3}
    return gltf(
        accessors=[empty, empty, {**empty, "type": "VEC2"}, {**empty, "type": "VEC4"}]
        + [empty for _ in range(targets)],
        meshes=[
            {
                "primitives": [
                    {"attributes": attributes, "targets": [{"POSITION": 4 + n} for n in range(targets)]}
                ]
            }
        ],
    )


def instanced(count: int) -> str:
    """One triangle, shown by the extension for instances so many times: all of them without data."""
    extension = {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": 1}}}
    document = json.loads(gltf(extensionsUsed=["EXT_mesh_gpu_instancing"]))
    document["accessors"].append({"componentType": 5126, "count": count, "type": "VEC3"})
    document["nodes"] = [{"mesh": 0, "extensions": extension}]
    return json.dumps(document)


def brackets(count: int) -> str:
    return gltf()[:-1] + ', "extras": [' + "[]," * count + "0]}"


def materials(count: int) -> str:
    return gltf(
        materials=[{"pbrMetallicRoughness": {"baseColorTexture": {"index": n}}} for n in range(count)],
        textures=[{"source": n} for n in range(count)],
        images=[{"uri": "x.png"} for _ in range(count)],
        meshes=[{"primitives": [{"attributes": {"POSITION": 0}, "material": n} for n in range(count)]}],
    )


def png(width: int, height: int, colour: int = 6, extra: bytes = b"") -> bytes:
    """A picture of zeros, made without ever being whole."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, row = zlib.compressobj(9), bytes(1 + width * {0: 1, 2: 3, 6: 4}[colour])
    data = b"".join([packer.compress(row) for _ in range(height)] + [packer.flush()])
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def saved(width: int, height: int, kind: str, **options: Any) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (width, height), (200, 100, 50)).save(stream, kind, **options)
    return stream.getvalue()


def polygon(count: int) -> str:
    """One regular face of so many corners."""
    turn = 2 * math.pi / count
    points = "".join(f"v {math.cos(n * turn):.9f} {math.sin(n * turn):.9f} 0\n" for n in range(count))
    return points + "f " + " ".join(map(str, range(1, count + 1))) + "\n"


def concave(count: int, faces: int) -> str:
    """Faces of so many corners at random distances from the middle."""
    chance, lines = random.Random(0), []
    for face in range(faces):
        for n in range(count):
            far, angle = chance.uniform(0.2, 1), 2 * math.pi * n / count
            lines.append(f"v {far * math.cos(angle):.6f} {far * math.sin(angle):.6f} {face}\n")
    for face in range(faces):
        lines.append("f " + " ".join(str(face * count + n + 1) for n in range(count)) + "\n")
    return "".join(lines)


def tangled(count: int, faces: int) -> str:
    """Faces of so many corners anywhere."""
    chance = random.Random(0)
    lines = [f"v {chance.random():.6f} {chance.random():.6f} {n // count}\n" for n in range(count * faces)]
    lines += ["f " + " ".join(str(f * count + n + 1) for n in range(count)) + "\n" for f in range(faces)]
    return "".join(lines)


def many_usemtl(count: int) -> str:
    lines = ["v 0 0 0\nv 1 0 0\nv 0 1 0\n"]
    return "".join(lines + [f"usemtl m{n}\nf 1 2 3\n" for n in range(count)])


_POSITIONS = '{"attributes":{"POSITION":0}}'
_ACCESSOR = '"componentType":5126,"count":3,"type":"VEC3"}'
MODELS: dict[str, Callable[[Path], None]] = {
    **{
        f"empty_{name}.gltf": empty_entries(name, 1_000_000)
        for name in ("images", "textures", "materials", "samplers", "cameras", "extras_list")
    },
    "empty_nodes.gltf": empty_entries("nodes", 1_000_000, first='{"mesh":0}'),
    "empty_scenes.gltf": empty_entries("scenes", 1_000_000, first='{"nodes":[0]}'),
    "empty_skins.gltf": empty_entries("skins", 1_000_000, '{"joints":[0]}'),
    "empty_animations.gltf": empty_entries("animations", 1_000_000, '{"channels":[],"samplers":[]}'),
    "empty_meshes.gltf": empty_entries("meshes", 1_000_000, '{"primitives":[]}', '{"primitives":[' + _POSITIONS + "]}"),
    "empty_primitives.gltf": empty_entries("meshes", 1, '{"primitives":[' + ",".join([_POSITIONS] * 500_000) + "]}"),
    "empty_accessors.gltf": empty_entries("accessors", 1_000_000, "{" + _ACCESSOR, '{"bufferView":0,' + _ACCESSOR),
    "empty_bufferViews.gltf": empty_entries("bufferViews", 1_000_000, '{"buffer":0,"byteLength":36}'),
    "no_data.gltf": written(lambda: no_data(2**24)),
    "no_data_15m.gltf": written(lambda: no_data(14_999_997)),
    "no_data_targets.gltf": written(lambda: no_data(2**20, targets=200)),
    "instanced.gltf": written(lambda: instanced(2**20)),
    "brackets.gltf": written(lambda: brackets(80_000_000)),
    "materials.gltf": written(lambda: materials(100_000)),
    "images.gltf": empty_entries("images", 1_000_000, '{"uri":"' + HERE + 'iVBORw0KGgo="}'),
    "polygon.obj": written(lambda: polygon(1_000_000)),
    "concave.obj": written(lambda: concave(20_000, 10)),
    "concave_one.obj": written(lambda: concave(200_000, 1)),
    "tangled.obj": written(lambda: tangled(20_000, 5)),
    "tangled_small.obj": written(lambda: tangled(30, 30_000)),
    "usemtl.obj": written(lambda: many_usemtl(4096)),
}  # fmt: skip
PICTURES: dict[str, Callable[[Path], None]] = {
    "large.png": written(lambda: png(16384, 8192)),
    "wide.png": written(lambda: png(16384, 16384)),
    "grey.png": written(lambda: png(16384, 8192, 0)),
    "large.jpg": written(lambda: saved(16384, 8192, "JPEG")),
    "progressive.jpg": written(lambda: saved(16384, 8192, "JPEG", progressive=True, quality=20)),
    "large.jp2": written(lambda: saved(16384, 8192, "JPEG2000")),
    "large.webp": written(lambda: saved(16383, 8192, "WEBP", method=0)),
    "large.tif": written(lambda: saved(16384, 8192, "TIFF", compression="tiff_deflate")),
    "large.gif": written(lambda: saved(16384, 8192, "GIF")),
}


@dataclass(frozen=True)
class Measured:
    """What a command took: `memory` in bytes at the peak, of itself and of those it waited for."""

    code: int
    seconds: float
    memory: int
    out: str
    err: str


_MEASURE = """
import resource, runpy, sys
code = 0
try:
    from meshstyle.cli.main import main
    code = main(sys.argv[1:])
finally:
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    sys.stdout.flush()
    print(f"peak {peak}", file=sys.stderr)
sys.exit(code)
"""


def measure(*line: str, seconds: float = 150.0) -> Measured:
    """Run the command in a process of its own."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, *line], capture_output=True, text=True, timeout=seconds
    )
    told = done.stderr.splitlines()
    peak = [text for text in told if text.startswith("peak ")]
    rest = "\n".join(text for text in told if not text.startswith("peak "))
    memory = int(peak[0].split()[1]) * 1024 if peak else 0
    return Measured(done.returncode, time.monotonic() - began, memory, done.stdout, rest)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name, write in {**MODELS, **PICTURES}.items():
        if not (folder / name).exists():
            write(folder / name)
