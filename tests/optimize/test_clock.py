"""The time that is left, by a clock that follows a script of what runs have taken."""

from __future__ import annotations

import pytest

from meshstyle.config.model import PRESETS, Scale
from meshstyle.optimize.clock import FIRST, Clock
from meshstyle.progress import Progress

# Seconds of processor time, as measured: of a step, and of what comes before a scale's first step.
STEP = {128: 0.11, 256: 0.31, 384: 0.55, 768: 1.93}
BEFORE = {128: 2.5, 256: 4.5, 384: 8.6, 768: 21.3}
LOOK = 4.3  # of the three at the end
NAMES = ("draft", "standard", "fine")


def played(scales: tuple[Scale, ...], slower: float, first: float = 0.0) -> list[tuple[Progress, float]]:
    """Every record, and what was really left. `first`: seconds more before the first step, of compiling."""
    now, told = 0.0, []
    records: list[Progress] = []
    clock = Clock(scales, records.append, pictures=20, looks=3, now=lambda: now)
    now = first
    for scale in scales:
        now += slower * BEFORE[scale.size]
        for number in range(scale.steps):
            now += slower * STEP[scale.size] * (1.25 if number % 2 else 0.75)
            clock.tick(scale, 1.0)
            told.append(now)
    end = now + slower * 3 * LOOK
    return [(record, end - at) for record, at in zip(records, told, strict=True)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("slower", [0.5, 1.0, 20.0])
@pytest.mark.parametrize("first", [0.0, 15.0])
def test_estimates_are_right_from_the_fifth_step(name: str, slower: float, first: float) -> None:
    records = played(PRESETS[name].scales, slower, first)
    assert all(record.seconds_left is None for record, _ in records[: FIRST - 1])
    for record, truth in records[FIRST - 1 :]:
        assert record.seconds_left is not None
        assert abs(record.seconds_left / truth - 1) < 0.3, (record.step, record.seconds_left, truth)


def test_a_run_of_fewer_steps_tells_at_its_end() -> None:
    records: list[Progress] = []
    clock = Clock([Scale(64, 1), Scale(128, 1)], records.append, now=lambda: 0.0)
    clock.tick(Scale(64, 1), 2.0)
    clock.tick(Scale(128, 1), 1.0, style=0.5)
    assert [(record.step, record.steps, record.seconds_left) for record in records] == [
        (1, 2, None),
        (2, 2, 0.0),
    ]
    assert records[1].style == 0.5


def test_a_machine_that_gets_busy_is_believed() -> None:
    now = 0.0
    records: list[Progress] = []
    scale = Scale(256, 200)
    clock = Clock([scale], records.append, now=lambda: now)
    for step in range(150):
        now += 1.0 if step < 100 else 3.0
        clock.tick(scale, 1.0)
    assert records[-1].seconds_left == pytest.approx(150.0)
