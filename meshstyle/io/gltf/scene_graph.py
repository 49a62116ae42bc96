"""Where the meshes of a glTF file stand: nodes, scenes, skins, instances (specification, 3.5 and 3.7.3).

Matrices act on column vectors: `world = matrix @ (x, y, z, 1)`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64

from .accessors import Accessors, to_float
from .document import GltfDocument
from .fields import Fields, fail

MAX_INSTANCES = 2**20


@dataclass(frozen=True, eq=False)
class Instances:
    """N appearances of a mesh by one node.

    Attributes:
        matrices: from mesh to world space; of no effect on skinned vertices.
        joints: what carries a vertex of each joint from mesh to world space; None where there is no skin.
        node: which node shows it, or None where several or none do.
        hidden: whether KHR_node_visibility hides it at rest.
    """

    matrices: Float64[np.ndarray, "N 4 4"]
    joints: Float64[np.ndarray, "J 4 4"] | None = None
    node: int | None = None
    hidden: bool = False


class SceneGraph:
    """The node tree of a document. Raises AssetError for loops, second parents and broken references."""

    def __init__(
        self, document: GltfDocument, accessors: Accessors, nodes: list[Fields] | None = None
    ) -> None:
        """`nodes`: the document's own in another pose; None: as they are."""
        self._document, self._accessors = document, accessors
        self._nodes = document.root.children("nodes") if nodes is None else nodes
        self._skins = document.root.children("skins")
        self._mesh_count = len(document.root.children("meshes"))
        self._children = [node.integers("children", len(self._nodes), "nodes") for node in self._nodes]
        self._roots = self._find_roots()
        self._hidden = self._hidden_nodes()
        self._world = self._world_matrices()

    def instances(self) -> dict[int, list[Instances]]:
        """Where each mesh of the default scene stands; of all nodes where no scene is the default."""
        return self._collect(self._shown_roots())

    def all_instances(self) -> dict[int, list[Instances]]:
        """The same for all nodes, in a scene or not."""
        return self._collect(self._roots)

    def levels(self) -> dict[int, Float64[np.ndarray, "4 4"]]:
        """Meshes of coarser levels of detail (MSFT_lod) of what the default scene shows: where each would stand."""
        parents = {child: node for node, children in enumerate(self._children) for child in children}
        local, _ = local_matrices(self._nodes)
        found: dict[int, Float64[np.ndarray, "4 4"]] = {}
        for node in self._walk(self._shown_roots()):
            above = self._world[parents[node]] if node in parents else np.eye(4)
            for level in self._nodes[node].extension("MSFT_lod").integers("ids", len(self._nodes), "nodes"):
                with np.errstate(over="ignore", invalid="ignore"):
                    # Levels are written beside the scene; each takes the place of the node that names it.
                    moved = above @ local[level] @ np.linalg.pinv(self._world[level])
                    for below in self._walk([level]):
                        mesh = self._nodes[below].index("mesh", self._mesh_count, "meshes")
                        if mesh is not None:
                            found.setdefault(mesh, moved @ self._world[below])
        return found

    def _find_roots(self) -> list[int]:
        parents: dict[int, int] = {}
        for parent, children in enumerate(self._children):
            for child in children:
                if child in parents and child != parent:
                    self._nodes[child].fail(f"has two parents, nodes {parents[child]} and {parent}")
                parents[child] = parent
        roots = [i for i in range(len(self._nodes)) if i not in parents]
        reached = sum(1 for _ in self._walk(roots))
        if reached < len(self._nodes):  # with one parent each, what no root reaches lies on or below a loop
            fail(self._document.path, "its nodes form a loop: some node is its own ancestor")
        return roots

    def _shown_roots(self) -> list[int]:
        scenes = self._document.root.children("scenes")
        scene = self._document.root.index("scene", len(scenes), "scenes")
        if scene is None:
            return self._roots
        return scenes[scene].integers("nodes", len(self._nodes), "nodes")

    def _walk(self, roots: list[int]) -> list[int]:
        """Nodes at and below `roots`, parents before children."""
        order, seen, waiting = [], set(), list(reversed(roots))
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                order.append(node)
                waiting.extend(reversed(self._children[node]))
        return order

    def _hidden_nodes(self) -> set[int]:
        """Nodes that KHR_node_visibility hides, with all below them."""
        found: set[int] = set()
        for index in self._walk(self._roots):
            if index in found or not self._nodes[index].extension("KHR_node_visibility").flag(
                "visible", True
            ):
                found.update((index, *self._children[index]))
        return found

    def _world_matrices(self) -> Float64[np.ndarray, "N 4 4"]:
        world = np.tile(np.eye(4), (len(self._nodes), 1, 1))
        with np.errstate(over="ignore", invalid="ignore"):  # positions are checked to be finite later
            local, moved = local_matrices(self._nodes)
            for node in self._walk(self._roots):
                if moved[node]:
                    world[node] = world[node] @ local[node]
                for child in self._children[node]:
                    world[child] = world[node]
        return world

    def _collect(self, roots: list[int]) -> dict[int, list[Instances]]:
        found: dict[int, list[Instances]] = {}
        total = 0
        for index in self._walk(roots):
            mesh = self._nodes[index].index("mesh", self._mesh_count, "meshes")
            if mesh is not None:
                instances = self._node_instances(index)
                found.setdefault(mesh, []).append(instances)
                total += len(instances.matrices)
                if total > MAX_INSTANCES:
                    fail(self._document.path, f"it shows more than {MAX_INSTANCES} instances of its meshes")
        return found

    def _node_instances(self, index: int) -> Instances:
        node, world, hidden = self._nodes[index], self._world[index], index in self._hidden
        skin = node.index("skin", len(self._skins), "skins")
        if skin is not None:
            return Instances(world[None], self._joint_matrices(self._skins[skin]), index, hidden)
        copies = node.extension("EXT_mesh_gpu_instancing").child("attributes")
        if not copies.value:
            return Instances(world[None], node=index, hidden=hidden)
        with np.errstate(over="ignore", invalid="ignore"):
            return Instances(world @ self._gpu_instances(copies), node=index, hidden=hidden)

    def _joint_matrices(self, skin: Fields) -> Float64[np.ndarray, "J 4 4"]:
        joints = skin.integers("joints", len(self._nodes), "nodes")
        if not joints:
            skin.fail("has no joints")
        inverse_bind = np.tile(np.eye(4), (len(joints), 1, 1))
        accessor = skin.index("inverseBindMatrices", len(self._accessors), "accessors")
        if accessor is not None:
            values = to_float(self._accessors.raw(accessor), self._accessors.normalized(accessor))
            if values.shape[1] != 16 or len(values) < len(joints):
                skin.fail(f"needs {len(joints)} inverse bind matrices")
            # Stored column by column.
            inverse_bind = values[: len(joints)].reshape(-1, 4, 4).transpose(0, 2, 1)
        with np.errstate(over="ignore", invalid="ignore"):
            return self._world[joints] @ inverse_bind

    def _gpu_instances(self, attributes: Fields) -> Float64[np.ndarray, "N 4 4"]:
        parts = {}
        for name, default in (("TRANSLATION", (0, 0, 0)), ("ROTATION", (0, 0, 0, 1)), ("SCALE", (1, 1, 1))):
            accessor = attributes.index(name, len(self._accessors), "accessors")
            if accessor is None:
                parts[name] = np.array([default], np.float64)
            else:
                parts[name] = to_float(self._accessors.raw(accessor), self._accessors.normalized(accessor))
                if parts[name].shape[1] != len(default):
                    attributes.fail(f"has a {name} of {parts[name].shape[1]} components")
        count = max(len(values) for values in parts.values())
        if count > MAX_INSTANCES or any(len(values) not in (1, count) for values in parts.values()):
            attributes.fail("has lists of instances of different or too great length")
        return compose(*(np.broadcast_to(values, (count, values.shape[1])) for values in parts.values()))


