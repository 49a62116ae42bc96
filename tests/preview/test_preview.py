"""`stylize --preview` and `grid`: what is written, when, and what it may cost."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from helpers.compressed_gltf import textured
from helpers.gltf_compare import Gltf
from meshstyle.cli.main import BAD_INPUT, DONE, WRONG_USAGE, main
from PIL import Image

import meshstyle
from meshstyle.bundled import find_style
from meshstyle.config.model import Scale, Settings
from meshstyle.io.load import load_asset
from meshstyle.io.save import save_asset
from meshstyle.io.types import Paint, PaintedAtlas
from meshstyle.prepare import prepare
from meshstyle.preview.live import live as live_module
from meshstyle.preview.live.live import INTERVAL, SHARE, Run
from meshstyle.preview.live.model import SIZE, ModelPreview
from meshstyle.preview.page.curves import curve
from meshstyle.preview.page.glb import glb_bytes
from meshstyle.preview.page.html import document, json_block
from meshstyle.preview.page.page import direction
from meshstyle.preview.page.templates import text
from meshstyle.preview.painted_asset import ModelViews, PaintedAsset, framing
from meshstyle.progress import Progress, ignore
from meshstyle.style_grid import make_grid
from meshstyle.views.cameras import camera_towards_centre
from meshstyle.views.reference_renderer import Renderer

DATA = Path(__file__).parents[1] / "data"
FOX, ALIEN = DATA / "Fox" / "Fox.glb", DATA / "alien" / "alien.glb"
SMALL = {"preset": "draft", "views": 4, "texture_size": 64, "threads": 1}
RECORD = {"style": "scream", "settings": {"strength": 1.0}}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "scales", property(lambda _: (Scale(64, 3),)))


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at every step."""
    monkeypatch.setattr(live_module, "INTERVAL", 0.0)
    monkeypatch.setattr(live_module, "SHARE", 1e9)


class Clock:
    """Time that only passes when told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


# Looking


def test_looking_takes_its_share_of_time_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks that cost 2 s each, one record every half second: 33 s must pass for each of them."""
    clock = Clock()
    run = Run((FOX,), tmp_path / "o.glb", (find_style("scream"),), RECORD)
    preview = ModelPreview(tmp_path / "a.png", run, clock)
    looked: list[float] = []

    def look(_: Progress) -> None:
        looked.append(clock.now)
        clock.now += 2.0

    monkeypatch.setattr(preview, "_look", look)
    monkeypatch.setattr(preview, "_subject", "there is one")
    watch = preview.watching(ignore)
    began = clock.now
    while clock.now < began + 600:
        clock.now += 0.5
        watch(Progress("solve", 1, 9, 1.0, paint=list))
        spent = 2.0 * len(looked)
        assert len(looked) <= 1 or spent <= SHARE * (looked[-1] + 2 - began) + 1e-9 + 0.06
    assert looked[0] - began == pytest.approx(max(INTERVAL, live_module._FIRST / SHARE), abs=0.51)
    assert 8 <= len(looked) <= 9
    assert min(np.diff(looked)) > 33


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("suffix", ["html", "png"])
def test_a_run_is_followed_to_its_end(suffix: str, tmp_path: Path) -> None:
    preview, seen = tmp_path / f"look.{suffix}", []

    def watch(record: Progress) -> None:
        if record.stage == "bake" or (record.stage == "solve" and record.step == 2):
            seen.append(preview.read_bytes())

    result = meshstyle.stylize(FOX, "scream", tmp_path / "o.glb", progress=watch, preview=preview, **SMALL)
    assert result.warnings == load_asset(FOX).warnings
    assert {path.name for path in tmp_path.iterdir()} == {"o.glb", preview.name}
    final = preview.read_bytes()
    assert len({*seen, final}) == 3
    if suffix == "png":
        sheet = np.asarray(Image.open(preview).convert("RGB")).astype(float)
        assert sheet.shape == (2 * SIZE, 3 * SIZE, 3)
        before, after = np.split(sheet, 2)
        changed = np.abs(before - after).max(2) > 8
        assert 0.02 < changed.mean() < 0.6  # the model, not what is behind it
        return
    assert all(b"step 1 of 3" in page or b"step 3 of 3" in page for page in seen)
    assert all(b'http-equiv="refresh"' in page for page in seen)
    assert all(page.count(b"<figure>") == 6 for page in seen)
    assert b'http-equiv="refresh"' not in final
    assert b'id="model-before"' in final
    assert final.count(b"<svg") == 4
    assert f"<td>{result.style_loss:.4g}</td>".encode() in final


def test_a_picture_of_a_run_that_paints_nothing(tmp_path: Path) -> None:
    preview = tmp_path / "look.png"
    meshstyle.stylize(FOX, "scream", tmp_path / "o.glb", preview=preview, strength=0.0, **SMALL)
    before, after = np.split(np.asarray(Image.open(preview)), 2)
    assert np.array_equal(before, after)
    assert before.std() > 10


