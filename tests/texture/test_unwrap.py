"""Fresh UVs: properties of the layout on real models, and what happens when xatlas hangs, crashes or lies."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from meshstyle.io.load import load_asset
from meshstyle.texture.box_charts import box_atlas
from meshstyle.texture.normals import face_normals
from meshstyle.texture.pack_charts import pack_charts
from meshstyle.texture.rasterize import layers, rasterize, texel_area
from meshstyle.texture.unwrap import XATLAS, Xatlas, unwrap

ROOT = Path(__file__).parents[1]
MODELS = {
    "spot": ROOT.parent / "assets/models/spot/spot.obj",
    "barrel": ROOT / "data/barrel_large/barrel_large.gltf.glb",
    "greenman": ROOT / "data/greenman/greenman.glb",
    "car_taxi": ROOT / "data/car_taxi/car_taxi.gltf",
    "robot": ROOT / "data/robot/robot.glb",
}
SIDE = 1024

# The six faces of a unit cube, two triangles each, outwards.
_FACES = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
_POINTS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float64)
CUBE = np.array([[_POINTS[[a, b, c]], _POINTS[[a, c, d]]] for a, b, c, d in _FACES]).reshape(12, 3, 3)


def model_triangles(name: str) -> tuple[np.ndarray, np.ndarray]:
    parts = load_asset(MODELS[name]).parts
    group = np.repeat(np.arange(len(parts)), [p.corners.shape[1] for p in parts])
    return np.concatenate([p.corners[0] for p in parts]), group


def check_layout(corners: np.ndarray, uv: np.ndarray) -> None:
    """Inside the atlas, (almost) no overlap, every triangle with texels of its own, even density."""
    assert uv.shape == (len(corners), 3, 2)
    assert uv.min() >= 0
    assert uv.max() <= 1
    count = layers(uv, (SIDE, SIDE))
    assert np.count_nonzero(count > 1) <= 0.005 * np.count_nonzero(count)
    texels = texel_area(uv, (SIDE, SIDE))
    owned = np.zeros(len(uv), bool)
    owned[np.unique(rasterize(uv, (SIDE, SIDE)).owner)] = True
    assert owned[texels > 1.0].all()
    _, area = face_normals(corners)
    large = area >= np.quantile(area, 0.7)
    density = np.sqrt(texels[large] / area[large])
    assert density.max() <= 4 * density.min()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_xatlas_lays_real_models_out(name: str) -> None:
    corners, group = model_triangles(name)
    uv, message = unwrap(corners, group, SIDE)
    assert message == ""
    check_layout(corners, uv)
    assert texel_area(uv, (1, 1)).sum() > 0.25


@pytest.mark.parametrize("name", sorted(MODELS))
def test_box_charts_lay_real_models_out(name: str) -> None:
    corners, group = model_triangles(name)
    uv = box_atlas(corners, group, SIDE)
    check_layout(corners, uv)
    assert texel_area(uv, (1, 1)).sum() > 0.15


def test_a_cube_becomes_six_squares_with_gutters() -> None:
    uv = box_atlas(CUBE, np.zeros(12, np.int64), SIDE)
    check_layout(CUBE, uv)
    # Six equal squares: two triangles each, of the same area, sharing their bounding box.
    boxes = np.concatenate([uv.reshape(6, 6, 2).min(axis=1), uv.reshape(6, 6, 2).max(axis=1)], axis=1)
    sides = boxes[:, 2:] - boxes[:, :2]
    np.testing.assert_allclose(sides, sides[0, 0], rtol=1e-9)
    assert gap(uv, np.repeat(np.arange(6), 2)) >= 16


def test_xatlas_leaves_gutters() -> None:
    far = np.concatenate([CUBE, CUBE + 5.0])
    uv, message = unwrap(far, np.repeat([0, 1], 12), SIDE)
    assert message == ""
    assert gap(uv, np.repeat([0, 1], 12)) >= 16
    assert uv.min() * SIDE >= 4
    assert (1 - uv.max()) * SIDE >= 4


def gap(uv: np.ndarray, chart: np.ndarray) -> float:
    """Least distance in texels between texels of different charts."""
    owner = rasterize(uv, (SIDE, SIDE), conservative=False).owner
    label = np.where(owner >= 0, chart[owner], -1)
    return min(
        float(distance_transform_edt(label != c)[(label >= 0) & (label != c)].min()) for c in np.unique(chart)
    )


def test_the_same_mesh_gets_the_same_uvs() -> None:
    corners, group = model_triangles("barrel")
    first, second = unwrap(corners, group, 512)[0], unwrap(corners, group, 512)[0]
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_the_unit_of_length_does_not_matter(unit: float) -> None:
    corners, group = model_triangles("barrel")
    uv, message = unwrap(corners * unit, group, 512)
    assert message == ""
    check_layout(corners, uv)
    assert texel_area(uv, (1, 1)).sum() > 0.25


def child(folder: Path, source: str, seconds: float = 20.0) -> Xatlas:
    """Another program in xatlas' place."""
    script = folder / "child.py"
    script.write_text(source, encoding="utf-8")
    return Xatlas(program=(str(script),), seconds=seconds)


