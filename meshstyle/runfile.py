"""Settings files: a TOML file, or a model that meshstyle painted and that remembers how.

    style = "starry-night"      # a shipped painting, or a picture's path as seen from this file
    preset = "fine"
    texture-size = 1024

Keys are the names of `Settings`, with dashes or underscores, and `style`.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .errors import InputError, UsageError
from .settings import Settings

MODEL_SUFFIXES = (".glb", ".gltf", ".obj")
MAX_BYTES = 1 << 20  # of a TOML file: more is some other file


@dataclass(frozen=True)
class RunFile:
    """What a settings file says, checked.

    Attributes:
        path: the file.
        values: only the settings it names, by the names of `Settings`.
        style: name or path of a picture, or None where the file names none.
    """

    path: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    style: str | None = None

    def settings(self, **overrides: Any) -> Settings:
        """These settings, with others on top of them. Raises UsageError."""
        return Settings.from_mapping({**self.values, **overrides})


def read_run_file(path: str | Path) -> RunFile:
    """Read settings from a `.toml` file, or from a model (`.glb`, `.gltf`, `.obj`) that meshstyle painted.

    Raises: InputError for a file that cannot be read as what its suffix says; AssetError for a model that is
        damaged; UsageError, naming file, line and key, for settings that do not exist or make no sense.
    """
    path = Path(path)
    if path.suffix.lower() in MODEL_SUFFIXES:
        return _read_record(path)
    return _read_toml(path)


def _read_toml(path: Path) -> RunFile:
    text = _read_text(path)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            path,
            f"it is not valid TOML ({error})",
            'Write settings as lines like: views = 20 or uv = "keep".',
        ) from error
    lines = {key: _line_of(key, text) for key in table}
    style = _take_style(table, path, lines)
    values = _check(table, path, lines)
    return RunFile(path, _with_own_weights(values, path.parent), style)


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        cause = (
            "there is no such file" if isinstance(error, FileNotFoundError) else str(error.strerror or error)
        )
        raise InputError(path, cause, "Give the path of a settings file (TOML).") from error
    if len(data) > MAX_BYTES:
        raise InputError(path, "it is too large for a settings file", "Give a TOML file with settings.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(path, "it is not UTF-8 text", "Give a TOML file with settings.") from error


def _line_of(key: str, text: str) -> int | None:
    """The line on which a top-level key or table stands. tomllib does not tell."""
    name = rf"[\"']?{re.escape(key)}[\"']?"
    found = re.search(rf"^[ \t]*(?:{name}[ \t]*[=.]|\[+[ \t]*{name})", text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found else None


def _take_style(table: dict[str, Any], path: Path, lines: Mapping[str, int | None]) -> str | None:
    """Take `style` out of the table. A path counts from the file's own folder."""
    style = table.pop("style", None)
    if style is None:
        return None
    if not isinstance(style, str) or not style:
        raise UsageError(
            _place(path, lines.get("style")),
            f"style: {style!r} is not a text",
            "Give a picture's path or name.",
        )
    beside = path.parent / style
    return str(beside) if beside.is_file() else style


def _check(table: Mapping[str, Any], path: Path, lines: Mapping[str, int | None]) -> dict[str, Any]:
    """Names with underscores; every value tried alone, so that the error can name its line."""
    known = [setting.name for setting in fields(Settings)]
    values: dict[str, Any] = {}
    for key, value in table.items():
        name, place = key.replace("-", "_"), _place(path, lines.get(key))
        if name not in known:
            raise UsageError(place, f"there is no setting called {key}", _suggest(name, known))
        if name in values:
            raise UsageError(place, f"{key} is set twice", "Leave one of the two.")
        try:
            Settings.from_mapping({name: value})
        except UsageError as error:
            raise UsageError(place, f"{key}: {error.cause}", error.remedy) from error
        values[name] = value
    return values


def _place(path: Path, line: int | None) -> str:
    return f"{path}:{line}" if line else str(path)


def _suggest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    if close:
        return f"Did you mean {close[0]}?"
    return f"The settings are: style, {', '.join(known)}."


def _with_own_weights(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A weights file counts from the settings file's own folder, like the style."""
    weights = values.get("weights")
    if isinstance(weights, str) and (folder / weights).is_file():
        return {**values, "weights": str(folder / weights)}
    return values


def _read_record(path: Path) -> RunFile:
    from .asset import load_asset  # decoding models is not needed for TOML

    record = load_asset(path).record
    if not record or not isinstance(record.get("settings"), Mapping):
        raise UsageError(
            path,
            "this model holds no settings of meshstyle",
            "Give a model that meshstyle painted, or a TOML file.",
        )
    style = record.get("style")
    return RunFile(
        path, _check(dict(record["settings"]), path, {}), style if isinstance(style, str) else None
    )
