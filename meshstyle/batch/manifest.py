"""Manifests: which models to paint, and how each.

folder = "models"              # where paths count from; without it, the manifest's own folder

[defaults]                     # for all of them: settings, `style` and `set`
style = "starry-night"
preset = "draft"

[[asset]]
path = "props/**/*.glb"        # patterns as in .gitignore; the last entry that a model fits counts
set = "props"

[[asset]]
path = "props/lamp.glb"
style = ["scream", "mondrian"]
skip = ["Glass"]
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..bundled import find_styles, shipped_style
from ..config.base import INITS, MAPS, shown
from ..config.model import Settings
from ..config.styles import StyleRequest, join_styles, parse_region, parse_styles
from ..errors import InputError, ManifestError, MeshStyleError, UsageError
from ..io.remote import is_url, local_path
from ..run_file import check_setting, place_of, read_text, with_own_files
from .options import AUTO
from .scan import all_models, chosen
from .toml_lines import Place, key_lines

_TABLES = ("folder", "defaults", "asset")
_OWN_KEYS = ("style", "set")
_IS_PATTERN = re.compile(r"[*?\[\]!]")


@dataclass(frozen=True)
class JobSpec:
    """What an entry asks for.

    Attributes:
        styles: as the user called them, files by their path; empty: not said.
        values: settings by name.
        group: see `BatchOptions.group`.
        place: file and line of the entry, or "".
    """

    styles: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    group: str = AUTO
    place: str = ""


@dataclass(frozen=True)
class Manifest:
    """A manifest, checked: `job_specs` by model, a path below `folder` with slashes."""

    folder: Path
    job_specs: Mapping[str, JobSpec]
    notes: tuple[str, ...] = ()


def read_manifest(path: Path, out: Path, confined: bool = False) -> Manifest:
    """Read and check all of it. `out` holds no inputs.

    `confined`: it came from a URL, and may be a stranger's: it may name shipped pictures, URLs, and files of its own
    folder or below, which are copies of what lies beside it there.

    Raises InputError for a file that cannot be read; ManifestError with all that is wrong in it.
    """
    text = read_text(path)
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        remedy = 'Write entries like [[asset]] with lines like path = "props/*.glb" below it.'
        raise InputError(path, f"it is not valid TOML ({error})", remedy) from error
    reader = _Reader(path, key_lines(text), confined)
    manifest = reader.read(table, out)
    if reader.problems:
        raise ManifestError(reader.problems)
    return manifest


class _Reader:
    """Collects what is wrong instead of stopping at it."""

    def __init__(self, path: Path, lines: Mapping[Place, int], confined: bool = False) -> None:
        self.path, self._lines, self._confined = path, lines, confined
        self.problems: list[MeshStyleError] = []

    def read(self, table: Mapping[str, Any], out: Path) -> Manifest:
        for key in table:
            if key not in _TABLES:
                remedy = "Settings for all models go below [defaults], others below [[asset]]."
                self._wrong((key,), f"{key} is not known here", remedy)
        folder = self._folder(table.get("folder", "."))
        defaults = self._job_spec(table.get("defaults", {}), ("defaults",), JobSpec())
        assets = table.get("asset", [])
        if not (isinstance(assets, list) and assets and all(isinstance(item, dict) for item in assets)):
            self._wrong(("asset",), "it lists no models", "Add entries that begin with [[asset]].")
            return Manifest(folder, {})
        found, notes = all_models(folder, out) if folder.is_dir() else ((), ())
        job_specs: dict[str, JobSpec] = {}
        literal: dict[str, int] = {}
        for number, asset in enumerate(assets):
            place: Place = ("asset", number)
            job_spec = self._job_spec({k: v for k, v in asset.items() if k != "path"}, place, defaults)
            for model in self._models(asset.get("path"), place, folder, found, literal):
                job_specs.pop(model, None)
                job_specs[model] = job_spec
        return Manifest(folder, dict(sorted(job_specs.items())), notes)

    def _folder(self, given: Any) -> Path:
        folder = self.path.parent / given if isinstance(given, str) else self.path.parent
        if not isinstance(given, str) or not folder.is_dir():
            self._wrong(("folder",), f"{shown(given)} is not a folder", "Give one, as seen from this file.")
            return self.path.parent
        return folder if self._may_name(given, ("folder",)) else self.path.parent

    def _may_name(self, given: str, here: Place) -> bool:
        """Whether a manifest that came from a URL may be about that place."""
        if not self._confined:
            return True
        try:
            if (self.path.parent / given).resolve().is_relative_to(self.path.parent.resolve()):
                return True
        except (OSError, RuntimeError, ValueError):  # a loop of links, or no name that a file can have
            pass
        cause = f"{shown(given)} lies outside its own folder, and it came from a URL"
        self._wrong(here, cause, "Fetch the manifest, read it, and give its path.")
        return False

    def _models(
        self, given: Any, place: Place, folder: Path, found: tuple[str, ...], literal: dict[str, int]
    ) -> tuple[str, ...]:
        """Those that an entry is about."""
        here = (*place, "path")
        if not isinstance(given, str) or not given:
            self._wrong(here, "the entry has no path", 'Add a line like path = "props/lamp.glb".')
            return ()
        name = Path(given).as_posix()
        if name in found:
            if name in literal:
                cause = f"{given} is already on line {literal[name]}"
                self._wrong(here, cause, "Leave one of the two entries.")
            literal[name] = self._lines.get(here, 0)
            return (name,)
        if not _IS_PATTERN.search(given):
            there = (folder / name).exists()
            cause = f"{given} is not a model below {folder}" if there else f"there is no file {given}"
            self._wrong(here, cause, f"Paths count from {folder}; hidden files and OUT are left out.")
            return ()
        try:
            models = chosen(found, (given,), ())
        except UsageError as error:
            self._wrong(here, error.cause, error.remedy)
            return ()
        if not models:
            self._wrong(here, f"no model fits {given}", f"Patterns count from {folder}.")
        return models

    def _is_at_hand(self, given: str, here: Place) -> bool:
        """The same of a file, which must be there: else one in the working folder would be taken."""
        if not self._may_name(given, here):
            return False
        if not self._confined or (self.path.parent / given).is_file():
            return True
        self._wrong(here, f"there is no file {given} beside it", "Look at the name.")
        return False

    def _job_spec(self, table: Any, place: Place, defaults: JobSpec) -> JobSpec:
        """What an entry says, over the defaults."""
        if not isinstance(table, dict):
            self._wrong(place, "it is not a table", "Write [defaults] on a line of its own.")
            return defaults
        styles, group, values = defaults.styles, defaults.group, dict(defaults.values)
        own: dict[str, Any] = {}
        for key, value in table.items():
            here = (*place, key)
            if key == "style":
                styles = self._styles(value, here)
            elif key == "set":
                group = self._group(value, here)
            elif key == "threads" and place[0] == "asset":
                self._wrong(here, "threads belong to the whole batch", "Put them below [defaults].")
            else:
                self._setting(own, key, value, here)
        return JobSpec(styles, values | with_own_files(own, self.path.parent), group, self._at(place))

    def _setting(self, own: dict[str, Any], key: str, value: Any, here: Place) -> None:
        try:
            own[check_setting(key, value, self._at(here), Settings, _OWN_KEYS)] = value
        except UsageError as error:
            self.problems.append(error)
            return
        name = key.replace("-", "_")
        is_file = name in ("weights", "init", *MAPS) and value not in (*INITS, "bundled", "torchvision")
        if is_file and not self._is_at_hand(value, here):
            own.pop(name)
            return
        masks = [r for text in own.get("protect", ()) if (r := parse_region(str(text))) and r.kind == "mask"]
        if name == "protect" and not all(self._is_at_hand(region.value, here) for region in masks):
            own.pop(name)
            return
        file = self.path.parent / value if isinstance(value, str) else None
        kind = {"weights": "a file of weights", **dict.fromkeys(MAPS, "a picture")}.get(name)
        if kind and value not in ("bundled", "torchvision") and not (file and file.is_file()):
            self._wrong(here, f"there is no file {value}", f"Give {kind}, as seen from this file.")

    def _styles(self, given: Any, here: Place) -> tuple[str, ...]:
        """Names, or paths that count from the manifest's folder."""
        styles = given if isinstance(given, list) else [given]
        if not styles or not all(isinstance(style, str) and style for style in styles):
            self._wrong(
                here, f"style: {shown(given)} is no picture's path or name", "Give one, or a list of them."
            )
            return ()
        named = []
        for style in styles:
            try:
                requests = [self._found(request) for request in parse_styles(style)]
                if all(self._may_use(request, here) for request in requests):
                    find_styles(text := join_styles([str(request) for request in requests]))
                    named.append(text)
            except MeshStyleError as error:
                self._wrong(here, f"style: {error.cause}: {error.subject}", error.remedy)
        return tuple(named)

    def _found(self, request: StyleRequest) -> StyleRequest:
        """A style with the paths of picture and mask, where they lie beside the manifest."""
        picture = self.path.parent / local_path(request.picture)
        region = request.region
        if region is not None and region.kind == "mask":
            region = replace(region, value=str(self.path.parent / local_path(region.value)))
        return replace(request, picture=str(picture) if picture.is_file() else request.picture, region=region)

    def _may_use(self, request: StyleRequest, here: Place) -> bool:
        region = request.region
        if region is not None and region.kind == "mask":
            if not self._is_at_hand(region.value, here):
                return False
            if not Path(region.value).is_file():
                self._wrong(here, f"there is no mask {region.value}", "Give a file, as seen from this one.")
                return False
        known = is_url(request.picture) or shipped_style(request.picture) is not None
        return known or self._is_at_hand(request.picture, here)

    def _group(self, given: Any, here: Place) -> str:
        if not isinstance(given, str) or not given.strip():
            self._wrong(here, f"set: {shown(given)} is not a name", "Give a name in quotes.")
            return AUTO
        return given

    def _wrong(self, here: Place, cause: str, remedy: str) -> None:
        self.problems.append(UsageError(self._at(here), cause, remedy))

    def _at(self, here: Place) -> str:
        line = self._lines.get(here) or self._lines.get(here[:-1])
        return place_of(self.path, line)
