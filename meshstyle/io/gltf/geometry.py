"""Primitives of glTF 2.0 (specification, section 3.7.2) as triangles, and triangles in world space."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from jaxtyping import Float64, Int64, Integer, Shaped

from .accessors import MAX_EMPTY_POSITIONS, Accessors, to_float
from .fields import Fields
from .scene_graph import Instances

TRIANGLES, STRIP, FAN = 4, 5, 6
TRIANGLE_MODES = (TRIANGLES, STRIP, FAN)
MAX_COORDINATE = 1e18  # squares stay within single precision


@dataclass(frozen=True, eq=False)
class Geometry:
    """A primitive that is made of triangles.

    Attributes:
        fields: the primitive's JSON.
        vertices: what each corner of each triangle reads from the attributes.
        indexed: whether the primitive has indices.
        attributes: accessor of each attribute.
    """

    fields: Fields
    vertices: Int64[np.ndarray, "F 3"]
    vertex_count: int
    indexed: bool
    attributes: dict[str, int]


def read_geometry(primitive: Fields, accessors: Accessors) -> Geometry | None:
    """The triangles of a primitive; None for points, lines and primitives without positions.

    Raises AssetError for indices out of range and attributes of differing length.
    """
    if primitive.integer("mode", TRIANGLES, high=6) not in TRIANGLE_MODES:
        return None
    attributes = _references(primitive.child("attributes"), accessors)
    if "POSITION" not in attributes:
        return None
    vertex_count = accessors.count(attributes["POSITION"])
    for holder in (primitive.child("attributes"), *primitive.children("targets")):
        for name, index in _references(holder, accessors).items():
            count = len(accessors.raw(index))  # read here, so that damaged ones are not met when writing
            if count != vertex_count:
                holder.fail(f"has {count} of {name[:40]}, but {vertex_count} positions")
    if vertex_count > MAX_EMPTY_POSITIONS and not accessors.has_data(attributes["POSITION"]):
        primitive.fail(f"claims {vertex_count} positions without any data")
    indices = _read_indices(primitive, accessors, vertex_count)
    mode = primitive.integer("mode", TRIANGLES, high=6)
    return Geometry(primitive, triangles(indices, mode), vertex_count, primitive.has("indices"), attributes)


def _references(holder: Fields, accessors: Accessors) -> dict[str, int]:
    found = {name: holder.index(name, len(accessors), "accessors") for name in holder.value}
    return {name: index for name, index in found.items() if index is not None}


def _read_indices(primitive: Fields, accessors: Accessors, vertex_count: int) -> Int64[np.ndarray, " N"]:
    index = primitive.index("indices", len(accessors), "accessors")
    if index is None:
        return np.arange(vertex_count)
    values = accessors.raw(index)
    if values.shape[1] != 1 or values.dtype.kind != "u":
        accessors.fields(index).fail("is used as indices, but does not hold unsigned integers")
    if values.max() >= vertex_count:
        primitive.fail(f"has the index {values.max()}, but only {vertex_count} vertices")
    return values[:, 0].astype(np.int64)


def triangles(indices: Integer[np.ndarray, " N"], mode: int) -> Int64[np.ndarray, "F 3"]:
    """The triangles of a list, strip or fan, corners in the specification's order, left-over ones dropped."""
    indices = indices.astype(np.int64)
    if mode == TRIANGLES:
        return indices[: len(indices) // 3 * 3].reshape(-1, 3)
    count = max(len(indices) - 2, 0)
    i = np.arange(count)
    if mode == FAN:
        return np.stack([indices[i + 1], indices[i + 2], np.repeat(indices[:1], count)], axis=1)
    return np.stack([indices[i], indices[i + 1 + i % 2], indices[i + 2 - i % 2]], axis=1)


def read_corners(
    geometry: Geometry, name: str, widths: tuple[int, ...], accessors: Accessors
) -> Float64[np.ndarray, "F 3 C"] | None:
    """An attribute at every corner; None where the primitive lacks it. Raises AssetError for odd types."""
    if name not in geometry.attributes:
        return None
    index = geometry.attributes[name]
    values = accessors.raw(index)
    if values.shape[1] not in widths:
        geometry.fields.fail(f"has a {name} of {values.shape[1]} components")
    return to_float(values[geometry.vertices], accessors.normalized(index))


def place(
    geometry: Geometry, instances: list[Instances], accessors: Accessors, weights: tuple[float, ...] = ()
) -> tuple[Float64[np.ndarray, "I F 3 3"], Float64[np.ndarray, "I F 3 3"] | None]:
    """Corners and unit normals of all instances in world space. Raises AssetError for infinite positions.

    `weights`: how much of each morph target is added.
    """
    positions = _morphed(geometry, "POSITION", weights, accessors)
    normals = _morphed(geometry, "NORMAL", weights, accessors)
    assert positions is not None  # a Geometry has positions
    if not np.isfinite(positions).all():
        geometry.fields.fail("has positions that are not finite numbers")
    skinned = any(item.joints is not None for item in instances)
    influences = _read_influences(geometry, accessors) if skinned else None
    corners, turned = [], []
    for item in _together(instances):
        matrices = item.matrices[:, None, None]  # (N, 1, 1, 4, 4)
        if item.joints is not None and influences is not None:
            matrices = _blend(geometry, item.joints, *influences)[None]  # (1, F, 3, 4, 4)
        with np.errstate(over="ignore", invalid="ignore"):
            corners.append(apply(matrices, positions))
            if not (np.abs(corners[-1]) <= MAX_COORDINATE).all():
                geometry.fields.fail(
                    f"reaches further than {MAX_COORDINATE:g} units once its nodes are applied"
                )
            if normals is not None:
                turned.append(_turn(matrices, normals, corners[-1]))
    return np.concatenate(corners), np.concatenate(turned) if turned else None


def _morphed(
    geometry: Geometry, name: str, weights: tuple[float, ...], accessors: Accessors
) -> Float64[np.ndarray, "F 3 3"] | None:
    """An attribute at every corner with its morph targets added (specification, section 3.7.2.2)."""
    values = read_corners(geometry, name, (3,), accessors)
    for weight, target in zip(weights, geometry.fields.children("targets"), strict=False):
        if values is None or not weight:
            continue
        moved = replace(geometry, fields=target, attributes=_references(target, accessors))
        change = read_corners(moved, name, (3,), accessors)
        if change is not None:
            values = values + weight * change
    return values


def _together(instances: list[Instances]) -> list[Instances]:
    """The same with neighbours that have no skin as one: there may be very many."""
    found: list[Instances] = []
    for is_plain, group in groupby(instances, lambda item: item.joints is None):
        items = list(group)
        found += [Instances(np.concatenate([item.matrices for item in items]))] if is_plain else items
    return found


def apply(
    matrices: Float64[np.ndarray, "#N #F #C 4 4"], points: Float64[np.ndarray, "F C 3"]
) -> Float64[np.ndarray, "N F C 3"]:
    """Transform points by N matrices, or by one for each point."""
    return np.einsum("...ij,...j->...i", matrices[..., :3, :3], points) + matrices[..., :3, 3]


def _turn(
    matrices: Float64[np.ndarray, "#N #F #C 4 4"],
    normals: Float64[np.ndarray, "F C 3"],
    corners: Float64[np.ndarray, "N F C 3"],
) -> Float64[np.ndarray, "N F C 3"]:
    """Normals by the inverse transpose of the linear part, to unit length.

    The matrix of cofactors is the inverse transpose times the determinant, and exists for singular matrices
    too; the determinant's sign keeps mirrored surfaces facing outwards. Where a normal is zero or not a
    number, that of the triangle's plane stands in.
    """
    linear = matrices[..., :3, :3]
    cofactors = np.cross(linear[..., [1, 2, 0], :], linear[..., [2, 0, 1], :])
    sign = np.where(np.einsum("...j,...j->...", linear[..., 0, :], cofactors[..., 0, :]) < 0, -1.0, 1.0)
    turned = np.einsum("...ij,...j->...i", cofactors, normals) * sign[..., None]
    edges = corners[..., 1:, :] - corners[..., :1, :]  # (N, F, 2, 3)
    flat = np.cross(edges[..., :1, :], edges[..., 1:, :]) * sign[..., :1, None]  # (N, F, 1, 3)
    unit = _unit(turned)
    missing = ~(np.abs(unit).sum(axis=-1, keepdims=True) > 0)
    return np.where(missing, _unit(np.broadcast_to(flat, turned.shape), (0.0, 0.0, 1.0)), unit)


def _unit(
    vectors: Float64[np.ndarray, "*n 3"], otherwise: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> Float64[np.ndarray, "*n 3"]:
    scale = np.abs(vectors).max(axis=-1, keepdims=True)  # so that squares of tiny ones do not vanish
    good = np.isfinite(scale) & (scale > 0)
    scaled = np.divide(vectors, scale, out=np.zeros_like(vectors), where=good)
    length = np.linalg.norm(scaled, axis=-1, keepdims=True)
    return np.divide(scaled, length, out=np.zeros_like(vectors) + otherwise, where=length > 0)


def _read_influences(
    geometry: Geometry, accessors: Accessors
) -> tuple[Shaped[np.ndarray, "F 3 K"], Float64[np.ndarray, "F 3 K"]] | None:
    """Joint numbers and weights at every corner; weights sum to 1. None where the primitive has none."""
    joints: list[Float64[np.ndarray, "F 3 4"]] = []
    weights: list[Float64[np.ndarray, "F 3 4"]] = []
    while (name := f"JOINTS_{len(joints)}") in geometry.attributes:
        joint = read_corners(geometry, name, (4,), accessors)
        weight = read_corners(geometry, f"WEIGHTS_{len(joints)}", (4,), accessors)
        if joint is None or weight is None:
            geometry.fields.fail(f"has {name} without weights")
        joints.append(joint)
        weights.append(weight)
    if not joints:
        return None
    weight = np.nan_to_num(np.concatenate(weights, axis=-1), posinf=0.0, neginf=0.0)
    total = weight.sum(axis=-1, keepdims=True)
    first = np.zeros_like(weight)
    first[..., 0] = 1.0  # vertices without weights follow their first joint
    return np.concatenate(joints, axis=-1).astype(np.int64), np.divide(
        weight, total, out=first, where=total > 0
    )


def _blend(
    geometry: Geometry,
    matrices: Float64[np.ndarray, "J 4 4"],
    joints: Integer[np.ndarray, "F 3 K"],
    weights: Float64[np.ndarray, "F 3 K"],
) -> Float64[np.ndarray, "F 3 4 4"]:
    used = joints[weights > 0]
    if used.size and (used.min() < 0 or used.max() >= len(matrices)):
        geometry.fields.fail(f"names joint {used.max()} of a skin of {len(matrices)}")
    safe = np.where(weights > 0, joints, 0)
    blended = np.zeros((*joints.shape[:2], 4, 4))
    with np.errstate(over="ignore", invalid="ignore"):  # positions that are not finite are refused later
        for k in range(joints.shape[2]):
            blended += weights[..., k, None, None] * matrices[safe[..., k]]
    return blended
