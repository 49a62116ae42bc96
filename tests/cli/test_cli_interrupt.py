"""Ctrl-C and SIGTERM, sent for real to this process."""

from __future__ import annotations

import os
import signal
import time

import pytest
from meshstyle.cli.interrupt import StoppedError, interruptible


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    time.sleep(0.01)  # Python runs the handler between two instructions


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_stops_the_painting(number: signal.Signals) -> None:
    saved = False
    with interruptible(lambda: "solve") as state:
        try:
            send(number)
        except KeyboardInterrupt:
            saved = True  # as the library does
    assert saved
    assert state.count == 1


def test_what_was_not_saved_is_stopped() -> None:
    with pytest.raises(StoppedError), interruptible(lambda: "read"):
        send(signal.SIGINT)


def paint_and_save(then: signal.Signals | None = None, **options: bool) -> list[str]:
    """A run that is interrupted while it paints, and (with `then`) again while it saves."""
    done: list[str] = []
    with interruptible(lambda: "solve", **options):
        try:
            send(signal.SIGINT)
        except KeyboardInterrupt:
            if then is not None:
                send(then)
            done.append("saved")
    return done


def test_the_second_signal_goes_through_everything() -> None:
    assert paint_and_save() == ["saved"]
    with pytest.raises(StoppedError):
        paint_and_save(then=signal.SIGTERM)


def test_nothing_is_saved_where_no_partial_result_is_wanted() -> None:
    with pytest.raises(StoppedError):
        paint_and_save(keep_partial=False)


@pytest.mark.parametrize("stage", ["bake", "write"])
def test_a_finished_painting_is_still_written(stage: str) -> None:
    with interruptible(lambda: stage) as state:
        send(signal.SIGINT)
    assert state.count == 1


def test_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with interruptible():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
