"""The numbers in a large array, each once."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int, Int64


def unique_below(numbers: Int[np.ndarray, "N"], below: int) -> Int64[np.ndarray, "M"]:
    """The different numbers, 0 to `below` - 1, ascending.

    `np.unique` would sort them or, from numpy 2.3 on, look them up in a table one by one: five to fifty times as long
    for a million of them.
    """
    there = np.zeros(below, bool)
    there[numbers] = True
    return np.flatnonzero(there)
