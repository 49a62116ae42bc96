"""The containers of glTF 2.0: `.gltf` (JSON) and `.glb` (JSON and binary chunks), read and written as bytes.

GLB layout: glTF 2.0 specification, section 4.4.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import AssetError
from ..read_file import read_file
from .fields import fail

GLB_MAGIC = b"glTF"
_BOM = b"\xef\xbb\xbf"  # of UTF-8
JSON_CHUNK, BIN_CHUNK = 0x4E4F534A, 0x004E4942
MAX_JSON_BYTES = 2**28  # 256 MiB, mostly base64 where a file is that large
MAX_JSON_VALUES = 2**23
MAX_JSON_OBJECTS = 2**21  # and lists
MAX_JSON_DEPTH = 100
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)


@dataclass(frozen=True)
class Container:
    """A file taken apart.

    Attributes:
        text: the JSON as UTF-8; parse it with `parse_json` for a copy of one's own.
        binary: GLB's binary chunk, or None.
        is_glb: by content, whatever the suffix says.
        extra_chunks: GLB chunks that glTF 2.0 does not know: type and data, in order.
    """

    text: bytes
    binary: memoryview | None
    is_glb: bool
    extra_chunks: tuple[tuple[int, bytes], ...] = ()


def read_container(path: Path) -> Container:
    """Take a .glb or .gltf file apart. Raises AssetError."""
    data = read_file(path, path)
    if not data:
        fail(path, "the file is empty")
    if data[:4] == GLB_MAGIC:
        return _split_glb(path, data)
    return Container(text=data.removeprefix(_BOM), binary=None, is_glb=False)


def _split_glb(path: Path, data: bytes) -> Container:
    if len(data) < 20:
        fail(path, f"the file is cut off: a GLB has at least 20 bytes, this has {len(data)}")
    version, length = struct.unpack_from("<II", data, 4)
    if version != 2:
        fail(path, f"this is version {version} of GLB; only version 2 is read")
    if length > len(data):
        fail(path, f"the file is cut off: its header promises {length} bytes, {len(data)} are there")
    chunks: list[tuple[int, memoryview]] = []
    offset, view = 12, memoryview(data)[:length]
    while offset + 8 <= length:
        size, kind = struct.unpack_from("<II", data, offset)
        if offset + 8 + size > length:
            fail(path, f"the file is cut off: chunk {len(chunks)} promises {size} bytes")
        chunks.append((kind, view[offset + 8 : offset + 8 + size]))
        offset += 8 + size
    kinds = [kind for kind, _ in chunks]
    if not kinds or kinds[0] != JSON_CHUNK:
        fail(path, "the first chunk of the GLB is not JSON")
    for kind, name in ((JSON_CHUNK, "JSON"), (BIN_CHUNK, "binary")):
        if kinds.count(kind) > 1:
            fail(path, f"the GLB has {kinds.count(kind)} {name} chunks where one belongs")
    binary = next((body for kind, body in chunks if kind == BIN_CHUNK), None)
    extra = tuple((kind, bytes(body)) for kind, body in chunks if kind not in (JSON_CHUNK, BIN_CHUNK))
    text = bytes(chunks[0][1]).removeprefix(_BOM).rstrip(b"\0")  # padding is blanks, some write zeros
    return Container(text=text, binary=binary, is_glb=True, extra_chunks=extra)


def check_extent(text: bytes, path: Path) -> None:
    """Refuse JSON that is too long, too deep or too full, before a recursive parser makes objects of it."""
    if len(text) > MAX_JSON_BYTES:
        fail(path, f"its JSON has {len(text)} bytes, more than the limit of {MAX_JSON_BYTES}")
    marks = _STRING.sub(b"", text).translate(None, delete=_NOT_MARKS)
    if marks.count(b",") > MAX_JSON_VALUES:
        fail(path, f"its JSON has more than {MAX_JSON_VALUES} values")
    signs = np.frombuffer(marks.replace(b",", b""), np.uint8)
    opening = (signs == ord("[")) | (signs == ord("{"))
    if np.count_nonzero(opening) > MAX_JSON_OBJECTS:
        fail(path, f"its JSON has more than {MAX_JSON_OBJECTS} objects and lists")
    depth = np.cumsum(np.where(opening, np.int8(1), np.int8(-1)), dtype=np.int32)
    if depth.size and depth.max() > MAX_JSON_DEPTH:
        fail(path, f"its JSON is nested deeper than {MAX_JSON_DEPTH} levels")


_NOT_MARKS = bytes(set(range(256)) - set(b"[]{},"))


def parse_json(text: bytes, path: Path) -> dict[str, Any]:
    """The JSON as an object of one's own. Raises AssetError."""
    check_extent(text, path)
    try:
        value = json.loads(text.decode("utf-8"), parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        reason = " ".join(str(error).split())[:100]
        raise AssetError(
            path, f"its JSON cannot be read ({reason})", "Export the model again, as glTF 2.0."
        ) from error
    if not isinstance(value, dict):
        fail(path, "its JSON is not an object")
    return value


def _refuse(text: str) -> float:
    raise ValueError(f"{text[:40]} is not a finite number")


def _finite(text: str) -> float:
    """Numbers beyond double precision would become infinite, which JSON cannot say when it is written again."""
    value = float(text)
    return value if math.isfinite(value) else _refuse(text)


def dump_json(document: dict[str, Any], indent: int | None = None) -> bytes:
    """UTF-8, keys in the order of the document."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:  # lone surrogates, which only escapes can express
        return json.dumps(document, allow_nan=False, indent=indent, separators=separators).encode("ascii")


def pack_glb(
    document: dict[str, Any], binary: bytes | None, extra_chunks: Sequence[tuple[int, bytes]] = ()
) -> bytes:
    """A GLB file: header, JSON chunk (padded with spaces), binary chunk (padded with zeros), other chunks."""
    chunks = [(JSON_CHUNK, _padded(dump_json(document), b" "))]
    if binary is not None:
        chunks.append((BIN_CHUNK, _padded(binary, b"\0")))
    chunks += [(kind, _padded(body, b"\0")) for kind, body in extra_chunks]
    body = b"".join(part for kind, data in chunks for part in (struct.pack("<II", len(data), kind), data))
    return GLB_MAGIC + struct.pack("<II", 2, 12 + len(body)) + body


def _padded(data: bytes, filler: bytes) -> bytes:
    return data + filler * (-len(data) % 4)
