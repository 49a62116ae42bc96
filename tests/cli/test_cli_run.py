"""Whole runs of the program, with tiny amounts of work: results, stdout and stderr, bad input, Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from meshstyle.cli.main import main

from meshstyle.cli import display, own_process
from meshstyle.config import model
from meshstyle.config.model import Preset, Scale, Settings
from meshstyle.io.gltf.build import BuildImage, BuildMaterial, BuildMesh, BuildPrimitive, build_glb
from meshstyle.io.images import encode_png
from meshstyle.io.load import load_asset
from meshstyle.run_file import read_run_file

TINY = ["--preset", "draft", "--iterations", "1", "--views", "4", "--texture-size", "32"]
PLAIN = ["--strength", "0", "--texture-size", "32"]  # no painting
OBJ = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 1\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nf 1/1 2/2 3/3\nf 1/1 3/3 4/4\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a small model and a style; the scales are as small as VGG-19 lets them be."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(model.PRESETS, "draft", Preset(scales=(Scale(32, 1),), views=4))
    colours = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    (tmp_path / "style.png").write_bytes(encode_png(colours))
    (tmp_path / "model.glb").write_bytes(_roof(colours))
    (tmp_path / "model.obj").write_text(OBJ)
    return tmp_path


def _roof(colours: np.ndarray) -> bytes:
    """Two rectangles that meet at an edge, side by side in the texture."""
    primitive = BuildPrimitive(
        positions=np.array([[0, 0, 0], [0, 0, 1], [1, 1, 1], [1, 1, 0], [2, 0, 1], [2, 0, 0]], float),
        indices=np.array([[0, 1, 2], [0, 2, 3], [3, 2, 4], [3, 4, 5]]),
        material=0,
        uvs=np.array([[0, 0], [0, 1], [0.5, 1], [0.5, 0], [1, 1], [1, 0]], float),
    )
    material = BuildMaterial("roof", image=0, double_sided=True)
    return build_glb(
        [BuildMesh("roof", [primitive])], [material], [BuildImage("tiles", encode_png(colours))], {}
    )


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


# --- results ---


def test_json_is_alone_on_stdout(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stylize", "model.glb", "-s", "style.png", "-o", "out/a.glb", "--json", *TINY]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["outputs"] == ["out/a.glb"]
    assert found["settings"]["texture_size"] == 32
    assert found["interrupted"] is False
    lines = err.splitlines()
    assert "writing" in lines
    assert lines[-1].startswith("wrote out/a.glb in ")
    assert (folder / "out" / "a.glb").is_file()


@pytest.mark.parametrize(
    ("line", "target"),
    [
        (["stylize", "model.glb", "-s", "style.png", "-o", "here.glb", *PLAIN], "here.glb"),
        (["stylize", "model.glb", "-s", "style.png", "--preview", "here.html", *PLAIN], "here.html"),
        (["image", "style.png", "-s", "scream", "-o", "here.png", "--strength", "0"], "here.png"),
        (["grid", "model.glb", "-s", "style.png", "-o", "here.png", "--strength", "0"], "here.png"),
        (["turntable", "model.glb", "-o", "here.png", "--frames", "2", "--renderer", "rays"], "here.png"),
    ],
    ids=["stylize", "preview", "image", "grid", "turntable"],
)
def test_what_is_there_stays_or_is_told_of(
    folder: Path, line: list[str], target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / target).write_bytes(b"mine")
    before = names(folder)
    dry = [[], ["--dry-run"]] if target != "here.html" else [[]]
    for more in dry:
        assert main([*line, "--no-clobber", *more]) == 3
        assert capsys.readouterr().err.splitlines()[-1] == (
            f"error: {target}: it is there already. Give another name with -o, or leave --no-clobber out."
        )
    assert (folder / target).read_bytes() == b"mine"
    assert names(folder) == before
    size = ["--size", "32"] if line[0] in ("image", "grid", "turntable") else []
    assert main([*line, *size]) == 0
    told = f"note: {target} was there already: it is replaced"
    assert (told in capsys.readouterr().err.splitlines()) == (target != "here.html")
    assert (folder / target).read_bytes() != b"mine"


def test_a_grid_is_planned_with_a_time(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grid", "model.glb", "-s", "style.png", "-s", "scream", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "6 runs of --preset standard: 120 steps at 128 px, " in out
    assert re.search(r"^estimate +\d.* in all$", out, re.MULTILINE)
    assert names(folder) == {"style.png", "model.glb", "model.obj"}


def test_the_time_of_a_run_is_the_clocks_on_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    began = psutil.Process().create_time()
    monkeypatch.setattr(display.time, "time", lambda: began + 23.0)
    assert display.elapsed(13.0) == "13 s"  # called by another program
    monkeypatch.setattr(own_process, "begun_for_one_command", True)
    assert display.elapsed(13.0) == "23 s"


def test_quiet_says_nothing_at_all(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stylize", "model.glb", "-s", "style.png", "-q", *TINY]) == 0
    assert capsys.readouterr() == ("", "")
    assert names(folder) == {"style.png", "model.glb", "model.obj", "model.stylized.glb"}


def test_verbose_names_every_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stylize", "model.obj", "-s", "style.png", "-o", "out/", "-v", *TINY]) == 0
    err = capsys.readouterr().err
    written = {path for path in (folder / "out").iterdir() if path.suffix in (".obj", ".mtl", ".png")}
    assert (folder / "out" / "model.stylized.obj") in written
    assert len(written) == 3
    for path in written:
        assert f"wrote {path.relative_to(folder)}" in err
    assert "settings: preset draft, iterations 1, " in err


def test_the_settings_in_a_result_run_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stylize", "model.glb", "-s", "style.png", "-o", "a.glb", "-q", "--seed", "5", *TINY]) == 0
    run = read_run_file("a.glb")
    assert run.style == "style.png"
    assert run.settings() == Settings(preset="draft", iterations=1, views=4, texture_size=32, seed=5)
    assert main(["stylize", "model.glb", "--config", "a.glb", "-o", "b.glb", "-q"]) == 0
    assert capsys.readouterr().err == ""
    assert (folder / "a.glb").read_bytes() == (folder / "b.glb").read_bytes()


def test_evaluate_tells_the_figures(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, few in {"evaluation.VIEWS": 2, "viewing.SIZE": 64, "evaluation.ORBIT_FRAMES": 4}.items():
        monkeypatch.setattr(f"meshstyle.{name}", few)
    assert main(["evaluate", "model.glb", "--original", "model.glb", "-s", "style.png", "--json", "-q"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    found = json.loads(out)
    # It is its own original: nothing was painted.
    assert (found["content_loss"], found["coverage"]) == (0, 0)
    assert found["style_loss"] == found["style"] == found["style_original"] > 0
    assert found["consistency_rmse"] == found["consistency_rmse_floor"]
    sizes = [found[f"style_{size}"] for size in (768, 384, 192)]
    assert found["style"] == pytest.approx(np.prod(sizes) ** (1 / 3))
    assert found["worst_style"] >= found["style"] * 0.999
    assert len(found["worst_direction"]) == 3


def test_evaluate_prints_a_table(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, few in {"evaluation.VIEWS": 2, "viewing.SIZE": 64, "evaluation.ORBIT_FRAMES": 4}.items():
        monkeypatch.setattr(f"meshstyle.{name}", few)
    assert main(["evaluate", "model.glb", "--original", "model.glb", "-s", "style.png", "-q"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"style at viewing size  (0\.\d{4}) \(0 is the painting; unpainted \1\)", lines[0])
    assert re.fullmatch(r"  at 768, 384, 192 px  0\.\d{4}, 0\.\d{4}, 0\.\d{4}", lines[1])
    assert re.fullmatch(r"worst view +\d\.\d{4}, number [01], 30° (above|below), azimuth \d+°", lines[2])
    names = [line.partition("  ")[0] for line in lines[3:]]
    assert names == [
        "poles",
        "structure",
        "content loss",
        "confetti",
        "grain",
        "white",
        "coverage",
        "consistency",
        "sharpness",
    ]


def test_dry_run_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = names(folder)
    arguments = ["stylize", "model.glb", "-s", "style.png", "-o", "new/a.glb", "--dry-run", *TINY]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert f"output  {Path('new/a.glb')}\n" in out
    assert main([*arguments, "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned["output"] == str(Path("new/a.glb"))
    assert planned["views"] == 4
    assert planned["atlases"][0]["name"] == "tiles"
    assert names(folder) == before


# --- what cannot be done ---


def _png_header(width: int, height: int) -> bytes:
    """A PNG that promises this size and holds nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("arguments", "code", "subject"),
    [
        (["none.glb", "-s", "style.png"], 3, "none.glb"),
        (["none.obj", "-s", "style.png"], 3, "none.obj"),
        ([".", "-s", "style.png"], 3, "."),
        (["style.png", "-s", "style.png"], 3, "style.png"),
        (["short.glb", "-s", "style.png"], 3, "short.glb"),
        (["empty.glb", "-s", "style.png"], 3, "empty.glb"),
        (["empty.obj", "-s", "style.png"], 3, "empty.obj"),
        (["points.obj", "-s", "style.png"], 3, "points.obj"),
        (["model.glb", "-s", "model.obj"], 3, "model.obj"),
        (["model.glb", "-s", "none.png"], 3, "none.png"),
        (["model.glb", "-s", "stary-night"], 3, "stary-night"),
        (["model.glb", "-s", "huge.png"], 3, "huge.png"),
        (["model.glb", "-s", "style.png", "--weights", "none.pth"], 3, "none.pth"),
        (["model.glb", "-s", "style.png", "--weights", "model.obj"], 3, "model.obj"),
        (["model.glb", "-s", "style.png", "-o", "model.obj/deep/a.glb"], 3, "model.obj/deep"),
        (["model.glb", "-s", "style.png", "-o", "model.glb"], 2, "model.glb"),
        (["model.glb", "-s", "style.png", "-o", "a.png"], 2, "a.png"),
        (["model.glb", "-s", "style.png", "-o", "a"], 2, "a"),
        (["model.glb", "-s", "style.png", "--device", "mps"], 2, "--device"),
        (["model.glb", "-s", "style.png", "--config", "model.glb"], 3, "model.glb"),
    ],
)
def test_one_line_and_nothing_written(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, subject: str
) -> None:
    (folder / "short.glb").write_bytes((folder / "model.glb").read_bytes()[:-5])
    (folder / "empty.glb").touch()
    (folder / "empty.obj").touch()
    (folder / "points.obj").write_text("v 0 0 0\nv 1 1 1\np 1 2\n")
    (folder / "huge.png").write_bytes(_png_header(20_000, 20_000))
    before = {path: path.read_bytes() for path in folder.rglob("*")}
    assert main(["stylize", *arguments, *TINY]) == code
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith(f"error: {subject}")
    assert lines[0].endswith((".", "?"))
    assert {path: path.read_bytes() for path in folder.rglob("*")} == before


