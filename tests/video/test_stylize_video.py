"""Films that are painted: bound together, resumed, interrupted, masked. Tiny frames, few steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.films import read_film
from helpers.moving_planes import flow_back, frame, pattern, write_folder

import meshstyle
from meshstyle.config.video import VideoSettings
from meshstyle.errors import UsageError
from meshstyle.io.images import encode_png, read_picture
from meshstyle.progress import Progress
from meshstyle.style.vgg import VGG19
from meshstyle.video import paint_scenes
from meshstyle.video.flow import carried
from meshstyle.video.results import VideoResult
from meshstyle.video.stylize import plan_video

TINY: dict[str, Any] = {"size": 40, "iterations": 2, "frame_steps": 2, "threads": 1, "workers": 1}
ALONE: dict[str, Any] = {"size": 40, "iterations": 2, "threads": 1}  # of `image`, the same
LARGER: dict[str, Any] = {"size": 80, "iterations": 4, "frame_steps": 3}  # enough for motion to be seen


@pytest.fixture(scope="module")
def style(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("style") / "style.png"
    path.write_bytes(encode_png(pattern(64, 64, 7)))
    return path


@pytest.fixture(autouse=True)
def one_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loaded once for all of these tests."""
    plain = paint_scenes.make_network

    def make(weights: Any, settings: Any, *more: Any, **others: Any) -> VGG19:
        if settings.pooling not in _NETWORKS:
            _NETWORKS[settings.pooling] = plain(weights, settings, *more, **others)
        return _NETWORKS[settings.pooling]

    monkeypatch.setattr(paint_scenes, "make_network", make)


_NETWORKS: dict[str, VGG19] = {}


def paint(clip: Path, style: Path, out: Path | str, **more: Any) -> VideoResult:
    return meshstyle.stylize_video(clip, style, out, **{**TINY, **more})


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def pixels(folder: Path) -> list[np.ndarray]:
    return [read_picture(path)[..., :3] for path in sorted(folder.glob("*.png"))]


def apart(frames: list[np.ndarray], gap: int) -> float:
    """Root mean square difference (of 255) from what is carried along the known motion."""
    squares = []
    for number in range(gap, len(frames)):
        flow, seen = flow_back(number, gap)
        before = carried(frames[number - gap].astype(np.float32), flow.astype(np.float32))
        squares.append(np.square(frames[number] - before)[seen])
    return float(np.sqrt(np.concatenate(squares).mean()))


def interrupted_at(frames: int) -> Callable[[Progress], None]:
    def see(record: Progress) -> None:
        if record.stage == "solve" and record.step == frames:
            raise KeyboardInterrupt

    return see


# --- the paint ---


def test_without_consistency_every_frame_is_what_image_makes_of_it(tmp_path: Path, style: Path) -> None:
    clip = write_folder(tmp_path / "clip", 2)
    paint(clip, style, tmp_path / "out", consistency=0, size=80)
    alone = tmp_path / "alone.png"
    meshstyle.stylize_image(clip / "0002.png", style, alone, **{**ALONE, "size": 80})
    np.testing.assert_array_equal(read_picture(tmp_path / "out" / "0002.png"), read_picture(alone))


def test_frames_are_bound_together(tmp_path: Path, style: Path) -> None:
    clip = write_folder(tmp_path / "clip", 5)
    paint(clip, style, tmp_path / "alone", consistency=0, **LARGER)
    paint(clip, style, tmp_path / "bound", **LARGER)
    alone, bound = pixels(tmp_path / "alone"), pixels(tmp_path / "bound")
    np.testing.assert_array_equal(bound[0], alone[0])
    assert apart(bound, 1) < 0.5 * apart(alone, 1)
    assert apart(bound, 4) < 0.7 * apart(alone, 4)
    assert np.abs(bound[4].astype(float) - frame(4)).mean() > 10  # and painted


def test_what_stands_still_does_not_drift(tmp_path: Path, style: Path) -> None:
    clip = write_folder(tmp_path / "clip", 6, still=True)
    paint(clip, style, tmp_path / "out", **LARGER)
    frames = pixels(tmp_path / "out")
    still = slice(48, 64)  # rows below the square
    assert np.abs(frames[5][still].mean((0, 1)) - frames[0][still].mean((0, 1))).max() < 2
    assert np.abs(frames[5][still].astype(float) - frames[0][still]).mean() < 6


