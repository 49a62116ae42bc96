"""What people type from habit leads somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from meshstyle.cli.main import main


def test_alone_it_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Usage: meshstyle" in err
    assert "turntable" in err
    assert err.endswith("error: meshstyle: no command was given. See: meshstyle --help.\n")


@pytest.mark.parametrize("line", [["help"], ["--help"]])
def test_help(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line) == 0
    assert "Usage: meshstyle [OPTIONS]" in capsys.readouterr().out


def test_help_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "info"]) == 0
    assert "Usage: meshstyle info" in capsys.readouterr().out


def test_version_in_short(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-V"]) == 0
    assert capsys.readouterr().out.startswith("meshstyle ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    with pytest.raises(SystemExit, match="0"):
        main(["--show-completion", shell])
    assert "_MESHSTYLE_COMPLETE" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["cow.glb", "-s", "scream"], "meshstyle stylize cow.glb --style PICTURE"),
        (["stylize", "a.glb", "b.glb", "-s", "scream"], "meshstyle batch FOLDER"),
        (
            ["stylize", "a.glb", "-s", "scream", "--strength", "50%"],
            "--strength: 50% is not a number between 0 and 1",
        ),
    ],
)
def test_a_mistake_tells_what_was_meant(
    line: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("suffix", [".fbx", ".blend", ".usdz", ".dae", ".zip"])
def test_other_kinds_come_with_what_converts_them(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"cow{suffix}"
    path.write_bytes(b"x")
    assert main(["info", str(path)]) == 3
    err = capsys.readouterr().err
    assert "Convert it first: " in err
    assert f"model{suffix}" in err
    assert err.count("\n") == 1
    assert len(err) <= 301
