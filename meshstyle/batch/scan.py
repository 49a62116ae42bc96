"""Which files below a folder are models to paint."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from pathspec import GitIgnoreSpec

from ..errors import InputError, UsageError
from ..io.load import SUFFIXES

EARLIER = "*.stylized.*"  # what `stylize` calls its results


def scan(
    folder: Path, out: Path, include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The models below a folder that the patterns choose, but for results of `stylize`; and what people should know.

    Raises InputError where there is no such folder or none of its files is chosen; UsageError for patterns that make
    no sense.
    """
    if not folder.is_dir():
        cause = "it is not a folder" if folder.exists() else "there is no such folder"
        raise InputError(folder, cause, "Give a folder with models, or a manifest (TOML).")
    found, notes = all_models(folder, out)
    models = chosen(found, include, exclude)
    earlier = [name for name in models if fnmatch(name.rpartition("/")[2].lower(), EARLIER)]
    if earlier:
        counted = "1 file is" if len(earlier) == 1 else f"{len(earlier)} files are"
        notes = (*notes, f"{counted} left out as results of stylize ({EARLIER}).")
    models = tuple(name for name in models if name not in set(earlier))
    if not models:
        cause = "no model in it is chosen" if found else "there is no model in it"
        remedy = "Look at --include and --exclude." if found else f"Models end in {', '.join(SUFFIXES)}."
        raise InputError(folder, cause, remedy)
    return models, notes


def all_models(folder: Path, out: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Every model below a folder, but for hidden files and what lies in `out`; and what people should know.

    Paths as seen from the folder, with slashes, sorted. Links are followed; a folder that can be reached in several
    ways, as through a loop of links, counts once.
    """
    notes: list[str] = []
    models = (path for path in walk(folder, out, notes) if path.suffix.lower() in SUFFIXES)
    found = sorted(path.relative_to(folder).as_posix() for path in models)
    return tuple(found), tuple(notes)


def chosen(models: Sequence[str], include: Sequence[str], exclude: Sequence[str]) -> tuple[str, ...]:
    """Models that fit a pattern of `include` (or it is empty) and none of `exclude`; as in .gitignore.

    Raises UsageError for patterns that make no sense.
    """
    wanted, unwanted = _patterns("include", include), _patterns("exclude", exclude)
    return tuple(
        name for name in models if (not include or wanted.match_file(name)) and not unwanted.match_file(name)
    )


def _patterns(option: str, patterns: Sequence[str]) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise UsageError(
            option, f"it is not a pattern ({error})", "Write for example props/*.glb."
        ) from error


def walk(folder: Path, out: Path, notes: list[str]) -> Iterator[Path]:
    """Files below a folder, but for hidden ones and what lies in `out`; `notes` takes what people should know."""
    seen = {os.path.realpath(out)}
    for here, below, files in os.walk(
        folder, followlinks=True, onerror=lambda e: notes.append(_unreadable(e))
    ):
        real = os.path.realpath(here)
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in files:
            path = Path(here, name)
            if not name.startswith(".") and os.path.isfile(path):
                yield path


def _unreadable(error: OSError) -> str:
    return f"{error.filename} cannot be looked into ({error.strerror})."
