"""What is shown while a command works, without running one."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from pathlib import Path

import pytest
from meshstyle.cli.display import PlainDisplay, TerminalDisplay, duration, emit, emit_json, make_display, say
from meshstyle.cli.options import Reporting

from meshstyle.cli import display
from meshstyle.errors import OutputError
from meshstyle.progress import Progress


def test_plain_lines_come_with_stages_and_at_intervals() -> None:
    stream, now = io.StringIO(), 0.0
    shown = PlainDisplay(stream, clock=lambda: now)
    shown(Progress("read"))
    for step in range(1, 41):  # 40 steps of one second: a line at 1 (new stage), 11, 21 and 31
        now = float(step)
        shown(Progress("solve", step, 40, loss=100.0 / step, seconds_left=40.0 - step))
    shown(Progress("write"))
    assert stream.getvalue().splitlines() == [
        "painting, step 1 of 40, loss 100, 39 s left",
        "painting, step 11 of 40, loss 9.091, 29 s left",
        "painting, step 21 of 40, loss 4.762, 19 s left",
        "painting, step 31 of 40, loss 3.226, 9 s left",
        "writing",
    ]


def test_messages_are_never_left_out() -> None:
    stream = io.StringIO()
    shown = PlainDisplay(stream, clock=lambda: 0.0)
    shown(Progress("unwrap", message="500 triangles"))
    shown(Progress("unwrap", message="took too long"))
    assert stream.getvalue().splitlines() == ["unwrapping", "500 triangles", "took too long"]


def test_every_display_remembers_the_stage() -> None:
    shown = make_display(Reporting(quiet=True))
    shown(Progress("bake"))
    assert shown.stage == "bake"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_one_bar_that_goes_away() -> None:
    stream = Terminal()
    with TerminalDisplay(stream) as shown:
        shown(Progress("solve", 5, 10, loss=1.25, seconds_left=65))
        assert isinstance(shown, TerminalDisplay)
        shown.bar.refresh()
        shown.note("a [note] of 5 words")
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())
    assert "painting" in text
    assert "5/10" in text
    assert "loss 1.25, 1 min 05 s left" in text
    assert "a [note] of 5 words" in text  # brackets are no markup
    assert stream.getvalue().rstrip("\n").endswith("\x1b[2K")  # the bar's line is cleared at the end


def test_kinds_of_display(monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(make_display(Reporting(quiet=True))) is display.Display
    assert type(make_display(Reporting())) is PlainDisplay
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    assert type(make_display(Reporting())) is TerminalDisplay
    monkeypatch.setenv("TERM", "dumb")
    assert type(make_display(Reporting())) is PlainDisplay


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (3599, "59 min 59 s"), (7380, "2 h 03 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_line_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say("error: a\nb\x1b[31m.obj: it is odd")
    assert capsys.readouterr().err == "error: a b\\x1b[31m.obj: it is odd\n"


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    emit_json(
        {"loss": float("nan"), "best": (float("inf"), 1.5), "path": Path("a"), "none": None, "yes": True}
    )
    assert json.loads(capsys.readouterr().out) == {
        "loss": None,
        "best": [None, 1.5],
        "path": "a",
        "none": None,
        "yes": True,
    }


def test_a_reader_that_left_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        emit("text")
        emit("more")  # the second write must not fail either


def test_a_full_disk_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(OutputError, match="standard output: it cannot be written"):
        emit("text")


def test_work_goes_on_when_nobody_reads_the_progress() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", closefd=False) as stream:
        shown = PlainDisplay(stream)
        shown(Progress("read"))
        shown(Progress("write"))
        assert shown.stage == "write"
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, writing)  # what is still buffered goes nowhere when the stream closes
        os.close(devnull)
    os.close(writing)
