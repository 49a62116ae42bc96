"""sRGB and linear light (IEC 61966-2-1), for numpy arrays of any shape, 0..1 or 8 bits."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32, UInt8

LUMA = (0.299, 0.587, 0.114)  # weights of luminance, of sRGB values (ITU-R BT.601)


def to_linear(srgb: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """sRGB 0..1 to linear 0..1."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((np.maximum(srgb, 0.0) + 0.055) / 1.055) ** 2.4).astype(
        srgb.dtype
    )


def to_srgb(linear: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Linear 0..1 (clipped) to sRGB 0..1."""
    linear = np.clip(linear, 0.0, 1.0)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055).astype(
        linear.dtype
    )


LINEAR_OF_BYTE: Float32[np.ndarray, "256"] = to_linear(np.arange(256) / 255.0).astype(np.float32)


def bytes_to_linear(picture: UInt8[np.ndarray, "... 4"]) -> Float32[np.ndarray, "... 4"]:
    """sRGB bytes with alpha to linear RGB with alpha, 0..1."""
    out = LINEAR_OF_BYTE[picture]
    out[..., 3] = picture[..., 3] / np.float32(255)
    return out
