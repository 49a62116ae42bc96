"""What a painted file remembers of its making."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .bundled import shipped_style
from .config.base import INITS, MAPS, CommonSettings
from .config.styles import RequestedStyle, StyleRequest, parse_region
from .io.remote import is_url, local_path

LOCAL = ("root", "strict")  # settings that say something of the machine, not of the paint
_WEIGHTS = ("bundled", "torchvision")


def run_record(
    settings: CommonSettings, styles: Mapping[str, Path] | Sequence[RequestedStyle]
) -> dict[str, Any]:
    """What goes into the file, so that the run can be told and repeated: it says nothing of where files lie.

    `styles`: the pictures, by what the user called them or as they were asked for; one stands alone in the record,
    several in a list. Kept are names of shipped ones, and else names of files, without their folders.
    """
    if isinstance(styles, Mapping):
        styles = [RequestedStyle(StyleRequest(name), picture) for name, picture in styles.items()]
    try:
        release = version("meshstyle")
    except PackageNotFoundError:
        release = "unknown"
    digests = [hashlib.sha256(style.picture.read_bytes()).hexdigest() for style in styles]
    names = [_told(style.request, digest) for style, digest in zip(styles, digests, strict=True)]
    return {
        "version": release,
        "style": names if len(names) > 1 else names[0],
        "style_sha256": digests if len(names) > 1 else digests[0],
        "seed": settings.seed,
        "settings": told_settings(settings),
    }


def told_settings(settings: CommonSettings) -> dict[str, Any]:
    """The settings as others may know them: those of painting, and of files the names alone."""
    told = {key: value for key, value in settings.to_dict().items() if key not in LOCAL}
    for name, choices in (("weights", _WEIGHTS), ("init", INITS)):
        if told[name] not in choices:
            told[name] = file_name(told[name])
    for name in MAPS:
        if name in told:
            told[name] = file_name(told[name])
    if "protect" in told:
        told["protect"] = [_without_folder(text) for text in told["protect"]]
    return told


def _without_folder(text: str) -> str:
    """A text of `protect`, of a mask's path the name alone."""
    region = parse_region(text)
    if region is not None:
        return str(replace(region, value=file_name(region.value))) if region.kind == "mask" else text
    return file_name(text) if Path(text).is_file() else text


def file_name(place: str) -> str:
    """What is left of a path or URL without its folder, its host and what follows a question mark."""
    if is_url(place):
        return re.split(r"[?#]", place)[0].rstrip("/").rpartition("/")[2] or "picture"
    return local_path(place).name or place


def _told(request: StyleRequest, digest: str) -> str:
    region = request.region
    if region is not None and region.kind == "mask":
        region = replace(region, value=file_name(region.value))
    return str(replace(request, picture=_name(request.picture, digest), region=region))


def _name(given: str, digest: str) -> str:
    shipped = shipped_style(given)
    if shipped is not None and hashlib.sha256(shipped.path.read_bytes()).hexdigest() == digest:
        return shipped.name
    return file_name(given)
