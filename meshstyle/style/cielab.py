"""CIELAB (CIE 1976, white D65) and back, of sRGB 0..1."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32

from ..srgb import to_linear, to_srgb

_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)  # IEC 61966-2-1
_WHITE = _TO_XYZ.sum(axis=1)
_BEND = 6 / 29  # below its cube the cube root goes over into a straight line
_STEPS = 10  # of the search for the most chroma that sRGB can show

Colours = Float32[np.ndarray, "N 3"]


def to_lab(colours: Colours) -> Colours:
    """L* 0..100, a* and b*."""
    scaled = to_linear(colours).astype(np.float64) @ (_TO_XYZ / _WHITE[:, None]).T
    f = np.where(scaled > _BEND**3, np.cbrt(scaled), scaled / (3 * _BEND**2) + 4 / 29)
    x, y, z = f.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1).astype(np.float32)


def from_lab(lab: Colours) -> tuple[Colours, Bool[np.ndarray, "N"]]:
    """sRGB, clipped to 0..1, and which colours had to be clipped."""
    y = (lab[:, 0].astype(np.float64) + 16) / 116
    f = np.stack([y + lab[:, 1] / 500, y, y - lab[:, 2] / 200], axis=1)
    xyz = np.where(f > _BEND, f**3, 3 * _BEND**2 * (f - 4 / 29)) * _WHITE
    linear = xyz @ np.linalg.inv(_TO_XYZ).T
    outside = (linear < -1e-4).any(axis=1) | (linear > 1 + 1e-4).any(axis=1)
    return to_srgb(np.clip(linear, 0, 1).astype(np.float32)), outside


def shown(lab: Colours) -> Colours:
    """sRGB of the same lightness and hue, with as much of the chroma as sRGB can show."""
    found, outside = from_lab(lab)
    rows = np.flatnonzero(outside)
    if not len(rows):
        return found
    far, low, high = lab[rows], np.zeros(len(rows), np.float32), np.ones(len(rows), np.float32)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        _, beyond = from_lab(far * np.stack([np.ones_like(middle), middle, middle], axis=1))
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    found[rows] = from_lab(far * np.stack([np.ones_like(low), low, low], axis=1))[0]
    return found
