"""A glTF document while it is being edited: JSON of its own, new binary data still without a place.

Nothing that exists is ever renumbered: what unknown extensions refer to by number stays where it is. Objects
that nothing refers to any more are reused for what is new.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .document import GltfDocument

Json = dict[str, Any]
# Extensions whose numbers are known to be no references to accessors, textures or images.
_HARMLESS = frozenset(
    {"KHR_materials_variants", "KHR_draco_mesh_compression", "KHR_lights_punctual", "MSFT_lod"}
)


@dataclass(eq=False)
class NewView:
    """Bytes that will become a bufferView.

    Attributes:
        data: the bytes.
        properties: `target` and `byteStride` where it needs them.
        owners: the objects that will refer to it by their `bufferView`.
    """

    data: bytes
    properties: Json = field(default_factory=dict)
    owners: list[Json] = field(default_factory=list)


class Draft:
    """What will be written.

    Attributes:
        document: where it comes from.
        json: to be changed freely.
        new_views: binary data to place.
        released: bufferViews that lost a user; free once nothing else refers to them.
        former: by `id` of an object, the bufferView it had.
        copied: by number of a new material, the one it is a copy of.
    """

    def __init__(self, document: GltfDocument) -> None:
        self.document = document
        self.json = document.new_json()
        self.new_views: list[NewView] = []
        self.released: set[int] = set()
        self.former: dict[int, int] = {}
        self.copied: dict[int, int] = {}

    def items(self, name: str) -> list[Json]:
        """One of the document's lists, without making it: glTF forbids empty ones."""
        return self.json.get(name, [])

    def append(self, name: str, item: Json) -> int:
        items = self.json.setdefault(name, [])
        items.append(item)
        return len(items) - 1

    def primitive(self, mesh: int, primitive: int) -> Json:
        return self.json["meshes"][mesh]["primitives"][primitive]

    def attach(self, owner: Json, view: NewView) -> None:
        """Let `owner.bufferView` be this new data."""
        self.release(owner)
        owner["bufferView"] = None  # keeps the key's place
        if not view.owners:
            self.new_views.append(view)
        view.owners.append(owner)

    def release(self, owner: Json) -> None:
        """Note that `owner` no longer uses its bufferViews (its own and those of its sparse values)."""
        if isinstance(view := owner.get("bufferView"), int):
            self.former[id(owner)] = view
        self.released.update(view for _, view in numbers_at(owner, "bufferView"))

    def pinned(self) -> set[int]:
        """Numbers that unknown extensions hold, and that may refer to anything."""
        holders: list[Any] = [self.json, *self.items("nodes"), *self.items("scenes")]
        holders += [primitive for mesh in self.items("meshes") for primitive in mesh.get("primitives", ())]
        found: set[int] = set()
        for holder in holders:
            for name, extension in (holder.get("extensions") or {}).items():
                if name not in _HARMLESS:
                    found.update(_integers(extension))
        return found


def numbers_at(value: Any, key: str) -> Iterator[tuple[Json, int]]:
    """Every object below `value` that has a number at `key`, with the number."""
    if isinstance(value, dict):
        number = value.get(key)
        if isinstance(number, int) and not isinstance(number, bool):
            yield value, number
        for item in value.values():
            yield from numbers_at(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from numbers_at(item, key)


def uses_extension(value: Any, name: str) -> bool:
    """Whether any object below `value` carries the extension."""
    if isinstance(value, dict):
        extensions = value.get("extensions")
        if isinstance(extensions, dict) and name in extensions:
            return True
        return any(uses_extension(item, name) for item in value.values())
    return isinstance(value, list) and any(uses_extension(item, name) for item in value)


def drop_extension(holder: Json, name: str) -> None:
    """Remove an extension from an object, and the `extensions` when it was the last."""
    extensions = holder.get("extensions")
    if isinstance(extensions, dict) and name in extensions:
        del extensions[name]
        if not extensions:
            del holder["extensions"]


def drop_unused_names(draft: Draft, names: tuple[str, ...]) -> None:
    """Take extensions that the edit removed everywhere off `extensionsUsed` and `extensionsRequired`."""
    before, json = draft.document.root.value, draft.json
    gone = {name for name in names if uses_extension(before, name) and not uses_extension(json, name)}
    for key in ("extensionsUsed", "extensionsRequired"):
        if key in json:
            kept = [name for name in json[key] if name not in gone]
            if kept:
                json[key] = kept
            else:
                del json[key]


def _integers(value: Any) -> Iterator[int]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _integers(item)
    elif isinstance(value, list):
        for item in value:
            yield from _integers(item)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield value
