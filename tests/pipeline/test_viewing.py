"""Style at viewing size: of pictures whose loss is known, and of models seen from where nobody painted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.rendering import FRONT, make

import meshstyle.viewing
from meshstyle.bundled import find_style
from meshstyle.config.layers import STYLE_LAYERS
from meshstyle.io.load import load_asset
from meshstyle.io.types import Material
from meshstyle.style.style_image import load_style_image
from meshstyle.style.vgg import VGG19
from meshstyle.style.vgg_weights import load_weights
from meshstyle.viewing import StyleAtViewSize, at_viewing_size, directions, see, viewing_size_style
from meshstyle.views.cameras import fibonacci_sphere
from meshstyle.views.reference_renderer import Renderer

SIZE = 128
CUBE = Path(__file__).parents[1] / "data" / "cubevc" / "cubevc.glb"


@pytest.fixture(scope="module")
def painting() -> StyleAtViewSize:
    network = VGG19(load_weights("bundled"), convolution="auto", precision="auto")
    return StyleAtViewSize(load_style_image(find_style("mondrian")), network, SIZE)


def square(seed: int) -> torch.Tensor:
    """Coloured patches of eight pixels."""
    patches = torch.rand(1, 3, SIZE // 8, SIZE // 8, generator=torch.Generator().manual_seed(seed))
    return patches.repeat_interleave(8, 2).repeat_interleave(8, 3)


def disc() -> torch.Tensor:
    rows, columns = np.indices((SIZE, SIZE)) - SIZE / 2 + 0.5
    return torch.from_numpy((np.hypot(rows, columns) < SIZE / 3).astype(np.float32))[None, None]


def test_views_are_not_where_training_cameras_are() -> None:
    for count in range(6, 33):
        nearest = float((directions(8) @ fibonacci_sphere(count).T).max())
        assert np.degrees(np.arccos(nearest)) > 5
    heights = directions(8)[:, 1]
    assert (np.diff(heights) < 0).all()


def test_the_paintings_short_side_is_as_long_as_a_view(painting: StyleAtViewSize) -> None:
    assert min(painting.picture.shape[-2:]) == SIZE
    assert torch.allclose(painting.background, painting.picture.mean((0, 2, 3)))


def test_the_painting_is_like_itself_and_patches_are_not(painting: StyleAtViewSize) -> None:
    whole = torch.ones(1, 1, *painting.picture.shape[-2:])
    assert max(painting.styles(painting.picture, whole)) < 1e-3
    assert min(painting.styles(square(0), torch.ones(1, 1, SIZE, SIZE))) > 0.1


def test_styles_are_relative_errors_of_masked_gram_matrices(painting: StyleAtViewSize) -> None:
    """The definition, by torch's own convolution and without any short cut."""
    network = VGG19(load_weights("bundled"))

    def gram(picture: torch.Tensor, mask: torch.Tensor, layer: str) -> torch.Tensor:
        maps = network.features(picture, [layer])[layer]
        share = F.adaptive_avg_pool2d(mask, maps.shape[-2:])
        return torch.einsum("bihw,bjhw,bkhw->ij", maps, maps, share) / share.sum()

    background = painting.background.view(1, 3, 1, 1)
    picture = square(1) * disc() + background * (1 - disc())
    for shrink, found in zip((1, 2, 4), painting.styles(picture, disc()), strict=True):
        small, mask, style = (F.avg_pool2d(x, shrink) for x in (picture, disc(), painting.picture))
        losses = []
        for layer in STYLE_LAYERS:
            target = gram(style, torch.ones_like(style[:, :1]), layer)
            losses.append(((gram(small, mask, layer) - target) ** 2).sum() / (target**2).sum())
        assert found == pytest.approx(float(sum(losses) / 4), rel=0.01)


def test_background_far_from_the_model_is_not_looked_at(
    painting: StyleAtViewSize, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small thing away from the middle: the same loss with all of the background around it."""
    mask = torch.zeros(1, 1, 4 * SIZE, 4 * SIZE)
    mask[..., 300:340, 150:200] = 1
    picture = torch.where(mask > 0, square(5).repeat(1, 1, 4, 4), painting.background.view(1, 3, 1, 1))
    rows, columns = meshstyle.viewing.bounding_window(mask, 45)
    assert (rows, columns) == (slice(248, 392), slice(104, 248))
    found = painting.styles(picture, mask)
    everything = (slice(None), slice(None))
    monkeypatch.setattr(meshstyle.viewing, "bounding_window", lambda *_: everything)
    assert painting.styles(picture, mask) == pytest.approx(found, rel=2e-3)


def test_viewing_size_is_the_geometric_mean_of_means() -> None:
    """Means over two views: 2, 2, 4; their product is 16."""
    assert at_viewing_size([(1, 2, 4), (3, 2, 4)]) == pytest.approx(16 ** (1 / 3))


def test_a_view_is_lit_before_the_paintings_mean_colour(painting: StyleAtViewSize) -> None:
    """A grey square, seen at 37°: 0.55 + 0.45·0.8 = 0.91 of its colour on the optical axis."""
    renderer = Renderer(make(Material("m", factor=(0.5, 0.5, 0.5, 1.0))))
    seen = see(renderer, np.array([0.6, 0.0, 0.8]), painting)
    assert seen is not None
    assert seen.lit.shape == (1, 3, SIZE, SIZE)
    assert torch.equal(seen.lit[0, :, 0, 0], painting.background)
    assert set(seen.mask.unique().tolist()) == {0.0, 1.0}
    middle = (0, slice(None), SIZE // 2, SIZE // 2)
    assert seen.unlit[middle].tolist() == pytest.approx([0.7354] * 3, abs=1e-3)
    assert seen.lit[middle].tolist() == pytest.approx([0.7354 * 0.91] * 3, abs=4e-3)


def test_style_of_a_model_that_is_in_memory(painting: StyleAtViewSize) -> None:
    renderer = Renderer(load_asset(CUBE))
    seen = [see(renderer, direction, painting) for direction in directions(3)]
    expected = at_viewing_size([painting.styles(view.lit, view.mask) for view in seen if view is not None])
    assert viewing_size_style(renderer, painting, 3) == pytest.approx(expected)


def test_nothing_to_see(painting: StyleAtViewSize) -> None:
    air = Material("m", image=0, alpha_mode="BLEND")
    renderer = Renderer(make(air, np.zeros((4, 4, 4), np.uint8)))
    assert see(renderer, FRONT, painting) is None
    assert viewing_size_style(renderer, painting, 2) is None
