"""Gutters: no filtered lookup in a chart may meet a foreign colour."""

from __future__ import annotations

import numpy as np
import pytest

from meshstyle.io.types import Wrap
from meshstyle.texture.gutter import fill_gutters, gutter_width, push_pull
from meshstyle.texture.upsample import upsample

CLAMP, REPEAT = (Wrap.CLAMP, Wrap.CLAMP), (Wrap.REPEAT, Wrap.REPEAT)


def test_width_follows_the_size() -> None:
    assert [gutter_width((s, s)) for s in (256, 512, 1024, 2048)] == [4, 4, 8, 16]
    assert gutter_width((64, 4096)) == 32


def test_nearest_colour_within_the_gutter() -> None:
    values, known = np.zeros((1, 20, 3), np.float32), np.zeros((1, 20), bool)
    values[0, 5], known[0, 5] = [1, 0, 0], True
    values[0, 16], known[0, 16] = [0, 0, 1], True
    filled = fill_gutters(values, known)
    assert (filled[0, 1:10] == [1, 0, 0]).all()
    assert (filled[0, 12:20] == [0, 0, 1]).all()


def test_gutters_wrap_around_repeating_images() -> None:
    values, known = np.zeros((1, 64, 3), np.float32), np.zeros((1, 64), bool)
    values[0, 0], known[0, 0] = 1, True
    values[0, 40], known[0, 40] = 0.5, True
    assert (fill_gutters(values, known, REPEAT)[0, 60:] == 1).all()
    assert (fill_gutters(values, known, CLAMP)[0, 60:] != 1).all()


def test_known_texels_stay_and_all_others_get_colours_in_range() -> None:
    rng = np.random.default_rng(0)
    values = rng.random((65, 40, 3), dtype=np.float32)
    known = rng.random((65, 40)) < 0.01
    filled = fill_gutters(np.where(known[..., None], values, np.nan).astype(np.float32), known)
    np.testing.assert_array_equal(filled[known], values[known])
    assert np.isfinite(filled).all()
    assert filled.min() >= values[known].min() - 1e-6
    assert filled.max() <= values[known].max() + 1e-6


def test_push_pull_averages_and_interpolates() -> None:
    # Two known texels in opposite corners of a 4×4 atlas: 0 and 1; the field between them is symmetric.
    values, known = np.zeros((4, 4, 1), np.float32), np.zeros((4, 4), bool)
    known[0, 0] = known[3, 3] = True
    values[3, 3] = 1
    filled = push_pull(values, known)[..., 0]
    np.testing.assert_allclose(filled + filled[::-1, ::-1], 1, atol=1e-6)
    assert filled[0, 1] < 0.5 < filled[3, 2]


def test_nothing_known_changes_nothing() -> None:
    values = np.random.default_rng(0).random((4, 4, 3), dtype=np.float32)
    np.testing.assert_array_equal(fill_gutters(values, np.zeros((4, 4), bool)), values)


@pytest.mark.parametrize("size", [(16, 16), (24, 40), (8, 8), (5, 3)])
def test_upsampling_keeps_constant_charts_constant(size: tuple[int, int]) -> None:
    texture, covered = np.random.default_rng(0).random((8, 8, 3), dtype=np.float32), np.zeros((8, 8), bool)
    covered[:, 2:6] = True
    texture[covered] = [0.2, 0.4, 0.6]
    np.testing.assert_allclose(
        upsample(texture, covered, size), np.broadcast_to([0.2, 0.4, 0.6], (*size, 3)), atol=1e-6
    )


def test_upsampling_keeps_a_ramp() -> None:
    # v = x: bicubic interpolation reproduces it, away from the borders.
    ramp = np.repeat(np.tile((np.arange(16, dtype=np.float32) + 0.5) / 16, (16, 1))[..., None], 3, axis=2)
    wide = upsample(ramp, np.ones((16, 16), bool), (32, 32))
    expected = (np.arange(32) + 0.5) / 32
    np.testing.assert_allclose(wide[:, 6:26, 0], np.broadcast_to(expected[6:26], (32, 20)), atol=1e-3)


def test_upsampling_wraps() -> None:
    # A cosine over one period has no border in a repeating image; clamped, its ends flatten.
    wave = 0.5 + 0.4 * np.cos(2 * np.pi * (np.arange(16) + 0.5) / 16)
    texture = np.repeat(np.tile(wave.astype(np.float32), (16, 1))[..., None], 3, axis=2)
    fine = 0.5 + 0.4 * np.cos(2 * np.pi * (np.arange(64) + 0.5) / 64)
    wrapped = upsample(texture, np.ones((16, 16), bool), (64, 64), REPEAT)[0, :, 0]
    np.testing.assert_allclose(wrapped, fine, atol=0.01)
