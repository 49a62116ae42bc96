"""Real models: read, painted, written, and nothing else has changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.gltf_compare import Gltf, assert_lossless
from helpers.gltf_samples import paint
from helpers.gltf_validator import assert_no_new_problems

from meshstyle.io.gltf.asset import GltfAsset
from meshstyle.io.load import load_asset
from meshstyle.io.save import save_asset
from meshstyle.io.types import Paint

DATA = Path(__file__).parents[1] / "data"
MODELS = sorted(
    path
    for pattern in ("*.glb", "*.gltf")
    for path in DATA.rglob(pattern)
    if "broken" not in path.parts and not path.stem.endswith(("_draco", "_meshopt"))
)


def check(before: Path, after: Path, painted: Paint) -> GltfAsset:
    """Lossless, valid, and the paint is in it."""
    assert_lossless(before, after)
    assert_no_new_problems(before, after)
    result = load_asset(after)
    assert isinstance(result, GltfAsset)
    assert result.record == painted.record
    for part, wanted in zip(result.parts, painted.parts, strict=True):
        if wanted is None:
            continue
        material = result.materials[part.material]
        assert material.image is not None
        assert material.factor[:3] == (1.0, 1.0, 1.0)
        assert part.colours is None
        image = result.image(material.image)
        pixels = painted.atlases[wanted.atlas].pixels
        np.testing.assert_array_equal(image[..., : pixels.shape[2]], pixels)
        if wanted.uv is not None:
            assert part.uv is not None
            np.testing.assert_array_equal(part.uv, wanted.uv.astype(np.float32))
    return result


def test_all_models_are_there() -> None:
    assert len(MODELS) >= 14


@pytest.mark.parametrize(("unwrap", "suffix"), [(False, ".gltf"), (True, ".glb")], ids=["keep", "unwrap"])
@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_round_trip(path: Path, unwrap: bool, suffix: str, tmp_path: Path) -> None:
    asset = load_asset(path)
    assert isinstance(asset, GltfAsset)
    painted = paint(asset, unwrap)
    output = tmp_path / f"out{suffix}"
    written = save_asset(asset, output, painted)
    assert written[0] == output
    assert {item for item in tmp_path.rglob("*") if item.is_file()} == set(written)
    result = check(path, output, painted)
    for before, after, wanted in zip(asset.parts, result.parts, painted.parts, strict=True):
        np.testing.assert_array_equal(after.corners, before.corners)
        if wanted is not None and wanted.uv is None:
            np.testing.assert_array_equal(after.uv, before.uv)


@pytest.mark.parametrize("name", ["car_taxi/car_taxi.gltf", "character/character.glb", "robot/robot.glb"])
def test_every_part_an_atlas_of_its_own(name: str, tmp_path: Path) -> None:
    path = DATA / name
    asset = GltfAsset(path)
    painted = paint(asset, unwrap=True, atlases=len(asset.parts))
    save_asset(asset, tmp_path / "out.glb", painted)
    check(path, tmp_path / "out.glb", painted)


@pytest.mark.parametrize(
    "name", ["car_taxi/car_taxi.gltf", "robot/robot.glb", "MorphStressTest/MorphStressTest.gltf"]
)
def test_half_of_the_parts(name: str, tmp_path: Path) -> None:
    path = DATA / name
    asset = GltfAsset(path)
    full = paint(asset, unwrap=True)
    painted = Paint(
        full.atlases, tuple(None if i % 2 else part for i, part in enumerate(full.parts)), {"a": 1}
    )
    save_asset(asset, tmp_path / "out.glb", painted)
    result = check(path, tmp_path / "out.glb", painted)
    for before, after, wanted in zip(asset.parts, result.parts, painted.parts, strict=True):
        if wanted is None:
            first, second = asset.materials[before.material], result.materials[after.material]
            assert (first.name, first.factor) == (second.name, second.factor)
            np.testing.assert_array_equal(before.uv, after.uv)
            if first.image is not None:
                np.testing.assert_array_equal(asset.image(first.image), result.image(second.image))


def test_painting_twice_replaces_the_paint(tmp_path: Path) -> None:
    """A second run over a result carries no first paint along."""
    asset = GltfAsset(DATA / "barrel_large/barrel_large.gltf.glb")
    first, second = tmp_path / "first.glb", tmp_path / "second.glb"
    save_asset(asset, first, paint(asset, unwrap=False))
    again = GltfAsset(first)
    save_asset(again, second, paint(again, unwrap=False))
    assert first.read_bytes() == second.read_bytes()


def test_old_images_are_not_carried_along(tmp_path: Path) -> None:
    asset = GltfAsset(DATA / "barrel_large/barrel_large.gltf.glb")
    save_asset(asset, tmp_path / "out.glb", paint(asset, unwrap=False))
    result = Gltf(tmp_path / "out.glb")
    assert len(result.items("images")) == len(result.items("textures")) == 1
    kept = sum(view["byteLength"] for view in result.items("bufferViews"))
    assert len(result.buffers[0]) - kept < 4 * len(result.items("bufferViews"))


def test_webp_leaves_no_trace(tmp_path: Path) -> None:
    asset = GltfAsset(DATA / "variants/barrel_webp.glb")
    save_asset(asset, tmp_path / "out.glb", paint(asset, unwrap=False))
    document = Gltf(tmp_path / "out.glb").json
    assert "extensionsUsed" not in document
    assert document["textures"][0].keys() >= {"source"}
    assert document["images"][0]["mimeType"] == "image/png"


def copy_model(name: str, folder: Path) -> Path:
    shutil.copytree(DATA / name, folder)
    return next(folder.glob("*.gltf"))


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_output_beside_its_input_touches_no_input_file(tmp_path: Path) -> None:
    path = copy_model("plastic_monobloc_chair_01_1k", tmp_path / "model")
    before = snapshot(path.parent)
    asset = GltfAsset(path)
    written = save_asset(asset, path.with_name("painted.gltf"), paint(asset, unwrap=True))
    after = snapshot(path.parent)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"painted.gltf", "painted.bin", "painted_atlas_0.png"}
    assert len(written) == 3
    check(path, path.with_name("painted.gltf"), paint(asset, unwrap=True))


def test_companions_of_the_same_name_but_other_content_stay(tmp_path: Path) -> None:
    path, output = copy_model("car_taxi", tmp_path / "in"), tmp_path / "out" / "taxi.gltf"
    output.parent.mkdir()
    foreign = {"car_taxi.bin": b"other", "taxi_atlas_0.png": b"another", "taxi.bin": b"and another"}
    for name, data in foreign.items():
        (output.parent / name).write_bytes(data)
    asset = GltfAsset(path)
    painted = paint(asset, unwrap=True)
    save_asset(asset, output, painted)
    after = snapshot(output.parent)
    assert {name: after[name] for name in foreign} == foreign
    assert set(after) - set(foreign) == {"taxi.gltf", "car_taxi_1.bin", "taxi_atlas_0_1.png", "taxi_1.bin"}
    check(path, output, painted)
    save_asset(asset, output, painted)  # a second run replaces its own files and makes no more
    assert set(snapshot(output.parent)) == set(after)


def test_broken_result_never_replaces_a_good_one(tmp_path: Path) -> None:
    """Nothing is written when a companion of the input has gone."""
    path = copy_model("plastic_monobloc_chair_01_1k", tmp_path / "model")
    asset = GltfAsset(path)
    output = tmp_path / "out.glb"
    output.write_bytes(b"earlier")
    normal_map = next((path.parent / "textures").glob("*nor*"))
    normal_map.unlink()
    save_asset(asset, output, paint(asset, unwrap=False))
    images = Gltf(output).items("images")
    assert [image.get("uri", "") for image in images].count(f"textures/{normal_map.name}") == 1


def test_json_keeps_its_order_and_unknown_parts(tmp_path: Path) -> None:
    path = copy_model("car_taxi", tmp_path / "in")
    document = json.loads(path.read_text())
    document = {"extras": {"mine": [1, None, "ä"]}, **document, "unknown": {"deep": [1.5, True]}}
    document["asset"]["copyright"] = "©"
    path.write_text(json.dumps(document))
    asset = GltfAsset(path)
    save_asset(asset, tmp_path / "out.gltf", paint(asset, unwrap=False))
    after = json.loads((tmp_path / "out.gltf").read_text())
    assert list(after) == list(document)
    assert (after["extras"], after["unknown"]) == (document["extras"], document["unknown"])
    assert after["asset"]["copyright"] == "©"
