"""What people type from habit, and what they are told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

_NO_COMMAND = re.compile(r"No such command '(.*)'", re.DOTALL)
_NO_NUMBER = re.compile(r"valid (number|float|integer)")
_MEANT = re.compile(r"\.? Did you mean (.*)\?\.?$")


def with_habits(arguments: Sequence[str]) -> list[str]:
    """The command line as it is meant: `help`, and `help COMMAND`, show what --help shows."""
    if arguments and arguments[0] == "help":
        return [*arguments[1:2], "--help"]
    return list(arguments)


def hint(command: str, cause: str) -> str:
    """What was meant, where the parser's own words do not lead there; else nothing."""
    from meshstyle.io.load import SUFFIXES  # loads numpy, which needs nobody who makes no mistake

    if (meant := _MEANT.search(cause)) is not None:
        return f"Did you mean {' or '.join(name.strip(chr(39)) for name in meant[1].split(', '))}?"
    found = _NO_COMMAND.match(cause)
    if found is not None and found[1].lower().endswith(SUFFIXES):
        return f"Name what to do with it: meshstyle stylize {found[1]} --style PICTURE."
    if command.endswith((" stylize", " turntable", " info")) and "unexpected extra argument" in cause:
        return "It takes one model; for several: meshstyle batch FOLDER --style PICTURE -o OUT."
    return ""


def in_words(option: str, cause: str, arguments: Sequence[str]) -> str:
    """The parser's words about a number, as people say it, with what was given."""
    number = _NO_NUMBER.search(cause)
    if number is None:
        return cause
    after = dict(pairwise(arguments)).get(option)
    joined = [text.partition("=")[2] for text in arguments if text.startswith(f"{option}=")]
    given = (joined or [after or "it"])[0]
    kind = "whole number" if number[1] == "integer" else "number"
    return f"{given} is not a {'number between 0 and 1' if option == '--strength' else kind}"


def without_hint(cause: str) -> str:
    """The parser's words without what `hint` makes a sentence of."""
    return _MEANT.sub("", cause)