@pytest.mark.usefixtures("eager")
def test_trouble_with_the_preview_is_only_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    told: list[str] = []
    monkeypatch.setattr(live_module.LivePreview, "_look", full)
    result = meshstyle.stylize(
        FOX,
        "scream",
        tmp_path / "o.glb",
        progress=lambda record: told.append(record.message),
        preview=tmp_path / "look.html",
        **SMALL,
    )
    assert result.outputs[0].is_file()
    assert len(result.warnings) == 1
    assert "No space left on device" in result.warnings[0]
    assert told.count(result.warnings[0]) == 1


def test_a_run_that_fails_leaves_a_page_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("meshstyle.stylize_model.paint", broken)
    preview = tmp_path / "look.html"
    with pytest.raises(RuntimeError, match="a bug"):
        meshstyle.stylize(FOX, "scream", tmp_path / "o.glb", preview=preview, **SMALL)
    assert "stopped" in preview.read_text()
    assert "refresh" not in preview.read_text()


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("look.gif", WRONG_USAGE),
        ("o.glb", WRONG_USAGE),
        ("file/look.html", BAD_INPUT),
        ("folder.html", BAD_INPUT),
    ],
)
def test_a_place_that_will_not_do_is_told_before_the_run(
    name: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.html").mkdir()
    line = ["stylize", str(FOX), "-s", "scream", "-o", str(tmp_path / "o.glb")]
    assert main([*line, "--preview", str(tmp_path / name)]) == code
    (said,) = capsys.readouterr().err.splitlines()
    assert name in said
    assert not (tmp_path / "o.glb").exists()


def test_the_input_is_never_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    style = tmp_path / "style.png"
    Image.fromarray(np.full((32, 32, 3), 90, np.uint8)).save(style)
    before = style.read_bytes()
    line = ["stylize", str(FOX), "-s", str(style), "-o", str(tmp_path / "o.glb"), "--preview", str(style)]
    assert main(line) == BAD_INPUT
    assert style.read_bytes() == before
    assert "never overwritten" in capsys.readouterr().err


def test_a_texture_of_the_model_is_never_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spot = Path(__file__).parents[2] / "assets" / "models" / "spot"
    for path in spot.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    texture = tmp_path / "spot_texture.png"
    line = ["stylize", str(tmp_path / "spot.obj"), "-s", "scream", "-o", str(tmp_path / "o.glb"), "-q"]
    assert main([*line, "--views", "4", "--preview", str(texture)]) == BAD_INPUT
    assert texture.read_bytes() == (spot / "spot_texture.png").read_bytes()
    assert "never overwritten" in capsys.readouterr().err


# Painted models


@pytest.mark.parametrize(("model", "uv"), [(FOX, "keep"), (ALIEN, "unwrap")], ids=["keep", "unwrap"])
def test_a_painted_model_looks_as_the_file_will(model: Path, uv: str, tmp_path: Path) -> None:
    """What is shown without a file is what the file that was written shows."""
    settings = Settings(uv=uv, **{**SMALL, "texture_size": 256})
    scene = prepare(model, settings, ignore)
    images = [
        np.random.default_rng(0).integers(0, 256, (*atlas.owner.shape, 3), np.uint8)
        for atlas in scene.surface.atlases
    ]
    atlases = tuple(PaintedAtlas(f"a{i}", image) for i, image in enumerate(images))
    out = tmp_path / "o.glb"
    save_asset(scene.asset, out, Paint(atlases, scene.surface.painted))
    camera = camera_towards_centre(direction(), 64)
    views = [
        Renderer(asset).render(camera, 2, frame=(64, 64))
        for asset in (load_asset(out), PaintedAsset(scene.asset, scene.surface.painted, images))
    ]
    assert np.abs(views[0].colour - views[1].colour).mean() < 1e-3
    looks = ModelViews(scene.asset, scene.surface, direction()[None], 64)
    own = [atlas.start for atlas in scene.surface.atlases]
    (before,), (same,) = looks.original(), looks.painted(own)
    assert np.abs(before.astype(float) - same).mean() < 2


def test_textures_that_browsers_cannot_decode_become_png(tmp_path: Path) -> None:
    image = (DATA / "variants" / "2d_etc1s.ktx2").read_bytes()
    model = textured(image, "image/ktx2", "KHR_texture_basisu").glb(tmp_path / "in.glb")
    (tmp_path / "out.glb").write_bytes(glb_bytes(load_asset(model)))
    before, after = load_asset(model), load_asset(tmp_path / "out.glb")
    assert np.array_equal(
        before.image(before.materials[0].image or 0), after.image(after.materials[0].image or 0)
    )
    plain = Gltf(tmp_path / "out.glb").json
    assert plain["images"][0]["mimeType"] == "image/png"
    assert "extensionsUsed" not in plain
    assert "extensionsRequired" not in plain


def test_models_fill_the_picture_and_are_not_cut_off() -> None:
    """A flat cross that is 2 wide and 0.2 high, from two sides: from one of them it is seen edge-on."""
    points = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 0.1, 0], [0, -0.1, 0]])
    cameras = framing(points, np.array([[0.0, 0, 1], [1, 0, 0]]), 100)
    reach = [np.abs(camera.project(points)).max() for camera in cameras]
    assert max(reach) == pytest.approx(46)  # pixels from the middle: 0.92 of half the side
    assert cameras[0].pitch == cameras[1].pitch
    assert reach[1] < 46