def mirrored(instances: list[Instances]) -> Bool[np.ndarray, " I"]:
    """Which appearances are mirrored: front faces turn clockwise there (specification, 3.7.4).

    Skinned ones are where most of their joints are.
    """
    found = []
    with np.errstate(over="ignore", invalid="ignore"):
        for item in instances:
            if item.joints is None:
                found.append(np.linalg.det(item.matrices[:, :3, :3]) < 0)
            else:
                found.append(np.array([(np.linalg.det(item.joints[:, :3, :3]) < 0).mean() > 0.5]))
    return np.concatenate(found)


def hidden(instances: list[Instances]) -> Bool[np.ndarray, " I"] | None:
    """Which appearances are not shown at rest; None: all are."""
    if not any(item.hidden for item in instances):
        return None
    return np.concatenate([np.full(len(item.matrices), item.hidden) for item in instances])


def nearest(instances: list[Instances], count: int) -> list[Instances]:
    """Choose the first of all appearances, and its neighbours: `count` together."""
    if sum(len(item.matrices) for item in instances) <= count:
        return instances
    place = np.concatenate([item.matrices[:, :3, 3] for item in instances])
    with np.errstate(over="ignore", invalid="ignore"):
        distance = np.nan_to_num(np.linalg.norm(place - place[0], axis=1), nan=np.inf)
    chosen = np.zeros(len(place), bool)
    chosen[np.argsort(distance, kind="stable")[:count]] = True
    found, first = [], 0
    for item in instances:
        own = chosen[first : first + len(item.matrices)]
        first += len(item.matrices)
        if own.any():
            found.append(replace(item, matrices=item.matrices[own]))
    return found


