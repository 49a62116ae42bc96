"""VRM 0: `extensions.VRM.materialProperties` of the document names pictures a second time, by material."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from .draft import Draft, Json
from .pointers import VRM_COLOURS, base_infos, pictures_named

EXTENSIONS = ("VRM", "VRMC_vrm")
_MATCAPS = ("_SphereAdd",)  # looked up by the view's direction, not by UVs


def properties(json: Json) -> list[Json]:
    """The entries, in the order of the materials; empty where the file is no VRM 0 or they are damaged."""
    holder: Any = (json.get("extensions") or {}).get("VRM")
    found = holder.get("materialProperties") if isinstance(holder, dict) else None
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        return []
    return found if len(found) == len(json.get("materials", ())) else []


def has_other_maps(json: Json, material: int | None) -> bool:
    """Whether a material's entry names pictures that are not painted and read the first UV set."""
    entries = properties(json)
    if material is None or not entries:
        return False
    names = entries[material].get("textureProperties")
    return isinstance(names, dict) and bool(set(names) - set(VRM_COLOURS) - set(_MATCAPS))


def follow(draft: Draft) -> list[str]:
    """Let the entries name what their materials show now; materials that were copied get copies of their entries.

    Returns a sentence for each painted material whose entry still names the picture it had.
    """
    before = draft.document.root.value
    entries, textures, notes = properties(before), before.get("textures", []), list[str]()
    if not entries:
        return notes
    written: list[Json] = draft.json["extensions"]["VRM"]["materialProperties"]
    for number, material in enumerate(draft.items("materials")):
        origin = draft.copied.get(number, number)
        if origin >= len(entries):
            continue
        while len(written) <= number:
            written.append(deepcopy(entries[origin]))
        old, new = base_infos(before["materials"][origin]), base_infos(material)
        names = written[number].get("textureProperties")
        if not old or not new or not isinstance(names, dict) or material == before["materials"][origin]:
            continue
        picture = pictures_named(old[0]["index"], textures)
        same = [key for key in names if pictures_named(names[key], textures) == picture]
        following = [] if new[0].get("texCoord", 0) else [key for key in same if key in VRM_COLOURS]
        if left := sorted(set(same) - set(following)):
            notes.append(
                f"Material {material.get('name', f'material {number}')!r} names its picture in the properties of VRM 0 "
                f"as {', '.join(left)} too, which stays as it was."
            )
        if not following:
            continue
        colour = (written[number].get("vectorProperties") or {}).get("_Color")
        if isinstance(colour, list) and len(colour) == 4:
            colour[:3] = [1, 1, 1]  # it would tint the paint a second time
        for key in following:
            names[key] = new[0]["index"]
    return notes
