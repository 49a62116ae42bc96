"""Where on the surface a region lies: a weight 0..1 for every texel, with soft borders.

Hard edges (materials, parts, black-and-white masks) become borders of a given width, measured on the surface in the
model's own units; what faces another way is not mixed. Masks with grey in them keep their own gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.ndimage
from jaxtyping import Bool, Float32, Float64, Int64
from PIL import Image
from scipy.spatial import cKDTree

from ..config.styles import Region
from ..errors import PictureError, UsageError
from ..io.images import read_picture
from ..io.types import Asset, Part, Wrap
from .plan import MOST_LISTED, is_called
from .texel_positions import texel_points, texel_weights
from .types import Surface

FINEST = 1024  # texels along the longer side of the maps of weights
_TURNED = (
    0.4  # of a border's width: how far apart surfaces that face opposite ways are held, per unit of normals
)
_GREY = 0.02  # share of a mask that is neither black nor white, from which on it keeps its own gradients
_SOME = 1000  # samples whose nearest neighbours tell how far samples lie apart
_LEAST = 1 / 255  # of a mask: less is black

Weights = Float32[np.ndarray, "h w"]


@dataclass(frozen=True, eq=False)
class SurfaceSamples:
    """Covered texels of all atlases at the resolution of the maps of weights.

    Attributes:
        sizes: per atlas, height and width of its map.
        covered: per atlas, the row-major numbers of the covered texels of its map.
        triangle: (N,) which triangle of the surface each lies in.
        barycentric: where in it.
        points, normals: in world space.
        size: of the whole surface: the diagonal of its bounding box.
    """

    sizes: tuple[tuple[int, int], ...]
    covered: tuple[Int64[np.ndarray, "_"], ...]
    triangle: Int64[np.ndarray, "N"]
    barycentric: Float64[np.ndarray, "N 3"]
    points: Float64[np.ndarray, "N 3"]
    normals: Float64[np.ndarray, "N 3"]
    size: float

    @classmethod
    def of(cls, surface: Surface, finest: int = FINEST) -> SurfaceSamples:
        sizes, covered, rows = [], [], []
        for atlas in surface.atlases:
            height, width = atlas.owner.shape
            shrink = max(1.0, max(height, width) / finest)
            size = (max(1, round(height / shrink)), max(1, round(width / shrink)))
            row = ((np.arange(size[0]) + 0.5) * height / size[0]).astype(np.int64)
            column = ((np.arange(size[1]) + 0.5) * width / size[1]).astype(np.int64)
            there = np.flatnonzero(atlas.owner[row[:, None], column[None]] >= 0)
            texel = row[there // size[1]] * width + column[there % size[1]]
            sizes.append(size)
            covered.append(there)
            rows.append((*texel_weights(surface, atlas, texel), *texel_points(surface, atlas, texel)))
        triangle, barycentric, points, normals = (
            np.concatenate(column) for column in zip(*rows, strict=True)
        )
        extent = np.ptp(surface.corners.reshape(-1, 3), axis=0) if len(surface.corners) else np.zeros(3)
        return cls(
            tuple(sizes),
            tuple(covered),
            triangle,
            barycentric,
            points,
            normals,
            float(np.linalg.norm(extent)),
        )

    def maps(self, values: Float32[np.ndarray, "N"]) -> tuple[Weights, ...]:
        """Values of the samples as one map for each atlas; what lies between the charts takes the nearest value."""
        maps, first = [], 0
        for size, there in zip(self.sizes, self.covered, strict=True):
            flat = np.zeros(size[0] * size[1], np.float32)
            flat[there] = values[first : first + len(there)]
            first += len(there)
            bare = np.ones(len(flat), bool)
            bare[there] = False
            if len(there) and bare.any():
                near = scipy.ndimage.distance_transform_edt(
                    bare.reshape(size), return_distances=False, return_indices=True
                )
                flat = flat.reshape(size)[tuple(near)].reshape(-1)
            maps.append(flat.reshape(size))
        return tuple(maps)


def region_weights(
    asset: Asset,
    surface: Surface,
    samples: SurfaceSamples,
    region: Region,
    border: float,
    tell: Callable[[str], None] = lambda _: None,
) -> Float32[np.ndarray, "N"]:
    """The weight of a region at every sample.

    Args:
        border: width of its soft border as a share of the model's size.
        tell: is given notes for people.

    Raises UsageError for what matches nothing or lies nowhere on the surface, PictureError for a mask that cannot be
    read.
    """
    if region.kind in ("material", "part"):
        inside = _named(asset, surface, region)[samples.triangle]
        return softened(samples, inside, border)
    is_mask = region.kind == "mask"
    if is_mask:
        values = mask_values(asset, surface, samples, Path(region.value), tell)
    else:
        values = _attribute(asset, surface, samples, region)
    if values.max(initial=0.0) < _LEAST:
        what = "white" if is_mask else "value above 0"
        cause = f"it has no {what} anywhere on the painted surface"
        raise UsageError(region.value, cause, "Look at what it marks, with the model's UVs over it.")
    if is_mask and not _is_grey(read_mask(Path(region.value))):
        return softened(samples, values > 0.5, border)
    return values


def _is_grey(mask: Float32[np.ndarray, "H W"]) -> bool:
    """Whether there is more between black and white in a mask than smoothed edges."""
    return bool(np.mean((mask > 0.1) & (mask < 0.9)) > _GREY)


def check_region(asset: Asset, region: Region) -> None:
    """Raises what `region_weights` would, as far as it can be known from the file alone."""
    if region.kind in ("material", "part"):
        _matches(asset, region)
    elif region.kind == "mask":
        read_mask(Path(region.value))
    elif not any(_corner_values(part, region.value) is not None for part in asset.parts):
        raise _no_attribute(region)


def mask_values(
    asset: Asset,
    surface: Surface,
    samples: SurfaceSamples,
    path: Path,
    tell: Callable[[str], None] = lambda _: None,
) -> Float32[np.ndarray, "N"]:
    """A mask's lightness 0..1 at every sample, through the UVs that the model came with; 0 where a part has none."""
    mask = read_mask(path)
    images = {asset.materials[part.material].image for part in asset.parts}
    shapes = {asset.image_size(image) for image in images if image is not None}
    if shapes and mask.shape not in shapes:
        height, width = mask.shape
        tell(
            f"{path.name} is {width}×{height} pixels, unlike the model's textures, and is scaled to their UVs."
        )
    values = np.zeros(len(samples.triangle), np.float32)
    for number, rows in _by_part(surface, samples):
        part = asset.parts[number]
        if part.uv is None:
            continue
        corners = part.uv[surface.triangle[samples.triangle[rows]]]
        uv = np.einsum("nk,nkc->nc", samples.barycentric[rows], corners)
        values[rows] = _looked_up(mask, uv, asset.materials[part.material].wrap)
    return values


