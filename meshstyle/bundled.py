"""The paintings and models that ship with the package, described by `assets/catalogue.toml`."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from .config.styles import RequestedStyle, parse_styles
from .errors import PictureError
from .io.remote import fetch_picture, is_url, local_path


@dataclass(frozen=True)
class ShippedStyle:
    """A painting. `year` is text: some are only about known."""

    name: str
    path: Path
    title: str
    artist: str
    year: str
    licence: str


@dataclass(frozen=True)
class ShippedModel:
    """A model to try things on. `artist` is whom its licence wants credited."""

    name: str
    path: Path
    title: str
    artist: str
    licence: str


@dataclass(frozen=True)
class ShippedLook:
    """Settings that suit each other and a shipped painting; `path`: their settings file."""

    name: str
    path: Path
    title: str


def looks() -> list[ShippedLook]:
    """The shipped looks, in the catalogue's order."""
    root, catalogue = _catalogue()
    return [ShippedLook(path=root / entry.pop("file"), **entry) for entry in map(dict, catalogue["look"])]


def find_look(name_or_path: str | Path) -> Path:
    """A settings file: one of exactly that path, else the shipped look of that name (`watercolour` is one too)."""
    path, wanted = Path(name_or_path), _plain(str(name_or_path)).replace("colour", "color")
    shipped = {look.name: look.path for look in looks()}
    return path if wanted not in shipped or path.exists() else shipped[wanted]


def styles() -> list[ShippedStyle]:
    """The shipped paintings, in the catalogue's order."""
    root, catalogue = _catalogue()
    return [ShippedStyle(path=root / entry.pop("file"), **entry) for entry in map(dict, catalogue["style"])]


def models() -> list[ShippedModel]:
    """The shipped models, in the catalogue's order."""
    root, catalogue = _catalogue()
    return [ShippedModel(path=root / entry.pop("file"), **entry) for entry in map(dict, catalogue["model"])]


def shipped_style(name: str) -> ShippedStyle | None:
    """The shipped painting of that name, compared as `find_style` does; None where there is none."""
    wanted = _plain(name)
    return next((style for style in styles() if _plain(style.name) == wanted), None)


def find_style(name_or_path: str | Path) -> Path:
    """The picture a user means: a file or URL, else a shipped painting by name.

    A file of exactly that path wins, so that no file of the user's can be shadowed by a later release. Names
    are compared without case, and `_`, `-` and blanks are one: `Starry Night`, `starry_night`,
    `starry-night`; a leading "the" is optional.

    Raises PictureError, with the nearest names, where it is neither.
    """
    if is_url(name_or_path):
        return fetch_picture(str(name_or_path))
    path = local_path(name_or_path)
    by_name = {_plain(style.name): style.path for style in styles()}
    wanted = _plain(str(name_or_path))
    try:
        if path.is_file() or (wanted not in by_name and path.exists()):
            return path  # folders and devices are refused by whoever reads the picture, with the reason
    except OSError:
        pass  # longer than the system allows
    if wanted in by_name:
        return by_name[wanted]
    meant_as_path = path.suffix or len(path.parts) > 1
    raise PictureError(
        name_or_path,
        "there is no such picture file" if meant_as_path else "there is no such file or shipped painting",
        _suggestion(wanted, sorted(by_name)),
    )


def find_styles(style: str | Path | Sequence[str | Path]) -> tuple[RequestedStyle, ...]:
    """What a style text, or several, ask for, with their pictures (see `config.styles`).

    Raises UsageError for a text of no such form, PictureError for a picture that is not there.
    """
    texts = (style,) if isinstance(style, (str, Path)) else style
    requests = [request for text in texts for request in parse_styles(str(text))]
    return tuple(RequestedStyle(request, find_style(request.picture)) for request in requests)


def _suggestion(wanted: str, names: list[str]) -> str:
    near = difflib.get_close_matches(wanted, names, n=2, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    return f"{hint}Give the path of a picture, or one of: {', '.join(names)}."


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "-", name.strip().lower()).removeprefix("the-")


@cache
def _catalogue() -> tuple[Path, dict[str, list[dict[str, Any]]]]:
    """The folder of the assets and the parsed catalogue.

    The path is real: pip unpacks wheels, and torch does not run from a zip either, so there is no need for
    `importlib.resources.as_file` and its temporary copies.
    """
    root = Path(import_module("meshstyle.assets").__path__[0])
    return root, tomllib.loads((root / "catalogue.toml").read_text(encoding="utf-8"))
