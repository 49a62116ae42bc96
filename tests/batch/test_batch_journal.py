"""What a batch remembers: torn lines, full disks, files of others, locks."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from meshstyle.batch.failures import failure_of, lost
from meshstyle.batch.hashing import hash_file
from meshstyle.batch.journal import Journal
from meshstyle.batch.model_summary import ModelSummary
from meshstyle.batch.options import BatchInput, BatchOptions
from meshstyle.batch.place_results import is_up_to_date, place
from meshstyle.batch.run import Run
from meshstyle.batch.state import StateFolder, exclusive
from meshstyle.batch.types import (
    BatchProgress,
    Failure,
    FailureKind,
    FileHash,
    Job,
    JobState,
    Outcome,
    ignore,
)
from meshstyle.config.model import Settings
from meshstyle.errors import AssetError, OutputError
from meshstyle.style.color_statistics import Colours


def staged(tmp_path: Path, job: str, files: dict[str, str], key: str = "k") -> Outcome:
    """An outcome whose files lie in a staging folder."""
    folder = tmp_path / "staging" / job.replace("/", "_")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    hashes = tuple(FileHash(name, hash_file(folder / name)) for name in files)
    return Outcome(job, key, JobState.DONE, 1.5, files=hashes, figures={"views": 4.0}, staged=folder)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    look = ModelSummary(
        "l", (FileHash("a.bin", None),), 2.0, 3, 4, ("t",), Colours((0.1,), ((0.2,),)), only=("x",)
    )
    failure = Failure(FailureKind.CRASH, "a", "it died", "Look.", "trace")
    failed = Outcome("a", "k", JobState.FAILED, attempts=2, warnings=("w",), failure=failure)
    journal.decide_threads(2)
    journal.remember_summary(look)
    journal.remember_sound("s")
    journal.finish(failed)
    again = Journal(tmp_path / "journal")
    assert again.outcomes == {"a": failed}
    assert (again.summaries, again.threads, again.sound) == ({"l": look}, 2, {"s"})


@pytest.mark.parametrize("tail", [b'{"outcome":{"job"', b"\x00\x00\x00", b'{"threads":7}'])
def test_a_torn_last_line_is_dropped_and_written_over(tmp_path: Path, tail: bytes) -> None:
    journal = Journal(tmp_path / "journal")
    journal.decide_threads(2)
    with journal.path.open("ab") as stream:
        stream.write(tail)
    again = Journal(journal.path)
    assert again.threads == 2
    again.remember_sound("s")
    lines = journal.path.read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"meshstyle": 1}, {"threads": 2}, {"sound": "s"}]


def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "journal")
    journal.decide_threads(2)
    before, write = journal.path.read_bytes(), os.write

    def half(handle: int, data: bytes) -> int:
        if len(data) < 8:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, bytes(data)[: len(data) // 2])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OutputError, match="No space left on device"):
        journal.remember_sound("s")
    monkeypatch.undo()
    assert journal.path.read_bytes() == before
    journal.remember_sound("s")
    assert Journal(journal.path).sound == {"s"}


def test_a_journal_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text('{"meshstyle":99}\n')
    with pytest.raises(OutputError, match="another version"):
        Journal(tmp_path / "journal")


def test_overtaken_lines_go_when_there_are_many(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    outcome = staged(tmp_path, "a.glb", {"a.glb": "1"})
    for _ in range(120):
        journal.finish(replace(outcome, staged=None))
    before = journal.path.stat().st_size
    journal.compact()
    assert journal.path.stat().st_size < before / 20
    again = Journal(journal.path)
    assert again.outcomes == journal.outcomes
    assert again.files_of("a.glb") == ("a.glb",)


def test_files_are_placed_and_remembered(tmp_path: Path) -> None:
    out, journal = tmp_path / "out", Journal(tmp_path / "journal")
    placed = place(staged(tmp_path, "b/a.obj", {"b/a.obj": "o", "b/a.mtl": "m"}), out, journal)
    assert placed.staged is None
    assert (out / "b" / "a.obj").read_text() + (out / "b" / "a.mtl").read_text() == "om"
    source = tmp_path / "a.obj"
    job = Job("b/a.obj", "a.obj", source, "s", source, "b/a.obj", Settings(), "k")
    assert is_up_to_date(job, out, Journal(journal.path))
    assert not is_up_to_date(replace(job, key="other"), out, journal)
    (out / "b" / "a.mtl").unlink()
    assert not is_up_to_date(job, out, journal)


def test_a_source_that_changed_makes_a_job_anew(tmp_path: Path) -> None:
    out, journal, source = tmp_path / "out", Journal(tmp_path / "journal"), tmp_path / "a.gltf"
    (tmp_path / "a.bin").write_text("1")
    outcome = staged(tmp_path, "a.gltf", {"a.gltf": "o"})
    sources = (FileHash("a.bin", hash_file(tmp_path / "a.bin")), FileHash("not there.png", None))
    place(replace(outcome, sources=sources), out, journal)
    job = Job("a.gltf", "a.gltf", source, "s", source, "a.gltf", Settings(), "k")
    assert is_up_to_date(job, out, journal)
    (tmp_path / "not there.png").write_text("now it is")
    assert not is_up_to_date(job, out, journal)


def test_files_that_a_new_result_has_no_more_go(tmp_path: Path) -> None:
    out, journal = tmp_path / "out", Journal(tmp_path / "journal")
    place(staged(tmp_path, "a.gltf", {"a.gltf": "1", "a.png": "p", "shared.bin": "b"}), out, journal)
    place(staged(tmp_path, "c.gltf", {"c.gltf": "1", "shared.bin": "b"}), out, journal)
    place(staged(tmp_path, "a.gltf", {"a.gltf": "2", "a.webp": "w"}), out, journal)
    assert sorted(path.name for path in out.iterdir()) == ["a.gltf", "a.webp", "c.gltf", "shared.bin"]


@pytest.mark.parametrize("whose", ["the user's", "another model's"])
def test_files_of_others_are_not_overwritten(tmp_path: Path, whose: str) -> None:
    out, journal = tmp_path / "out", Journal(tmp_path / "journal")
    if whose == "the user's":
        out.mkdir()
        (out / "a.png").write_text("mine")
    else:
        place(staged(tmp_path, "b.gltf", {"b.gltf": "b", "a.png": "mine"}), out, journal)
    placed = place(staged(tmp_path, "a.gltf", {"a.gltf": "1", "a.png": "new"}), out, journal)
    assert placed.state is JobState.FAILED
    assert placed.failure is not None
    assert ("did not make" if whose == "the user's" else "of b.gltf") in placed.failure.cause
    assert (out / "a.png").read_text() == "mine"
    assert not (out / "a.gltf").exists()


def test_placing_that_was_cut_short_is_known_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The companion lies there, the model does not: the next run may overwrite it."""
    out, journal, rename = tmp_path / "out", Journal(tmp_path / "journal"), os.replace

    def full(source: Path, target: Path) -> None:
        if str(target).endswith(".obj"):
            raise OSError(errno.ENOSPC, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match=r"a\.obj.*No space left on device"):
        place(staged(tmp_path, "a.obj", {"a.obj": "1", "a.mtl": "m"}), out, journal)
    monkeypatch.undo()
    assert [path.name for path in out.iterdir()] == ["a.mtl"]
    again = Journal(journal.path)
    assert again.outcomes == {}
    place(staged(tmp_path, "a.obj", {"a.obj": "2", "a.mtl": "n"}), out, again)
    assert (out / "a.mtl").read_text() == "n"


