"""`--strength`: from the original, exactly, to the full style."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.charts import two_charts

import meshstyle
from meshstyle.bake.bake import bake, quantized
from meshstyle.config.model import Scale, Settings
from meshstyle.errors import UsageError
from meshstyle.io.load import load_asset
from meshstyle.strength import FADE, lay_over, paint_share
from meshstyle.style.losses import masked_gram
from meshstyle.style.objective import LossWeights, Objective, mixed_grams
from meshstyle.style.vgg import VGG19
from meshstyle.style.vgg_weights import load_weights
from meshstyle.views.cameras import camera_towards_centre
from meshstyle.views.reference_renderer import Renderer

ROOT = Path(__file__).parents[2]
SPOT = ROOT / "assets" / "models" / "spot" / "spot.obj"
ALIEN = ROOT / "tests" / "data" / "alien" / "alien.glb"
FOX = ROOT / "assets" / "models" / "fox" / "Fox.glb"
CHAIR = ROOT / "assets" / "models" / "chair" / "plastic_monobloc_chair_01_1k.gltf"


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "scales", property(lambda _: (Scale(64, 2),)))


def test_the_share_of_paint_rises_smoothly_from_nothing_to_all() -> None:
    """Smoothstep x²(3 − 2x): at half of the fade it is 4/8·… = 1/2, with a gradient of 0 at both ends."""
    assert paint_share(0) == 0
    assert paint_share(FADE / 2) == pytest.approx(0.5)
    assert paint_share(FADE) == paint_share(1) == 1
    shares = [paint_share(s) for s in np.linspace(0, 1, 201)]
    steps = np.diff(shares)
    assert (steps >= 0).all()
    assert steps.max() < 1.6 * (1 / 200) / FADE  # no jump: the steepest is 1.5 times the mean gradient
    assert steps[0] < 0.1 * steps.max()


def test_laying_over() -> None:
    original, paint = np.full((1, 1, 3), 0.2, np.float32), np.full((1, 1, 3), 0.6, np.float32)
    assert lay_over(original, paint, 0).tolist() == original.tolist()
    assert lay_over(original, paint, FADE / 2)[0, 0, 0] == pytest.approx(0.4)
    assert lay_over(original, paint, FADE) is paint


def test_mixed_gram_matrices_are_those_of_a_mixed_surface() -> None:
    """Three pixels of the painting and one of the original: their Gram matrix is ¾ of the way."""
    original, style = rand(1, 5, 1, 1), rand(1, 5, 1, 1, seed=1)
    both = torch.cat([original, style, style, style], dim=3)
    one, four = torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 4)
    (mixed,) = mixed_grams({"l": masked_gram(original, one)}, {"l": masked_gram(style, one)}, 0.75).values()
    assert torch.allclose(mixed, masked_gram(both, four), atol=1e-6)


def test_the_goal_moves_and_what_is_told_does_not() -> None:
    """The original is already what strength 0 wants; its distance from the painting is told all the same."""
    network = VGG19(load_weights())
    picture, painting, mask = rand(1, 3, 32, 32), rand(1, 3, 32, 32, seed=1) ** 3, torch.ones(1, 1, 32, 32)
    found = {}
    for strength in (0.0, 0.5, 1.0):
        objective = Objective(network, LossWeights(0.0, 1.0, 0.0, strength))
        found[strength] = objective(
            picture, objective.style_target(painting), objective.content_target(picture, mask)
        )
    assert float(found[0.0].total) == pytest.approx(0, abs=1e-9)
    assert 0 < float(found[0.5].total) < float(found[1.0].total)
    assert found[0.0].style == pytest.approx(found[1.0].style) == pytest.approx(float(found[1.0].total))


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("model", [SPOT, CHAIR], ids=["obj", "gltf"])
def test_strength_0_gives_kept_images_back_to_the_byte(model: Path, tmp_path: Path) -> None:
    result = meshstyle.stylize(model, "scream", tmp_path / model.name, strength=0.0, views=4, threads=1)
    before, after = load_asset(model), load_asset(result.outputs[0])
    assert result.style_loss is None
    assert result.atlases == ()
    for old, new in zip(before.materials, after.materials, strict=True):
        assert np.array_equal(before.image(old.image), after.image(new.image))
    for old, new in zip(before.parts, after.parts, strict=True):
        assert np.array_equal(old.uv, new.uv)
    assert (after.record or {})["settings"]["strength"] == 0


@pytest.mark.usefixtures("tiny")
def test_strength_0_of_an_unwrapped_model_is_the_original_resampled(tmp_path: Path) -> None:
    out = tmp_path / "out.glb"
    result = meshstyle.stylize(ALIEN, "scream", out, strength=0.0, threads=1, views=4, texture_size=512)
    assert [atlas.unwrapped for atlas in result.atlases] == [True]
    camera = camera_towards_centre(np.array([0.6, 0.0, 0.8]), 96)
    views = [Renderer(load_asset(path)).render(camera, 2, frame=(96, 96)) for path in (ALIEN, out)]
    assert np.abs(views[0].colour - views[1].colour).mean() < 0.005


@pytest.mark.usefixtures("tiny")
def test_near_0_little_differs_and_at_1_nothing_new_happens(tmp_path: Path) -> None:
    """As the strength goes to 0 the texels go to the original's; at 1 the result is what it was without the option."""
    images = {}
    for strength in (0.02, 0.15, 1.0, None):
        given = {} if strength is None else {"strength": strength}
        out = tmp_path / f"{strength}.glb"
        meshstyle.stylize(FOX, "scream", out, views=4, threads=1, texture_size=128, **given)
        images[strength] = load_asset(out).image(0).astype(float)
    near, further, full = (np.abs(images[s] - images[None]).mean() for s in (0.02, 0.15, 1.0))
    assert full == 0
    assert near > further > 0


def test_finishing_at_a_low_strength_keeps_what_no_view_saw() -> None:
    surface = two_charts()
    start = surface.atlases[0].start
    nothing = np.zeros(surface.atlases[0].owner.shape, bool)
    (image,) = bake(surface, [np.ones_like(start)], [nothing], strength=1e-4).images
    assert np.array_equal(image, quantized(start, None))


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), "half", True])
def test_other_strengths_are_refused(value: object) -> None:
    with pytest.raises(UsageError, match="strength"):
        Settings(strength=value)  # type: ignore[arg-type]
