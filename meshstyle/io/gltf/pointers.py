"""Every place of a glTF material that names a picture, and which of them follow its paint.

A picture is named not only as the base colour: as the emissive picture too (shadeless exports, screens), and in the
toon materials of VRM (`VRMC_materials_mtoon` in VRM 1; `VRM.materialProperties` of the document in VRM 0). Places that
name the painted picture with the same UVs get the paint; those that hold data, or other UVs, are left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .draft import Json

GLOSS = "KHR_materials_pbrSpecularGlossiness"
MTOON = "VRMC_materials_mtoon"
TRANSFORM = "KHR_texture_transform"
# Textures of colour beside the base colour: the holder's keys in the material, and the texture's key there.
_COLOURS = (
    ((), "emissiveTexture"),
    (("extensions", MTOON), "shadeMultiplyTexture"),
    (("extensions", "KHR_materials_diffuse_transmission"), "diffuseTransmissionColorTexture"),
)
# The same in `VRM.materialProperties[].textureProperties`, which all read the first UV set.
VRM_COLOURS = ("_MainTex", "_ShadeTexture", "_EmissionMap")
_BASES = ((("pbrMetallicRoughness",), "baseColorTexture"), (("extensions", GLOSS), "diffuseTexture"))


@dataclass(frozen=True)
class Named:
    """A textureInfo.

    Attributes:
        where: its keys in the material, for messages.
        info: the object itself.
    """

    where: str
    info: Json


def mapping(info: Json) -> tuple[Any, Json]:
    """UV set and texture transform."""
    transform = (info.get("extensions") or {}).get(TRANSFORM) or {}
    rest = {key: value for key, value in transform.items() if key not in ("texCoord", "extras")}
    return transform.get("texCoord", info.get("texCoord", 0)), rest


def base_infos(material: Json) -> list[Json]:
    """The textureInfos of the base colour: of the metallic and of the glossy model."""
    return [named.info for named in _at(material, _BASES)]


def followers(material: Json, main: Json, textures: list[Json]) -> list[Json]:
    """Places beside the base colour that name the same picture as `main` with the same UVs."""
    return [
        named.info
        for named in _at(material, _COLOURS)
        if named.info is not main
        and _picture(named.info, textures) == _picture(main, textures)
        and mapping(named.info) == mapping(main)
    ]


def left_behind(material: Json, main: Json, textures: list[Json]) -> list[str]:
    """Places that name the same picture and do not follow: keys, for a message."""
    following = [id(main), *map(id, followers(material, main, textures)), *map(id, base_infos(material))]
    picture = _picture(main, textures)
    return [
        named.where
        for named in all_infos(material)
        if id(named.info) not in following and _picture(named.info, textures) == picture
    ]


def reads_first_set(holder: Any, painted: list[Json]) -> bool:
    """Whether any textureInfo below `holder`, but for those painted, reads TEXCOORD_0."""
    mine = set(map(id, painted))
    return any(id(named.info) not in mine and mapping(named.info)[0] == 0 for named in all_infos(holder))


def all_infos(holder: Any, where: str = "") -> Iterator[Named]:
    """Every textureInfo below: objects with the number of a texture."""
    if isinstance(holder, dict):
        if where and isinstance(holder.get("index"), int):
            yield Named(where, holder)
        for key, value in holder.items():
            yield from all_infos(value, f"{where}.{key}" if where else key)
    elif isinstance(holder, list):
        for number, value in enumerate(holder):
            yield from all_infos(value, f"{where}[{number}]")


def _at(material: Json, places: tuple[tuple[tuple[str, ...], str], ...]) -> Iterator[Named]:
    for keys, name in places:
        holder: Any = material
        for key in keys:
            holder = holder.get(key) if isinstance(holder, dict) else None
        info = holder.get(name) if isinstance(holder, dict) else None
        if isinstance(info, dict) and isinstance(info.get("index"), int):
            yield Named(".".join((*keys, name)), info)


def _picture(info: Json, textures: list[Json]) -> Any:
    return pictures_named(info["index"], textures)


def pictures_named(index: Any, textures: list[Json]) -> Any:
    """What a texture shows: its images in all their encodings; textures of equal ones show the same."""
    if not isinstance(index, int) or not 0 <= index < len(textures):
        return ("texture", index)
    texture = textures[index]
    extra = sorted(
        (name, str(item.get("source")))
        for name, item in (texture.get("extensions") or {}).items()
        if isinstance(item, dict)
    )
    return (
        (texture.get("source"), tuple(extra))
        if texture.get("source") is not None or extra
        else ("texture", index)
    )
