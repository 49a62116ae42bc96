"""The README is true: its commands and its example run as printed, on a tiny amount of work."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
from helpers.little_work import shrink_presets
from meshstyle.cli.main import main

from meshstyle.config.image import PictureSettings
from meshstyle.config.model import Settings
from meshstyle.config.video import VideoSettings
from meshstyle.run_file import read_run_file

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


# Workers are processes of their own, where what `checkout` changes does not count.
LITTLE = ["--include", "barrel", "--workers", "1", "--threads", "1", "--iterations", "1", "--views", "4"]
LITTLE += ["--texture-size", "64"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def shell_commands() -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines()]


def test_the_main_job_comes_first_and_the_tests_last() -> None:
    main_job, *_, tests = shell_commands()
    assert main_job.startswith(
        "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/meshstyle stylize "
    )
    assert tests == "bash scripts/test"


def test_ci_runs_the_test_command_as_it_is_printed() -> None:
    section = README[README.index("\n## Tests\n") :]
    assert (
        re.search(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL).group(1) == "bash scripts/test\n"
    )
    assert "sed -n '/^## Tests/,/^## /{/^```sh/,/^```$/p}' README.md" in (ROOT / ".ci" / "run").read_text()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like a clone's, and presets that take no time."""
    (tmp_path / "assets").symlink_to(ROOT / "assets", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    shrink_presets(monkeypatch)
    for name, few in {"evaluation.VIEWS": 2, "viewing.SIZE": 64, "evaluation.ORBIT_FRAMES": 4}.items():
        monkeypatch.setattr(f"meshstyle.{name}", few)
    monkeypatch.setattr("meshstyle.preview.turntable_settings.FRAMES", 3)
    return tmp_path


def test_the_commands_run(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands = [shlex.split(line.rpartition("&& ")[2]) for line in shell_commands()]
    ours = [words[1:] for words in commands if Path(words[0]).name == "meshstyle"]
    assert len(ours) >= 5
    for arguments in ours:
        quiet = ["-q"] if arguments[0] in ("stylize", "image", "video", "grid", "turntable", "batch") else []
        few = {"batch": LITTLE, "video": ["--frame-steps", "1"]}.get(arguments[0], [])
        code = main([*arguments, *quiet, *few])
        assert code == 0, (arguments, capsys.readouterr().err)
    made = {path.name for path in (checkout / "out").iterdir()}
    assert made >= {"spot.glb", "fox.glb", "barrel.glb", "chair.glb", "chair.html", "grid.png", "chelsea.png"}
    assert made >= {"spot.webp", "fox.png", "robot_waves.mp4"}
    assert not [name for name in made if name.endswith(".frames")]
    assert (checkout / "out" / "models" / "barrel" / "barrel.glb").stat().st_size > 0


def test_the_example_runs(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = blocks("python")
    exec(compile(example, "README.md", "exec"), {})
    assert (checkout / "out" / "spot.obj").stat().st_size > 0
    assert "spot.obj" in capsys.readouterr().out


def test_the_settings_file_is_one(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    (tmp_path / "run.toml").write_text(text)
    run = read_run_file(tmp_path / "run.toml")
    assert run.style == "great-wave"
    assert run.settings() == Settings(preset="draft", texture_size=512)


def section(title: str) -> str:
    """The text under a heading of the second level."""
    return README[README.index(f"\n## {title}\n") :][1:].partition("\n## ")[0]


COMMANDS = {
    "stylize": ("Options of stylize", Settings),
    "image": ("Options of image", PictureSettings),
}


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_setting_is_in_the_table_with_its_default(command: str) -> None:
    title, kind = COMMANDS[command]
    for setting in fields(kind):
        option = setting.name.replace("_", "-")
        row = re.search(rf"^\| `--{option}` \| ([^|]*) \|", section(title), re.MULTILINE)
        assert row, option
        default = getattr(kind(), setting.name)
        if default not in (None, ()):
            assert row.group(1) == shown(default)


def shown(default: object) -> str:
    if isinstance(default, tuple):
        return ",".join(default)
    return f"{default:g}" if isinstance(default, float) else str(default)


AS_ABOVE = {
    "--output",
    "--dry-run",
    "--no-partial",
    "--no-clobber",
    "--json",
    "--quiet",
    "--verbose",
    "--debug",
}


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_option_is_in_the_table(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    options = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE)) - {"--help"}
    listed = set(re.findall(r"^\| (?:`-\w`, )?`(--[a-z-]+)", section(COMMANDS[command][0]), re.MULTILINE))
    assert options == listed | (AS_ABOVE if command == "image" else set())


def test_every_option_of_video_is_in_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    """And its own settings with their defaults."""
    assert main(["video", "--help"]) == 0
    options = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE)) - {"--help"}
    found = {
        title: set(re.findall(r"^\| (?:`-\w`, )?`(--[a-z-]+)", section(title), re.MULTILINE))
        for title in ("Options of video", "Options of image")
    }
    of_image = found["Options of image"] | AS_ABOVE
    assert options == found["Options of video"] | (of_image - {"--save-every", "--preview"})
    for setting in fields(VideoSettings):
        if setting.name not in {of.name for of in fields(PictureSettings)}:
            default = getattr(VideoSettings(), setting.name)
            row = re.search(
                rf"^\| `--{setting.name.replace('_', '-')}` \| ([^|]*) \|",
                section("Options of video"),
                re.MULTILINE,
            )
            assert row, setting.name
            assert default is None or row.group(1) == shown(default)


def test_every_option_of_batch_is_in_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["batch", "--help"]) == 0
    options = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE)) - {"--help"}
    rows = re.findall(r"^\| (`-.*?) \|", section("Options of batch"), re.MULTILINE)
    listed = {option for row in rows for option in re.findall(r"--[a-z-]+", row)}
    settings_too = {f"--{setting.name.replace('_', '-')}" for setting in fields(Settings)}
    assert options == listed | settings_too | {"--config"} | (AS_ABOVE - {"--no-partial", "--no-clobber"})
