"""Results that take the place of earlier ones: whenever the process ends, the old set is there or the new."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from helpers.replacing import NEW, OLD, write

from meshstyle.io.gltf.build import BuildImage, BuildMaterial, BuildMesh, BuildPrimitive, build_glb
from meshstyle.io.images import encode_png
from meshstyle.io.load import load_asset
from meshstyle.io.replace_files import left_behind, names_file, undisturbed

KINDS = ("x.glb", "x.gltf", "x.obj")
QUAD = "mtllib in.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nusemtl m\nf 1/1 2/2 3/3\n"


def model(folder: Path, kind: str) -> Path:
    """What is painted."""
    picture = encode_png(np.full((8, 8, 3), 77, np.uint8))
    if kind.endswith(".obj"):
        (folder / "in.png").write_bytes(picture)
        (folder / "in.mtl").write_text("newmtl m\nmap_Kd in.png\n")
        (folder / "in.obj").write_text(QUAD)
        return folder / "in.obj"
    primitive = BuildPrimitive(
        positions=np.eye(3),
        indices=np.array([[0, 1, 2]]),
        material=0,
        uvs=np.array([[0, 0], [0, 1], [1, 1]], float),
    )
    data = build_glb(
        [BuildMesh("m", [primitive])], [BuildMaterial("m", image=0)], [BuildImage("t", picture)], {}
    )
    (folder / "in.glb").write_bytes(data)
    return folder / "in.glb"


def tiled(folder: Path, _kind: str) -> Path:
    """A material with a picture for each of two unit squares of the UVs."""
    for number in (1001, 1002):
        (folder / f"in.{number}.png").write_bytes(encode_png(np.full((8, 8, 3), number % 7, np.uint8)))
    (folder / "in.mtl").write_text("newmtl m\nmap_Kd in.<UDIM>.png\n")
    (folder / "in.obj").write_text(QUAD + "vt 2 0\nvt 2 1\nf 1/2 2/4 3/5\n")
    return folder / "in.obj"


def found(output: Path) -> tuple[int, int]:
    """The levels that the record and the picture tell, and that nothing else than the set lies there."""
    asset = load_asset(output)
    record = asset.record or {}
    levels = {int(asset.image(part.material)[0, 0, 0]) - part.material for part in asset.parts}
    (level,) = levels
    return record["level"], level


def set_of(output: Path) -> set[str]:
    asset = load_asset(output)
    sources = getattr(asset, "sources", (output,))
    return {path.name for path in sources}


@pytest.fixture(params=[*KINDS, "glb as x.obj", "tiles as x.obj"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """A model, and where its first result lies."""
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    before, _, name = request.param.rpartition(" as ")
    make = tiled if before == "tiles" else model
    source, output = make(tmp_path / "in", "x.glb" if before == "glb" else name), tmp_path / "out" / name
    write(source, output, OLD)
    return source, output


def test_a_new_set_takes_the_place_of_the_old(place: tuple[Path, Path]) -> None:
    source, output = place
    for level in (NEW, OLD, OLD, NEW):
        written = write(source, output, level)
        assert found(output) == (level, level)
        assert set(os.listdir(output.parent)) == {path.name for path in written} == set_of(output)


def test_files_of_others_stay(place: tuple[Path, Path]) -> None:
    source, output = place
    others = {f"x_{number}{suffix}" for number in (2, 3) for suffix in (".png", ".mtl", ".bin")}
    others |= {"xx.png", "x_t_9.png"}
    for name in others:
        (output.parent / name).write_bytes(b"mine")
    for level in (NEW, OLD):
        write(source, output, level)
        assert found(output) == (level, level)
        assert all((output.parent / name).read_bytes() == b"mine" for name in others)
    assert set(os.listdir(output.parent)) == others | set_of(output)


KILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from helpers import replacing
left = [int(sys.argv[4])]

def counted(real):
    def call(*arguments, **more):
        if left[0] == 0:
            os._exit(9)
        left[0] -= 1
        return real(*arguments, **more)
    return call

source, output = map(Path, sys.argv[2:4])
for name in ("replace", "link", "unlink", "fsync"):
    setattr(os, name, counted(getattr(os, name)))
replacing.write(source, output, replacing.NEW)
"""


@pytest.mark.parametrize(
    "kind", [KINDS[2], *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS[:2])]
)
def test_killed_at_every_step(kind: str, tmp_path: Path) -> None:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    source, output = model(tmp_path / "in", kind), tmp_path / "out" / kind
    write(source, output, OLD)
    seen = set()
    for step in range(40):
        command = [
            sys.executable,
            "-c",
            KILLED,
            str(Path(__file__).parents[1]),
            str(source),
            str(output),
            str(step),
        ]
        done = subprocess.run(command, timeout=60, capture_output=True)
        assert done.returncode in (0, 9), done.stderr
        levels = found(output)
        assert levels in ((OLD, OLD), (NEW, NEW))
        seen.add(levels)
        if done.returncode == 0:
            break
        for path in output.parent.iterdir():
            path.unlink()
        write(source, output, OLD)
    assert seen == {(OLD, OLD), (NEW, NEW)}


LOOP = """
import os, signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # who runs the tests in the background ignores it
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
sys.path.insert(0, sys.argv[1])
from helpers import replacing
source, output = map(Path, sys.argv[2:4])
print("ready", flush=True)
while True:
    for level in (replacing.NEW, replacing.OLD):
        replacing.write(source, output, level)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_signals_at_random_moments(place: tuple[Path, Path], number: int) -> None:
    source, output = place
    chance = random.Random(number)
    for _ in range(10):
        command = [sys.executable, "-c", LOOP, str(Path(__file__).parents[1]), str(source), str(output)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(chance.uniform(0.05, 0.4))
            child.send_signal(number)
            child.wait(60)
        levels = found(output)
        assert levels in ((OLD, OLD), (NEW, NEW))
        if number == signal.SIGINT:
            assert set(os.listdir(output.parent)) == set_of(output)


def test_signals_wait_until_the_block_has_ended() -> None:
    told: list[str] = []
    before = signal.signal(signal.SIGTERM, lambda *_: told.append("signal"))
    try:
        with undisturbed():
            signal.raise_signal(signal.SIGTERM)
            told.append("block")
        assert told == ["block", "signal"]
        with undisturbed():
            pass
        signal.raise_signal(signal.SIGTERM)
        assert told == ["block", "signal", "signal"]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_names_are_whole(tmp_path: Path) -> None:
    assert names_file(b"map_Kd a.png\n", "a.png")
    assert not names_file(b"map_Kd aa.png\nmap_Kd a.png.bak\nmap_Kd tex/a.png", "a.png")
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "a_2.png").write_bytes(b"")
    text = b"map_Kd a.png\nmap_Kd a_2.png"
    assert left_behind(tmp_path / "a.png", text, (tmp_path / "a_2.png",), ()) == (tmp_path / "a.png",)
    assert left_behind(tmp_path / "a.png", text, (), ((tmp_path / "a.png").resolve(),)) == (
        tmp_path / "a_2.png",
    )
