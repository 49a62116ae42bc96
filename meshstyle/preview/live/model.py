"""`stylize --preview`: a model from three sides while it is painted, a 3D viewer at the end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from markupsafe import Markup

from ...config.model import Settings
from ...io.atomic_write import refuse_protected
from ...io.types import FromFiles
from ...prepare import PreparedModel
from ...results import PaintedModel, Result
from ...strength import paint_share
from ...views.training_views import make_training_views
from ..page.page import direction, write_page
from ..painted_asset import ModelViews
from .live import LivePreview, Pictures, known_figures

SIZE, RAYS = 224, 2  # pixels of a view's side, rays along a pixel's
_TURNS = (0.0, math.radians(120), math.radians(240))  # the views, around the model


class ModelPreview(LivePreview["PreparedModel"]):
    """Looks at the scene that `stylize_model.prepare` made."""

    def show(self, subject: PreparedModel) -> None:
        if isinstance(subject.asset, FromFiles):
            refuse_protected(self._output, subject.asset.sources)
        super().show(subject)

    def _draw_before(self, subject: PreparedModel) -> Pictures:
        sides = np.stack([direction(turn) for turn in _TURNS])
        self._looks = ModelViews(subject.asset, subject.surface, sides, SIZE, RAYS)
        return self._looks.original()

    def _draw_now(self, paint: Sequence[np.ndarray]) -> Pictures:
        """Draw the paint with what shows through of the original at that strength."""
        views, share = (
            self._looks.painted([np.asarray(image) for image in paint]),
            paint_share(self._settings.strength),
        )
        if share == 1:
            return views
        pairs = zip(self._before, views, strict=True)
        return [np.rint(a + share * (b.astype(float) - a)).astype(np.uint8) for a, b in pairs]

    def _draw_last(self, painted: PaintedModel) -> Pictures:
        if self._settings.strength == 0:
            return self._before
        return self._looks.painted([image[..., :3].astype(np.float32) / 255 for image in painted.images])

    def _write_last_page(self, painted: PaintedModel, result: Result, curves: Markup) -> None:
        figures: dict[str, Any] = {
            "style loss": result.style_loss,
            "content loss": result.content_loss,
            "structure": result.structure,
            "views": result.views,
            "surface seen": f"{result.surface_seen:.1%}",
            "seconds": round(result.seconds, 1),
        }
        story = replace(self._story, figures=known_figures(figures), curves=curves)
        write_page(result.outputs[0], self._output, self._run.sources[0], story, root=self._run.root)

    def _steps_of_a_round(self) -> int:
        one_view_a_step = self._settings.solver == "texture" and self._settings.optimizer_used == "adam"
        if not one_view_a_step or self._subject is None:
            return 1
        return len(make_training_views(self._subject.placement, self._settings.scales[-1].size))

    @property
    def _settings(self) -> Settings:
        return Settings.from_mapping(self._run.record["settings"])
