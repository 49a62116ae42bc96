"""Everything that a stranger may hand over, changed at random: a result or a MeshStyleError, soon.

python tests/io/test_fuzz_inputs.py SECONDS [SEED]     as many cases as fit; prints what else came of any
"""

from __future__ import annotations

import io
import json
import random
import struct
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from meshstyle.config.image import PictureSettings
from meshstyle.config.model import Settings
from meshstyle.errors import MeshStyleError
from meshstyle.io.images import encode_png, read_picture
from meshstyle.io.load import load_asset
from meshstyle.recorded_settings import take_record
from meshstyle.run_file import read_run_file
from meshstyle.style import weights_process
from meshstyle.style.weights_process import READERS, collect

SECONDS = 20.0  # that a case may take
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2**31, 2**64, 10**400, -0.5, 1e308, 5e-324, "", "a", "scream", "\x1b[2J", "../x", "x" * 500,
    "https://a/b", "/dev/zero", "::", [], {}, [1, [2]], {"a": {"b": []}}, ["scream", 5], [0] * 300,
)  # fmt: skip
TRIANGLE = {
    "asset": {"version": "2.0", "extras": {"meshstyle": {"style": "scream", "settings": {"seed": 1}}}},
    "buffers": [{"byteLength": 36, "uri": "data:;base64," + "AAAA" * 9 + "AAAAAAAAAAAA"}],
    "bufferViews": [{"buffer": 0, "byteLength": 36}],
    "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
    "materials": [{"pbrMetallicRoughness": {"baseColorFactor": [1, 1, 1, 1]}, "name": "m"}],
    "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "material": 0}]}],
    "nodes": [{"mesh": 0, "translation": [0, 0, 0]}],
    "scenes": [{"nodes": [0]}],
    "scene": 0,
}
Case = Callable[[random.Random, Path], None]


def changed(value: Any, chance: random.Random) -> Any:
    """A copy with something else somewhere in it."""
    value = json.loads(json.dumps(value))
    for _ in range(chance.randint(1, 3)):
        place: Any = value
        while isinstance(place, (dict, list)) and place:
            key = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
            if chance.random() < 0.4 or not isinstance(place[key], (dict, list)) or not place[key]:
                place[key] = deepcopy(chance.choice(VALUES))
                break
            place = place[key]
    return value


def flipped(data: bytes, chance: random.Random) -> bytes:
    """Bytes changed, cut off, doubled."""
    found = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(max(len(found), 1))
        action = chance.random()
        if action < 0.6 and found:
            found[at % len(found)] = chance.randrange(256)
        elif action < 0.75:
            del found[at:]
        elif action < 0.9:
            found[at:at] = found[at : at + chance.randrange(64)]
        elif len(found) >= 8:
            struct.pack_into("<I", found, at % (len(found) - 4), chance.choice((0, 1, 2**31, 2**32 - 1)))
    return bytes(found)


def gltf(chance: random.Random, folder: Path) -> None:
    (folder / "x.gltf").write_text(json.dumps(changed(TRIANGLE, chance)))
    load_asset(folder / "x.gltf")


def record(chance: random.Random, folder: Path) -> None:
    kind = chance.choice((Settings, PictureSettings))
    given = {"style": "scream", "style_sha256": "0", "settings": kind().to_dict()}
    taken = take_record(folder / "x.glb", changed(given, chance), kind)
    kind.from_mapping(taken.values)


def settings(chance: random.Random, folder: Path) -> None:
    kind = chance.choice((Settings, PictureSettings))
    kind.from_mapping(changed({name: getattr(kind(), name) for name in kind.__dataclass_fields__}, chance))


def toml(chance: random.Random, folder: Path) -> None:
    text = 'style = "scream"\npreset = "draft"\nviews = 4\nonly = ["a*"]\nstrength = 0.5\nseed = 7\n'
    (folder / "x.toml").write_bytes(flipped(text.encode(), chance))
    read_run_file(folder / "x.toml").settings()


def obj(chance: random.Random, folder: Path) -> None:
    text = (
        "mtllib x.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nusemtl a\nf 1/1 2/1 3/1 4/1\nf -1 -2 -3\n"
    )
    (folder / "x.mtl").write_bytes(flipped(b"newmtl a\nKd 1 0 0\nmap_Kd -s 1 2 3 x.png\nd 0.5\n", chance))
    (folder / "x.obj").write_bytes(flipped(text.encode(), chance))
    load_asset(folder / "x.obj")


def picture(chance: random.Random, folder: Path) -> None:
    kind = chance.choice(list(PICTURES))
    (folder / "x.bin").write_bytes(flipped(PICTURES[kind], chance))
    read_picture(folder / "x.bin")


def weights(chance: random.Random, folder: Path) -> None:
    """As the child reads them, where whatever is an exception is a line."""
    kind = chance.choice(list(WEIGHTS))
    (folder / "x.weights").write_bytes(flipped(WEIGHTS[kind], chance))
    try:
        found = collect(READERS[kind]()(str(folder / "x.weights")))
    except Exception:
        return
    assert all(values.dtype == np.float32 for values in found.values())
    with tempfile.TemporaryFile() as target:
        weights_process.write(target, {}, found)


def _pictures() -> dict[str, bytes]:
    from PIL import Image

    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8))
    found = {"png": encode_png(np.asarray(image))}
    for kind in ("JPEG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000", "PPM", "TGA"):
        stream = io.BytesIO()
        image.save(stream, kind)
        found[kind] = stream.getvalue()
    return found


def _weights() -> dict[str, bytes]:
    import safetensors.torch

    state = {"features.0.weight": torch.ones(8, 3, 3, 3), "features.0.bias": torch.ones(8)}
    stream, book = io.BytesIO(), io.BytesIO()
    torch.save(state, stream)
    with h5py.File(book, "w") as file:
        for name, value in state.items():
            file[name] = value.numpy()
    return {"torch": stream.getvalue(), "safetensors": safetensors.torch.save(state), "h5py": book.getvalue()}


PICTURES, WEIGHTS = _pictures(), _weights()
CASES: tuple[Case, ...] = (gltf, record, settings, toml, obj, picture, weights)


def run(case: Case, chance: random.Random, folder: Path) -> str:
    """What came of a case: `result`, `refused`, or what else."""
    began = time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            case(chance, folder)
        told = "result"
    except MeshStyleError as error:
        told = (
            "refused" if len(str(error)) <= 300 and str(error).isprintable() else f"a long message: {error}"
        )
    except Exception as error:
        told = f"{type(error).__name__}: {error}"[:200]
    return told if time.monotonic() - began < SECONDS else "too long"


@pytest.mark.parametrize("case", CASES)
def test_some_of_each(case: Case, tmp_path: Path) -> None:
    chance = random.Random(f"{case.__name__} 1")
    found = Counter(run(case, chance, tmp_path) for _ in range(60))
    assert set(found) <= {"result", "refused"}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_many_of_each(case: Case, tmp_path: Path) -> None:
    chance = random.Random(f"{case.__name__} 2")
    found = Counter(run(case, chance, tmp_path) for _ in range(7_200))
    assert set(found) <= {"result", "refused"}


def main() -> None:
    until, seed = time.monotonic() + float(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "0"
    found: dict[str, Counter[str]] = {case.__name__: Counter() for case in CASES}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(10**9):
            if time.monotonic() > until:
                break
            for case in CASES:
                found[case.__name__][
                    run(case, random.Random(f"{seed} {case.__name__} {number}"), Path(folder))
                ] += 1
    for name, counts in found.items():
        print(name, dict(counts))  # noqa: T201


if __name__ == "__main__":
    main()
