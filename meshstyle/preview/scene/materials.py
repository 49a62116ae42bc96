"""Materials with everything that physically based shading asks for (glTF 2.0, section 3.9)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64

from ...io.gltf.asset import GltfAsset
from ...io.gltf.fields import Fields
from ...io.gltf.materials import SPECULAR_GLOSSINESS, read_mapping, read_texture
from ...io.types import Asset, Material, Wrap

MAPS = ("base", "normal", "metal_rough", "emissive", "occlusion")
MAX_MAPPINGS = 4  # what fits into a vertex; more than any exporter writes
_MATT = 1.0  # roughness of materials that do not tell theirs, as our own GLB writer has it


@dataclass(frozen=True)
class TextureReference:
    """A texture of a material.

    Attributes:
        image: which of the asset's.
        wrap: along u and along v.
        mapping: which of the material's UV mappings it reads; 0 is the base colour's.
        nearest: whether magnified texels keep hard edges.
    """

    image: int
    wrap: tuple[Wrap, Wrap]
    mapping: int = 0
    nearest: bool = False


@dataclass(frozen=True, eq=False)
class Mapping:
    """A UV set and what is done with it: `(u', v') = transform @ (u, v, 1)`."""

    texcoord: int
    transform: Float64[np.ndarray, "2 3"]

    def same(self, other: Mapping) -> bool:
        return self.texcoord == other.texcoord and np.array_equal(self.transform, other.transform)


@dataclass(frozen=True, eq=False)
class PbrMaterial:
    """A metallic-roughness material. Factors multiply what the maps hold.

    Attributes:
        base: base colour, alpha mode, sidedness.
        metallic, roughness: 0..1; roughness is the perceptual one.
        emissive: linear RGB, may go beyond 1.
        normal_scale: of the normal map's x and y.
        occlusion_strength: 0 to 1.
        unlit: the base colour is what is seen (KHR_materials_unlit).
        maps: by name, see `MAPS`.
        mappings: of UVs; `Lookup.mapping` counts in them.
    """

    base: Material
    metallic: float = 0.0
    roughness: float = _MATT
    emissive: tuple[float, float, float] = (0.0, 0.0, 0.0)
    normal_scale: float = 1.0
    occlusion_strength: float = 1.0
    unlit: bool = False
    maps: dict[str, TextureReference] = field(default_factory=dict)
    mappings: tuple[Mapping, ...] = ()

    def without(self, missing: frozenset[int]) -> PbrMaterial:
        """The same without the maps that read these mappings."""
        kept = {name: lookup for name, lookup in self.maps.items() if lookup.mapping not in missing}
        return replace(self, maps=kept)


@runtime_checkable
class _HasStatements(Protocol):
    """What an OBJ's materials are made of."""

    model: Any


def read_pbr_materials(asset: Asset) -> tuple[PbrMaterial, ...]:
    """One for each of the asset's materials, in their order. Raises AssetError."""
    if isinstance(asset, GltfAsset):
        items = asset.document.root.children("materials")
        found = [_read_gltf(asset, item, i) for i, item in enumerate(items)]
        # The default material of glTF is metal; what nobody chose looks better matt.
        return tuple(found + [PbrMaterial(material) for material in asset.materials[len(items) :]])
    if isinstance(asset, _HasStatements):
        return tuple(_read_obj(item) for item in asset.model.materials)
    return tuple(PbrMaterial(material, maps=_base_map(material)) for material in asset.materials)


def _base_map(material: Material) -> dict[str, TextureReference]:
    return {} if material.image is None else {"base": TextureReference(material.image, material.wrap)}


def _read_obj(item: Any) -> PbrMaterial:
    """The PBR statements that some exporters add (`Pm`, `Pr`, `Ke`); shininess of old is left aside."""
    from ...io.obj.mtl import parse_numbers

    def number(keyword: str, default: float) -> float:
        values = parse_numbers((item.source and item.source.value(keyword)) or "", 1)
        return min(max(values[0], 0.0), 1.0) if values else default

    glow = parse_numbers((item.source and item.source.value("ke")) or "", 3)
    return PbrMaterial(
        item.material,
        metallic=number("pm", 0.0),
        roughness=number("pr", _MATT),
        emissive=(glow[0], glow[1], glow[2]) if len(glow) == 3 else (0.0, 0.0, 0.0),
        maps=_base_map(item.material),
    )


class _Maps:
    """Collects the textures of a glTF material with the mappings they need."""

    def __init__(self, asset: GltfAsset) -> None:
        self._document = asset.document
        self.maps: dict[str, TextureReference] = {}
        self.mappings: list[Mapping] = []

    def add(self, name: str, info: Fields) -> None:
        root = self._document.root
        texture = info.index("index", len(root.children("textures")), "textures")
        if texture is None:
            return
        image, wrap = read_texture(self._document, texture)
        place = self._place(Mapping(*read_mapping(info)))
        if image is not None and place < MAX_MAPPINGS:
            self.maps[name] = TextureReference(image, wrap, place, self._is_nearest(texture))

    def _place(self, wanted: Mapping) -> int:
        for place, mapping in enumerate(self.mappings):
            if mapping.same(wanted):
                return place
        self.mappings.append(wanted)
        return len(self.mappings) - 1

    def _is_nearest(self, texture: int) -> bool:
        root = self._document.root
        samplers = root.children("samplers")
        sampler = root.children("textures")[texture].index("sampler", len(samplers), "samplers")
        return sampler is not None and samplers[sampler].integer("magFilter", 9729) == 9728


def _read_gltf(asset: GltfAsset, item: Fields, index: int) -> PbrMaterial:
    glossy = SPECULAR_GLOSSINESS in item.child("extensions").value
    surface = item.extension(SPECULAR_GLOSSINESS) if glossy else item.child("pbrMetallicRoughness")
    base, maps = asset.base_colours[index], _Maps(asset)
    maps.mappings.append(Mapping(base.texcoord, base.transform))  # even where there is no texture
    if base.emissive:  # nothing else is seen of it, whatever the light
        maps.add("base", item.child("emissiveTexture"))
        return PbrMaterial(base.material, unlit=True, maps=maps.maps, mappings=tuple(maps.mappings))
    maps.add("base", surface.child("diffuseTexture" if glossy else "baseColorTexture"))
    maps.add("normal", item.child("normalTexture"))
    maps.add("occlusion", item.child("occlusionTexture"))
    maps.add("emissive", item.child("emissiveTexture"))
    if not glossy:
        maps.add("metal_rough", surface.child("metallicRoughnessTexture"))
    red, green, blue = item.numbers("emissiveFactor", 3, (0.0, 0.0, 0.0))
    strength = item.extension("KHR_materials_emissive_strength").number("emissiveStrength", 1.0)
    return PbrMaterial(
        base=base.material,
        metallic=0.0 if glossy else surface.number("metallicFactor", 1.0),
        roughness=1 - surface.number("glossinessFactor", 1.0)
        if glossy
        else surface.number("roughnessFactor", 1.0),
        emissive=(red * strength, green * strength, blue * strength),
        normal_scale=item.child("normalTexture").number("scale", 1.0),
        occlusion_strength=item.child("occlusionTexture").number("strength", 1.0),
        unlit="KHR_materials_unlit" in item.child("extensions").value,
        maps=maps.maps,
        mappings=tuple(maps.mappings),
    )
