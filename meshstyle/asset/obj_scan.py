"""The body of an OBJ file to arrays, some megabytes at a time, without a loop over numbers.

Format: Wavefront "Object Files (.obj)", appendix B1 of the Advanced Visualizer manual, version 3.0; colours
after positions are a common addition. Curves, surfaces, lines and points are passed over.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64, UInt8

from ..errors import AssetError
from .obj_text import REMEDY

CHUNK = 4 * 2**20  # bytes scanned at a time; some arrays take 8 bytes for each of them
MAX_LINE = 16 * 2**20  # a face of a million corners
_V, _VT, _VN, _F, _STATEMENT, _OTHER = range(6)
_WIDTH = {_V: 7, _VT: 2, _VN: 3}  # numbers that are kept of a line
_KEYWORDS = {b"o", b"g", b"usemtl", b"mtllib"}


@dataclass(frozen=True)
class Statement:
    """A line that is no data: `o`, `g`, `usemtl` or `mtllib`, bytes `start` to `end` of the body."""

    start: int
    end: int
    keyword: bytes
    value: bytes


@dataclass(frozen=True, eq=False)
class Scan:
    """The numbers of an OBJ file as they stand: V vertices, T texture vertices, N normals, C face corners.

    Attributes:
        vertices: x y z and up to four more; NaN where a line has fewer numbers, or something else.
        uvs: origin at the bottom left, as OBJ has it.
        corners: position, texture vertex, normal of every face corner, counted from 0; −1: none.
        face_first: index of each face's first corner, and C at the end.
        face_span: bytes of the body from a face's `f` to the end of its line.
        vertex_at, uv_at: where each `v` and `vt` line begins.
    """

    vertices: Float64[np.ndarray, "V 7"]
    uvs: Float64[np.ndarray, "T 2"]
    normals: Float64[np.ndarray, "N 3"]
    corners: Int32[np.ndarray, "C 3"]
    face_first: Int64[np.ndarray, " F1"]
    face_span: Int64[np.ndarray, "F 2"]
    vertex_at: Int64[np.ndarray, " V"]
    uv_at: Int64[np.ndarray, " T"]
    statements: tuple[Statement, ...]


def scan(plain: bytes, path: Path) -> Scan:
    """Scan what `plain_lines` returned. Raises AssetError for indices that are none or out of range."""
    scanner = _Scanner(plain, path)
    for start, end in _chunks(plain, path):
        scanner.add(start, end)
    return scanner.finish()


def line_number(plain: bytes, offset: int) -> int:
    return plain.count(b"\n", 0, offset) + 1


def _chunks(plain: bytes, path: Path) -> Iterator[tuple[int, int]]:
    """Whole lines, about `CHUNK` bytes together."""
    start = 0
    while start < len(plain):
        end = len(plain)
        if start + CHUNK < end:
            end = plain.rfind(b"\n", start, start + CHUNK) + 1 or plain.find(b"\n", start + CHUNK) + 1 or end
        if end - start > MAX_LINE:
            line = line_number(plain, start)
            raise AssetError(path, f"line {line} is longer than {MAX_LINE // 2**20} MiB", REMEDY)
        yield start, end
        start = end


class _Scanner:
    def __init__(self, plain: bytes, path: Path) -> None:
        self.plain, self.path = plain, path
        self.numbers: dict[int, list[Float64[np.ndarray, "_ _"]]] = {kind: [] for kind in _WIDTH}
        self.at: dict[int, list[Int64[np.ndarray, " _"]]] = {kind: [] for kind in _WIDTH}
        self.counts = dict.fromkeys(_WIDTH, 0)
        self.corners: list[Int32[np.ndarray, "_ 3"]] = []
        self.sizes: list[Int64[np.ndarray, " _"]] = []
        self.spans: list[Int64[np.ndarray, "_ 2"]] = []
        self.statements: list[Statement] = []

    def add(self, start: int, end: int) -> None:
        tokens = _Tokens(self.plain, start, end)
        self._add_numbers(tokens)
        self._add_faces(tokens)  # before the counts move on: relative indices count from here
        for line in np.flatnonzero(tokens.kind == _STATEMENT):
            self._add_statement(*(start + int(at) for at in tokens.line_span[line]))
        for kind in _WIDTH:
            self.counts[kind] += int((tokens.kind == kind).sum())

    def finish(self) -> Scan:
        corners = np.concatenate([np.empty((0, 3), np.int32), *self.corners])
        sizes = np.concatenate([np.empty(0, np.int64), *self.sizes])
        spans = np.concatenate([np.empty((0, 2), np.int64), *self.spans])
        found = Scan(
            vertices=np.concatenate([np.empty((0, 7)), *self.numbers[_V]]),
            uvs=np.concatenate([np.empty((0, 2)), *self.numbers[_VT]]),
            normals=np.concatenate([np.empty((0, 3)), *self.numbers[_VN]]),
            corners=corners,
            face_first=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            face_span=spans,
            vertex_at=np.concatenate([np.empty(0, np.int64), *self.at[_V]]),
            uv_at=np.concatenate([np.empty(0, np.int64), *self.at[_VT]]),
            statements=tuple(self.statements),
        )
        self._check_range(found)
        return found

    def _add_numbers(self, tokens: _Tokens) -> None:
        wanted = tokens.is_value & (tokens.kind[tokens.line] <= _VN)
        values = _parse_floats(tokens.text_of(wanted), int(wanted.sum()))
        lines, ranks = tokens.line[wanted], tokens.rank[wanted]
        for kind, width in _WIDTH.items():
            of_kind = tokens.kind == kind
            rows = np.cumsum(of_kind) - 1  # (lines,)
            table = np.full((int(of_kind.sum()), width), np.nan)
            chosen = of_kind[lines] & (ranks < width)
            table[rows[lines[chosen]], ranks[chosen]] = values[chosen]
            self.numbers[kind].append(table)
            self.at[kind].append(tokens.start + tokens.line_span[of_kind, 0])

    def _add_faces(self, tokens: _Tokens) -> None:
        faces = tokens.kind == _F
        if not faces.any():
            return
        wanted = tokens.is_value & faces[tokens.line]
        raw = self._parse_corners(tokens, wanted)  # (C, 3)
        lines = tokens.line[wanted]
        corners = np.empty(raw.shape, np.int64)
        for column, kind in enumerate(_WIDTH):
            before = self.counts[kind] + np.cumsum(tokens.kind == kind)[lines]
            index = raw[:, column]
            corners[:, column] = np.where(index < 0, index + before, index - 1)
            too_far_back = (index < 0) & (corners[:, column] < 0)
            corners[too_far_back, column] = np.iinfo(np.int32).max  # out of any range: told of at the end
        self.corners.append(np.minimum(corners, np.iinfo(np.int32).max).astype(np.int32))
        self.sizes.append(np.bincount(lines, minlength=len(faces))[faces].astype(np.int64))
        self.spans.append(tokens.start + tokens.line_span[faces])

    def _parse_corners(self, tokens: _Tokens, wanted: Bool[np.ndarray, " K"]) -> Int64[np.ndarray, "C 3"]:
        """Indices as written, 0 where there is none: `7`, `7/1`, `7//3`, `7/1/3`."""
        text = tokens.text_of(wanted)
        slash = text == ord("/")
        number = (text != ord(" ")) & ~slash
        at = np.flatnonzero(number & ~np.concatenate([[False], number[:-1]]))  # where numbers begin
        starts = tokens.at[wanted]
        token = np.searchsorted(starts, at, side="right") - 1
        before = np.cumsum(slash) - slash  # slashes before each byte
        column = before[at] - before[starts[token]]
        values = _parse_integers(np.where(slash, np.uint8(ord(" ")), text), len(at))
        corners = np.zeros((len(starts), 3), np.int64)
        if values is not None and not (column > 2).any():
            corners[token, column] = values
        wrong = corners[:, 0] == 0
        if wrong.any():
            offset = tokens.start + int(starts[np.argmax(wrong)])
            self._refuse(
                offset, "a corner that is no index" if values is None else "a corner of index 0 or none"
            )
        return corners

    def _add_statement(self, start: int, end: int) -> None:
        line = self.plain[start:end].rstrip()
        keyword, _, value = line.partition(b" ")
        if keyword in _KEYWORDS:
            self.statements.append(Statement(start, start + len(line), keyword, value.strip()))

    def _check_range(self, found: Scan) -> None:
        limits = (len(found.vertices), len(found.uvs), len(found.normals))
        for column, limit in enumerate(limits):
            wrong = found.corners[:, column] >= limit
            if wrong.any():
                face = np.searchsorted(found.face_first, np.argmax(wrong), side="right") - 1
                what = ("vertices", "texture vertices", "normals")[column]
                self._refuse(int(found.face_span[face, 0]), f"an index beyond the {limit} {what}")

    def _refuse(self, offset: int, cause: str) -> None:
        where = line_number(self.plain, offset)
        raise AssetError(self.path, f"the face in line {where} has {cause}", REMEDY)


class _Tokens:
    """The words of some whole lines of the body.

    Attributes:
        start: the chunk's offset in the body; all other offsets are relative to it.
        at: where each token begins; `line`, `rank`: its line and its place after the line's first token (−1).
        is_value: neither a line's keyword nor in a comment at the line's end.
        kind, line_span: of each line that has tokens.
    """

    def __init__(self, plain: bytes, start: int, end: int) -> None:
        self.start = start
        # Three more blanks, so that a keyword's second and third letter can always be asked for.
        self.text = np.frombuffer(plain[start:end] + b"\n  ", np.uint8)
        newline = self.text == ord("\n")
        word = ~(newline | (self.text == ord(" ")))
        self.at = np.flatnonzero(word & ~np.concatenate([[False], word[:-1]]))  # (K,)
        ends = np.flatnonzero(newline)
        physical = np.searchsorted(ends, self.at)
        is_first = np.concatenate([[True], physical[1:] != physical[:-1]])[: len(self.at)]
        self.line = np.cumsum(is_first) - 1
        first = np.flatnonzero(is_first)
        self.rank = np.arange(len(self.at)) - first[self.line] - 1
        self.line_span = np.stack([self.at[first], ends[physical[first]]], axis=1).astype(np.int64)
        self.kind = _kinds(*(self.text[self.at[first] + offset] for offset in range(3)))
        self.is_value = (self.rank >= 0) & ~self._in_comment()

    def text_of(self, wanted: Bool[np.ndarray, " K"]) -> UInt8[np.ndarray, " B"]:
        """The chunk with everything but the wanted tokens blanked out."""
        lengths = np.diff(self.at, append=len(self.text))
        keep = np.repeat(wanted, lengths)
        text = np.where(keep, self.text[len(self.text) - len(keep) :], np.uint8(ord(" ")))
        text[text == ord("\n")] = ord(" ")
        return np.concatenate([np.full(len(self.text) - len(keep), ord(" "), np.uint8), text])

    def _in_comment(self) -> Bool[np.ndarray, " K"]:
        """From a token that begins with # to the end of its line."""
        begins = self.text[self.at] == ord("#")
        if not begins.any():
            return begins
        limit = np.full(len(self.kind), len(self.at))
        np.minimum.at(limit, self.line[begins], np.flatnonzero(begins))
        return np.arange(len(self.at)) >= limit[self.line]


