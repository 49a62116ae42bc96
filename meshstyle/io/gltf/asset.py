"""glTF 2.0 and GLB files as assets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

import numpy as np
from jaxtyping import UInt8

from ...errors import AssetError, PictureError
from .. import images
from ..read_file import MAX_FILE_BYTES
from ..safe_paths import is_data_uri
from ..types import Material
from . import ktx2
from .accessors import Accessors
from .decompress import read_document
from .materials import DEFAULT, read_materials
from .primitives import PrimitiveReader
from .tiles import tile_notes

MAX_LOOKED_AT = 2 * MAX_FILE_BYTES  # bytes of images whose sizes are asked for; each is looked at once


class GltfAsset:
    """A .gltf or .glb file; satisfies `io.types.Asset`.

    Parts are the primitives made of triangles that the default scene shows (all nodes' where there is none),
    one for each primitive however many nodes show its mesh.
    """

    def __init__(self, path: Path, root: Path | None = None) -> None:
        """Read a file; `root`: see `load_asset`. Raises AssetError."""
        self.path = path
        self.document = read_document(path, root)
        self.kind = "GLB" if self.document.container.is_glb else "glTF"
        self.base_colours = read_materials(self.document)
        self.lost_textures = tuple(dict.fromkeys(item.lost for item in self.base_colours if item.lost))
        notes = [note for item in self.base_colours for note in item.notes]
        self._sizes: dict[int, tuple[int, int]] = {}
        self._looked_at = 0
        accessors = Accessors(self.document)
        reader = PrimitiveReader(self.document, accessors, self.base_colours)
        self.part_sources, self.parts = reader.read()
        extra = [DEFAULT.material] if any(item.material is None for item in self.part_sources) else []
        self.materials: tuple[Material, ...] = (*(item.material for item in self.base_colours), *extra)
        self.warnings = tuple(
            dict.fromkeys([*self.lost_textures, *notes, *reader.warnings, *self.document.warnings])
        )
        self.warnings += tuple(tile_notes(self.document, self.materials, self.parts))
        self.record = self._read_record()
        accessors.forget()

    @property
    def sources(self) -> tuple[Path, ...]:
        """The files it was read from, which are never overwritten."""
        return self.document.sources

    def image(self, index: int) -> UInt8[np.ndarray, "H W 4"]:
        """Decode an image. Raises PictureError."""
        return self.document.decoded.get(index, lambda: ktx2.decode_image(*self._image_bytes(index)))

    def image_size(self, index: int) -> tuple[int, int]:
        """Height and width without decoding. Raises PictureError."""
        if index not in self._sizes:
            data, subject = self._image_bytes(index)
            self._looked_at += len(data)
            if self._looked_at > MAX_LOOKED_AT:
                raise PictureError(subject, "too many images share the same data", "Merge them.")
            size = ktx2.ktx2_size if ktx2.is_ktx2(data) else images.picture_size
            self._sizes[index] = size(data, subject)
        return self._sizes[index]

    def image_name(self, index: int) -> str:
        """The image's name, its file's without the suffix, or a made-up one."""
        image = self.document.root.children("images")[index]
        if name := image.text("name", ""):
            return name
        uri = image.text("uri", "")
        stem = "" if is_data_uri(uri) else PurePosixPath(unquote(uri).replace("\\", "/")).stem
        return stem or f"image {index}"

    def _image_bytes(self, index: int) -> tuple[bytes, str]:
        """Encoded bytes and what to call them. Raises PictureError where the model's data gives none."""
        subject = f"{self.path} ({self.image_name(index)})"
        file = self.document.image_file(index)
        if file is not None:
            subject = str(file)
        try:
            _, data = self.document.image_bytes(index)
        except AssetError as error:
            raise PictureError(subject, error.cause, error.remedy) from error
        return data, subject

    def _read_record(self) -> Mapping[str, Any] | None:
        extras = self.document.root.child("asset").value.get("extras")
        record = extras.get("meshstyle") if isinstance(extras, dict) else None
        return record if isinstance(record, dict) else None
