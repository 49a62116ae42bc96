"""What to paint into which atlas, and whether the model's own UVs will do."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from jaxtyping import Float64

from ..config.model import DEFAULT_TEXTURE_SIZE_RANGE, ORIGINAL, TEXTURE_SIZE_RANGE, Settings
from ..errors import UsageError
from ..io.types import Asset, Part
from .limits import check_atlas_count
from .normals import face_normals
from .types import AtlasPlan, UVHealth
from .uv_health import uv_health

MAX_OVERLAP = 0.01
MAX_ZERO_AREA = 0.01
COARSE = 64
"""Texels along the model's diagonal below which paint is only blotches (views are 128 to 384 pixels wide)."""
MAX_COARSE = 0.1
FRESH_SIZE = 1024
"""Least side of an atlas with fresh UVs: the size of a palette says nothing about the paint."""
SEEN_AT = 1024
"""Pixels across the frame that holds the whole model in which a pixel shall be no smaller than a texel of fresh UVs."""
SPARE = 1.1  # times fewer texels along a side than that are taken, before the atlas is made twice as large
MOST_LISTED = 20  # names in a message
FRESH_COVERAGE = 0.5  # what unwrapping may be trusted to fill


@dataclass(frozen=True)
class _Group:
    """Parts that will share an atlas: their materials read one image, or none; or any, if all are to share."""

    images: tuple[int, ...]
    materials: tuple[int, ...]
    parts: tuple[int, ...]


def plan_atlases(asset: Asset, settings: Settings) -> tuple[AtlasPlan, ...]:
    """Decide, without decoding any image.

    Materials that read the same image share an atlas, all materials without one share another. Own UVs are
    kept (`--uv auto`) if practically every surface point has texels of its own, and enough for paint to show.

    The size: `settings.texture_size` is the longer side; None takes the image's own, within
    DEFAULT_TEXTURE_SIZE_RANGE. Kept UVs keep the image's proportions. Fresh UVs get a square, of at least
    FRESH_SIZE and of as many texels as are seen where the user does not say.

    `settings.only` and `skip` choose materials; parts of the others are in no plan. With `settings.atlas` shared,
    all that is painted gets one atlas with fresh UVs, whatever images it reads.

    Raises UsageError where UVs are to be kept and a part has none, or where `only` and `skip` name what is not there
    or leave nothing; PictureError where an image is unreadable.
    """
    chosen = chosen_materials(asset, settings)
    boxes = [(c.min(axis=(0, 1, 2)), c.max(axis=(0, 1, 2))) for p in asset.parts if (c := p.corners).size]
    diagonal = 0.0
    if boxes:
        low, high = np.min([b[0] for b in boxes], axis=0), np.max([b[1] for b in boxes], axis=0)
        diagonal = float(np.linalg.norm(high - low))
    groups = _groups(asset, chosen, settings)
    check_atlas_count(asset.path, len(groups))
    return tuple(_plan(asset, settings, group, diagonal) for group in groups)


def chosen_materials(asset: Asset, settings: Settings) -> frozenset[int]:
    """The materials that `settings.only` and `skip` leave to be painted.

    Patterns are the shell's (`*`, `?`, `[…]`), without regard to case; a name as it stands matches itself.
    """
    names = [material.name for material in asset.materials]
    only, skip = _matching(names, settings.only, "only"), _matching(names, settings.skip, "skip")
    chosen = frozenset(only if settings.only else range(len(names))) - skip
    shown = {part.material for part in asset.parts if part.corners.size}
    if (settings.only or settings.skip) and not chosen & shown:
        raise UsageError("skip" if settings.skip else "only", "this leaves nothing to paint", _listed(names))
    return chosen


def _matching(names: list[str], patterns: tuple[str, ...], option: str) -> frozenset[int]:
    found: set[int] = set()
    for pattern in patterns:
        hits = [number for number, name in enumerate(names) if is_called(name, pattern)]
        if not hits:
            raise UsageError(option, f"no material is called {pattern}", _listed(names))
        found.update(hits)
    return frozenset(found)


def is_called(name: str, pattern: str) -> bool:
    """Whether a material's name fits a pattern of `settings.only` or `skip`."""
    name, pattern = name.casefold(), pattern.casefold()
    return name == pattern or fnmatchcase(name, pattern)


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:MOST_LISTED]) + (", …" if len(names) > MOST_LISTED else "")
    return f"The materials are: {shown}."


