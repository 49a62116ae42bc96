"""Files that are given by URL (s3://, gs://, sftp://, …), through fsspec and whichever package it needs for the kind.

file:// is an ordinary path. Credentials come from where the packages look for them, never from the URL. Of the kinds
that fsspec knows, only those of `SCHEMES` are used, none through another (`zip://…::https://…`): some run or open what
the file that they are about tells them to. Redirects of http(s) lead to http(s) only, as its package sees to.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from ..errors import InputError, MeshStyleError, OutputError, PictureError, UsageError
from .bounded import TooMuchError, copy_stream, within

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_DIGESTS = ("ETag", "etag", "md5Hash", "content_md5", "md5")  # as the kinds of storage call them
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")
# Kinds whose files appear whole or not at all. On others a file is written under another name and renamed.
_WHOLE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "oss", "memory"}
_PACKAGES = {"s3": "'meshstyle[s3]'", "aiohttp": "aiohttp requests"}  # by words of fsspec's messages
_AT_ONCE, _THREADS = 64, 8  # files
SCHEMES = ("https", "http", "s3", "gs", "az", "abfs", "sftp", "file", "memory")  # memory: of the same process
PICTURE_BYTES, FILE_BYTES = 64 << 20, 1 << 30  # at most, of a picture, and of a file of a batch
ASKING_SECONDS = 60.0  # for one answer
PICTURE_SECONDS, FILES_SECONDS = 120.0, 3600.0  # for a picture, and for some files of a batch


def is_url(place: str | Path) -> bool:
    """Whether it is a URL of anything but a local file."""
    return (
        isinstance(place, str) and _URL.match(place) is not None and not place.lower().startswith("file://")
    )


def check_scheme(url: str, error: type[MeshStyleError] = InputError) -> None:
    """Raise `error` for a URL of a kind that is not used, or that goes through several; UsageError for a password."""
    scheme, url = url.partition("://")[0].lower(), _check_password(url, error)
    remedy = f"Use a URL that begins with {', '.join(SCHEMES[:-2])}, or a path."
    if "::" in url:
        raise error(url, "it goes through several kinds of storage (::)", remedy)
    if scheme not in SCHEMES:
        raise error(url, f"URLs of the kind {scheme}:// are not used", remedy)


def _check_password(url: str, error: type[MeshStyleError]) -> str:
    """The URL, if it has no password in it."""
    try:
        if not urlsplit(url).password:
            return url
    except ValueError as problem:
        raise error(url.split("@")[-1], f"it is not a URL ({_essence(problem)})", "Look at it.") from problem
    remedy = "Give it as the storage's own package wants it: in the environment or a settings file."
    raise UsageError(url.split("@")[-1], "the URL has a password in it", remedy)


def local_path(place: str | Path) -> Path:
    """The path that a path, or a file:// URL, means."""
    if isinstance(place, str) and place.lower().startswith("file://"):
        return Path(unquote(urlsplit(place).path))
    return Path(place)