def answering(uv: str, vertex: str = 'request.arrays["faces"].astype("i8")') -> str:
    """A program whose answer is what these two expressions give."""
    return (
        "import numpy as np; from meshstyle.system.child_process import Message, serve\n"
        f"serve(lambda request: Message({{}}, {{'uv': {uv}, 'vertex': {vertex}}}))"
    )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import sys; print('out of luck', file=sys.stderr); sys.exit(3)", "out of luck"),
        ("import os; os.abort()", "exit status"),
        ("", "no readable result"),
        ("print('nonsense')", "no readable result"),
        (
            "from meshstyle.system.child_process import Message, serve; serve(lambda _: Message())",
            "no readable result",
        ),
        (answering("np.zeros((12, 3, 2))", "np.zeros((12, 3))"), "does not match"),
        (answering("np.full((12, 3, 2), np.nan)"), "outside the atlas"),
        (answering("np.zeros((12, 3, 2))"), "left out a part"),
        (answering("np.tile([[0., 0], [1, 0], [0, 1]], (12, 1, 1))"), "over each other"),
    ],
)
def test_whatever_xatlas_does_there_are_uvs(tmp_path: Path, source: str, reason: str) -> None:
    uv, message = unwrap(CUBE, np.zeros(12, np.int64), SIDE, child(tmp_path, source))
    assert reason in message
    assert message.endswith("take its place.")
    check_layout(CUBE, uv)


def test_a_hanging_xatlas_is_stopped(tmp_path: Path) -> None:
    began = time.monotonic()
    hanging = child(tmp_path, "import time; time.sleep(60)", seconds=0.5)
    uv, message = unwrap(CUBE, np.zeros(12, np.int64), SIDE, hanging)
    assert time.monotonic() - began < 20
    assert "had not finished" in message
    check_layout(CUBE, uv)


def test_very_many_triangles_are_not_given_to_xatlas() -> None:
    uv, message = unwrap(CUBE, np.zeros(12, np.int64), SIDE, Xatlas(triangles=11))
    assert "too many" in message
    check_layout(CUBE, uv)


def test_the_child_does_not_load_torch() -> None:
    """That would take longer than laying out most models."""
    program = f"import sys, {XATLAS.program[-1]}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", program]).returncode == 0


def test_degenerate_triangles_get_uvs_too() -> None:
    point, needle = np.zeros((1, 3, 3)), np.array([[[0, 0, 0], [1, 0, 0], [0.5, 0, 0]]], np.float64)
    corners = np.concatenate([CUBE, point, needle])
    for uv in (
        unwrap(corners, np.zeros(14, np.int64), SIDE)[0],
        box_atlas(corners, np.zeros(14, np.int64), SIDE),
    ):
        assert np.isfinite(uv).all()
        check_layout(CUBE, uv[:12])


@pytest.mark.parametrize("corners", [np.zeros((2, 3, 3)), np.full((1, 3, 3), 7.0)])
def test_a_mesh_without_any_area_gets_uvs(corners: np.ndarray) -> None:
    uv, _ = unwrap(corners, np.zeros(len(corners), np.int64), 64)
    assert np.isfinite(uv).all()
    assert uv.min() >= 0
    assert uv.max() <= 1


def test_a_spiral_that_covers_itself_is_cut() -> None:
    # A ramp of three turns: seen from above, all turns lie over each other, and all of it faces upwards.
    angle = np.linspace(0, 6 * np.pi, 120)
    ring = [np.stack([np.cos(angle) * r, np.sin(angle) * r, angle * 0.1], axis=1) for r in (0.5, 1.0)]
    a, b, c, d = ring[0][:-1], ring[1][:-1], ring[0][1:], ring[1][1:]
    ramp = np.concatenate([np.stack([a, b, c], axis=1), np.stack([b, d, c], axis=1)])
    uv = box_atlas(ramp, np.zeros(len(ramp), np.int64), SIDE)
    assert layers(uv, (SIDE, SIDE)).max() == 1
    assert texel_area(uv, (SIDE, SIDE)).min() > 10


def test_boxes_are_packed_at_one_scale_and_apart() -> None:
    # Three right triangles with legs 1, 2 and 3.
    corner = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    flat = np.stack([corner, 2 * corner, 3 * corner])
    uv = pack_charts(flat, np.arange(3), 256)
    area = texel_area(uv, (256, 256))
    np.testing.assert_allclose(area / area[0], [1, 4, 9], rtol=1e-6)
    assert layers(uv, (256, 256)).max() == 1
