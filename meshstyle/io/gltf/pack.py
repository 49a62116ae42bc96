"""Where the bytes of an edited glTF document go: buffers, their files, and the numbers of new bufferViews."""

from __future__ import annotations

import base64
from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

from .draft import Draft, Json, NewView, numbers_at


def assign_views(draft: Draft) -> dict[int, NewView]:
    """Number the new bufferViews, reusing those that nothing uses any more. Returns number to content.

    Left-over ones at the end of the list disappear; others keep their place, cut down to a few bytes.
    """
    in_use = {number for _, number in numbers_at(draft.json, "bufferView")} | draft.pinned()
    free = draft.released - in_use
    contents: dict[int, NewView] = {}
    homeless = []
    for new in draft.new_views:  # what replaces something goes where that was
        former = next((draft.former[id(owner)] for owner in new.owners if id(owner) in draft.former), None)
        if former in free:
            free.remove(former)
            contents[former] = new
        else:
            homeless.append(new)
    for new in homeless:
        number = min(free) if free else draft.append("bufferViews", {})
        free.discard(number)
        contents[number] = new
    views = draft.items("bufferViews")
    for number, new in contents.items():
        kept: Json = {key: views[number][key] for key in ("name", "extras") if key in views[number]}
        views[number].clear()
        views[number].update(kept)
        for owner in new.owners:
            owner["bufferView"] = number
    for number in sorted(free, reverse=True):
        if number == len(views) - 1:
            views.pop()
        else:
            views[number]["byteLength"] = min(views[number]["byteLength"], 4)
    if not views:
        draft.json.pop("bufferViews", None)
    return contents


class Packer:
    """Builds one buffer out of what is kept of old ones and what is new.

    Attributes:
        data: the buffer so far.
        fixed: buffers that extensions refer to in ways unknown here: nothing in them may move.
    """

    def __init__(self, draft: Draft, contents: dict[int, NewView]) -> None:
        self._draft, self._contents = draft, contents
        self._views = draft.items("bufferViews")
        self.data = bytearray()
        self._kept = [view for number, view in enumerate(self._views) if number not in contents]
        known = {id(view) for view in self._views}
        others = [holder for holder, _ in numbers_at(draft.json, "buffer") if id(holder) not in known]
        # Extensions that name bytes of a buffer do it in the words of a bufferView, as EXT_meshopt_compression.
        self._kept += [holder for holder in others if self._is_view(holder)]
        self.fixed = {holder["buffer"] for holder in others if not self._is_view(holder)}

    def keep(self, buffer: int, target: int, whole: bool) -> None:
        """Make an old buffer part of buffer `target`: all of it, or what bufferViews still use."""
        source = self._draft.document.buffers[buffer]
        if source is None:
            return
        mine = [view for view in self._kept if view["buffer"] == buffer]
        self._kept = [view for view in self._kept if view["buffer"] != buffer]
        spans = [(0, len(source))] if whole else _merged((_span(view) for view in mine), len(source))
        starts, shifts = [start for start, _ in spans], []
        for start, end in spans:
            self._align()
            shifts.append(len(self.data) - start)
            self.data += source[start:end]
        for view in mine:
            start, _ = _span(view)
            _set_place(view, target, start + shifts[bisect_right(starts, start) - 1])

    def add_new(self, target: int) -> None:
        """Append all new bufferViews."""
        for number, new in sorted(self._contents.items()):
            self._align()
            place = {"buffer": target, "byteOffset": len(self.data), "byteLength": len(new.data)}
            kept = dict(self._views[number])
            self._views[number].clear()
            self._views[number].update(place | new.properties | kept)
            self.data += new.data

    def _is_view(self, holder: Json) -> bool:
        """Whether an object describes bytes that are there."""
        number, start, length = holder["buffer"], holder.get("byteOffset", 0), holder.get("byteLength")
        if not all(isinstance(value, int) and value >= 0 for value in (number, start, length)):
            return False
        buffers = self._draft.document.buffers
        data = buffers[number] if number < len(buffers) else None
        return data is not None and start + length <= len(data)

    def _align(self) -> None:
        self.data += b"\0" * (-len(self.data) % 4)


