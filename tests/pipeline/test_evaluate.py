"""The judge: whole models, on few and small views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.rendering import make

from meshstyle.bundled import find_style
from meshstyle.errors import AssetError
from meshstyle.evaluation import Evaluation, evaluate, judge
from meshstyle.io.types import Material
from meshstyle.style.style_image import load_style_image
from meshstyle.style.vgg import VGG19
from meshstyle.style.vgg_weights import load_weights
from meshstyle.viewing import StyleAtViewSize, directions
from meshstyle.views.reference_renderer import Renderer

DATA = Path(__file__).parents[1] / "data"
SIZE = 96


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few and small views, a turntable of four frames."""
    monkeypatch.setattr("meshstyle.evaluation.VIEWS", 4)
    monkeypatch.setattr("meshstyle.evaluation.ORBIT_FRAMES", 4)
    monkeypatch.setattr("meshstyle.viewing.SIZE", SIZE)


def test_a_model_judged_against_itself() -> None:
    path = DATA / "cubevc" / "cubevc.glb"
    figures = evaluate(path, path, "mondrian")
    assert figures.style == figures.style_original > 0.1
    assert figures.content_loss == 0
    assert figures.structure == pytest.approx(1, abs=0.01)
    assert figures.coverage == 0
    assert figures.consistency_rmse == figures.consistency_rmse_floor


def test_another_shape_is_no_original() -> None:
    with pytest.raises(AssetError, match="shape"):
        evaluate(DATA / "cubevc" / "cubevc.glb", DATA / "Fox" / "Fox.glb", "mondrian")


def checkered(light: int) -> Renderer:
    """A square with a checkerboard of 0 and `light`, fields of 16 texels."""
    pixels = np.full((64, 64, 4), 255, np.uint8)
    pixels[..., :3] = ((np.indices((64, 64)) // 16).sum(0) % 2 * light)[..., None]
    return Renderer(make(Material("m", image=0), pixels))


@pytest.fixture(scope="module")
def painting() -> StyleAtViewSize:
    network = VGG19(load_weights("bundled"), convolution="auto", precision="auto")
    return StyleAtViewSize(load_style_image(find_style("mondrian")), network, SIZE)


def judged(ours: Renderer, theirs: Renderer, painting: StyleAtViewSize) -> Evaluation:
    found = judge(ours, theirs, painting, directions(4))
    assert found is not None
    return found


def test_figures_of_a_painted_square(painting: StyleAtViewSize) -> None:
    """Half of it is white where it was grey, but for the blur between the fields."""
    found = judged(checkered(255), checkered(128), painting)
    assert found.white == pytest.approx(0.4, abs=0.1)
    assert found.white_beyond == pytest.approx(max(0, found.white - found.white_painting))
    assert found.coverage == pytest.approx(0.5, abs=0.1)  # dark fields stay as they were
    assert found.confetti == pytest.approx(0, abs=1e-4)
    assert found.grain > 0
    assert found.content_loss > 0
    assert found.sharpness > 0


def test_style_is_of_three_sizes_and_the_worst_view_is_one_of_them(painting: StyleAtViewSize) -> None:
    found = judged(checkered(255), checkered(128), painting)
    sizes = (found.style_768, found.style_384, found.style_192)
    assert found.style == pytest.approx(np.prod(sizes) ** (1 / 3))
    assert found.worst_style >= found.style * 0.99
    assert np.allclose(found.worst_direction, directions(4)[found.worst_view])
    assert found.poles > 0


def test_json_has_every_figure_and_style_by_both_names(painting: StyleAtViewSize) -> None:
    found = judged(checkered(255), checkered(128), painting)
    told = found.to_dict()
    assert told["style_loss"] == told["style"] == found.style
    assert set(told) == {"style_loss", *Evaluation.__dataclass_fields__}
    assert isinstance(told["worst_direction"], list)


def test_nothing_to_see(painting: StyleAtViewSize) -> None:
    air = Renderer(make(Material("m", image=0, alpha_mode="BLEND"), np.zeros((4, 4, 4), np.uint8)))
    assert judge(air, air, painting, directions(2)) is None
