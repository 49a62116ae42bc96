"""Films and contact sheets, from the command line and from the API."""

from __future__ import annotations

import io
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.gltf_samples import Maker
from helpers.image_difference import difference
from meshstyle.cli.main import main
from PIL import Image, ImageSequence

import meshstyle.preview.draw.choose as choose
import meshstyle.preview.stage as stage
from meshstyle.errors import UsageError
from meshstyle.io.load import load_asset
from meshstyle.preview.draw.backdrop import Backdrop
from meshstyle.preview.film import Film, encode, shared_palette
from meshstyle.preview.page.page import AZIMUTH
from meshstyle.preview.scene.animation import Channel, Poser, slerp
from meshstyle.preview.scene.scene import PreviewScene
from meshstyle.preview.turntable import turntable, wiped
from meshstyle.preview.turntable_settings import TurntableSettings

DATA = Path(__file__).parents[1] / "data"
ALIEN, FOX, TAXI = DATA / "alien" / "alien.glb", DATA / "Fox" / "Fox.glb", DATA / "car_taxi" / "car_taxi.gltf"
SMALL = {"size": "48", "renderer": "rays", "shadow": False}


def frames_of(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.stack([np.array(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)])


def moving_dot(count: int = 6) -> list[np.ndarray]:
    """A white dot that moves over a grey gradient."""
    gradient = np.tile(np.linspace(40, 200, 64)[:, None, None], (1, 64, 3)).astype(np.uint8)
    frames = [gradient.copy() for _ in range(count)]
    for k, frame in enumerate(frames):
        frame[28:36, 8 * k : 8 * k + 8] = 255
    return frames


@pytest.mark.parametrize(("suffix", "options"), [(".png", {}), (".webp", {"lossless": True})])
def test_lossless_films_hold_every_pixel(suffix: str, options: dict[str, bool]) -> None:
    frames = moving_dot()
    data = encode(Film(frames, 10.0), suffix, **options)
    np.testing.assert_array_equal(frames_of(data), frames)
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["loop"] == 0
        for frame in ImageSequence.Iterator(image):
            frame.load()
            assert frame.info["duration"] == 100


def test_transparent_films_keep_their_alpha() -> None:
    frames = [
        np.dstack([frame, np.full((64, 64), 60 * k, np.uint8)]) for k, frame in enumerate(moving_dot(4))
    ]
    for suffix in (".png", ".webp"):
        data = encode(Film(frames, 10.0), suffix, lossless=True)
        with Image.open(io.BytesIO(data)) as image:
            found = [np.array(frame.convert("RGBA"))[0, 0, 3] for frame in ImageSequence.Iterator(image)]
        assert found == [0, 60, 120, 180]
    for frame in frames:
        frame[:, :32, 3] = 255
    with Image.open(io.BytesIO(encode(Film(frames, 10.0), ".gif"))) as image:
        found = [np.array(frame.convert("RGBA"))[0, 63, 3] for frame in ImageSequence.Iterator(image)]
    assert found == [0, 0, 0, 255]


def test_gif_does_not_flicker() -> None:
    frames = moving_dot()
    data = encode(Film(frames, 15.0), ".gif")
    found = frames_of(data)
    assert len(found) == 6
    still = np.ones((64, 64), bool)
    still[28:36] = False
    assert (found[:, still] == found[0, still]).all()
    assert np.abs(found.astype(int) - frames).max() < 16
    with Image.open(io.BytesIO(data)) as image:
        steps = [frame.info["duration"] for frame in ImageSequence.Iterator(image)]
    assert sum(steps) == 400
    assert set(steps) == {60, 70}


def test_a_large_background_does_not_take_the_palette() -> None:
    """A small rainbow on a wide gradient: its colours are met within a few levels."""
    gradient = np.tile(np.linspace(100, 200, 400)[:, None, None], (1, 400, 3)).astype(np.uint8)
    rainbow = np.array(
        Image.fromarray(
            np.stack([np.arange(256), *[np.full(256, 255)] * 2], -1)[None].astype(np.uint8), "HSV"
        ).convert("RGB")
    )
    gradient[:1, :256] = rainbow
    palette = shared_palette([gradient], 255)
    nearest = np.array(
        Image.fromarray(rainbow).quantize(palette=palette, dither=Image.Dither.NONE).convert("RGB")
    )
    assert np.abs(nearest.astype(int) - rainbow).mean() < 8


def test_mp4_plays_in_browsers(tmp_path: Path) -> None:
    frames = [np.pad(frame, ((0, 1), (0, 1), (0, 0)), mode="edge") for frame in moving_dot()]  # 65 × 65
    data = encode(Film(frames, 12.0), ".mp4")
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.average_rate) == (66, 66, 12)
        decoded = [frame.to_ndarray(format="rgb24")[:65, :65] for frame in container.decode(video=0)]
    assert np.abs(np.stack(decoded).astype(int) - frames).mean() < 4


