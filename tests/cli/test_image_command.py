"""`meshstyle image`: kinds of pictures in and out, options, bad input, Ctrl-C. Tiny sizes, no or few steps."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from meshstyle.cli.main import main
from PIL import Image, ImageCms

import meshstyle
from meshstyle.config.image import PictureSettings
from meshstyle.io.image_files import read_record
from meshstyle.io.images import encode_png, read_picture
from meshstyle.preview.live import live
from meshstyle.progress import Progress
from meshstyle.run_file import read_picture_run_file

STILL = ["--iterations", "0", "--init", "content", "--size", "40"]
TINY = ["--iterations", "1", "--size", "40"]


def noise(height: int = 32, width: int = 40, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.png").write_bytes(encode_png(noise()))
    (tmp_path / "style.png").write_bytes(encode_png(noise(seed=1)))
    return tmp_path


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """What the photo becomes without any option."""
    folder = tmp_path_factory.mktemp("plain")
    photo, style, output = (folder / name for name in ("photo.png", "style.png", "plain.png"))
    photo.write_bytes(encode_png(noise()))
    style.write_bytes(encode_png(noise(seed=1)))
    assert image(str(photo), "-s", str(style), "-o", str(output), *TINY) == 0
    return read(str(output))


def image(*arguments: str) -> int:
    return main(["image", *arguments, "-q"])


def read(path: str) -> np.ndarray:
    return read_picture(Path(path))


# --- pictures in ---


def _exif(picture: Image.Image) -> dict[str, Any]:
    exif = picture.getexif()
    exif[0x0112] = 6  # lies on its side
    return {"exif": exif}


def _save(kind: str) -> None:
    """A picture `in.*` of 40×32 pixels as people see it."""
    rgb = Image.fromarray(noise())
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    if kind == "exif":
        Image.fromarray(noise(40, 32)).save("in.png", **_exif(rgb))
    elif kind == "icc":
        rgb.save("in.png", icc_profile=srgb)
    elif kind == "16-bit":
        Image.fromarray(noise(channels=1)[..., 0].astype(np.uint16) * 257).save("in.png")
    elif kind == "animated":
        rgb.quantize().save(
            "in.gif", save_all=True, append_images=[Image.fromarray(noise(seed=9)).quantize()]
        )
    elif kind == "alpha":
        Image.fromarray(noise(channels=4)).save("in.png")
    elif kind == "CMYK":
        rgb.convert("CMYK").save("in.tif")
    else:
        rgb.convert(kind).save("in.png")


@pytest.mark.parametrize(
    "kind", ["exif", "icc", "16-bit", "animated", "alpha", "CMYK", "P", "L", "1", "LA", "RGB"]
)
def test_with_no_step_every_kind_of_picture_stays_as_people_see_it(folder: Path, kind: str) -> None:
    _save(kind)
    (source,) = folder.glob("in.*")
    assert image(source.name, "-s", "style.png", "-o", "out.png", *STILL) == 0
    found = read("out.png")
    assert found.shape == (32, 40, 4)
    np.testing.assert_array_equal(found, read(source.name))


def test_alpha_is_kept_or_noted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = noise(channels=4)
    pixels[:, :20, 3], pixels[:, 20:, 3] = 0, 255
    (folder / "in.png").write_bytes(encode_png(pixels))
    assert image("in.png", "-s", "style.png", "-o", "out.webp", *TINY) == 0
    np.testing.assert_array_equal(read("out.webp")[..., 3], pixels[..., 3])
    assert main(["image", "in.png", "-s", "style.png", "-o", "out.jpg", *TINY]) == 0
    assert "note: JPEG holds no transparency" in capsys.readouterr().err
    assert read("out.jpg")[:, :16, :3].min() > 240


# --- what is made ---


def test_the_result_lies_beside_the_photo_and_remembers(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "photo.png",
        "-s",
        "style.png",
        "--seed",
        "3",
        "--style-layers",
        "relu1_1,relu2_1=0.5",
        *TINY,
    ]
    assert main(["image", *arguments, "--json", "-q"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["outputs"] == ["photo.stylized.png"]
    assert found["size"] == [32, 40]
    assert found["style_loss"] > 0
    record = read_record(folder / "photo.stylized.png")
    assert record is not None
    assert record["style"] == "style.png"
    run = read_picture_run_file("photo.stylized.png")
    assert run.settings() == PictureSettings(
        seed=3, size=40, iterations=1, style_layers=("relu1_1", "relu2_1=0.5")
    )
    assert image("photo.png", "--config", "photo.stylized.png", "-o", "again.png") == 0
    assert (folder / "again.png").read_bytes() == (folder / "photo.stylized.png").read_bytes()


def test_another_seed_is_another_picture(folder: Path) -> None:
    for seed in ("1", "2"):
        assert (
            image(
                "photo.png", "-s", "style.png", "-o", f"{seed}.png", "--init", "noise", "--seed", seed, *TINY
            )
            == 0
        )
    assert not np.array_equal(read("1.png"), read("2.png"))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".webp"])
def test_the_suffix_says_the_kind(folder: Path, suffix: str) -> None:
    assert image("photo.png", "-s", "style.png", "-o", f"new/out{suffix}", *STILL) == 0
    with Image.open(folder / "new" / f"out{suffix}") as found:
        assert found.format == {".png": "PNG", ".webp": "WEBP"}.get(suffix, "JPEG")
        assert found.mode == "RGB"


def test_the_size_is_the_longer_side(folder: Path) -> None:
    (folder / "tall.png").write_bytes(encode_png(noise(60, 30)))
    assert image("tall.png", "-s", "style.png", "-o", "out.png", *STILL[:4], "--size", "90") == 0
    assert read("out.png").shape == (90, 45, 4)


def test_the_mask_leaves_black_parts_bit_identical(folder: Path) -> None:
    mask = np.zeros((16, 20, 1), np.uint8)  # of another size, and enlarged smoothly
    mask[:, 10:] = 255
    (folder / "mask.png").write_bytes(encode_png(mask))
    assert image("photo.png", "-s", "style.png", "-o", "out.png", "--mask", "mask.png", *TINY) == 0
    found, photo = read("out.png"), read("photo.png")
    np.testing.assert_array_equal(found[:, :16], photo[:, :16])
    assert (found[:, 24:] != photo[:, 24:]).any()


def test_it_begins_with_a_picture(folder: Path) -> None:
    (folder / "start.png").write_bytes(encode_png(noise(seed=7)))
    assert image("photo.png", "-s", "style.png", "-o", "out.png", "--iterations", "0", "--init", "start.png",
                 "--size", "40") == 0  # fmt: skip
    np.testing.assert_array_equal(read("out.png"), read("start.png"))


def test_intermediate_pictures(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["photo.png", "-s", "style.png", "-o", "out.png", "--save-every", "2", "--iterations", "5"]
    assert main(["image", *arguments, "--size", "40", "--json", "-q"]) == 0
    assert json.loads(capsys.readouterr().out)["outputs"] == ["out.png", "out.0002.png", "out.0004.png"]
    assert not np.array_equal(read("out.0002.png"), read("out.0004.png"))


def test_intermediate_pictures_are_finished_ones(folder: Path) -> None:
    """The last of them is the result, though paint is grey while luminance alone is painted."""
    arguments = [
        "photo.png",
        "-s",
        "style.png",
        "-o",
        "out.png",
        "--save-every",
        "1",
        "--keep-colors",
        "luminance",
    ]
    assert image(*arguments, *TINY) == 0
    assert (folder / "out.0001.png").read_bytes() != (folder / "photo.png").read_bytes()
    np.testing.assert_array_equal(read("out.0001.png"), read("out.png"))


@pytest.mark.parametrize(
    "options",
    [
        ["--keep-colors", "luminance"],
        ["--keep-colors", "matched"],
        ["--pooling", "max", "--optimizer", "adam"],
        ["--style", "scream", "--style-weights", "2,1"],
        ["--content-weight", "0", "--structure-weight", "3"],
        ["--content-layers", "relu3_2,relu4_2=2", "--style-scale", "0.5"],
    ],
)
def test_options(folder: Path, plain: np.ndarray, options: list[str]) -> None:
    assert image("photo.png", "-s", "style.png", "-o", "out.png", *TINY, *options) == 0
    assert not np.array_equal(read("out.png"), plain)


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [("RGB", ".png"), ("16-bit", ".png"), ("alpha", ".png"), ("JPEG", ".jpg"), ("WEBP", ".webp")],
)
def test_strength_0_is_the_photo_to_the_byte(folder: Path, kind: str, suffix: str) -> None:
    if suffix == ".png":
        _save(kind)
    else:
        Image.fromarray(noise()).save(f"in{suffix}", kind, quality=60)
    for more in ([], ["--size", "40"], ["--keep-colors", "luminance"]):
        line = [f"in{suffix}", "-s", "style.png", "-s", "scream", "-o", f"out{suffix}", "--strength", "0"]
        assert image(*line, *more) == 0
        assert (folder / f"out{suffix}").read_bytes() == (folder / f"in{suffix}").read_bytes()


def test_strength_0_in_another_kind_or_size_is_the_photo_still(folder: Path) -> None:
    """And a name that lies about its kind is believed no more than it is elsewhere."""
    Image.fromarray(noise()).save("in.gif")
    (folder / "lies.png").write_bytes((folder / "in.gif").read_bytes())
    for source in ("in.gif", "lies.png"):
        assert image(source, "-s", "style.png", "-o", "out.png", "--strength", "0") == 0
        assert (folder / "out.png").read_bytes().startswith(b"\x89PNG")
        np.testing.assert_array_equal(read("out.png"), read(source))
    record = read_record(folder / "out.png")
    assert record is not None
    assert record["settings"]["strength"] == 0
    assert image("in.gif", "-s", "style.png", "-o", "out.png", "--strength", "0", "--size", "80") == 0
    assert read("out.png").shape == (64, 80, 4)


def test_full_strength_is_what_it_was_without_the_option(folder: Path) -> None:
    assert image("photo.png", "-s", "style.png", "-o", "plain.png", *TINY) == 0
    assert image("photo.png", "-s", "style.png", "-o", "full.png", "--strength", "1", *TINY) == 0
    assert (folder / "full.png").read_bytes() == (folder / "plain.png").read_bytes()
    assert image("photo.png", "-s", "style.png", "-o", "half.png", "--strength", "0.5", *TINY) == 0
    assert (folder / "half.png").read_bytes() != (folder / "plain.png").read_bytes()
    assert image("photo.png", "-s", "style.png", "--strength", "1.5") == 2


@pytest.mark.parametrize("suffix", ["html", "png"])
def test_a_run_is_followed_to_its_end(folder: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "INTERVAL", 0.0)
    monkeypatch.setattr(live, "SHARE", 1e9)
    page, seen = folder / f"look.{suffix}", []

    def watch(record: Progress) -> None:
        if record.step == 2 or record.stage == "write":
            seen.append(page.read_bytes())

    settings = PictureSettings(size=40, iterations=3)
    result = meshstyle.stylize_image(
        "photo.png", ("style.png", "scream"), "out.png", settings, progress=watch, preview=page
    )
    assert result.warnings == ()
    final = page.read_bytes()
    assert len({*seen, final}) == (3 if suffix == "html" else 2)  # the last step is the result
    if suffix == "png":
        before, after = np.split(read(page.name)[..., :3].astype(float), 2, axis=1)
        assert before.shape == (round(448 * 32 / 40), 448, 3)
        assert np.abs(before - after).mean() > 5
        return
    assert all(b'http-equiv="refresh"' in each and each.count(b"<figure>") == 2 for each in seen)
    assert b'http-equiv="refresh"' not in final
    assert final.count(b"<img") == 4  # before, after, two styles
    assert final.count(b"<svg") == 3
    assert b'id="wipe"' in final
    assert f"<td>{result.style_loss:.4g}</td>".encode() in final


@pytest.mark.parametrize(
    ("place", "code"), [("look.gif", 2), ("out.png", 2), ("mask.png", 3), ("photo.png", 3), ("style.png", 3)]
)
def test_a_preview_never_takes_the_place_of_another_file(folder: Path, place: str, code: int) -> None:
    (folder / "mask.png").write_bytes(encode_png(np.full((32, 40, 1), 255, np.uint8)))
    before = {path: path.read_bytes() for path in folder.iterdir()}
    line = ["photo.png", "-s", "style.png", "--mask", "mask.png", "-o", "out.png", "--preview", place]
    assert image(*line, *TINY) == code
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_settings_from_a_file(folder: Path) -> None:
    (folder / "run.toml").write_text('style = ["style.png", "scream"]\nstyle-weights = [2, 1]\nsize = 40\n')
    run = read_picture_run_file(folder / "run.toml")
    assert run.styles == (str(folder / "style.png"), "scream")
    assert run.settings(iterations=1) == PictureSettings(style_weights=(2, 1), size=40, iterations=1)


def test_dry_run_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["image", "photo.png", "-s", "style.png", "--dry-run", "--size", "512"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "output  photo.stylized.png, 512 × 410 pixels\n" in out
    assert "note    the photo is enlarged from 40 to 512 pixels" in out
    assert main([*arguments, "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert [scale["size"] for scale in planned["scales"]] == [128, 256, 512]
    assert len(list(folder.iterdir())) == 2


# --- what cannot be done ---


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["none.png", "-s", "style.png"], 3, "none.png: there is no such file"),
        ([".", "-s", "style.png"], 3, ".: it is a folder"),
        (["text.png", "-s", "style.png"], 3, "text.png: it is not a picture"),
        (["short.png", "-s", "style.png"], 3, "short.png: the picture is damaged or cut off"),
        (["thin.png", "-s", "style.png"], 3, "thin.png: it is too narrow"),
        (["clear.png", "-s", "style.png"], 3, "clear.png: it is transparent throughout"),
        (["photo.png", "-s", "none.png"], 3, "none.png: there is no such picture"),
        (["photo.png"], 2, "--style: no picture was given"),
        (["photo.png", "-s", "style.png", "-o", "out.gif"], 2, "out.gif: '.gif' is not a kind"),
        (["photo.png", "-s", "style.png", "-o", "out"], 2, "out: '' is not a kind"),
        (["photo.png", "-s", "style.png", "-o", "photo.png"], 2, "photo.png: the output is the input"),
        (["photo.png", "-s", "style.png", "-o", "style.png"], 3, "style.png: this is a file of the input"),
        (["photo.png", "-s", "style.png", "--mask", "thin.png"], 3, "thin.png: 200×4 is another shape"),
        (["photo.png", "-s", "style.png", "--mask", "black.png"], 3, "black.png: it leaves nothing to paint"),
        (["photo.png", "-s", "style.png", "--mask", "none.png"], 3, "none.png: there is no such file"),
        (["photo.png", "-s", "style.png", "--init", "nois"], 2, "--init: 'nois' is neither a choice nor"),
        (["photo.png", "-s", "style.png", "--style-weights", "1,2"], 2, "--style-weights: 2 weights were"),
        (["photo.png", "-s", "style.png", "--style-weights", "x"], 2, "--style-weights: "),
        (["photo.png", "-s", "style.png", "--style-weights=-1"], 2, "--style-weights: -1.0 is out of range"),
        (["photo.png", "-s", "style.png", "--style-layers", "relu6_1"], 2, "--style-layers: relu6_1: "),
        (["photo.png", "-s", "style.png", "--keep-colors", "yes"], 2, "--keep-colors: 'yes' is not a choice"),
        (
            ["photo.png", "-s", "style.png", "--config", "photo.png"],
            3,
            "photo.png: this file holds no settings",
        ),
    ],
)
def test_one_line_and_nothing_written(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    (folder / "text.png").write_text("hello")
    (folder / "short.png").write_bytes((folder / "photo.png").read_bytes()[:-500])
    (folder / "thin.png").write_bytes(encode_png(noise(4, 200)))
    (folder / "clear.png").write_bytes(encode_png(noise(channels=4) * np.array([1, 1, 1, 0], np.uint8)))
    (folder / "black.png").write_bytes(encode_png(np.zeros((32, 40, 1), np.uint8)))
    before = {path: path.read_bytes() for path in folder.rglob("*")}
    sized = [] if "thin.png" in arguments[:1] else STILL[4:]
    assert main(["image", *arguments, "--iterations", "0", *sized]) == code
    out, err = capsys.readouterr()
    assert out == ""
    lines = [line for line in err.splitlines() if line not in ("reading", "writing")]
    assert len(lines) == 1, err
    assert lines[0].startswith(f"error: {message}")
    assert {path: path.read_bytes() for path in folder.rglob("*")} == before


def test_a_config_with_a_mistake_names_its_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "run.toml").write_text('style = "style.png"\npoolin = "max"\n')
    assert image("photo.png", "--config", "run.toml") == 2
    assert "run.toml:2: there is no setting called poolin. Did you mean pooling?" in capsys.readouterr().err


# --- interruptions ---


def _interrupt(at: int) -> Any:
    def see(record: Progress) -> None:
        if record.step == at:
            raise KeyboardInterrupt

    return see


def test_an_interrupted_run_writes_the_best_so_far_at_full_size(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meshstyle.config.image.COARSEST", 40)
    settings = PictureSettings(size=80, iterations=5)
    result = meshstyle.stylize_image("photo.png", "style.png", "out.png", settings, progress=_interrupt(2))
    assert result.interrupted
    assert result.size == read("out.png").shape[:2] == (64, 80)
    with pytest.raises(KeyboardInterrupt):
        meshstyle.stylize_image(
            "photo.png", "style.png", "none.png", settings, progress=_interrupt(2), partial=False
        )
    assert not (folder / "none.png").exists()


def test_the_program_says_that_it_was_interrupted(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("meshstyle.optimize.loop.descend", stop)
    assert main(["image", "photo.png", "-s", "style.png", "-o", "out.png", *TINY]) == 130
    assert "interrupted: this is the best result so far" in capsys.readouterr().err
    assert (folder / "out.png").is_file()
    assert main(["image", "photo.png", "-s", "style.png", "-o", "no.png", "--no-partial", *TINY]) == 130
    assert not (folder / "no.png").exists()


def test_png_holds_texts() -> None:
    buffer = io.BytesIO(encode_png(noise(), {"a": "b"}))
    with Image.open(buffer) as found:
        found.load()
        assert found.text == {"a": "b"}
