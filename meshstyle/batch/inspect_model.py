"""A first look at a model, in a process that may die of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Float32, Int64

from ..errors import MeshStyleError
from ..io.load import load_asset
from ..io.types import Asset, Part
from ..srgb import to_srgb
from ..style.color_statistics import Colours
from ..texture.image_sampler import ImageSampler
from ..texture.normals import face_normals
from ..texture.plan import is_called, plan_atlases
from ..views.cameras import Frame
from .hashing import hash_sources
from .model_summary import ModelSummary, SummaryRequest

POINTS = 20_000  # of the surface, whose colours stand for it
LEAST_PIXELS = 16  # of a texture: a smaller one is a plain colour, which ties nothing together


def summarize_model(request: SummaryRequest) -> ModelSummary:
    """Read a model. Never raises but for interrupts: what is wrong with it is told by whoever paints it."""
    key = request.key()
    try:
        return summarize_asset(request, load_asset(request.model, request.settings.root))
    except MeshStyleError as error:
        return ModelSummary(key, hash_sources(request.model, [request.model]), problem=str(error))
    except Exception as error:
        problem = f"{request.model}: {type(error).__name__}: {error}"
        return ModelSummary(key, hash_sources(request.model, [request.model]), problem=problem)


def summarize_asset(request: SummaryRequest, asset: Asset) -> ModelSummary:
    """The same of a model that was read. Raises what planning its atlases and decoding its images raises."""
    only, skip = (_fitting(patterns, asset) for patterns in (request.settings.only, request.settings.skip))
    plans = plan_atlases(asset, replace(request.settings, only=only, skip=skip))
    parts = [asset.parts[index] for plan in plans for index in plan.parts]
    textures, colours = _colours(asset, parts)
    return ModelSummary(
        request.key(),
        hash_sources(request.model, getattr(asset, "sources", (request.model,))),
        radius=_radius(asset),
        triangles=sum(part.corners.shape[0] * part.corners.shape[1] for part in asset.parts),
        texels=sum(plan.size[0] * plan.size[1] for plan in plans),
        textures=textures,
        colours=colours,
        only=only,
        skip=skip,
        painted=asset.record is not None,
    )


def _fitting(patterns: Sequence[str], asset: Asset) -> tuple[str, ...]:
    """Patterns that choose among materials of many models need not fit in each."""
    names = [material.name for material in asset.materials]
    return tuple(pattern for pattern in patterns if any(is_called(name, pattern) for name in names))


def _radius(asset: Asset) -> float:
    points = [part.corners.reshape(-1, 3) for part in asset.parts if part.corners.size]
    return Frame.of(np.concatenate(points)).radius if points else 0.0


def _colours(asset: Asset, parts: Sequence[Part]) -> tuple[tuple[str, ...], Colours | None]:
    """Digests of the textures, and statistics of the surface's colours, each point of it counting alike."""
    pictures: dict[int, ImageSampler] = {}
    textures: list[str] = []
    for image in dict.fromkeys(asset.materials[part.material].image for part in parts):
        if image is not None:
            pixels = asset.image(image)
            pictures[image] = ImageSampler(pixels)
            if pixels.shape[0] * pixels.shape[1] >= LEAST_PIXELS:
                textures.append(hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest())
    found = [colours for colours in _sampled(asset, parts, pictures) if len(colours)]
    if not found:
        return tuple(sorted(textures)), None
    colours = to_srgb(np.concatenate(found))
    mean, spread = colours.mean(0), np.cov(colours.T, bias=True)
    rounded = tuple(tuple(round(float(x), 6) for x in row) for row in spread)
    return tuple(sorted(textures)), Colours(tuple(round(float(x), 6) for x in mean), rounded)


def _sampled(
    asset: Asset, parts: Sequence[Part], pictures: dict[int, ImageSampler]
) -> Iterator[Float32[np.ndarray, "N 3"]]:
    """Linear colours at points of each part, as many as its share of the surface."""
    areas = [face_normals(part.corners[0])[1] * len(part.corners) for part in parts]
    total = sum(float(area.sum()) for area in areas)
    draw = np.random.default_rng(0)
    for part, area in zip(parts, areas, strict=True):
        count = round(POINTS * float(area.sum()) / total) if total > 0 else 0
        if not count:
            continue
        triangle = draw.choice(len(area), count, p=area / area.sum())
        weights = draw.dirichlet((1.0, 1.0, 1.0), count)  # uniform on the triangle
        yield _base_colour(asset, part, pictures, triangle, weights)


def _base_colour(
    asset: Asset,
    part: Part,
    pictures: dict[int, ImageSampler],
    triangle: Int64[np.ndarray, "N"],
    weights: Float[np.ndarray, "N 3"],
) -> Float32[np.ndarray, "N 3"]:
    """Factor × vertex colour × texture, linear (N, 3)."""
    material = asset.materials[part.material]
    value = np.tile(np.array(material.factor[:3], np.float32), (len(triangle), 1))
    if part.colours is not None:
        value *= np.einsum("nk,nkc->nc", weights, part.colours[triangle])[:, :3].astype(np.float32)
    if material.image is not None and part.uv is not None:
        uv = np.nan_to_num(np.einsum("nk,nkc->nc", weights, part.uv[triangle]), posinf=0.0, neginf=0.0)
        value *= pictures[material.image].sample(uv, material.wrap, np.zeros(len(uv)))[:, :3]
    return value
