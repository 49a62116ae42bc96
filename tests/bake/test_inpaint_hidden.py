"""What a viewer sees is painted and stays readable, from file to file: shells, glass, cards, rooms, parts at rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.gltf_samples import Maker
from PIL import Image

from meshstyle.io.images import encode_png
from meshstyle.io.load import load_asset
from meshstyle.io.types import Asset
from meshstyle.results import Result
from meshstyle.stylize_model import stylize

SIDE = 128
CELLS = 8  # blocks of the picture along a side
LUMA = np.array([0.299, 0.587, 0.114])
READABLE = 0.85

# The faces of a cube from -1 to 1, counter-clockwise seen from outside, and the two halves of a card.
_AXES = [(0, 1, 2), (1, 2, 0), (2, 0, 1)]


def picture(seed: int) -> bytes:
    cells = np.random.default_rng(seed).integers(20, 236, (CELLS, CELLS, 3), dtype=np.uint8)
    return encode_png(np.kron(cells, np.ones((SIDE // CELLS, SIDE // CELLS, 1), np.uint8)))


def face(axis: int, sign: int) -> np.ndarray:
    normal, u, v = _AXES[axis]
    corners = np.zeros((4, 3), np.float32)
    corners[:, normal] = sign
    corners[:, u], corners[:, v] = np.array([-1, 1, 1, -1]) * sign, [-1, -1, 1, 1]
    return corners


def cell(number: int, columns: int = 3, rows: int = 2) -> np.ndarray:
    """A face's place in the picture, with a margin."""
    low = np.array([number % columns / columns, number // columns / rows]) + 0.01
    high = np.array([(number % columns + 1) / columns, (number // columns + 1) / rows]) - 0.01
    return np.array([[low[0], high[1]], high, [high[0], low[1]], low], np.float32)


class Model:
    """Boxes and cards with pictures, in one GLB."""

    def __init__(self, **extensions: object) -> None:
        self.maker = Maker(**({"extensionsUsed": list(extensions)} if extensions else {}))

    def textured(self, name: str, seed: int, **more: object) -> int:
        image = self.maker.add(
            "images", {"bufferView": self.maker.view(picture(seed)), "mimeType": "image/png"}
        )
        return self.maker.material(self.maker.add("textures", {"source": image}), name=name, **more)

    def plain(self, name: str, colour: tuple[float, ...], **more: object) -> int:
        return self.maker.add(
            "materials", {"name": name, "pbrMetallicRoughness": {"baseColorFactor": list(colour)}, **more}
        )

    def box(self, material: int, scale: float = 1.0, inwards: bool = False, **node: object) -> None:
        corners = np.concatenate([face(axis, sign) for axis in range(3) for sign in (-1, 1)]) * scale
        self.mesh(corners, np.concatenate([cell(n) for n in range(6)]), material, inwards, **node)

    def mesh(
        self, corners: np.ndarray, uv: np.ndarray, material: int, inwards: bool = False, **node: object
    ) -> None:
        triangles = np.arange(0, len(corners), 4)[:, None, None] + np.array([[0, 1, 2], [0, 2, 3]])
        triangles = triangles[..., ::-1] if inwards else triangles
        primitive = {
            "attributes": {"POSITION": self.maker.positions(corners), "TEXCOORD_0": self.maker.accessor(uv)},
            "indices": self.maker.accessor(triangles.reshape(-1).astype("<u2")),
            "material": material,
        }
        number = self.maker.mesh(primitive, nodes=0)
        self.maker.add("nodes", {"mesh": number, **node})


def outline() -> Model:
    model = Model()
    model.box(model.textured("body", 1))
    model.box(model.plain("outline", (0, 0, 0, 1)), 1.04, inwards=True)
    return model


def glass(alpha: float) -> Model:
    model = Model()
    model.box(model.textured("body", 1))
    model.box(model.plain("glass", (0.8, 0.9, 1, alpha), alphaMode="BLEND"), 1.2)
    return model


def lens() -> Model:
    model = Model(KHR_materials_transmission=1)
    model.box(model.textured("body", 1))
    light = {"KHR_materials_transmission": {"transmissionFactor": 1.0}}
    model.box(model.plain("lens", (1, 1, 1, 1), extensions=light), 1.2)
    return model


def room() -> Model:
    model = Model()
    model.box(model.textured("wall", 2), 3.0, inwards=True)
    model.box(model.textured("body", 1))
    return model


def card() -> Model:
    model = Model()
    front, material = face(2, 1) * [1, 1, 0], model.textured("body", 1)
    model.mesh(
        np.concatenate([front, front[[1, 0, 3, 2]]]).astype(np.float32),
        np.concatenate([cell(0, 2, 1), cell(1, 2, 1)]),
        material,
    )
    return model


def switched_off() -> Model:
    model = Model()
    model.box(model.textured("shown", 2))
    model.box(model.textured("body", 1), translation=[0, 4, 0], scale=[0, 0, 0])
    return model


CASES: dict[str, Callable[[], Model]] = {
    "outline": outline,
    "glass": lambda: glass(0.25),
    "clear glass": lambda: glass(0.05),
    "lens": lens,
    "room": room,
    "card": card,
    "switched off": switched_off,
}


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs do not look at their own results, which takes as long as painting."""
    monkeypatch.setattr("meshstyle.stylize_model.views_to_measure", lambda steps: 0)


@pytest.fixture(scope="module")
def style(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Soft stripes of two colours: strokes that would cover a picture if it were not looked at."""
    x, y = np.meshgrid(np.linspace(0, 1, 96), np.linspace(0, 1, 96))
    wave = (0.5 + 0.5 * np.sin(40 * (x + 0.3 * y)))[..., None]
    path = tmp_path_factory.mktemp("style") / "stripes.png"
    Image.fromarray((wave * [250, 220, 80] + (1 - wave) * [20, 40, 120]).astype(np.uint8)).save(path)
    return path


def likeness(before: Asset, after: Asset, material: str) -> float:
    """Correlation of luminance, block by block, of the surface of a material's parts."""
    bary = np.random.default_rng(0).dirichlet([1, 1, 1], 600)
    found: list[list[float]] = [[], []]
    for number, part in enumerate(before.parts):
        if before.materials[part.material].name != material:
            continue
        assert part.uv is not None
        blocks = np.floor(np.einsum("nk,fkc->fnc", bary, part.uv).reshape(-1, 2) * CELLS) @ [CELLS, 1]
        _, place = np.unique(blocks, return_inverse=True)
        for values, asset in zip(found, (before, after), strict=True):
            own = asset.parts[number]
            image = asset.materials[own.material].image
            assert image is not None
            assert own.uv is not None
            pixels = asset.image(image)[..., :3] @ LUMA
            uv = np.einsum("nk,fkc->fnc", bary, own.uv).reshape(-1, 2)
            row, column = (
                np.clip(uv[:, k] * pixels.shape[1 - k], 0, pixels.shape[1 - k] - 1) for k in (1, 0)
            )
            light = pixels[row.astype(int), column.astype(int)]
            values += (np.bincount(place, light) / np.bincount(place)).tolist()
    return float(np.corrcoef(*found)[0, 1])


ORDINARY = ("glass",)  # the others are for the full run


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[] if case in ORDINARY else pytest.mark.slow) for case in CASES]
)
def test_pictures_behind_what_hides_nothing_stay_readable(case: str, style: Path, tmp_path: Path) -> None:
    source = CASES[case]().maker.glb(tmp_path / "in.glb")
    result = stylize(
        source, style, tmp_path / "out.glb", preset="draft", iterations=12, texture_size=SIDE, uv="keep"
    )
    assert likeness(load_asset(source), load_asset(tmp_path / "out.glb"), "body") >= READABLE
    told = {item.name: item for item in result.materials}
    lost = [text for text in result.warnings if "lost its picture" in text]
    assert not lost
    assert_told(case, told["body"].painted, result)


def assert_told(case: str, painted: float, result: Result) -> None:
    if case == "switched off":
        assert painted == 0
        assert any("'body'" in text for text in result.warnings)
    else:
        assert painted > 0.9
        assert not any("'body'" in text for text in result.warnings)


def test_an_outline_that_is_left_out_hides_nothing(style: Path, tmp_path: Path) -> None:
    source = outline().maker.glb(tmp_path / "in.glb")
    result = stylize(
        source, style, tmp_path / "out.glb", preset="draft", iterations=1, skip="outline", texture_size=64
    )
    assert result.materials[0].painted > 0.9
