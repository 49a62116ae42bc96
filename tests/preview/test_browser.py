"""Real headless Chromium: the page works with the network off, and a browser shows what our ray renderer shows."""

from __future__ import annotations

import base64
import io
import json
import math
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.browser import Browser, Tab
from PIL import Image
from scipy.ndimage import binary_erosion

from meshstyle.bundled import find_style
from meshstyle.io.load import load_asset
from meshstyle.preview.page import three
from meshstyle.preview.page.glb import glb_bytes
from meshstyle.preview.page.html import document, own_file
from meshstyle.preview.page.page import MARGIN, Story, direction, flat_stage, write_page
from meshstyle.preview.painted_asset import BACKGROUND
from meshstyle.views.cameras import FIELD_OF_VIEW, Camera, camera_towards_centre
from meshstyle.views.reference_renderer import Renderer

ROOT = Path(__file__).parents[2]
DATA, MODELS = ROOT / "tests" / "data", ROOT / "assets" / "models"
SIZE = 192  # pixels of a compared view
TOLERANCE = 3 / 255


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def unlit(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Tab:
    path = tmp_path_factory.mktemp("page") / "unlit.html"
    script = (Path(__file__).parents[1] / "helpers" / "unlit.js").read_text()
    path.write_text(document("unlit", "", [three.library(), own_file("gltf.js"), script]))
    tab = browser.open(path)
    tab.wait("typeof page === 'object'")
    tab.run(f"page.start({SIZE})")
    return tab


def edited(path: Path, edit: Callable[[dict[str, Any]], None], output: Path) -> Path:
    """A GLB with other JSON."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<I", data, 12)
    content = json.loads(data[20 : 20 + length])
    edit(content)
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    rest = data[20 + length :]
    head = struct.pack("<III", 0x46546C67, 2, 20 + len(text) + len(rest))
    output.write_bytes(head + struct.pack("<II", len(text), 0x4E4F534A) + text + rest)
    return output


def mirror(content: dict[str, Any]) -> None:
    """Negative scale on the root: what was left is right, and triangles turn over."""
    content["nodes"].append({"children": content["scenes"][0]["nodes"], "scale": [-1, 1, 1]})
    content["scenes"][0]["nodes"] = [len(content["nodes"]) - 1]


def transform(content: dict[str, Any]) -> None:
    """The texture turned, shrunk and moved, so that any mistake of sign or order shows."""
    moved = {"offset": [0.3, 0.1], "rotation": 0.6, "scale": [0.4, 0.7]}
    for material in content["materials"]:
        material["pbrMetallicRoughness"]["baseColorTexture"]["extensions"] = {"KHR_texture_transform": moved}
    content["extensionsUsed"] = ["KHR_texture_transform"]


def second_uvs(content: dict[str, Any]) -> None:
    """Base colour at TEXCOORD_1, the first set all at one point: what unwrapping makes."""
    for mesh in content["meshes"]:
        for primitive in mesh["primitives"]:
            uv = primitive["attributes"]["TEXCOORD_0"]
            accessor = {"componentType": 5126, "type": "VEC2", "count": content["accessors"][uv]["count"]}
            content["accessors"].append(accessor)  # no bufferView: zeros
            primitive["attributes"] |= {"TEXCOORD_0": len(content["accessors"]) - 1, "TEXCOORD_1": uv}
    for material in content["materials"]:
        material["pbrMetallicRoughness"]["baseColorTexture"]["texCoord"] = 1


FOX = DATA / "Fox" / "Fox.glb"
CASES = {
    "plain": (FOX, None),
    "texture transform": (FOX, transform),
    "negative scale": (FOX, mirror),
    "second UVs": (FOX, second_uvs),
    "several materials": (DATA / "alien" / "alien.glb", None),
    "vertex colours": (DATA / "cubevc" / "cubevc.glb", None),
    "OBJ": (DATA / "building_A" / "building_A.obj", None),
    "Draco": (DATA / "variants" / "Fox_draco.glb", None),
    "WebP": (DATA / "variants" / "barrel_webp.glb", None),
}


@pytest.mark.parametrize("case", CASES)
def test_browser_and_ray_renderer_agree(case: str, unlit: Tab, tmp_path: Path) -> None:
    """Neither upside down nor mirrored, nor at other UVs, nor in other colours."""
    path, edit = CASES[case]
    if edit is not None:
        path = edited(path, edit, tmp_path / "edited.glb")
    asset = load_asset(path)
    renderer = Renderer(asset)
    frame = renderer.tracer.frame
    data = base64.b64encode(glb_bytes(asset)).decode()
    unlit.run(f"page.load('{data}', {frame.centre.tolist()}, {frame.radius})")
    for towards in ([0.48, 0.36, 0.8], [-0.6, -0.28, -0.75]):
        camera = camera_towards_centre(np.array(towards) / np.linalg.norm(towards), SIZE)
        ours = renderer.render(camera, 3, frame=(SIZE, SIZE), lit=False)
        half = SIZE / 2 * camera.pitch
        png = unlit.run(f"page.draw({camera.eye.tolist()}, {camera.axes.tolist()}, {half})")
        theirs = np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")) / 255
        inside = binary_erosion(ours.mask == 1, np.ones((5, 5)))
        assert inside.sum() > 1000
        difference = float(np.abs(ours.colour - theirs)[inside].mean())
        assert difference <= TOLERANCE
    assert unlit.complaints() == []


def copy_of(path: Path, output: Path, record: dict[str, Any]) -> Path:
    """A GLB that says it was painted like that."""
    return edited(path, lambda content: content["asset"].update(extras={"meshstyle": record}), output)


def grey(path: Path, output: Path) -> Path:
    """Its colours at a third."""

    def edit(content: dict[str, Any]) -> None:
        for material in content["materials"]:
            material["pbrMetallicRoughness"]["baseColorFactor"] = [0.1, 0.1, 0.1, 1]

    return edited(path, edit, output)


def slide(tab: Tab, value: int) -> np.ndarray:
    """The stage with the slider there, (H, W, 3) 0..1; 1000: all the way to the right."""
    tab.run(f"wipe.value = {value}; wipe.dispatchEvent(new Event('input'))")
    tab.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    png = tab.run("stage.querySelector('canvas').toDataURL('image/png').split(',')[1]")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")) / 255


HOSTILE = "</script><script>document.title='hit'</script><img src=x onerror=\"document.title='hit'\">&amp;"


@pytest.fixture(scope="module")
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Tab:
    folder = tmp_path_factory.mktemp("page")
    record = {"style": HOSTILE, "version": "1", "settings": {"seed": 3, "weights": HOSTILE}}
    model = copy_of(FOX, folder / "<b>fox' &amp; \"friends.glb", record)
    before = grey(FOX, folder / "before.glb")
    story = Story(styles=(find_style("scream"),), figures={"style_loss": 0.0312, HOSTILE: HOSTILE})
    (output,) = write_page(model, folder / "out.html", before, story)
    tab = browser.open(output, 900, 500)
    tab.wait("document.documentElement?.dataset.state === 'ready'")
    return tab


def test_the_page_shows_the_model_and_the_original(page: Tab) -> None:
    """The silhouette is the ray renderer's; the slider goes from one model to the other."""
    after, before, both = slide(page, 0), slide(page, 1000), slide(page, 500)
    height, width = after.shape[:2]
    eye = direction() * MARGIN / math.sin(FIELD_OF_VIEW / 2)
    axes = camera_towards_centre(direction(), 1).axes
    camera = Camera(eye, axes, 2 * math.tan(FIELD_OF_VIEW / 2) / min(height, width))
    ours = Renderer(load_asset(FOX)).render(camera, 2, frame=(height, width), lit=False)
    seen = np.abs(after - np.array(BACKGROUND) / 255).max(2) > 0.05
    expected = ours.mask > 0.5
    assert (seen & expected).sum() / (seen | expected).sum() > 0.93
    inside = binary_erosion(ours.mask == 1, np.ones((5, 5)))
    # Lit, so only roughly the bare colours; but they go together.
    assert np.abs(ours.colour - after)[inside].mean() < 0.12
    assert np.corrcoef(ours.colour[inside].ravel(), after[inside].ravel())[0, 1] > 0.9
    assert before[inside].mean() < 0.6 * after[inside].mean()
    half = width // 2
    assert np.array_equal(both[:, : half - 2], before[:, : half - 2])
    assert np.array_equal(both[:, half + 2 :], after[:, half + 2 :])


def test_the_page_tells_how_it_was_made_and_runs_nothing_of_it(page: Tab) -> None:
    shown = page.run("document.body.innerText")
    assert "<b>fox' &amp; \"friends.glb" in shown
    assert HOSTILE in shown
    assert "style loss" in shown
    assert "0.0312" in shown
    assert page.run("document.title") == "<b>fox' &amp; \"friends.glb"
    assert page.run("document.querySelector('aside img').naturalWidth") > 100


def test_the_page_complains_of_nothing_and_asks_nobody(page: Tab) -> None:
    assert page.complaints() == []
    assert page.requests()[0].startswith("file:")
    assert all(address.startswith(("data:", "blob:")) for address in page.requests()[1:])
    # Even code that got into it could not: its own policy forbids it.
    assert page.run("fetch('https://example.com').then(() => 'sent', () => 'refused')") == "refused"


def test_the_model_turns_and_can_be_turned(page: Tab) -> None:
    still = slide(page, 0)
    assert np.array_equal(still, slide(page, 0)), "who asked for less motion gets none"
    page.run("stage.focus()")
    page.call("Input.dispatchKeyEvent", type="keyDown", key="ArrowRight")
    by_key = slide(page, 0)
    assert not np.array_equal(by_key, still)
    box = page.run(
        "(({x, y, width, height}) => [x + width / 2, y + height / 2])(stage.getBoundingClientRect())"
    )
    for kind, offset in (("mousePressed", 0), ("mouseMoved", 60), ("mouseReleased", 60)):
        page.call(
            "Input.dispatchMouseEvent", type=kind, x=box[0] + offset, y=box[1] - 40, button="left", buttons=1
        )
    by_mouse = slide(page, 0)
    assert not np.array_equal(by_mouse, by_key)
    page.run("turn.click()")
    assert not np.array_equal(slide(page, 0), by_mouse)
    page.run("turn.click()")


def test_two_pictures_lie_under_one_slider(browser: Browser, tmp_path: Path) -> None:
    """Red before, blue after, twice as wide as high: left of the slider it is red, right of it blue."""
    before, after = (np.full((40, 80, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
    body = f"<main>{flat_stage(before, after)}</main>"
    (tmp_path / "flat.html").write_text(document("flat", body, [own_file("wipe.js")]))
    tab = browser.open(tmp_path / "flat.html", 600, 400)
    tab.wait("document.readyState === 'complete' && [...document.images].every((i) => i.complete)")
    box = tab.run("(({x, y, width, height}) => ({x, y, width, height}))(stage.getBoundingClientRect())")
    assert box["width"] / box["height"] == pytest.approx(2, rel=0.01)
    for share in (0.25, 0.75):
        tab.run(f"wipe.value = {1000 * share}; wipe.dispatchEvent(new Event('input'))")
        line = tab.picture(box)[round(box["height"] / 3)]
        edge = round(share * len(line))
        assert (line[8 : edge - 12] == (255, 0, 0)).all()
        assert (line[edge + 12 : -8] == (0, 0, 255)).all()
    assert tab.complaints() == []
