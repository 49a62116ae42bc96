"""Paint one image in two strengths and compare the losses.

python examples/strengths.py [IMAGE [STYLE]]
"""

from __future__ import annotations

import sys
from pathlib import Path

import meshstyle
import meshstyle.assets

CAT = Path(meshstyle.assets.__path__[0]) / "photos" / "chelsea.jpg"


def main() -> None:
    image = sys.argv[1] if len(sys.argv) > 1 else CAT
    style = sys.argv[2] if len(sys.argv) > 2 else "great-wave"
    for strength in (0.5, 1.0):
        output = f"out/strength_{strength}.png"
        result = meshstyle.stylize_image(
            image, style, output, preset="draft", iterations=10, size=128, strength=strength
        )
        print(f"{output}: style loss {result.style_loss:.3g}, content loss {result.content_loss:.2f}")


if __name__ == "__main__":
    main()
