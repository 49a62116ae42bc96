"""All files or none, and never a source."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from meshstyle.errors import OutputError
from meshstyle.io import atomic_write
from meshstyle.io.atomic_write import write_all


def test_writes_all_in_order_and_leaves_no_temporaries(tmp_path: Path) -> None:
    first, second = tmp_path / "new" / "a.glb", tmp_path / "new" / "b.png"
    assert write_all({first: b"one", second: b"two"}, ()) == (first, second)
    assert {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()} == {
        "a.glb": b"one",
        "b.png": b"two",
    }


def test_a_failed_rename_restores_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "a.glb"
    old.write_bytes(b"old")
    real = os.replace

    def fail_on_second(source: Path, target: Path) -> None:
        if Path(target).name == "b.png":
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(atomic_write.os, "replace", fail_on_second)
    with pytest.raises(OutputError, match=r"b\.png: it cannot be written \(No space left"):
        write_all({old: b"new", tmp_path / "made" / "b.png": b"x"}, ())
    assert old.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.glb"]


@pytest.mark.parametrize("alias", ["same", "dotted", "symlink", "hard link"])
def test_refuses_a_source_by_any_name(tmp_path: Path, alias: str) -> None:
    source, target = tmp_path / "in.glb", tmp_path / "alias.glb"
    source.write_bytes(b"in")
    if alias == "same":
        target = source
    elif alias == "dotted":
        target = tmp_path / "." / "x" / ".." / "in.glb"
    elif alias == "symlink":
        target.symlink_to(source)
    else:
        target.hardlink_to(source)
    with pytest.raises(OutputError, match="never overwritten"):
        write_all({tmp_path / "other": b"1", target: b"2"}, iter([source]))
    assert source.read_bytes() == b"in"
    assert not (tmp_path / "other").exists()


def test_refuses_a_folder_a_file_as_folder_and_equal_names(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="this is a folder"):
        write_all({tmp_path: b""}, ())
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be written"):
        write_all({tmp_path / "file" / "x.glb": b""}, ())
    with pytest.raises(OutputError, match="same name"):
        write_all({tmp_path / "a": b"", tmp_path / "." / "b" / ".." / "a": b""}, ())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_replaces_a_link_and_not_what_it_points_at(tmp_path: Path) -> None:
    elsewhere, link = tmp_path / "elsewhere", tmp_path / "link.glb"
    elsewhere.write_bytes(b"mine")
    link.symlink_to(elsewhere)
    write_all({link: b"new"}, ())
    assert (elsewhere.read_bytes(), link.read_bytes(), link.is_symlink()) == (b"mine", b"new", False)
