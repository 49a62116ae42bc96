"""Draco, meshopt and Basis Universal: read, written plain, and nothing else has changed."""

from __future__ import annotations

import json
import os
import resource
import time
from pathlib import Path
from typing import Any

import meshopt
import numpy as np
import pytest
from helpers.compressed_gltf import draco_square, meshopt_square, textured
from helpers.gltf_compare import Gltf, assert_lossless
from helpers.gltf_expanded import DRACO, MESHOPT, Expanded
from helpers.gltf_samples import SQUARE, SQUARE_UV, Maker, paint
from helpers.gltf_validator import assert_no_new_problems, problems

from meshstyle.errors import AssetError, PictureError
from meshstyle.io.gltf import decoders
from meshstyle.io.gltf.asset import GltfAsset
from meshstyle.io.save import save_asset

VARIANTS = Path(__file__).parents[1] / "data" / "variants"
NAMES = ("Fox_draco", "robot_meshopt")
INSTALL = r"pip install 'meshstyle\[compressed\]'"


@pytest.mark.parametrize(("unwrap", "suffix"), [(False, ".gltf"), (True, ".glb")], ids=["keep", "unwrap"])
@pytest.mark.parametrize("name", NAMES)
def test_samples_come_back_plain(name: str, unwrap: bool, suffix: str, tmp_path: Path) -> None:
    source, output = VARIANTS / f"{name}.glb", tmp_path / f"out{suffix}"
    asset = GltfAsset(source)
    (warning,) = asset.warnings
    assert "is written uncompressed" in warning
    written = save_asset(asset, output, paint(asset, unwrap))
    assert {item for item in tmp_path.rglob("*") if item.is_file()} == set(written)
    assert_lossless(Expanded(source), output)
    assert_no_new_problems(source, output)
    document = Gltf(output).json
    assert not {DRACO, *MESHOPT} & {
        *document.get("extensionsUsed", []),
        *document.get("extensionsRequired", []),
    }
    assert "extensions" not in json.dumps(document["bufferViews"])
    assert len(document["buffers"]) == 1
    again = GltfAsset(output)
    assert again.warnings == ()
    for before, after in zip(asset.parts, again.parts, strict=True):
        np.testing.assert_array_equal(before.corners, after.corners)


def test_samples_are_the_models_they_were_made_from() -> None:
    """Within what quantization may have moved."""
    for name, plain in (("Fox_draco", "Fox/Fox"), ("robot_meshopt", "robot/robot")):
        before = GltfAsset(VARIANTS.parent / f"{plain}.glb")
        after = GltfAsset(VARIANTS / f"{name}.glb")
        assert len(before.parts) == len(after.parts)
        for first, second in zip(before.parts, after.parts, strict=True):
            assert first.corners.shape == second.corners.shape
            low, high = first.corners.min(axis=(0, 1, 2)), first.corners.max(axis=(0, 1, 2))
            slack = 0.002 * np.ptp(np.stack([low, high]))
            np.testing.assert_allclose(second.corners.min(axis=(0, 1, 2)), low, atol=slack)
            np.testing.assert_allclose(second.corners.max(axis=(0, 1, 2)), high, atol=slack)


def test_nothing_compressed_is_carried_along(tmp_path: Path) -> None:
    asset = GltfAsset(VARIANTS / "Fox_draco.glb")
    save_asset(asset, tmp_path / "out.glb", paint(asset, unwrap=False))
    result = Gltf(tmp_path / "out.glb")
    used = sum(view["byteLength"] for view in result.items("bufferViews"))
    assert len(result.buffers[0]) - used < 4 * len(result.items("bufferViews"))
    accessors = result.items("accessors")
    (primitive,) = result.items("meshes")[0]["primitives"]
    stored = {accessors[i]["bufferView"] for i in [*primitive["attributes"].values(), primitive["indices"]]}
    assert len(stored) == 5


