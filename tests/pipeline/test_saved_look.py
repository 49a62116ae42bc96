"""Looks: saved beside their files, applied to any model, and those that ship."""

from __future__ import annotations

from pathlib import Path

import pytest
from meshstyle.cli.main import main

from meshstyle.bundled import find_look, find_styles, looks
from meshstyle.config.model import Settings
from meshstyle.errors import UsageError
from meshstyle.run_file import read_run_file
from meshstyle.saved_look import check_look_path, save_look


def test_a_look_comes_back_as_it_was_saved_wherever_it_is_read_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its paths count from its own folder, and nothing in it tells of the machine."""
    for name in ("a/ink.png", "a/m.png", 'a/s"x.png'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path / "a")
    settings = Settings(
        style_weights=(2, 1),
        strength_map='s"x.png',
        keep_colors="match",
        protect=("Eye*", "mask=m.png"),
        relief=0.5,
        threads=1,
        root=str(tmp_path),
    )
    (tmp_path / "b").mkdir()
    path = save_look(tmp_path / "b" / "look.toml", ["scream", "ink.png:mask=m.png:strength=0.5"], settings)
    text = path.read_text()
    assert str(tmp_path) not in text
    assert "threads" not in text
    assert 'style = ["scream", "../a/ink.png:mask=../a/m.png:strength=0.5"]' in text
    monkeypatch.chdir("/")
    run = read_run_file(path)
    found = run.settings()
    assert (found.style_weights, found.keep_colors, found.relief) == ((2, 1), "match", 0.5)
    assert found.strength_map is not None
    assert Path(found.strength_map).resolve() == tmp_path / 'a/s"x.png'
    assert found.protect[0] == "Eye*"
    assert Path(found.protect[1].removeprefix("mask=")).resolve() == tmp_path / "a" / "m.png"
    assert run.style is not None
    scream, ink = find_styles(run.style)
    assert scream.request.picture == "scream"
    assert [file.resolve() for file in ink.files] == [tmp_path / "a" / "ink.png", tmp_path / "a" / "m.png"]


def test_five_looks_ship_and_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [look.name for look in looks()] == ["oil", "ink", "woodcut", "watercolor", "comic"]
    for look in looks():
        run = read_run_file(look.name)
        assert run.path == look.path
        run.settings()
        assert run.style is not None
        find_styles(run.style)
    assert find_look("Watercolour") == find_look("watercolor")
    monkeypatch.chdir(tmp_path)
    Path("oil").write_text('style = "scream"')
    assert find_look("oil") == Path("oil")


def test_a_look_is_a_settings_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="no settings file"):
        check_look_path(tmp_path / "look.glb")
    arguments = ["stylize", "x.glb", "-s", "scream", "--save-look", str(tmp_path / "look.txt")]
    assert main(arguments) == 2
    assert "--save-look: look.txt is no settings file" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
