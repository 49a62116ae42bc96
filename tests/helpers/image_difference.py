"""What tests share that began in test_preview_pictures.py."""

from __future__ import annotations

import numpy as np
import scipy.ndimage


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Mean over colours inside both silhouettes, less 2 pixels; the silhouettes agree but for their edges."""
    both = (a[..., 3] > 254) & (b[..., 3] > 254)
    inside = scipy.ndimage.binary_erosion(both, iterations=2)
    assert inside.sum() > 50
    assert np.abs(a[..., 3] - b[..., 3]).mean() < 2
    return float(np.abs(a - b)[inside][:, :3].mean())