def _groups(asset: Asset, chosen: frozenset[int], settings: Settings) -> list[_Group]:
    """Group the materials in the order of the parts. Parts without triangles or instances have nothing to paint."""
    shared = settings.atlas == "shared"
    images = [asset.materials[part.material].image for part in asset.parts]
    found: dict[int | None, list[int]] = {}
    for index, part in enumerate(asset.parts):
        if part.places.size and part.material in chosen:
            found.setdefault(None if shared else images[index], []).append(index)
    return [
        _Group(
            tuple(dict.fromkeys(image for i in members if (image := images[i]) is not None)),
            tuple(dict.fromkeys(asset.parts[i].material for i in members)),
            tuple(members),
        )
        for members in found.values()
    ]


def _plan(asset: Asset, settings: Settings, group: _Group, diagonal: float) -> AtlasPlan:
    parts = _shown(asset, group)
    bare = [p.name for p in parts if p.uv is None]
    original = max((asset.image_size(image) for image in group.images), key=max, default=None)
    kept_size, fresh_size = _kept_size(original, settings), _fresh_size(original, settings, parts, diagonal)
    health = None if bare else _health(asset, group, kept_size)
    if settings.uv == "keep":
        if len(group.images) > 1:
            cause = f"{len(group.images)} images cannot share an atlas with the UVs they have"
            raise UsageError(asset.path, cause, "Use --uv unwrap, or give each image its own atlas.")
        if bare:
            raise UsageError(
                asset.path, f"{bare[0]} has no UVs that could be kept", "Leave --uv out, or use --uv unwrap."
            )
        unwrap, reason = False, "The UVs are kept because --uv keep asks for it."
    elif settings.uv == "unwrap":
        unwrap, reason = True, "It gets fresh UVs because --uv unwrap asks for them."
    elif health is not None and any(asset.materials[m].moves for m in group.materials):
        unwrap, reason = False, "Its UVs are kept: an animation moves its picture across them."
    else:
        fault = _fault(asset, group, health, (kept_size, fresh_size), diagonal)
        unwrap = fault is not None
        reason = f"It gets fresh UVs: {fault}." if fault else _praise(health)
    return AtlasPlan(
        name=asset.image_name(group.images[0]) if len(group.images) == 1 else asset.path.stem,
        materials=group.materials,
        parts=group.parts,
        size=fresh_size if unwrap else kept_size,
        unwrap=unwrap,
        reason=reason,
        health=health,
    )


def _shown(asset: Asset, group: _Group) -> list[Part]:
    """Without stand-ins, which use the texels of what they stand for."""
    return [asset.parts[i] for i in group.parts if asset.parts[i].stand_in is None]


def _kept_size(original: tuple[int, int] | None, settings: Settings) -> tuple[int, int]:
    if original is None:
        side = settings.side or FRESH_SIZE
        return side, side
    longer = max(original)
    target = settings.side or _within(longer, DEFAULT_TEXTURE_SIZE_RANGE[0], settings)
    height, width = (max(round(side * target / longer), 1) for side in original)
    return height, width


def _fresh_size(
    original: tuple[int, int] | None, settings: Settings, parts: list[Part], diagonal: float
) -> tuple[int, int]:
    """A square with a texel for every pixel that people see, at least as large as the image that was there."""
    longer = FRESH_SIZE if original is None else max(original)
    least, most = FRESH_SIZE, max(DEFAULT_TEXTURE_SIZE_RANGE[1], FRESH_SIZE)
    needed = _texels_seen(parts, diagonal)
    while least * SPARE < needed and 2 * least <= most:
        least *= 2
    side = settings.side or _within(longer, least, settings)
    return side, side


def _texels_seen(parts: list[Part], diagonal: float) -> float:
    """The side of an atlas with as many texels as the surface has pixels in a frame of SEEN_AT that holds the model.

    A frame is about as wide as the model's diagonal.
    """
    if diagonal <= 0:
        return 0.0
    area = sum(float(face_normals(part.corners[0])[1].sum()) for part in parts)
    return SEEN_AT * float(np.sqrt(area / FRESH_COVERAGE)) / diagonal


def _within(longer: int, least: int, settings: Settings) -> int:
    """The original's longer side, brought into range where the user does not ask for it as it is."""
    if settings.texture_size == ORIGINAL:
        return max(min(longer, TEXTURE_SIZE_RANGE[1]), TEXTURE_SIZE_RANGE[0])
    return int(np.clip(longer, least, DEFAULT_TEXTURE_SIZE_RANGE[1]))


