"""The material library of a painted OBJ: what was there, with the base colours of painted materials new."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .mtl import RECORD_MARK, Library, MtlLine, MtlMaterial, TextureMap, format_record, parse_map
from .output_paths import Companions
from .text import Edit, Text, apply_edits, plain_lines

_TEXTURES = ("bump", "disp", "decal", "refl", "norm")  # and everything that begins with map_
_WITHOUT_UVS = "refl"


@dataclass(frozen=True)
class NewColour:
    """The paint of a material.

    Attributes:
        picture: the file's name.
        has_alpha: whether the picture's alpha counts.
        unwrapped: whether the UVs are new ones, in which no other texture fits.
    """

    picture: str
    has_alpha: bool
    unwrapped: bool


def rewrite_library(
    libraries: tuple[Library, ...],
    painted: Mapping[str, NewColour],
    companions: Companions,
    record: Mapping[str, Any],
    empty: Text,
) -> bytes:
    """All libraries as one. `painted` is by material; those that no library has are added.

    `empty` is how to write where there is no library. A material's first definition counts, as in reading.
    """
    text = libraries[0].text if libraries else empty
    waiting = dict(painted)
    parts = [format_record(record) + text.newline]
    for library in libraries:
        edits: list[Edit] = _drop_records(library.text)
        for material in library.materials:
            edits += _edit_material(material, waiting.pop(material.name, None), companions, library.text)
        body = apply_edits(library.text.body, edits)
        if library.text.codec != text.codec:
            body = text.encode(library.text.decode(body))
        parts.append(body if body.endswith((b"\n", b"\r")) or not body else body + text.newline)
    for name, colour in waiting.items():
        lines = [f"newmtl {name}", "Kd 1 1 1", f"map_Kd {colour.picture}"]
        if colour.has_alpha:
            lines.append(f"map_d -imfchan m {colour.picture}")
        parts.append(b"".join(text.encode(line) + text.newline for line in lines))
    return text.pack(b"".join(parts))


def _edit_material(
    material: MtlMaterial, colour: NewColour | None, companions: Companions, text: Text
) -> list[Edit]:
    base = parse_map(material.value("map_kd") or "")
    edits: list[Edit] = []
    seen = set()
    for line in material.lines:
        new = _new_statement(line, material, base, colour, companions)
        if new is not None:
            edits.append((line.start, line.end, text.encode(new)))
        seen.add(line.keyword)
    if colour is None:
        return edits
    missing = [("kd", "Kd 1 1 1"), ("map_kd", f"map_Kd {colour.picture}")]
    for keyword, statement in missing:
        if keyword not in seen:
            end = material.lines[0].end
            edits.append((end, end, text.newline + text.encode(statement)))
    return edits


def _new_statement(
    line: MtlLine,
    material: MtlMaterial,
    base: TextureMap | None,
    colour: NewColour | None,
    companions: Companions,
) -> str | None:
    """What to write instead of a statement; None leaves it as it is."""
    if colour and line.keyword == "kd":
        return "Kd 1 1 1"
    if not (line.keyword.startswith("map_") or line.keyword in _TEXTURES):
        return None
    texture = parse_map(line.value)
    keyword = line.written
    if colour and line.keyword == "map_kd":
        return f"{keyword} {_placing(texture, colour)}{colour.picture}"
    # Ambient light shows the base colour too: exporters repeat the picture there.
    if colour and line.keyword == "map_ka" and texture and base and texture.file == base.file:
        return f"{keyword} {_placing(texture, colour)}{colour.picture}"
    if colour and line.keyword == "map_d" and colour.has_alpha:
        return f"{keyword} {_placing(texture, colour)}-imfchan m {colour.picture}"
    if colour and colour.unwrapped and line.keyword != _WITHOUT_UVS:
        return f"# left out by meshstyle, made for other UVs: {keyword} {line.value}"
    if texture is None:
        return None
    reference = companions.reference(texture.file, material.folder)
    return None if reference == texture.file else f"{keyword} {line.value.replace(texture.file, reference)}"


def _placing(texture: TextureMap | None, colour: NewColour) -> str:
    if colour.unwrapped or texture is None or not texture.placing:
        return ""
    return texture.placing + " "


def _drop_records(text: Text) -> list[Edit]:
    """The lines that earlier runs left."""
    plain = plain_lines(text.body)
    found = re.finditer(rb"^" + re.escape(RECORD_MARK) + rb"\{[^\n]*\n?", plain, re.MULTILINE)
    return [(match.start(), match.end(), b"") for match in found]
