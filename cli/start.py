"""The console script: from its first moment on, being stopped is one line and exit code 130."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from types import FrameType

from . import own_process

_INTERRUPTED, _BAD_INPUT = 130, 3


def run() -> None:
    """Run the command of this process. Loading what it needs takes a while, in which signals may come too."""
    own_process.begun_for_one_command = True
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end)
    try:
        os.getcwd()
    except OSError:
        _say("error: .: the working folder is not there any more. Change to a folder that is there.")
        sys.exit(_BAD_INPUT)
    from .main import run as run_command

    run_command()


def _end(_number: int, _frame: FrameType | None) -> None:
    _say("error: meshstyle: interrupted. Nothing was written.")
    os._exit(_INTERRUPTED)


def _say(text: str) -> None:
    with suppress(OSError):  # nobody listens
        os.write(2, f"{text}\n".encode())