def _health(asset: Asset, group: _Group, size: tuple[int, int]) -> UVHealth:
    parts = _shown(asset, group)
    counts = [p.corners.shape[1] for p in parts]
    corners, uv = _stacked(parts)
    return uv_health(
        corners,
        uv,
        aspect=size[1] / size[0],
        wrap=asset.materials[group.materials[0]].wrap,
        group=np.repeat([p.material for p in parts], counts),
    )


def _stacked(parts: list[Part]) -> tuple[Float64[np.ndarray, "F 3 3"], Float64[np.ndarray, "F 3 2"]]:
    """Instance 0 of every part: corners and UVs."""
    uv = [p.uv for p in parts if p.uv is not None]
    return np.concatenate([p.layout for p in parts]), np.concatenate(uv)


def _fault(
    asset: Asset,
    group: _Group,
    health: UVHealth | None,
    sizes: tuple[tuple[int, int], tuple[int, int]],
    diagonal: float,
) -> str | None:
    """Why the parts cannot be painted with the UVs they have, as a clause; None: they can."""
    if health is None:
        return "it has no UVs"
    if len(group.images) > 1:
        return f"{len(group.images)} images are put into one"
    if health.zero_area > MAX_ZERO_AREA:
        return f"{_percent(health.zero_area)} of the surface has no texels of its own in its UVs"
    if health.overlap > MAX_OVERLAP:
        return (
            f"{_percent(health.overlap)} of the texels its UVs cover belong to several places of the surface"
        )
    outside = min(health.low) < 0 or max(health.high) > 1
    if outside and len({asset.materials[m].wrap for m in group.materials}) > 1:
        return "its UVs leave the image, and its materials wrap the image differently"
    coarse = _coarse_share(_shown(asset, group), *sizes, diagonal)
    if coarse > MAX_COARSE:
        return f"{_percent(coarse)} of the surface has too few texels for paint to show"
    return None


def _praise(health: UVHealth | None) -> str:
    covered = _percent(health.coverage) if health else "none"
    overlap = _percent(health.overlap) if health and health.overlap > 0 else "none"
    return f"Its UVs are kept: they cover {covered} of the image, and {overlap} of that is shared."


def _percent(share: float) -> str:
    return "less than 0.1 %" if 0 < share < 0.001 else f"{100 * share:.3g} %"


def _coarse_share(parts: list[Part], kept: tuple[int, int], fresh: tuple[int, int], diagonal: float) -> float:
    """Share of the surface whose texels are longer than 1/COARSE of the model, and need not be.

    A texel's longer side counts: UVs squeezed along one direction blur just as small ones do.
    """
    corners, uv = _stacked(parts)
    _, area = face_normals(corners)
    total = area.sum()
    if not (total > 0 and diagonal > 0):
        return 0.0
    density = _least_stretch(corners, area, uv * np.array([kept[1], kept[0]], np.float64))
    # Fresh UVs spread the texels evenly; where that helps little, the model is just large for its texture.
    even = np.sqrt(FRESH_COVERAGE * fresh[0] * fresh[1] / total)
    needed = min(COARSE / diagonal, even / 2)
    return float(area[density < needed].sum() / total)


def _least_stretch(
    corners: Float64[np.ndarray, "F 3 3"], area: Float64[np.ndarray, "F"], texel: Float64[np.ndarray, "F 3 2"]
) -> Float64[np.ndarray, "F"]:
    """Texels per unit of length along the direction in which there are fewest.

    The smaller singular value of the map from the surface to the atlas (Sander et al. 2001, section 3).
    """
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    s, t = texel[:, 1] - texel[:, 0], texel[:, 2] - texel[:, 0]
    length = np.maximum(np.linalg.norm(a, axis=1), 1e-300)
    along, height = np.einsum("fc,fc->f", a, b) / length, np.maximum(2 * area / length, 1e-300)
    column_1 = s / length[:, None]
    column_2 = (t - column_1 * along[:, None]) / height[:, None]
    product = np.abs(column_1[:, 0] * column_2[:, 1] - column_1[:, 1] * column_2[:, 0])
    squares = (column_1**2).sum(axis=1) + (column_2**2).sum(axis=1)
    largest = np.sqrt((squares + np.sqrt(np.maximum(squares**2 - 4 * product**2, 0.0))) / 2)
    return product / np.maximum(largest, 1e-300)
