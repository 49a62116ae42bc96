"""The body of an OBJ file to arrays, some megabytes at a time, without a loop over numbers.

Format: Wavefront "Object Files (.obj)", appendix B1 of the Advanced Visualizer manual, version 3.0; colours
after positions are a common addition. Curves, surfaces, lines and points are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

from ...errors import AssetError
from .text import REMEDY
from .tokens import STATEMENT, VN, VT, F, Tokens, V, parse_floats, parse_integers

CHUNK = 4 * 2**20  # bytes scanned at a time; some arrays take 8 bytes for each of them
MAX_LINE = 16 * 2**20  # a face of a million corners
MAX_VERTICES = 6_000_000  # of each kind
MAX_CORNERS = 12_000_000
MAX_STATEMENTS = 500_000
_WIDTH = {V: 7, VT: 2, VN: 3}  # numbers that are kept of a line
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
        positions: NaN where a line has fewer numbers, or something else.
        colours: what follows the position, NaN where a vertex has none; None where none has.
        uvs: origin at the bottom left, as OBJ has it.
        corners: position, texture vertex, normal of every face corner, counted from 0; −1: none.
        face_first: index of each face's first corner, and C at the end.
        face_span: bytes of the body from a face's `f` to the end of its line.
        vertex_at, uv_at: where each `v` and `vt` line begins.
        ghosts: what faces name although the file has none of it, in words; those indices count as absent.
    """

    positions: Float64[np.ndarray, "V 3"]
    colours: Float64[np.ndarray, "V 4"] | None
    uvs: Float64[np.ndarray, "T 2"]
    normals: Float64[np.ndarray, "N 3"]
    corners: Int32[np.ndarray, "C 3"]
    face_first: Int64[np.ndarray, " F1"]
    face_span: Int64[np.ndarray, "F 2"]
    vertex_at: Int64[np.ndarray, " V"]
    uv_at: Int64[np.ndarray, " T"]
    statements: tuple[Statement, ...]
    ghosts: tuple[str, ...] = ()


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
        self.colours: list[tuple[int, Float64[np.ndarray, "_ 4"]]] = []
        self.corner_count = 0

    def add(self, start: int, end: int) -> None:
        tokens = Tokens(self.plain, start, end)
        self._check_counts(tokens)
        self._add_numbers(tokens)
        self._add_faces(tokens)  # before the counts move on: relative indices count from here
        for line in np.flatnonzero(tokens.kind == STATEMENT):
            self._add_statement(*(start + int(at) for at in tokens.line_span[line]))
        for kind in _WIDTH:
            self.counts[kind] += int((tokens.kind == kind).sum())

    def finish(self) -> Scan:
        corners = np.concatenate([np.empty((0, 3), np.int32), *self.corners])
        sizes = np.concatenate([np.empty(0, np.int64), *self.sizes])
        spans = np.concatenate([np.empty((0, 2), np.int64), *self.spans])
        ghosts = self._drop_ghosts(corners)
        found = Scan(
            positions=np.concatenate([np.empty((0, 3)), *self.numbers[V]]),
            colours=self._all_colours(),
            uvs=np.concatenate([np.empty((0, 2)), *self.numbers[VT]]),
            normals=np.concatenate([np.empty((0, 3)), *self.numbers[VN]]),
            corners=corners,
            face_first=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            face_span=spans,
            vertex_at=np.concatenate([np.empty(0, np.int64), *self.at[V]]),
            uv_at=np.concatenate([np.empty(0, np.int64), *self.at[VT]]),
            statements=tuple(self.statements),
            ghosts=ghosts,
        )
        self._check_range(found)
        return found

    def _drop_ghosts(self, corners: Int32[np.ndarray, "C 3"]) -> tuple[str, ...]:
        """Some programs write `f 1/1/1` whether or not there are texture vertices and normals: those are left aside."""
        found = []
        for column, kind, what in ((1, VT, "texture vertices"), (2, VN, "normals")):
            if self.counts[kind] == 0 and (corners[:, column] >= 0).any():
                corners[:, column] = -1
                found.append(what)
        return tuple(found)

    def _add_numbers(self, tokens: Tokens) -> None:
        wanted = tokens.is_value & (tokens.kind[tokens.line] <= VN)
        values = parse_floats(tokens.text_of(wanted), int(wanted.sum()))
        lines, ranks = tokens.line[wanted], tokens.rank[wanted]
        for kind, width in _WIDTH.items():
            of_kind = tokens.kind == kind
            rows = np.cumsum(of_kind) - 1  # (lines,)
            table = np.full((int(of_kind.sum()), width), np.nan)
            chosen = of_kind[lines] & (ranks < width)
            table[rows[lines[chosen]], ranks[chosen]] = values[chosen]
            if kind == V:
                # Six numbers or more are a colour; the fourth of four is a weight, which polygons do not use.
                if np.isfinite(table[:, 5]).any():
                    self.colours.append(
                        (self.counts[V], np.where(np.isfinite(table[:, 5:6]), table[:, 3:], np.nan))
                    )
                table = table[:, :3].copy()
            self.numbers[kind].append(table)
            self.at[kind].append(tokens.start + tokens.line_span[of_kind, 0])

    def _add_faces(self, tokens: Tokens) -> None:
        faces = tokens.kind == F
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

    def _parse_corners(self, tokens: Tokens, wanted: Bool[np.ndarray, " K"]) -> Int64[np.ndarray, "C 3"]:
        """Indices as written, 0 where there is none: `7`, `7/1`, `7//3`, `7/1/3`."""
        text = tokens.text_of(wanted)
        slash = text == ord("/")
        number = (text != ord(" ")) & ~slash
        at = np.flatnonzero(number & ~np.concatenate([[False], number[:-1]]))  # where numbers begin
        starts = tokens.at[wanted]
        token = np.searchsorted(starts, at, side="right") - 1
        before = np.cumsum(slash) - slash  # slashes before each byte
        column = before[at] - before[starts[token]]
        values = parse_integers(np.where(slash, np.uint8(ord(" ")), text), len(at))
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

    def _all_colours(self) -> Float64[np.ndarray, "V 4"] | None:
        if not self.colours:
            return None
        colours = np.full((self.counts[V], 4), np.nan)
        for start, found in self.colours:
            colours[start : start + len(found)] = found
        return colours

    def _check_counts(self, tokens: Tokens) -> None:
        """Stop before a file of millions of tiny lines takes all memory."""
        limits = {V: "vertices", VT: "texture vertices", VN: "normals"}
        found = {
            what: (self.counts[kind] + int((tokens.kind == kind).sum()), MAX_VERTICES)
            for kind, what in limits.items()
        }
        corners = tokens.is_value & (tokens.kind == F)[tokens.line]
        self.corner_count += int(corners.sum())
        found["face corners"] = (self.corner_count, MAX_CORNERS)
        found["statements"] = (len(self.statements) + int((tokens.kind == STATEMENT).sum()), MAX_STATEMENTS)
        for what, (count, limit) in found.items():
            if count > limit:
                raise AssetError(
                    self.path, f"it has more than {limit} {what}", "Split or simplify the model."
                )

    def _add_statement(self, start: int, end: int) -> None:
        line = self.plain[start:end].rstrip()
        keyword, _, value = line.partition(b" ")
        if keyword in _KEYWORDS:
            self.statements.append(Statement(start, start + len(line), keyword, value.strip()))

    def _check_range(self, found: Scan) -> None:
        limits = (len(found.positions), len(found.uvs), len(found.normals))
        for column, limit in enumerate(limits):
            wrong = found.corners[:, column] >= limit
            if wrong.any():
                face = np.searchsorted(found.face_first, np.argmax(wrong), side="right") - 1
                what = ("vertices", "texture vertices", "normals")[column]
                self._refuse(int(found.face_span[face, 0]), f"an index beyond the {limit} {what}")

    def _refuse(self, offset: int, cause: str) -> None:
        where = line_number(self.plain, offset)
        raise AssetError(self.path, f"the face in line {where} has {cause}", REMEDY)
