"""Clips of every kind: what is shown when, how it is turned, what its colors are; and files that are none."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.films import write_film
from helpers.moving_planes import frame, pattern, write_folder
from PIL import Image

from meshstyle.errors import InputError
from meshstyle.io.images import encode_png
from meshstyle.video.clip import UNKNOWN, ColorTags
from meshstyle.video.scan import Clip, mask_frames, scan

SHOTS = [frame(number) for number in range(6)]


def looked(path: Path, cuts: bool = True) -> Clip:
    return scan(path, 25.0, cuts)


def shown(clip: Clip, number: int) -> np.ndarray:
    """A frame at the clip's own size, without alpha."""
    frames = clip.frames(clip.info.size)
    try:
        return frames.read(number)[..., :3]
    finally:
        frames.close()


def close(found: np.ndarray, expected: np.ndarray) -> bool:
    """The same picture, but for what a codec may lose."""
    return bool(np.abs(found.astype(float) - expected).mean() < 4)


@pytest.mark.parametrize(
    ("suffix", "codec", "pix_fmt"),
    [
        (".mp4", "libx264", "yuv444p"),
        (".mov", "libx264", "yuv420p"),
        (".mkv", "ffv1", "yuv444p"),
        (".webm", "libvpx-vp9", "yuv444p"),
        (".avi", "mjpeg", "yuvj444p"),
    ],
)
def test_containers_and_codecs(tmp_path: Path, suffix: str, codec: str, pix_fmt: str) -> None:
    clip = looked(write_film(tmp_path / f"clip{suffix}", SHOTS, codec, pix_fmt))
    assert clip.info.count == 6
    assert clip.info.size == (64, 80)
    assert clip.info.seconds == pytest.approx(6 / 25, abs=0.002)
    assert clip.starts == (0,)
    for number in (0, 3, 5):
        assert np.abs(shown(clip, number).astype(float) - SHOTS[number]).mean() < 25  # 4:2:0 loses color
        others = [np.abs(shown(clip, number).astype(float) - shot).mean() for shot in SHOTS]
        assert int(np.argmin(others)) == number


def test_frames_are_read_in_any_order(tmp_path: Path) -> None:
    """Key frames are four apart: going back is a jump to one of them."""
    shots = [frame(number) for number in range(20)]
    clip = looked(write_film(tmp_path / "clip.mp4", shots))
    frames = clip.frames(clip.info.size)
    for number in (0, 1, 2, 19, 18, 17, 5, 6, 19, 0, 11):
        assert close(frames.read(number)[..., :3], shots[number]), number
    frames.close()


def test_a_gif_is_a_clip_with_times_of_its_own(tmp_path: Path) -> None:
    pictures = [Image.fromarray(shot).quantize(256) for shot in SHOTS[:3]]
    pictures[0].save(
        tmp_path / "clip.gif", save_all=True, append_images=pictures[1:], duration=[100, 300, 50], loop=0
    )
    clip = looked(tmp_path / "clip.gif")
    assert [float(time * clip.info.unit) for time in clip.info.times[:3]] == [0, 0.1, 0.4]
    assert clip.info.seconds == pytest.approx(0.45, abs=0.02)
    assert np.abs(shown(clip, 2).astype(float) - np.asarray(pictures[2].convert("RGB"))).max() <= 1


def test_a_variable_rate_is_kept(tmp_path: Path) -> None:
    times = [0, 40, 100, 101, 500, 540]
    path = write_film(tmp_path / "clip.mkv", SHOTS, times=times, unit=Fraction(1, 1000))
    clip = looked(path)
    assert [round(float(time * clip.info.unit) * 1000) for time in clip.info.times[:-1]] == times


