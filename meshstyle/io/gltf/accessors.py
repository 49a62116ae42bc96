"""Accessors of glTF 2.0 (specification, section 3.6.2) as arrays, with every bound checked first."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float64, Shaped

from .document import GltfDocument
from .fields import Fields

COMPONENT_TYPES: dict[int, np.dtype[Any]] = {
    5120: np.dtype("<i1"),
    5121: np.dtype("<u1"),
    5122: np.dtype("<i2"),
    5123: np.dtype("<u2"),
    5125: np.dtype("<u4"),
    5126: np.dtype("<f4"),
}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
# What an accessor without data of its own may claim to hold: more than any real model, little enough memory.
MAX_EMPTY_ELEMENTS = 2**24
MAX_EMPTY_POSITIONS = 2**20  # of them triangles are made, which take a hundred times as much
MAX_DECODED_BYTES = (
    2**29
)  # of all that is not simply part of a buffer: filled in, or taken out of other values


class Accessors:
    """The accessors of a document, decoded on demand and kept."""

    def __init__(self, document: GltfDocument) -> None:
        self._document = document
        self._items = document.root.children("accessors")
        self._view_count = len(document.root.children("bufferViews"))
        self._decoded: dict[int, Shaped[np.ndarray, "N C"]] = {}
        self._room = MAX_DECODED_BYTES

    def __len__(self) -> int:
        return len(self._items)

    def forget(self) -> None:
        """Give back the memory of what was decoded."""
        self._decoded.clear()
        self._room = MAX_DECODED_BYTES

    def fields(self, index: int) -> Fields:
        return self._items[index]

    def count(self, index: int) -> int:
        return self._items[index].integer("count")

    def has_data(self, index: int) -> bool:
        """Whether its values lie in the file, rather than that they are zeros but for some."""
        return self._items[index].has("bufferView")

    def normalized(self, index: int) -> bool:
        return self._items[index].flag("normalized", False)

    def raw(self, index: int) -> Shaped[np.ndarray, "N C"]:
        """The values as stored: N elements of C components (matrices column by column). Do not write to it.

        Sparse values are filled in, a missing bufferView reads as zeros. Raises AssetError.
        """
        if index not in self._decoded:
            self._decoded[index] = self._decode(self._items[index])
        return self._decoded[index]

    def _decode(self, item: Fields) -> Shaped[np.ndarray, "N C"]:
        dtype, kind = self._type(item)
        count = item.integer("count")
        view = item.index("bufferView", self._view_count, "bufferViews")
        if view is None:
            if count > MAX_EMPTY_ELEMENTS:
                item.fail(f"claims {count} elements without any data")
            self._take(item, count * WIDTHS[kind] * dtype.itemsize)
            values = np.zeros((count, WIDTHS[kind]), dtype)
        else:
            values = self._elements(item, view, count, kind, dtype)
        return self._fill_sparse(item.child("sparse"), values, kind) if item.has("sparse") else values

    def _take(self, item: Fields, size: int) -> None:
        """Count before memory is taken: many accessors may be about the same few bytes."""
        self._room -= size
        if self._room < 0:
            item.fail(
                f"is one too many: all that is unpacked has more than the limit of {MAX_DECODED_BYTES} bytes"
            )

    def _type(self, item: Fields) -> tuple[np.dtype[Any], str]:
        component, kind = item.integer("componentType"), item.text("type")
        if component not in COMPONENT_TYPES:
            item.fail(f"has the unknown componentType {component}")
        if kind not in WIDTHS:
            item.fail(f"has the unknown type {kind[:20]!r}")
        return COMPONENT_TYPES[component], kind

    def _elements(
        self, item: Fields, view: int, count: int, kind: str, dtype: np.dtype[Any]
    ) -> Shaped[np.ndarray, "N C"]:
        """`count` elements from the item's byteOffset in a bufferView, whose stride is obeyed."""
        data, start = self._document.view_bytes(view), item.integer("byteOffset", 0)
        rows, columns, column, size = element_layout(kind, dtype)
        stride = self._document.view_stride(view) or column * columns
        if stride < size:
            item.fail(f"has elements of {size} bytes in a bufferView with a byteStride of {stride}")
        if not count:
            return np.empty((0, columns * rows), dtype)
        end = start + stride * (count - 1) + size
        if end > len(data):
            item.fail(f"reaches byte {end} of a bufferView of {len(data)} bytes")
        strides = (stride, column, dtype.itemsize)
        if strides != (rows * columns * dtype.itemsize, rows * dtype.itemsize, dtype.itemsize):
            self._take(item, count * rows * columns * dtype.itemsize)
        view_of = np.ndarray((count, columns, rows), dtype, data, start, strides)
        return view_of.reshape(count, rows * columns)  # a copy unless the elements are packed

    def _fill_sparse(
        self, sparse: Fields, values: Shaped[np.ndarray, "N C"], kind: str
    ) -> Shaped[np.ndarray, "N C"]:
        count = sparse.integer("count", low=1, high=len(values))
        places, fillings = sparse.child("indices"), sparse.child("values")
        component = places.integer("componentType")
        if component not in (5121, 5123, 5125):
            places.fail(f"has the componentType {component}, which no index has")
        where = self._sparse_part(places, count, "SCALAR", COMPONENT_TYPES[component])[:, 0]
        if where.max() >= len(values):
            places.fail(f"names element {where.max()} of {len(values)}")
        self._take(sparse, values.nbytes)
        filled = values.copy()
        filled[where] = self._sparse_part(fillings, count, kind, values.dtype)
        return filled

    def _sparse_part(
        self, part: Fields, count: int, kind: str, dtype: np.dtype[Any]
    ) -> Shaped[np.ndarray, "N C"]:
        view = part.index("bufferView", self._view_count, "bufferViews")
        if view is None:
            part.fail("has no bufferView")
        return self._elements(part, view, count, kind, dtype)


def element_layout(kind: str, dtype: np.dtype[Any]) -> tuple[int, int, int, int]:
    """Rows and columns of an element, bytes from column to column, bytes of the element.

    Columns of matrices start at multiples of 4 bytes (specification, section 3.6.2.4).
    """
    columns = int(kind[-1]) if kind.startswith("MAT") else 1
    rows = WIDTHS[kind] // columns
    column = rows * dtype.itemsize
    column += -column % 4 if columns > 1 else 0
    return rows, columns, column, column * (columns - 1) + rows * dtype.itemsize


def to_float(values: Shaped[np.ndarray, "*n"], normalized: bool) -> Float64[np.ndarray, "*n"]:
    """Stored values as numbers: normalized integers become 0..1 or −1..1 (specification, section 3.11)."""
    with np.errstate(invalid="ignore"):  # some kinds of NaN; what must be finite is checked later
        floats = values.astype(np.float64)
    if not normalized or values.dtype.kind == "f":
        return floats
    return np.maximum(floats / np.iinfo(values.dtype).max, -1.0)