def test_draco_by_hand(tmp_path: Path) -> None:
    weights = np.array([[0.5, 0.25, 0.2, 0], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]], "f4")
    joints = np.array([[3, 2, 1, 7], [0, 0, 0, 0], [1, 0, 0, 0], [2, 0, 0, 0]], "u2")
    maker = draco_square(TEXCOORD_0=SQUARE_UV, WEIGHTS_0=weights, JOINTS_0=joints)
    asset = GltfAsset(maker.glb(tmp_path / "in.glb"))
    (part,) = asset.parts
    np.testing.assert_allclose(part.corners[0], SQUARE[[[0, 1, 2], [0, 2, 3]]], atol=1e-5)
    np.testing.assert_array_equal(part.uv, SQUARE_UV[[[0, 1, 2], [0, 2, 3]]])
    save_asset(asset, tmp_path / "out.glb", paint(asset, unwrap=False))
    result = Gltf(tmp_path / "out.glb")
    attributes = result.items("meshes")[0]["primitives"][0]["attributes"]
    # Weights whose sum is 0.95 and a joint without weight would be errors now that a validator can see them.
    np.testing.assert_allclose(result.accessor(attributes["WEIGHTS_0"])[0], weights[0] / 0.95, rtol=1e-6)
    np.testing.assert_array_equal(result.accessor(attributes["WEIGHTS_0"])[1:], weights[1:])
    np.testing.assert_array_equal(result.accessor(attributes["JOINTS_0"])[0], [3, 2, 1, 0])
    assert {code for code, _ in problems(tmp_path / "out.glb")} == {"NODE_SKINNED_MESH_WITHOUT_SKIN"}


def test_draco_strips_become_triangles(tmp_path: Path) -> None:
    maker = draco_square(mode=5)
    maker.json["accessors"][-1]["count"] = 4
    asset = GltfAsset(maker.glb(tmp_path / "in.glb"))
    np.testing.assert_allclose(asset.parts[0].corners[0], SQUARE[[[0, 1, 2], [0, 2, 3]]], atol=1e-5)
    save_asset(asset, tmp_path / "out.glb", paint(asset, unwrap=True))
    assert not problems(tmp_path / "out.glb")


def test_draco_beside_plain_data_needs_no_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "PACKAGES", dict.fromkeys(decoders.PACKAGES, "no_such_package"))
    maker = Maker(extensionsUsed=[DRACO])
    square = maker.square()
    square["extensions"] = {DRACO: {"bufferView": maker.view(b"never read"), "attributes": {"POSITION": 0}}}
    maker.mesh(square)
    asset = GltfAsset(maker.glb(tmp_path / "in.glb"))
    np.testing.assert_array_equal(asset.parts[0].corners[0], SQUARE[[[0, 1, 2], [0, 2, 3]]])
    assert asset.warnings == ()


@pytest.mark.parametrize("suffix", [".glb", ".gltf"])
@pytest.mark.parametrize(("name", "version"), [(MESHOPT[0], 0), (MESHOPT[1], 1)])
def test_meshopt_by_hand(name: str, version: int, suffix: str, tmp_path: Path) -> None:
    asset = GltfAsset(meshopt_square(name, version).glb(tmp_path / "in.glb"))
    (part,) = asset.parts
    np.testing.assert_array_equal(part.corners[0], SQUARE[[[0, 1, 2], [0, 2, 3]]])
    np.testing.assert_array_equal(part.uv, SQUARE_UV[[[0, 1, 2], [0, 2, 3]]])
    output = tmp_path / f"out{suffix}"
    save_asset(asset, output, paint(asset, unwrap=True))
    assert_lossless(Expanded(tmp_path / "in.glb"), output)
    assert not problems(output)


def test_meshopt_in_a_file_beside_the_model(tmp_path: Path) -> None:
    """The compressed file is protected as any file of the input, and left behind."""
    maker = meshopt_square()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "data.bin").write_bytes(maker.binary)
    maker.json["buffers"][0]["uri"] = "data.bin"
    asset = GltfAsset(maker.gltf(tmp_path / "in" / "in.gltf"))
    assert tmp_path / "in" / "data.bin" in asset.document.sources
    written = save_asset(asset, tmp_path / "out" / "out.gltf", paint(asset, unwrap=False))
    assert {path.name for path in written} == {"out.gltf", "out.bin", "out_atlas_0.png"}
    assert not problems(written[0])
    np.testing.assert_array_equal(GltfAsset(written[0]).parts[0].corners, asset.parts[0].corners)


def test_meshopt_with_real_fallback_data_needs_no_decoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoders, "PACKAGES", dict.fromkeys(decoders.PACKAGES, "no_such_package"))
    asset = GltfAsset(meshopt_square(fallback=True).glb(tmp_path / "in.glb"))
    np.testing.assert_array_equal(asset.parts[0].corners[0], SQUARE[[[0, 1, 2], [0, 2, 3]]])
    assert asset.warnings == ()
    save_asset(asset, tmp_path / "out.glb", paint(asset, unwrap=False))
    assert_no_new_problems(tmp_path / "in.glb", tmp_path / "out.glb")


@pytest.mark.parametrize("name", NAMES)
def test_without_the_packages_the_error_names_the_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "PACKAGES", dict.fromkeys(decoders.PACKAGES, "no_such_package"))
    with pytest.raises(AssetError, match=INSTALL) as caught:
        GltfAsset(VARIANTS / f"{name}.glb")
    assert "\n" not in str(caught.value)


