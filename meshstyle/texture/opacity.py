"""What stops a ray: sides, alpha and transmission, as viewers of glTF decide it (specification, 3.9.4 and 3.9.5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int32
from PIL import Image

from ..io.types import Asset, Material, Part
from .normals import weld
from .spans import usable_uv
from .types import AlphaMap, Atlas, Opacity, Surface

AIR = 0.05
"""Blended materials: texels with less alpha than this, the material's factor left out, are taken for air."""
HIDES = 0.5
"""Blended materials: what has this much alpha, the factor's share counted, hides what lies behind."""
LARGEST_MAP = 1024  # longer side of the alpha of what is not painted


def air_below(material: Material) -> float:
    """Alpha, without the factor's share, below which a texel of the material cannot be seen."""
    if material.alpha_mode == "BLEND":
        return AIR
    if material.alpha_mode == "MASK":
        return material.alpha_cutoff / max(material.factor[3], 1e-6)
    return 0.0


def hides_from(material: Material) -> float:
    """Alpha, without the factor's share, from which a texel of the material hides what lies behind."""
    if material.transmits:
        return np.inf
    if material.alpha_mode == "BLEND":
        return HIDES / max(material.factor[3], 1e-6)
    return air_below(material)


def opaque_everywhere(surface: Surface) -> Opacity:
    """Every triangle stops rays, seen from either side, but where its atlas holds air."""
    count = len(surface.corners)
    maps = tuple(AlphaMap(a.alpha, a.wrap) for a in surface.atlases if a.alpha is not None)
    numbers = np.cumsum([a.alpha is not None for a in surface.atlases]) - 1
    place = np.array(
        [n if a.alpha is not None else -1 for n, a in zip(numbers, surface.atlases, strict=True)]
    )
    has = (surface.atlas >= 0) & (surface.alpha_cutoff > 0)
    which = np.where(has, np.append(place, -1)[surface.atlas], -1).astype(np.int32)
    return Opacity(
        front=np.ones(count, np.int8),
        single=np.zeros(count, bool),
        hides_from=surface.alpha_cutoff,
        absent=np.zeros(count, bool),
        map=which,
        uv=surface.uv,
        maps=maps,
    )


def read_opacity(
    asset: Asset,
    atlases: Sequence[Atlas],
    arrays: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    largest: int = LARGEST_MAP,
) -> Opacity:
    """What stops rays on a surface. Raises PictureError.

    What is not painted is looked at by its own image and UVs.

    Args:
        arrays: `atlas`, `uv`, `part` and `triangle` of the `Surface`. Stand-ins may be left out.
        largest: longer side, in texels, of the alpha of what is not painted.
    """
    atlas, uv, part, triangle = arrays
    materials = [asset.materials[p.material] for p in asset.parts]
    hides = np.array([hides_from(m) for m in materials], np.float32)[part]
    opaque = np.array([m.alpha_mode == "OPAQUE" for m in materials], bool)[part]
    which, maps = np.full(len(part), -1, np.int32), list[AlphaMap]()
    for number, one in enumerate(atlases):
        if one.alpha is not None:
            which[(atlas == number) & ~opaque] = len(maps)
            maps.append(AlphaMap(one.alpha, one.wrap))
    looked, places = uv, dict[tuple[int | None, object], int]()
    for number, own in _bare_parts(asset, atlas, part):
        item, material = asset.parts[number], materials[number]
        if item.colours is not None:
            hides[own] /= np.maximum(item.colours[..., 3].mean(axis=1), 1e-6)[triangle[own]].astype(
                np.float32
            )
        key = (material.image, material.wrap)
        if key not in places:  # decoded once, however many parts read it
            found = _own_map(asset, material, largest)
            places[key] = -1 if found is None else len(maps)
            maps += [] if found is None else [found]
        if places[key] < 0 or item.uv is None:
            continue
        looked = looked.copy() if looked is uv else looked
        which[own] = places[key]
        looked[own] = np.where(usable_uv(item.uv)[:, None, None], item.uv, 0.0)[triangle[own]]
    present = [asset.parts[number] for number in np.unique(part)]
    hides[hidden_at_rest(present)] = np.inf
    return Opacity(
        front=np.concatenate([np.zeros(0, np.int8), *map(_fronts, present)]),
        single=np.array([not m.double_sided for m in materials], bool)[part],
        hides_from=hides,
        absent=np.array([p.stand_in is not None for p in asset.parts], bool)[part],
        map=which,
        uv=looked,
        maps=tuple(maps),
    )


def hidden_at_rest(parts: Iterable[Part]) -> Bool[np.ndarray, "F"]:
    """Per triangle of all instances, part by part, whether the file does not show it at rest."""
    return np.concatenate([np.zeros(0, bool), *(_per_triangle(part, part.hidden) for part in parts)])


def _fronts(part: Part) -> Int8[np.ndarray, "F"]:
    """Per triangle of all instances, which side is the front (see `Opacity`)."""
    return np.where(_per_triangle(part, part.mirrored), -1, 1).astype(np.int8)


def _per_triangle(part: Part, flags: Bool[np.ndarray, "I"] | None) -> Bool[np.ndarray, "F"]:
    """One flag per instance to one per triangle; None: all are False."""
    instances, count = part.places.shape[:2]
    return np.repeat(np.zeros(instances, bool) if flags is None else flags, count)


def _bare_parts(
    asset: Asset, atlas: Int32[np.ndarray, "F"], part: Int32[np.ndarray, "F"]
) -> list[tuple[int, Bool[np.ndarray, "F"]]]:
    """Parts that are not painted and not opaque, with the triangles that are theirs."""
    found = []
    for number in np.unique(part[atlas < 0]):
        if asset.materials[asset.parts[number].material].alpha_mode != "OPAQUE":
            found.append((int(number), part == number))
    return found


def _own_map(asset: Asset, material: Material, largest: int) -> AlphaMap | None:
    """The alpha of a material's image; None where it has none."""
    if material.image is None:
        return None
    alpha = asset.image(material.image)[..., 3]
    if alpha.min() == 255:
        return None
    picture = Image.fromarray(np.ascontiguousarray(alpha))
    picture.thumbnail((largest, largest), Image.Resampling.BOX)
    return AlphaMap(np.asarray(picture, np.float32) / 255, material.wrap)


def opposed(
    normals: Float64[np.ndarray, "F 3"], corners: Float64[np.ndarray, "F 3 3"]
) -> Bool[np.ndarray, "F"]:
    """Triangles all of whose corners are corners, too, of triangles that face exactly the other way: the two sides
    of a card, however each side is cut into triangles.

    Args:
        normals: unit normals of the triangles' planes.
    """
    steps = np.rint(normals * 1e5).astype(np.int64) + 100_000
    own, other = ((s[:, 0] << 36) + (s[:, 1] << 18) + s[:, 2] for s in (steps, 200_000 - steps))
    found = np.isin(other, own) & (np.abs(normals).sum(axis=1) > 0)
    some = np.flatnonzero(found)  # few, but of boxes and the like: numbering places is slow
    if not len(some):
        return found
    vertex = weld(corners[some])
    _, facing = np.unique(np.concatenate([own[some], other[some]]), return_inverse=True)
    here, there = np.split(facing.reshape(-1)[:, None] * (int(vertex.max()) + 1) + np.tile(vertex, (2, 1)), 2)
    found[some] = np.isin(there, here).all(axis=1)
    return found
