"""Optical flow, occlusions, and what is carried along: against motion that is known exactly."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from helpers.moving_planes import SQUARE, flow_back, frame, pattern, square_at

from meshstyle.errors import UsageError
from meshstyle.video.flow import FlowEstimator, Motion, carried
from meshstyle.video.packages import load_package
from meshstyle.video.reliability import _away_from_borders, _round_trip, follow
from meshstyle.video.scenes import SceneFinder
from meshstyle.video.trajectories import Trajectories

SEEN = (slice(2, -2), slice(2, -2))  # DIS is less good at the very border


def test_what_is_carried_lies_where_the_flow_says() -> None:
    """One pixel to the right and one up: pixel (r, c) is what was at (r - 1, c + 1); the border goes on."""
    picture = np.arange(12, dtype=np.float32).reshape(3, 4, 1)
    flow = np.tile(np.array([1, -1], np.float32), (3, 4, 1))
    expected = [[1, 2, 3, 3], [1, 2, 3, 3], [5, 6, 7, 7]]
    for kind in ("linear", "lanczos"):
        np.testing.assert_array_equal(carried(picture, flow, kind)[..., 0], expected)


def test_half_a_pixel_is_between() -> None:
    picture = np.tile(np.arange(16, dtype=np.float32), (16, 1))[..., None]
    flow = np.full((16, 16, 2), (0.5, 0), np.float32)
    for kind, atol in (("linear", 1e-6), ("lanczos", 0.02)):
        found = carried(picture, flow, kind)[:, 5:10, 0]
        np.testing.assert_allclose(found, np.tile(np.arange(5, 10) + 0.5, (16, 1)), atol=atol)


@pytest.mark.parametrize("gap", [1, 4])
def test_flow_is_that_of_the_planes(gap: int) -> None:
    motion = FlowEstimator().between(frame(8), frame(8 - gap))
    known, seen = flow_back(8, gap)
    error = np.linalg.norm(motion.back - known, axis=2)
    assert np.median(error[seen]) < 0.05
    assert np.mean(error[seen] < 0.5) > 0.9


@pytest.mark.parametrize("gap", [1, 4])
def test_what_is_uncovered_is_not_relied_on(gap: int) -> None:
    """The background that the square has left, and the columns that come in; nearly all else is."""
    later, earlier = frame(8), frame(8 - gap)
    followed = follow(FlowEstimator().between(later, earlier), later, earlier)
    _, seen = flow_back(8, gap)
    if gap > 1:
        top, left = square_at(8 - gap)
        # In the earlier frame it lay under the square, `gap` pixels to the right: columns left - gap to left + 2·gap.
        uncovered = slice(top + 4, top + SQUARE - 4), slice(left - gap + 2, left + 2 * gap - 2)
        assert not seen[uncovered].any()
        assert float(followed.reliable[uncovered].mean()) < 0.1
        assert float(followed.reliable[:, -gap + 1 :].mean()) < 0.1
    assert float(followed.seen[SEEN][seen[SEEN]].mean()) > 0.85
    assert (followed.reliable <= followed.seen + 1e-6).all()


def test_the_way_back_and_forth_is_checked_as_the_paper_does() -> None:
    """Flows of (2, 0) back and (-2 + d, 0) ahead miss by d; 0.01·(4 + (2 - d)²) + 0.5 is allowed."""
    for miss, expected in ((0.0, 1.0), (0.4, 1.0), (1.0, 0.0)):
        back = np.full((8, 8, 2), (2.0, 0.0), np.float32)
        ahead = np.full((8, 8, 2), (-2.0 + miss, 0.0), np.float32)
        assert (_round_trip(Motion(back, ahead, np.zeros((8, 8), bool))) == expected).all(), miss


def test_a_step_of_the_flow_is_a_border() -> None:
    """Between the halves: slopes of 1 over two columns, 1 > 0.01·|w|² + 0.002; none elsewhere."""
    flow = np.zeros((6, 8, 2), np.float32)
    flow[:, 4:, 0] = 2
    expected = np.ones((6, 8))
    expected[:, 3:5] = 0
    np.testing.assert_array_equal(_away_from_borders(flow), expected)


def test_what_stands_still_is_still_whatever_the_noise() -> None:
    random = np.random.default_rng(0)
    noisy = [
        np.clip(frame(0) + random.normal(0, 1.5, (64, 80, 3)), 0, 255).astype(np.uint8) for _ in range(2)
    ]
    motion = FlowEstimator().between(*noisy)
    assert motion.still.mean() > 0.95
    assert not motion.back[motion.still].any()
    followed = follow(motion, *noisy)
    assert (followed.reliable[motion.still] == 1).all()
    moving = FlowEstimator().between(frame(1), frame(0))
    assert moving.still.mean() < 0.02


@pytest.mark.parametrize("shape", [(64, 64), (1, 1), (9, 200), (16, 17)])
def test_frames_of_any_size_have_a_flow(shape: tuple[int, int]) -> None:
    one = pattern(max(shape[0], 20), max(shape[1], 20), 3)[: shape[0], : shape[1]]
    motion = FlowEstimator().between(np.ascontiguousarray(one), np.ascontiguousarray(one[::-1]))
    assert motion.back.shape == (*shape, 2)
    assert np.isfinite(motion.back).all()


def test_ways_over_several_frames_are_composed_and_refined() -> None:
    ways = Trajectories()
    found = [ways.advance(frame(number)) for number in range(9)]
    assert [sorted(gaps) for gaps in found] == [[], [1], [1, 2], [1, 2], *[[1, 2, 4]] * 4, [1, 2, 4, 8]]
    for gap, (motion, earlier) in found[8].items():
        np.testing.assert_array_equal(earlier, frame(8 - gap))
        known, seen = flow_back(8, gap)
        assert np.median(np.linalg.norm(motion.back - known, axis=2)[seen]) < 0.1, gap


def test_a_run_that_goes_on_finds_the_same_ways() -> None:
    """From eight frames before on: no more is needed."""
    whole, later = Trajectories(), Trajectories()
    for number in range(11):
        expected = whole.advance(frame(number))
    for number in range(2, 10):
        later.pass_by(frame(number))
    for gap, (motion, _) in later.advance(frame(10)).items():
        np.testing.assert_array_equal(motion.back, expected[gap][0].back)
        np.testing.assert_array_equal(motion.ahead, expected[gap][0].ahead)


def test_scenes_begin_where_nothing_can_be_followed() -> None:
    """A cut to other colors, one to the same picture upside down; no cut where light changes or noise is added."""
    finder = SceneFinder()
    other = pattern(64, 80, 9)[..., ::-1] // 2
    darker = (frame(3) * 0.85).astype(np.uint8)
    shots = [frame(0), frame(1), frame(2), darker, other, other[::-1], other[::-1]]
    found = [finder.begins(np.ascontiguousarray(shot)) for shot in shots]
    assert found == [True, False, False, False, True, True, False]


def test_a_missing_package_is_one_line_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(
        UsageError, match=r"OpenCV.* is not installed\. Run: pip install 'meshstyle\[video\]'"
    ):
        load_package("cv2")
