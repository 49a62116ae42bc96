"""Base colours of MTL materials: `Kd`, `map_Kd`, `d`, `Tr`, `map_d`, and the images they come from.

`Kd` and vertex colours are taken as sRGB, as exporters write what their colour pickers show. Files that say
nothing of colour are white.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from ...errors import AssetError, PictureError
from ..images import MAX_FILE_BYTES, decode_picture, picture_has_alpha, picture_size
from ..read_file import read_file
from ..types import Material, Wrap
from .files import PICTURE_SUFFIXES, Finder
from .mtl import MtlMaterial, TextureMap, parse_map, parse_numbers

CUTOUT_SOFT_SHARE = 0.1  # an alpha channel with more half-transparent texels than this is no cut-out
OPAQUE_ALPHA = 247
AlphaMode = Literal["OPAQUE", "MASK", "BLEND"]
_LUMINANCE = (0.2126, 0.7152, 0.0722)  # ITU-R BT.709


@dataclass(frozen=True)
class ObjImage:
    """What a base colour looks up.

    Attributes:
        colour: file of `map_Kd`; None: white.
        alpha: file of `map_d`; None: the colour's own alpha.
        channel: which channel of `alpha` counts, as `TextureMap.channel` has it.
        base, gain: of the colour, see `TextureMap`.
        opaque: whether the alpha means nothing.
    """

    colour: Path | None
    alpha: Path | None = None
    channel: str = ""
    base: float = 0.0
    gain: float = 1.0
    opaque: bool = False

    @property
    def main(self) -> Path:
        """The file that gives the image its name and size."""
        path = self.colour or self.alpha
        if path is None:
            raise ValueError("an image needs a file")
        return path

    def size(self) -> tuple[int, int]:
        """Height and width. Raises PictureError."""
        return picture_size(read_image_file(self.main), self.main)

    def decode(self) -> UInt8[np.ndarray, "H W 4"]:
        """Raises PictureError."""
        pixels = decode_picture(read_image_file(self.main), self.main)
        if self.colour is None:
            pixels[..., :3] = 255
        elif (self.base, self.gain) != (0.0, 1.0):
            changed = self.base * 255 + self.gain * pixels[..., :3].astype(np.float32)
            pixels[..., :3] = np.rint(np.clip(changed, 0, 255)).astype(np.uint8)
        if self.opaque:
            pixels[..., 3] = 255
        elif self.alpha is not None:
            mask = decode_picture(read_image_file(self.alpha), self.alpha)
            pixels[..., 3] = _resize(_scalar(mask, self.channel), pixels.shape[:2])
        return pixels


@dataclass(frozen=True)
class ObjMaterial:
    """A material of the model and what it was made of.

    Attributes:
        material: its base colour; `image` is not set yet.
        source: its statements; None where no library has it.
        map: of `map_Kd`, else of `map_d`; its options hold for both lookups. None: no image.
        image: the files.
        tile: column and row of the UV plane's unit square that it is for (see `io.obj.udim`); None: no certain one.
    """

    material: Material
    source: MtlMaterial | None
    map: TextureMap | None = None
    image: ObjImage | None = None
    tile: tuple[int, int] | None = None


def read_material(name: str, source: MtlMaterial | None, finder: Finder, warnings: list[str]) -> ObjMaterial:
    """The base colour of a material. Raises PictureError for damaged pictures with transparency."""
    if source is None:
        return ObjMaterial(Material(name, double_sided=True), None)
    colour_map, colour = _texture(source, finder, "map_kd")
    alpha_map, alpha = _texture(source, finder, "map_d")
    image = None
    if colour or alpha:
        channel = alpha_map.channel if alpha_map else ""
        base, gain = (colour_map.base, colour_map.gain) if colour_map else (0.0, 1.0)
        image = ObjImage(colour, alpha, channel, base, gain)
    where = (colour_map if colour else None) or (alpha_map if alpha else None)
    opacity = _opacity(source, name, warnings)
    alpha_mode, image = _alpha_mode(name, opacity, image, warnings)
    material = Material(
        name=name,
        factor=(*_kd(source, name, colour is not None, warnings), opacity),
        wrap=(Wrap.CLAMP, Wrap.CLAMP) if where and where.clamp else (Wrap.REPEAT, Wrap.REPEAT),
        alpha_mode=alpha_mode,
        double_sided=True,  # OBJ has no culling
    )
    return ObjMaterial(material, source, where if image else None, image)


def with_picture(plain: ObjMaterial, picture: Path, warnings: list[str]) -> ObjMaterial:
    """A material without statements, with a picture that nothing names. Raises PictureError."""
    alpha_mode, image = _alpha_mode(plain.material.name, 1.0, ObjImage(picture), warnings)
    return replace(
        plain,
        material=replace(plain.material, alpha_mode=alpha_mode),
        map=TextureMap(picture.name),
        image=image,
    )


def number_images(found: list[ObjMaterial]) -> tuple[tuple[ObjMaterial, ...], tuple[ObjImage, ...]]:
    """The materials with `Material.image` set, and the images they count in: equal ones are one."""
    place: dict[ObjImage, int] = {}
    numbered = []
    for item in found:
        index = None if item.image is None else place.setdefault(item.image, len(place))
        numbered.append(replace(item, material=replace(item.material, image=index)))
    return tuple(numbered), tuple(place)


def srgb_to_linear(srgb: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """IEC 61966-2-1, values in 0..1."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((np.maximum(srgb, 0.04045) + 0.055) / 1.055) ** 2.4)


