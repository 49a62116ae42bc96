"""On which line each key of a TOML text stands: tomllib does not tell, nor does tomlkit."""

from __future__ import annotations

import re
from collections import Counter

Place = tuple[str | int, ...]

_NAME = r"(?:[A-Za-z0-9_-]+|\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*')"
_DOTTED = rf"[ \t]*{_NAME}(?:[ \t]*\.[ \t]*{_NAME})*[ \t]*"
_HEADER = re.compile(rf"[ \t]*(\[\[?)({_DOTTED})\]")
_KEY = re.compile(rf"({_DOTTED})=")
# What may hide line breaks and brackets from whoever looks for the end of a value.
_PIECE = re.compile(
    r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*|[\[{]|[\]}]|\n|[^"\'#\[\]{}\n]+|.',
    re.DOTALL,
)


def key_lines(text: str) -> dict[Place, int]:
    """Line numbers, counted from 1, of a valid text's tables and of the keys in them.

    The place of `seed` below the second `[[asset]]` is `("asset", 1, "seed")`, and that of the table itself
    `("asset", 1)`. Of dotted keys and inline tables the first part is known.
    """
    found: dict[Place, int] = {}
    counts: Counter[Place] = Counter()
    table: Place = ()
    at, line = 0, 1
    while at < len(text):
        if header := _HEADER.match(text, at):
            table = _names(header.group(2))
            if header.group(1) == "[[":
                counts[table] += 1
                table = (*table, counts[table] - 1)
            found.setdefault(table, line)
        elif key := _KEY.match(text, at):
            found.setdefault((*table, _names(key.group(1))[0]), line)
        end = _statement_end(text, at)
        line += text.count("\n", at, end)
        at = end
    return found


def _statement_end(text: str, at: int) -> int:
    """Behind the line break that ends the statement at `at`."""
    depth = 0
    for piece in _PIECE.finditer(text, at):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(piece.group(), 0)
        if piece.group() == "\n" and depth <= 0:
            return piece.end()
    return len(text)


def _names(dotted: str) -> Place:
    return tuple(name.strip("\"'") for name in re.findall(_NAME, dotted))
