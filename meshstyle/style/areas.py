"""Areas: parts of the surface that are painted each in a style of its own, in one solve.

An area has one or more paintings that are mixed, a strength and a size of strokes, and a weight on every texel; the
weights of all areas are 1 in sum. A map that varies strength or size smoothly becomes areas of a few values, between
which weights go over linearly, as between the knots of a curve.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Int64

from ..config.model import Settings
from ..config.styles import Region, StyleRequest, parse_region, shares
from ..errors import UsageError
from ..io.types import Asset
from ..texture.plan import is_called
from ..texture.regions import SurfaceSamples, enlarged, mask_values, region_weights, stacked
from ..texture.types import Surface
from ..views.sampling_matrix import TexelTable
from ..views.sparse_product import gather
from .objective import fit_short_side

STRENGTHS = (0.0, 0.5, 1.0)  # values that a strength map is made of
SCALES = (0.5, 1.0, 2.0)  # and a map of stroke sizes, from black to white
_LEAST = 1e-3  # share of the surface: smaller areas are left out

Painting = Float[torch.Tensor, "1 3 _ _"]
Maps = tuple[Float32[np.ndarray, "_ _"], ...]


@dataclass(frozen=True, eq=False)
class Style:
    """A style picture, sRGB 0..1, and what was asked of it."""

    request: StyleRequest
    painting: Painting


@dataclass(frozen=True, eq=False)
class Area:
    """What one area is painted like.

    Attributes:
        paintings: sRGB 0..1; none: the original stays.
        shares: of each of them, 1 in sum.
        strength: of the style, the setting `strength` included.
        scale: of the strokes, beside the setting `style_scale`.
    """

    paintings: tuple[Painting, ...]
    shares: tuple[float, ...]
    strength: float = 1.0
    scale: float = 1.0


@dataclass(frozen=True, eq=False)
class Areas:
    """All areas of a surface.

    Attributes:
        areas: at least one.
        weights: by area, a map of its weights for each atlas (any resolution); empty where one area is everything.
        protected: how firmly each place keeps its light and dark, likewise; None: nothing is protected.
    """

    areas: tuple[Area, ...]
    weights: tuple[Maps, ...] = ()
    protected: Maps | None = None

    @property
    def painted(self) -> list[int]:
        """The areas whose style counts."""
        return [number for number, area in enumerate(self.areas) if area.paintings and area.strength > 0]

    def mean(self, number: int) -> float:
        """An area's share of the maps."""
        return float(np.mean([weights.mean() for weights in self.weights[number]])) if self.weights else 1.0

    def paintings(self) -> list[tuple[float, Painting]]:
        """All paintings, each with its share of the painted surface."""
        found: dict[int, tuple[float, Painting]] = {}
        for number in self.painted:
            area, size = self.areas[number], self.mean(number)
            for share, painting in zip(area.shares, area.paintings, strict=True):
                before = found.get(id(painting), (0.0, painting))[0]
                found[id(painting)] = (before + size * share, painting)
        total = sum(weight for weight, _ in found.values())
        return [(weight / total, painting) for weight, painting in found.values()]

    def background(self, size: int) -> Float[torch.Tensor, "3"]:
        """The mean colour of all paintings, each at a short side of `size` pixels, by how much it counts."""
        means = [weight * fit_short_side(one, size).mean((0, 2, 3)) for weight, one in self.paintings()]
        return torch.stack(means).sum(0)

    def rows(self, texels: TexelTable) -> Float[torch.Tensor, "T C"] | None:
        """The weights of all areas at the texels of a table, and in one more column how much they are protected; None
        where there is nothing to tell."""
        if not self.weights and self.protected is None:
            return None
        columns = []
        for maps in (*self.weights, *(() if self.protected is None else (self.protected,))):
            resized = []
            for weights, layout in zip(maps, texels.layouts, strict=True):
                picture = torch.from_numpy(weights)[None, None]
                size = layout.covered.shape
                at_size = F.interpolate(
                    picture, size=size, mode="bilinear", antialias=True, align_corners=False
                )
                resized.append(at_size[0])
            columns.append(gather(texels, resized))
        rows = torch.cat(columns, dim=1).clamp(0, 1)
        own = rows[:, : len(self.weights)]
        return torch.cat(
            [own / own.sum(1, keepdim=True).clamp_min(1e-6), rows[:, len(self.weights) :]], dim=1
        )

    def nearest(self, sizes: Sequence[tuple[int, int]]) -> list[Int64[np.ndarray, "_ _"]]:
        """For every texel of the atlases, the area that counts most there."""
        if not self.weights:
            return [np.zeros(size, np.int64) for size in sizes]
        return [
            np.argmax([enlarged(maps[atlas], size) for maps in self.weights], axis=0)
            for atlas, size in enumerate(sizes)
        ]

    def strength_maps(self, sizes: Sequence[tuple[int, int]]) -> list[Float32[np.ndarray, "_ _"]] | float:
        """How much of the style each texel of the atlases takes; one number where it is the same everywhere."""
        values = [area.strength if area.paintings else 0.0 for area in self.areas]
        if not self.weights or len(set(values)) == 1:
            return values[0]
        found = []
        for atlas, size in enumerate(sizes):
            total = sum(
                (value * maps[atlas] for value, maps in zip(values, self.weights, strict=True)),
                np.zeros_like(self.weights[0][atlas]),
            )
            found.append(enlarged(np.asarray(total, np.float32), size))
        return found