def test_the_nearest_style_is_suggested(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stylize", "model.glb", "-s", "stary-night"]) == 3
    assert "Did you mean starry-night" in capsys.readouterr().err


# --- signals, in a program of its own ---


@contextmanager
def painting(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A run that would take very long, and has begun to paint."""
    work = ["--preset", "draft", "--iterations", "100000", "--views", "4", "--texture-size", "32"]
    program = [sys.executable, "-c", "from meshstyle.cli.main import run; run()"]
    with subprocess.Popen(
        [*program, "stylize", "model.glb", "-s", "style.png", "-o", "out/a.glb", *work, *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TERM": "dumb"},
    ) as process:
        assert process.stderr is not None
        try:
            told = next((line for line in process.stderr if line.startswith("painting, step ")), None)
            assert told, "it never painted"
            yield process
        finally:
            process.kill()


def test_ctrl_c_writes_the_best_so_far(folder: Path) -> None:
    with painting(folder, "--json") as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted: this is the best result so far" in err
    assert "Traceback" not in err
    assert json.loads(out)["interrupted"] is True
    assert load_asset(folder / "out" / "a.glb").record is not None
    assert [path.name for path in (folder / "out").iterdir()] == ["a.glb"]


def test_sigterm_without_partial_writes_nothing(folder: Path) -> None:
    with painting(folder, "--no-partial") as process:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == "error: meshstyle: interrupted. Nothing was written."
    assert "Traceback" not in err
    assert "out/a.glb" not in names(folder)


def test_the_process_ends_at_once_but_not_before_it_is_done() -> None:
    """Who waits for its end is called, what was said is out, the code is the program's."""
    program = (
        "import atexit, sys, types; sys.modules['torch'] = types.ModuleType('torch');"
        "from meshstyle.cli.main import leave; atexit.register(print, 'put away');"
        "print('done'); leave(3)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stdout, found.stderr) == (3, "done\nput away\n", "")
