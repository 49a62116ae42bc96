"""Texts from files: whatever they hold, terminals and pages show it, and do nothing else with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from meshstyle.cli.batch_display import BatchDisplay
from meshstyle.cli.main import main

from meshstyle.batch.types import BatchProgress, Failure, FailureKind, JobState, Outcome
from meshstyle.errors import PictureError, UsageError
from meshstyle.io.gltf.build import BuildImage, BuildMaterial, BuildMesh, BuildPrimitive, build_glb
from meshstyle.io.images import encode_png
from meshstyle.preview.page.templates import text
from meshstyle.text import MESSAGE, escaped, message, shortened

EVIL = "a\x1b]0;title\x07\x1b[2J\u202eb\r\nfake\x9b\u2028c\u200e\udcff"


def test_what_would_do_something_is_shown_instead() -> None:
    assert escaped("a\x1b[2J\u202eb\nc\udcff") == r"a\x1b[2J\u202eb c\udcff"
    assert escaped("é ß 日本 …") == "é ß 日本 …"
    assert escaped(EVIL).isprintable()


def test_what_is_too_long_is_cut() -> None:
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abcdefg", 6) == "abcde…"
    assert shortened("/home/me/model.glb", 11, keep_end=True) == "/ho…del.glb"


@pytest.mark.parametrize(
    ("subject", "cause", "remedy"),
    [
        ("x" * 70_091, "it is cut off", "Export it again."),
        ("a.glb", "y" * 70_091, "Export it again."),
        ("a.glb", "it is cut off", "z" * 70_091),
        ("x" * 70_091, "y" * 70_091, "z" * 70_091),
        ("\x1b" * 280, "\x1b" * 280, "\x1b" * 280),
        (EVIL, EVIL, EVIL),
    ],
)
def test_a_message_is_short_and_printable(subject: str, cause: str, remedy: str) -> None:
    told = message(subject, cause, remedy)
    assert len(told) <= MESSAGE
    assert told.isprintable()
    assert str(UsageError(subject, cause, remedy)) == told


def test_of_a_long_path_the_name_is_left() -> None:
    told = message("/long" * 100 + "/cow.glb", "it is cut off", "Export it again.")
    assert "/cow.glb: it is cut off. Export it again." in told


def test_an_ordinary_message_is_as_it_was_written() -> None:
    assert str(PictureError("a.png", "it is cut off", "Save it.")) == "a.png: it is cut off. Save it."


def evil_model(path: Path, picture: bytes) -> Path:
    primitive = BuildPrimitive(
        positions=np.eye(3),
        indices=np.array([[0, 1, 2]]),
        material=0,
        uvs=np.array([[0, 0], [0, 1], [1, 1]], float),
    )
    name = EVIL.replace("\udcff", "") * 300
    path.write_bytes(
        build_glb(
            [BuildMesh(name, [primitive])], [BuildMaterial(name, image=0)], [BuildImage(name, picture)], {}
        )
    )
    return path


PICTURE = encode_png(np.zeros((8, 8, 3), np.uint8))


@pytest.mark.parametrize("picture", [PICTURE, PICTURE[:40]], ids=["whole", "cut"])
@pytest.mark.parametrize(
    "line", [["info"], ["stylize", "-s", "scream", "--dry-run"], ["turntable", "--dry-run"]]
)
@pytest.mark.parametrize("form", [[], ["--json"], ["--debug"]])
def test_names_in_models_reach_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], picture: bytes, line: list[str], form: list[str]
) -> None:
    model = evil_model(tmp_path / "x.glb", picture)
    main([line[0], str(model), *line[1:], *form])
    out, err = capsys.readouterr()
    told = out + err
    assert told
    assert all(part.isprintable() for part in told.split("\n"))
    assert "\nfake" not in told
    if form == ["--json"]:
        json.loads(out)
    errors = [part for part in err.split("\n") if part.startswith(("error: ", "note: "))]
    assert all(len(part) <= 300 for part in errors)


def test_nor_do_those_of_a_batch(capsys: pytest.CaptureFixture[str]) -> None:
    class Kept(BatchDisplay):
        def note(self, text: str) -> None:
            kept.append(text)

    kept: list[str] = []
    failure = Failure(FailureKind.INPUT, EVIL, EVIL * 100, EVIL)
    failed = Outcome(EVIL, "", JobState.FAILED, failure=failure)
    done = Outcome(EVIL, "", JobState.DONE, warnings=(EVIL * 100,))
    for outcome in (failed, done):
        Kept(verbose=True)(BatchProgress("run", finished=outcome))
    assert len(kept) == 3
    assert all(len(line) <= 300 for line in kept)
    assert kept[0].isprintable()
    assert kept[2].isprintable()


def test_pages_show_marks_and_do_not_obey_them() -> None:
    assert text("<b>\u202e\x1b") == r"&lt;b&gt;\u202e\x1b"
