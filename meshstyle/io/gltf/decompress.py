"""Compressed glTF documents as plain ones: the JSON without compression entries, and one buffer of plain bytes.

KHR_draco_mesh_compression, EXT_meshopt_compression and KHR_meshopt_compression (the glTF registry's texts). Data
that is there uncompressed too, for readers without decoders, is taken as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from ...errors import AssetError
from .accessors import Accessors
from .decoders import INSTALL, Arrays, DecodeRequest, DecodingError, decode, is_installed
from .document import GltfDocument
from .draco import DRACO, Filler, drop_draco
from .draft import Draft, Json, NewView, drop_extension, drop_unused_names, numbers_at
from .fields import REMEDY, Fields
from .pack import Packer

MESHOPT = ("EXT_meshopt_compression", "KHR_meshopt_compression")
MAX_DECODED_BYTES = 2**28  # 256 MiB: half a million triangles with all their attributes many times over
_MODES = ("ATTRIBUTES", "TRIANGLES", "INDICES")
_FILTERS = ("NONE", "OCTAHEDRAL", "QUATERNION", "EXPONENTIAL", "COLOR")


@dataclass(frozen=True, eq=False)
class _Task:
    """A piece of compressed data: a bufferView (meshopt), or a primitive's geometry (Draco)."""

    name: str
    fields: Fields
    job: DecodeRequest
    view: int


def read_document(path: Path, root: Path | None = None) -> GltfDocument:
    """A file's document, plain where it was only there compressed.

    Raises AssetError: as GltfDocument does, where a decoder is not installed, and for compressed data that is
    damaged or too large.
    """
    document = GltfDocument(path, root)
    tasks = [*_meshopt_tasks(document), *_draco_tasks(document)]
    if tasks:
        _decompress(document, tasks)
    return document


def _decompress(document: GltfDocument, tasks: Sequence[_Task]) -> None:
    results = _decode(document, tasks)
    draft = Draft(document)
    contents = {
        task.view: _plain_view(draft, task, arrays["bytes"])
        for task, arrays in zip(tasks, results, strict=True)
        if task.name != DRACO
    }
    draco = [(t, arrays) for t, arrays in zip(tasks, results, strict=True) if t.name == DRACO]
    primitives = drop_draco(draft, [task.fields for task, _ in draco])
    in_use = {view for _, view in numbers_at(draft.json, "bufferView")} | draft.pinned()
    filler = Filler(draft, contents, sorted({task.view for task, _ in draco} - in_use))
    for (task, arrays), json in zip(draco, primitives, strict=True):
        filler.fill(task.fields, json, arrays)
    names = sorted({task.name for task in tasks})
    binary = _pack(document, draft, contents)
    drop_unused_names(draft, tuple(names))
    warning = f"What was compressed ({' and '.join(names)}) is written uncompressed."
    document.replace(draft.json, binary, "")
    accessors = Accessors(document)
    for number in range(len(accessors)):
        if accessors.fields(number).value.get("bufferView") in contents:
            _refresh_bounds(accessors.fields(number), accessors.raw(number))
    document.replace(draft.json, binary, warning)


def _meshopt_tasks(document: GltfDocument) -> Iterator[_Task]:
    for number, view in enumerate(document.root.children("bufferViews")):
        if document.buffers[view.integer("buffer")] is not None:
            continue
        name = next((name for name in MESHOPT if name in view.child("extensions").value), None)
        if name is None:
            view.fail("lies in a buffer without data")
        item = view.extension(name)
        stride, count = item.integer("byteStride", low=1, high=256), item.integer("count", low=1)
        mode, kind = item.text("mode"), item.text("filter", "NONE")
        if mode not in _MODES or kind not in _FILTERS:
            item.fail(f"has the unknown mode or filter {mode[:20]!r}, {kind[:20]!r}")
        if not 0 <= view.integer("byteLength", low=1) - stride * count < 4:  # padding is seen in the wild
            item.fail(f"holds {stride * count} bytes, and its bufferView another number")
        parameters = {"count": count, "stride": stride, "mode": mode, "filter": kind}
        yield _Task(name, item, DecodeRequest("meshopt", _bytes(document, item), parameters), number)


