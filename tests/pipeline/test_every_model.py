"""Every model of tests/data and every model that ships, through the program as a user calls it.

The style is one colour, lime, that no model has. Whatever the paint reaches becomes lime, however few the steps, so a
ray that meets another colour has met a texel that nothing painted.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from helpers.gltf_compare import Gltf, assert_lossless
from helpers.gltf_expanded import Expanded
from helpers.gltf_validator import assert_no_new_problems
from meshstyle.cli.main import BAD_INPUT, DONE, main
from PIL import Image

from meshstyle.config.model import Scale, Settings
from meshstyle.evaluation import evaluate
from meshstyle.io.load import load_asset
from meshstyle.views.cameras import camera_towards_centre, fibonacci_sphere
from meshstyle.views.reference_renderer import Renderer

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
SUFFIXES = (".glb", ".gltf", ".obj")
_FOUND = sorted(
    path
    for folder in (DATA, ROOT / "assets" / "models")
    for path in folder.rglob("*")
    if path.suffix in SUFFIXES and "broken" not in path.parts
)
MODELS = sorted({path.read_bytes(): path for path in _FOUND}.values())  # some ship and are test data too
BROKEN = sorted(path for path in (DATA / "broken").rglob("*") if path.suffix in SUFFIXES)
LIME = np.array([0.45, 0.95, 0.1])
FAR = 0.35  # from lime, in some channel: one step from a noisy start ends up to 0.31 from it


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "scales", property(lambda _: (Scale(64, 1),)))


@pytest.fixture(scope="module")
def lime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("style") / "lime.png"
    noise = np.random.default_rng(0).normal(0, 0.02, (64, 64, 3))
    Image.fromarray(((LIME + noise).clip(0, 1) * 255).astype(np.uint8)).save(path)
    return path


def stylize(model: Path, style: Path, output: Path, *more: str) -> int:
    line = [
        "stylize",
        str(model),
        "--style",
        str(style),
        "-o",
        str(output),
        "--preset",
        "draft",
        "--iterations",
        "1",
        "--json",
        "-q",
    ]
    small = ["--texture-size", "128", "--structure-weight", "0", "--content-weight", "0", "--tv-weight", "0"]
    return main([*line, *small, *more])


def unpainted_share(path: Path, views: int = 12) -> float:
    """Of the rays of so many views that meet the model, how many meet something that is not lime."""
    renderer = Renderer(load_asset(path))
    images = [
        renderer.render(camera_towards_centre(direction, 96), 1, lit=False)
        for direction in fibonacci_sphere(views)
    ]
    colours = np.concatenate([image.ray_colours for image in images if image is not None])
    return float((np.abs(colours - LIME).max(1) > FAR).mean())


def test_there_are_models_of_all_kinds() -> None:
    assert {path.suffix for path in MODELS} == set(SUFFIXES)
    assert len(MODELS) >= 19
    assert len(BROKEN) >= 12


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.name)
def test_every_model_is_painted_and_otherwise_unharmed(
    model: Path, lime: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / f"out{model.suffix}"
    assert unpainted_share(model, views=3) > 0.5, "the check itself: no model is lime all over before"
    assert stylize(model, lime, output) == DONE
    shown = capsys.readouterr()
    assert shown.err == ""
    told = json.loads(shown.out)
    assert told["outputs"][0] == str(output)
    # Cameras stop at 62: a tree of loose leaves wants more, whose soft rims are seen only against the sky.
    assert told["surface_seen"] >= 0.95
    assert 0 < told["coverage"] <= 1
    assert unpainted_share(output) == 0
    if model.suffix != ".obj":
        before = Expanded(model) if model.stem.endswith(("_draco", "_meshopt")) else model
        assert_lossless(before, output)
        assert_no_new_problems(model, output)
        record = Gltf(output).json["asset"]["extras"]["meshstyle"]
        assert Settings.from_mapping(record["settings"]) == Settings.from_mapping(told["settings"])


@pytest.mark.parametrize("model", BROKEN, ids=lambda path: path.parent.name)
def test_every_broken_model_is_refused_in_one_line(
    model: Path, lime: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    assert stylize(model, lime, tmp_path / "out.glb") == BAD_INPUT
    assert time.monotonic() - began < 5
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert model.parent.name in lines[0]
    assert not list(tmp_path.iterdir())


TREE = DATA / "tree_lowpoly" / "scene.gltf"


def test_a_material_left_out_keeps_its_look(
    lime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tree's leaves are painted, its bark is not; nor is anything of the bark touched in the file.

    The judge does not hold against the result what it was not to paint.
    """
    for name, few in {"evaluation.VIEWS": 3, "viewing.SIZE": 96, "evaluation.ORBIT_FRAMES": 2}.items():
        monkeypatch.setattr(f"meshstyle.{name}", few)
    names = [material.name for material in load_asset(TREE).materials]
    assert len(names) == 2
    for left_out, option in ((names[0], "--skip"), (names[1], "--only")):
        output = tmp_path / f"{option.strip('-')}.glb"
        assert (
            stylize(TREE, lime, output, option, names[0].upper() if option == "--skip" else names[0]) == DONE
        )
        assert_lossless(TREE, output)
        assert_no_new_problems(TREE, output)
        before, after = load_asset(TREE), load_asset(output)
        for old, new in zip(before.materials, after.materials, strict=True):
            same = np.array_equal(before.image(old.image), after.image(new.image))
            assert same == (old.name == left_out)
        assert evaluate(output, TREE, lime).coverage > 0.95


@pytest.mark.parametrize("suffix", [".glb", ".obj"])
def test_one_image_for_all(suffix: str, lime: Path, tmp_path: Path) -> None:
    model = TREE if suffix == ".glb" else DATA / "building_A" / "building_A.obj"
    output = tmp_path / f"shared{suffix}"
    assert stylize(model, lime, output, "--atlas", "shared") == DONE
    after = load_asset(output)
    assert len({material.image for material in after.materials}) == 1
    assert unpainted_share(output) == 0
    if suffix == ".glb":
        assert_lossless(model, output)
        assert_no_new_problems(model, output)
        modes = [(m.alpha_mode, m.alpha_cutoff, m.double_sided) for m in load_asset(model).materials]
        assert [(m.alpha_mode, m.alpha_cutoff, m.double_sided) for m in after.materials] == modes
