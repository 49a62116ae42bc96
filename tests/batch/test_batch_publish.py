"""Batches from and to URLs: what is fetched, what is brought, and in which order."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
from helpers.batches import DATA, ONE, WORK, tree

from meshstyle.batch.options import BatchOptions
from meshstyle.batch.remote.publish import ResultCopy, at_hand
from meshstyle.batch.run import run_batch
from meshstyle.batch.types import BatchProgress, JobState
from meshstyle.bundled import find_style
from meshstyle.errors import InputError, OutputError, PictureError, UsageError
from meshstyle.io.remote import is_url, local_path
from meshstyle.stylize_model import stylize


def put(storage: Any, folder: Path, to: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            storage.pipe_file(f"{to}/{path.relative_to(folder).as_posix()}", path.read_bytes())


def lies_in(storage: Any, folder: str) -> dict[str, bytes]:
    """What lies there, without the batch's own state."""
    found = {name.removeprefix(f"{folder}/"): storage.cat_file(name) for name in storage.find(folder)}
    return {name: data for name, data in found.items() if not name.startswith(".meshstyle/")}


def test_a_batch_from_url_to_url_gives_the_bytes_of_the_single_command(storage: Any, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(DATA / "building_A", models / "houses")
    (models / "broken.glb").write_bytes(b"glTF")
    put(storage, models, "/bucket/models")
    storage.pipe_file("/bucket/art/night.jpg", find_style("starry-night").read_bytes())
    given = "memory://bucket/models", "memory://bucket/out", "memory://bucket/art/night.jpg"
    records: list[BatchProgress] = []

    result = run_batch(*given, WORK, ONE, records.append)

    assert [outcome.state for outcome in result.outcomes] == [JobState.FAILED, JobState.DONE]
    failure = result.outcomes[0].failure
    assert failure is not None
    assert failure.subject == "memory://bucket/models/broken.glb"
    stylize(
        models / "houses" / "building_A.obj", given[2], tmp_path / "out" / "houses" / "building_A.obj", **WORK
    )
    remote = lies_in(storage, "/bucket/out")
    painted = {name: data for name, data in remote.items() if not name.startswith("report.")}
    assert painted == tree(tmp_path / "out")
    assert {"report.html", "report.json"} < set(remote)
    assert "/bucket/out/.meshstyle/holder.json" not in storage.find("/bucket/out")

    shutil.rmtree(tmp_path / "cache")  # another machine
    again = run_batch(*given, WORK, ONE)
    assert [outcome.earlier for outcome in again.outcomes] == [False, True]
    now = lies_in(storage, "/bucket/out")
    assert {name: now[name] for name in painted} == painted
    assert set(now) == set(remote)


def test_only_what_chosen_models_may_need_is_fetched(storage: Any) -> None:
    for name in (
        "a/one.obj",
        "a/tex/one.png",
        "b/two.glb",
        "b/two.png",
        "c/x.gltf",
        ".git/x.obj",
        "out/a/one.obj",
    ):
        storage.pipe_file(f"/bucket/{name}", b"x")
    options = BatchOptions(exclude=("c/",))
    with at_hand("memory://bucket", "memory://bucket/out", options) as places:
        assert set(tree(places.source)) == {"a/one.obj", "a/tex/one.png", "b/two.glb"}
    storage.rm_file("/bucket/b/two.glb")
    storage.pipe_file("/bucket/a/one.obj", b"changed")
    with at_hand("memory://bucket", "memory://bucket/out", options) as places:
        assert tree(places.source) == {"a/one.obj": b"changed", "a/tex/one.png": b"x"}


def test_the_model_is_brought_last_and_what_is_there_is_not_brought_again(
    storage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought: list[str] = []
    before = type(storage).put_file

    def put_file(self: Any, file: str, path: str, *rest: Any, **more: Any) -> None:
        brought.append(path)
        before(self, file, path, *rest, **more)

    monkeypatch.setattr(type(storage), "put_file", put_file)
    copy = ResultCopy("memory://out", tmp_path / "copy")
    for name in ("m.obj", "m.mtl", "m.png"):
        (tmp_path / "copy" / name).write_text(name)
    copy.bring(["m.obj", "m.mtl", "m.png"])
    assert brought == ["/out/m.mtl", "/out/m.png", "/out/m.obj"]
    copy.bring(["m.obj", "m.mtl", "m.png"])
    assert len(brought) == 3


def test_files_of_others_are_there_but_not_fetched(storage: Any, tmp_path: Path) -> None:
    storage.pipe_file("/out/holiday.mp4", b"long")
    copy = ResultCopy("memory://out", tmp_path / "copy")
    copy.fetch()
    assert tree(tmp_path / "copy") == {"holiday.mp4": b""}
    with copy.held():
        pass
    assert lies_in(storage, "/out") == {"holiday.mp4": b"long"}


def test_one_batch_at_a_time(storage: Any, tmp_path: Path) -> None:
    first, second = (ResultCopy("memory://out", tmp_path / name) for name in ("first", "second"))
    with first.held(), pytest.raises(OutputError, match="another batch is working in it"), second.held():
        pass
    dead = {"pid": 2**22 + 1, "host": socket.gethostname(), "since": ""}
    storage.pipe_file("/out/.meshstyle/holder.json", json.dumps(dead).encode())
    with second.held():
        pass


@pytest.mark.parametrize(
    ("source", "output", "error"),
    [
        ("memory://nothing", "out", InputError),
        ("nosuchkind://bucket", "out", InputError),
        ("sftp://me:secret@host/models", "out", UsageError),
    ],
)
def test_places_that_cannot_be(storage: Any, source: str, output: str, error: type[Exception]) -> None:
    with pytest.raises(error) as caught, at_hand(source, output, BatchOptions()):
        pass
    assert "secret" not in str(caught.value)


def test_a_picture_that_is_not_there(storage: Any) -> None:
    with pytest.raises(PictureError, match="there is no such file"):
        find_style("memory://bucket/none.jpg")


def test_urls_of_local_files_are_paths() -> None:
    assert not is_url("file:///a/b")
    assert local_path("file:///a/b%20c") == Path("/a/b c")
    assert is_url("s3://bucket")
    assert not is_url("C:\\models")
