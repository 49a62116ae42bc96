"""Work on what may never end: a host that does not answer, a file that goes on and on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

T = TypeVar("T")
BLOCK_BYTES = 1 << 20  # bytes


@runtime_checkable
class Readable(Protocol):
    """Anything that hands out bytes, as open files, sockets and remote storage do."""

    def read(self, size: int, /) -> bytes: ...


class TooMuchError(Exception):
    """It is larger, or takes longer, than it may."""


def within(seconds: float, work: Callable[[], T]) -> T:
    """What `work` returns or raises. Where it has not ended after `seconds`, it is left to itself.

    Raises TooMuchError then; whatever `work` raises.
    """
    ended: list[tuple[Any, BaseException | None]] = []

    def run() -> None:
        try:
            ended.append((work(), None))
        except BaseException as error:
            ended.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not ended:
        raise TooMuchError(f"it took longer than {seconds:g} s")
    result, error = ended[0]
    if error is not None:
        raise error
    found: T = result
    return found


def copy_stream(source: Readable, target: Path, most: int, until: float = float("inf")) -> None:
    """Copy what can be read into a new file: at most so many bytes, until then (of `time.monotonic`).

    Raises TooMuchError, OSError.
    """
    left = most
    with target.open("xb") as stream:
        while block := source.read(min(BLOCK_BYTES, left + 1)):
            left -= len(block)
            if left < 0:
                raise TooMuchError(f"it holds more than {most >> 20} MiB")
            if time.monotonic() > until:
                raise TooMuchError("it took too long")
            stream.write(block)
