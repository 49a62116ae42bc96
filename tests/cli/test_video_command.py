"""`meshstyle video`: options, what is told, bad input, Ctrl-C. Almost nothing is painted."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.films import read_film, write_film
from helpers.moving_planes import frame, pattern, write_folder
from meshstyle.cli.main import main

import meshstyle.video.paint_scenes
from meshstyle.config.video import VideoSettings
from meshstyle.io.images import encode_png
from meshstyle.run_file import read_video_run_file

TINY = ["--size", "32", "--iterations", "1", "--threads", "1", "--workers", "1"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "clip", 2)
    write_film(tmp_path / "clip.mp4", [frame(0), frame(1)])
    (tmp_path / "style.png").write_bytes(encode_png(pattern(32, 40, 7)))
    return tmp_path


def video(*arguments: str) -> int:
    return main(["video", *arguments, "-q"])


def test_the_film_lies_beside_the_clip_and_says_what_it_took(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["video", "clip.mp4", "-s", "style.png", *TINY]) == 0
    told = capsys.readouterr().err
    assert "painting, frame" in told
    assert "wrote clip.stylized.mp4" in told
    assert "2 frames, 32 × 26 pixels, 1 scene" in told
    assert read_film(folder / "clip.stylized.mp4")[0][0].shape == (26, 32, 3)
    assert not list(folder.glob("*.frames"))


def test_results_and_plans_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["clip", "-s", "style.png", "-s", "scream", "--style-weights", "2,1", "-o", "out", *TINY]
    assert main(["video", *line, "--dry-run", "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert (planned["frames"], planned["scenes"], planned["finished"]) == (2, [2], 0)
    assert planned["frame_scales"] == [{"size": 32, "steps": 1}]
    assert not (folder / "out").exists()
    assert main(["video", *line, "--json", "-q"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [Path(path).name for path in result["outputs"]] == ["0001.png", "0002.png"]
    assert result["settings"]["style_weights"] == [2, 1]
    run = read_video_run_file(folder / "out" / "0001.png", given=("style",))
    assert run.settings().style_weights == (2, 1)


def test_a_dry_run_says_what_would_be_done(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(folder.rglob("*"))
    assert main(["video", "clip.mp4", "-s", "style.png", "--dry-run", "--size", "512", "--passes", "3"]) == 0
    told = re.sub(" {2,}", " ", capsys.readouterr().out)  # columns
    assert "clip clip.mp4, 2 frames, 25 a second\n" in told
    assert "output clip.stylized.mp4, 512 × 410 pixels\n" in told
    assert "others 10 steps at 256 px, then 8 steps at 512 px, 3 passes\n" in told
    assert "note the clip is enlarged from 80 to 512 pixels" in told
    assert sorted(folder.rglob("*")) == before


def test_settings_from_a_file(folder: Path) -> None:
    (folder / "run.toml").write_text(
        'style = ["style.png", "scream"]\nconsistency = 10\nframe-steps = 3\nsize = 40\n'
    )
    run = read_video_run_file(folder / "run.toml")
    assert run.styles == (str(folder / "style.png"), "scream")
    assert run.settings(passes=2) == VideoSettings(consistency=10, frame_steps=3, size=40, passes=2)


def test_ctrl_c_leaves_a_film_that_plays(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = meshstyle.video.paint_scenes.paint_scene

    def stopped(job: Any, scene: range, told: Any) -> None:
        plain(job, scene[:1], told)
        raise KeyboardInterrupt

    monkeypatch.setattr("meshstyle.video.paint_scenes.paint_scene", stopped)
    assert main(["video", "clip", "-s", "style.png", "-o", "out.mp4", *TINY]) == 130
    assert "interrupted: these are the frames that are finished" in capsys.readouterr().err
    assert len(read_film(folder / "out.mp4")[0]) == 1
    assert video("clip", "-s", "style.png", "-o", "none.mp4", "--no-partial", *TINY) == 130
    assert not (folder / "none.mp4").exists()


def damaged(folder: Path) -> None:
    (folder / "empty").mkdir()
    (folder / "text.mp4").write_text("hello")
    data = (folder / "clip.mp4").read_bytes()
    (folder / "short.mp4").write_bytes(data[: len(data) // 2])
    (folder / "narrow").mkdir()
    (folder / "narrow" / "1.png").write_bytes(encode_png(np.zeros((4, 200, 3), np.uint8)))
    write_folder(folder / "one", 1)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["none.mp4", "-s", "style.png"], 3, "none.mp4: there is no such file"),
        (["empty", "-s", "style.png"], 3, "empty: there are no numbered pictures in it"),
        (["text.mp4", "-s", "style.png"], 3, "text.mp4: it "),
        (["short.mp4", "-s", "style.png"], 3, "short.mp4: it cannot be read as a film"),
        (["narrow", "-s", "style.png"], 3, "narrow: it is too narrow"),
        (["clip.mp4"], 2, "--style: no picture was given"),
        (["clip.mp4", "-s", "none.png"], 3, "none.png: there is no such picture"),
        (["clip.mp4", "-s", "style.png", "-o", "out.avi"], 2, "out.avi: '.avi' is not a kind of film"),
        (["clip.mp4", "-s", "style.png", "-o", "clip.mp4"], 2, "clip.mp4: the output is the input"),
        (["clip.mp4", "-s", "style.png", "-o", "none/../style.png/x.mp4"], 3, "none/../style.png/x.mp4: "),
        (["clip.mp4", "-s", "style.png", "--mask", "one"], 3, "one: it has 1 frames and the clip has 2"),
        (["clip.mp4", "-s", "style.png", "--codec", "mpeg"], 2, "--codec: 'mpeg' is not a choice"),
        (["clip.mp4", "-s", "style.png", "--codec", "h264", "-o", "o.webm"], 2, "--codec: WebM cannot hold"),
        (["clip.mp4", "-s", "style.png", "--passes", "0"], 2, "--passes: 0 is out of range"),
        (["clip.mp4", "-s", "style.png", "--workers", "x"], 2, "--workers: 'x' is no number of processes"),
    ],
)
def test_one_line_and_nothing_written(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    damaged(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert main(["video", *arguments, "--size", "64"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1, err
    assert err.startswith(f"error: {message}")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_missing_package_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "av", None)
    assert main(["video", "clip.mp4", "-s", "style.png"]) == 2
    assert "pip install 'meshstyle[video]'" in capsys.readouterr().err
