"""The styles that a run is asked for: their pictures, and whether the model has their places."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from .config.base import MAPS
from .config.model import Settings
from .config.styles import RequestedStyle, StyleRequest, join_styles
from .io.types import Asset
from .style.areas import Style, protected_region
from .style.style_image import load_style_image
from .texture.regions import check_region


def load_styles(requested: Sequence[RequestedStyle], device: torch.device) -> list[Style]:
    """Read the pictures, each once. Raises PictureError."""
    paintings: dict[Path, torch.Tensor] = {}
    for one in requested:
        if one.picture not in paintings:
            paintings[one.picture] = load_style_image(one.picture).to(device)
    return [Style(one.request, paintings[one.picture]) for one in requested]


def style_text(requested: Sequence[RequestedStyle]) -> str:
    """The styles as one text."""
    return join_styles([str(one.request) for one in requested])


def maps_of(settings: Settings) -> list[Path]:
    """The pictures over the model's UVs that settings name."""
    return [Path(value) for name in MAPS if (value := getattr(settings, name)) is not None]


def check_places(asset: Asset, requests: Sequence[StyleRequest], settings: Settings) -> None:
    """Raises UsageError and PictureError for places that the model does not have, as far as its file alone tells."""
    for request in requests:
        if request.region is not None:
            check_region(asset, request.region)
    for text in settings.protect:
        check_region(asset, protected_region(asset, text))
