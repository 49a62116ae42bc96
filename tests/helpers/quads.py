"""What tests share that began in test_optimize_texture.py."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from helpers.surfaces import make_surface, quad
from meshstyle.config.model import Scale, Settings
from meshstyle.optimize.texture import TextureSolver
from meshstyle.style.vgg import VGG19
from meshstyle.views.placement import Placement
from meshstyle.views.raytrace import Tracer


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


class Quads:
    """Two quads back to back and a painting of stripes: a scene that paints in a second."""

    def __init__(self, network: VGG19) -> None:
        near, uv = quad(0.02)
        far, _ = quad(-0.02)
        corners = np.concatenate([near, far[:, ::-1]])
        both = np.concatenate([uv * [0.5, 1], uv[:, ::-1] * [0.5, 1] + [0.5, 0]])
        self.tracer = Tracer(make_surface(corners, both, size=(64, 64)))
        self.painting = torch.zeros(1, 3, 64, 64)
        self.painting[:, 0] = 0.9
        self.painting[:, 2, ::8] = 0.8
        self.network = network
        self.placement = Placement(np.array([[0.0, 0, 1], [0, 0, -1], [0.6, 0, 0.8]]), 1.0, 1.0)

    def solver(
        self, monkeypatch: pytest.MonkeyPatch, scales: tuple[Scale, ...], seed: int = 0
    ) -> TextureSolver:
        monkeypatch.setattr(Settings, "scales", property(lambda _: scales))
        settings = Settings(seed=seed, structure_weight=0.0)
        return TextureSolver(self.tracer, self.placement, self.painting, self.network, settings)
