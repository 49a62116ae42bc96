"""Awkward geometry, from reading to writing: whatever a view can show gets paint.

The painting is stood in for by an objective that wants every model's negative. A white model comes out dark, and a
place that nothing painted stays white.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from helpers.gltf_samples import Maker

import meshstyle.optimize.multiscale
import meshstyle.requested_styles
import meshstyle.stylize_model
from meshstyle import Result, Settings, stylize
from meshstyle.config.model import Scale
from meshstyle.errors import AssetError
from meshstyle.io.load import load_asset
from meshstyle.style.areas import Area, Areas
from meshstyle.style.objective import LossTerms
from meshstyle.style.vgg import VGG19
from meshstyle.style.view_objective import ViewObjective, ViewTarget
from meshstyle.views.cameras import camera_towards_centre, fibonacci_sphere
from meshstyle.views.reference_renderer import Renderer
from meshstyle.views.view import View

_BALL = trimesh.creation.icosphere(2)
POINTS = np.array(_BALL.vertices) * [1.0, 0.8, 0.6]
FACES = np.array(_BALL.faces)
_BOX = trimesh.creation.box()
BOX, SIDES = np.array(_BOX.vertices), np.array(_BOX.faces)
RNG = np.random.default_rng(0)


class Negative(ViewObjective):
    """Wants 1 − original. In front of a grey background that is a picture's negative too."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.areas = Areas((Area((), (), 1.0),))
        self._wanted: dict[ViewTarget, torch.Tensor] = {}

    def ground(self, _: torch.Tensor) -> None:
        return None

    def target(
        self, view: View, original: torch.Tensor, background: torch.Tensor, ground: None, rows: None
    ) -> ViewTarget:
        found = ViewTarget((), view.mask)
        self._wanted[found] = 1 - view.render(original, background)
        return found

    def __call__(self, lit: torch.Tensor, bare: torch.Tensor, target: ViewTarget) -> LossTerms:
        loss = ((lit - self._wanted[target]).square() * target.mask).sum()
        return LossTerms(loss, torch.zeros(3))


@pytest.fixture(autouse=True)
def negative(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meshstyle.optimize.multiscale, "ViewObjective", Negative)
    monkeypatch.setattr(meshstyle.stylize_model, "load_weights", lambda _: None)
    monkeypatch.setattr(meshstyle.stylize_model, "make_network", lambda *_: VGG19.__new__(VGG19))
    monkeypatch.setattr(
        meshstyle.requested_styles, "load_style_image", lambda _: torch.full((1, 3, 64, 64), 0.5)
    )
    monkeypatch.setattr(Settings, "scales", property(lambda _: (Scale(64, 40),)))


def model(folder: Path, points: np.ndarray, faces: np.ndarray, **attributes: np.ndarray) -> Path:
    maker = Maker()
    named = {name: maker.accessor(np.asarray(values, "<f4")) for name, values in attributes.items()}
    positions = maker.positions(np.asarray(points, "<f4"))
    indices = maker.accessor(np.asarray(faces, "<u4").reshape(-1))
    maker.mesh({"attributes": {"POSITION": positions, **named}, "indices": indices})
    return maker.glb(folder / "model.glb")


def paint(path: Path) -> Result:
    settings = Settings(views=10, texture_size=256, tv_weight=0.0, threads=1)
    return stylize(path, "scream", path.with_name("out.glb"), settings)


def still_white(path: Path) -> float:
    """Share of what is seen that no paint reached."""
    renderer = Renderer(load_asset(path))
    seen = []
    for direction in fibonacci_sphere(7)[:6]:
        image = renderer.render(camera_towards_centre(direction, 64), 2, lit=False)
        if image is not None:
            seen.append(image.ray_colours.min(axis=1))
    return float(np.mean(np.concatenate(seen) > 0.6))


