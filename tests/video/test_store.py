"""Finished frames on the disk: whole or not there, of one job, of one process at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from meshstyle.errors import InputError, OutputError
from meshstyle.video.store import FrameStore, store_folder


def paint(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)


@pytest.fixture
def store(tmp_path: Path) -> FrameStore:
    return FrameStore(store_folder(tmp_path / "film.mp4"))


def test_paint_comes_back_as_it_was(store: FrameStore) -> None:
    store.begin({"a": 1}, resume=True)
    assert not store.has(1, 0)
    store.write(1, 0, paint(0))
    store.write(2, 0, paint(1))
    np.testing.assert_array_equal(store.read(1, 0), paint(0))
    assert store.latest(0, 2) == store.path(2, 0)
    assert store.latest(0, 1) == store.path(1, 0)
    assert store.latest(1, 2) is None
    store.drop(1, [0, 5])
    assert not store.has(1, 0)
    assert store.has(2, 0)


def test_frames_of_another_job_are_of_no_use(store: FrameStore) -> None:
    assert not store.begin({"a": 1}, resume=True)
    store.write(1, 0, paint(0))
    assert store.is_of({"a": 1})
    assert not store.begin({"a": 1}, resume=True)
    assert store.has(1, 0)
    assert not store.is_of({"a": 2})
    assert store.begin({"a": 2}, resume=True)
    assert not store.has(1, 0)


def test_nothing_is_resumed_where_that_is_not_wanted(store: FrameStore) -> None:
    store.begin({"a": 1}, resume=True)
    store.write(1, 0, paint(0))
    assert not store.begin({"a": 1}, resume=False)
    assert not store.has(1, 0)


def test_one_run_at_a_time(store: FrameStore) -> None:
    with (
        store.exclusive(),
        pytest.raises(OutputError, match="another run is painting into it"),
        FrameStore(store.folder).exclusive(),
    ):
        pass


def test_what_holds_no_frames_goes_away(store: FrameStore) -> None:
    with store.exclusive():
        store.begin({}, resume=True)
    assert not store.folder.exists()
    with store.exclusive():
        store.begin({}, resume=True)
        store.write(1, 3, paint(0))
    assert store.has(1, 3)


def test_a_file_that_was_changed_is_one_line(store: FrameStore) -> None:
    store.begin({}, resume=True)
    store.write(1, 0, paint(0))
    store.path(1, 0).write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"Delete film\.mp4\.frames"):
        store.read(1, 0)


def test_a_place_without_room_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OutputError, match="it cannot be written to"),
        FrameStore(tmp_path / "file" / "x").exclusive(),
    ):
        pass
