"""A glTF file with everything it refers to at hand: JSON, buffers, images as bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import AssetError
from ..decoded_images import DecodedImages
from ..read_file import MAX_FILE_BYTES, read_file
from ..safe_paths import decode_data_uri, is_data_uri, resolve_uri
from .container import Container, dump_json, parse_json, read_container
from .fields import Fields, Root, fail
from .structure import check_counts, check_structure

# Required extensions that do not change where triangles are or what their base colour is, and those we apply.
_KNOWN_EXTENSIONS = frozenset(
    {
        "EXT_lights_ies",
        "EXT_lights_image_based",
        "EXT_mesh_gpu_instancing",
        "EXT_meshopt_compression",
        "EXT_texture_avif",
        "EXT_texture_webp",
        "KHR_animation_pointer",
        "KHR_draco_mesh_compression",
        "KHR_lights_punctual",
        "KHR_mesh_quantization",
        "KHR_meshopt_compression",
        "KHR_node_visibility",
        "KHR_texture_basisu",
        "KHR_texture_transform",
        "KHR_xmp",
        "KHR_xmp_json_ld",
        "MSFT_lod",
        "MSFT_texture_dds",
        "VRM",
    }
)
_KNOWN_PREFIXES = ("KHR_materials_", "VRMC_")
COMPRESSIONS = ("KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_meshopt_compression")


class GltfDocument:
    """A view of one file.

    Attributes:
        path: the file.
        container: its bytes, taken apart.
        root: its JSON. Shared: `new_json` gives a copy to change.
        buffers: their bytes, `byteLength` long; None for placeholders that nothing reads.
        sources: the file and every file of its own folder that it refers to, present or not.
        warnings: what is not as in the file, one sentence each.
    """

    def __init__(self, path: Path, root: Path | None = None) -> None:
        """Read the file and its buffers; `root`: see `load_asset`. Raises AssetError."""
        self.path, self._root = path, root
        self.container: Container = read_container(path)
        self._text = self.container.text
        self.root: Root = Root(parse_json(self._text, path), "", path)
        check_counts(self.root)
        self._check_version()
        self._check_extensions()
        check_structure(self.root)
        self._images = self.root.children("images")
        self._views = self.root.children("bufferViews")
        self._image_files: dict[int, Path] = {}
        self._buffer_files: dict[int, Path] = {}
        self._room = MAX_FILE_BYTES
        for i, image in enumerate(self._images):
            if image.has("uri") and not is_data_uri(uri := image.text("uri")):
                self._image_files[i] = resolve_uri(uri, path.parent, path, root)
        self.buffers = tuple(
            self._read_buffer(i, item) for i, item in enumerate(self.root.children("buffers"))
        )
        self.sources: tuple[Path, ...] = (
            path,
            *self._buffer_files.values(),
            *self._image_files.values(),
        )
        self.warnings: tuple[str, ...] = ()
        self.decoded = DecodedImages()

    def new_json(self) -> dict[str, Any]:
        """A copy of the JSON that may be changed."""
        return parse_json(self._text, self.path)

    def replace(self, json: dict[str, Any], binary: bytes, warning: str) -> None:
        """Go on with other JSON, whose buffer has no uri, and with that buffer."""
        self.root, self._text = Root(json, "", self.path), dump_json(json)
        self.buffers = (memoryview(binary),)
        self._views, self._buffer_files = self.root.children("bufferViews"), {}
        self._images = self.root.children("images")
        self.warnings = (warning,)

    def image_file(self, index: int) -> Path | None:
        """The file that an image lies in, or None where it is part of the model's own data."""
        return self._image_files.get(index)

    def is_missing(self, index: int) -> bool:
        """Whether an image lies in a file that is not there."""
        file = self.image_file(index)
        try:
            return file is not None and not file.exists()
        except OSError:
            return True

    def buffer_file(self, index: int) -> Path | None:
        """The same of a buffer."""
        return self._buffer_files.get(index)

    def image_bytes(self, index: int) -> tuple[str, bytes]:
        """Media type ("" where unknown) and encoded bytes of an image. Raises AssetError."""
        image = self._images[index]
        media = image.text("mimeType", "")
        if image.has("uri"):
            if (file := self.image_file(index)) is not None:
                return media, read_file(file, self.path)
            found, data = decode_data_uri(image.text("uri"), self.path)
            return media or found, data
        view = image.index("bufferView", len(self._views), "bufferViews")
        if view is None:
            image.fail("has neither a uri nor a bufferView")
        return media, bytes(self.view_bytes(view))

    def view_bytes(self, index: int) -> memoryview:
        """The bytes of a bufferView. Raises AssetError."""
        view = self._views[index]
        buffer = view.index("buffer", len(self.buffers), "buffers")
        if buffer is None:
            view.fail("has no buffer")
        data = self.buffers[buffer]
        if data is None:
            view.fail("lies in a buffer without data")
        start, length = view.integer("byteOffset", 0), view.integer("byteLength")
        if start + length > len(data):
            view.fail(f"reaches byte {start + length} of a buffer of {len(data)} bytes")
        return data[start : start + length]

    def view_stride(self, index: int) -> int | None:
        view = self._views[index]
        # glTF 1.0 said 0 where nothing lies between elements, and converters have left it there.
        return (view.integer("byteStride", high=255) or None) if view.has("byteStride") else None

    def _check_version(self) -> None:
        asset = self.root.child("asset")
        if not asset.has("version"):
            fail(self.path, "this is not a glTF 2.0 file: it has no asset.version")
        version = asset.value["version"]
        # Some exporters write a number.
        version = (
            f"{asset.number('version'):.1f}" if isinstance(version, int | float) else asset.text("version")
        )
        needed = asset.text("minVersion", version)
        if not version.startswith("2.") or needed not in ("2.0", version):
            fail(self.path, f"it is glTF {version[:20]!r}; only version 2 is read")

    def _check_extensions(self) -> None:
        names = self.root.value.get("extensionsRequired", [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            fail(self.path, "extensionsRequired is not a list of names")
        for name in names:
            if name not in _KNOWN_EXTENSIONS and not name.startswith(_KNOWN_PREFIXES):
                raise AssetError(
                    self.path,
                    f"it requires the glTF extension {name[:80]!r}, which meshstyle does not know",
                    "Export the model without that extension.",
                )

    def _read_buffer(self, index: int, buffer: Fields) -> memoryview | None:
        length = buffer.integer("byteLength", low=1)
        data: memoryview
        if buffer.has("uri"):
            uri = buffer.text("uri")
            if is_data_uri(uri):
                data = memoryview(decode_data_uri(uri, self.path)[1])
            else:
                file = self._buffer_files[index] = resolve_uri(uri, self.path.parent, self.path, self._root)
                data = memoryview(read_file(file, self.path, self._room))
        elif index == 0 and self.container.binary is not None:
            data = self.container.binary
        elif any(name in buffer.child("extensions").value for name in COMPRESSIONS):
            return None
        else:
            buffer.fail("has no data: there is neither a uri nor a binary chunk")
        if length > len(data):
            buffer.fail(f"is cut off: {length} bytes are promised, {len(data)} are there")
        self._room -= length
        return data[:length]
