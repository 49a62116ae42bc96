"""OpenGL, the preview's rays and the views' rays show one and the same picture, the right way round."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.gltf_samples import Maker
from helpers.image_difference import difference

from meshstyle.io.images import encode_png
from meshstyle.io.load import load_asset
from meshstyle.preview.draw.choose import choose_renderer, make_renderer
from meshstyle.preview.orbit import Orbit, make_orbit
from meshstyle.preview.scene.scene import PreviewScene, Shape, moved
from meshstyle.views.cameras import Frame
from meshstyle.views.reference_renderer import Renderer

DATA = Path(__file__).parents[1] / "data"
MODELS = Path(__file__).parents[2] / "assets" / "models"
SIZE = (96, 96)
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


@pytest.fixture(scope="module")
def gl() -> str:
    name, _ = choose_renderer("auto")
    assert name in ("egl", "osmesa"), "these tests need libegl1 and libgl1-mesa-dri"
    return name


class Posed:
    """A model in front of its orbit."""

    def __init__(self, path: Path, elevation: float = 0.3, size: tuple[int, int] = SIZE) -> None:
        self.size = size
        self.asset = load_asset(path)
        self.scene = PreviewScene(self.asset)
        points = np.concatenate([shape.corners.reshape(-1, 3) for shape in self.scene.shapes])
        self.frame = Frame.of(points)
        self.orbit: Orbit = make_orbit([self.frame.normalise(points)], elevation, size)

    def draw(
        self, renderer: str, turn: float, unlit: bool = True, shapes: tuple[Shape, ...] = ()
    ) -> np.ndarray:
        drawer = make_renderer(renderer, self.scene, self.size, unlit)
        drawer.pose(moved(shapes or self.scene.shapes, self.frame.centre, self.frame.radius))
        picture = drawer.draw(self.orbit.camera(turn))
        drawer.close()
        return picture.astype(np.float64)

    def draw_views(self, turn: float) -> np.ndarray:
        image = Renderer(self.asset).render(self.orbit.camera(turn), side=3, frame=self.size, lit=False)
        assert image is not None
        return np.concatenate([image.colour, image.mask[..., None]], -1) * 255


def mirrored_square(folder: Path) -> Path:
    """Red, green over blue, white on a square of one side, shown by a node that mirrors it along x."""
    maker = Maker()
    colours = np.array([[RED, GREEN], [BLUE, WHITE]], np.uint8).repeat(8, 0).repeat(8, 1)
    image = maker.add("images", {"bufferView": maker.view(encode_png(colours)), "mimeType": "image/png"})
    material = maker.material(maker.add("textures", {"source": image}))
    maker.mesh(maker.square(material=material))
    maker.json["nodes"][0]["scale"] = [-1, 1, 1]
    return maker.glb(folder / "mirrored.glb")


@pytest.mark.parametrize(
    "name",
    [
        "car_taxi/car_taxi.gltf",  # several nodes
        "building_A/building_A.obj",
        "vehicle-truck-red/vehicle-truck-red.glb",  # texture transform
        "robot/robot.glb",  # several materials, no texture
        "Fox/Fox.glb",  # skin
        "alien/alien.glb",
    ],
)
def test_bare_colours_agree(gl: str, name: str) -> None:
    model = Posed(DATA / name)
    pictures = [model.draw(gl, 0.1), model.draw("rays", 0.1), model.draw_views(0.1)]
    for other in pictures[1:]:
        assert difference(pictures[0], other) <= 3


def test_lit_pictures_agree(gl: str) -> None:
    """With normal and metal-roughness maps."""
    model = Posed(MODELS / "chair" / "plastic_monobloc_chair_01_1k.gltf", size=(200, 200))
    assert set(model.scene.shapes[0].material.maps) == {"base", "normal", "metal_rough"}
    lit = model.draw(gl, 0.1, unlit=False)
    assert difference(lit, model.draw("rays", 0.1, unlit=False)) <= 3
    assert difference(lit, model.draw(gl, 0.1)) > 6


def test_metal_and_glow_agree(gl: str) -> None:
    model = Posed(DATA / "alien" / "alien.glb")

    def changed(**values: object) -> tuple[Shape, ...]:
        return tuple(
            replace(shape, material=replace(shape.material, **values))  # type: ignore[arg-type]
            for shape in model.scene.shapes
        )

    for values in ({"metallic": 1.0, "roughness": 0.3}, {"emissive": (0.5, 0.0, 0.0)}):
        model.scene.shapes = changed(**values)
        assert difference(model.draw(gl, 0.1, unlit=False), model.draw("rays", 0.1, unlit=False)) <= 3


@pytest.mark.parametrize("renderer", ["gl", "rays", "views"])
def test_pictures_are_the_right_way_round(gl: str, renderer: str, tmp_path: Path) -> None:
    model = Posed(mirrored_square(tmp_path), elevation=0.0)
    picture = (
        model.draw_views(0.0)
        if renderer == "views"
        else model.draw(gl if renderer == "gl" else renderer, 0.0)
    )
    rows, columns = np.nonzero(picture[..., 3] > 254)
    low, high = (rows.min(), columns.min()), (rows.max(), columns.max())
    quarter = [(high[i] - low[i]) // 4 for i in (0, 1)]
    corners = [
        picture[low[0] + quarter[0], low[1] + quarter[1]],
        picture[low[0] + quarter[0], high[1] - quarter[1]],
        picture[high[0] - quarter[0], low[1] + quarter[1]],
        picture[high[0] - quarter[0], high[1] - quarter[1]],
    ]
    # The node's mirror swaps left and right, and nothing else.
    np.testing.assert_allclose(corners, [[*c, 255] for c in (GREEN, RED, WHITE, BLUE)], atol=2)


@pytest.mark.parametrize("renderer", ["gl", "rays"])
def test_backs_are_seen_of_double_sided_materials_only(gl: str, renderer: str, tmp_path: Path) -> None:
    model = Posed(mirrored_square(tmp_path), elevation=0.0)
    name = gl if renderer == "gl" else renderer
    assert model.draw(name, 0.5)[..., 3].max() == 0
    (shape,) = model.scene.shapes
    base = replace(shape.material.base, double_sided=True)
    model.scene.shapes = (replace(shape, material=replace(shape.material, base=base)),)
    assert model.draw(name, 0.5)[..., 3].max() == 255


@pytest.mark.parametrize("renderer", ["gl", "rays"])
def test_alpha_modes(gl: str, renderer: str, tmp_path: Path) -> None:
    """A white square of alpha 0.4 blends to 0.4, is cut out at a cutoff of 0.5, and solid where opaque."""
    model = Posed(mirrored_square(tmp_path), elevation=0.0)
    (shape,) = model.scene.shapes
    seen = {}
    for mode in ("OPAQUE", "MASK", "BLEND"):
        base = replace(shape.material.base, factor=(1.0, 1.0, 1.0, 0.4), alpha_mode=mode)
        model.scene.shapes = (replace(shape, material=replace(shape.material, base=base)),)
        picture = model.draw(gl if renderer == "gl" else renderer, 0.0)
        seen[mode] = picture[48 + 12, 48 - 12]  # within the white quarter
    np.testing.assert_allclose(seen["OPAQUE"], 255, atol=1)
    np.testing.assert_allclose(seen["MASK"], 0)
    np.testing.assert_allclose(seen["BLEND"], 0.4 * 255, atol=1)  # premultiplied


@pytest.mark.parametrize("renderer", ["gl", "rays"])
def test_normal_maps_bend_the_right_way(gl: str, renderer: str, tmp_path: Path) -> None:
    """Green is up and red is right, as one sees the picture; light comes from above and from the left."""
    bright = {}
    for name, colour in {
        "up": (128, 218, 218),
        "down": (128, 38, 218),
        "left": (38, 128, 218),
        "right": (218, 128, 218),
    }.items():
        maker = Maker()
        data = encode_png(np.full((4, 4, 3), colour, np.uint8))
        image = maker.add("images", {"bufferView": maker.view(data), "mimeType": "image/png"})
        material = maker.material(normalTexture={"index": maker.add("textures", {"source": image})})
        maker.json["materials"][material]["pbrMetallicRoughness"]["metallicFactor"] = 0.0
        maker.mesh(maker.square(material=material))
        model = Posed(maker.glb(tmp_path / f"{name}.glb"), elevation=0.0)
        bright[name] = model.draw(gl if renderer == "gl" else renderer, 0.0, unlit=False)[48, 48, 0]
    assert bright["up"] > bright["down"] + 20
    assert bright["left"] > bright["right"] + 20


@pytest.mark.parametrize("renderer", ["gl", "rays"])
def test_maps_read_their_own_uvs(gl: str, renderer: str, tmp_path: Path) -> None:
    """The emissive map reads a second UV set and moves it: its red quarter fills a black square."""
    maker = Maker()
    colours = np.array([[RED, GREEN], [BLUE, WHITE]], np.uint8).repeat(8, 0).repeat(8, 1)
    image = maker.add("images", {"bufferView": maker.view(encode_png(colours)), "mimeType": "image/png"})
    texture = maker.add("textures", {"source": image})
    transform = {"KHR_texture_transform": {"offset": [0.25, 0.25], "scale": [0.1, 0.1], "texCoord": 1}}
    material = maker.material(
        emissiveFactor=[1, 1, 1], emissiveTexture={"index": texture, "extensions": transform}
    )
    maker.json["materials"][material]["pbrMetallicRoughness"]["baseColorFactor"] = [0, 0, 0, 1]
    square = maker.square(material=material)
    square["attributes"]["TEXCOORD_1"] = maker.accessor(np.zeros((4, 2), "<f4"))
    maker.mesh(square)
    maker.json["extensionsUsed"] = ["KHR_texture_transform"]
    model = Posed(maker.glb(tmp_path / "glow.glb"), elevation=0.0)
    picture = model.draw(gl if renderer == "gl" else renderer, 0.0, unlit=False)
    red, green, blue, _ = picture[48, 48]
    assert red > 200
    assert max(green, blue) < red - 60


@pytest.mark.parametrize("unlit", [False, True])
def test_the_emissive_picture_of_a_black_material_is_drawn_as_it_is(unlit: bool, tmp_path: Path) -> None:
    maker = Maker()
    picture = maker.add("textures", {"source": maker.image((200, 100, 50))})
    lamp = {"emissiveFactor": [1, 1, 1], "emissiveTexture": {"index": picture}}
    material = maker.material(maker.add("textures", {"source": maker.image((0, 0, 0))}), **lamp)
    maker.mesh(maker.square(material=material))
    model = Posed(maker.glb(tmp_path / "screen.glb"), elevation=0.0)
    assert model.draw("rays", 0.0, unlit=unlit)[48, 48, :3] == pytest.approx([200, 100, 50], abs=3)


def test_nothing_is_cut_off_and_the_picture_is_filled() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(500, 3)) * (1.0, 0.3, 0.6)
    points /= np.linalg.norm(points, axis=1).max()
    for elevation in (-1.2, 0.0, 0.4, math.pi / 2):
        for shape in ((90, 120), (120, 90)):
            orbit = make_orbit([points], elevation, shape)
            reach = np.zeros(2)
            for turn in np.linspace(0, 1, 50):
                camera = orbit.camera(turn)
                np.testing.assert_allclose(camera.axes @ camera.axes.T, np.eye(3), atol=1e-12)
                assert np.linalg.det(camera.axes) == pytest.approx(-1)  # right, up, forward
                reach = np.maximum(reach, np.abs(camera.project(points)).max(0))
            assert (reach <= 0.44 * np.array(shape)).all()
            assert (reach / shape).max() > 0.3