def changed_meshopt(**changes: Any) -> Maker:
    """The square, with the description of its compressed positions changed; sizes are kept in step."""
    maker = meshopt_square()
    view = maker.json["bufferViews"][0]
    item = view["extensions"][MESHOPT[0]]
    item |= changes
    view["byteLength"] = item["count"] * item["byteStride"]
    maker.json["buffers"][1]["byteLength"] = max(10**3, view["byteLength"])
    return maker


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"count": 2**33}, "more than the limit"),
        ({"count": 10**7}, "cannot be decoded"),
        ({"count": 3, "byteStride": 16}, "cannot be decoded"),
        ({"byteStride": 6}, "cannot be decoded"),
        ({"mode": "TRIANGLES"}, "cannot be decoded"),
        ({"mode": "POINTS"}, "unknown mode"),
        ({"filter": "SHARPEN"}, "unknown mode or filter"),
        ({"filter": "QUATERNION"}, "cannot be decoded"),
        ({"buffer": 1}, "no buffer with data"),
        ({"buffer": 9}, "refers to buffers[9]"),
        ({"byteLength": 10**6}, "reaches byte"),
        ({"byteOffset": 4}, "cannot be decoded"),
    ],
    ids=str,
)
def test_damaged_meshopt(changes: dict[str, Any], cause: str, tmp_path: Path) -> None:
    path = changed_meshopt(**changes).glb(tmp_path / "bad.glb")
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    with pytest.raises(AssetError) as caught:
        GltfAsset(path)
    assert cause in str(caught.value)
    assert "\n" not in str(caught.value)
    assert time.monotonic() - started < 5
    assert max(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss - before, 0) < 2**20  # KiB


@pytest.mark.parametrize(("extra", "works"), [(0, True), (3, True), (4, False), (-1, False)])
def test_length_of_what_meshopt_stands_for(extra: int, works: bool, tmp_path: Path) -> None:
    """Some padding is taken as such; anything else is a contradiction."""
    maker = meshopt_square()
    maker.json["bufferViews"][0]["byteLength"] += extra
    maker.json["buffers"][1]["byteLength"] += 100
    path = maker.glb(tmp_path / "in.glb")
    if not works:
        with pytest.raises(AssetError, match="its bufferView another number"):
            GltfAsset(path)
        return
    asset = GltfAsset(path)
    np.testing.assert_array_equal(asset.parts[0].corners[0], SQUARE[[[0, 1, 2], [0, 2, 3]]])
    save_asset(asset, tmp_path / "out.glb", paint(asset, unwrap=False))
    assert not problems(tmp_path / "out.glb")


def test_draco_that_claims_more_than_it_holds(tmp_path: Path) -> None:
    maker = draco_square()
    maker.json["accessors"][0]["count"] = 10**9
    with pytest.raises(AssetError, match="claims 1000000000 elements; its compressed data holds 4"):
        GltfAsset(maker.glb(tmp_path / "bad.glb"))


@pytest.mark.parametrize("at", range(11, 24))
def test_draco_with_inflated_numbers_inside(at: int, tmp_path: Path) -> None:
    """Bytes 11 and on count faces and points, seven bits a byte: a refusal in bounded time and memory."""
    maker = draco_square()
    start = maker.json["bufferViews"][0]["byteOffset"]
    maker.binary[start + at : start + at + 5] = b"\xff\xff\xff\xff\x0f"
    started = time.monotonic()
    with pytest.raises(AssetError):
        GltfAsset(maker.glb(tmp_path / "bad.glb"))
    assert time.monotonic() - started < 20
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 2 * 2**20  # KiB


def test_draco_without_the_attribute(tmp_path: Path) -> None:
    maker = draco_square()
    maker.json["meshes"][0]["primitives"][0]["extensions"][DRACO]["attributes"]["POSITION"] = 77
    with pytest.raises(AssetError, match="has no attribute 77 for POSITION"):
        GltfAsset(maker.glb(tmp_path / "bad.glb"))


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        ("import os; os.abort()", "its decoder failed"),
        ("import time; time.sleep(60)", "not finished after 1 s"),
    ],
    ids=["crash", "hang"],
)
def test_decoders_that_crash_or_hang(
    script: str, cause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "child.py").write_text(script)
    monkeypatch.setattr(decoders, "PROGRAM", (str(tmp_path / "child.py"),))
    with pytest.raises(decoders.DecodingError, match=cause):
        decoders.decode([decoders.DecodeRequest("draco", memoryview(b"x"))], 10, seconds=1)
    if "abort" in script:
        with pytest.raises(AssetError, match="cannot be decoded"):
            GltfAsset(VARIANTS / "Fox_draco.glb")


