"""What is taken from the record in a painted file. It is data, and whoever made the file may have written anything.

Taken are settings of painting, as far as presets go and ten times further; and a picture: a shipped one, or a file
beside the painted one or below. Never taken are places to read from, and how the machine is used.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from .bundled import shipped_style
from .config.base import INITS, MAPS, CommonSettings
from .config.image import PICTURE_PRESETS, PictureSettings
from .config.model import DEFAULT_TEXTURE_SIZE_RANGE, PRESETS
from .config.styles import MOST_STYLES, parse_region, parse_style
from .errors import InputError, UsageError
from .io.images import MAX_FILE_BYTES
from .provenance import LOCAL

TIMES = 10  # as much as presets do: so much work may a record ask for
_OF_THE_MACHINE = ("device", "threads", "save_every", *LOCAL)  # they change nothing of the picture
_MOST_TEXTS, _LONGEST_TEXT = 256, 256  # of a list; characters
_LONGEST_NAME = 4096  # characters of a picture's


@dataclass(frozen=True)
class Recorded:
    """What was taken: `values` by the names of settings, `styles` as names or paths; and what was not, in `notes`."""

    values: Mapping[str, Any]
    styles: tuple[str, ...]
    notes: tuple[str, ...]


def take_record(
    path: Path, record: Mapping[str, Any] | None, kind: type[CommonSettings], given: Collection[str] = ()
) -> Recorded:
    """What the record of a file says, checked.

    Args:
        path: of the file.
        kind: of the settings.
        given: names of settings, and `style`, that are given elsewhere: the record need not tell them.

    Raises InputError about whatever is not taken, with the option that gives it.
    """
    settings = record.get("settings") if record else None
    if record is None or not isinstance(settings, Mapping):
        remedy = "Give a file that meshstyle painted, or a TOML file."
        raise InputError(path, "this file holds no settings of meshstyle", remedy)
    values: dict[str, Any] = {}
    notes: list[str] = []
    for key, value in settings.items():
        name = _known(path, str(key), kind)
        if name in given:
            continue
        if name in _OF_THE_MACHINE:
            if value != _default(kind, name):
                notes.append(f"{_option(name)} is not taken from a record: give it if it is wanted")
        else:
            values[name] = _taken(path, name, value, kind)
    styles = () if "style" in given else _styles(path, record)
    return Recorded(values, styles, tuple(notes))


def recorded_style(name: str, digest: object, folder: Path) -> Path | None:
    """The picture that a record means: a shipped one, or a file of that name in `folder` or below.

    `digest`: the SHA-256 that the record has for it; where it has one, no other picture will do. None: there is none.
    """
    found = shipped_style(name)
    if found is not None and _is_meant(found.path, digest):
        return found.path
    path = _below(name, folder)
    return path if path is not None and _is_meant(path, digest) else None


def most_of(kind: type[CommonSettings]) -> dict[str, float]:
    """The most that a record may ask for, by setting. What is a side in pixels counts by its area."""
    area = math.sqrt(TIMES)
    if issubclass(kind, PictureSettings):
        steps = [steps for preset in PICTURE_PRESETS.values() for steps in preset.steps]
        found = {"size": int(area * max(preset.size for preset in PICTURE_PRESETS.values()))}
    else:
        steps = [scale.steps for preset in PRESETS.values() for scale in (*preset.scales, *preset.rounds)]
        found = {
            "views": TIMES * max(preset.views for preset in PRESETS.values()),
            "texture_size": int(area * DEFAULT_TEXTURE_SIZE_RANGE[1]),
        }
    return {**found, "iterations": TIMES * max(steps), "style_scale": TIMES * _default(kind, "style_scale")}


def _known(path: Path, key: str, kind: type[CommonSettings]) -> str:
    name = key.replace("-", "_")
    if name not in {setting.name for setting in fields(kind)}:
        remedy = "It may be of a later release: give the settings as options, or in a TOML file."
        raise InputError(path, f"its record has a setting called {key[:60]}, which is not known", remedy)
    return name


def _default(kind: type[CommonSettings], name: str) -> Any:
    return next(setting.default for setting in fields(kind) if setting.name == name)


def _taken(path: Path, name: str, value: Any, kind: type[CommonSettings]) -> Any:
    """The value, if it may be taken."""
    choices = {"weights": ("bundled",), "init": INITS, **dict.fromkeys(MAPS, ())}.get(name)
    if choices is not None and value not in choices:
        cause = f"its record names {_shown(value)} for {_option(name)}, and no files are taken from records"
        raise InputError(path, cause, f"Give {_option(name)} if it is wanted.")
    try:
        amount = getattr(kind.from_mapping({name: value}), name)  # texts may stand for numbers
    except UsageError as error:
        raise InputError(path, f"its record's {name}: {error.cause}", error.remedy) from error
    most = most_of(kind).get(name)
    if most is not None and isinstance(amount, (int, float)) and amount > most:
        cause = f"its record asks for {_option(name)} {value}, and at most {most:g} is taken from records"
        raise InputError(path, cause, f"Give {_option(name)} if so much is wanted.")
    if name == "protect" and any(_names_a_file(text) for text in value):
        cause = "its record protects what a mask marks, and no files are taken from records"
        raise InputError(path, cause, "Give --protect if it is wanted.")
    texts = value if isinstance(value, (list, tuple)) else [value]
    if len(texts) > _MOST_TEXTS or any(isinstance(text, str) and len(text) > _LONGEST_TEXT for text in texts):
        raise InputError(path, f"its record's {name} is too long", f"Give {_option(name)} as it is wanted.")
    return value


def _names_a_file(text: object) -> bool:
    region = parse_region(str(text))
    return region.kind == "mask" if region is not None else Path(str(text)).is_file()


def _styles(path: Path, record: Mapping[str, Any]) -> tuple[str, ...]:
    """The pictures that it names, as shipped names or paths."""
    given, digests = record.get("style"), record.get("style_sha256")
    if given is None:
        return ()
    names = given if isinstance(given, list) else [given]
    listed = digests if isinstance(digests, list) else [digests]
    if not all(isinstance(name, str) and name for name in names) or len(names) > MOST_STYLES:
        raise InputError(path, "its record names no picture", "Give one with --style.")
    return tuple(
        _style(path, name, listed[number] if number < len(listed) else None)
        for number, name in enumerate(names)
    )


def _style(path: Path, name: str, digest: object) -> str:
    try:
        request = parse_style(name)
    except UsageError as error:
        raise InputError(
            path, f"its record's style: {error.cause}", "Give the picture with --style."
        ) from error
    if request.region is not None and request.region.kind == "mask":
        cause = f"its record has a style where a mask {_shown(request.region.value)} is white"
        raise InputError(path, f"{cause}, and no files are taken from records", "Give it with --style.")
    picture = recorded_style(request.picture, digest, path.parent)
    if picture is None:
        cause = f"its record names the picture {_shown(name)}, which is neither shipped nor the one beside it"
        raise InputError(path, cause, "Give the picture with --style.")
    shipped = shipped_style(request.picture)
    is_shipped = shipped is not None and shipped.path == picture
    if is_shipped and not Path(request.picture).exists():  # in the working folder such a file would win
        return str(request)
    return str(replace(request, picture=str(picture)))


def _below(name: str, folder: Path) -> Path | None:
    """An ordinary file in a folder or below, by its relative path; links may not lead out of it."""
    parts = name.replace("\\", "/").split("/")
    if len(name) > _LONGEST_NAME or "\0" in name or ".." in parts or ":" in name or Path(name).is_absolute():
        return None
    path = folder / name
    try:
        return path if path.is_file() and path.resolve().is_relative_to(folder.resolve()) else None
    except (OSError, RuntimeError, ValueError):  # a loop of links, or no name that a file can have
        return None


def _is_meant(picture: Path, digest: object) -> bool:
    if digest is None:
        return True
    try:
        if picture.stat().st_size > MAX_FILE_BYTES:
            return False
        with picture.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == digest
    except OSError:
        return False


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _shown(value: object) -> str:
    """Short enough for one line."""
    text = repr(value) if isinstance(value, str) else type(value).__name__
    return text if len(text) <= 60 else f"{text[:57]}..."