def test_a_turned_film_is_shown_upright(tmp_path: Path) -> None:
    """As telephones make them: the matrix in its header turns it."""
    path = write_film(tmp_path / "clip.mp4", SHOTS[:2])
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version 0: 40 bytes before the matrix
    quarter = (0, 0x10000, 0, -0x10000, 0, 0, 64 << 16, 0, 0x40000000)  # 90° clockwise
    data[at : at + 36] = struct.pack(">9i", *quarter)
    path.write_bytes(data)
    clip = looked(path)
    assert clip.info.size == (80, 64)
    assert close(shown(clip, 1), np.rot90(SHOTS[1], -1))
    assert clip.info.warnings == ("it is turned upright by 270°",)


def test_pixels_that_are_not_square_become_so(tmp_path: Path) -> None:
    clip = looked(write_film(tmp_path / "clip.mp4", SHOTS[:2], aspect=Fraction(3, 2)))
    assert clip.info.size == (64, 120)
    assert shown(clip, 0).shape == (64, 120, 3)


@pytest.mark.parametrize("tags", [(1, 1, 1, 1), (6, 6, 6, 1), (1, 1, 1, 2), (9, 14, 9, 1)])
def test_tags_say_what_colors_numbers_stand_for(tmp_path: Path, tags: tuple[int, int, int, int]) -> None:
    clip = looked(write_film(tmp_path / "clip.mkv", SHOTS[:2], tags=tags))
    assert clip.info.color == ColorTags(*tags[:3], full=tags[3] == 2)
    assert close(shown(clip, 0), SHOTS[0])


def test_what_is_not_tagged_is_taken_as_players_take_it(tmp_path: Path) -> None:
    path = write_film(tmp_path / "clip.mkv", SHOTS[:1], tags=(UNKNOWN, UNKNOWN, UNKNOWN, 1))
    assert looked(path).info.color == ColorTags(6, 6, 6)


def test_hdr_is_told_of(tmp_path: Path) -> None:
    clip = looked(write_film(tmp_path / "clip.mkv", SHOTS[:1], tags=(9, 16, 9, 1)))
    assert "it is HDR" in clip.info.warnings[0]


def test_transparency_is_read(tmp_path: Path) -> None:
    pixels = np.dstack([SHOTS[0], np.full((64, 80), 255, np.uint8)])
    pixels[:, :30, 3] = 0
    clip = looked(write_film(tmp_path / "clip.mov", [pixels], "qtrle", "argb"))
    assert clip.info.has_alpha
    np.testing.assert_array_equal(clip.frames((64, 80)).read(0), pixels)


def test_frames_are_made_smaller_while_they_are_read(tmp_path: Path) -> None:
    clip = looked(write_film(tmp_path / "clip.mp4", SHOTS[:1]))
    small = np.asarray(Image.fromarray(SHOTS[0]).resize((40, 32), Image.Resampling.BOX))
    assert np.abs(clip.frames((32, 40)).read(0)[..., :3].astype(float) - small).mean() < 4


# --- folders ---


def test_a_folder_goes_by_its_numbers(tmp_path: Path) -> None:
    for number in (10, 9, 100, 2):
        (tmp_path / f"shot_v2_{number}.png").write_bytes(encode_png(frame(number % 20)))
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "cover.png").write_bytes(encode_png(frame(0)))
    clip = scan(tmp_path, 12.5, True)
    assert [picture.stem for picture in clip.pictures] == [f"shot_v2_{n}" for n in (2, 9, 10, 100)]
    assert clip.info.seconds == pytest.approx(4 / 12.5)
    assert "95 numbers are missing" in clip.info.warnings[0]
    np.testing.assert_array_equal(shown(clip, 1), frame(9))


