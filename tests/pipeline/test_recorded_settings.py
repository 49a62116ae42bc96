"""Records in painted files are data: what is taken from them, and what is not."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from meshstyle.cli.main import main

from meshstyle.bundled import find_style
from meshstyle.config.image import PictureSettings
from meshstyle.config.model import Settings
from meshstyle.errors import InputError
from meshstyle.io.gltf.build import BuildImage, BuildMaterial, BuildMesh, BuildPrimitive, build_glb
from meshstyle.io.images import encode_png
from meshstyle.io.load import load_asset
from meshstyle.preview.page.page import write_page
from meshstyle.provenance import run_record
from meshstyle.recorded_settings import most_of, take_record
from meshstyle.run_file import read_run_file

NOTHING: dict[str, Any] = {}
PLACES = [
    "ftp://127.0.0.1:9/x.png",
    "https://example.org/x.png",
    "s3://bucket/x.png",
    "file:///etc/hostname",
    "local:///dev/zero",
    "reference://::refs.json/x.png",
    "simplecache::https://example.org/x.png",
    "/etc/shadow",
    "/dev/zero",
    "../secret.png",
    "sub/../../secret.png",
    "..\\secret.png",
    "link.png",
    "pipe.png",
    "folder",
    "nothing.png",
    "nul\0.png",
    "a" * 5000,
]
REFUSED = [
    ({"weights": "torchvision"}, "--weights"),
    ({"weights": "beside.pth"}, "--weights"),
    ({"init": "beside.png"}, "--init"),
    ({"views": 321}, "--views"),
    ({"iterations": 2401}, "--iterations"),
    ({"texture_size": 8192}, "--texture-size"),
    ({"style_scale": 11.0}, "--style-scale"),
    ({"only": ["x"] * 300}, "--only"),
    ({"only": ["x" * 300]}, "--only"),
    ({"only": [1, [2]]}, "only"),
    ({"seed": 10**400}, "seed"),
    ({"seed": True}, "seed"),
    ({"content_weight": 10**400}, "content_weight"),
    ({"\x1b[31mkey": "\x1b[2J"}, r"\x1b[31mkey"),
]


def painted(path: Path, record: dict[str, Any]) -> Path:
    """A small model with this record."""
    colours = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    primitive = BuildPrimitive(
        positions=np.eye(3),
        indices=np.array([[0, 1, 2]]),
        material=0,
        uvs=np.array([[0, 0], [0, 1], [1, 1]], float),
    )
    material, image = BuildMaterial("m", image=0), BuildImage("tiles", encode_png(colours))
    path.write_bytes(build_glb([BuildMesh("m", [primitive])], [material], [image], record))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a picture, and with what must not be opened in it and beside it."""
    inside = tmp_path / "inside"
    (inside / "folder").mkdir(parents=True)
    picture = encode_png(np.zeros((16, 16, 3), np.uint8))
    for path in (inside / "beside.png", inside / "folder" / "below.png", tmp_path / "secret.png"):
        path.write_bytes(picture)
    (inside / "link.png").symlink_to(tmp_path / "secret.png")
    os.mkfifo(inside / "pipe.png")
    return inside


@pytest.mark.parametrize("style", PLACES)
def test_a_record_does_not_say_what_is_opened(folder: Path, style: str) -> None:
    record = {"style": style, "settings": {"seed": 1}}
    with pytest.raises(InputError, match="--style"):
        take_record(folder / "x.glb", record, Settings)
    assert take_record(folder / "x.glb", record, Settings, ("style",)).styles == ()


@pytest.mark.parametrize("style", [5, "", ["scream", ""], [5], {"a": 1}, True])
def test_what_is_no_picture_is_told(folder: Path, style: Any) -> None:
    with pytest.raises(InputError, match="its record names no picture"):
        take_record(folder / "x.glb", {"style": style, "settings": {}}, Settings)


@pytest.mark.parametrize("style", ["beside.png", "folder/below.png"])
def test_pictures_in_the_files_own_folder_are_taken(folder: Path, style: str) -> None:
    digest = hashlib.sha256((folder / style).read_bytes()).hexdigest()
    taken = take_record(folder / "x.glb", {"style": style, "style_sha256": digest, "settings": {}}, Settings)
    assert taken.styles == (str(folder / style),)


def test_another_picture_of_that_name_is_not(folder: Path) -> None:
    for name in ("beside.png", "scream"):
        with pytest.raises(InputError, match="--style"):
            take_record(folder / "x.glb", {"style": name, "style_sha256": "0" * 64, "settings": {}}, Settings)


def test_a_shipped_name_means_the_shipped_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    shipped = find_style("scream")
    record = {"style": "scream", "settings": {}}
    assert take_record(folder / "x.glb", record, Settings).styles == ("scream",)
    (folder / "scream").write_bytes(b"another")
    assert take_record(folder / "x.glb", record, Settings).styles == (str(shipped),)


