"""New texture vertices for an OBJ: `vt` lines before the first face that needs them, and their references."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from ..types import Paint
from .asset import ObjAsset
from .model import ObjModel
from .text import Edit

DECIMALS = 7  # of new UVs: a thousandth of a texel of the largest atlas
_CORNER = re.compile(rb"([+-]?\d+)(?:/([+-]?\d*))?(?:/([+-]?\d*))?")
_LINE_ELEMENT = re.compile(rb"^ *l [^\n]*/[^\n]*", re.MULTILINE)


@dataclass(frozen=True, eq=False)
class NewUVs:
    """N new texture vertices and who uses them.

    Attributes:
        table: in OBJ's orientation, rounded to `DECIMALS`.
        corner: for every face corner its row of the table; −1: it keeps what it has.
        split: for faces that are cut by a seam, their triangles: three corners and three rows each.
    """

    table: Float64[np.ndarray, "N 2"]
    corner: Int64[np.ndarray, " C"]
    split: dict[int, list[tuple[list[int], list[int]]]]


def new_uvs(asset: ObjAsset, paint: Paint) -> NewUVs | None:
    """Collect the new UVs of all parts. None where every part keeps its own.

    A corner of a polygon belongs to several triangles. Where they disagree a seam runs through the polygon,
    and OBJ has no other way to say so than to cut it.
    """
    model = asset.model
    chosen = [
        (rows, painted.uv + np.array([0, 0] if item.tile is None else [item.tile[0], -item.tile[1]]))
        for rows, painted, item in zip(asset.part_triangles, paint.parts, model.materials, strict=True)
        if painted is not None and painted.uv is not None
    ]
    if not chosen:
        return None
    rows = np.concatenate([rows for rows, _ in chosen])  # (F,)
    uv = np.concatenate([uv for _, uv in chosen]).reshape(-1, 2)  # (3F, 2)
    keys = np.rint(np.stack([uv[:, 0], 1.0 - uv[:, 1]], axis=1) * 10**DECIMALS).astype(np.int64)
    corners = model.triangles[rows].reshape(-1)
    table, index = _unique_in_order(keys)
    corner = np.full(len(model.scan.corners), -1, np.int64)
    corner[corners] = index
    disagree = np.flatnonzero(corner[corners] != index)
    faces = np.unique(model.triangle_face[rows[disagree // 3]])
    split: dict[int, list[tuple[list[int], list[int]]]] = {int(face): [] for face in faces}
    for place in np.flatnonzero(np.isin(model.triangle_face[rows], faces)):
        triangle = slice(3 * place, 3 * place + 3)
        split[int(model.triangle_face[rows[place]])].append(
            (corners[triangle].tolist(), index[triangle].tolist())
        )
    return NewUVs(table / 10.0**DECIMALS, corner, split)


def uv_edits(model: ObjModel, new: NewUVs) -> list[Edit]:
    """The edits of the text: a block of `vt` lines, faces that use it, and references that it shifts."""
    scan = model.scan
    first, old = scan.face_first, scan.corners[:, 1].astype(np.int64)
    takes_new = new.corner >= 0
    count_new = np.concatenate([[0], np.cumsum(takes_new)])
    has_new = count_new[first[1:]] > count_new[first[:-1]]  # (F,)
    block_at = model.line_start(int(scan.face_span[np.argmax(has_new), 0]))
    before = int(np.searchsorted(scan.uv_at, block_at))
    ghosts = not len(scan.uvs)  # faces may name texture vertices that did not exist: now they would
    number = np.where(old < 0, -ghosts, old + 1 + np.where(old >= before, len(new.table), 0))  # 0: none
    number = np.where(takes_new, before + 1 + new.corner, number)
    newline = model.text.newline
    lines = [f"vt {u:.{DECIMALS}f} {v:.{DECIMALS}f}".encode() + newline for u, v in new.table.tolist()]
    edits: list[Edit] = [(block_at, block_at, b"".join(lines))]
    for face in np.flatnonzero(has_new | ghosts | _shifted(model, np.where(takes_new, -1, old), before)):
        edits.append(_face_edit(model, int(face), number, new, before))
    edits += _line_edits(model, before, len(new.table))
    return edits


def _unique_in_order(
    keys: Int64[np.ndarray, "K 2"],
) -> tuple[Int64[np.ndarray, "N 2"], Int64[np.ndarray, " K"]]:
    """Distinct rows in the order of their first appearance, and each row's place among them."""
    low = keys.min(axis=0)
    span = [int(value) + 1 for value in keys.max(axis=0) - low]
    if span[0] * span[1] < 2**62:  # one number sorts faster than a row
        single = (keys[:, 0] - low[0]) * span[1] + keys[:, 1] - low[1]
        _, first, inverse = np.unique(single, return_index=True, return_inverse=True)
    else:
        _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return keys[first[order]], rank[inverse.reshape(-1)]


def _shifted(model: ObjModel, old: Int64[np.ndarray, " C"], before: int) -> Bool[np.ndarray, " F"]:
    """Faces whose references the block shifts: to what comes after it, or counted backwards across it."""
    first = model.scan.face_first
    count_beyond = np.concatenate([[0], np.cumsum(old >= before)])
    shifted = count_beyond[first[1:]] > count_beyond[first[:-1]]
    count_uvs = np.concatenate([[0], np.cumsum(old >= 0)])
    for face in np.flatnonzero(~shifted & (count_uvs[first[1:]] > count_uvs[first[:-1]])):
        start, end = model.scan.face_span[face]
        shifted[face] = b"-" in model.plain[start:end]
    return shifted


def _face_edit(model: ObjModel, face: int, number: Int64[np.ndarray, " C"], new: NewUVs, before: int) -> Edit:
    start, end = (int(at) for at in model.scan.face_span[face])
    length = len(model.plain[start:end].split(b" #")[0].rstrip())
    text = model.text.body[start : start + length]
    first = int(model.scan.face_first[face])
    if face not in new.split:
        last = int(model.scan.face_first[face + 1])
        numbers = iter(number[first:last].tolist())
        return (
            start,
            start + length,
            text[:1] + _CORNER.sub(lambda corner: _with(corner, next(numbers)), text[1:]),
        )
    written = list(_CORNER.finditer(text, 1))
    triangles = [
        b" ".join(
            _with(written[corner - first], before + 1 + row)
            for corner, row in zip(corners, rows, strict=True)
        )
        for corners, rows in new.split[face]
    ]
    return (start, start + length, model.text.newline.join(b"f " + triangle for triangle in triangles))


def _with(corner: re.Match[bytes], number: int) -> bytes:
    """A corner as written, with another texture vertex; 0 leaves it alone, -1 takes it off."""
    normal = corner.group(3)
    if number < 0:
        return corner.group(1) + (b"//" + normal if normal else b"")
    if number == 0:
        return corner.group()
    return b"%b/%d" % (corner.group(1), number) + (b"/" + normal if normal else b"")


def _line_edits(model: ObjModel, before: int, count: int) -> Iterator[Edit]:
    """Line elements (`l 1/1 2/2`) have texture vertices too."""
    for line in _LINE_ELEMENT.finditer(model.plain):
        seen = int(np.searchsorted(model.scan.uv_at, line.start()))
        for corner in _CORNER.finditer(line.group()):
            if not corner.group(2):
                continue
            written = int(corner.group(2))
            old = written - 1 if written > 0 else seen + written
            number = old + 1 + (count if old >= before else 0)
            if number != written:
                start, end = (line.start() + at for at in corner.span(2))
                yield (start, end, b"%d" % number)
