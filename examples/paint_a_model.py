"""Paint a model that ships with meshstyle, and print what the run says of itself.

python examples/paint_a_model.py [MODEL [STYLE]]
"""

from __future__ import annotations

import sys
from pathlib import Path

import meshstyle
import meshstyle.assets

SPOT = Path(meshstyle.assets.__path__[0]) / "models" / "spot" / "spot.obj"


def show(progress: meshstyle.Progress) -> None:
    if progress.loss is not None and progress.step == progress.steps:
        print(f"{progress.stage}: {progress.step} steps, loss {progress.loss:.3g}")


def main() -> None:
    model = sys.argv[1] if len(sys.argv) > 1 else SPOT
    style = sys.argv[2] if len(sys.argv) > 2 else "starry-night"
    settings = meshstyle.Settings(preset="draft", iterations=10, texture_size=256, seed=7)
    result = meshstyle.stylize(model, style, "out/painted.glb", settings, progress=show)
    for path in result.outputs:
        print(path)
    print(
        f"{result.views} views, {result.surface_seen:.0%} of the visible surface seen, {result.seconds:.0f} s"
    )


if __name__ == "__main__":
    main()
