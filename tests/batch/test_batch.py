"""Batches in worker processes: what is painted, what fails alone, what a kill leaves."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.batches import DATA, ONE, WORK, tree
from meshstyle.cli.main import main

from meshstyle.batch.run import run_batch
from meshstyle.batch.types import BatchProgress, JobState
from meshstyle.errors import OutputError, PictureError
from meshstyle.stylize_model import stylize

LINE = ["--preset", "draft", "--iterations", "1", "--views", "4", "--texture-size", "64", "--threads", "1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sound models, one with files beside it, and a broken one."""
    folder = tmp_path_factory.mktemp("in")
    shutil.copytree(DATA / "building_A", folder / "houses")
    shutil.copy(DATA / "cubevc" / "cubevc.glb", folder)
    (folder / "broken.glb").write_bytes(b"glTF")
    (folder / "readme.txt").write_text("no model")
    return folder


@pytest.fixture(scope="module")
def painted(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT of an undisturbed batch."""
    out = tmp_path_factory.mktemp("work") / "out"
    records: list[BatchProgress] = []
    result = run_batch(folder, out, "starry-night", WORK, ONE, records.append)
    assert [outcome.state for outcome in result.outcomes] == [JobState.FAILED, JobState.DONE, JobState.DONE]
    last = [record for record in records if record.stage == "run"][-1]
    assert (last.done, last.failed, last.left) == (2, 1, 0)
    return out


def test_the_tree_is_mirrored_and_a_broken_model_fails_alone(folder: Path, painted: Path) -> None:
    assert set(tree(painted)) == {
        "cubevc.glb",
        "houses/building_A.obj",
        "houses/building_A.mtl",
        "houses/building_A.png",
    }
    assert not any((painted / ".meshstyle").glob("staging*"))


def test_a_batch_gives_the_bytes_of_the_single_command(folder: Path, painted: Path, tmp_path: Path) -> None:
    stylize(folder / "cubevc.glb", "starry-night", tmp_path / "cubevc.glb", **WORK)
    assert (tmp_path / "cubevc.glb").read_bytes() == (painted / "cubevc.glb").read_bytes()


def test_the_same_command_redoes_what_was_altered_and_nothing_else(
    folder: Path, painted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(painted)
    (painted / "cubevc.glb").write_bytes(b"altered")
    stamp = (painted / "houses" / "building_A.obj").stat().st_mtime_ns
    line = ["batch", str(folder), "-o", str(painted), "-s", "starry-night", "--workers", "1", "--json", "-q"]
    assert main([*line, *LINE]) == 4  # the broken one fails again
    told = json.loads(capsys.readouterr().out)
    assert (told["done"], told["failed"], told["earlier"]) == (1, 1, 1)
    assert tree(painted) == before
    assert (painted / "houses" / "building_A.obj").stat().st_mtime_ns == stamp


def test_a_rerun_of_some_tells_of_all_that_is_there(
    folder: Path, painted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With other settings, too, where --no-clobber keeps what is there."""
    before = tree(painted)
    line = ["batch", str(folder), "-o", str(painted), "-s", "starry-night", "--workers", "1", "--seed", "5"]
    some = ["--include", "cubevc.glb", "--no-clobber"]
    assert main([*line, *some, *LINE]) == 0
    err = capsys.readouterr().err.splitlines()
    assert err[-2].startswith("0 painted, 0 failed, 1 done before; in ")
    assert err[-1] == f"report: {painted}/report.html"
    assert tree(painted) == before
    assets = json.loads((painted / "report.json").read_bytes())["assets"]
    assert {asset["id"]: asset["state"] for asset in assets} == {
        "cubevc.glb": "done",
        "houses/building_A.obj": "done",
        "broken.glb": "failed",
    }
    house = next(asset for asset in assets if asset["id"].startswith("houses"))
    assert house["earlier"]
    assert house["figures"]
    assert house["pictures"]
    assert "houses/building_A.obj" in (painted / "report.html").read_text(encoding="utf-8")


def test_a_batch_that_was_killed_again_and_again_ends_the_same(
    folder: Path, painted: Path, tmp_path: Path
) -> None:
    """The short form of benchmarks/batch_kills.py: while it loads and looks, and later while it paints and places."""
    out, draw = tmp_path / "out", random.Random(1)
    line = [sys.executable, "-m", "meshstyle", "batch", str(folder), "-o", str(out), "-s", "starry-night"]
    line += ["--workers", "1", "-q", *LINE]
    for seconds in (0.7, 2.2, 3.7):
        process = subprocess.Popen(line, start_new_session=True, stderr=subprocess.DEVNULL)
        wait_for_lock(out, process)
        time.sleep(seconds + draw.uniform(0.0, 0.6))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    run_batch(folder, out, "starry-night", WORK, ONE)
    assert tree(out) == tree(painted)


def wait_for_lock(out: Path, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None and not (out / ".meshstyle" / "holder.json").exists():
        time.sleep(0.02)


def test_two_batches_exclude_each_other(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    line = [sys.executable, "-m", "meshstyle", "batch", str(folder), "-o", str(out), "-s", "starry-night"]
    with subprocess.Popen([*line, "-q", *LINE], start_new_session=True) as process:
        wait_for_lock(out, process)
        with pytest.raises(OutputError, match=rf"another batch is working in it \(process {process.pid} on "):
            run_batch(folder, out, "starry-night", WORK, ONE)
        os.killpg(process.pid, signal.SIGKILL)


def test_a_picture_that_is_none_ends_the_batch_before_it_begins(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "style.png").write_bytes(b"\x89PNG nothing")
    with pytest.raises(PictureError):
        run_batch(folder, tmp_path / "out", tmp_path / "style.png", WORK, ONE)
    assert not (tmp_path / "out").exists()
