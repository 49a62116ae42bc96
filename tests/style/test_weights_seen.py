"""The weights do what their help says, by a clear factor, in a few steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from meshstyle.config import model
from meshstyle.config.model import Preset, Scale
from meshstyle.io.load import load_asset
from meshstyle.progress import Progress
from meshstyle.stylize_model import stylize

ROOT = Path(__file__).parents[2]
SPOT = ROOT / "assets" / "models" / "spot" / "spot.obj"
SIZE = 128  # of the texture
LAST = 4  # steps whose content counts


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(model.PRESETS, "draft", Preset(scales=(Scale(128, 14),), views=4))


def paint(out: Path, **weights: float) -> tuple[np.ndarray, float]:
    """The texture, sRGB 0..1, and how far the content is from the original's."""
    told: list[Progress] = []
    little = {"preset": "draft", "iterations": 14, "texture_size": SIZE, "threads": 1}
    stylize(SPOT, "starry-night", out, progress=told.append, **little, **weights)
    content = [record.content for record in told if record.content is not None]
    return load_asset(out).image(0)[..., :3] / 255.0, float(np.mean(content[-LAST:]))


def roughness(picture: np.ndarray) -> float:
    """Of the colour: mean step between neighbours, without light and dark."""
    colour = picture - picture.mean(-1, keepdims=True)
    steps = [np.abs(np.diff(colour, axis=axis)).ravel() for axis in (0, 1)]
    return float(np.concatenate(steps).mean())


def test_smoother_and_closer_models(tmp_path: Path) -> None:
    plain, far = paint(tmp_path / "plain.glb")
    smooth, _ = paint(tmp_path / "smooth.glb", tv_weight=100.0)
    _, near = paint(tmp_path / "near.glb", content_weight=10.0)
    assert roughness(smooth) < 0.7 * roughness(plain)
    assert near < 0.7 * far
