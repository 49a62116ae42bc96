"""Films that are written: kinds, times, sound, colors. No paint: strength 0 is the clip itself."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from helpers.films import read_film, sound_packets, write_film
from helpers.moving_planes import frame, write_folder
from PIL import Image

from meshstyle.errors import OutputError, UsageError
from meshstyle.io.images import encode_png, read_picture
from meshstyle.video.results import VideoResult
from meshstyle.video.stylize import stylize_video

SHOTS = [frame(number) for number in range(6)]


def unpainted(clip: Path, out: Path | str, **more: Any) -> VideoResult:
    return stylize_video(clip, "scream", out, strength=0, **more)


def error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found.astype(float) - expected).mean())


@pytest.mark.parametrize(
    ("name", "codec", "expected"),
    [
        ("out.mp4", "auto", "h264"),
        ("out.mov", "auto", "h264"),
        ("out.mkv", "av1", "av1"),
        ("out.webm", "auto", "vp9"),
        ("out.mp4", "vp9", "vp9"),
    ],
)
def test_kinds_of_films(tmp_path: Path, name: str, codec: str, expected: str) -> None:
    clip = write_folder(tmp_path / "clip", 6)
    result = unpainted(clip, tmp_path / name, codec=codec, fps=12.5)
    assert result.outputs == (tmp_path / name,)
    assert result.frames == 6
    with av.open(str(tmp_path / name)) as container:
        stream = container.streams.video[0]
        found = (stream.codec_context.name.removeprefix("lib").split("d")[0], stream.pix_fmt)
        tags = stream.codec_context
        assert found[1] == "yuv420p"
        assert expected[:3] in stream.codec_context.name
        assert (tags.color_primaries, tags.color_trc, tags.colorspace, tags.color_range) == (1, 1, 1, 1)
        assert float(container.duration) / 1e6 == pytest.approx(6 / 12.5, abs=0.03)
    frames, times = read_film(tmp_path / name)
    assert times == pytest.approx([number / 12.5 for number in range(6)], abs=0.002)
    for number in (0, 5):
        assert error(frames[number], SHOTS[number]) < 25  # 4:2:0 loses color
        assert int(np.argmin([error(frames[number], shot) for shot in SHOTS])) == number


def test_a_gif_has_the_frames_and_their_times(tmp_path: Path) -> None:
    clip = write_film(
        tmp_path / "clip.mkv", SHOTS[:3], times=[0, 100, 400], unit=Fraction(1, 1000), pix_fmt="yuv444p"
    )
    unpainted(clip, tmp_path / "out.gif")
    with Image.open(tmp_path / "out.gif") as picture:
        assert picture.n_frames == 3
        durations = []
        for number in range(3):
            picture.seek(number)
            durations.append(picture.info["duration"])
            assert error(np.asarray(picture.convert("RGB")), SHOTS[number]) < 15
    assert durations[:2] == [100, 300]


@pytest.mark.parametrize("shape", [(63, 79), (64, 79), (17, 1)])
def test_odd_sides_get_one_more(tmp_path: Path, shape: tuple[int, int]) -> None:
    (tmp_path / "clip").mkdir()
    pixels = np.full((*shape, 3), (30, 120, 200), np.uint8)
    for number in range(2):
        (tmp_path / "clip" / f"{number}.png").write_bytes(encode_png(pixels))
    unpainted(tmp_path / "clip", tmp_path / "out.mp4")
    (found, _), _ = read_film(tmp_path / "out.mp4")
    assert found.shape == (shape[0] + shape[0] % 2, shape[1] + shape[1] % 2, 3)
    assert error(found, pixels[0, 0]) < 4
    unpainted(tmp_path / "clip", tmp_path / "out")
    np.testing.assert_array_equal(read_picture(tmp_path / "out" / "0.png")[..., :3], pixels)


def test_a_variable_rate_and_its_length_are_kept(tmp_path: Path) -> None:
    times = [0, 40, 100, 130, 500, 540]
    clip = write_film(tmp_path / "clip.mkv", SHOTS, times=times, unit=Fraction(1, 1000))
    unpainted(clip, tmp_path / "out.mp4")
    assert [round(time * 1000) for time in read_film(tmp_path / "out.mp4")[1]] == times


@pytest.mark.parametrize(("source", "target"), [(".mp4", ".mp4"), (".mp4", ".mkv"), (".webm", ".webm")])
def test_sound_is_copied_packet_by_packet(tmp_path: Path, source: str, target: str) -> None:
    codec = "libvpx-vp9" if source == ".webm" else "libx264"
    clip = write_film(tmp_path / f"clip{source}", [frame(n % 12) for n in range(20)], codec, sound=True)
    result = unpainted(clip, tmp_path / f"out{target}")
    assert not result.warnings
    packets = sound_packets(tmp_path / f"out{target}")
    assert len(packets) > 10
    assert packets == sound_packets(clip)[: len(packets)]
    with av.open(str(tmp_path / f"out{target}")) as container:
        starts = [float(stream.start_time * stream.time_base) for stream in container.streams]
    assert abs(starts[0] - starts[1]) < 0.06


def test_sound_that_a_film_cannot_hold_is_told_of(tmp_path: Path) -> None:
    clip = write_film(tmp_path / "clip.mp4", SHOTS, sound=True)
    result = unpainted(clip, tmp_path / "out.webm")
    assert "the sound (aac) is left out" in result.warnings[-1]
    assert len(read_film(tmp_path / "out.webm")[0]) == 6
    assert "a GIF has no sound" in unpainted(clip, tmp_path / "out.gif").warnings[-1]


@pytest.mark.parametrize("tags", [(6, 6, 6, 1), (1, 1, 1, 2), (1, 13, 1, 1)])
def test_color_tags_are_kept_and_true(tmp_path: Path, tags: tuple[int, int, int, int]) -> None:
    clip = write_film(tmp_path / "clip.mkv", SHOTS[:2], tags=tags)
    unpainted(clip, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        found = container.streams.video[0].codec_context
        assert (found.color_primaries, found.color_trc, found.colorspace, found.color_range) == tags
        picture = next(container.decode(video=0))
        shown = picture.to_ndarray(
            format="rgb24", src_colorspace={1: 1, 6: 5}[tags[2]], src_color_range=tags[3]
        )
    smooth = [
        np.asarray(Image.fromarray(p).resize((20, 16), Image.Resampling.BOX)) for p in (shown, SHOTS[0])
    ]
    assert error(*smooth) < 3


def test_transparency_is_kept_in_folders_and_white_in_films(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    pixels = np.dstack([SHOTS[0], np.full((64, 80), 255, np.uint8)])
    pixels[:, :40, 3] = 0
    (tmp_path / "clip" / "shot1.png").write_bytes(encode_png(pixels))
    unpainted(tmp_path / "clip", f"{tmp_path / 'out'}/")
    np.testing.assert_array_equal(read_picture(tmp_path / "out" / "shot1.png"), pixels)
    result = unpainted(tmp_path / "clip", tmp_path / "out.mp4")
    assert "transparent parts become white" in result.warnings[0]
    assert read_film(tmp_path / "out.mp4")[0][0][:, :36].min() > 240


def test_a_film_becomes_numbered_pictures(tmp_path: Path) -> None:
    clip = write_film(tmp_path / "clip.mp4", SHOTS)
    result = unpainted(clip, tmp_path / "frames")
    assert [path.name for path in result.outputs] == [f"{number:06d}.png" for number in range(1, 7)]
    assert error(read_picture(result.outputs[4])[..., :3], SHOTS[4]) < 4


def test_codecs_that_do_not_fit_are_one_line(tmp_path: Path) -> None:
    clip = write_folder(tmp_path / "clip", 1)
    for name, codec, message in (
        ("out.webm", "h264", "WebM cannot hold H.264"),
        ("out.gif", "vp9", "a GIF cannot hold vp9"),
        ("out", "h264", "a folder of pictures has none"),
        ("out.avi", "auto", "'.avi' is not a kind of film that can be written"),
    ):
        with pytest.raises(UsageError, match=message):
            unpainted(clip, tmp_path / name, codec=codec)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip"]


def test_a_disk_without_room_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_folder(tmp_path / "clip", 2)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("meshstyle.video.write_film.FilmWriter.write", full)
    with pytest.raises(OutputError, match="No space left on device"):
        unpainted(clip, tmp_path / "out.mp4")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith((".", "out.mp4."))]
    assert not (tmp_path / "out.mp4").exists()
