"""Machine code that was kept: it is executed, so only this user's own is read."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from meshstyle.kernels import load
from meshstyle.kernels.cache import is_private, keep, read_kept

pytestmark = pytest.mark.skipif(not hasattr(os, "getuid"), reason="the system knows no owners")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where something is kept."""
    place = tmp_path / "meshstyle" / "kernels" / "kernels-1234"
    keep(place, b"code")
    return place


def test_what_is_kept_is_read_and_is_the_users_alone(tmp_path: Path) -> None:
    place = tmp_path / "meshstyle" / "kernels" / "kernels-1234"
    before = os.umask(0)
    try:
        keep(place, b"code")
    finally:
        os.umask(before)
    assert read_kept(place) == b"code"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (place, place.parent, place.parent.parent)]
    assert modes == [0o600, 0o700, 0o700]
    assert list(place.parent.iterdir()) == [place]


def test_contents_of_another_place_are_not_read(place: Path) -> None:
    other = place.with_name("kernels-5678")
    other.write_bytes(place.read_bytes())
    assert read_kept(other) is None
    place.write_bytes(hashlib.sha256(b"foreign").digest() + b"foreign")
    assert read_kept(place) is None


def writable_file(place: Path) -> None:
    place.chmod(0o602)


def group_writable_file(place: Path) -> None:
    place.chmod(0o620)


def writable_folder(place: Path) -> None:
    place.parent.chmod(0o777)


def held_but_writable_folder(place: Path) -> None:
    place.parent.chmod(0o1777)  # others may put a file where there is none


def writable_above(place: Path) -> None:
    place.parent.parent.chmod(0o770)


def link(place: Path) -> None:
    place.rename(place.with_name("real"))
    place.symlink_to("real")


def device(place: Path) -> None:
    place.unlink()
    place.symlink_to("/dev/zero")


def pipe(place: Path) -> None:
    place.unlink()
    os.mkfifo(place)


def folder(place: Path) -> None:
    place.unlink()
    place.mkdir()


def endless(place: Path) -> None:
    with place.open("r+b") as stream:
        stream.truncate(1 << 40)


def others(place: Path) -> None:
    os.chown(place, os.getuid() + 1, -1)


def others_folder(place: Path) -> None:
    os.chown(place.parent, os.getuid() + 1, -1)


SPOILT = [
    writable_file,
    group_writable_file,
    writable_folder,
    held_but_writable_folder,
    writable_above,
    link,
    device,
    pipe,
    folder,
]


@pytest.mark.parametrize("spoil", [*SPOILT, endless])
def test_what_others_may_have_written_is_not_read(place: Path, spoil: Callable[[Path], None]) -> None:
    assert read_kept(place) == b"code"
    spoil(place)
    assert read_kept(place) is None


@pytest.mark.parametrize("spoil", SPOILT)
def test_nor_is_anything_kept_there(place: Path, spoil: Callable[[Path], None]) -> None:
    spoil(place)
    before = place.lstat()
    with pytest.raises(OSError, match=r"others may write|not a file of this user"):
        keep(place, b"new")
    assert (place.lstat().st_ino, place.lstat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert not list(place.parent.glob(".*"))


@pytest.mark.skipif(getattr(os, "getuid", int)() != 0, reason="only root gives files away")
@pytest.mark.parametrize("spoil", [others, others_folder])
def test_what_is_another_users_is_not_read(place: Path, spoil: Callable[[Path], None]) -> None:
    spoil(place)
    assert read_kept(place) is None
    with pytest.raises(OSError, match=r"others may write|not a file of this user"):
        keep(place, b"new")


def test_a_damaged_one_of_the_users_own_is_replaced(place: Path) -> None:
    place.write_bytes(b"short")
    assert read_kept(place) is None
    keep(place, b"new")
    assert read_kept(place) == b"new"


def test_what_is_not_there_is_not_private(tmp_path: Path) -> None:
    assert is_private(tmp_path)
    assert not is_private(tmp_path / "nothing")


def test_kernels_that_may_not_be_kept_are_compiled_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "kernels" / "kernels-1"
    place.parent.mkdir()
    place.parent.chmod(0o777)
    compiled: list[bool] = []
    monkeypatch.setattr(load, "_place", lambda: place)
    monkeypatch.setattr(load, "_compile", lambda: compiled.append(True) or b"code")
    monkeypatch.setattr(load, "Program", lambda code: code)
    monkeypatch.setattr(load, "check", lambda program: None)
    for _ in range(2):
        assert load.load_kernels.__wrapped__().fresh
    assert len(compiled) == 2
    assert not place.exists()
