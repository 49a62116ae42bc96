"""Flat pictures: tiles against the whole, mixed styles, kept colours, masks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from meshstyle.config.base import Scale
from meshstyle.config.image import PictureSettings
from meshstyle.config.layers import LAYER_NAMES, layer_weights, reach
from meshstyle.errors import UsageError
from meshstyle.optimize.image import OptimizedImage, PictureSolver
from meshstyle.optimize.init import mixed_palette, palette
from meshstyle.optimize.picture_problem import PreparedStyle, mixed_style
from meshstyle.progress import Progress, ignore
from meshstyle.strength import FADE
from meshstyle.style.content_image import ContentImage, long_side
from meshstyle.style.objective import LossWeights, Objective, resize
from meshstyle.style.preserve_color import luminance, match_luminance, match_style_image, with_luminance_of
from meshstyle.style.tiled_objective import TiledObjective, cut
from meshstyle.style.vgg import VGG19
from meshstyle.style.vgg_weights import load_weights

TINY = PictureSettings(size=32, iterations=2, tv_weight=0.0)


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def photo(height: int = 32, width: int = 24, alpha: float = 1.0, mask: float = 1.0) -> ContentImage:
    whole = torch.ones(1, 1, height, width)
    return ContentImage(rand(1, 3, height, width, seed=5), alpha * whole, mask * whole)


@pytest.fixture(scope="module")
def network() -> VGG19:
    return VGG19(load_weights())


# --- layers ---


def test_reach_by_hand() -> None:
    # Each convolution sees one cell further, of 1, 2 and 4 pixels; each pooling one of the cells before it.
    found = [reach([name]) for name in LAYER_NAMES[:5]]
    assert found == [1, 2, 2 + 1 + 2, 2 + 1 + 4, 2 + 1 + 4 + 2 + 4]
    assert reach(["relu2_1", "relu1_1"]) == 5


def test_reach_is_how_far_a_feature_sees(network: VGG19) -> None:
    """The cell that begins at pixel 64 changes with pixel 64 − reach, and with none before it."""
    picture = rand(1, 3, 16, 96).requires_grad_(True)
    network.features(picture, ["relu3_2"])["relu3_2"][0, :, :, 16].sum().backward()
    assert picture.grad is not None
    seen = picture.grad.abs().sum((0, 1, 2)).nonzero()[:, 0]
    # Poolings reach to the right alone, so that the left is nearer by 1 + 2.
    assert 64 - reach(["relu3_2"]) <= int(seen.min()) == 64 - (reach(["relu3_2"]) - 3)
    assert int(seen.max()) <= 67 + reach(["relu3_2"])


def colours(painted: OptimizedImage) -> torch.Tensor:
    """(1, 3, H, W)."""
    return torch.from_numpy(painted.pixels[..., :3]).permute(2, 0, 1)[None]


def test_layers_have_weights() -> None:
    assert layer_weights(["relu1_1", "relu3_1=0.5"]) == {"relu1_1": 1.0, "relu3_1": 0.5}
    for wrong in (["relu9_1"], ["relu1_1=x"], ["relu1_1=-1"], ["relu1_1", "relu1_1"], ["relu1_1=0"], []):
        with pytest.raises(UsageError):
            layer_weights(wrong)


def test_weighted_layers_are_a_weighted_mean(network: VGG19) -> None:
    picture, painting = rand(1, 3, 32, 32), rand(1, 3, 32, 32, seed=1)

    def style(*layers: str) -> float:
        objective = Objective(network, LossWeights(0, 1, 0), layers)
        content = objective.content_target(picture, torch.ones(1, 1, 32, 32))
        return objective(picture, objective.style_target(painting), content).style

    one, two = style("relu1_1"), style("relu2_1")
    assert style("relu1_1=3", "relu2_1") == pytest.approx((3 * one + two) / 4, rel=1e-5)


def test_max_pooling_takes_the_largest(network: VGG19) -> None:
    """relu2_1 of the largest of each four, by hand."""
    most = VGG19(load_weights(), pooling="max")
    picture = rand(1, 3, 16, 16)
    pooled = torch.nn.functional.max_pool2d(network.features(picture, ["relu1_2"])["relu1_2"], 2)
    weights = load_weights()
    wanted = torch.relu(torch.nn.functional.conv2d(pooled, weights.kernels[2], weights.biases[2], padding=1))
    assert torch.allclose(most.features(picture, ["relu2_1"])["relu2_1"], wanted, rtol=1e-4, atol=1e-3)
    assert not torch.allclose(network.features(picture, ["relu2_1"])["relu2_1"], wanted, rtol=1e-2)


# --- the border ---


@pytest.mark.parametrize("edges", [True, False])
def test_the_border_makes_no_features_of_its_own(edges: bool) -> None:
    """Of a picture that is the same everywhere. Where it does, strings of beads grow along it."""
    network = VGG19(load_weights(), edges=edges)
    (found,) = network.features(torch.full((1, 3, 48, 48), 0.4), ["relu4_1"]).values()
    differs = (found - found[..., 3:4, 3:4]).abs().amax((0, 1)) > 1e-2 * found.amax()
    assert bool(differs.any()) != edges


def test_deep_layers_see_the_last_row_and_column(network: VGG19) -> None:
    """Also where the picture ends within a cell."""
    settings = PictureSettings(size=47, tv_weight=0.0, content_weight=0.0, style_layers=("relu4_1",))
    picture = photo(39, 47)
    style = PreparedStyle(picture, [rand(1, 3, 32, 32, seed=1)], network, settings)
    gradient = style.problem(Scale(47, 1), picture, picture.colours).gradient(0).gradient
    moved = gradient.abs().sum(1).reshape(39, 47)
    assert float(moved.min()) > 0
    assert float(moved[-1].mean()) > 0.1 * float(moved.mean())
    assert float(moved[:, -1].mean()) > 0.1 * float(moved.mean())


# --- tiles ---


@pytest.mark.parametrize("size", [(64, 64), (33, 95), (100, 17), (16, 250)])
def test_tiles_own_every_cell_once(size: tuple[int, int]) -> None:
    owned = np.zeros(size, int)
    for tile in cut(*size, margin=13, side=32, whole=0):
        top, bottom, left, right = tile.own
        owned[top:bottom, left:right] += 1
        assert top % 16 == left % 16 == tile.seen[0] % 16 == tile.seen[2] % 16 == 0
        assert min(bottom - top, right - left) >= 16
        assert tile.seen[0] in (0, top - 16)
    assert (owned == 1).all()


@pytest.mark.parametrize("strength", [1.0, 0.3])
def test_tiles_give_the_values_and_gradients_of_the_whole(network: VGG19, strength: float) -> None:
    shape, layers = (43, 75), ("relu1_1", "relu2_1=0.5", "relu3_1")
    objective = Objective(network, LossWeights(2.0, 30.0, 5.0, strength), layers, ("relu2_2", "relu3_2=3"))
    picture, original, painting = rand(1, 3, *shape), rand(1, 3, *shape, seed=1), rand(1, 3, 50, 90, seed=2)
    mask = torch.ones(1, 1, *shape)
    mask[..., :20, 50:] = 0.3
    found = []
    for tiled in (TiledObjective(objective), TiledObjective(objective, side=32, whole=0)):
        style, content = tiled.style_target(painting), tiled.content_target(original, mask)
        found.append((style, content, *tiled.gradient(picture, style, content)))
    (style, content, gradient, terms), (tile_style, tile_content, tile_gradient, tile_terms) = found
    for name, gram in style.grams.items():
        assert torch.allclose(tile_style.grams[name], gram, rtol=1e-4, atol=1e-4 * float(gram.abs().max()))
    assert set(tile_content.grams) == set(content.grams) == (set(style.grams) if strength < 1 else set())
    for name, gram in content.grams.items():
        assert torch.allclose(tile_content.grams[name], gram, rtol=1e-4, atol=1e-4 * float(gram.abs().max()))
    for name, maps in content.features.items():
        assert torch.allclose(tile_content.features[name], maps, rtol=1e-4, atol=1e-3)
    assert float(tile_terms.total) == pytest.approx(float(terms.total), rel=1e-5)
    assert (tile_terms.style, tile_terms.content, tile_terms.structure) == pytest.approx(
        (terms.style, terms.content, terms.structure), rel=1e-5
    )
    assert float((tile_gradient - gradient).abs().max()) < 1e-4 * float(gradient.abs().max())


def test_a_margin_too_narrow_would_show(network: VGG19, monkeypatch: pytest.MonkeyPatch) -> None:
    objective = Objective(network, LossWeights(0, 1, 0), ("relu3_1",))
    tiled, painting = TiledObjective(objective, side=32, whole=0), rand(1, 3, 64, 64)
    right = tiled.style_target(painting).grams["relu3_1"]
    monkeypatch.setattr("meshstyle.style.tiled_objective.reach", lambda layers: 0)
    wrong = tiled.style_target(painting).grams["relu3_1"]
    assert float((wrong - right).abs().max()) > 1e-3 * float(right.abs().max())


# --- styles ---


def test_mixed_styles_are_the_weighted_mean_of_grams(network: VGG19) -> None:
    objective = TiledObjective(Objective(network, LossWeights(0, 1, 0)))
    one, two = rand(1, 3, 32, 40, seed=1), rand(1, 3, 40, 24, seed=2)
    mixed = mixed_style(objective, [one, two], [0.75, 0.25], 32)
    for name, gram in mixed.grams.items():
        parts = [
            objective.style_target(resize(each, long_side(each.shape[-2:], 32))).grams[name]
            for each in (one, two)
        ]
        assert torch.allclose(gram, 0.75 * parts[0] + 0.25 * parts[1])


def test_mixed_palettes_hold_as_much_of_each() -> None:
    black, white = torch.zeros(1, 3, 128, 128), torch.ones(1, 3, 128, 200)
    assert float(mixed_palette([black, white], [0.25, 0.75]).mean()) == pytest.approx(0.75, abs=1e-3)
    assert float(mixed_palette([black, white], [1.0, 0.0]).max()) == 0
    assert torch.equal(mixed_palette([white], [1.0]), palette(white))


def test_style_weights_are_shares() -> None:
    assert PictureSettings(style_weights=(2, 1)).shares(2) == pytest.approx((2 / 3, 1 / 3))
    assert PictureSettings.from_mapping({"style-weights": ["2,1"]}).style_weights == (2.0, 1.0)
    assert PictureSettings().shares(4) == (0.25,) * 4
    with pytest.raises(UsageError, match="2 weights were given for 1 style"):
        PictureSettings(style_weights=(2, 1)).shares(1)


# --- colours ---


def test_luminance_enters_and_chroma_stays() -> None:
    ours, painted = 0.4 + 0.2 * rand(1, 3, 8, 8), 0.4 + 0.2 * rand(1, 3, 8, 8, seed=1)
    found = with_luminance_of(ours, painted)
    assert torch.allclose(luminance(found), luminance(painted), atol=1e-6)
    # I and Q depend on differences of channels alone.
    assert torch.allclose(found[:, 0] - found[:, 1], ours[:, 0] - ours[:, 1], atol=1e-6)
    assert torch.allclose(found[:, 2] - found[:, 1], ours[:, 2] - ours[:, 1], atol=1e-6)


def test_matched_luminance_has_the_photos_mean_and_spread() -> None:
    painting, ours = 0.3 + 0.4 * rand(1, 3, 40, 40), 0.4 + 0.2 * rand(1, 3, 40, 40, seed=1)
    weight = torch.zeros(1, 1, 40, 40)
    weight[..., :20] = 1
    found, wanted = match_luminance(painting, ours, weight)[:, 0], luminance(ours)[..., :20]
    assert float(found.mean()) == pytest.approx(float(wanted.mean()), abs=1e-4)
    assert float(found.std()) == pytest.approx(float(wanted.std()), rel=1e-2)


def test_matched_painting_has_the_photos_mean_colour_under_the_mask() -> None:
    ours = 0.4 + 0.2 * rand(1, 3, 40, 40, seed=1)
    ours[..., 20:] = 1.0
    weight = torch.zeros(1, 1, 40, 40)
    weight[..., :20] = 1
    found = match_style_image(0.1 + 0.3 * rand(1, 3, 30, 30), ours, weight)
    assert torch.allclose(found.mean((0, 2, 3)), ours[..., :20].mean((0, 2, 3)), atol=2e-3)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_luminance_alone_is_painted(network: VGG19, optimizer: str) -> None:
    settings = replace(TINY, keep_colors="luminance", optimizer=optimizer)
    dull = replace(photo(), colours=0.4 + 0.2 * photo().colours)
    painted = PictureSolver(dull, [0.4 + 0.2 * rand(1, 3, 32, 32)], network, settings).solve(ignore)
    change = colours(painted) - dull.colours
    assert float(change.abs().max()) > 0.01
    assert torch.allclose(change, change.mean(1, keepdim=True).expand_as(change), atol=1e-5)


def test_paintings_without_colour_make_grey_pictures(network: VGG19) -> None:
    plain = rand(1, 1, 32, 32).expand(-1, 3, -1, -1).contiguous()
    found = colours(PictureSolver(photo(), [plain, 0.5 * plain], network, TINY).solve(ignore))
    assert torch.allclose(found, found[:, :1].expand_as(found), atol=1e-6)
    for paintings, settings in (
        ([plain, rand(1, 3, 32, 32)], TINY),
        ([plain], replace(TINY, keep_colors="matched")),
    ):
        found = colours(PictureSolver(photo(), paintings, network, settings).solve(ignore))
        assert not torch.allclose(found, found[:, :1].expand_as(found), atol=0.01)


# --- the picture ---


def test_problem_gradient_is_that_of_its_value(network: VGG19) -> None:
    """Central difference along the gradient, total variation included."""
    style = PreparedStyle(photo(), [rand(1, 3, 32, 32)], network, replace(TINY, tv_weight=100.0))
    start = style.start(photo(), None, torch.Generator().manual_seed(0))
    problem = style.problem(TINY.scales[0], photo(), start)
    problem.values.clamp_(0.2, 0.8)
    gradient = problem.gradient(0).gradient
    along, start = gradient / gradient.norm(), problem.values.clone()
    values = []
    for length in (0.02, -0.02):
        problem.values.copy_(start + length * along)
        values.append(problem.gradient(0).terms.total)
    assert (values[0] - values[1]) / 0.04 == pytest.approx(float(gradient.norm()), rel=0.05)


def test_the_loss_falls(network: VGG19) -> None:
    losses: list[float] = []

    def see(record: Progress) -> None:
        if record.loss is not None:
            losses.append(record.loss)

    PictureSolver(photo(), [rand(1, 3, 32, 32)], network, replace(TINY, iterations=6)).solve(see)
    assert losses[-1] < losses[0] / 2


def test_the_mask_leaves_the_rest_bit_identical(network: VGG19) -> None:
    half = photo()
    half.mask[..., :12] = 0
    half.mask[..., 12] = 0.5
    painted = PictureSolver(half, [rand(1, 3, 32, 32)], network, TINY).solve(ignore)
    assert torch.equal(colours(painted)[..., :12], half.colours[..., :12])
    assert not torch.equal(colours(painted)[..., 13:], half.colours[..., 13:])


def test_the_masks_soft_edge_is_half_paint(network: VGG19) -> None:
    """With no step, the paint is the start: white here."""
    settings = replace(TINY, iterations=0, init="content")
    half = photo(mask=0.25)
    painted = PictureSolver(half, [rand(1, 3, 32, 32)], network, settings).solve(
        ignore, start=torch.ones(1, 3, 32, 24)
    )
    assert torch.allclose(colours(painted), 0.75 * half.colours + 0.25, atol=1e-6)
    assert painted.terms is None


def test_transparent_pixels_keep_their_colours_and_count_nowhere(network: VGG19) -> None:
    results = []
    for hidden in (0.0, 1.0):
        cut_out = photo()
        cut_out.alpha[..., :10] = 0
        cut_out.colours[..., :10] = hidden
        painted = PictureSolver(cut_out, [rand(1, 3, 32, 32)], network, TINY).solve(ignore)
        assert torch.equal(colours(painted)[..., :10], cut_out.colours[..., :10])
        assert np.array_equal(painted.pixels[..., 3], cut_out.alpha[0, 0])
        results.append(colours(painted)[..., 10:])
    assert torch.equal(*results)


def test_resized_photos_do_not_bleed_what_is_hidden() -> None:
    cut_out = photo(64, 64)
    cut_out.colours[:] = 0.2
    cut_out.colours[..., 31:] = 1.0
    cut_out.alpha[..., 31:] = 0
    small = cut_out.at((32, 32))
    assert torch.allclose(
        small.colours[small.alpha.expand_as(small.colours) > 0.05], torch.tensor(0.2), atol=0.02
    )


def test_every_level_is_half_the_next() -> None:
    sizes = [scale.size for scale in PictureSettings(size=2048).scales]
    assert sizes == [128, 256, 512, 1024, 2048]
    assert [scale.size for scale in PictureSettings(size=200).scales] == [200]
    assert {scale.steps for scale in PictureSettings(size=512, iterations=3).scales} == {3}


# --- strength ---


def test_the_start_and_the_paint_follow_the_strength(network: VGG19) -> None:
    """From black, begun with white and not painted further: half of the strength that is all paint (see `strength`)
    begins at FADE / 2, of which half is laid over."""
    black = replace(photo(), colours=torch.zeros(1, 3, 32, 24))
    white = torch.ones(1, 3, 32, 24)
    for strength, wanted in ((0.5, 0.5), (FADE / 2, FADE / 2 * 0.5), (1.0, 1.0)):
        settings = replace(TINY, iterations=0, strength=strength)
        painted = PictureSolver(black, [rand(1, 3, 32, 32)], network, settings).solve(ignore, start=white)
        assert np.allclose(painted.pixels[..., :3], wanted, atol=1e-6)


def test_less_strength_stays_nearer_to_the_photo(network: VGG19) -> None:
    change = []
    for strength in (0.1, 0.5, 1.0):
        settings = replace(TINY, iterations=4, strength=strength)
        painted = PictureSolver(photo(), [rand(1, 3, 32, 32, seed=3) ** 3], network, settings).solve(ignore)
        change.append(float((colours(painted) - photo().colours).square().mean()))
    assert 0 < change[0] < change[1] < change[2]