def test_cuts_are_found_in_folders_and_films(tmp_path: Path) -> None:
    shots = [*SHOTS[:3], *[pattern(64, 80, 9)[..., ::-1] // 2] * 2, *SHOTS[3:]]
    for number, shot in enumerate(shots):
        (tmp_path / f"{number}.png").write_bytes(encode_png(np.ascontiguousarray(shot)))
    expected = (range(3), range(3, 5), range(5, 8))
    assert looked(tmp_path).scenes == expected
    assert looked(tmp_path, cuts=False).scenes == (range(8),)
    assert looked(write_film(tmp_path / "clip.mp4", shots)).scenes == expected


# --- masks ---


def test_a_mask_is_a_film_a_folder_or_a_picture(tmp_path: Path) -> None:
    clip = looked(write_folder(tmp_path / "clip", 3)).info
    film = write_film(tmp_path / "mask.mp4", SHOTS[:4])
    picture = tmp_path / "mask.png"
    picture.write_bytes(encode_png(SHOTS[1]))
    for path, number, expected in ((film, 2, 2), (tmp_path / "clip", 2, 2), (picture, 2, 1)):
        mask = mask_frames(path, clip, (64, 80), 25.0)
        assert close(mask.read(number)[..., :3], SHOTS[expected]), path
        mask.close()


def test_a_mask_that_does_not_fit_is_one_line(tmp_path: Path) -> None:
    clip = looked(write_folder(tmp_path / "clip", 3)).info
    with pytest.raises(InputError, match="it has 2 frames and the clip has 3"):
        mask_frames(write_folder(tmp_path / "short", 2), clip, (64, 80), 25.0)
    with pytest.raises(InputError, match="is another shape"):
        mask_frames(write_folder(tmp_path / "tall", 3, height=80), clip, (64, 80), 25.0)


# --- what is no clip ---


def test_a_film_that_is_cut_off_is_painted_as_far_as_it_goes(tmp_path: Path) -> None:
    shots = [frame(number) for number in range(20)]
    data = write_film(tmp_path / "whole.mkv", shots).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) * 2 // 3])
    clip = looked(tmp_path / "cut.mkv")
    assert 5 < clip.info.count < 20
    assert close(shown(clip, 4), shots[4])
    assert shown(clip, clip.info.count - 1).shape == (64, 80, 3)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.mp4", b"", "it cannot be read as a film"),
        (
            "text.mp4",
            b"hello, this is text\n" * 50,
            "it cannot be read as a film|no moving pictures|is no film",
        ),
        (
            "noise.mp4",
            bytes(np.random.default_rng(0).integers(0, 256, 5000, np.uint8)),
            "cannot be read|no moving",
        ),
        ("list.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nclip.ts\n#EXT-X-ENDLIST\n", "film"),
        ("list.ffconcat", b"ffconcat version 1.0\nfile 'clip.mp4'\n", "film"),
    ],
)
def test_what_is_no_film_is_one_line(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    write_film(tmp_path / "clip.mp4", SHOTS[:2])
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=message):
        looked(tmp_path / name)


def test_a_film_whose_index_is_missing_is_one_line(tmp_path: Path) -> None:
    """An mp4 that was cut off has none: it stands at the end."""
    data = write_film(tmp_path / "whole.mp4", SHOTS).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="it cannot be read as a film"):
        looked(tmp_path / "cut.mp4")


def test_sound_alone_is_one_line(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "song.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        tone.sample_rate = 8000
        container.mux(stream.encode(tone))
    with pytest.raises(InputError, match="there are no moving pictures in it"):
        looked(tmp_path / "song.wav")


def test_folders_without_frames_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there are no numbered pictures in it"):
        looked(tmp_path)
    write_folder(tmp_path, 2)
    (tmp_path / "0003.png").write_bytes(encode_png(pattern(32, 80, 3)))
    with pytest.raises(InputError, match=r"0003\.png: it is 80×32 pixels, and 0001\.png 80×64"):
        looked(tmp_path)
    (tmp_path / "2.jpg").write_bytes(b"")
    with pytest.raises(InputError, match="have the same number"):
        looked(tmp_path)


def test_a_single_pixel_is_a_clip(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.png").write_bytes(encode_png(np.full((1, 1, 3), 90, np.uint8)))
    assert looked(tmp_path).info.size == (1, 1)