def joined(*pieces: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    first = np.cumsum([0, *(len(points) for points, _ in pieces)])
    faces = [own + offset for (_, own), offset in zip(pieces, first, strict=False)]
    return np.concatenate([points for points, _ in pieces]), np.concatenate(faces)


def fence() -> tuple[np.ndarray, np.ndarray]:
    slats = [(BOX * [0.03, 1.2, 0.02] + [x, 0, 0], SIDES) for x in np.arange(-2, 2, 0.1)]
    return joined(*slats, *((BOX * [4, 0.05, 0.02] + [0, y, 0.02], SIDES) for y in (-0.4, 0.4)))


def half_flipped() -> tuple[np.ndarray, np.ndarray]:
    faces = FACES.copy()
    faces[::2] = faces[::2, ::-1]
    return POINTS, faces


FLAT = np.array([[0, 0, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1]], np.float64)
TWO = np.array([[0, 2, 1], [0, 3, 2]])
FAN = np.array([[0, 0, 0], [0, 1, 0], [1, 0, 0], [-1, 0, 0], [0, 0, 1], [0, 0.5, -1]], np.float64)
SHAPES = {
    "micrometres": (POINTS * 1e-6, FACES),
    "megametres": (POINTS * 1e6, FACES),
    "far from the origin": (POINTS + np.array([2e4, 0, 2e4]), FACES),
    "plane": (FLAT, TWO),
    "wall": (BOX * [10, 4, 0.05], SIDES),
    "fence": fence(),
    "rod": (BOX * [0.05, 2, 0.05], SIDES),
    "triangle": (FLAT, TWO[:1]),
    "inside out": (BOX, SIDES[:, ::-1]),
    "double shells": joined((POINTS, FACES), (POINTS, FACES[:, ::-1]), (POINTS * 1.00001, FACES)),
    "degenerate": (POINTS, np.concatenate([FACES, FACES[:50], FACES[:50, [0, 0, 1]], FACES[:50, [0, 0, 0]]])),
    "non-manifold": (FAN, np.array([[0, 1, 2], [0, 1, 3], [0, 1, 4], [0, 1, 5]])),
    "open": (POINTS, FACES[POINTS[FACES].mean(axis=1)[:, 1] > -0.2]),
    "half flipped": half_flipped(),
    "lost vertex": (np.concatenate([POINTS, [[1e6, 0, 0]]]), FACES),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_painted(shape: str, tmp_path: Path) -> None:
    result = paint(model(tmp_path, *SHAPES[shape]))
    assert result.surface_seen > 0.98
    assert still_white(tmp_path / "out.glb") < 0.01


@pytest.mark.parametrize(
    "normals",
    [-POINTS, RNG.normal(size=POINTS.shape), np.full(POINTS.shape, np.nan), np.zeros(POINTS.shape)],
    ids=["inwards", "random", "nan", "zero"],
)
def test_normals_of_any_kind_do_no_harm(normals: np.ndarray, tmp_path: Path) -> None:
    paint(model(tmp_path, POINTS, FACES, NORMAL=normals))
    assert still_white(tmp_path / "out.glb") < 0.02


def test_interiors_are_filled_and_reported(tmp_path: Path) -> None:
    """A box of half the size inside another: a fifth of the surface (¼ : 1) is out of sight."""
    result = paint(model(tmp_path, *joined((BOX, SIDES), (BOX / 2, SIDES))))
    assert result.surface_visible == pytest.approx(0.8, abs=0.01)
    assert result.atlases[0].filled == pytest.approx(0.2, abs=0.05)
    inside = load_asset(tmp_path / "out.glb")
    assert (inside.image(0)[..., :3].max(axis=(0, 1)) < 200).all()  # white nowhere, not even in there


def test_a_needle_that_no_view_shows_is_refused(tmp_path: Path) -> None:
    """It stands on the optical axis of every camera, between two columns of pixels."""
    path = model(tmp_path, BOX * [1e-5, 2, 1e-5], SIDES)
    with pytest.raises(AssetError, match="too thin"):
        paint(path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.glb"]


def test_specks_far_apart_are_painted_in_views_of_their_own(tmp_path: Path) -> None:
    """A hundred thousand times as far as they are large: whole views show nothing of them."""
    ball = trimesh.creation.icosphere(1)
    points, faces = np.array(ball.vertices) * 1e-2, np.array(ball.faces)
    result = paint(model(tmp_path, *joined((points, faces), (points + np.array([1000.0, 0, 0]), faces))))
    assert result.surface_seen > 0.98
    # As of two balls twenty radii apart, 2 % of the texels, more than 64 pixels show, are still on their way to black.
    painted = load_asset(tmp_path / "out.glb").image(0)[..., :3].max(axis=2)
    assert (painted > 0.6 * 255).mean() < 0.04
    assert np.median(painted) < 0.4 * 255
