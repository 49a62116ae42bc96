"""Looks: styles with their places and all settings of painting, as one settings file that suits any model."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .bundled import find_styles
from .config.base import INITS, MAPS
from .config.model import Settings
from .config.styles import Region, RequestedStyle, StyleRequest, parse_region
from .errors import UsageError
from .io.atomic_write import write_all
from .output_path import check_writable
from .provenance import LOCAL

OF_THE_MACHINE = ("device", "threads", *LOCAL)  # they say nothing of the look
_SUFFIX = ".toml"


def save_look(path: Path, style: str | Path | Sequence[str | Path], settings: Settings) -> Path:
    """Write styles and settings so that `--config` applies them to any model. Pictures, masks and maps are named as
    seen from the file. Raises OutputError, UsageError, PictureError."""
    check_look_path(path)
    requested = find_styles(style)
    text = look_text(requested, settings, path.parent)
    sources = [file for one in requested for file in one.files]
    write_all({path: text.encode()}, sources)
    return path


def check_look_path(path: Path) -> None:
    """Raises UsageError for what is no settings file's name, OutputError for a place that cannot be written."""
    if path.suffix.lower() != _SUFFIX:
        raise UsageError("save_look", f"{path.name} is no settings file", f"End its name with {_SUFFIX}.")
    check_writable(path)


def look_text(requested: Sequence[RequestedStyle], settings: Settings, folder: Path) -> str:
    """A settings file that lies in `folder`: the styles, and what differs from the defaults."""
    lines = [_line("style", [str(_seen_from(one, folder)) for one in requested])]
    plain = Settings().to_dict()
    for name, value in settings.to_dict().items():
        if name in OF_THE_MACHINE or plain.get(name) == value:
            continue
        if (
            name in MAPS
            or (name == "init" and value not in INITS)
            or (name == "weights" and Path(value).is_file())
        ):
            value = _relative(value, folder)
        if name == "protect":
            value = [_protected(text, folder) for text in value]
        lines.append(_line(name.replace("_", "-"), value))
    return "".join(lines)


def _seen_from(one: RequestedStyle, folder: Path) -> StyleRequest:
    """The request, with its files by their paths from a folder; shipped names stay names."""
    request, region = one.request, one.request.region
    if region is not None and region.kind == "mask":
        region = replace(region, value=_relative(region.value, folder))
    is_file = Path(request.picture).is_file()
    return replace(
        request, picture=_relative(request.picture, folder) if is_file else request.picture, region=region
    )


def _protected(text: str, folder: Path) -> str:
    region = parse_region(text) or (Region("mask", text) if Path(text).is_file() else None)
    if region is None or region.kind != "mask":
        return text
    return str(replace(region, value=_relative(region.value, folder)))


def _relative(file: str, folder: Path) -> str:
    try:
        return Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:  # on another drive
        return str(Path(file).absolute())


def _line(key: str, value: Any) -> str:
    """As TOML has it, whose texts, numbers and lists of these are JSON's; but for a DEL, which JSON leaves as it is."""
    return f"{key} = {json.dumps(value, ensure_ascii=False)}\n".replace("\x7f", "\\u007f")
