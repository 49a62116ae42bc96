"""URLs: which are used, how much is fetched, and what a manifest that came from one may name."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import fsspec
import pytest

from meshstyle.batch.manifest import read_manifest
from meshstyle.batch.options import BatchInput, BatchOptions
from meshstyle.batch.prepare import read_job_specs
from meshstyle.batch.remote.publish import at_hand
from meshstyle.bundled import find_style
from meshstyle.errors import InputError, ManifestError, PictureError
from meshstyle.io import bounded, remote
from meshstyle.io.bounded import TooMuchError, copy_stream, within


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1:9/x.png",
        "local:///dev/zero",
        "reference://::refs.json/x.png",
        "REFERENCE://x/x.png",
        "zip://a.png::https://example.org/a.zip",
        "https://example.org/a.zip::zip://x/x.png",
        "github://o/x.png",
        "data://x/x.png",
        "filecache://x/x.png",
        "dask://x/x.png",
        "https://[x/x.png",
    ],
)
def test_no_other_kinds_are_used(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: object, **__: object) -> None:
        raise AssertionError("it was opened")

    monkeypatch.setattr(fsspec.core, "url_to_fs", opened)
    with pytest.raises(PictureError) as caught:
        find_style(url)
    assert str(caught.value).isprintable()
    if remote.is_url(url):
        with pytest.raises(InputError), at_hand(url, "out", BatchOptions()):
            pass


def test_a_picture_is_fetched_up_to_its_limit(storage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PICTURE_BYTES", 1 << 20)
    storage.pipe_file("/b/good.png", bytes(1 << 20))
    storage.pipe_file("/b/large.png", bytes((1 << 20) + 1))
    assert find_style("memory://b/good.png").stat().st_size == 1 << 20
    with pytest.raises(PictureError, match="it holds more than 1 MiB"):
        find_style("memory://b/large.png")


def test_a_host_that_does_not_answer_is_left(storage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = threading.Event()
    monkeypatch.setattr(remote, "ASKING_SECONDS", 0.05)
    monkeypatch.setattr(type(storage), "info", lambda *_, **__: gone.wait(20))
    try:
        with pytest.raises(PictureError, match=r"it took longer than 0\.05 s"):
            find_style("memory://b/slow.png")
    finally:
        gone.set()


def test_a_file_that_comes_slowly_is_left(storage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            time.sleep(0.02)
            return b"x"

    storage.pipe_file("/b/slow.png", b"x")
    monkeypatch.setattr(type(storage), "open", lambda *_, **__: Slow())
    monkeypatch.setattr(remote, "PICTURE_SECONDS", 0.1)
    with pytest.raises(PictureError, match="it took"):
        find_style("memory://b/slow.png")


def test_work_within_its_time_gives_what_it_gives() -> None:
    assert within(20, lambda: 3) == 3
    with pytest.raises(KeyError):
        within(20, lambda: {}["x"])


def test_a_stream_is_copied_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "BLOCK_BYTES", 3)
    copy_stream(io.BytesIO(b"12345678"), tmp_path / "a", 8)
    assert (tmp_path / "a").read_bytes() == b"12345678"
    with pytest.raises(TooMuchError):
        copy_stream(io.BytesIO(b"123456789"), tmp_path / "b", 8)
    with pytest.raises(TooMuchError):
        copy_stream(io.BytesIO(b"1"), tmp_path / "c", 8, until=time.monotonic() - 1)


@pytest.mark.parametrize(
    "line",
    [
        'style = "/etc/hostname"',
        'style = "file:///etc/hostname"',
        'style = "../secret.png"',
        'style = "here.png"',  # only in the working folder
        'style = "ftp://127.0.0.1/x.png"',
        'style = "a\\u0000b"',
        'weights = "/etc/hostname"',
        'weights = "../secret.png"',
        'init = "../secret.png"',
        'init = "here.png"',
    ],
)
def test_a_manifest_from_a_url_names_nothing_local(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    (tmp_path / "work" / "here.png").write_bytes(b"x")
    (tmp_path / "secret.png").write_bytes(b"x")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.glb").write_bytes(b"x")
    manifest = folder / "all.toml"
    manifest.write_text(f'[defaults]\n{line}\n[[asset]]\npath = "a.glb"\n')
    with pytest.raises(ManifestError):
        read_manifest(manifest, tmp_path / "out", confined=True)


@pytest.mark.parametrize("folder", ["..", "/", "sub/../.."])
def test_nor_another_folder(tmp_path: Path, folder: str) -> None:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "a.glb").write_bytes(b"x")
    manifest = tmp_path / "in" / "all.toml"
    manifest.write_text(f'folder = "{folder}"\n[[asset]]\npath = "*.glb"\n')
    with pytest.raises(ManifestError, match="it came from a URL"):
        read_manifest(manifest, tmp_path / "out", confined=True)


def test_what_lies_beside_it_there_may_be_named(storage: Any, tmp_path: Path) -> None:
    text = '[defaults]\nstyle = ["scream", "own.png"]\n[[asset]]\npath = "a.gltf"\n'
    for name, data in (
        ("all.toml", text.encode()),
        ("a.gltf", b"x"),
        ("own.png", find_style("scream").read_bytes()),
    ):
        storage.pipe_file(f"/b/{name}", data)
    with at_hand("memory://b/all.toml", str(tmp_path / "out"), BatchOptions()) as places:
        assert places.from_url
        request = BatchInput(places.source, places.output, from_url=places.from_url)
        wanted = read_job_specs(request)
        assert wanted.job_specs["a.gltf"].styles == ("scream", str(places.source.parent / "own.png"))


class Host(BaseHTTPRequestHandler):
    """Sends whoever asks to what stands behind `?`; else the picture."""

    picture = b""

    def do_GET(self) -> None:
        _, asked, place = self.path.partition("?")
        self.send_response(302 if asked else 200)
        if asked:
            self.send_header("Location", unquote(place))
        body = b"" if asked else self.picture
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nobody is to read it."""


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    pytest.importorskip("aiohttp")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Host.picture = find_style("scream").read_bytes()
    with ThreadingHTTPServer(("127.0.0.1", 0), Host) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_redirect_to_another_place_of_the_web_is_followed(host: str) -> None:
    assert find_style(f"{host}/a.png").read_bytes() == Host.picture
    assert find_style(f"{host}/b.png?{host}/a.png").read_bytes() == Host.picture


@pytest.mark.parametrize("kind", ["ftp", "file", "local", "reference", "gopher", "data"])
def test_a_redirect_to_another_kind_of_place_is_not(host: str, kind: str, tmp_path: Path) -> None:
    """Neither is a local file opened, nor is anything connected to."""
    secret = tmp_path / "secret.png"
    secret.write_bytes(Host.picture)
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0.2)
        where = str(secret) if kind in ("file", "local") else f"127.0.0.1:{other.getsockname()[1]}/x.png"
        with pytest.raises(PictureError) as caught:
            find_style(f"{host}/a.png?{kind}://{where}")
        with pytest.raises(TimeoutError):
            other.accept()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= 300
