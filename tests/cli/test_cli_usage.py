"""Arguments: what is refused, how it is said, and what help tells."""

from __future__ import annotations

import json
import os
import re
from dataclasses import fields
from pathlib import Path

import pytest
from meshstyle.cli.main import main
from meshstyle.cli.stylize import choose

import meshstyle
from meshstyle.cli import main as program
from meshstyle.config.model import Settings
from meshstyle.errors import UsageError


def failure(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit code and the only line on stderr. stdout must be empty."""
    code = main(arguments)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("error: ")
    return code, err.removeprefix("error: ").rstrip("\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["paint"], "meshstyle: No such command 'paint'. See: meshstyle --help."),
        (["stylise"], "meshstyle: No such command 'stylise'. Did you mean stylize or styles?"),
        (
            ["stylize", "a.glb", "-s", "scream", "--iterations", "many"],
            "--iterations: many is not a whole number. See: meshstyle stylize --help.",
        ),
        (["stylize"], "meshstyle stylize: Missing argument 'MODEL'. See: meshstyle stylize --help."),
        (["stylize", "a.obj", "--colour"], "meshstyle stylize: No such option: --colour"),
        (["stylize", "a.obj", "b.obj"], "meshstyle stylize: Got unexpected extra argument"),
        (["stylize", "a.obj", "--views", "x"], "--views: "),
        (["stylize", "a.obj"], "--style: no picture was given. "),
        (["evaluate", "a.obj"], "--original: no model was given. "),
        (["evaluate", "a.obj", "--original", "b.obj"], "--style: no picture was given. "),
        (
            ["stylize", "a.obj", "-s", "b", "--views", "0"],
            "--views: 0 is out of range. Give a number from 1 to",
        ),
        (["stylize", "a.obj", "-s", "b", "--views=-3"], "--views: -3 is out of range. "),
        (["stylize", "a.obj", "-s", "b", "--texture-size", "9"], "--texture-size: 9 is out of range. "),
        (["stylize", "a.obj", "-s", "b", "--tv-weight", "nan"], "--tv-weight: nan is out of range. "),
        (
            ["stylize", "a.obj", "-s", "b", "--preset", "best"],
            "--preset: 'best' is not a choice. Choose one of: ",
        ),
        (["stylize", "a.obj", "-s", "b", "--uv", "no"], "--uv: 'no' is not a choice. "),
        (
            ["stylize", "a.obj", "-s", "b", "--device", "tpu"],
            "--device: 'tpu' is not a choice. Choose one of: auto",
        ),
    ],
)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    code, line = failure(capsys, *arguments)
    assert code == 2
    assert line.startswith(message)


def test_unknown_setting_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "run.toml"
    config.write_text("seed = 1\nstyle-wieght = 5\n")
    code, line = failure(capsys, "stylize", "a.obj", "-s", "b", "--config", str(config))
    assert code == 2
    assert line == f"{config}:2: there is no setting called style-wieght. Did you mean style_weight?"


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (None, "there is no such file"),
        ("= 3", "it is not valid TOML"),
        ("seed = " + "9" * 5000, "it is not valid TOML"),
        ("only = " + "[" * 9000 + "]" * 9000, "it is not valid TOML"),
    ],
    ids=["none", "broken", "digits", "deep"],
)
def test_files_that_are_no_settings(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: str | None,
    cause: str,
) -> None:
    monkeypatch.chdir(tmp_path)  # messages have at most 300 characters: long paths are cut
    if content is not None:
        Path("run.toml").write_text(content)
    code, line = failure(capsys, "stylize", "a.obj", "-s", "b", "--config", "run.toml")
    assert code == 3
    assert line.startswith(f"run.toml: {cause}")


def test_settings_from_a_pipe_are_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "run.toml")
    code, line = failure(capsys, "stylize", "a.obj", "-s", "b", "--config", str(tmp_path / "run.toml"))
    assert code == 3
    assert "not an ordinary file" in line


def test_errors_are_json_too_where_json_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stylize", "a.obj", "-s", "b", "--json", "--views", "0"]) == 2
    out, err = capsys.readouterr()
    assert err == "error: --views: 0 is out of range. Give a number from 1 to 1000.\n"
    assert json.loads(out) == {
        "error": {
            "subject": "--views",
            "cause": "0 is out of range",
            "remedy": "Give a number from 1 to 1000.",
            "exit_code": 2,
        }
    }


def test_a_bug_is_called_one(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("texel")

    monkeypatch.setattr("meshstyle.bundled.styles", broken)
    code, line = failure(capsys, "styles")
    assert code == 1
    assert line.startswith(
        "meshstyle: this is a bug in meshstyle (KeyError: 'texel'). Run it again with --debug"
    )

    assert main(["styles", "--debug"]) == 1
    shown = capsys.readouterr().err
    assert "Traceback (most recent call last)" in shown
    assert shown.splitlines()[-1].startswith("error: meshstyle: this is a bug")


def test_out_of_memory_is_no_bug(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("meshstyle.bundled.styles", greedy)
    code, line = failure(capsys, "styles")
    assert code == 1
    assert line.startswith("meshstyle: there is not enough memory.")


def test_what_counts_is_line_then_file_then_default(tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text('style = "scream"\nviews = 20\nseed = 3\n')
    assert choose(None, config, {"views": 2}) == ("scream", Settings(views=2, seed=3))
    assert choose("mondrian", config, {}) == ("mondrian", Settings(views=20, seed=3))
    assert choose("mondrian", None, {}) == ("mondrian", Settings())
    with pytest.raises(UsageError, match="no picture was given"):
        choose(None, None, {})


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"meshstyle {meshstyle.__version__}\n"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for command in ("stylize", "image", "video", "grid", "turntable", "evaluate", "info", "styles", "doctor"):
        assert f"\n  {command} " in shown
    assert "..." not in shown.partition("Commands:")[2]  # no summary is cut short


def test_help_names_every_setting_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stylize", "-h"]) == 0
    shown = re.sub(
        r"(?<=\w)-\s+", "-", " ".join(capsys.readouterr().out.split())
    )  # lines break after hyphens
    for setting in fields(Settings):
        option = "--" + setting.name.replace("_", "-")
        text = shown[shown.index(f" {option} ") :]
        default = setting.default
        expected = f"{default:g}" if isinstance(default, float) else str(default)
        if default not in (None, ()):
            assert text[text.index("Default: ") :].startswith(f"Default: {expected}."), option


def test_exit_codes_are_the_documented_ones() -> None:
    assert (program.DONE, program.FAILED, program.WRONG_USAGE, program.BAD_INPUT, program.INTERRUPTED) == (
        0,
        1,
        2,
        3,
        130,
    )
