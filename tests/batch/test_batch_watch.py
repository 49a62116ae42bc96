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
from dataclasses import replace
from pathlib import Path

import pytest
from meshstyle.cli.main import main

from meshstyle.batch.hashing import hash_file
from meshstyle.batch.inspect_model import summarize_model
from meshstyle.batch.model_summary import SummaryRequest
from meshstyle.batch.options import BatchInput, BatchOptions
from meshstyle.batch.path_filter import PathFilter
from meshstyle.batch.prepare import Prepared, read_job_specs
from meshstyle.batch.results import BatchResult
from meshstyle.batch.types import (
    BatchCallback,
    BatchProgress,
    Failure,
    FailureKind,
    FileHash,
    Job,
    JobState,
    Outcome,
)
from meshstyle.batch.watch import watch
from meshstyle.batch.watch.tree import Tree
from meshstyle.batch.watch.watch import Clock, watch_request
from meshstyle.batch.worker_count import WorkerPlan
from meshstyle.config.model import Settings
from meshstyle.errors import InputError, PictureError

DATA = Path(__file__).parents[1] / "data"
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


class Pretender:
    """A batch that looks at models for real and pretends to paint them; what it did stays done as in a journal."""

    def __init__(self) -> None:
        self.done: dict[str, tuple[FileHash, ...]] = {}

    def run_once(self, request: BatchInput, progress: BatchCallback, path_filter: PathFilter) -> BatchResult:
        wanted = path_filter.admit(read_job_specs(request))
        looks = {
            name: summarize_model(SummaryRequest(wanted.folder / name, settings))
            for name, settings in wanted.settings.items()
        }
        jobs = tuple(self.job(name, wanted.folder / name) for name in looks)
        prepared = path_filter.hold_back(Prepared(jobs, looks, WorkerPlan(1, 1), ()))
        known = path_filter.known(prepared.jobs)
        outcomes = []
        for job in prepared.jobs:
            look = looks[job.model]
            outcome = known.get(job.id, Outcome(job.id, job.key, JobState.DONE, sources=look.sources))
            if look.problem and job.id not in known:
                failure = Failure(FailureKind.INPUT, job.model, look.problem, "")
                outcome = replace(outcome, state=JobState.FAILED, failure=failure)
            if job.id not in known and self.done.get(job.id) != look.sources:
                self.done[job.id] = look.sources if outcome.state is JobState.DONE else ()
                progress(BatchProgress("run", finished=outcome))
            outcomes.append(outcome)
        return BatchResult(request.output, prepared.jobs, tuple(outcomes), prepared.worker_plan, 0.0, ())

    @staticmethod
    def job(name: str, source: Path) -> Job:
        key = hash_file(source) or ""
        return Job(name, name, source, "scream", source, name, Settings(), key)


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "run_once", Pretender().run_once)


def test_new_and_changed_models_are_painted_and_no_others(tmp_path: Path, pretended: None) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    house = DATA / "building_A"
    script = Script(
        nothing,
        lambda: shutil.copy(DATA / "cubevc" / "cubevc.glb", folder),
        nothing,
        lambda: os.utime(folder / "cubevc.glb"),  # looked at again, and found the same
        nothing,
        lambda: shutil.copytree(house, folder / "house", ignore=shutil.ignore_patterns("*.mtl", "*.png")),
        nothing,
        lambda: shutil.copytree(house, folder / "house", dirs_exist_ok=True),  # what the house had lacked
        nothing,
        lambda: (folder / "cubevc.glb").unlink(),
        nothing,
    )
    result = watch_request(request(tmp_path), script.records.append, script.clock())
    house_done = ("house/building_A.obj", "done")
    assert script.finished == [("cubevc.glb", "done"), house_done, house_done]
    assert f"{folder / 'cubevc.glb'} is gone; what was made of it stays." in script.messages
    assert result.to_dict()["done"] == 2


def test_a_model_waits_for_what_it_lacks_before_it_is_called_failed(tmp_path: Path, pretended: None) -> None:
    folder, source = tmp_path / "in", DATA / "plastic_monobloc_chair_01_1k"
    folder.mkdir()
    (model,) = source.glob("*.gltf")
    script = Script(
        nothing,
        lambda: shutil.copytree(source, folder / "chair", ignore=shutil.ignore_patterns("*.bin")),
        nothing,
        nothing,
        lambda: shutil.copytree(source, folder / "chair", dirs_exist_ok=True),
        nothing,
    )
    watch_request(request(tmp_path), script.records.append, script.clock())
    assert script.finished == [(f"chair/{model.name}", "done")]


def test_what_failed_is_tried_again_when_something_beside_it_changes(tmp_path: Path, pretended: None) -> None:
    folder = tmp_path / "in"
    folder.mkdir()

    def late() -> None:
        script.seconds += watch.PATIENCE

    script = Script(
        nothing,
        lambda: write(folder / "a" / "broken.gltf", "{"),
        nothing,  # held back
        late,  # called failed
        lambda: write(folder / "b" / "broken.glb", ""),
        nothing,
        late,
        lambda: write(folder / "a" / "some.bin", ""),
        nothing,  # held back
        late,
    )
    result = watch_request(request(tmp_path), script.records.append, script.clock())
    a, b = ("a/broken.gltf", "failed"), ("b/broken.glb", "failed")
    assert script.finished == [a, b, a]
    assert len(result.failed) == 2


def test_what_makes_no_sense_ends_it_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        watch_request(request(tmp_path), print, Script().clock())
    shutil.copytree(DATA / "cubevc", tmp_path / "in")
    with pytest.raises(PictureError, match="nobody"):
        watch_request(request(tmp_path, "nobody"), print, Script(nothing).clock())


def test_ctrl_c_is_its_ordinary_end(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    write(folder / "broken.glb", "glTF")
    line = ["batch", "--watch", str(folder), "-o", str(out), "-s", "starry-night"]
    command = [sys.executable, "-m", "meshstyle", *line, "--workers", "1", "--threads", "1", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any(
            line.startswith("watching, 0 done, 1 failed") for line in iter(process.stderr.readline, "")
        )
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=60)
    assert process.returncode == 4
    assert json.loads(told)["failed"] == 1
    report = json.loads((out / "report.json").read_text())
    assert (report["state"], report["assets"][0]["state"]) == ("done", "failed")


def test_it_ends_well_where_nothing_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    monkeypatch.setattr(watch.time, "sleep", Script().wait)  # Ctrl-C while it waits
    line = [str(tmp_path / "in"), "--watch", "-o", str(tmp_path / "out"), "-s", "starry-night", "-q"]
    assert main(["batch", *line]) == 0
