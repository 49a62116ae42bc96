"""Settings under which the program does everything it does, on a tiny amount of work."""

from __future__ import annotations

import pytest

from meshstyle.config import model
from meshstyle.config.image import PICTURE_PRESETS, PicturePreset
from meshstyle.config.model import Preset, Scale


def shrink_presets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Presets of one step on views of 32 pixels, and textures of 64 texels where nobody says how large."""
    for name in model.PRESETS:
        monkeypatch.setitem(model.PRESETS, name, Preset(scales=(Scale(32, 1),), views=4))
        monkeypatch.setitem(PICTURE_PRESETS, name, PicturePreset(size=32, steps=(1,)))
    monkeypatch.setattr("meshstyle.texture.plan.DEFAULT_TEXTURE_SIZE_RANGE", (64, 64))
    monkeypatch.setattr("meshstyle.texture.plan.FRESH_SIZE", 64)