def local_matrices(nodes: list[Fields]) -> tuple[Float64[np.ndarray, "N 4 4"], Bool[np.ndarray, " N"]]:
    """Return the transforms from each node's space to its parent's: its `matrix`, or translation × rotation × scale.

    Also which nodes have any of these. All at once: there may be very many.
    """
    translation, rotation = np.zeros((len(nodes), 3)), np.tile([0.0, 0.0, 0.0, 1.0], (len(nodes), 1))
    scale, moved, whole = np.ones((len(nodes), 3)), np.zeros(len(nodes), bool), {}
    for i, node in enumerate(nodes):
        if node.has("matrix"):
            whole[i] = np.array(node.numbers("matrix", 16)).reshape(4, 4).T  # stored column by column
        for name, values in (("translation", translation), ("rotation", rotation), ("scale", scale)):
            if node.has(name):
                values[i] = node.numbers(name, values.shape[1])
                moved[i] = True
    local = compose(translation, rotation, scale)
    for i, matrix in whole.items():
        local[i], moved[i] = matrix, True
    return local, moved


def compose(
    translation: Float64[np.ndarray, "N 3"],
    rotation: Float64[np.ndarray, "N 4"],
    scale: Float64[np.ndarray, "N 3"],
) -> Float64[np.ndarray, "N 4 4"]:
    """Translation × rotation × scale; rotations are quaternions (x, y, z, w), brought to unit length."""
    length = np.linalg.norm(rotation, axis=1, keepdims=True)
    still = np.tile([0.0, 0.0, 0.0, 1.0], (len(rotation), 1))
    x, y, z, w = np.divide(rotation, length, out=still, where=length > 0).T
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )  # (3, 3, N)
    matrix = np.tile(np.eye(4), (len(translation), 1, 1))
    matrix[:, :3, :3] = turn.transpose(2, 0, 1) * scale[:, None, :]
    matrix[:, :3, 3] = translation
    return matrix