def _set_place(view: Json, buffer: int, offset: int) -> None:
    view["buffer"] = buffer
    if offset or "byteOffset" in view:
        view["byteOffset"] = offset


def _span(view: Json) -> tuple[int, int]:
    start = view.get("byteOffset", 0)
    return start, start + view["byteLength"]


def _merged(spans: Iterable[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """The union of byte ranges as separate ranges in order, starts moved down to multiples of 4."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        start -= start % 4  # keeps every alignment
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], min(max(merged[-1][1], end), length))
        else:
            merged.append((start, end))
    return merged


def pack_for_glb(draft: Draft) -> bytes | None:
    """Number new bufferViews and bring all buffers into the binary chunk. Returns its bytes, if any."""
    contents = assign_views(draft)
    buffers = draft.items("buffers")
    packer = Packer(draft, contents)
    if packer.fixed or any(
        data is None for data in draft.document.buffers
    ):  # buffers keep their numbers: the first becomes the chunk, the others data URIs
        packer.keep(0, 0, whole=True)
        for number, item in enumerate(buffers[1:], start=1):
            data = draft.document.buffers[number]
            if data is not None:
                item["uri"] = data_uri(bytes(data))
    else:
        for number in range(len(buffers)):
            packer.keep(number, 0, whole=not _is_released(draft, number))
        del buffers[1:]
    packer.add_new(0)
    if not packer.data:
        draft.json.pop("buffers", None)
        return None
    if not buffers:
        draft.append("buffers", {})
    first = draft.items("buffers")[0]
    first.pop("uri", None)
    first["byteLength"] = len(packer.data)
    return bytes(packer.data)


def pack_for_gltf(draft: Draft) -> tuple[Json | None, bytes]:
    """Number new bufferViews and collect what goes into a file of its own: new data and GLB's binary chunk.

    Other buffers stay the files they are. Returns the buffer of the new file, whose `uri` is still to be set
    (None where no file is needed), and its bytes.
    """
    contents = assign_views(draft)
    buffers = draft.items("buffers")
    packer = Packer(draft, contents)
    present = [data is not None for data in draft.document.buffers]
    home = next((i for i, item in enumerate(buffers) if "uri" not in item and present[i]), None)
    for number, item in enumerate(buffers):
        embedded = str(item.get("uri", ""))[:5].lower() == "data:"
        if embedded and number not in packer.fixed and _is_released(draft, number):
            _shrink_embedded(draft, contents, number)
    if home is not None:
        packer.keep(home, home, whole=home in packer.fixed or not _is_released(draft, home))
    elif contents:
        home = draft.append("buffers", {})
    if home is None:
        return None, b""
    packer.add_new(home)
    packer.data = packer.data or bytearray(
        4
    )  # a buffer may not be empty, and removing it would renumber others
    item = draft.items("buffers")[home]
    item["byteLength"] = len(packer.data)
    return item, bytes(packer.data)


def _shrink_embedded(draft: Draft, contents: dict[int, NewView], number: int) -> None:
    """Drop what is no longer used from a buffer that is a data URI."""
    packer = Packer(draft, contents)
    packer.keep(number, number, whole=False)
    if packer.data:
        item = draft.items("buffers")[number]
        item["uri"], item["byteLength"] = data_uri(bytes(packer.data)), len(packer.data)


def _is_released(draft: Draft, buffer: int) -> bool:
    """Whether any bufferView of this buffer lost a user."""
    originals: list[Any] = draft.document.root.value.get("bufferViews", [])
    return any(originals[number]["buffer"] == buffer for number in draft.released)


def data_uri(data: bytes, media: str = "application/octet-stream") -> str:
    return f"data:{media};base64,{base64.b64encode(data).decode('ascii')}"
