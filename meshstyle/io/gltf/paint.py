"""Pointing glTF materials at painted images.

What something unpainted still uses stays as it is, and the paint gets materials, textures and images of its
own; what only painted things use is replaced in place, so that no dead weight is carried along.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

from ..types import Paint
from .draft import Draft, Json, drop_extension, numbers_at
from .materials import IMAGE_EXTENSIONS, SPECULAR_GLOSSINESS, TRANSFORM, WEBP
from .pointers import base_infos, followers, reads_first_set
from .primitives import PrimitiveSource
from .vrm import has_other_maps

_VARIANTS = "KHR_materials_variants"


@dataclass(frozen=True)
class _Use:
    """One way of painting a material: parts that agree in it share a material."""

    material: int | None
    atlas: int
    uv_set: int | None  # None: the UVs it has


@dataclass(eq=False)
class _Slot:
    """A textureInfo that waits for the number of its new texture."""

    info: Json
    texture: int | None
    atlas: int


def keep_vertex_colours_aside(draft: Draft, paint: Paint, parts: Sequence[PrimitiveSource]) -> None:
    """Rename COLOR_n of painted primitives to `_COLOR_n`, so that they do not tint the paint a second time.

    All of them, since COLOR_1 may not stand without COLOR_0; in morph targets too. Their alpha goes along, so
    whoever painted has put it into the alpha of the atlas.
    """
    for source, part in zip(parts, paint.parts, strict=True):
        primitive = draft.primitive(source.mesh, source.primitive)
        if part is None or "COLOR_0" not in primitive["attributes"]:
            continue
        taken = set(primitive["attributes"])
        names = {}
        for name in primitive["attributes"]:
            if name.startswith("COLOR_"):
                new = f"_{name}"
                while new in taken:
                    new += "_"
                names[name] = new
        for holder in (primitive["attributes"], *primitive.get("targets", ())):
            renamed = {names.get(name, name): accessor for name, accessor in holder.items()}
            holder.clear()
            holder.update(renamed)
        drop_extension(primitive, "KHR_draco_mesh_compression")  # it lists attributes by name


def first_set_is_free(draft: Draft, source: PrimitiveSource, emissive: Collection[int | None]) -> bool:
    """Whether new UVs may become TEXCOORD_0 of a primitive: programs that know one set only then see the paint.

    Not where another texture reads the old ones: of its materials (variants count), of extensions of the primitive,
    or of a VRM.
    """
    primitive, textures = draft.primitive(source.mesh, source.primitive), draft.items("textures")
    for number in {source.material, *(mapping.get("material") for mapping in _variants(primitive))}:
        material = {} if number is None else draft.items("materials")[number]
        painted: list[Json] = []
        if number == source.material:
            bases = base_infos(material)
            main = material["emissiveTexture"] if number in emissive else next(iter(bases), None)
            painted = bases if main is None else [main, *bases, *followers(material, main, textures)]
        if reads_first_set(material, painted):
            return False
    others = {k: v for k, v in (primitive.get("extensions") or {}).items() if k != _VARIANTS}
    return not reads_first_set(others, []) and not has_other_maps(draft.json, source.material)


def paint_materials(
    draft: Draft,
    paint: Paint,
    parts: Sequence[PrimitiveSource],
    uv_sets: Mapping[int, int],
    emissive: Collection[int | None] = (),
    relief: Mapping[int, tuple[int, int]] | None = None,
) -> dict[int, list[int]]:
    """Edit materials, textures and images.

    Args:
        uv_sets: part to number of its new UV set.
        emissive: materials whose emissive picture is what is painted.
        relief: by atlas that has one, the atlases that hold its normals and its roughness.

    Returns which images hold each atlas; their contents are still to be set.
    """
    members: dict[_Use, list[int]] = {}
    for index, (source, part) in enumerate(zip(parts, paint.parts, strict=True)):
        if part is not None:
            use = _Use(source.material, part.atlas, uv_sets.get(index))
            members.setdefault(use, []).append(index)
    needed = _needed_by_others(draft, parts, members)
    slots: list[_Slot] = []
    for use, indices in members.items():
        number, material = _own_material(draft, use, needed, paint.atlases[use.atlas].name)
        made = _paint_material(
            material, use, draft.document.root.value.get("textures", []), use.material in emissive
        )
        if relief and use.atlas in relief and use.material not in emissive:
            made += _raise_material(material, made[0], relief[use.atlas])
        slots += made
        for index in indices:
            _assign(draft.primitive(parts[index].mesh, parts[index].primitive), use.material, number)
    return _place_images(draft, slots, _place_textures(draft, slots), paint)


def _needed_by_others(
    draft: Draft, parts: Sequence[PrimitiveSource], members: Mapping[_Use, Sequence[int]]
) -> set[int | None]:
    """Materials that something unpainted shows, now or in a variant."""
    painted = {(parts[i].mesh, parts[i].primitive) for indices in members.values() for i in indices}
    needed: set[int | None] = set()
    for mesh_index, mesh in enumerate(draft.items("meshes")):
        for index, primitive in enumerate(mesh.get("primitives", ())):
            shown = primitive.get("material")
            is_painted = (mesh_index, index) in painted
            if not is_painted:
                needed.add(shown)
            needed.update(
                mapping.get("material")
                for mapping in _variants(primitive)
                if not is_painted or mapping.get("material") != shown
            )
    return needed


def _variants(primitive: Json) -> list[Json]:
    return primitive.get("extensions", {}).get(_VARIANTS, {}).get("mappings", [])


def _own_material(draft: Draft, use: _Use, needed: set[int | None], atlas: str) -> tuple[int, Json]:
    """A material for this use alone: the original where nobody else needs it, else a copy, else a new one."""
    if use.material is None:
        material: Json = {"name": atlas}
        return draft.append("materials", material), material
    original: Json = draft.items("materials")[use.material]
    if use.material not in needed:
        needed.add(use.material)  # the next use of it gets a copy of what it was
        return use.material, original
    material = deepcopy(draft.document.root.value["materials"][use.material])
    if "name" in material:
        material["name"] = f"{material['name']} painted"
    number = draft.append("materials", material)
    draft.copied[number] = use.material
    return number, material


def _assign(primitive: Json, old: int | None, new: int) -> None:
    primitive["material"] = new
    for mapping in _variants(primitive):
        if old is not None and mapping.get("material") == old:
            mapping["material"] = new


def _paint_material(material: Json, use: _Use, textures: list[Json], emissive: bool) -> list[_Slot]:
    """White factor (alpha stays) and a slot for the texture, wherever the material keeps its base colour, and slots
    for the other places that name the same picture."""
    if emissive:
        main = material["emissiveTexture"]
        also = [info for info in followers(material, main, textures) if info is not main]
        material["emissiveFactor"] = [1, 1, 1]
        return [_slot(info, use) for info in (main, *also)]
    main = next(iter(base_infos(material)), None)
    also = [] if main is None else followers(material, main, textures)
    return [*_paint_base(material, use), *(_slot(info, use) for info in also)]


def _paint_base(material: Json, use: _Use) -> list[_Slot]:
    gloss = material.get("extensions", {}).get(SPECULAR_GLOSSINESS)
    slots = []
    if gloss is not None:
        slots.append(_paint_surface(gloss, "diffuseFactor", "diffuseTexture", use))
        surface = material.get("pbrMetallicRoughness", {})
        if not {"baseColorFactor", "baseColorTexture"} & set(surface):
            return slots  # no fallback to keep in step
    surface = material.setdefault("pbrMetallicRoughness", {})
    return [*slots, _paint_surface(surface, "baseColorFactor", "baseColorTexture", use)]


def _paint_surface(surface: Json, factor: str, texture: str, use: _Use) -> _Slot:
    if factor in surface:
        surface[factor] = [1, 1, 1, surface[factor][3]]
    return _slot(surface.setdefault(texture, {}), use)


def _raise_material(material: Json, painted: _Slot, maps: tuple[int, int]) -> list[_Slot]:
    """Slots for normals and roughness beside the paint; the maps hold what the material's own and its factors did.

    `painted`: the base colour's, whose UVs they read, and whose texture's sampler new ones take.
    """
    base = painted.info
    if "KHR_materials_unlit" in (material.get("extensions") or {}):
        return []
    holders = [(material, "normalTexture")]
    if SPECULAR_GLOSSINESS not in (material.get("extensions") or {}):
        surface = material.setdefault("pbrMetallicRoughness", {})
        surface["metallicFactor"] = surface["roughnessFactor"] = 1
        holders.append((surface, "metallicRoughnessTexture"))
    slots = []
    for (holder, name), atlas in zip(holders, maps, strict=False):
        info = holder.setdefault(name, {})
        old = info.get("index", painted.texture)
        info.clear()
        info.update({key: deepcopy(base[key]) for key in ("texCoord", "extensions") if key in base})
        info["index"] = None
        slots.append(_Slot(info, old, atlas))
    return slots


def _slot(info: Json, use: _Use) -> _Slot:
    old = info.get("index")
    if use.uv_set is not None:
        drop_extension(info, TRANSFORM)
        info.pop("texCoord", None)
        if use.uv_set:
            info["texCoord"] = use.uv_set
    info["index"] = None  # not a reference any more; keeps the key's place
    return _Slot(info, old, use.atlas)


def _place_textures(draft: Draft, slots: Sequence[_Slot]) -> dict[int, list[Json]]:
    """Give every slot a texture. Returns the painted textures of each atlas, still without an image."""
    in_use = {number for _, number in numbers_at(draft.items("materials"), "index")} | draft.pinned()
    textures: dict[int, list[Json]] = {}
    placed: dict[tuple[int | None, int], int] = {}
    for slot in slots:
        key = (slot.texture, slot.atlas)
        if key not in placed:
            if slot.texture is not None and slot.texture not in in_use:
                placed[key], texture = slot.texture, draft.items("textures")[slot.texture]
                in_use.add(slot.texture)
            else:
                texture = {}
                if slot.texture is not None:
                    texture |= deepcopy(draft.document.root.value["textures"][slot.texture])
                placed[key] = draft.append("textures", texture)
            for name in IMAGE_EXTENSIONS:
                drop_extension(texture, name)
            texture["source"] = None
            textures.setdefault(slot.atlas, []).append(texture)
        slot.info["index"] = placed[key]
    return textures


def _place_images(
    draft: Draft, slots: Sequence[_Slot], textures: Mapping[int, list[Json]], paint: Paint
) -> dict[int, list[int]]:
    """Give every painted texture an image: one that nothing else uses now, else a new one."""
    originals = draft.document.root.value.get("textures", [])
    in_use = {number for _, number in numbers_at(draft.items("textures"), "source")} | draft.pinned()
    images: dict[int, list[int]] = {}
    for atlas, painted in textures.items():
        for slot in slots:
            if slot.atlas == atlas and slot.texture is not None:
                for _, image in numbers_at(originals[slot.texture], "source"):
                    if image not in in_use:
                        in_use.add(image)  # this atlas has it now
                        images.setdefault(atlas, []).append(image)
        if atlas not in images:
            images[atlas] = [draft.append("images", {"name": paint.atlases[atlas].name})]
        for texture in painted:
            texture["source"] = images[atlas][0]
    return images


def point_at_webp(draft: Draft, images: Collection[int]) -> None:
    """Textures of these images name them as EXT_texture_webp wants it, without a source for other readers."""
    textures = [texture for texture in draft.items("textures") if texture.get("source") in images]
    for texture in textures:
        texture.setdefault("extensions", {})[WEBP] = {"source": texture.pop("source")}
    for key in ("extensionsUsed", "extensionsRequired"):
        if textures and WEBP not in draft.json.setdefault(key, []):
            draft.json[key].append(WEBP)