def read_mask(path: Path) -> Float32[np.ndarray, "H W"]:
    """Lightness 0..1 as stored; what is transparent is black. Raises PictureError."""
    if not path.is_file():
        raise PictureError(path, "there is no such mask", "Give a picture's path: white where it counts.")
    pixels = read_picture(path).astype(np.float32) / 255
    lightness = pixels[..., :3] @ np.array([0.299, 0.587, 0.114], np.float32)
    found: Float32[np.ndarray, "H W"] = lightness * pixels[..., 3]
    return found


def softened(
    samples: SurfaceSamples, inside: Bool[np.ndarray, "N"], border: float
) -> Float32[np.ndarray, "N"]:
    """1 inside, 0 outside, and a smooth ramp of that width (a share of the model's size) over their border."""
    width = border * samples.size
    if width <= 0 or inside.all() or not inside.any():
        return inside.astype(np.float32)
    places = np.concatenate([samples.points, _TURNED * width * samples.normals], axis=1)
    apart = np.full(len(inside), width)
    some = places[:: max(1, len(places) // _SOME)]
    spacing = float(np.median(cKDTree(places).query(some, k=2)[0][:, 1]))
    for side in (inside, ~inside):
        found, _ = cKDTree(places[~side]).query(places[side], distance_upper_bound=width)
        found = found - min(found.min(), spacing) / 2  # the border lies between two samples
        apart[side] = np.minimum(found, width / 2)
    signed = np.where(inside, apart, -apart) / width + 0.5
    ramp: Float32[np.ndarray, "N"] = (signed * signed * (3 - 2 * signed)).astype(np.float32)
    return ramp


def stacked(layers: Sequence[Float32[np.ndarray, "N"]]) -> list[Float32[np.ndarray, "N"]]:
    """Weights of layers that lie over each other, the last one on top, and first what is left for the base: they sum
    to 1 everywhere."""
    left = np.ones_like(layers[0])
    found = []
    for layer in reversed(layers):
        found.append(layer * left)
        left = left * (1 - layer)
    return [left, *reversed(found)]


def _named(asset: Asset, surface: Surface, region: Region) -> Bool[np.ndarray, "F"]:
    chosen = _matches(asset, region)
    inside = np.zeros(len(surface.part), bool)
    for number, triangles in chosen.items():
        of_part = surface.part == number
        inside[of_part] = triangles if isinstance(triangles, bool) else triangles[surface.triangle[of_part]]
    return inside


def _matches(asset: Asset, region: Region) -> dict[int, bool | Bool[np.ndarray, "_"]]:
    """Parts of a region: all of each, or which of its triangles."""
    found: dict[int, bool | Bool[np.ndarray, "_"]] = {}
    known: list[str] = []
    for number, part in enumerate(asset.parts):
        names = (asset.materials[part.material].name,) if region.kind == "material" else part.names
        known += names
        if any(is_called(name, region.value) for name in names):
            found[number] = True
        elif region.kind == "part" and part.groups is not None:
            labels, group = part.groups
            known += [name for label in labels for name in label]
            hit = np.array([any(is_called(name, region.value) for name in label) for label in labels])
            if hit[group].any():
                found[number] = hit[group]
    if not found:
        listed = list(dict.fromkeys(known))
        shown = ", ".join(listed[:MOST_LISTED]) + (", …" if len(listed) > MOST_LISTED else "")
        remedy = f"The {region.kind}s are: {shown}." if listed else "The model names none: use mask=FILE."
        raise UsageError("style", f"no {region.kind} is called {region.value}", remedy)
    return found


def _attribute(
    asset: Asset, surface: Surface, samples: SurfaceSamples, region: Region
) -> Float32[np.ndarray, "N"]:
    values = np.zeros(len(samples.triangle), np.float32)
    if not any(_corner_values(part, region.value) is not None for part in asset.parts):
        raise _no_attribute(region)
    for number, rows in _by_part(surface, samples):
        corners = _corner_values(asset.parts[number], region.value)
        if corners is not None:
            own = corners[surface.triangle[samples.triangle[rows]]]
            values[rows] = (samples.barycentric[rows] * own).sum(axis=1)
    return values


def _corner_values(part: Part, name: str) -> Float64[np.ndarray, "F 3"] | None:
    if name == "COLOR_0":
        return None if part.colours is None else part.colours[..., 0]
    return part.style_mask if name == "_STYLE" else None


def _no_attribute(region: Region) -> UsageError:
    remedy = "Give _STYLE (0 to 1 at each vertex), or COLOR_0, of which the red counts."
    return UsageError("style", f"the model has no vertex attribute {region.value} to mask by", remedy)


def _by_part(surface: Surface, samples: SurfaceSamples) -> list[tuple[int, Int64[np.ndarray, "_"]]]:
    part = surface.part[samples.triangle]
    return [(int(number), np.flatnonzero(part == number)) for number in np.unique(part)]


def _looked_up(
    mask: Float32[np.ndarray, "H W"], uv: Float64[np.ndarray, "N 2"], wrap: tuple[Wrap, Wrap]
) -> Float32[np.ndarray, "N"]:
    """Bilinear, wrapped as the model's own texture is."""
    places = []
    for axis in (1, 0):
        u = uv[:, axis]
        if wrap[axis] is Wrap.REPEAT:
            u = u - np.floor(u)
        elif wrap[axis] is Wrap.MIRROR:
            u = 1 - np.abs(1 - np.mod(u, 2.0))
        places.append(np.clip(u, 0, 1) * mask.shape[1 - axis] - 0.5)
    found: Float32[np.ndarray, "N"] = scipy.ndimage.map_coordinates(mask, places, order=1, mode="nearest")
    return np.asarray(found, np.float32)


def enlarged(weights: Weights, size: tuple[int, int]) -> Float32[np.ndarray, "H W"]:
    """A map of weights at another size; bilinear, averaged where it shrinks."""
    if weights.shape == size:
        return weights
    picture = Image.fromarray(np.ascontiguousarray(weights, np.float32))
    return np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BILINEAR))
