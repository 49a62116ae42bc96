"""What tests share that began in test_replacing.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from meshstyle.io.load import load_asset
from meshstyle.io.save import save_asset
from meshstyle.io.types import Paint, PaintedAtlas, PaintedPart

OLD, NEW = 10, 200  # grey levels


def write(source: Path, output: Path, level: int) -> tuple[Path, ...]:
    asset = load_asset(source)
    count = len(asset.parts)
    atlases = [PaintedAtlas(f"t{n or ''}", np.full((8, 8, 3), level + n, np.uint8)) for n in range(count)]
    parts = tuple(PaintedPart(number, None) for number in range(count))
    return save_asset(asset, output, Paint(tuple(atlases), parts, {"level": level}))