def _kinds(
    one: UInt8[np.ndarray, " L"], two: UInt8[np.ndarray, " L"], three: UInt8[np.ndarray, " L"]
) -> UInt8[np.ndarray, " L"]:
    """Kind of a line by the first letters of its keyword. Statements are only guessed at."""
    ends_at_two, ends_at_three = np.isin(two, (32, 10)), np.isin(three, (32, 10))
    kind = np.full(len(one), _OTHER, np.uint8)
    for letter in b"ogum":
        kind[one == letter] = _STATEMENT
    kind[(one == ord("v")) & ends_at_two] = _V
    kind[(one == ord("v")) & (two == ord("t")) & ends_at_three] = _VT
    kind[(one == ord("v")) & (two == ord("n")) & ends_at_three] = _VN
    kind[(one == ord("f")) & ends_at_two] = _F
    return kind


def _parse_floats(text: UInt8[np.ndarray, " B"], count: int) -> Float64[np.ndarray, " K"]:
    """Blank-separated numbers. Other words become NaN: it takes a face that uses them to make a mistake."""
    if count == 0:  # numpy reads one number from blanks
        return np.empty(0)
    data = text.tobytes()
    values = _from_text(data, np.float64)
    if values is None or len(values) != count:
        values = np.array([_float(word) for word in data.split(b" ") if word])
    return values


def _parse_integers(text: UInt8[np.ndarray, " B"], count: int) -> Int64[np.ndarray, " K"] | None:
    values = _from_text(text.tobytes(), np.int64) if count else np.empty(0, np.int64)
    return values if values is not None and len(values) == count else None


def _from_text(data: bytes, dtype: type) -> np.ndarray | None:
    """None where a word is no number: numpy raises or warns of it, by version."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return np.fromstring(data, dtype=dtype, sep=" ")
        except (ValueError, DeprecationWarning):
            return None


def _float(word: bytes) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")
