"""Which files a model may refer to: those in its own folder and below, and data inside the model itself."""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, unquote, unquote_to_bytes

from ..errors import AssetError, UsageError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_ROOT = ", or give --root FOLDER"  # what helps where a path is none that is read
_MAX_URI = 4096  # characters of a reference to a file; PATH_MAX of common systems


def is_data_uri(uri: str) -> bool:
    return uri[:5].lower() == "data:"


def resolve_uri(uri: str, folder: Path, subject: Path, root: Path | None = None) -> Path:
    """The file that a relative URI of a model in `folder` means. It need not exist; nothing is opened.

    Percent-encoding is undone unless only a file of the undecoded name exists; backslashes count as slashes
    where no file has them in its name. Raises AssetError about `subject` for any scheme, absolute paths,
    `..`, and links that lead out of the folder; with `root`, a folder above it, out of that one.
    """
    if _SCHEME.match(uri):
        _refuse(subject, uri, "is not a relative path")
    if not uri or len(uri) > _MAX_URI or "\0" in unquote(uri):
        _refuse(subject, uri, "is not the name of a file")
    try:
        decoded = unquote(uri, errors="strict")
    except UnicodeDecodeError:
        decoded = unquote(uri, errors="surrogateescape")  # as Python has names that are no text
    candidates = [decoded, uri, decoded.replace("\\", "/")]
    paths = [_inside(name, uri, folder, subject, root) for name in dict.fromkeys(candidates)]
    return next((path for path in paths if _exists(path)), paths[-1])


def _inside(name: str, uri: str, folder: Path, subject: Path, root: Path | None) -> Path:
    parts = re.split(r"[/\\]", name)
    if ".." in parts and root is None:
        _refuse(subject, uri, "leads out of the model's folder", _ROOT)
    if name.startswith(("/", "\\")) or Path(name).is_absolute() or Path(name).drive:
        _refuse(subject, uri, "is not a relative path")
    path = folder / name
    try:
        inside = path.resolve().is_relative_to((root or folder).resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links
        inside = False
    if not inside:
        _refuse(subject, uri, f"leads out of {'the model' if root is None else root.name}'s folder", _ROOT)
    return path


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _refuse(subject: Path, uri: str, why: str, hint: str = "") -> NoReturn:
    shown = uri if len(uri) <= 60 else f"{uri[:57]}..."
    remedy = (
        "Only files in the model's own folder are read: put the file there and name it by a relative path"
    )
    raise AssetError(subject, f"the reference {shown!r} {why}", f"{remedy}{hint}.")


def check_root(root: str | Path | None, model: Path) -> Path | None:
    """The folder from which files may be read beside the model's own. Raises UsageError where it is none above it."""
    if root is None:
        return None
    folder = Path(root)
    try:
        above = folder.is_dir() and model.parent.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        above = False
    if not above:
        raise UsageError(
            "root", f"{str(root)!r} is no folder that holds the model", "Give a folder above the model."
        )
    return folder


def roots_for(models: Sequence[Path], root: str | Path | None) -> list[Path | None]:
    """`check_root` for models that are looked at together, of which the folder must hold one at least: a result often
    lies elsewhere. Raises UsageError."""
    found: list[Path | None] = []
    for model in models:
        try:
            found.append(check_root(root, model))
        except UsageError:
            found.append(None)
    if root is not None and not any(found):
        check_root(root, models[0])
    return found


def decode_data_uri(uri: str, subject: Path) -> tuple[str, bytes]:
    """The media type (lower case, may be "") and the bytes of a `data:` URI (RFC 2397). Raises AssetError."""
    header, comma, payload = uri[5:].partition(",")
    if not comma:
        raise AssetError(subject, "a data URI in it has no data", "Export the model again.")
    media, *parameters = header.split(";")
    if "base64" not in (item.strip().lower() for item in parameters):
        return media.lower(), unquote_to_bytes(payload)
    text = unquote(payload) if "%" in payload else payload
    try:
        return media.lower(), base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (ValueError, binascii.Error) as error:
        raise AssetError(
            subject, "a data URI in it is not valid base64", "Export the model again."
        ) from error


def encode_uri(name: str) -> str:
    """A relative path with slashes as a URI reference; the reverse of `resolve_uri`."""
    return quote(os.fsencode(name), safe="/!$&'()*+,;=@~")


def file_stem(name: str) -> str:
    """What is left of any name when only characters stay that every file system and URI takes."""
    return re.sub(r"[^\w\-.]+", "_", name, flags=re.ASCII).strip("._")[:80] or "image"
