"""What hides what: sides, alpha, transmission, cards of two faces, as viewers decide it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.assets import SQUARE, SQUARE_UV, HandMade, moved
from helpers.gltf_samples import SQUARE as CORNERS
from helpers.gltf_samples import Maker
from helpers.obj_models import read_obj

from meshstyle.config.model import Settings
from meshstyle.io.gltf.asset import GltfAsset
from meshstyle.io.types import Material, Part
from meshstyle.texture.build import build_surface
from meshstyle.texture.types import Surface
from meshstyle.views.placement import place_cameras
from meshstyle.views.raytrace import Tracer

SOLID = Material("solid")
DOWN, UP = np.array([[0.0, 0.0, -1.0]]), np.array([[0.0, 0.0, 1.0]])
BACKWARDS = SQUARE[:, ::-1]  # the same square, facing -z


def seen(parts: list[Part], materials: list[Material], direction: np.ndarray = DOWN, **more: object) -> int:
    """Which part a ray sees that runs along the z axis through all of them; -1: none."""
    surface = build_surface(HandMade(parts, materials, **more), Settings(uv="unwrap", texture_size=64))  # type: ignore[arg-type]
    return part_along(surface, direction)


def part_along(surface: Surface, direction: np.ndarray, x: float = 0.3, y: float = 0.3) -> int:
    tracer = Tracer(surface)
    start = tracer.frame.normalise(np.array([[x, y, 0.0]])) - 5 * direction
    triangle, _, _ = tracer.first_hits(start, direction)
    return int(surface.part[triangle[0]]) if triangle[0] >= 0 else -1


def layer(z: float, material: int, corners: np.ndarray = SQUARE, **more: object) -> Part:
    return Part(f"at {z}", material, moved(corners, 0, 0, z)[None], None, SQUARE_UV, **more)  # type: ignore[arg-type]


def test_backs_of_single_sided_materials_let_rays_pass() -> None:
    # A toon outline, or a room's wall: seen from above the upper square shows its back.
    parts = [layer(0, 0), layer(1, 0, BACKWARDS)]
    assert seen(parts, [SOLID]) == 0
    assert seen(parts, [SOLID], UP) == 1  # of the lower one the back is met first, of the upper one the front
    assert seen(parts, [Material("both", double_sided=True)]) == 1


def test_a_mirrored_instance_shows_its_other_side() -> None:
    # Mirroring along x turns the corners clockwise as seen from the front; the front stays the front.
    turned = SQUARE * [-1, 1, 1] + [1, 0, 0]
    mirrored = layer(1, 0, turned, mirrored=np.array([True]))
    assert seen([layer(0, 0), mirrored], [SOLID]) == 1
    assert seen([layer(0, 0), layer(1, 0, turned)], [SOLID]) == 0


@pytest.mark.parametrize(("factor", "expected"), [(0.05, 0), (0.25, 0), (0.49, 0), (0.5, 1), (0.9, 1)])
def test_blended_glass_hides_from_half_its_alpha(factor: float, expected: int) -> None:
    glass = Material("glass", (1, 1, 1, factor), alpha_mode="BLEND")
    assert seen([layer(0, 0), layer(1, 1)], [SOLID, glass]) == expected


def test_alpha_is_the_product_of_factor_vertices_and_image() -> None:
    image = np.full((8, 8, 4), 204, np.uint8)  # 0.8
    colours = np.ones((2, 3, 4))
    colours[..., 3] = 0.8
    for factor, expected in ((1.0, 1), (0.75, 0)):  # 0.8 · 0.8 · 1 = 0.64; · 0.75 = 0.48
        glass = Material("glass", (1, 1, 1, factor), 0, alpha_mode="BLEND")
        pane = Part("pane", 1, moved(SQUARE, 0, 0, 1)[None], None, SQUARE_UV, colours)
        assert seen([layer(0, 0), pane], [SOLID, glass], images={0: image}, size=(8, 8)) == expected


def test_glass_with_nothing_behind_is_seen_itself() -> None:
    glass = Material("glass", (1, 1, 1, 0.1), alpha_mode="BLEND")
    assert seen([layer(1, 0), layer(0, 0)], [glass]) == 0  # the nearest


def test_what_transmits_never_hides_however_opaque() -> None:
    assert seen([layer(0, 0), layer(1, 1)], [SOLID, Material("lens", transmits=True)]) == 0
    assert seen([layer(1, 1)], [SOLID, Material("lens", transmits=True)]) == 0


@pytest.mark.parametrize(
    ("extension", "transmits"),
    [
        ({"KHR_materials_transmission": {"transmissionFactor": 0.9}}, True),
        ({"KHR_materials_transmission": {}}, False),  # the factor's default is 0
        ({"KHR_materials_volume": {"thicknessFactor": 0.5}}, True),
        ({"KHR_materials_volume": {}}, False),
    ],
)
def test_transmission_and_volume_are_read(tmp_path: Path, extension: dict, transmits: bool) -> None:  # type: ignore[type-arg]
    maker = Maker(extensionsUsed=list(extension))
    maker.mesh(maker.square(material=maker.material(extensions=extension)))
    assert GltfAsset(maker.glb(tmp_path / "lens.glb")).materials[0].transmits == transmits


def test_glass_that_is_not_painted_does_not_hide_either() -> None:
    image = np.full((8, 8, 4), 255, np.uint8)
    image[:4, :, 3] = 40  # the half with v < ½, which is y < ½ here
    materials = [SOLID, Material("glass", (1, 1, 1, 1), 0, alpha_mode="BLEND")]
    asset = HandMade([layer(0, 0), layer(1, 1)], materials, (8, 8), images={0: image})
    surface = build_surface(asset, Settings(uv="keep", texture_size=16, skip=("glass",)))
    assert part_along(surface, DOWN, y=0.3) == 0
    assert part_along(surface, DOWN, x=0.1, y=0.7) == 1


def test_what_the_file_hides_at_rest_hides_nothing(tmp_path: Path) -> None:
    maker = Maker(extensionsUsed=["KHR_node_visibility"])
    shown, hidden = maker.mesh(maker.square()), maker.mesh(maker.square(), nodes=0)
    hide = {"KHR_node_visibility": {"visible": False}}
    child = maker.add("nodes", {"mesh": hidden, "translation": [0, 0, 1]})
    maker.add("nodes", {"children": [child], "extensions": hide})
    asset = GltfAsset(maker.glb(tmp_path / "states.glb"))
    assert asset.parts[shown].hidden is None
    assert asset.parts[hidden].hidden is not None
    surface = build_surface(asset, Settings(uv="unwrap", texture_size=64))
    assert part_along(surface, DOWN) == shown


CARD = """\
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
usemtl front
f 1 2 3 4
usemtl back
f 4 3 2 1
"""


def test_both_faces_of_a_card_are_seen_from_their_fronts(tmp_path: Path) -> None:
    # OBJ knows no single-sidedness, and the two quads are cut along different diagonals.
    surface = build_surface(read_obj(tmp_path, CARD), Settings(uv="unwrap", texture_size=64))
    for x, y in ((0.3, 0.2), (0.2, 0.7), (0.8, 0.1), (0.6, 0.9)):
        assert part_along(surface, DOWN, x, y) == 0
        assert part_along(surface, UP, x, y) == 1


def test_both_faces_of_a_card_have_texels_of_their_own_and_are_visible(tmp_path: Path) -> None:
    maker = Maker()
    front = maker.square()
    back = {**front, "indices": maker.accessor(np.array([2, 1, 0, 3, 2, 0], "<u2"))}
    maker.mesh(front, back)
    surface = build_surface(GltfAsset(maker.glb(tmp_path / "c.glb")), Settings(uv="unwrap", texture_size=64))
    owners = surface.part[np.unique(surface.atlases[0].owner[surface.atlases[0].covered])]
    assert sorted(owners) == [0, 0, 1, 1]
    placement = place_cameras(Tracer(surface), 8, 0)
    assert (placement.visible, placement.seen_well) == (1.0, 1.0)
    assert part_along(surface, DOWN) == 0
    assert part_along(surface, UP) == 1
    assert len(CORNERS) == 4


def test_the_back_of_a_single_sided_square_does_not_count_as_seen() -> None:
    # Two squares back to back, each hidden by nothing but its own facing; a third looks into the first's back.
    surface = build_surface(HandMade([layer(0, 0), layer(-1, 0, BACKWARDS)], [SOLID]), Settings(uv="unwrap"))
    from_below = Tracer(surface)
    triangle, _, _ = from_below.first_hits(
        from_below.frame.normalise(np.array([[0.3, 0.3, -9.0], [0.3, 0.3, 9.0]])), np.concatenate([UP, DOWN])
    )
    assert surface.part[triangle].tolist() == [1, 0]


def test_triangles_can_be_left_out() -> None:
    surface = build_surface(HandMade([layer(0, 0), layer(1, 0)], [SOLID]), Settings(uv="unwrap"))
    tracer = Tracer(surface, surface.part == 0)
    triangle, _, _ = tracer.first_hits(tracer.frame.normalise(np.array([[0.3, 0.3, 9.0]])), DOWN)
    assert surface.part[triangle].tolist() == [0]
