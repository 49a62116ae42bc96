"""A base colour image, read as samplers read it: in linear light, wrapped, filtered when it shrinks."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Float64, UInt8
from PIL import Image

from ..io.types import Wrap
from ..srgb import bytes_to_linear
from .bilinear import neighbors

LEAST_ALPHA = 1e-3  # where there is less, colours count without it
STRIP = 512  # rows converted at a time: huge images are never held whole in floating point


class ImageSampler:
    """An image and its half-size, quarter-size, ... versions (made when asked for).

    Level 0 stays in bytes; the others are linear RGB with alpha, 0..1.
    """

    def __init__(self, pixels: UInt8[np.ndarray, "H W 4"]) -> None:
        self.pixels = pixels
        self._levels: list[np.ndarray] = []

    @property
    def size(self) -> tuple[int, int]:
        height, width = self.pixels.shape[:2]
        return height, width

    def sample(
        self,
        uv: Float64[np.ndarray, "N 2"],
        wrap: tuple[Wrap, Wrap],
        level: Float64[np.ndarray, "N"],
    ) -> Float32[np.ndarray, "N 4"]:
        """Linear RGB + alpha at each point; trilinear between levels. `level` 0 or less is the full image."""
        level = np.clip(level, 0.0, np.log2(max(self.size)) if max(self.size) > 1 else 0.0)
        low = np.floor(level).astype(np.int64)
        part = (level - low).astype(np.float32)[:, None]
        out = np.empty((len(uv), 4), np.float32)
        for number in np.unique(low):
            chosen = np.flatnonzero(low == number)
            value = self._bilinear(uv[chosen], wrap, int(number))
            blend = part[chosen]
            if blend.any():
                value += (self._bilinear(uv[chosen], wrap, int(number) + 1) - value) * blend
            out[chosen] = value
        return out

    def resized(self, size: tuple[int, int]) -> Float32[np.ndarray, "H W 4"]:
        """The whole image in another size, linear RGB + alpha.

        Colours are weighted by alpha, so that what cannot be seen does not tint what can.
        """
        if size == self.size:
            return bytes_to_linear(self.pixels)
        ratio = min(self.size[0] / size[0], self.size[1] / size[1])
        level = self._level(max(int(np.floor(np.log2(max(ratio, 1.0)))), 0))
        source = bytes_to_linear(level) if level.dtype == np.uint8 else level
        plain = np.stack([_resize(source[..., c], size) for c in range(4)], axis=-1)
        if source[..., 3].min() < 1.0:
            alpha = plain[..., 3]
            weighted = np.stack([_resize(source[..., c] * source[..., 3], size) for c in range(3)], axis=-1)
            seen = alpha > LEAST_ALPHA
            plain[seen, :3] = weighted[seen] / alpha[seen, None]
        return plain

    def _level(self, number: int) -> np.ndarray:
        if number == 0:
            return self.pixels
        while len(self._levels) < number:
            finer = self._levels[-1] if self._levels else self.pixels
            self._levels.append(_halved(finer))
        return self._levels[number - 1]

    def _bilinear(
        self, uv: Float64[np.ndarray, "N 2"], wrap: tuple[Wrap, Wrap], number: int
    ) -> Float32[np.ndarray, "N 4"]:
        pixels = self._level(number)
        height, width = pixels.shape[:2]
        near_zero = np.stack([_near_zero(uv[:, axis], wrap[axis]) for axis in (0, 1)], axis=1)
        near = neighbors(near_zero, (height, width), wrap)
        fx, fy = (weight.astype(np.float32)[:, None] for weight in (near.across, near.down))

        def pick(i: int, j: int) -> np.ndarray:
            found = pixels[near.rows[i], near.columns[j]]
            return bytes_to_linear(found) if found.dtype == np.uint8 else found

        top = pick(0, 0) * (1 - fx) + pick(0, 1) * fx
        bottom = pick(1, 0) * (1 - fx) + pick(1, 1) * fx
        return top * (1 - fy) + bottom * fy


def _near_zero(u: Float64[np.ndarray, "N"], wrap: Wrap) -> Float64[np.ndarray, "N"]:
    """The same place of the image, at coordinates that fit into an integer number of pixels."""
    return np.clip(u, -1.0, 2.0) if wrap is Wrap.CLAMP else u - 2.0 * np.floor(u / 2.0)


def _halved(pixels: np.ndarray) -> Float32[np.ndarray, "h w 4"]:
    """Half the size (rounded up) by averaging 2×2 pixels; an odd last row or column counts twice.

    Colours are weighted by alpha, so that what cannot be seen does not tint what can.
    """
    height, width = pixels.shape[:2]
    out = np.empty(((height + 1) // 2, (width + 1) // 2, 4), np.float32)
    for first in range(0, height, STRIP):
        strip = pixels[first : first + STRIP]
        strip = bytes_to_linear(strip) if strip.dtype == np.uint8 else strip
        strip = np.pad(strip, ((0, len(strip) % 2), (0, width % 2), (0, 0)), mode="edge")
        mean = _mean_2x2(strip)
        if strip[..., 3].min() < 1.0:
            weighted = _mean_2x2(strip[..., :3] * strip[..., 3:])
            seen = mean[..., 3] > LEAST_ALPHA
            mean[seen, :3] = weighted[seen] / mean[seen, 3:]
        out[first // 2 : first // 2 + len(mean)] = mean
    return out


def _mean_2x2(a: Float32[np.ndarray, "H W C"]) -> Float32[np.ndarray, "h w C"]:
    a = a[0::2] + a[1::2]
    return (a[:, 0::2] + a[:, 1::2]) * np.float32(0.25)


def _resize(channel: np.ndarray, size: tuple[int, int]) -> Float32[np.ndarray, "H W"]:
    """Bilinear when growing; the same filter widened (a tent) when shrinking."""
    picture = Image.fromarray(np.ascontiguousarray(channel, np.float32))
    return np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BILINEAR))
