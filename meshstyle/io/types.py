"""What the pipeline knows of a model, whatever file it came from.

An `Asset` hands out `Part`s (glTF primitives, runs of one material in an OBJ) as per-corner arrays, and
takes a `Paint` back. It keeps the file as it was, so that writing changes nothing but the paint.

Conventions, everywhere inside meshstyle:
- world space as the file has it (glTF: right-handed, +y up), float64;
- UVs with glTF's origin: (0, 0) is the top left corner of the image, v grows downwards. The OBJ reader
  and writer turn v over. UVs are *effective*: texture transforms are applied, wrapping is not;
- images: (H, W, C) uint8, row 0 on top, sRGB, straight alpha;
- factors and vertex colours: linear RGB + alpha, 0..1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8, UInt16


class Wrap(Enum):
    """What a sampler does with a UV outside 0..1."""

    REPEAT = "repeat"
    MIRROR = "mirror"
    CLAMP = "clamp"


@dataclass(frozen=True)
class Material:
    """The base colour of a material: `factor × vertex colour × image`, multiplied in linear light.

    Attributes:
        name: as in the file, or a made-up one that is unique.
        factor: linear RGB and alpha, 0..1.
        image: which of the asset's images, or None. Materials of the same image share one atlas.
        wrap: along u and along v.
        alpha_mode: as in glTF; `alpha_cutoff` counts for MASK only.
        double_sided: whether its triangles are seen from behind.
        transmits: light goes through it, whatever its alpha: it never hides what lies behind.
        moves: an animation moves the image across the surface (flip-books): parts of it that no UV reads at rest
            are seen as well.
    """

    name: str
    factor: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    image: int | None = None
    wrap: tuple[Wrap, Wrap] = (Wrap.REPEAT, Wrap.REPEAT)
    alpha_mode: Literal["OPAQUE", "MASK", "BLEND"] = "OPAQUE"
    alpha_cutoff: float = 0.5
    double_sided: bool = False
    transmits: bool = False
    moves: bool = False


@dataclass(frozen=True, eq=False)
class Part:
    """Triangles with one material: I instances (nodes) of the same F triangles.

    Attributes:
        name: for messages: mesh and primitive, or group and material.
        material: index into the asset's materials.
        corners: world space, one row per instance. Skinned parts: in the pose the file shows at rest.
        normals: unit shading normals in world space as the file has them, or None where it has none.
        uv: what the base colour's lookup reads, or None where the part has none.
        colours: linear RGBA vertex colours, or None.
        mirrored: instances whose triangles are clockwise seen from outside, as mirroring nodes leave them;
            None: none are.
        hidden: instances that the file does not show at rest (an animation may); None: none are. They never hide
            what lies behind them.
        stand_in: of a coarser shape (a level of detail) that is shown in place of other parts, where it would stand; it
            has no instances, no view looks at it, and it takes the paint of what it stands for.
        shape: of a part that has no size at rest (an animation gives it one), as its mesh has it; None: it has one.
        names: by which users may mean it: of its nodes and its mesh.
        groups: where it is made of several objects or groups: their names, and per triangle which of them it lies in.
        style_mask: the attribute `_STYLE` at the corners, 0..1, or None.
    """

    name: str
    material: int
    corners: Float64[np.ndarray, "I F 3 3"]
    normals: Float64[np.ndarray, "I F 3 3"] | None = None
    uv: Float64[np.ndarray, "F 3 2"] | None = None
    colours: Float64[np.ndarray, "F 3 4"] | None = None
    mirrored: Bool[np.ndarray, "I"] | None = None
    hidden: Bool[np.ndarray, "I"] | None = None
    stand_in: Float64[np.ndarray, "F 3 3"] | None = None
    shape: Float64[np.ndarray, "F 3 3"] | None = None
    names: tuple[str, ...] = ()
    groups: tuple[tuple[tuple[str, ...], ...], Int64[np.ndarray, "F"]] | None = None
    style_mask: Float64[np.ndarray, "F 3"] | None = None

    @property
    def layout(self) -> Float64[np.ndarray, "F 3 3"]:
        """Corners by which texels are shared out."""
        return self.places[0] if self.shape is None else self.shape

    @property
    def places(self) -> Float64[np.ndarray, "I F 3 3"]:
        """Corners of all instances, or of the one that a stand-in would be."""
        return self.corners if self.stand_in is None else self.stand_in[None]


@dataclass(frozen=True, eq=False)
class ReliefMaps:
    """How strokes stand out of a painted image.

    Attributes:
        normal: tangent space as glTF has it: x along u, y up in the image, z outwards; −1..1 as bytes.
        surface: roughness in green and metalness in blue, of the material's own values; red is 255.
        height: 0..65535.
    """

    normal: UInt8[np.ndarray, "H W 3"]
    surface: UInt8[np.ndarray, "H W 3"]
    height: UInt16[np.ndarray, "H W"]


@dataclass(frozen=True, eq=False)
class PaintedAtlas:
    """One finished image. Three channels where the painted materials are opaque, else four. `relief`: None where
    it is flat."""

    name: str
    pixels: UInt8[np.ndarray, "H W C"]
    relief: ReliefMaps | None = None


@dataclass(frozen=True, eq=False)
class PaintedPart:
    """A part's place in the paint: its atlas, and its new UVs (None: it keeps those it has)."""

    atlas: int
    uv: Float64[np.ndarray, "F 3 2"] | None = None


@dataclass(frozen=True, eq=False)
class Paint:
    """What is to be written.

    Attributes:
        atlases: the images.
        parts: in the order of the asset's parts; None leaves a part as it is.
        record: JSON-able; goes into `asset.extras.meshstyle` (glTF) or a comment (OBJ).
        image_format: of the images: `png`, `webp` or `jpeg` (then PNG where an atlas has alpha).
        companions: what the names of files made beside the model begin with; None: the model's name.
    """

    atlases: tuple[PaintedAtlas, ...]
    parts: tuple[PaintedPart | None, ...]
    record: Mapping[str, Any] = field(default_factory=dict)
    image_format: str = "png"
    companions: str | None = None

    def stem(self, output: Path) -> str:
        """What the names of files made beside `output` begin with."""
        return output.stem if self.companions is None else self.companions


@runtime_checkable
class FromFiles(Protocol):
    """An asset that tells which files it was read from, the model first, and which it names that are not there: when
    one of them changes, or appears, it is another asset."""

    @property
    def sources(self) -> tuple[Path, ...]: ...


def lost_textures(asset: Asset) -> tuple[str, ...]:
    """A sentence for every texture that an asset names and that is not there."""
    return tuple(getattr(asset, "lost_textures", ()))


@runtime_checkable
class Asset(Protocol):
    """A model file that was read, and can be written back with nothing but its paint changed."""

    path: Path
    kind: str  # "glTF", "GLB", "OBJ", "PLY", "STL" or "OFF", for people
    materials: tuple[Material, ...]
    parts: tuple[Part, ...]
    warnings: tuple[str, ...]  # what was odd in the file and how it was taken, one sentence each
    record: Mapping[str, Any] | None  # what an earlier run of meshstyle left in the file

    def image(self, index: int) -> UInt8[np.ndarray, "H W 4"]:
        """Decode an image. Raises PictureError."""
        ...

    def image_name(self, index: int) -> str:
        """The image's name or file name, for messages and for naming what is written."""
        ...

    def image_size(self, index: int) -> tuple[int, int]:
        """Height and width without decoding. Raises PictureError."""
        ...
