"""Settings files: a TOML file, or a model or picture that meshstyle painted and that remembers how.

    style = "starry-night"      # a shipped painting, or a picture's path as seen from this file
    preset = "fine"
    texture-size = 1024

Keys are the names of `Settings` (for pictures, of `PictureSettings`), with dashes or underscores, and `style`, which
may be a list: of pictures that are mixed, or have places of their own on a model (see `config.styles`).
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

from .bundled import find_look
from .config.base import MAPS, CommonSettings
from .config.image import PictureSettings
from .config.model import Settings
from .config.styles import beside, join_styles, parse_region
from .config.video import VideoSettings
from .errors import InputError, UsageError

S = TypeVar("S", bound=CommonSettings)
MODEL_SUFFIXES = (".glb", ".gltf", ".vrm", ".obj")
PICTURE_SUFFIXES = (".png",)
MAX_BYTES = 1 << 20  # of a TOML file: more is some other file


@dataclass(frozen=True)
class RunFile(Generic[S]):
    """What a settings file says, checked.

    Attributes:
        path: the file.
        values: only the settings it names, by the names of `Settings` (or whatever `kind` is).
        styles: names or paths of pictures; empty where the file names none.
        kind: the class of the settings.
        notes: what the file says and was not taken, one clause each.
    """

    path: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    styles: tuple[str, ...] = ()
    kind: type[S] = Settings  # type: ignore[assignment]
    notes: tuple[str, ...] = ()

    @property
    def style(self) -> str | None:
        """All styles of a model as one text (see `config.styles`)."""
        return join_styles(self.styles) if self.styles else None

    def settings(self, **overrides: Any) -> S:
        """These settings, with others on top of them. Raises UsageError."""
        return self.kind.from_mapping({**self.values, **overrides})


def read_run_file(path: str | Path, given: Collection[str] = ()) -> RunFile[Settings]:
    """Read settings from a `.toml` file, a shipped look by its name, or a model (`.glb`, `.gltf`, `.obj`) that
    meshstyle painted.

    `given`: names of settings, and `style`, that are given elsewhere: a painted file need not tell them.

    Raises: InputError for a file that cannot be read as what its suffix says, or for a painted one whose record asks
        for what is not taken from records (see `recorded_settings`); AssetError for a model that is damaged;
        UsageError, naming file, line and key, for settings that do not exist or make no sense.
    """
    path = find_look(path)
    if path.suffix.lower() in MODEL_SUFFIXES:
        from .io.load import load_asset  # decoding models is not needed for TOML

        return _of_record(path, load_asset(path).record, Settings, given)
    return _read_toml(path, Settings)


def read_picture_run_file(path: str | Path, given: Collection[str] = ()) -> RunFile[PictureSettings]:
    """Read settings from a `.toml` file, or from a `.png` that `meshstyle image` painted. Raises as `read_run_file`
    does, and PictureError for a picture that is damaged."""
    path = Path(path)
    if path.suffix.lower() in PICTURE_SUFFIXES:
        from .io.image_files import read_record

        return _of_record(path, read_record(path), PictureSettings, given)
    return _read_toml(path, PictureSettings)


def read_video_run_file(path: str | Path, given: Collection[str] = ()) -> RunFile[VideoSettings]:
    """Read settings from a `.toml` file, or from a `.png` of a film that `meshstyle video` painted. Raises as
    `read_picture_run_file` does."""
    path = Path(path)
    if path.suffix.lower() in PICTURE_SUFFIXES:
        from .io.image_files import read_record

        return _of_record(path, read_record(path), VideoSettings, given)
    return _read_toml(path, VideoSettings)


def _read_toml(path: Path, kind: type[S]) -> RunFile[S]:
    text = read_text(path)
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, very deep nesting
        raise InputError(
            path,
            f"it is not valid TOML ({error})",
            'Write settings as lines like: views = 20 or uv = "keep".',
        ) from error
    lines = {key: _line_of(key, text) for key in table}
    styles = _take_styles(table, path, lines)
    values = _check(table, path, lines, kind)
    return RunFile(path, with_own_files(values, path.parent), styles, kind)


def read_text(path: Path) -> str:
    """A TOML file of a sensible size. Raises InputError."""
    remedy = "Give the path of a settings file (TOML)."
    try:
        if path.exists() and not path.is_file():  # a device or pipe may never end
            raise InputError(path, "it is not an ordinary file", remedy)
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        missing = isinstance(error, FileNotFoundError)
        cause = "there is no such file" if missing else getattr(error, "strerror", None) or str(error)
        raise InputError(path, cause, remedy) from error
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


def _take_styles(table: dict[str, Any], path: Path, lines: Mapping[str, int | None]) -> tuple[str, ...]:
    """Take `style` out of the table. A path counts from the file's own folder."""
    given = table.pop("style", [])
    styles = given if isinstance(given, list) else [given]
    if not all(isinstance(style, str) and style for style in styles):
        raise UsageError(
            place_of(path, lines.get("style")),
            f"style: {given!r} is not a text",
            "Give a picture's path or name.",
        )
    try:
        return tuple(beside(style, path.parent) for style in styles)
    except UsageError as error:
        raise UsageError(place_of(path, lines.get("style")), f"style: {error.cause}", error.remedy) from error


