"""Animations of glTF files: nodes, skins and morph targets at a moment (glTF 2.0, section 3.11, appendix C)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from ...errors import UsageError
from ...io.gltf.accessors import Accessors, to_float
from ...io.gltf.asset import GltfAsset
from ...io.gltf.fields import Fields
from ...io.gltf.geometry import place, read_geometry
from ...io.gltf.scene_graph import Instances, SceneGraph, mirrored
from ...io.types import Asset
from .scene import Posed

_PATHS = ("translation", "rotation", "scale", "weights")


@dataclass(frozen=True, eq=False)
class Channel:
    """One property of one node over time.

    Attributes:
        path: translation, rotation, scale or weights.
        times: seconds, ascending.
        values: at these times; for cubic splines with tangents: in-tangent, value, out-tangent.
    """

    node: int
    path: str
    interpolation: str
    times: Float64[np.ndarray, "K"]
    values: Float64[np.ndarray, "K N C"]

    def at(self, time: float) -> Float64[np.ndarray, "C"]:
        """The value at a moment; before the first and after the last time those hold."""
        values = self.values[:, self.values.shape[1] // 2]
        after = int(np.searchsorted(self.times, time, side="right"))
        if after == 0:
            return values[0]
        if after == len(self.times) or self.interpolation == "STEP":
            return values[after - 1]
        span = self.times[after] - self.times[after - 1]
        t = (time - self.times[after - 1]) / span
        if self.interpolation == "CUBICSPLINE":
            return self._cubic(after, t, span)
        if self.path == "rotation":
            return slerp(values[after - 1], values[after], t)
        return (1 - t) * values[after - 1] + t * values[after]

    def _cubic(self, after: int, t: float, span: float) -> Float64[np.ndarray, "C"]:
        """Hermite spline (appendix C.5); rotations are brought to unit length where they are used."""
        _, start, out = self.values[after - 1]
        into, end, _ = self.values[after]
        return (
            (2 * t**3 - 3 * t**2 + 1) * start
            + span * (t**3 - 2 * t**2 + t) * out
            + (3 * t**2 - 2 * t**3) * end
            + span * (t**3 - t**2) * into
        )


def slerp(a: Float64[np.ndarray, "4"], b: Float64[np.ndarray, "4"], t: float) -> Float64[np.ndarray, "4"]:
    """Interpolate from one unit quaternion to the other by the shorter way (appendix C.4)."""
    dot = float(a @ b)
    b, dot = (-b, -dot) if dot < 0 else (b, dot)
    if dot > 0.9995:
        return (1 - t) * a + t * b
    angle = np.arccos(min(dot, 1.0))
    return (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)


class Poser:
    """Plays one animation of a file.

    Attributes:
        name: of the animation.
        seconds: how long it is.
    """

    def __init__(self, asset: Asset, name: str) -> None:
        """Raises UsageError where there is no such animation, AssetError where it is damaged."""
        clips = _clips(asset)
        if not isinstance(asset, GltfAsset) or not clips:
            raise UsageError("--animation", f"{asset.path} has no animations", "Leave the option out.")
        if name not in clips:
            known = ", ".join(clips)
            raise UsageError("--animation", f"there is none called {name!r}", f"Choose one of: {known}.")
        self.name, self._asset = name, asset
        self._accessors = Accessors(asset.document)
        self._channels = _read_channels(
            clips[name], self._accessors, len(asset.document.root.children("nodes"))
        )
        if not self._channels:
            raise UsageError("--animation", f"{name!r} moves nothing that is known", "Choose another one.")
        self.seconds = max(float(channel.times[-1]) for channel in self._channels)

    def pose(self, time: float) -> list[Posed]:
        """All parts of the asset at a moment in seconds. Raises AssetError."""
        document = self._asset.document
        nodes, weights = self._nodes(time)
        scene = SceneGraph(document, self._accessors, nodes)
        shown = scene.instances()
        if not any(source.mesh in shown for source in self._asset.part_sources):
            shown = scene.all_instances()
        meshes, posed = document.root.children("meshes"), []
        for source in self._asset.part_sources:
            primitive = meshes[source.mesh].children("primitives")[source.primitive]
            geometry = read_geometry(primitive, self._accessors)
            assert geometry is not None  # it was a part
            instances = shown.get(source.mesh) or [Instances(np.eye(4)[None])]
            default = tuple(meshes[source.mesh].value.get("weights", ()))
            placed = [
                place(geometry, [item], self._accessors, weights.get(_key(item), default))
                for item in instances
            ]
            normals = [normal for _, normal in placed if normal is not None]
            posed.append(
                Posed(
                    np.concatenate([corners for corners, _ in placed]),
                    np.concatenate(normals) if normals else None,
                    mirrored(instances),
                )
            )
        return posed

    def _nodes(self, time: float) -> tuple[list[Fields], dict[int, tuple[float, ...]]]:
        """The document's nodes and their morph weights at a moment."""
        nodes = self._asset.document.root.children("nodes")
        changed: dict[int, dict[str, Any]] = {}
        weights = {
            i: tuple(node.numbers("weights", len(node.value["weights"])))
            for i, node in enumerate(nodes)
            if isinstance(node.value.get("weights"), list)
        }
        for channel in self._channels:
            value = channel.at(time).tolist()
            if channel.path == "weights":
                weights[channel.node] = tuple(value)
            else:
                changed.setdefault(channel.node, {})[channel.path] = value
        for index, properties in changed.items():
            node = nodes[index]
            kept = {key: value for key, value in node.value.items() if key != "matrix"}
            nodes[index] = Fields(kept | properties, node.where, node.path)
        return nodes, weights


