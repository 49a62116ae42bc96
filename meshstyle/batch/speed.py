"""The machine's speed, measured in a worker."""

from __future__ import annotations

import time

import torch

from ..config.model import Settings
from ..progress import ignore
from ..style.network import make_network
from ..style.vgg_weights import load_weights
from ..system.device import limited_threads

_SIDE = 128  # pixels: what most steps look at


def units_a_second(threads: int, seconds: float) -> float:
    """Units (forward and backward to relu4_1 over 256×256 pixels) that this process does in a second."""
    with limited_threads(threads):
        network = make_network(load_weights(), Settings(), torch.device("cpu"), ignore)
        picture = torch.rand(1, 3, _SIDE, _SIDE, requires_grad=True)
        began, passes = 0.0, -1
        while passes < 1 or time.monotonic() - began < seconds:
            network.features(picture, ["relu4_1"])["relu4_1"].square().mean().backward()
            passes += 1
            if passes == 0:  # to warm up
                began = time.monotonic()
        return passes * (_SIDE / 256) ** 2 / (time.monotonic() - began)