def test_a_turn_is_seamless_and_goes_all_the_way_round(tmp_path: Path) -> None:
    result = turntable(ALIEN, tmp_path / "a.png", TurntableSettings(frames=12, background="white", **SMALL))
    assert (result.frames, result.fps, result.renderer, result.size) == (12, 15.0, "rays", (48, 48))
    frames = frames_of(result.output.read_bytes()).astype(int)
    assert frames.shape == (12, 48, 48, 3)
    assert (frames[:, 0, 0] == 255).all()
    steps = [np.abs(frames[k] - frames[k - 1]).mean() for k in range(12)]
    assert min(steps) > 0
    assert steps[0] < 1.5 * max(steps[1:])
    assert np.abs(frames[0] - frames[6]).mean() > np.median(steps) / 2


def test_comparing(tmp_path: Path) -> None:
    settings = TurntableSettings(frames=4, background="white", **SMALL)
    beside = frames_of(turntable(ALIEN, tmp_path / "b.png", settings, compare=TAXI).output.read_bytes())
    assert beside.shape == (4, 48, 96, 3)
    same = frames_of(turntable(ALIEN, tmp_path / "s.png", settings, compare=ALIEN).output.read_bytes())
    np.testing.assert_array_equal(same[:, :, :48], same[:, :, 48:])


def test_wiping_slides_from_one_to_the_other() -> None:
    before, after = np.zeros((4, 20, 3), np.uint8), np.full((4, 20, 3), 100, np.uint8)
    np.testing.assert_array_equal(wiped(before, after, 0.0), before)
    np.testing.assert_array_equal(wiped(before, after, 1.0), after)
    np.testing.assert_array_equal(wiped(before, after, 0.5)[0, :, 0], [100] * 8 + [255] * 4 + [0] * 8)


