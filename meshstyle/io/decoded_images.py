"""Decoded images of an asset: the same image is asked for by several steps of a job, and decoded once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8

KEPT_BYTES = (
    64 * 2**20
)  # an RGBA image of 4096 × 4096 pixels; larger ones are decoded whenever they are asked for


class DecodedImages:
    """Keeps what was asked for last, as far as it fits into `KEPT_BYTES`. Copies and pickles of it are empty."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        self._images: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[DecodedImages], tuple[int]]:
        return DecodedImages, (self._kept_bytes,)

    def get(self, index: int, decode: Callable[[], UInt8[np.ndarray, "H W 4"]]) -> UInt8[np.ndarray, "H W 4"]:
        """The image of this number, which `decode` gives where it is not at hand. It cannot be written to."""
        with self._lock:
            if index in self._images:
                self._images.move_to_end(index)
                return self._images[index]
        pixels = decode()
        pixels.flags.writeable = False
        with self._lock:
            self._images[index] = pixels
            while sum(image.nbytes for image in self._images.values()) > self._kept_bytes:
                self._images.popitem(last=False)
        return pixels
