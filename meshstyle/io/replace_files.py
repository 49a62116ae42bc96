"""Sets of files that take the place of earlier ones: a model, and what it names, change at once or not at all.

What a new model needs gets names that nothing has, unless the very same bytes lie there; the model is renamed last;
and what no model names any more is removed after that. Whenever the process ends, the old set is there or the new.
"""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from types import FrameType
from typing import Any

NUMBERS = 64  # how many names of one kind are looked at
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def numbered(path: Path) -> Iterator[Path]:
    """The path, then the same with 2, 3, ... added to its stem."""
    yield path
    for number in count(2):
        yield path.with_name(f"{path.stem}_{number}{path.suffix}")


def holds(path: Path, data: bytes) -> bool:
    """Whether a file of exactly these bytes is there already."""
    try:
        return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def names_file(text: bytes, name: str) -> bool:
    """Whether a text names a file, by this name and not by a longer one."""
    return (
        re.search(
            rb"(?<![\w.\-/])" + re.escape(name.encode(errors="surrogateescape")) + rb"(?![\w.\-])", text
        )
        is not None
    )


def left_behind(
    wanted: Path, text: bytes, kept: Collection[Path], protected: Collection[Path]
) -> tuple[Path, ...]:
    """Files of this name, or of it with a number, that an earlier model named and the new one will not.

    Args:
        text: in which the earlier one names them.
        kept: what the new one names; `protected`: what is never removed, resolved.
    """
    return tuple(
        path
        for path in islice(numbered(wanted), NUMBERS)
        if path not in kept
        and path.is_file()
        and names_file(text, path.name)
        and path.resolve() not in protected
    )


@contextmanager
def undisturbed() -> Iterator[None]:
    """Signals that would end the program wait until the block has ended. Only the main thread can see to that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        waiting.append(number)

    before: dict[int, Any] = {}
    try:
        for number in _SIGNALS:
            handler = signal.getsignal(number)
            if handler not in (None, signal.SIG_IGN):
                before[number] = signal.signal(number, note)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in waiting:
            signal.raise_signal(number)