def _check(
    table: Mapping[str, Any], path: Path, lines: Mapping[str, int | None], kind: type[CommonSettings]
) -> dict[str, Any]:
    """Names with underscores; every value tried alone, so that the error can name its line."""
    values: dict[str, Any] = {}
    for key, value in table.items():
        place = place_of(path, lines.get(key))
        name = check_setting(key, value, place, kind)
        if name in values:
            raise UsageError(place, f"{key} is set twice", "Leave one of the two.")
        values[name] = value
    return values


def check_setting(
    key: str, value: Any, place: str, kind: type[CommonSettings], others: tuple[str, ...] = ("style",)
) -> str:
    """The name of a setting that is called `key` in a file, if `value` will do for it.

    `others`: what else may stand there, for the remedy. Raises UsageError about `place`.
    """
    known = [setting.name for setting in fields(kind)]
    name = key.replace("-", "_")
    if name not in known:
        raise UsageError(place, f"there is no setting called {key}", _suggest(name, [*others, *known]))
    try:
        kind.from_mapping({name: value})
    except UsageError as error:
        raise UsageError(place, f"{key}: {error.cause}", error.remedy) from error
    return name


def place_of(path: Path, line: int | None) -> str:
    """A file, or a line in it, as the subject of an error."""
    return f"{path}:{line}" if line else str(path)


def _suggest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    if close:
        return f"Did you mean {close[0]}?"
    return f"The settings are: {', '.join(known)}."


def with_own_files(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Files of weights, to begin with, and over the UVs, count from the settings file's own folder, like the style."""
    names = ("weights", "init", *MAPS)
    files = {name: values[name] for name in names if isinstance(values.get(name), str)}
    found = {
        **values,
        **{name: str(folder / file) for name, file in files.items() if (folder / file).is_file()},
    }
    if isinstance(given := values.get("protect"), (list, tuple)):
        found["protect"] = [_mask_beside(text, folder) for text in given]
    return found


def _mask_beside(text: str, folder: Path) -> str:
    """A text of `protect`, with the path of the mask that lies in the folder where it means one."""
    region = parse_region(text)
    if region is None:
        return str(folder / text) if (folder / text).is_file() else text
    file = folder / region.value
    return f"mask={file}" if region.kind == "mask" and file.is_file() else text


def _of_record(
    path: Path, record: Mapping[str, Any] | None, kind: type[S], given: Collection[str]
) -> RunFile[S]:
    """What a painted file remembers."""
    from .recorded_settings import take_record  # loads numpy, which TOML does without

    taken = take_record(path, record, kind, given)
    return RunFile(path, taken.values, taken.styles, kind, taken.notes)
