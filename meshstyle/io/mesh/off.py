"""OFF, the text form, with colours and normals of vertices and colours of faces.

Format: "OFF", Geomview manual 1.9.5. Colours are three or four numbers, up to 1 or up to 255; a single number
counts in a colour map of Geomview's and is passed over.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from ...errors import AssetError
from ..obj.tokens import numbers_from_text
from .polygons import REMEDY, Polygons, first_of, with_alpha

_HEADER = re.compile(r"(?:(ST)?(C)?(N)?(4)?(n)?OFF\b(\s+BINARY\b)?|(?=\d))")  # may be left out
_COMMENT = re.compile(r"#[^\n]*")


def read_off(data: bytes, path: Path) -> Polygons:
    """Raises AssetError; ValueError or IndexError where the text is damaged."""
    text = data.removeprefix(b"\xef\xbb\xbf").decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")
    text = _COMMENT.sub("", text).lstrip()
    header = _HEADER.match(text)
    if header is None:
        raise AssetError(path, "it has no OFF header", REMEDY)
    if header[5] or header[6]:
        what = "binary" if header[6] else "of another dimension than three"
        raise AssetError(
            path, f"it is an OFF file that is {what}", "Save it as a text file in three dimensions."
        )
    lines = [line for line in text[header.end() :].split("\n") if line.strip()]
    count_vertices, count_faces = (int(word) for word in lines[0].split()[:2])
    if count_vertices < 0 or count_faces < 0 or count_vertices + count_faces > len(lines) - 1:
        raise AssetError(path, "it promises more vertices or faces than it holds", REMEDY)
    table = _table(lines[1 : count_vertices + 1])  # (V, columns)
    faces = [line.split() for line in lines[count_vertices + 1 : count_vertices + count_faces + 1]]
    sizes = np.array([int(words[0]) for words in faces], np.int64)
    if (sizes < 0).any() or any(len(words) <= size for words, size in zip(faces, sizes, strict=True)):
        raise AssetError(path, "it is damaged or cut off (a face lacks corners)", REMEDY)
    vertex = np.array([word for words in faces for word in words[1 : int(words[0]) + 1]], np.int64)
    return Polygons(
        positions=table[:, :3].copy(),
        vertex=vertex,
        first=first_of(sizes),
        notes=("The fourth coordinate was left aside.",) if header[4] else (),
        **_extras(table, header, vertex, faces),
    )


def _table(lines: list[str]) -> Float64[np.ndarray, "V _"]:
    """Vertices as they stand. Raises ValueError for lines of different lengths or without three numbers."""
    width = len(lines[0].split()) if lines else 3
    numbers = numbers_from_text(" ".join(lines).encode("latin-1"), np.float64) if lines else np.empty(0)
    if numbers is None or width < 3 or len(numbers) != width * len(lines):
        raise ValueError("a vertex is not three numbers")
    return numbers.reshape(-1, width)


def _extras(
    table: Float64[np.ndarray, "V _"],
    header: re.Match[str],
    vertex: np.ndarray,
    faces: list[list[str]],
) -> dict[str, Any]:
    """Normals, colours and UVs, in the order in which a vertex has them."""
    has_uv, has_colour, has_normal, has_fourth = (bool(header[group]) for group in (1, 2, 3, 4))
    found: dict[str, Any] = {}
    at = 4 if has_fourth else 3
    in_range = vertex if len(table) and ((vertex >= 0) & (vertex < len(table))).all() else vertex[:0]
    if has_normal and table.shape[1] >= at + 3:
        found["normals"] = table[:, at : at + 3].copy()
        at += 3
    rest = table.shape[1] - at - (2 if has_uv else 0)
    if has_colour and rest >= 3 and len(in_range):
        colours = with_alpha(table[:, at : at + min(rest, 4)])
        if colours is not None:
            found["colours"] = colours[in_range]
    if has_uv and rest >= 0 and len(in_range):
        found["uvs"] = table[in_range][:, -2:]
    of_faces = _face_colours(faces) if "colours" not in found else None
    return found if of_faces is None else {**found, "colours": of_faces}


def _face_colours(faces: list[list[str]]) -> Float64[np.ndarray, "C 4"] | None:
    """Return the colour of every corner; white where a face has none."""
    words = [face[int(face[0]) + 1 :][:4] for face in faces]
    coloured = [index for index, found in enumerate(words) if len(found) >= 3]
    if not coloured:
        return None
    table = np.ones((len(coloured), 4))
    alpha = np.zeros(len(coloured), bool)
    for row, index in enumerate(coloured):
        table[row, : len(words[index])] = [float(word) for word in words[index]]
        alpha[row] = len(words[index]) == 4
    scaled = with_alpha(table)
    if scaled is None:
        return None
    scaled[~alpha, 3] = 1.0
    rgba = np.ones((len(faces), 4))
    rgba[coloured] = scaled
    return np.repeat(rgba, [int(face[0]) for face in faces], axis=0)
