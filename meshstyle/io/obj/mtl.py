"""Material libraries: an MTL file as statements that keep their places in the text.

Format: "MTL material format (Lightwave, OBJ)", Alias|Wavefront 1995, version 4.2. Keywords are compared
without case, since exporters disagree (`map_Kd`, `map_kd`).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .text import Text, plain_lines

MAX_MTL_BYTES = 2 * 2**20  # of all libraries of a model
RECORD_MARK = b"# meshstyle "

# Options of a texture statement and how many words follow. -s, -o and -t take one to three numbers.
_OPTIONS = {"-blendu": 1, "-blendv": 1, "-bm": 1, "-boost": 1, "-cc": 1, "-clamp": 1, "-colorspace": 1}
_OPTIONS |= {"-imfchan": 1, "-mm": 2, "-texres": 1, "-type": 1, "-s": 3, "-o": 3, "-t": 3}
_VECTORS = ("-s", "-o", "-t")
_PLACING = ("-s", "-o", "-clamp")
_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class MtlLine:
    """One statement: bytes `start` to `end` of the body; the keyword in lower case, and as written."""

    start: int
    end: int
    keyword: str
    written: str
    value: str


@dataclass(frozen=True)
class MtlMaterial:
    """The statements after a `newmtl`, which is the first of them; `folder` is that of the library."""

    name: str
    lines: tuple[MtlLine, ...]
    folder: Path

    def value(self, keyword: str) -> str | None:
        """Return the value of the last statement with the keyword (lower case): later ones replace earlier ones."""
        return next((line.value for line in reversed(self.lines) if line.keyword == keyword), None)


@dataclass(frozen=True)
class Library:
    """A material library: where it was found, its text and its materials in order."""

    path: Path
    text: Text
    materials: tuple[MtlMaterial, ...]
    record: Mapping[str, Any] | None


@dataclass(frozen=True)
class TextureMap:
    """The value of a texture statement such as `map_Kd -s 2 2 -clamp on wood.png`.

    Attributes:
        file: as it stands there.
        scale, offset: of u and v: the lookup is at uv · scale + offset, in OBJ's orientation of v.
        clamp: outside 0..1 the border is repeated instead of the picture.
        base, gain: a texel x counts as base + gain · x.
        channel: which channel a scalar map takes: r, g, b, m (matte), l (luminance), z; "": not said.
        placing: the options that set scale, offset and clamp, as they stand there.
    """

    file: str
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    clamp: bool = False
    base: float = 0.0
    gain: float = 1.0
    channel: str = ""
    placing: str = ""


def parse_library(path: Path, text: Text) -> Library:
    """Cut a library into statements. Lines before the first `newmtl` belong to no material."""
    materials: list[tuple[str, list[MtlLine]]] = []
    record = None
    plain = plain_lines(text.body)
    for match in re.finditer(rb"[^ \n][^\n]*", plain):
        if match.group().startswith(b"#"):
            record = _parse_record(match.group()) or record
            continue
        keyword, _, value = text.decode(match.group()).partition(" ")
        end = match.start() + len(match.group().rstrip())
        line = MtlLine(match.start(), end, keyword.lower(), keyword, value.strip())
        if line.keyword == "newmtl":
            materials.append((line.value, [line]))
        elif materials:
            materials[-1][1].append(line)
    found = tuple(MtlMaterial(name, tuple(lines), path.parent) for name, lines in materials)
    return Library(path, text, found, record)


def parse_numbers(value: str, most: int) -> list[float]:
    """The finite numbers a value begins with."""
    numbers: list[float] = []
    for word in value.split()[:most]:
        number = _number(word)
        if number is None:
            break
        numbers.append(number)
    return numbers


def parse_map(value: str) -> TextureMap | None:
    """The value of a texture statement, or None where it names no file. File names may hold blanks.

    A comment after the name is no part of it.
    """
    value = re.split(r"\s#", value, maxsplit=1)[0]
    words = list(_WORD.finditer(value))
    found: dict[str, list[str]] = {}
    at = 0
    while at < len(words) - 1 and (option := words[at].group().lower()) in _OPTIONS:
        count = _OPTIONS[option]
        if option in _VECTORS:
            count = _count_numbers([word.group() for word in words[at + 1 : at + 4]])
        count = min(count, len(words) - at - 2)  # the last word is the file's name whatever it looks like
        found[option] = [word.group() for word in words[at + 1 : at + 1 + count]]
        at += 1 + count
    file = value[words[at].start() :].strip().strip('"') if at < len(words) else ""
    if not file:
        return None
    base, gain = (_floats(found.get("-mm", []), [0.0, 1.0]))[:2]
    scale, offset = _floats(found.get("-s", []), [1.0, 1.0]), _floats(found.get("-o", []), [0.0, 0.0])
    return TextureMap(
        file=file,
        scale=(scale[0], scale[1]),
        offset=(offset[0], offset[1]),
        clamp=[word.lower() for word in found.get("-clamp", [])] == ["on"],
        base=base,
        gain=gain,
        channel="".join(found.get("-imfchan", [])).lower(),
        placing=" ".join(f"{key} {' '.join(found[key])}" for key in _PLACING if key in found),
    )


def format_record(record: Mapping[str, Any]) -> bytes:
    """A comment line without its end: JSON in ASCII, which no encoding of the file can spoil."""
    return RECORD_MARK + json.dumps(dict(record), sort_keys=True, separators=(",", ":")).encode("ascii")


def _parse_record(line: bytes) -> Mapping[str, Any] | None:
    if not line.startswith(RECORD_MARK + b"{"):
        return None
    try:
        value = json.loads(line.removeprefix(RECORD_MARK))
    except (ValueError, RecursionError):
        return None  # someone's comment
    return value if isinstance(value, dict) else None


def _count_numbers(words: list[str]) -> int:
    count = 0
    while count < len(words) and _number(words[count]) is not None:
        count += 1
    return count


def _floats(words: list[str], defaults: list[float]) -> list[float]:
    numbers = [_number(word) for word in words]
    given = [
        default if number is None else number for number, default in zip(numbers, defaults, strict=False)
    ]
    return given + defaults[len(given) :]


def _number(word: str) -> float | None:
    try:
        number = float(word)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