def make_areas(
    asset: Asset,
    surface: Surface,
    styles: Sequence[Style],
    settings: Settings,
    tell: Callable[[str], None] = lambda _: None,
    lenient: bool = False,
) -> Areas:
    """What the styles and the settings ask for on this surface.

    Args:
        tell: is given notes for people.
        lenient: leave out, with a note, places that this model does not have.

    Raises UsageError and PictureError (see `texture.regions.region_weights`).
    """
    base, regions = _by_region(styles, settings)
    maps = (settings.strength_map, settings.style_scale_map)
    if not regions and maps == (None, None) and not settings.protect:
        assert base is not None  # styles without a region are everywhere
        return Areas((base,))
    samples = SurfaceSamples.of(surface)
    protected = None
    if settings.protect:
        kept = [np.zeros(len(samples.triangle), np.float32)]
        for text in settings.protect:
            region = protected_region(asset, text)
            try:
                kept.append(region_weights(asset, surface, samples, region, settings.style_border, tell))
            except UsageError as error:
                if not lenient:
                    raise
                tell(f"Nothing is protected there: {error.cause}.")
        protected = samples.maps(np.max(kept, axis=0))
    layers = []
    for region in list(regions):
        try:
            layers.append(region_weights(asset, surface, samples, region, settings.style_border, tell))
        except UsageError as error:
            if not lenient:
                raise
            tell(f"A style is left out: {error.cause}.")
            del regions[region]
    everywhere = np.ones(len(samples.triangle), np.float32)
    weights = stacked(layers) if layers else [everywhere]
    if not regions and maps == (None, None):
        if base is None:
            raise UsageError(
                "style", "no style has a place on the painted surface", "Look at masks and patterns."
            )
        return Areas((base,), (), protected)
    found = list(zip([base or Area((), ()), *regions.values()], weights, strict=True))
    for path, knots, change in ((maps[0], STRENGTHS, _weaker), (maps[1], SCALES, _larger)):
        if path is not None:
            values = mask_values(asset, surface, samples, Path(path), tell)
            found = [
                (change(area, knot), weight * hat)
                for area, weight in found
                for knot, hat in zip(knots, _hats(values, len(knots)), strict=True)
            ]
    found = _merged([(area, weight) for area, weight in found if weight.mean() > _LEAST])
    largest = max(range(len(found)), key=lambda number: float(found[number][1].mean()))
    rest = 1 - np.sum([weight for _, weight in found], axis=0)  # of areas that were left out
    found[largest] = (found[largest][0], found[largest][1] + rest.astype(np.float32))
    if not any(area.paintings and area.strength > 0 for area, _ in found):
        raise UsageError(
            "style", "no style has a place on the painted surface", "Look at masks and patterns."
        )
    return Areas(
        tuple(area for area, _ in found), tuple(samples.maps(weight) for _, weight in found), protected
    )


def protected_region(asset: Asset, text: str) -> Region:
    """What one text of `Settings.protect` means: a region, a mask's path, or a name of a material or else of a part."""
    region = parse_region(text)
    if region is not None:
        return region
    if Path(text).is_file():
        return Region("mask", text)
    is_material = any(is_called(material.name, text) for material in asset.materials)
    return Region("material" if is_material else "part", text)


def _by_region(styles: Sequence[Style], settings: Settings) -> tuple[Area | None, dict[Region, Area]]:
    """The area of styles without a place of their own, and those of each place, in the order of the styles."""
    requests = [style.request for style in styles]
    share = shares(settings.style_weights, requests)
    groups: dict[Region | None, list[int]] = {}
    for number, request in enumerate(requests):
        groups.setdefault(request.region, []).append(number)
    areas: dict[Region | None, Area] = {}
    for region, members in groups.items():
        parts = tuple(share[number] for number in members)
        strength = sum(part * requests[number].strength for part, number in zip(parts, members, strict=True))
        paintings = tuple(styles[number].painting for number in members)
        areas[region] = Area(paintings, parts, strength * settings.strength)
    return areas.pop(None, None), {region: area for region, area in areas.items() if region is not None}


def _weaker(area: Area, strength: float) -> Area:
    return replace(area, strength=area.strength * strength)


def _larger(area: Area, scale: float) -> Area:
    return replace(area, scale=area.scale * scale)


def _hats(values: Float32[np.ndarray, "N"], count: int) -> list[Float32[np.ndarray, "N"]]:
    """How near each value of 0..1 is to each of so many knots evenly spaced: linear, 1 in sum."""
    place = values * (count - 1)
    return [np.clip(1 - np.abs(place - knot), 0, 1).astype(np.float32) for knot in range(count)]


def _merged(
    found: list[tuple[Area, Float32[np.ndarray, "N"]]],
) -> list[tuple[Area, Float32[np.ndarray, "N"]]]:
    """Areas in which the original stays are one."""
    plain = [weight for area, weight in found if not area.paintings or area.strength == 0]
    others = [(area, weight) for area, weight in found if area.paintings and area.strength > 0]
    return [*others, *([(Area((), (), 0.0), np.sum(plain, axis=0))] if plain else [])]
