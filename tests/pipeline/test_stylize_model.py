"""The whole way, on real models at tiny size: read, paint, write, and look at what came out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.gltf_compare import Gltf, assert_lossless
from helpers.gltf_validator import assert_no_new_problems

import meshstyle.evaluation
import meshstyle.stylize_model
import meshstyle.viewing
from meshstyle.config.model import Scale, Settings
from meshstyle.errors import AssetError, OutputError, PictureError, UsageError
from meshstyle.evaluation import evaluate
from meshstyle.io.gltf.build import BuildImage, BuildMaterial, BuildMesh, BuildPrimitive, build_glb
from meshstyle.io.images import encode_png
from meshstyle.io.load import load_asset
from meshstyle.progress import Progress
from meshstyle.stylize_model import Result, stylize
from meshstyle.views.cameras import camera_towards_centre, fibonacci_sphere
from meshstyle.views.reference_renderer import Renderer

ASSETS = Path(__file__).parents[2] / "assets"
DATA = Path(__file__).parents[1] / "data"
SPOT = ASSETS / "models" / "spot" / "spot.obj"
CHAIR = "plastic_monobloc_chair_01_1k"


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch)


def shrink(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps on 64-pixel views, two on 80-pixel ones; a few looks and a short turntable to judge by."""
    monkeypatch.setattr(meshstyle.evaluation, "VIEWS", 4)
    monkeypatch.setattr(meshstyle.viewing, "SIZE", 256)
    monkeypatch.setattr(meshstyle.evaluation, "ORBIT_FRAMES", 8)
    monkeypatch.setattr(Settings, "scales", property(lambda _: (Scale(64, 2), Scale(80, 2))))


def paint(model: Path, output: Path, **overrides: object) -> Result:
    settings = {"views": 5, "texture_size": 128, "style": "great-wave", **overrides}
    style = settings.pop("style")
    return stylize(model, str(style), output, **settings)


def look(path: Path, lit: bool = False) -> list[np.ndarray]:
    """Colours of the rays of three views."""
    renderer = Renderer(load_asset(path))
    found = []
    for direction in fibonacci_sphere(3):
        image = renderer.render(camera_towards_centre(direction, 64), 2, lit=lit)
        assert image is not None
        found.append(image.ray_colours)
    return found


@pytest.mark.parametrize(
    ("model", "suffix"),
    [
        ("Fox/Fox.glb", ".glb"),
        ("car_taxi/car_taxi.gltf", ".glb"),
    ],
)
def test_gltf_comes_back_whole_and_painted(model: str, suffix: str, tmp_path: Path) -> None:
    source, output = DATA / model, tmp_path / f"painted{suffix}"
    result = paint(source, output)
    assert_lossless(source, output)
    assert_no_new_problems(source, output)
    assert result.outputs[0] == output
    assert result.surface_seen >= 0.99
    assert result.coverage > 0.5
    changed = [np.abs(a - b).max(1) > 2 / 255 for a, b in zip(look(source), look(output), strict=True)]
    assert np.concatenate(changed).mean() > 0.97
    record = Gltf(output).json["asset"]["extras"]["meshstyle"]
    assert record["settings"]["texture_size"] == 128
    assert Settings.from_mapping(record["settings"]) == result.settings


@pytest.fixture(scope="module")
def barrel(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result, list[Progress]]:
    """A painted model that needs fresh UVs: its file, what the run returned, and what it told on the way."""
    output = tmp_path_factory.mktemp("barrel") / "barrel.glb"
    events: list[Progress] = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        shrink(monkeypatch)
        source = DATA / "barrel_large" / "barrel_large.gltf.glb"
        result = paint(source, output, progress=events.append)
    return output, result, events


def test_chair_keeps_its_uvs_and_the_barrel_gets_new_ones(
    barrel: tuple[Path, Result, list[Progress]], tmp_path: Path
) -> None:
    path, result, _ = barrel
    kept = paint(DATA / CHAIR / f"{CHAIR}.gltf", tmp_path / "chair.glb").atlases
    assert [atlas.unwrapped for atlas in kept] == [False]
    assert [atlas.unwrapped for atlas in result.atlases] == [True]
    primitive = Gltf(path).json["meshes"][0]["primitives"][0]
    assert "TEXCOORD_1" in primitive["attributes"]


