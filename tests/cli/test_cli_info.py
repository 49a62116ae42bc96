"""`meshstyle info` on a model that can be worked out on paper; settings read back from a painted model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from meshstyle.cli.main import main

from meshstyle.config.model import Settings
from meshstyle.errors import InputError
from meshstyle.info import describe
from meshstyle.io.gltf.build import BuildImage, BuildMaterial, BuildMesh, BuildPrimitive, build_glb
from meshstyle.io.images import encode_png
from meshstyle.run_file import read_run_file

RECORD = {
    "version": "0.0.1",
    "style": "scream",
    "seed": 7,
    "settings": {"preset": "fine", "seed": 7, "views": 9},
}


@pytest.fixture
def square(tmp_path: Path) -> Path:
    """A 2 × 3 rectangle whose UVs fill the left quarter of a 32 × 16 texture (height × width)."""
    primitive = BuildPrimitive(
        positions=np.array([[0, 0, 0], [2, 0, 0], [2, 3, 0], [0, 3, 0]], float),
        indices=np.array([[0, 1, 2], [0, 2, 3]]),
        material=0,
        uvs=np.array([[0, 0], [0.25, 0], [0.25, 1], [0, 1]], float),
    )
    image = BuildImage("bricks", encode_png(np.full((32, 16, 3), 200, np.uint8)))
    material = BuildMaterial("wall", factor=(1.0, 0.5, 0.25, 1.0), image=0, double_sided=True)
    path = tmp_path / "square.glb"
    path.write_bytes(build_glb([BuildMesh("front", [primitive])], [material], [image], RECORD))
    return path


def test_describes_what_is_there(square: Path) -> None:
    model = describe(square, Settings(uv="keep"))
    assert (model.kind, model.triangles, model.extent) == ("GLB", 2, (2.0, 3.0, 0.0))
    (part,) = model.parts
    assert (part.triangles, part.instances, part.material) == (2, 1, "wall")
    assert (part.has_uv, part.has_colours) == (True, False)
    (material,) = model.materials
    assert (material.texture, material.texture_size) == ("bricks", (32, 16))
    assert material.factor == (1.0, 0.5, 0.25, 1.0)
    assert material.double_sided
    (atlas,) = model.atlases
    assert (atlas.materials, atlas.unwrap) == (("wall",), False)
    assert atlas.uv is not None
    assert atlas.uv.coverage == pytest.approx(0.25, abs=0.01)
    assert (atlas.uv.zero_area, atlas.uv.overlap) == (0, 0)
    assert (atlas.uv.low, atlas.uv.high) == ((0, 0), (0.25, 1))
    assert model.record == RECORD


def test_settings_decide_what_would_be_done(square: Path) -> None:
    (atlas,) = describe(square, Settings(uv="unwrap", texture_size=128)).atlases
    assert atlas.unwrap
    assert max(atlas.size) == 128


def test_text_for_people(square: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(square)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(f"{square}: GLB, 2 triangles, 2 × 3 × 0 units\n")
    assert "wall  bricks (16 × 32 texels), colour factor 1, 0.5, 0.25, 1, double-sided\n" in out
    assert "coverage   25.0% of the atlas is used\n" in out
    assert "range      u 0 to 0.25, v 0 to 1\n" in out
    assert "settings  preset fine, seed 7, views 9\n" in out


def test_json_for_programs(square: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json", str(square)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    found = json.loads(out)
    assert found["triangles"] == 2
    assert found["materials"][0]["texture_size"] == [32, 16]
    assert found["record"] == RECORD


def test_a_painted_model_is_a_settings_file(square: Path) -> None:
    run = read_run_file(square)
    assert run.style == "scream"
    assert run.settings(views=3) == Settings(preset="fine", seed=7, views=3)


def test_a_model_that_was_not_painted_is_none(tmp_path: Path) -> None:
    primitive = BuildPrimitive(positions=np.eye(3), indices=np.array([[0, 1, 2]]))
    path = tmp_path / "plain.glb"
    path.write_bytes(build_glb([BuildMesh("a", [primitive])], [], [], {}))
    with pytest.raises(InputError, match="this file holds no settings of meshstyle"):
        read_run_file(path)


def test_settings_of_a_later_release_are_named(tmp_path: Path) -> None:
    primitive = BuildPrimitive(positions=np.eye(3), indices=np.array([[0, 1, 2]]))
    path = tmp_path / "later.glb"
    path.write_bytes(build_glb([BuildMesh("a", [primitive])], [], [], {"settings": {"warp": 9}}))
    with pytest.raises(InputError, match=r"later\.glb: its record has a setting called warp"):
        read_run_file(path)
