"""Typed access to untrusted JSON: whatever a file holds, the answer is a checked value or an AssetError."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from ...errors import AssetError

REMEDY = "Check the file with a glTF validator, or export it again."


def fail(path: Path, cause: str) -> NoReturn:
    """Raise the AssetError of a damaged glTF file."""
    raise AssetError(path, cause, REMEDY)


@dataclass(frozen=True)
class Fields:
    """One JSON object of a glTF file.

    Attributes:
        value: the object itself, shared with the document.
        where: its place for messages, as in `meshes[0].primitives[1]`.
        path: the file.

    Every getter raises AssetError on a value of the wrong type or out of range. Getters with a `default` give
    it back where the key is absent; without one, absence is an error too.
    """

    value: dict[str, Any]
    where: str
    path: Path

    def fail(self, cause: str) -> NoReturn:
        fail(self.path, f"{self.where} {cause}" if self.where else cause)

    def has(self, key: str) -> bool:
        return key in self.value

    def integer(self, key: str, default: int | None = None, low: int = 0, high: int = 2**53) -> int:
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.fail(f"has {key} = {_shown(value)} where an integer from {low} to {high} belongs")
        return value

    def index(self, key: str, count: int, what: str) -> int | None:
        """A reference to one of `count` objects, or None where the key is absent."""
        if key not in self.value:
            return None
        index = self.integer(key)
        if index >= count:
            self.fail(f"refers to {what}[{index}], but there are {count}")
        return index

    def number(self, key: str, default: float | None = None) -> float:
        return self._number(key, self._get(key, default))

    def numbers(self, key: str, length: int, default: tuple[float, ...] | None = None) -> tuple[float, ...]:
        value = self._get(key, default)
        if not isinstance(value, list | tuple) or len(value) != length:
            self.fail(f"has {key} = {_shown(value)} where {length} numbers belong")
        return tuple(self._number(key, item) for item in value)

    def integers(self, key: str, count: int, what: str) -> list[int]:
        """A list of references to `count` objects; empty where absent."""
        value = self._get(key, [])
        if not isinstance(value, list):
            self.fail(f"has no list of {what} in {key}")
        items = [Fields({key: item}, self.where, self.path).index(key, count, what) for item in value]
        return [item for item in items if item is not None]

    def text(self, key: str, default: str | None = None) -> str:
        value = self._get(key, default)
        if not isinstance(value, str):
            self.fail(f"has {key} = {_shown(value)} where text belongs")
        return value

    def flag(self, key: str, default: bool) -> bool:
        value = self._get(key, default)
        if not isinstance(value, bool):
            self.fail(f"has {key} = {_shown(value)} where true or false belongs")
        return value

    def child(self, key: str) -> Fields:
        """A nested object; an empty one where absent."""
        value = self._get(key, {})
        where = f"{self.where}.{key}" if self.where else key
        if not isinstance(value, dict):
            fail(self.path, f"{where} is no JSON object")
        return Fields(value, where, self.path)

    def extension(self, name: str) -> Fields:
        return self.child("extensions").child(name)

    def children(self, key: str) -> list[Fields]:
        """A list of objects; empty where absent."""
        value = self._get(key, [])
        where = f"{self.where}.{key}" if self.where else key
        if not isinstance(value, list):
            fail(self.path, f"{where} is no list")
        for i, item in enumerate(value):
            if not isinstance(item, dict):
                fail(self.path, f"{where}[{i}] is no JSON object")
        return [Fields(item, f"{where}[{i}]", self.path) for i, item in enumerate(value)]

    def _get(self, key: str, default: Any) -> Any:
        if key in self.value:
            return self.value[key]
        if default is None:
            self.fail(f"has no {key}")
        return default

    def _number(self, key: str, value: Any) -> float:
        try:
            if not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value):
                return float(value)
        except OverflowError:  # an integer beyond double precision
            pass
        self.fail(f"has {_shown(value)} in {key} where a finite number belongs")


@dataclass(frozen=True)
class Root(Fields):
    """A whole document, which nobody changes: its lists are checked once."""

    _lists: dict[str, list[Fields]] = field(default_factory=dict, compare=False, repr=False)

    def children(self, key: str) -> list[Fields]:
        if key not in self._lists:
            self._lists[key] = super().children(key)
        return self._lists[key]


def _shown(value: Any) -> str:
    """Short enough for one line of message."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # an integer too long to print
        return "a huge number"
    return text if len(text) <= 40 else f"{text[:37]}..."
