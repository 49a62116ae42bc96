"""`image --preview`: a photo beside its painting while it is painted, a slider between both at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from markupsafe import Markup
from PIL import Image

from ...io.atomic_write import write_all
from ...optimize.image import OptimizedImage
from ...results import PictureResult
from ...style.content_image import ContentImage, long_side
from ..page.html import TEMPLATE, document, own_file
from ..page.page import aside, flat_stage, heading
from ..page.templates import macros
from ..painted_asset import BACKGROUND
from .live import LivePreview, Pictures, known_figures

SIDE = 448  # pixels of the longer side of a picture while it is painted
LAST_SIDE = 1536  # at the most, of the finished one


class PicturePreview(LivePreview[ContentImage]):
    """Looks at the photo at its final size."""

    def _draw_before(self, subject: ContentImage) -> Pictures:
        return [_shown(subject.pixels(), SIDE)]

    def _draw_now(self, paint: Sequence[np.ndarray]) -> Pictures:
        (picture,) = paint
        return [_shown(picture, SIDE)]

    def _draw_last(self, painted: OptimizedImage) -> Pictures:
        return [_shown(painted.pixels, SIDE)]

    def _write_last_page(self, painted: OptimizedImage, result: PictureResult, curves: Markup) -> None:
        assert self._subject is not None
        side = min(LAST_SIDE, max(result.size))
        stage = flat_stage(_shown(self._subject.pixels(), side), _shown(painted.pixels, side))
        figures: dict[str, Any] = {
            "style loss": result.style_loss,
            "content loss": result.content_loss,
            "structure": result.structure,
            "size": f"{result.size[1]} × {result.size[0]} pixels",
            "seconds": round(result.seconds, 1),
        }
        story = replace(self._story, figures=known_figures(figures), curves=curves)
        above = heading(self._run.name, self._run.record)
        body = macros(TEMPLATE).model(above, stage, aside(story), "")
        page = document(self._run.name, body, [own_file("wipe.js")])
        write_all({self._output: page.encode("utf-8")}, self._run.protected)


def _shown(pixels: Float32[np.ndarray, "H W 4"], side: int) -> UInt8[np.ndarray, "h w 3"]:
    """Over the background, with a longer side of so many pixels; the pixels are sRGB and alpha 0..1."""
    image = Image.fromarray(np.rint(pixels * 255).astype(np.uint8))
    behind = Image.new("RGBA", image.size, BACKGROUND)
    height, width = long_side(pixels.shape[:2], side)
    flat = Image.alpha_composite(behind, image).convert("RGB")
    return np.asarray(flat.resize((width, height), Image.Resampling.LANCZOS))