def test_one_batch_at_a_time_and_nothing_left_of_one_that_did_nothing(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "out" / ".meshstyle")
    with exclusive(state):
        again = exclusive(state)
        with pytest.raises(OutputError, match=rf"another batch is working in it \(process {os.getpid()} on "):
            again.__enter__()
        (state.staging / "left over").write_text("x")
        state.journal.write_text("")
    assert not state.staging.exists()
    with exclusive(state):
        state.journal.unlink()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), FailureKind.OUTPUT),
        (OSError(errno.ENAMETOOLONG, "File name too long"), FailureKind.BUG),
        (AssetError("a.glb", "it is damaged", "Mend it."), FailureKind.INPUT),
        (MemoryError(), FailureKind.MEMORY),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), FailureKind.MEMORY),
        (ZeroDivisionError("no"), FailureKind.BUG),
    ],
)
def test_what_went_wrong_is_told_apart(error: Exception, kind: FailureKind) -> None:
    job = Job("a.glb", "a.glb", Path("a.glb"), "s", Path("s"), "a.glb", Settings(), "k")
    assert failure_of(job, error).kind is kind
    if isinstance(error, OSError):
        wrapped = OutputError("a.glb", "it cannot be written", "Try again.")
        wrapped.__cause__ = error
        expected = FailureKind.OUTPUT if kind is FailureKind.OUTPUT else FailureKind.INPUT
        assert failure_of(job, wrapped).kind is expected


class FullEngine:
    """Satisfies `contract.Engine`: its first job finds the disk full, the second is never asked for."""

    workers = 1

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        for job in jobs:
            failure = failure_of(job, OSError(errno.ENOSPC, "No space left on device"))
            yield Outcome(job.id, job.key, JobState.FAILED, failure=failure)


def test_a_full_disk_ends_the_batch_in_one_line_and_the_journal_goes_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    jobs = tuple(
        Job(name, name, tmp_path / name, "s", tmp_path / "s", name, Settings(), "k")
        for name in ("a.glb", "b.glb")
    )
    request = BatchInput(tmp_path, tmp_path / "out")
    with pytest.raises(OutputError, match=r"out/a\.glb: it cannot be written \(No space left on device\)"):
        Run(jobs, request, journal, FullEngine(), ignore).all()
    assert set(Journal(journal.path).outcomes) == {"a.glb"}


class FlakyEngine:
    """Its jobs' processes die at the first attempt."""

    workers = 1

    def __init__(self) -> None:
        self.asked: list[str] = []

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        for job in jobs:
            self.asked.append(job.id)
            if self.asked.count(job.id) == 1:
                yield lost(job, FailureKind.CRASH, "its process died")
            else:
                yield Outcome(job.id, job.key, JobState.DONE)


@pytest.mark.parametrize(("retries", "asked"), [(0, ["a", "b"]), (1, ["a", "b", "a", "b"])])
def test_what_died_is_tried_again_when_all_others_had_their_turn(
    tmp_path: Path, retries: int, asked: list[str]
) -> None:
    jobs = tuple(Job(n, n, tmp_path / n, "s", tmp_path, n, Settings(), "k") for n in ("a", "b"))
    request, engine = BatchInput(tmp_path, tmp_path, options=BatchOptions(retries=retries)), FlakyEngine()
    records: list[BatchProgress] = []
    outcomes = Run(jobs, request, Journal(tmp_path / "journal"), engine, records.append).all()
    assert engine.asked == asked
    state = JobState.DONE if retries else JobState.FAILED
    assert [(outcome.state, outcome.attempts) for outcome in outcomes] == [(state, retries + 1)] * 2
    assert (records[-1].left, records[-1].running) == (0, ())


def test_a_file_that_cannot_be_read_has_no_digest(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert [hash_file(path) for path in (tmp_path, tmp_path / "none", tmp_path / "loop")] == [None] * 3