def read_image_file(path: Path) -> bytes:
    """Raises PictureError."""
    try:
        return read_file(path, path, MAX_FILE_BYTES)
    except AssetError as error:
        raise PictureError(path, error.cause, error.remedy) from error


def _texture(source: MtlMaterial, finder: Finder, keyword: str) -> tuple[TextureMap | None, Path | None]:
    value = source.value(keyword)
    found = parse_map(value) if value else None
    if found is None:
        return None, None
    return found, finder.find(found.file, "texture", PICTURE_SUFFIXES, source.folder)


def _kd(source: MtlMaterial, name: str, mapped: bool, warnings: list[str]) -> tuple[float, float, float]:
    """Linear. One number stands for all three; CIE XYZ and spectral files, which nobody writes, are white."""
    numbers = parse_numbers(source.value("kd") or "", 3)
    if len(numbers) not in (1, 3):
        return (1.0, 1.0, 1.0)
    srgb = np.clip(np.array(numbers * (3 // len(numbers))), 0.0, 1.0)
    if mapped and not srgb.any():
        warnings.append(f"Material {name!r} multiplies its texture by black (Kd 0 0 0); white was taken.")
        return (1.0, 1.0, 1.0)
    red, green, blue = srgb_to_linear(srgb)
    return (float(red), float(green), float(blue))


def _opacity(source: MtlMaterial, name: str, warnings: list[str]) -> float:
    """`d`, or 1 − `Tr`, which was never standardised: where the two differ, d is right."""
    dissolve = parse_numbers((source.value("d") or "").removeprefix("-halo"), 1)
    transparency = parse_numbers(source.value("tr") or "", 1)
    opacity = dissolve[0] if dissolve else 1.0 - transparency[0] if transparency else 1.0
    opacity = min(max(opacity, 0.0), 1.0)
    if opacity == 0.0:  # some exporters have Tr the wrong way round, others leave d to the map
        warnings.append(f"Material {name!r} is wholly transparent (d or Tr); it was taken as opaque.")
        return 1.0
    return opacity


def _alpha_mode(
    name: str, opacity: float, image: ObjImage | None, warnings: list[str]
) -> tuple[AlphaMode, ObjImage | None]:
    """The mode, and the image without the alpha where that does not count.

    MTL knows no modes. A picture whose alpha is mostly 0 or 1 is a cut-out. Without a `map_d` the alpha is not looked
    up by MTL's rules, engines keep other things there: the paint goes below all of it, and it stays in the picture.
    """
    if image is None:
        return ("OPAQUE" if opacity == 1.0 else "BLEND"), None
    opaque = replace(image, alpha=None, channel="", opaque=True) if image.colour else None
    least, soft = _alpha_of(replace(image, base=0.0, gain=1.0), _stamps(image))
    if least >= OPAQUE_ALPHA:
        return ("OPAQUE" if opacity == 1.0 else "BLEND"), opaque
    if image.alpha is None:
        warnings.append(
            f"No map_d asks for the alpha in the texture of material {name!r}; it was left aside."
        )
        return ("OPAQUE", image) if opacity == 1.0 else ("BLEND", opaque)
    if opacity == 1.0 and soft <= CUTOUT_SOFT_SHARE:
        return "MASK", image
    return "BLEND", image


@lru_cache(maxsize=256)
def _alpha_of(image: ObjImage, stamps: tuple[object, ...]) -> tuple[int, float]:
    """The least alpha, and the share that is neither clear nor solid. Thousands of materials may ask for one picture.

    `stamps`: what changes with the files.
    """
    if image.alpha is None and not picture_has_alpha(read_image_file(image.main), image.main):
        return 255, 0.0
    alpha = image.decode()[..., 3]
    soft = float(((alpha > 255 - OPAQUE_ALPHA) & (alpha < OPAQUE_ALPHA)).mean())
    return int(alpha.min()), soft


def _stamps(image: ObjImage) -> tuple[object, ...]:
    found: list[object] = []
    for path in filter(None, (image.colour, image.alpha)):
        with suppress(OSError):  # whoever reads it will tell
            state = path.stat()
            found.append((state.st_ino, state.st_size, state.st_mtime_ns))
    return tuple(found)


def _scalar(pixels: UInt8[np.ndarray, "H W 4"], channel: str) -> UInt8[np.ndarray, "H W"]:
    """The channel that a scalar map means; where that is not said, alpha if there is some (Blender)."""
    if channel in ("r", "g", "b"):
        return pixels[..., "rgb".index(channel)]
    if channel == "m" or (channel != "l" and pixels[..., 3].min() < 255):
        return pixels[..., 3]
    return np.rint(pixels[..., :3] @ np.array(_LUMINANCE)).astype(np.uint8)


def _resize(channel: UInt8[np.ndarray, "H W"], size: tuple[int, int]) -> UInt8[np.ndarray, ...]:
    if channel.shape == size:
        return channel
    return np.asarray(Image.fromarray(channel).resize(size[::-1], Image.Resampling.BILINEAR))
