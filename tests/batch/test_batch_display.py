"""What a batch shows while it works, without one."""

from __future__ import annotations

import io
import re

import pytest
from meshstyle.cli.batch_display import PlainBatchDisplay, TerminalBatchDisplay

from meshstyle.batch.types import BatchProgress, Failure, FailureKind, JobState, Outcome
from meshstyle.text import rate

RUNNING = ("props/crates/a_very_long_name_of_a_crate.glb", "props/barrels/another_long_name.glb", "c.glb")


@pytest.mark.parametrize("width", [80, 110, 200])
def test_a_terminal_shows_one_line_with_its_bar(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    stream = io.StringIO()
    with TerminalBatchDisplay(stream) as shown:
        shown.bar.console.width = width
        shown(BatchProgress("run", 900, 240, 12, 130, RUNNING, seconds=600.0, seconds_left=3660.0))
        shown.bar.console.print(shown.bar.get_renderable())
    lines = [line.rstrip() for line in stream.getvalue().split("\n")]
    (line,) = [line for line in map(plain, lines) if "240 done" in line][:1]
    assert len(line) <= width
    assert "\u2501" * 6 in line
    assert "240 done, 12 failed, 518 left" in line
    assert "1 h 01 min left" in line
    assert ("about 25 a minute" in line) == (width >= 110)
    assert ("props/crates" in line) == (width == 200)


def plain(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line).rpartition("\r")[2]


def test_a_pipe_gets_a_line_for_each_model() -> None:
    stream = io.StringIO()
    shown = PlainBatchDisplay(stream, clock=lambda: 0.0)
    failure = Failure(FailureKind.INPUT, "b.glb", "it is empty", "Export it again.")
    shown(BatchProgress("run", 3, running=("a.glb",)))
    for number, outcome in enumerate(
        (
            Outcome("a.glb", "", JobState.DONE, 75.0, warnings=("odd",)),
            Outcome("b.glb", "", JobState.FAILED, failure=failure),
        ),
        1,
    ):
        shown(BatchProgress("run", 3, 1, number - 1, seconds=2.4 * number, finished=outcome))
    assert stream.getvalue().splitlines() == [
        "painting, 0 done, 0 failed, 3 left",
        "done: a.glb in 1 min 15 s",
        "failed: b.glb: it is empty. Export it again.",
    ]


@pytest.mark.parametrize(
    ("an_hour", "told"),
    [
        (1480.0, "about 25 a minute"),
        (12.3, "about 12 an hour"),
        (9000.0, "about 2 a second"),
        (60.0, "about 60 an hour"),
        (1.2, "about 1 an hour"),
        (0.5, "about 12 a day"),
    ],
)
def test_rates(an_hour: float, told: str) -> None:
    assert rate(an_hour) == told