class RemoteFolder:
    """A folder, by its URL. Paths in it have slashes and count from it.

    Raises UsageError for a URL with a password or of a kind for which a package is missing, `error` for one of a kind
    that is not used. Every method does for a host that does not answer.
    """

    def __init__(self, url: str, error: type[MeshStyleError] = InputError) -> None:
        """`error`: what to raise where it cannot be used."""
        self.url, self._error = url.rstrip("/"), error
        check_scheme(url, error)
        with self._told():
            import fsspec

            self._files, root = within(
                ASKING_SECONDS, lambda: fsspec.core.url_to_fs(self.url, use_listings_cache=False)
            )
        self._root = root.rstrip("/")
        self._is_whole = bool(_WHOLE & set(_kinds(self._files)))

    def listing(self) -> dict[str, str]:
        """All files in it and below: paths, with a stamp that changes with the contents.

        Left out: names that cannot be those of local files.
        """
        with self._told():
            self._files.invalidate_cache()
            try:
                found: Mapping[str, Any] = within(
                    FILES_SECONDS, lambda: self._files.find(self._root, detail=True)
                )
            except FileNotFoundError:
                return {}
        names = {path[len(self._root) + 1 :]: info for path, info in found.items() if self._holds(path)}
        return {name: _stamp(info) for name, info in names.items() if _is_plain(name)}

    def stamp(self, name: str) -> str | None:
        """Return the stamp of one file; None where it is not there."""
        with self._told(name):
            try:
                return _stamp(within(ASKING_SECONDS, lambda: self._files.info(self._path(name))))
            except FileNotFoundError:
                return None

    def fetch(
        self, names: list[str], folder: Path, most: int = FILE_BYTES, seconds: float = FILES_SECONDS
    ) -> Iterator[str]:
        """Copy files below a local folder, each whole or not at all. Yields their names as they are there.

        `most`: bytes of each; `seconds`: for some of them together.
        """
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            folder.mkdir(parents=True, exist_ok=True)
            with self._told(), tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as place:
                copies = [Path(place) / str(number) for number in range(len(some))]
                within(seconds, partial(self._copy, some, copies, most, time.monotonic() + seconds))
                for name, copy in zip(some, copies, strict=True):
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    os.replace(copy, folder / name)
            yield from some

    def _copy(self, names: list[str], copies: list[Path], most: int, until: float) -> None:
        def one(name: str, copy: Path) -> None:
            with self._files.open(self._path(name), "rb") as stream:
                copy_stream(stream, copy, most, until)

        if not getattr(self._files, "async_impl", False):  # nor may others be used by several threads
            for name, copy in zip(names, copies, strict=True):
                one(name, copy)
            return
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(one, names, copies))

    def put(self, file: Path, name: str) -> str:
        """Copy a local file there. Returns its stamp."""
        with self._told(name):
            path = self._path(name)
            if self._is_whole:
                self._files.put_file(str(file), path)
            else:
                parent, _, last = path.rpartition("/")
                self._files.makedirs(parent, exist_ok=True)
                temporary = f"{parent}/.{last[:40]}-{secrets.token_hex(4)}.tmp"
                self._files.put_file(str(file), temporary)
                self._files.mv(temporary, path)
            self._files.invalidate_cache(path)
            return self.stamp(name) or ""

    def create(self, name: str, data: bytes) -> bool:
        """Write a file that is not there; False where it is."""
        with self._told(name):
            path = self._path(name)
            if not self._is_whole:
                self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            try:
                self._files.pipe_file(path, data, mode="create")
            except FileExistsError:
                return False
            return True

    def read(self, name: str) -> bytes:
        """The contents of a file; none where it is not there."""
        with self._told(name):
            try:
                data: bytes = within(ASKING_SECONDS, lambda: self._files.cat_file(self._path(name)))
            except FileNotFoundError:
                return b""
            return data

    def remove(self, name: str) -> None:
        with self._told(name), contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _holds(self, path: str) -> bool:
        return path.startswith(f"{self._root}/")

    @contextlib.contextmanager
    def _told(self, name: str = "") -> Iterator[None]:
        """Whatever goes wrong, in one line: every kind of storage has errors of its own."""
        subject = f"{self.url}/{name}" if name else self.url
        try:
            yield
        except MeshStyleError:
            raise
        except ImportError as error:
            missing = [command for word, command in _PACKAGES.items() if word in str(error)]
            remedy = f"Run: pip install {missing[0]}." if missing else "Install it with pip."
            raise UsageError(subject, f"a package is missing ({_essence(error)})", remedy) from error
        except TooMuchError as error:
            raise self._error(subject, str(error), "Fetch it yourself, and give its path.") from error
        except Exception as error:
            remedy = "Look at the URL, at the credentials and at the network."
            raise self._error(subject, f"it cannot be used ({_essence(error)})", remedy) from error


def fetch_picture(url: str) -> Path:
    """A picture by its URL, in the user's cache; read again where it has changed. Raises PictureError."""
    path = _fetched(url)
    if not path.is_file():  # the cache has been emptied since
        _fetched.cache_clear()
        path = _fetched(url)
    return path


@lru_cache
def _fetched(url: str) -> Path:
    """Once per process."""
    parent, _, name = url.rpartition("/")
    remote = RemoteFolder(parent, PictureError)
    stamp = remote.stamp(name) if _is_plain(name) else None
    if stamp is None:
        raise PictureError(url, "there is no such file", "Look at the URL.")
    folder = copies_of(url)
    known = folder / "stamp.json"
    if not (folder / name).is_file() or not known.is_file() or json.loads(known.read_text()) != stamp:
        list(remote.fetch([name], folder, PICTURE_BYTES, PICTURE_SECONDS))
        known.write_text(json.dumps(stamp), encoding="utf-8")
    return folder / name


def copies_of(*places: str) -> Path:
    """A folder of the user's cache for copies of these. Raises OutputError."""
    from ..system.cache_dir import cache_folder  # loads numpy

    root = cache_folder() or Path(tempfile.gettempdir()) / f"meshstyle-{getattr(os, 'getuid', int)()}"
    folder = root / "copies" / hashlib.sha256("\n".join(places).encode()).hexdigest()[:16]
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if hasattr(os, "getuid") and root.lstat().st_uid != os.getuid():
            raise PermissionError(errno.EPERM, "it belongs to another user")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        cause = f"it cannot be written to ({error.strerror or error})"
        raise OutputError(folder, cause, "Set XDG_CACHE_HOME to a folder with room.") from error
    return folder


def _kinds(files: Any) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)


def _stamp(info: Mapping[str, Any]) -> str:
    """Read the stamp from a listing, or of the file itself; the two do not always agree."""
    digest = next((str(info[key]).strip('"') for key in _DIGESTS if info.get(key)), None)
    if digest is not None:
        return f"{info['size']} {digest}"
    when = next((info[key] for key in _TIMES if info.get(key)), "")
    return f"{info['size']} {when.timestamp() if isinstance(when, datetime) else when}"


def _is_plain(name: str) -> bool:
    parts = PurePosixPath(name).parts
    odd = ".." in parts or "\\" in name or "\0" in name or "//" in name or name.startswith("/")
    return bool(parts) and not odd and not name.endswith("/")


def _essence(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
