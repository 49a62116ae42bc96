"""STL, binary and text, with the face colours that Magics writes.

Formats: "StereoLithography Interface Specification", 3D Systems 1989. Colours: Materialise Magics' addition, a
default after `COLOR=` in the header and 5 bits for each of red, green and blue in a face's attribute, where its
top bit is not set.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt16

from ...errors import AssetError
from ..obj.tokens import numbers_from_text
from .polygons import MAX_POLYGONS, REMEDY, Polygons, first_of

_HEADER = 84
_FACET = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_VERTEX = re.compile(rb"\bvertex[ \t]+([^\r\n]*)", re.IGNORECASE)
_IS_TEXT = re.compile(rb"\s*solid\b[^\0]*?\b(facet|endsolid)\b", re.IGNORECASE)


def read_stl(data: bytes, path: Path) -> Polygons:
    """Raises AssetError."""
    count = struct.unpack_from("<I", data, _HEADER - 4)[0] if len(data) >= _HEADER else 0
    size = _HEADER + _FACET.itemsize * count
    # Some binary files begin with `solid` too, so the length decides; some have bytes after the last facet.
    if size != len(data) and _IS_TEXT.match(data[:4096]):
        return _read_text(data, path)
    if len(data) < _HEADER or size > len(data):
        raise AssetError(path, "it promises more vertices or faces than it holds", REMEDY)
    if count > MAX_POLYGONS:
        raise AssetError(path, f"it has {count} triangles", "Simplify the model.")
    facets = np.frombuffer(data, _FACET, count, _HEADER)
    colours = _magics_colours(data[: _HEADER - 4], facets["attribute"])
    return _triangles(facets["corners"].astype(np.float64).reshape(-1, 3), colours)


def _read_text(data: bytes, path: Path) -> Polygons:
    numbers = numbers_from_text(b" ".join(_VERTEX.findall(data)), np.float64)
    if numbers is None or len(numbers) % 9:
        raise AssetError(path, "it is damaged or cut off (a facet is not three points)", REMEDY)
    return _triangles(numbers.reshape(-1, 3))


def _triangles(
    positions: Float64[np.ndarray, "V 3"], colours: Float64[np.ndarray, "F 4"] | None = None
) -> Polygons:
    return Polygons(
        positions,
        np.arange(len(positions)),
        first_of(np.full(len(positions) // 3, 3)),
        colours=None if colours is None else np.repeat(colours, 3, axis=0),
    )


def _magics_colours(header: bytes, attribute: UInt16[np.ndarray, " F"]) -> Float64[np.ndarray, "F 4"] | None:
    at = header.find(b"COLOR=")
    if at < 0 or at + 10 > len(header) or not len(attribute):
        return None
    default = np.frombuffer(header, np.uint8, 4, at + 6).astype(np.float64) / 255.0
    bits = attribute[:, None] >> np.array([0, 5, 10], np.uint16) & 31
    own = np.concatenate([bits / 31.0, np.ones((len(bits), 1))], axis=1)
    return np.where((attribute >> 15)[:, None] == 0, own, default)
