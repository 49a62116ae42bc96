"""Watching a folder: what counts as come to rest, what is painted again, how it ends. Time is the test's own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from meshstyle.batch import watch
from meshstyle.batch.contract import BatchProgress
from meshstyle.batch.options import BatchInput, BatchOptions
from meshstyle.batch.tree import Tree
from meshstyle.batch.watch import Clock, watch_request
from meshstyle.errors import InputError, UsageError

DATA = Path(__file__).parent / "data"
WORK = {"preset": "draft", "iterations": 1, "views": 4, "texture_size": 64, "threads": 1}


class Time:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        return self.seconds


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_file_has_come_to_rest_when_two_looks_agree(tmp_path: Path) -> None:
    tree = Tree(tmp_path, tmp_path / "out", tuple, Time().now)
    model = write(tmp_path / "a.glb", "half")
    write(tmp_path / "out" / "b.glb", "a result")
    tree.look()
    assert not tree.is_ready(model)
    tree.look()
    assert tree.is_ready(model)
    assert list(tree.at_rest) == [model]
    write(model, "half and half")
    tree.look()
    assert not tree.is_ready(model)
    tree.look()
    assert tree.is_ready(model)


def test_only_models_of_several_files_wait_for_their_folder(tmp_path: Path) -> None:
    tree = Tree(tmp_path, tmp_path / "out", tuple, Time().now)
    alone, house = write(tmp_path / "a.glb", ""), write(tmp_path / "house" / "house.obj", "")
    other = write(tmp_path / "other" / "other.obj", "")
    tree.look()
    write(tmp_path / "house" / "textures" / "wall.png", "half")
    tree.look()
    assert [tree.is_ready(model) for model in (alone, house, other)] == [True, False, True]


def test_it_knows_for_how_long_nothing_changed(tmp_path: Path) -> None:
    clock = Time()
    tree = Tree(tmp_path, tmp_path / "out", tuple, clock.now)
    model = write(tmp_path / "a" / "a.gltf", "")
    tree.look()
    assert tree.rested(model) == float("inf")  # it was there before
    write(tmp_path / "a" / "a.bin", "")
    clock.seconds = 110
    tree.look()
    clock.seconds = 125
    tree.look()
    assert tree.rested(model) == 15


@pytest.mark.parametrize("folder", [".", "in", "in/../in"])
def test_relative_folders_are_as_good(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "in" / "a.obj", "")
    tree = Tree(Path(folder), Path("out"), tuple, Time().now)
    tree.look()
    tree.look()
    (model,) = tree.models
    assert tree.is_ready(model)
    assert len(tree.surroundings(model)) == 1


class Script:
    """What happens at each wait of a watch, as seconds go by; after the last step, Ctrl-C."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self.steps, self.seconds = list(steps), 0.0
        self.records: list[BatchProgress] = []

    def wait(self, seconds: float) -> None:
        self.seconds += seconds
        if not self.steps:
            raise KeyboardInterrupt
        self.steps.pop(0)()

    def clock(self) -> Clock:
        return Clock(lambda: self.seconds, self.wait)

    @property
    def finished(self) -> list[tuple[str, str]]:
        ended = [record.finished for record in self.records if record.finished]
        return [(outcome.job, outcome.state.value) for outcome in ended]

    @property
    def messages(self) -> str:
        return "\n".join(record.message for record in self.records if record.stage == "watch")


def nothing() -> None:
    """Time goes by."""


def request(tmp_path: Path, style: str = "starry-night") -> BatchInput:
    return BatchInput(tmp_path / "in", tmp_path / "out", (style,), WORK, BatchOptions(workers=1))


def test_new_and_changed_models_are_painted_and_no_others(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    house = DATA / "building_A"

    def begin_house() -> None:  # without the files it needs
        shutil.copytree(house, folder / "house", ignore=shutil.ignore_patterns("*.mtl", "*.png"))
        write(
            folder / "broken.gltf",
            '{"asset": {"version": "2.0"}, "buffers": [{"uri": "b.bin", "byteLength": 4}]}',
        )

    def touch() -> None:
        os.utime(folder / "cubevc.glb")

    def remove() -> None:
        (folder / "cubevc.glb").unlink()

    def late() -> None:
        script.seconds += watch.PATIENCE

    script = Script(
        nothing,
        lambda: shutil.copy(DATA / "cubevc" / "cubevc.glb", folder),
        nothing,  # painted
        touch,
        nothing,  # looked at, not painted
        begin_house,
        nothing,  # the house is painted without its texture; the broken one is held back
        late,  # and called failed
        nothing,
        lambda: shutil.copytree(house, folder / "house", dirs_exist_ok=True),
        nothing,  # painted again; the broken one is tried again, since files beside it are new
        remove,
        nothing,
    )
    result = watch_request(request(tmp_path), script.records.append, script.clock())
    done = [job for job, state in script.finished if state == "done"]
    failed = [job for job, state in script.finished if state == "failed"]
    assert done == ["cubevc.glb", "house/building_A.obj", "house/building_A.obj"]
    assert set(failed) == {"broken.gltf"}
    assert f"{folder / 'cubevc.glb'} is gone; what was made of it stays." in script.messages
    assert (out / "cubevc.glb").is_file()
    assert [outcome.job for outcome in result.failed] == ["broken.gltf"]
    assert result.to_dict()["done"] == 2
    assert json.loads((out / "report.json").read_text())["state"] == "done"


def test_what_makes_no_sense_ends_it_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        watch_request(request(tmp_path), print, Script().clock())
    shutil.copytree(DATA / "cubevc", tmp_path / "in")
    with pytest.raises(UsageError, match="nobody"):
        watch_request(request(tmp_path, "nobody"), print, Script(nothing).clock())


@pytest.mark.parametrize(("broken", "code"), [(False, 0), (True, 4)])
def test_ctrl_c_is_its_ordinary_end(broken: bool, code: int, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    if broken:
        (folder / "broken.glb").write_bytes(b"glTF")
    line = [
        "batch",
        "--watch",
        str(folder),
        "-o",
        str(out),
        "-s",
        "starry-night",
        "--workers",
        "1",
        "--threads",
        "1",
    ]
    command = [sys.executable, "-m", "meshstyle", *line, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        assert any("watching" in line for line in lines)
        if broken:
            assert any(line.startswith("watching, 0 done, 1 failed") for line in lines)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=60)
    assert process.returncode == code
    assert json.loads(told)["failed"] == int(broken)