@pytest.mark.parametrize("suffix", [".obj", ".glb"])
def test_obj_becomes_either_kind_upright(suffix: str, tmp_path: Path) -> None:
    """With next to no paint to speak of, what comes out looks as what went in: nothing turned or mirrored."""
    output = tmp_path / f"spot{suffix}"
    result = paint(SPOT, output, style_weight=0.0, texture_size=256)
    assert output in result.outputs
    if suffix == ".obj":
        assert sorted(path.name for path in tmp_path.iterdir()) == ["spot.mtl", "spot.obj", "spot.png"]
    # Colours are the painting's; light and dark are the model's.
    for before, after in zip(look(SPOT), look(output), strict=True):
        assert np.corrcoef(before.mean(1), after.mean(1))[0, 1] > 0.8


def test_paint_is_the_paintings(tmp_path: Path) -> None:
    """Even a few steps bring the style loss down, and the judge sees the whole surface painted."""
    output = tmp_path / "spot.glb"
    paint(SPOT, output, texture_size=256)
    figures = evaluate(output, SPOT, "great-wave")
    assert figures.style < 0.6 * figures.style_original
    assert figures.coverage > 0.97
    assert figures.structure > 0.8
    assert 0 < figures.consistency_rmse < 0.2
    assert figures.consistency_rmse_floor < 0.1
    assert json.dumps(figures.to_dict())


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    model = DATA / "cubevc" / "cubevc.glb"
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        paint(model, tmp_path / f"{name}.glb", seed=seed)
    a, b, c = ((tmp_path / f"{name}.glb").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_stages_are_told_in_order(barrel: tuple[Path, Result, list[Progress]]) -> None:
    events = barrel[2]
    stages = list(dict.fromkeys(event.stage for event in events))
    assert stages == ["read", "unwrap", "trace", "solve", "bake", "write"]
    steps = [event for event in events if event.stage == "solve"]
    assert [event.step for event in steps] == [1, 2, 3, 4]
    assert steps[-1].seconds_left == 0


def test_interrupted_run_writes_the_best_so_far(tmp_path: Path) -> None:
    def stop(record: Progress) -> None:
        if record.stage == "solve" and record.step == 2:
            raise KeyboardInterrupt

    model = DATA / "cubevc" / "cubevc.glb"
    result = paint(model, tmp_path / "part.glb", progress=stop)
    assert result.interrupted
    assert_lossless(model, tmp_path / "part.glb")
    with pytest.raises(KeyboardInterrupt):
        paint(model, tmp_path / "none.glb", progress=stop, partial=False)
    assert not (tmp_path / "none.glb").exists()


def test_mistakes_are_told_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the solver must not be reached")

    monkeypatch.setattr(meshstyle.stylize_model, "TextureSolver", never)
    picture = tmp_path / "text.png"
    picture.write_text("no picture")
    blocked = tmp_path / "text.png" / "out.glb"
    model = DATA / "cubevc" / "cubevc.glb"
    cases = [
        (AssetError, (tmp_path / "missing.glb", "great-wave", None)),
        (PictureError, (model, picture, tmp_path / "out.glb")),
        (OutputError, (model, "great-wave", blocked)),
        (UsageError, (model, "great-wave", model)),
    ]
    for kind, arguments in cases:
        with pytest.raises(kind):
            stylize(*arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["text.png"]


@pytest.mark.parametrize("mode", ["OPAQUE", "MASK", "BLEND"])
def test_alpha_of_the_base_colour_is_kept_to_the_byte(mode: str, tmp_path: Path) -> None:
    """Also between charts, and also where an opaque material stores something else in it."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (64, 64, 4), np.uint8)
    pixels[8:56, 8:56, 3] |= 0x80  # most of what is seen is there
    square = BuildPrimitive(
        positions=np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float),
        indices=np.array([[0, 1, 2], [0, 2, 3]]),
        uvs=np.array([[0.1, 0.9], [0.9, 0.9], [0.9, 0.1], [0.1, 0.1]]),
        material=0,
    )
    material = BuildMaterial("m", image=0, alpha_mode=mode)
    source = tmp_path / "source.glb"
    source.write_bytes(
        build_glb([BuildMesh("square", [square])], [material], [BuildImage("i", encode_png(pixels))], {})
    )
    paint(source, tmp_path / "out.glb", texture_size=64, uv="keep")
    painted = load_asset(tmp_path / "out.glb").image(0)
    assert np.array_equal(painted[..., 3], pixels[..., 3])
    assert not np.array_equal(painted[..., :3], pixels[..., :3])