def _draco_tasks(document: GltfDocument) -> Iterator[_Task]:
    accessors, views = document.root.children("accessors"), document.root.children("bufferViews")
    for mesh in document.root.children("meshes"):
        for primitive in mesh.children("primitives"):
            if DRACO not in primitive.child("extensions").value:
                continue
            item, attributes = primitive.extension(DRACO), primitive.child("attributes")
            numbers = [
                attributes.index(name, len(accessors), "accessors")
                for name in item.child("attributes").value
                if attributes.has(name)
            ]
            if all(number is None or accessors[number].has("bufferView") for number in numbers):
                continue
            view = item.index("bufferView", len(views), "bufferViews")
            if view is None:
                item.fail("has no bufferView")
            yield _Task(DRACO, primitive, DecodeRequest("draco", document.view_bytes(view)), view)


def _bytes(document: GltfDocument, item: Fields) -> memoryview:
    """What an object in the words of a bufferView describes."""
    buffer = item.index("buffer", len(document.buffers), "buffers")
    data = None if buffer is None else document.buffers[buffer]
    if data is None:
        item.fail("has no buffer with data")
    start, length = item.integer("byteOffset", 0), item.integer("byteLength", low=1)
    if start + length > len(data):
        item.fail(f"reaches byte {start + length} of a buffer of {len(data)} bytes")
    return data[start : start + length]


def _decode(document: GltfDocument, tasks: Sequence[_Task]) -> list[Arrays]:
    for task in tasks:
        if not is_installed(task.job.kind):
            raise AssetError(
                document.path,
                f"its geometry is compressed with {task.name}",
                f"{INSTALL}, or export the model without compression.",
            )
    # Draco's primitives may share one piece of data.
    unlike: dict[tuple[str, int], _Task] = {}
    for task in tasks:
        unlike.setdefault((task.name, task.view), task)
    first = list(unlike.values())
    decoded = sum(
        task.job.parameters.get("count", 0) * task.job.parameters.get("stride", 0) for task in first
    )
    for size in (decoded, sum(len(task.job.data) for task in first)):
        if size > MAX_DECODED_BYTES:
            raise AssetError(
                document.path,
                f"its compressed geometry has {size} bytes, more than the limit of {MAX_DECODED_BYTES}",
                "Reduce or split the model.",
            )
    try:
        results = decode([task.job for task in first], MAX_DECODED_BYTES)
    except DecodingError as error:
        where = "" if error.job is None else f"{first[error.job].fields.where}: "
        cause = f"{where}its compressed geometry cannot be decoded ({error})"
        raise AssetError(document.path, cause, REMEDY) from error
    found = dict(zip(unlike, results, strict=True))
    return [found[task.name, task.view] for task in tasks]


def _plain_view(draft: Draft, task: _Task, data: Shaped[np.ndarray, " N"]) -> NewView:
    view = draft.items("bufferViews")[task.view]
    drop_extension(view, task.name)
    properties: Json = {key: view[key] for key in ("target", "byteStride") if key in view}
    for key in ("buffer", "byteOffset", "byteLength", *properties):
        view.pop(key, None)
    return NewView(data.tobytes(), properties)


def _pack(document: GltfDocument, draft: Draft, contents: dict[int, NewView]) -> bytes:
    """Everything that is still needed in one buffer."""
    for number, view in enumerate(draft.items("bufferViews")):
        if number in contents:
            keep = {key: value for key, value in view.items() if key in ("name", "extras", "extensions")}
            view.clear()
            view.update(keep)
    used = {view for _, view in numbers_at(draft.json, "bufferView")} | draft.pinned()
    views = draft.items("bufferViews")
    for number, view in enumerate(views):
        if number not in used and number not in contents:
            view["byteLength"] = min(view["byteLength"], 4)  # numbers stay; the compressed bytes go
    packer = Packer(draft, contents)
    if packer.fixed:
        raise AssetError(
            document.path,
            "an extension refers to its buffers in a way that meshstyle does not know",
            "Export the model without compression.",
        )
    for number in range(len(document.buffers)):
        packer.keep(number, 0, whole=False)
    packer.add_new(0)
    kept = {
        key: draft.items("buffers")[0][key] for key in ("name", "extras") if key in draft.items("buffers")[0]
    }
    draft.json["buffers"] = [{"byteLength": len(packer.data), **kept}]
    return bytes(packer.data)


def _refresh_bounds(accessor: Fields, values: Shaped[np.ndarray, "N C"]) -> None:
    """Least and greatest values as decoded: quantization has moved them a little."""
    with np.errstate(invalid="ignore"):
        for key, found in (("min", values.min(axis=0)), ("max", values.max(axis=0))):
            if accessor.has(key) and np.isfinite(found).all():
                accessor.value[key] = found.tolist()
