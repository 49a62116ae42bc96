"""Where a film's result goes, decided before any work is done."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import OutputError, UsageError
from .write_film import FILMS

_SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))


def choose_video_output(clip: Path, output: str | Path | None) -> Path:
    """A film by its suffix; a name without one, one that ends like a folder's, or a folder that is there, takes
    pictures. None: `NAME.stylized` of the clip's kind, or .mp4, beside it; a folder for a folder.

    Raises UsageError for a suffix that is no film's, and for the clip itself.
    """
    clip = clip.resolve() if clip.name in ("", "..") else clip
    if output is None:
        if clip.is_dir():
            return clip.with_name(f"{clip.name}.stylized")
        suffix = clip.suffix if clip.suffix.lower() in FILMS else ".mp4"
        return clip.with_name(f"{clip.stem}.stylized{suffix}")
    if not str(output):
        raise UsageError("-o", "the name is empty", "Give a name, or leave -o out.")
    target = Path(output)
    target = target.resolve() if target.name in ("", "..") else target
    folder = target.is_dir() or str(output).endswith(_SEPARATORS)
    if not folder and target.suffix and target.suffix.lower() not in FILMS:
        cause = f"'{target.suffix}' is not a kind of film that can be written"
        remedy = f"End the name with {', '.join(FILMS)}, or with / for a folder of pictures."
        raise UsageError(target, cause, remedy)
    if folder and target.suffix.lower() in FILMS:
        cause = f"it is a folder, and is called like a film ({target.suffix})"
        raise UsageError(target, cause, "Give another name with -o.")
    if os.path.realpath(target) == os.path.realpath(clip):
        raise UsageError(target, "the output is the input", "Give another name with -o.")
    return target


def replaced_by(output: Path, overwrite: bool) -> tuple[str, ...]:
    """A note where there is something already that will be replaced. Raises OutputError where it must not be."""
    there = any(output.iterdir()) if output.is_dir() else os.path.lexists(output)
    if not there:
        return ()
    if not overwrite:
        remedy = "Give another name with -o, or leave --no-clobber out."
        raise OutputError(output, "it is there already", remedy)
    what = "pictures of the same names are" if output.is_dir() else "it is"
    return (f"{output.name} was there already: {what} replaced",)