def _key(item: Instances) -> int:
    return -1 if item.node is None else item.node


def animation_names(asset: Asset) -> tuple[str, ...]:
    """What `Poser` can play; made-up names where the file has none."""
    return tuple(_clips(asset))


def _clips(asset: Asset) -> dict[str, Fields]:
    if not isinstance(asset, GltfAsset):
        return {}
    clips: dict[str, Fields] = {}
    for i, item in enumerate(asset.document.root.children("animations")):
        clips.setdefault(item.text("name", "") or f"animation {i}", item)
    return clips


def _read_channels(clip: Fields, accessors: Accessors, node_count: int) -> list[Channel]:
    samplers, found = clip.children("samplers"), []
    for channel in clip.children("channels"):
        target = channel.child("target")
        path, node = target.text("path", ""), target.index("node", node_count, "nodes")
        sampler = channel.index("sampler", len(samplers), "samplers")
        if node is not None and sampler is not None and path in _PATHS:
            found.append(_read_channel(node, path, samplers[sampler], accessors))
    return found


def _read_channel(node: int, path: str, sampler: Fields, accessors: Accessors) -> Channel:
    arrays = []
    for key in ("input", "output"):
        index = sampler.index(key, len(accessors), "accessors")
        if index is None:
            sampler.fail(f"has no {key}")
        arrays.append(to_float(accessors.raw(index), accessors.normalized(index)))
    times, values = arrays[0][:, 0], arrays[1]
    interpolation = sampler.text("interpolation", "LINEAR")
    if interpolation not in ("LINEAR", "STEP", "CUBICSPLINE"):
        sampler.fail(f"has the unknown interpolation {interpolation[:20]!r}")
    if not (np.isfinite(times).all() and np.isfinite(values).all() and (np.diff(times) > 0).all()):
        sampler.fail("has times or values that are not finite, ascending numbers")
    sets = 3 if interpolation == "CUBICSPLINE" else 1
    width = {"rotation": 4, "translation": 3, "scale": 3}.get(
        path, max(values.size // (len(times) * sets), 1)
    )
    if values.size != len(times) * sets * width:
        sampler.fail(f"has {values.size} values for {len(times)} times")
    return Channel(node, path, interpolation, times, values.reshape(len(times), sets, width))
