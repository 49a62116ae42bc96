"""UV health and the plan that follows from it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from helpers.assets import SQUARE, SQUARE_UV, HandMade, moved

from meshstyle.config.model import Settings
from meshstyle.errors import UsageError
from meshstyle.io.load import load_asset
from meshstyle.io.types import Material, Part, Wrap
from meshstyle.texture.notes import plan_notes
from meshstyle.texture.plan import plan_atlases
from meshstyle.texture.uv_health import uv_health

ROOT = Path(__file__).parents[1]


def part(corners: np.ndarray = SQUARE, uv: np.ndarray | None = SQUARE_UV, material: int = 0) -> Part:
    return Part("part", material, corners[None], None, uv)


def test_a_square_that_fills_the_atlas_is_healthy() -> None:
    health = uv_health(SQUARE, SQUARE_UV)
    assert health.overlap == 0
    assert health.zero_area == 0
    assert health.coverage > 0.99
    assert (health.low, health.high) == ((0.0, 0.0), (1.0, 1.0))


def test_mirrored_halves_overlap() -> None:
    corners = np.concatenate([SQUARE, SQUARE * [-1, 1, 1]])
    assert uv_health(corners, np.concatenate([SQUARE_UV, SQUARE_UV])).overlap == pytest.approx(1.0)


def test_a_quarter_stacked_on_a_square_is_a_quarter_of_overlap() -> None:
    corners = np.concatenate([SQUARE, moved(SQUARE, 0, 0, 1)])
    health = uv_health(corners, np.concatenate([SQUARE_UV, SQUARE_UV / 2]))
    assert health.overlap == pytest.approx(0.25, abs=0.01)


def test_copies_of_a_triangle_are_one_surface() -> None:
    backs = SQUARE[:, ::-1], SQUARE_UV[:, ::-1]  # the same square from behind
    corners, uv = np.concatenate([SQUARE, backs[0]]), np.concatenate([SQUARE_UV, backs[1]])
    assert uv_health(corners, uv).overlap == 0
    # Unless materials tint the two differently: they cannot share texels then.
    assert uv_health(corners, uv, group=np.array([0, 0, 1, 1])).overlap == pytest.approx(1.0)


def test_zero_area_is_a_share_of_the_surface() -> None:
    # A second square, nine times as large, all of whose UVs are one point.
    corners = np.concatenate([SQUARE, SQUARE * 3 + [2, 0, 0]])
    uv = np.concatenate([SQUARE_UV, np.full((2, 3, 2), 0.5)])
    assert uv_health(corners, uv).zero_area == pytest.approx(0.9)


def test_wrapping_decides_what_overlaps() -> None:
    corners = np.concatenate([SQUARE, moved(SQUARE, 2, 0, 0)])
    bf16 = np.concatenate([SQUARE_UV * [0.5, 1], SQUARE_UV * [0.5, 1] + [1.0, 0]])
    repeat, mirror = ((wrap, wrap) for wrap in (Wrap.REPEAT, Wrap.MIRROR))
    assert uv_health(corners, bf16, wrap=repeat).overlap == pytest.approx(1.0)  # 1..1.5 reads 0..0.5
    assert uv_health(corners, bf16, wrap=mirror).overlap == 0.0  # 1..1.5 reads 1..0.5


def test_deep_stacks_are_measured_in_time() -> None:
    corners = np.concatenate([moved(SQUARE, 0, 0, i) for i in range(3000)])
    assert uv_health(corners, np.tile(SQUARE_UV, (3000, 1, 1))).overlap == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("file", "unwrapped", "said"),
    [
        ("../assets/models/spot/spot.obj", False, "48 %"),
        ("data/Fox/Fox.glb", False, "37"),
        ("data/plastic_monobloc_chair_01_1k/plastic_monobloc_chair_01_1k.gltf", False, "63"),
        ("data/barrel_large/barrel_large.gltf.glb", True, "no texels"),
        ("data/car_taxi/car_taxi.gltf", True, "no texels"),
        ("data/greenman/greenman.glb", True, "several places"),
        ("data/character/character.glb", True, "no texels"),
        ("data/robot/robot.glb", True, "no UVs"),
    ],
)
def test_verdicts_on_real_models(file: str, unwrapped: bool, said: str) -> None:
    (plan,) = plan_atlases(load_asset(ROOT / file), Settings())
    assert plan.unwrap is unwrapped
    assert said in plan.reason
    assert plan.reason.endswith(".")


def test_materials_of_one_image_share_an_atlas_and_so_do_those_without() -> None:
    materials = [
        Material("a", image=1),
        Material("b"),
        Material("c", image=0),
        Material("d", image=1),
        Material("e"),
    ]
    right = part(moved(SQUARE, 2, 0, 0), SQUARE_UV * [0.5, 1] + [0.5, 0], 3)
    left = part(SQUARE, SQUARE_UV * [0.5, 1], 0)
    asset = HandMade(
        [left, part(material=1), part(material=2), right, part(SQUARE + 5, material=4)], materials
    )
    plans = plan_atlases(asset, Settings())
    assert [(p.name, p.materials, p.parts) for p in plans] == [
        ("image 1", (0, 3), (0, 3)),
        ("thing", (1, 4), (1, 4)),
        ("image 0", (2,), (2,)),
    ]
    assert [p.unwrap for p in plans] == [False, True, False]  # both squares without an image lie in one place


@pytest.mark.parametrize(
    ("only", "skip", "painted"),
    [
        ((), (), {0, 1, 2}),
        (("Wood",), (), {0}),
        (("w*",), (), {0, 1}),
        (("w*", "glass [1]"), ("WO?D",), {1, 2}),
        ((), ("*l*",), {0}),
    ],
)
def test_patterns_choose_materials(only: tuple[str, ...], skip: tuple[str, ...], painted: set[int]) -> None:
    materials = [Material("Wood", image=0), Material("Wool", image=1), Material("Glass [1]", image=2)]
    asset = HandMade([part(moved(SQUARE, 2 * n, 0, 0), material=n) for n in range(3)], materials)
    plans = plan_atlases(asset, Settings(only=only, skip=skip))
    assert {number for plan in plans for number in plan.parts} == painted


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(only=("brass",)), "only: no material is called brass. The materials are: Wood, Wool."),
        (Settings(skip=("brass",)), "skip: no material is called brass. The materials are: Wood, Wool."),
        (Settings(skip=("wo*",)), "skip: this leaves nothing to paint. The materials are: Wood, Wool."),
        (Settings(only=("wool",)), "only: this leaves nothing to paint. The materials are: Wood, Wool."),
    ],
)
def test_patterns_that_choose_nothing_are_refused(settings: Settings, message: str) -> None:
    asset = HandMade([part()], [Material("Wood"), Material("Wool")])
    with pytest.raises(UsageError, match=re.escape(message)):
        plan_atlases(asset, settings)


def test_all_images_can_be_put_into_one() -> None:
    materials = [Material("a", image=0), Material("b", image=1)]
    asset = HandMade([part(), part(moved(SQUARE, 2, 0, 0), material=1)], materials)
    (plan,) = plan_atlases(asset, Settings(atlas="shared"))
    assert (plan.name, plan.materials, plan.parts, plan.unwrap) == ("thing", (0, 1), (0, 1), True)
    assert "2 images" in plan.reason
    with pytest.raises(UsageError, match="cannot share"):
        plan_atlases(asset, Settings(uv="keep", atlas="shared"))


def test_parts_without_instances_are_not_painted() -> None:
    nowhere = Part("nowhere", 0, np.zeros((0, 2, 3, 3)), None, SQUARE_UV)
    assert [p.parts for p in plan_atlases(HandMade([nowhere, part()]), Settings())] == [(1,)]


def test_different_wraps_of_uvs_outside_cannot_share() -> None:
    materials = [Material("a", image=0), Material("b", image=0, wrap=(Wrap.CLAMP, Wrap.CLAMP))]
    asset = HandMade(
        [part(SQUARE, SQUARE_UV * [0.5, 1]), part(SQUARE + 2, SQUARE_UV * 0.4 + [-0.45, 0], 1)], materials
    )
    (plan,) = plan_atlases(asset, Settings())
    assert plan.unwrap
    assert "wrap" in plan.reason


def test_too_few_texels_for_paint_to_show() -> None:
    # A 10×10 wall on a thousandth of the atlas (32×32 texels of 1024²) beside a small trinket with the rest.
    wall = part(SQUARE * 10, SQUARE_UV * 0.03)
    trinket = part(SQUARE * 0.5 + [0, 0, 1], SQUARE_UV * 0.9 + 0.05)
    (plan,) = plan_atlases(HandMade([wall, trinket]), Settings())
    assert plan.unwrap
    assert "too few texels" in plan.reason
    (plan,) = plan_atlases(HandMade([part(SQUARE * 10)]), Settings())
    assert not plan.unwrap


@pytest.mark.parametrize(
    ("image", "wanted", "kept", "fresh"),
    [
        ((1024, 1024), None, (1024, 1024), (1024, 1024)),
        ((4096, 2048), None, (2048, 1024), (2048, 2048)),
        ((64, 32), None, (512, 256), (1024, 1024)),
        ((64, 32), 100, (100, 50), (100, 100)),
        ((1, 256), None, (2, 512), (1024, 1024)),
        (None, None, (1024, 1024), (1024, 1024)),
        (None, 300, (300, 300), (300, 300)),
    ],
)
def test_sizes(
    image: tuple[int, int] | None, wanted: int | None, kept: tuple[int, int], fresh: tuple[int, int]
) -> None:
    material = Material("m", image=None if image is None else 0)
    asset = HandMade([part()], [material], size=image or (1, 1))
    sizes = [plan_atlases(asset, Settings(uv=uv, texture_size=wanted))[0].size for uv in ("keep", "unwrap")]
    assert sizes == [kept, fresh]


def test_keep_and_unwrap_are_obeyed() -> None:
    stacked = HandMade([part(), part(moved(SQUARE, 0, 0, 1))])
    (kept,) = plan_atlases(stacked, Settings(uv="keep"))
    assert not kept.unwrap
    assert kept.health is not None
    assert kept.health.overlap == pytest.approx(1.0)
    (fresh,) = plan_atlases(HandMade([part()]), Settings(uv="unwrap"))
    assert fresh.unwrap
    assert "--uv unwrap" in fresh.reason


def test_uvs_that_do_not_exist_cannot_be_kept() -> None:
    with pytest.raises(UsageError, match="no UVs"):
        plan_atlases(HandMade([part(uv=None)]), Settings(uv="keep"))


def test_surface_beyond_a_clamped_border_has_no_texels() -> None:
    """Of a square whose UVs run from 0 to 2 along u, half lies on the border's last row of texels."""
    uv = SQUARE_UV * [2, 1]
    clamp, repeat = (Wrap.CLAMP, Wrap.CLAMP), (Wrap.REPEAT, Wrap.REPEAT)
    assert uv_health(SQUARE, uv, wrap=clamp).zero_area == pytest.approx(0.5, abs=0.03)
    assert uv_health(SQUARE, uv, wrap=repeat).zero_area == 0
    assert uv_health(SQUARE, SQUARE_UV, wrap=clamp).zero_area == 0
    asset = HandMade([part(uv=uv)], [Material("m", image=0, wrap=clamp)])
    (plan,) = plan_atlases(asset, Settings())
    assert plan.unwrap
    assert "no texels" in plan.reason


@pytest.mark.parametrize(
    ("size", "written", "notes"), [(None, 2048, 1), ("original", 8192, 0), (512, 512, 0)]
)
def test_large_textures_keep_their_size_where_that_is_asked_for(
    size: str | int | None, written: int, notes: int
) -> None:
    asset = HandMade([part()], [Material("m", image=0)], size=(8192, 8192))
    settings = Settings(texture_size=size)
    plans = plan_atlases(asset, settings)
    assert plans[0].size == (written, written)
    told = plan_notes(asset, plans, settings)
    assert len(told) == notes
    assert all("8192" in note and "2048" in note for note in told)


def test_fresh_uvs_that_end_a_movement_are_told() -> None:
    asset = HandMade([part()], [Material("flip", image=0, moves=True)])
    for choice, count in (("auto", 0), ("keep", 0), ("unwrap", 1)):
        settings = Settings(uv=choice)
        told = plan_notes(asset, plan_atlases(asset, settings), settings)
        assert len(told) == count
        assert all("'flip'" in note for note in told)