# Pages


def test_text_never_becomes_markup() -> None:
    hostile = "</script><b onclick='x'>\"&"
    assert text(hostile) == "&lt;/script&gt;&lt;b onclick=&#39;x&#39;&gt;&#34;&amp;"
    block = json_block("setup", {"name": hostile})
    assert block.count("<") == 2
    assert json.loads(re.search(r">(.*)<", block).group(1)) == {"name": hostile}
    assert "<b onclick" not in document(hostile, "")
    with pytest.raises(ValueError, match="end its own element"):
        document("", "", ["let a = '</script>'"])


def test_curves() -> None:
    """Four values, running mean over two: 8, 6, 3, 1.5. The plain line ends at 1.5."""
    drawn = curve("Loss <1>", [8.0, 4.0, 2.0, 1.0], smooth=2)
    assert "Loss &lt;1&gt;" in drawn
    assert "1.5 after 4 steps" in drawn
    first, second = re.findall(r'points="([^"]*)"', drawn)
    heights = [float(point.split(",")[1]) for point in first.split()]
    assert heights == sorted(heights)  # falling values go down the page
    assert first.split()[0] == second.split()[0] == "6.0,6.0"
    assert "logarithmic" in curve("", [100.0, 1.0])
    assert curve("", [1.0]) == curve("", [float("nan")] * 9) == ""


# Grids


def test_a_grid_has_a_row_for_each_style_and_a_column_for_each_strength(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "grid.png"
    line = ["grid", str(FOX), "-s", "scream", "--style", "starry-night", "--strength", "0,1", "-o", str(out)]
    small = ["--views", "4", "--texture-size", "64", "--threads", "1", "--size", "96", "--json", "-q"]
    assert main([*line, *small]) == DONE
    told = json.loads(capsys.readouterr().out)
    assert [(cell["style"], cell["strength"]) for cell in told["cells"]] == [
        ("scream", 0),
        ("scream", 1),
        ("starry-night", 0),
        ("starry-night", 1),
    ]
    sheet = np.asarray(Image.open(out).convert("RGB")).astype(float)
    assert list(sheet.shape[:2]) == told["size"] == [48 + 2 * 102, 48 + 2 * 102]
    cells = [[sheet[54 + 102 * i :, 54 + 102 * j :][:96, :96] for j in (0, 1)] for i in (0, 1)]
    (plain, first), (again, second) = cells
    assert np.array_equal(plain, again)
    assert plain.std() > 10
    for one, other in ((plain, first), (plain, second), (first, second)):
        assert np.abs(one - other).mean() > 1
    assert sheet[:48, :48].std() > 5  # the original in the corner
    assert list(tmp_path.iterdir()) == [out]


def test_an_interrupted_grid_keeps_the_cells_that_are_done(tmp_path: Path) -> None:
    def stop(record: Progress) -> None:
        if record.stage == "solve" and record.step == 2:
            raise KeyboardInterrupt

    settings = Settings(**SMALL)
    made = make_grid(FOX, ["scream"], tmp_path / "g.png", [0.0, 1.0], settings, 64, stop)
    assert made.interrupted
    assert [cell.strength for cell in made.cells] == [0.0]
    assert (tmp_path / "g.png").is_file()
    with pytest.raises(KeyboardInterrupt):
        make_grid(FOX, ["scream"], tmp_path / "h.png", [1.0], settings, 64, stop)
    assert not (tmp_path / "h.png").exists()


@pytest.mark.parametrize(
    ("more", "subject"),
    [
        (["-s", "scream", "--strength", "0.3;1"], "--strength"),
        (["-s", "scream", "--strength", "2"], "--strength"),
        (["-s", "scream", "--strength", ","], "--strength"),
        (["-s", "scream", "--size", "9"], "--size"),
        (["-s", "scream", "-o", "x.gif"], "x.gif"),
        ([], "--style"),
    ],
)
def test_a_grid_of_nonsense_is_refused(
    more: list[str], subject: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["grid", str(FOX), *more]) == WRONG_USAGE
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"error: {subject}: ")
