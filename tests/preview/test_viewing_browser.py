"""What `evaluate` looks at is what three.js shows: the same views, textured strokes and all, and figures of both."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.browser import Browser, Tab
from PIL import Image
from scipy.ndimage import binary_erosion

from meshstyle.bundled import find_style
from meshstyle.figures import grain, high_frequencies, structure, white_share
from meshstyle.io.load import load_asset
from meshstyle.preview.page import three
from meshstyle.preview.page.glb import glb_bytes
from meshstyle.preview.page.html import document, own_file
from meshstyle.style.style_image import load_style_image
from meshstyle.style.vgg import VGG19
from meshstyle.style.vgg_weights import load_weights
from meshstyle.viewing import SIZE, StyleAtViewSize, ViewImage, at_viewing_size, directions, see
from meshstyle.views.cameras import camera_towards_centre
from meshstyle.views.reference_renderer import Renderer

SPOT = Path(__file__).parents[2] / "assets" / "models" / "spot"
CLOSE = 0.05  # relative; figures must be within 0.1
SIDES = (1, 6)  # of eight: from above and from below


@pytest.fixture(scope="module")
def canvas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A page that draws without antialiasing."""
    folder = tmp_path_factory.mktemp("canvas")
    script = (Path(__file__).parents[1] / "helpers" / "unlit.js").read_text()
    (folder / "unlit.html").write_text(document("unlit", "", [three.library(), own_file("gltf.js"), script]))
    with Browser(folder / "profile") as browser:
        tab = browser.open(folder / "unlit.html")
        tab.wait("typeof page === 'object'")
        tab.run(f"page.start({SIZE}, false)")
        yield tab


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    """Spot with the great wave for a texture: strokes and lines finer than a pixel, and stretched, in places."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "spot.obj").write_bytes((SPOT / "spot.obj").read_bytes())
    material = (SPOT / "spot.mtl").read_text()
    (folder / "spot.mtl").write_text(material)
    (name,) = (line.split()[1] for line in material.splitlines() if line.strip().startswith("map_Kd"))
    wave = Image.open(find_style("great-wave")).convert("RGB").resize((1024, 1024))
    wave.save(folder / name)
    return Renderer(load_asset(folder / "spot.obj"))


@pytest.fixture(scope="module")
def painting() -> StyleAtViewSize:
    network = VGG19(load_weights("bundled"), convolution="auto", precision="auto")
    return StyleAtViewSize(load_style_image(find_style("starry-night")), network)


def shown(tab: Tab, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The browser's picture of the model that it holds, sRGB 0..1, and where the model is."""
    camera = camera_towards_centre(direction, SIZE)
    half = SIZE / 2 * camera.pitch
    png = tab.run(f"page.draw({camera.eye.tolist()}, {camera.axes.tolist()}, {half})")
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA"))
    return pixels[..., :3].astype(np.float32) / 255, pixels[..., 3] > 127


def seen_by_browser(tab: Tab, ours: ViewImage, direction: np.ndarray, painting: StyleAtViewSize) -> ViewImage:
    """Its picture as ours is: before the painting's mean colour, under our headlight."""
    colour, mask = shown(tab, direction)
    hits = ours.image.hits
    shade = np.ones(hits.shape, np.float32)
    shade.reshape(-1)[hits.pixel] = 0.55 + 0.45 * hits.cosine
    background = painting.background.numpy()
    lit, unlit = (
        torch.from_numpy(np.where(mask[..., None], c, background).transpose(2, 0, 1)[None].copy())
        for c in (colour * shade[..., None], colour)
    )
    return ViewImage(lit, unlit, torch.from_numpy(mask.astype(np.float32))[None, None], ours.image)


@pytest.fixture(scope="module")
def pairs(canvas: Tab, painted: Renderer, painting: StyleAtViewSize) -> list[tuple[ViewImage, ViewImage]]:
    frame = painted.tracer.frame
    data = base64.b64encode(glb_bytes(painted.asset)).decode()
    canvas.run(f"page.load('{data}', {frame.centre.tolist()}, {frame.radius})")
    found = []
    for direction in directions(8)[list(SIDES)]:
        ours = see(painted, direction, painting)
        assert ours is not None
        found.append((ours, seen_by_browser(canvas, ours, direction, painting)))
    return found


def test_pictures_are_the_browsers(pairs: list[tuple[ViewImage, ViewImage]], canvas: Tab) -> None:
    assert canvas.complaints() == []
    for ours, theirs in pairs:
        masks = [seen.mask[0, 0].numpy() > 0 for seen in (ours, theirs)]
        assert (masks[0] != masks[1]).mean() < 2e-4
        inside = binary_erosion(masks[0] & masks[1], np.ones((5, 5)))
        assert inside.sum() > 100_000
        difference = (ours.unlit - theirs.unlit).abs()[0].mean(0).numpy()[inside]
        assert difference.mean() < 0.5 / 255


def test_figures_are_the_browsers(
    pairs: list[tuple[ViewImage, ViewImage]], painting: StyleAtViewSize
) -> None:
    ours, theirs = ([painting.styles(pair[k].lit, pair[k].mask) for pair in pairs] for k in (0, 1))
    assert np.allclose(ours, theirs, rtol=CLOSE)
    assert at_viewing_size(ours) == pytest.approx(at_viewing_size(theirs), rel=CLOSE)
    high = [torch.stack([high_frequencies(pair[k].lit, pair[k].mask) for pair in pairs]) for k in (0, 1)]
    of_painting = high_frequencies(painting.picture, torch.ones_like(painting.picture[:, :1]))
    assert grain(high[0], of_painting) == pytest.approx(grain(high[1], of_painting), rel=CLOSE)
    for mine, browsers in pairs:
        white = [white_share(seen.unlit, seen.mask) for seen in (mine, browsers)]
        assert white[0] == pytest.approx(white[1], abs=1e-3)
        assert structure(mine.lit, browsers.lit, mine.mask) > 0.999
