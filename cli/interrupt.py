"""Ctrl-C, SIGTERM and SIGHUP: the first asks for the best result so far, the second ends the program."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_FINISHING = ("bake", "measure", "write")  # stages that a finished painting is in: they are left to end


class StoppedError(BaseException):
    """The user wants out, now. Not an Exception: nothing on the way may take it for a failure."""


class Interrupts:
    """What was asked for so far.

    Args:
        stage: tells the stage the run is in.
        keep_partial: whether the best result so far is wanted.
    """

    def __init__(self, stage: Callable[[], str], keep_partial: bool) -> None:
        self.stage, self.keep_partial = stage, keep_partial
        self.count = 0

    def handle(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 1:
            for number in _SIGNALS:  # a third one need not be polite
                signal.signal(number, signal.SIG_DFL)
            raise StoppedError
        if not self.keep_partial:
            raise StoppedError
        if self.stage() not in _FINISHING:
            raise KeyboardInterrupt  # the library stops painting, bakes and writes


@contextmanager
def interruptible(stage: Callable[[], str] = str, keep_partial: bool = True) -> Iterator[Interrupts]:
    """Handle the signals inside the block. Raises StoppedError where the block did not save what it had."""
    state = Interrupts(stage, keep_partial)
    old: dict[Any, Any] = {
        number: signal.signal(number, state.handle) for number in _SIGNALS if not _is_left_alone(number)
    }
    try:
        yield state
    except KeyboardInterrupt as error:
        raise StoppedError from error
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _is_left_alone(number: int) -> bool:
    """Whether who began the program wants it to go on when the terminal is closed (`nohup`)."""
    return number == getattr(signal, "SIGHUP", None) and signal.getsignal(number) == signal.SIG_IGN