def test_a_cut_is_not_bound_across(tmp_path: Path, style: Path) -> None:
    """What follows the cut is what it is without what went before."""
    clip = write_folder(tmp_path / "clip", 2)
    other = tmp_path / "other"
    other.mkdir()
    for number in (3, 4):
        data = encode_png(np.ascontiguousarray(pattern(64, 80, 20 + number // 5)[..., ::-1] // 2))
        (clip / f"{number:04d}.png").write_bytes(data)
        (other / f"{number:04d}.png").write_bytes(data)
    assert paint(clip, style, tmp_path / "both").scenes == 2
    paint(other, style, tmp_path / "alone")
    for name, data in contents(tmp_path / "alone").items():
        assert (tmp_path / "both" / name).read_bytes() == data


def test_workers_paint_scenes_to_the_same_bytes(tmp_path: Path, style: Path) -> None:
    clip = write_folder(tmp_path / "clip", 2)
    for number in (3, 4):
        cut = np.ascontiguousarray(pattern(64, 80, 9)[..., ::-1] // 2)
        (clip / f"{number:04d}.png").write_bytes(encode_png(cut))
    paint(clip, style, tmp_path / "one")
    seen: list[int] = []
    paint(
        clip, style, tmp_path / "two", threads=2, workers=2, progress=lambda record: seen.append(record.step)
    )
    np.testing.assert_array_equal(pixels(tmp_path / "two"), pixels(tmp_path / "one"))
    assert max(seen) == 4


@pytest.mark.parametrize(
    "more",
    [
        {"keep_colors": "luminance"},
        {"keep_colors": "matched"},
        {"strength": 0.5, "style_weights": (2, 1)},
        {"optimizer": "adam", "init": "noise", "style_scale": 0.5},
    ],
)
def test_options_of_image_are_options_of_films(tmp_path: Path, style: Path, more: dict[str, Any]) -> None:
    clip = write_folder(tmp_path / "clip", 2)
    styles = [style, "scream"] if "style_weights" in more else [style]
    meshstyle.stylize_video(clip, styles, tmp_path / "out", **{**TINY, **more})
    meshstyle.stylize_image(clip / "0001.png", styles, tmp_path / "alone.png", **{
        **ALONE, **more
    })  # fmt: skip
    first, second = pixels(tmp_path / "out")
    meshstyle.stylize_image(clip / "0001.png", style, tmp_path / "plain.png", **ALONE)
    apart, without = (
        np.abs(first.astype(int) - read_picture(tmp_path / name)[..., :3]).mean()
        for name in ("alone.png", "plain.png")
    )
    assert apart < 1, "of 255, on average: what gradients' rounding makes of two steps"
    assert without > 5
    assert (first != second).any()


def test_passes_go_back_and_forth(tmp_path: Path, style: Path) -> None:
    clip = write_folder(tmp_path / "clip", 3)
    steps: list[int] = []
    paint(clip, style, tmp_path / "two", passes=2, progress=lambda record: steps.append(record.steps))
    paint(clip, style, tmp_path / "one")
    one, two = pixels(tmp_path / "one"), pixels(tmp_path / "two")
    np.testing.assert_array_equal(one[2], two[2])  # where the second pass begins
    assert (one[0] != two[0]).any()
    assert max(steps) == 6


# --- masks and transparency ---


def test_what_a_mask_leaves_out_stays_to_the_bit(tmp_path: Path, style: Path) -> None:
    clip, mask = write_folder(tmp_path / "clip", 2), tmp_path / "mask"
    mask.mkdir()
    for number in range(2):
        shape = np.zeros((64, 80, 1), np.uint8)
        shape[:, 40 - 8 * number :] = 255
        (mask / f"{number}.png").write_bytes(encode_png(shape))
    paint(clip, style, tmp_path / "out", mask=mask, size=80)
    for number, found in enumerate(pixels(tmp_path / "out")):
        left = 40 - 8 * number
        np.testing.assert_array_equal(found[:, :left], frame(number)[:, :left])
        assert (found[:, left:] != frame(number)[:, left:]).mean() > 0.5


def test_frames_with_nothing_to_paint_are_left_as_they_are(tmp_path: Path, style: Path) -> None:
    """Black ones of a mask, and wholly transparent ones, at the beginning too."""
    clip, mask = tmp_path / "clip", tmp_path / "mask"
    clip.mkdir()
    mask.mkdir()
    for number in range(4):
        shown = np.dstack([frame(number), np.full((64, 80), 0 if number == 0 else 255, np.uint8)])
        (clip / f"{number}.png").write_bytes(encode_png(shown))
        (mask / f"{number}.png").write_bytes(
            encode_png(np.full((64, 80, 1), 0 if number == 2 else 255, np.uint8))
        )
    paint(clip, style, tmp_path / "out", mask=mask, size=80)
    found = [read_picture(path) for path in sorted((tmp_path / "out").iterdir())]
    assert not found[0][..., 3].any()
    np.testing.assert_array_equal(found[2][..., :3], frame(2))
    for number in (1, 3):
        assert (found[number][..., :3] != frame(number)).mean() > 0.5


# --- stopping and going on ---


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(tmp_path: Path, style: Path, stop: int) -> None:
    clip = write_folder(tmp_path / "clip", 4)
    paint(clip, style, tmp_path / "whole", passes=2)
    out = tmp_path / "out"
    stopped = paint(clip, style, out, passes=2, progress=interrupted_at(stop))
    assert stopped.interrupted
    assert stopped.frames == len(stopped.outputs) == min(stop, 4)
    store = tmp_path / "out.frames"
    assert len(list(store.glob("pass-*/*.png"))) == stop
    assert plan_video(clip, style, out, **{**TINY, "passes": 2}).finished == stop
    seen: list[int] = []
    paint(clip, style, out, passes=2, progress=lambda r: seen.append(r.step) if r.stage == "solve" else None)
    assert seen[0] == stop
    assert contents(out) == contents(tmp_path / "whole")
    assert not store.exists()


def test_a_stopped_film_can_be_played_as_far_as_it_is(tmp_path: Path, style: Path) -> None:
    clip = write_folder(tmp_path / "clip", 4)
    result = paint(clip, style, tmp_path / "out.mp4", progress=interrupted_at(2))
    assert (result.interrupted, result.frames) == (True, 2)
    assert len(read_film(tmp_path / "out.mp4")[0]) == 2
    paint(clip, style, tmp_path / "out.mp4")
    assert len(read_film(tmp_path / "out.mp4")[0]) == 4


def test_before_there_is_a_frame_nothing_is_written(tmp_path: Path, style: Path) -> None:
    clip = write_folder(tmp_path / "clip", 2)
    for more in ({"progress": interrupted_at(0)}, {"progress": interrupted_at(1), "partial": False}):
        with pytest.raises(KeyboardInterrupt):
            paint(clip, style, tmp_path / "out.mp4", **more)
        assert not (tmp_path / "out.mp4").exists()
    assert (tmp_path / "out.mp4.frames").exists()  # what is finished is kept


def test_other_settings_begin_anew(tmp_path: Path, style: Path) -> None:
    clip = write_folder(tmp_path / "clip", 2)
    paint(clip, style, tmp_path / "out", progress=interrupted_at(1))
    result = paint(clip, style, tmp_path / "out", seed=1)
    assert "held frames of other settings" in "".join(result.warnings)
    paint(clip, style, tmp_path / "fresh", seed=1)
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


# --- what cannot be done ---


def test_settings_of_films_are_checked() -> None:
    assert VideoSettings(preset="draft").passes_used == 1
    assert [scale.size for scale in VideoSettings(size=512).warm_scales] == [256, 512]
    assert VideoSettings(consistency=0, passes=5).passes_used == 1
    for wrong in ({"passes": 0}, {"consistency": -1.0}, {"codec": "mpeg"}, {"fps": 0.0}, {"save_every": 3}):
        with pytest.raises(UsageError):
            VideoSettings(**wrong)


def test_an_output_that_is_there_may_be_left_alone(tmp_path: Path, style: Path) -> None:
    clip = write_folder(tmp_path / "clip", 1)
    (tmp_path / "out.mp4").write_bytes(b"mine")
    with pytest.raises(meshstyle.OutputError, match="it is there already"):
        paint(clip, style, tmp_path / "out.mp4", overwrite=False)
    for own in (clip, style):
        with pytest.raises(meshstyle.MeshStyleError):
            paint(clip, style, own)
    assert (tmp_path / "out.mp4").read_bytes() == b"mine"