def test_results_over_the_limit_are_refused() -> None:
    data = meshopt.encode_gltf_buffer(np.zeros((1000, 1), "<u4"), "ATTRIBUTES")
    parameters = {"count": 1000, "stride": 4, "mode": "ATTRIBUTES", "filter": "NONE"}
    job = decoders.DecodeRequest("meshopt", memoryview(data), parameters)
    (found,) = decoders.decode([job], 4000)
    assert found["bytes"].tobytes() == bytes(4000)
    with pytest.raises(decoders.DecodingError, match="more than 3999 bytes"):
        decoders.decode([job], 3999)


def test_basis_universal(tmp_path: Path) -> None:
    """The sample is BASIS ETC1S in white over a plain ochre lower third, 40 × 40 pixels, with six levels."""
    image = (VARIANTS / "2d_etc1s.ktx2").read_bytes()
    asset = GltfAsset(textured(image, "image/ktx2", "KHR_texture_basisu").glb(tmp_path / "in.glb"))
    number = asset.materials[0].image
    assert number is not None
    assert asset.image_size(number) == (40, 40)
    pixels = asset.image(number)
    assert pixels.shape == (40, 40, 4)
    assert (pixels[..., 3] == 255).all()
    np.testing.assert_allclose(pixels[28:, :, :3], np.broadcast_to((184, 151, 0), (12, 40, 3)), atol=12)
    assert (pixels[:24, :, 2] > 200).sum() > 50
    save_asset(asset, tmp_path / "out.glb", paint(asset, unwrap=False))
    assert not problems(tmp_path / "out.glb")
    assert "extensionsUsed" not in Gltf(tmp_path / "out.glb").json


def test_basis_universal_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = (VARIANTS / "2d_etc1s.ktx2").read_bytes()
    large = good[:20] + (10**6).to_bytes(4, "little") + good[24:]
    lying = good[:20] + (80).to_bytes(4, "little") + good[24:]
    cases = {
        "cut off": good[:24],
        "cannot be decoded": good[:300],
        "limit is 16384": large,
        "decoded ": lying,
    }
    for cause, data in cases.items():
        path = textured(data, "image/ktx2", "KHR_texture_basisu").glb(tmp_path / "bad.glb")
        asset = GltfAsset(path)
        with pytest.raises(PictureError, match=cause):
            asset.image(0)
    monkeypatch.setattr(decoders, "PACKAGES", dict.fromkeys(decoders.PACKAGES, "no_such_package"))
    asset = GltfAsset(textured(good, "image/ktx2", "KHR_texture_basisu").glb(tmp_path / "in.glb"))
    assert asset.image_size(0) == (40, 40)
    with pytest.raises(PictureError, match=INSTALL):
        asset.image(0)


def test_plain_fallback_of_basis_universal_is_read_and_painted(tmp_path: Path) -> None:
    maker = textured(b"\xabKTX 20\xbb\r\n\x1a\n", "image/ktx2", "KHR_texture_basisu", fallback=True)
    asset = GltfAsset(maker.glb(tmp_path / "in.glb"))
    assert asset.materials[0].image == 1
    np.testing.assert_array_equal(asset.image(1)[0, 0], [255, 0, 0, 255])
    save_asset(asset, tmp_path / "out.glb", paint(asset, unwrap=False))
    result = Gltf(tmp_path / "out.glb")
    (texture,) = result.items("textures")
    assert set(texture) == {"source"}
    assert not problems(tmp_path / "out.glb")


@pytest.mark.parametrize(("kind", "extension"), [("avif", "EXT_texture_avif"), ("webp", "EXT_texture_webp")])
def test_pictures_that_pillow_reads(kind: str, extension: str, tmp_path: Path) -> None:
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (8, 4), (200, 40, 10)).save(stream, kind, quality=95)
    asset = GltfAsset(textured(stream.getvalue(), f"image/{kind}", extension).glb(tmp_path / "in.glb"))
    assert asset.image_size(0) == (4, 8)
    np.testing.assert_allclose(asset.image(0)[..., :3], np.full((4, 8, 3), (200, 40, 10)), atol=12)
    save_asset(asset, tmp_path / "out.glb", paint(asset, unwrap=False))
    assert not problems(tmp_path / "out.glb")


def test_decoding_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    GltfAsset(VARIANTS / "Fox_draco.glb")
    assert os.listdir(tmp_path) == []