@pytest.mark.parametrize(("settings", "told"), REFUSED)
def test_what_is_not_taken_is_told_with_its_option(folder: Path, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as caught:
        take_record(folder / "x.glb", {"settings": settings}, Settings)
    assert told in str(caught.value)
    assert len(str(caught.value)) <= 300
    assert str(caught.value).isprintable()
    name = next(iter(settings))
    if name.isidentifier():
        assert take_record(folder / "x.glb", {"settings": settings}, Settings, (name,)).values == {}


def test_as_much_as_presets_do_ten_times_is_taken() -> None:
    most = most_of(Settings)
    assert most == {"views": 320, "iterations": 2400, "texture_size": 6476, "style_scale": 10.0}
    settings = {name: type(value)(value) for name, value in most.items()}
    assert take_record(Path("x.glb"), {"settings": settings}, Settings).values == settings
    assert most_of(PictureSettings) == {"size": 3238, "iterations": 1000, "style_scale": 10.0}


def test_how_the_machine_is_used_is_left_aside_with_a_note() -> None:
    record = {"settings": {"device": "cuda", "threads": 1024, "seed": 3}}
    taken = take_record(Path("x.glb"), record, Settings)
    assert taken.values == {"seed": 3}
    assert [note.split()[0] for note in taken.notes] == ["--device", "--threads"]
    assert take_record(Path("x.glb"), {"settings": Settings().to_dict()}, Settings).notes == ()


def test_what_a_run_remembers_says_nothing_of_folders(folder: Path) -> None:
    picture = folder / "beside.png"
    settings = Settings(weights=str(folder / "own.pth"), init=str(folder / "begin.png"))
    record = run_record(settings, {str(picture): picture})
    assert record["style"] == "beside.png"
    assert (record["settings"]["weights"], record["settings"]["init"]) == ("own.pth", "begin.png")
    assert str(folder) not in repr(record)
    assert run_record(Settings(), {"The Scream": find_style("scream")})["style"] == "scream"
    url = "https://me@example.org/art/night.png?token=secret"
    assert run_record(Settings(), {url: picture})["style"] == "night.png"


def test_what_was_painted_is_painted_again_beside_its_picture(folder: Path) -> None:
    picture = folder / "beside.png"
    model = painted(folder / "x.glb", run_record(Settings(seed=7), {str(picture): picture}))
    run = read_run_file(model)
    assert (run.style, run.settings()) == (str(picture), Settings(seed=7))
    picture.unlink()
    with pytest.raises(InputError, match="--style"):
        read_run_file(model)
    assert read_run_file(model, ("style",)).settings() == Settings(seed=7)


def test_pages_open_nothing_for_a_record_and_show_no_folders(folder: Path) -> None:
    secret = folder.parent / "secret.png"
    digest = hashlib.sha256(secret.read_bytes()).hexdigest()
    record = {"style": str(secret), "style_sha256": digest, "settings": {"weights": f"{folder}/own.pth"}}
    model = painted(folder / "x.glb", {**record, "version": "1\x1b[2J\u202e"})
    write_page(model, folder / "page.html")
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert "data:image/jpeg" not in page  # of the style picture
    assert str(folder.parent) not in page
    assert "secret.png" in page
    assert "own.pth" in page
    assert not {"\x1b", "\u202e"} & set(page)


def test_an_earlier_releases_record_is_still_shown(folder: Path) -> None:
    model = painted(folder / "x.glb", {"style": "/home/me/a.png", "settings": {}})
    assert load_asset(model).record == {"style": "/home/me/a.png", "settings": {}}


AUDITED = """
import os, sys
folder, opened = os.path.realpath(sys.argv[1]), []
own = (sys.prefix, sys.base_prefix, os.path.dirname(sys.executable), *sys.path[1:])
allowed = (folder, *map(os.path.realpath, own))

def watch(event, arguments):
    if event.startswith("socket.") and event != "socket.gethostname":
        opened.append((event, arguments[1:]))
    if event == "open" and isinstance(arguments[0], str):
        opened.append((event, arguments[0]))

import meshstyle
from meshstyle.cli.main import main
import meshstyle.io.gltf.asset, meshstyle.recorded_settings  # what is loaded from now on is not of the package
package = os.path.dirname(os.path.realpath(meshstyle.__file__))
allowed += (package, os.path.dirname(package))
sys.addaudithook(watch)
code = main(sys.argv[2:])
for event, what in opened:
    if event != "open" or not os.path.realpath(what).startswith(allowed):
        print("FOREIGN", event, what)
sys.exit(code)
"""


@pytest.mark.parametrize(
    "record",
    [{"style": place, "settings": {}} for place in PLACES[:9]]
    + [
        {"style": "scream", "settings": {"weights": "torchvision"}},
        {"style": "scream", "settings": {"weights": "/etc/shadow"}},
        {"style": "\x1b]0;title\x07", "settings": {"\x1b[31mkey": "\x1b[2J"}},
    ],
)
def test_nothing_else_is_opened_and_no_socket_is(folder: Path, record: dict[str, Any]) -> None:
    model = painted(folder / "x.glb", record)
    command = [sys.executable, "-c", AUDITED, str(folder)]
    line = ["stylize", str(model), "--config", str(model), "-o", str(folder / "out.glb")]
    done = subprocess.run([*command, *line], capture_output=True, text=True, timeout=60, cwd=folder)
    assert done.returncode == 3
    assert done.stdout == ""
    (told,) = done.stderr.splitlines()
    assert len(told) <= 300
    assert told.isprintable()
    assert not (folder / "out.glb").exists()


def test_a_note_tells_what_is_left_aside(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = painted(folder / "x.glb", {"style": "beside.png", "settings": {"threads": 900, "strength": 0.0}})
    line = ["stylize", str(model), "--config", str(model), "-o", str(folder / "out.glb")]
    assert main(line) == 0
    assert "note: --threads is not taken from a record" in capsys.readouterr().err
