"""PLY's header and its tables of numbers, whatever they mean.

Format: "The PLY Polygon File Format", Greg Turk, 1994, in its three forms: text, little- and big-endian.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from ...errors import AssetError
from ..obj.tokens import numbers_from_text
from .polygons import MAX_POLYGONS, REMEDY

_TYPES = {"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"}
_TYPES |= {"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"}
_TYPES |= {"float": "f4", "double": "f8", "float32": "f4", "float64": "f8"}
_ORDERS = {"ascii": "=", "binary_little_endian": "<", "binary_big_endian": ">"}
_END = re.compile(rb"(?:^|[\r\n])end_header[ \t]*(?:\r\n|\n|\r|$)")
_MAX_HEADER = 2**20
_MAX_PROPERTIES = 1000
_TEXTURE = re.compile(r"comment\s+TextureFile\s+(.*\S)", re.IGNORECASE)


@dataclass(frozen=True)
class Property:
    """A column; `size` is the type of a list's length, None where it is no list."""

    name: str
    type: str
    size: str | None = None


@dataclass
class Element:
    """A table: `count` rows of these properties."""

    name: str
    count: int
    properties: list[Property] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Lists:
    """A list for every row: all their values, and how many each row has."""

    values: np.ndarray
    sizes: Int64[np.ndarray, " N"]


Column = np.ndarray | Lists


@dataclass(frozen=True)
class Header:
    """`order`: = for text, < or >; `start`: of the data; `textures`: what `TextureFile` comments name."""

    order: str
    elements: tuple[Element, ...]
    textures: tuple[str, ...]
    start: int


def read_header(data: bytes, path: Path) -> Header:
    """Raises AssetError. Lines of no known kind are passed over: some exporters break their comments."""
    end = _END.search(data[:_MAX_HEADER])
    if not data.startswith(b"ply") or end is None:
        raise AssetError(path, "it has no PLY header", REMEDY)
    order = ""
    elements: list[Element] = []
    textures: list[str] = []
    for line in data[: end.start()].decode("utf-8", "replace").splitlines()[1:]:
        words = line.split()
        match words:
            case ["format", name, *_] if name in _ORDERS:
                order = _ORDERS[name]
            case ["element", name, count]:
                elements.append(Element(name, _count(count, data, path)))
            case ["property", "list", size, kind, name] if elements and {size, kind} <= _TYPES.keys():
                elements[-1].properties.append(Property(name, _TYPES[kind], _TYPES[size]))
            case ["property", kind, name] if elements and kind in _TYPES:
                elements[-1].properties.append(Property(name, _TYPES[kind]))
            case ["comment" | "obj_info", *_]:
                if named := _TEXTURE.match(line.strip()):
                    textures.append(named[1].strip('"'))
            case ["element" | "property" | "format", *_]:
                raise AssetError(path, f"its header has the line {line.strip()[:60]!r}", REMEDY)
    if not order or any(len(item.properties) > _MAX_PROPERTIES for item in elements):
        raise AssetError(path, "its header tells no format that is known", REMEDY)
    return Header(order, tuple(elements), tuple(textures), end.end())


def read_elements(data: bytes, header: Header, path: Path) -> Mapping[str, Mapping[str, Column]]:
    """Every element's columns by name. Raises AssetError; ValueError where the data end too soon."""
    if header.order == "=":
        numbers = numbers_from_text(data[header.start :], np.float64)
        if numbers is None:
            raise AssetError(path, "it is damaged or cut off (a word is no number)", REMEDY)
        source: _Source = _Source(numbers.view(np.uint8), "=", 0, is_text=True)
    else:
        source = _Source(np.frombuffer(data, np.uint8), header.order, header.start, is_text=False)
    return {element.name: source.take(element) for element in header.elements}


def _count(word: str, data: bytes, path: Path) -> int:
    count = int(word[:20]) if re.fullmatch(r"\d+", word) else -1
    if not 0 <= count <= len(data):
        raise AssetError(path, "it promises more vertices or faces than it holds", REMEDY)
    return count


@dataclass
class _Source:
    """The data; of text every number is a double."""

    data: np.ndarray
    order: str
    at: int
    is_text: bool

    def take(self, element: Element) -> dict[str, Column]:
        """The element's rows, and move on behind them."""
        if not element.count or not element.properties:
            return {item.name: np.empty(0) for item in element.properties if item.size is None}
        rows = self._rows_of_equal_lists(element)
        return self._row_by_row(element) if rows is None else rows

    def _dtype(self, kind: str) -> np.dtype:
        return np.dtype(np.float64) if self.is_text else np.dtype(self.order + kind)

    def _rows_of_equal_lists(self, element: Element) -> dict[str, Column] | None:
        """All rows at once, if their lists are as long as the first row's."""
        fields: list[tuple[str, object]] = []
        lengths = iter(self._lengths_of_first_row(element))
        for index, item in enumerate(element.properties):
            if item.size is None:
                fields.append((f"{index}", self._dtype(item.type)))
            else:
                fields += [
                    (f"{index}n", self._dtype(item.size)),
                    (f"{index}", (self._dtype(item.type), (next(lengths),))),
                ]
        dtype = np.dtype(fields)
        if self.at + dtype.itemsize * element.count > len(self.data):
            if any(item.size for item in element.properties):
                return None
            raise ValueError(f"the data of {element.name} end too soon")
        rows = np.frombuffer(self.data, dtype, element.count, self.at)
        found: dict[str, Column] = {}
        for index, item in enumerate(element.properties):
            values = rows[f"{index}"]
            if item.size is None:
                found[item.name] = values
                continue
            if (rows[f"{index}n"] != values.shape[1]).any():
                return None
            found[item.name] = Lists(values.reshape(-1), np.full(element.count, values.shape[1], np.int64))
        self.at += dtype.itemsize * element.count
        return found

    def _lengths_of_first_row(self, element: Element) -> Iterator[int]:
        at = self.at
        for item in element.properties:
            if item.size is None:
                at += self._dtype(item.type).itemsize
                continue
            length, at = self._length(at, item)
            yield length
            at += length * self._dtype(item.type).itemsize

    def _length(self, at: int, item: Property) -> tuple[int, int]:
        dtype = self._dtype(item.size or item.type)
        length = int(np.frombuffer(self.data, dtype, 1, at)[0])
        if not 0 <= length * self._dtype(item.type).itemsize <= len(self.data) - at:
            raise ValueError(f"a list of {item.name} is longer than the data")
        return length, at + dtype.itemsize

    def _row_by_row(self, element: Element) -> dict[str, Column]:
        if element.count > MAX_POLYGONS:
            raise ValueError(f"{element.count} rows of {element.name} of different lengths")
        values: list[list[np.ndarray]] = [[] for _ in element.properties]
        for _ in range(element.count):
            for item, column in zip(element.properties, values, strict=True):
                length = 1
                if item.size is not None:
                    length, self.at = self._length(self.at, item)
                dtype = self._dtype(item.type)
                column.append(np.frombuffer(self.data, dtype, length, self.at))
                self.at += length * dtype.itemsize
        found: dict[str, Column] = {}
        for item, column in zip(element.properties, values, strict=True):
            flat = np.concatenate(column)
            sizes = np.array([len(part) for part in column], np.int64)
            found[item.name] = flat if item.size is None else Lists(flat, sizes)
        return found