def test_contact_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "sheet.png"
    arguments = [
        "turntable",
        str(ALIEN),
        "-o",
        str(out),
        "--sheet",
        "2x3",
        "--size",
        "40x32",
        "--renderer",
        "rays",
    ]
    assert main([*arguments, "--json", "-q"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["renderer"], answer["frames"], answer["size"]) == ("rays", 6, [120, 64])
    with Image.open(out) as image:
        assert image.size == (120, 64)
        cells = np.array(image).reshape(2, 32, 3, 40, 3).swapaxes(1, 2).reshape(6, -1).astype(int)
    assert min(np.abs(cells[i] - cells[j]).mean() for i in range(6) for j in range(i)) > 0.5


def test_pages_hold_both_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "page.html"
    line = ["turntable", str(ALIEN), "--compare", str(TAXI), "--start", "90", "--elevation", "-10"]
    assert main([*line, "-o", str(out), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["renderer"], answer["output"]) == ("browser", str(out))
    text = out.read_text()
    assert "model-before" in text
    assert "model-after" in text
    setup = json.loads(re.search(r'id="setup">(.*?)</script>', text).group(1))
    assert setup["azimuth"] == pytest.approx(AZIMUTH + math.pi / 2)
    assert setup["elevation"] == pytest.approx(math.radians(-10))
    assert main(["turntable", str(FOX), "--animation", "Run", "-o", str(out), "-q"]) == 2


def test_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "a.gif"
    assert main(["turntable", str(ALIEN), "-o", str(out), "--dry-run", "--json", "--renderer", "rays"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["output"], answer["frames"], answer["size"]) == (str(out), 60, [512, 512])
    assert not out.parent.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "subject"),
    [
        (["-o", "a.gif", "--frames", "0"], 2, "--frames"),
        (["-o", "a.gif", "--size", "0"], 2, "--size"),
        (["-o", "a.gif", "--size", "100000"], 2, "--size"),
        (["-o", "a.gif", "--size", "4000", "--frames", "200"], 2, "--size"),
        (["-o", "a.gif", "--size", "wide"], 2, "--size"),
        (["-o", "a.gif", "--frames", "3", "--seconds", "1", "--fps", "50"], 2, "--fps"),
        (["-o", "a.gif", "--fps", "100"], 2, "--fps"),
        (["-o", "a.gif", "--elevation", "100"], 2, "--elevation"),
        (["-o", "a.gif", "--start", "1e9"], 2, "--start"),
        (["-o", "a.gif", "--background", "blurple"], 2, "--background"),
        (["-o", "a.gif", "--renderer", "vulkan"], 2, "--renderer"),
        (["-o", "a.gif", "--sheet", "2x2"], 2, "a.gif"),
        (["-o", "a.jpg"], 2, "a.jpg"),
        (["-o", "a.avi"], 2, "a.avi"),
        (["-o", "a.html", "--sheet", "2x2"], 2, "a.html"),
        (["-o", "a"], 2, "a"),
        (["-o", "a.mp4", "--background", "transparent"], 2, "--background"),
        (["-o", "a.gif", "--wipe"], 2, "--wipe"),
        (["-o", "a.png", "--sheet", "2by2"], 2, "--sheet"),
        (["-o", "a.gif", "--animation", "Dance", "--renderer", "rays"], 2, "--animation"),
        (["-o", "a.gif", "--compare", "nothing.glb"], 3, "nothing.glb"),
        (["-o", "/dev/null/a.gif", "--renderer", "rays"], 3, "/dev/null/a.gif"),
    ],
)
def test_mistakes_take_one_line(
    arguments: list[str],
    code: int,
    subject: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["turntable", str(FOX), *arguments, "-q"]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {subject}: ")
    assert not list(tmp_path.iterdir())


def test_a_missing_codec_names_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert main(["turntable", str(ALIEN), "-o", str(tmp_path / "a.mp4"), "-q"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "pip install 'meshstyle[video]'" in line


def test_damaged_models_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("val_glb_truncated_chunk_data", "val_buffer_not_found"):
        (model,) = [path for path in (DATA / "broken" / name).iterdir() if path.suffix in (".glb", ".gltf")]
        assert main(["turntable", str(model), "-o", str(tmp_path / "a.gif"), "--renderer", "rays", "-q"]) == 3
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_without_opengl_rays_draw_and_say_so(tmp_path: Path) -> None:
    """In a process of its own, in which OpenGL's bindings cannot be imported."""
    hidden = tmp_path / "hidden" / "OpenGL"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('no OpenGL here')")
    out = tmp_path / "a.png"
    command = [sys.executable, "-m", "meshstyle", "turntable", str(ALIEN), "-o", str(out), "--frames", "2"]
    paths = [str(hidden.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [*command, "--size", "48", "--background", "white", "--json"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["renderer"] == "rays"
    assert "no OpenGL" in answer["warnings"][0]
    assert "drawn by rays" in done.stderr
    settings = TurntableSettings(frames=2, size="48", background="white")
    with_gl = turntable(ALIEN, tmp_path / "b.png", settings)
    assert with_gl.renderer in choose.PLATFORMS
    difference = np.abs(frames_of(out.read_bytes()).astype(int) - frames_of(with_gl.output.read_bytes()))
    assert difference.mean() < 2


def test_osmesa_draws_what_the_others_draw(tmp_path: Path) -> None:
    """In a process of its own: OpenGL keeps the platform that it began with."""
    clear = {"frames": 3, "size": "96", "background": "transparent", "shadow": False}
    line = [
        "turntable",
        str(TAXI),
        "-o",
        str(tmp_path / "osmesa.png"),
        "--renderer",
        "osmesa",
        "--json",
        "-q",
    ]
    options = ["--frames", "3", "--size", "96", "--background", "transparent", "--no-shadow"]
    done = subprocess.run(
        [sys.executable, "-m", "meshstyle", *line, *options], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["renderer"] == "osmesa"
    for renderer in ("egl", "rays"):
        settings = TurntableSettings(renderer=renderer, **clear)
        other = turntable(TAXI, tmp_path / f"{renderer}.png", settings)
        assert other.renderer == renderer
        with Image.open(tmp_path / "osmesa.png") as ours, Image.open(other.output) as theirs:
            for number in range(3):
                ours.seek(number)
                theirs.seek(number)
                pair = (np.asarray(film.convert("RGBA")).astype(float) for film in (ours, theirs))
                assert difference(*pair) <= 3


def test_a_film_begins_where_it_is_told(tmp_path: Path) -> None:
    """A quarter further is the next of four pictures, or the one before: the camera goes the other way round."""
    films = {
        start: frames_of(
            turntable(
                ALIEN, tmp_path / f"{start}.png", TurntableSettings(frames=4, start=start, **SMALL)
            ).output.read_bytes()
        ).astype(int)
        for start in (0.0, 90.0, 180.0)
    }
    for start, turned in ((90.0, 1), (180.0, 2)):
        assert np.abs(films[start] - np.roll(films[0.0], turned, axis=0)).max() <= 3
        assert np.abs(films[start] - films[0.0]).mean() > 0.5


def test_a_driver_that_fails_gives_place_to_rays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = choose.make_renderer

    def failing(name: str, *more: object) -> object:
        if name != "rays":
            raise RuntimeError("out of video memory")
        return make(name, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(stage, "make_renderer", failing)
    settings = TurntableSettings(frames=1, size="32", shadow=False)
    result = turntable(ALIEN, tmp_path / "a.gif", settings)
    assert result.renderer == "rays"
    assert "out of video memory" in result.warnings[0]


def test_a_platform_that_is_not_there_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "try_platform", lambda name: choose.Trial(name, error="no such library"))
    with pytest.raises(UsageError, match="egl does not work here"):
        choose.choose_renderer("egl")
    assert choose.choose_renderer("auto")[0] == "rays"


def test_a_crash_while_trying_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    monkeypatch.setattr(choose, "try_platform", choose.try_platform.__wrapped__)
    monkeypatch.delitem(sys.modules, "OpenGL.GL", raising=False)
    assert "failed (exit status" in choose.try_platform("egl").error


def test_backdrops_are_worked_out_by_hand() -> None:
    """A half transparent red pixel (premultiplied) before white, in half a shadow."""
    picture = np.array([[[100, 0, 0, 128]]], np.uint8)
    shadow = np.array([[0.5]], np.float32)
    room = 127 / 255
    opaque = Backdrop("white", (1, 1)).compose(picture, shadow)
    np.testing.assert_allclose(opaque[0, 0], [100 + room * 127.5, room * 127.5, room * 127.5], atol=1)
    clear = Backdrop("transparent", (1, 1)).compose(picture, shadow)
    alpha = 128 / 255 + room * 0.5
    np.testing.assert_allclose(clear[0, 0], [100 / alpha, 0, 0, alpha * 255], atol=1)


def channel(path: str, interpolation: str, values: object) -> Channel:
    array = np.array(values, np.float64)
    return Channel(0, path, interpolation, np.array([1.0, 3.0]), array)


def test_channels_are_worked_out_by_hand() -> None:
    line = channel("translation", "LINEAR", [[[0.0, 0, 0]], [[4.0, 2, 0]]])
    assert [line.at(t).tolist() for t in (0.0, 1.5, 9.0)] == [[0, 0, 0], [1, 0.5, 0], [4, 2, 0]]
    step = channel("scale", "STEP", [[[1.0, 1, 1]], [[2.0, 2, 2]]])
    assert [step.at(t)[0] for t in (1.0, 2.99, 3.0)] == [1, 1, 2]
    # Hermite: values 0 and 1, tangents 0 at half time give ½; tangents of 1 a second add (out − in)·2/8.
    cubic = channel("weights", "CUBICSPLINE", [[[0.0], [0.0], [1.0]], [[0.0], [1.0], [0.0]]])
    assert cubic.at(2.0)[0] == pytest.approx(0.5 + 2 / 8)
    quarter = slerp(np.array([0.0, 0, 0, 1]), np.array([0.0, 0, -1, 0]), 0.5)  # half of half a turn
    np.testing.assert_allclose(np.abs(quarter), [0, 0, np.sqrt(0.5), np.sqrt(0.5)])


def test_nodes_skins_and_morph_targets_play(tmp_path: Path) -> None:
    fox = load_asset(FOX)
    run = Poser(fox, "Run")
    (at_rest,), (begin,), (later,) = fox.parts, run.pose(0.0), run.pose(run.seconds / 2)
    assert begin.corners.shape == at_rest.corners.shape
    assert np.abs(later.corners - begin.corners).max() > 5
    maker = Maker()
    target = {"POSITION": maker.accessor(np.tile(np.array([[0, 0, 1]], "<f4"), (4, 1)))}
    maker.mesh(maker.square(targets=[target]), weights=[0.0])
    times, grow = maker.accessor(np.array([0, 1], "<f4")), maker.accessor(np.array([0, 2], "<f4"))
    move = maker.accessor(np.array([[0, 0, 0], [5, 0, 0]], "<f4"))
    samplers = [{"input": times, "output": grow}, {"input": times, "output": move}]
    channels = [
        {"sampler": 0, "target": {"node": 0, "path": "weights"}},
        {"sampler": 1, "target": {"node": 0, "path": "translation"}},
    ]
    maker.add("animations", {"name": "both", "samplers": samplers, "channels": channels})
    asset = load_asset(maker.glb(tmp_path / "moving.glb"))
    (posed,) = Poser(asset, "both").pose(0.5)
    np.testing.assert_allclose(
        posed.corners - asset.parts[0].corners, np.broadcast_to([2.5, 0, 1], (1, 2, 3, 3))
    )


def test_an_animation_moves_the_film(tmp_path: Path) -> None:
    settings = TurntableSettings(frames=4, animation="Run", background="white", **SMALL)
    running = frames_of(turntable(FOX, tmp_path / "a.png", settings).output.read_bytes())
    assert running.shape == (4, 48, 48, 3)
    scene = PreviewScene(load_asset(FOX))
    assert len(scene.posed(Poser(scene.asset, "Run").pose(0.2))) == len(scene.shapes)


def test_frames_seconds_and_speed() -> None:
    assert TurntableSettings().timing == (60, 15.0)
    assert TurntableSettings(frames=30).timing == (30, 15.0)
    assert TurntableSettings(seconds=2, fps=10).timing == (20, 10.0)
    assert TurntableSettings(frames=20, seconds=4).timing == (20, 5.0)
    assert TurntableSettings(seconds=4).timing == (60, 15.0)
    assert TurntableSettings(sheet="2x4").timing[0] == 8


def test_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["torch"]["works"]
    assert found["weights"]["works"]
    assert found["renderers"]["rays"]["works"]
    assert found["renderer"] in found["renderers"]
    assert found["extras"]["video"]["works"]
    assert 0 <= found["spare"] < found["installed"]
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "renderer rays" in out
    assert "torch and what it brings take " in out
