"""The ways to paint a model, side by side: what each costs and what it ends at.

    python benchmarks/compare_solvers.py [--case spot/starry-night] [--entry views] [--scales 128:25,256:20]

Entries, on the same model, style, cameras and scales, each in a process of its own:

    independent   view solver with γ = 0, then bake
    views         view solver with its consistency loss, then bake
    texture       texture solver, Adam (as many looks at a view as `standard` takes)
    texture-lbfgs texture solver, L-BFGS over all views, as many looks as the view solver takes
    picture       `meshstyle image` on the texture's picture itself, the shortcut people take

Time is that of solving: the clock stands while a checkpoint is scored. A unit is one forward + backward of VGG-19 to
relu4_1 on 256×256 pixels, timed in the same process before and after. Checkpoints are scored on twelve held-out views;
the final figures are those of `meshstyle evaluate`, of the file that was written.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from main_job import CASES, ROOT, run, unit
from PIL import Image

from meshstyle import stylize_image
from meshstyle.bundled import find_style
from meshstyle.config.model import PRESETS, Scale, Settings
from meshstyle.evaluation import evaluate
from meshstyle.io.load import load_asset
from meshstyle.io.save import save_asset
from meshstyle.io.types import Paint, PaintedAtlas
from meshstyle.progress import Progress
from meshstyle.style.objective import LossWeights, Objective, fit_short_side
from meshstyle.style.style_image import load_style_image
from meshstyle.style.vgg import VGG19
from meshstyle.style.vgg_weights import load_weights
from meshstyle.stylize_model import stylize
from meshstyle.texture.build import build_surface
from meshstyle.texture.filtering import bilinear
from meshstyle.texture.plan import plan_atlases
from meshstyle.texture.seams import find_seams
from meshstyle.texture.types import Surface
from meshstyle.views.cameras import camera_towards_centre, fibonacci_sphere
from meshstyle.views.raytrace import Hits, Tracer
from meshstyle.views.reference_renderer import Renderer
from meshstyle.views.view import AMBIENT, HEADLIGHT

MODELS = ("spot", "fox", "barrel")
STYLES = ("starry-night", "great-wave")
ENTRIES = ("independent", "views", "texture", "texture-lbfgs", "picture")
MARKS = (0.2, 0.1, 0.05)
CHECKPOINTS = 8
VIEWS, SIZE = 12, 256  # that checkpoints and seams are looked at in
_STEP_IN_DEPTH = (
    0.02  # bounding radii: neighbouring pixels that differ by more are not neighbours on the surface
)


class Judge:
    """Style loss of textures as they stand, on held-out views."""

    def __init__(self, surface: Surface, style: str) -> None:
        painting = fit_short_side(load_style_image(find_style(style)), SIZE)
        self._objective = Objective(VGG19(load_weights()), LossWeights(0.0, 1.0, 0.0))
        self._style = self._objective.style_target(painting)
        self._background = painting.mean((0, 2, 3)).numpy()
        self._surface, tracer = surface, Tracer(surface)
        found = [tracer.view(camera_towards_centre(d, SIZE), 2) for d in fibonacci_sphere(VIEWS)]
        self._hits = [hits for hits in found if hits is not None]

    @torch.no_grad()
    def __call__(self, images: Sequence[np.ndarray]) -> float:
        """`images`: per atlas (h, w, 3) sRGB 0..1."""
        return float(np.mean([self._view(hits, images) for hits in self._hits]))

    def _view(self, hits: Hits, images: Sequence[np.ndarray]) -> float:
        surface = self._surface
        uv = np.einsum("nk,nkc->nc", hits.barycentric.astype(np.float64), surface.uv[hits.triangle])
        colour = np.zeros((len(uv), 3), np.float32)
        for number, image in enumerate(images):
            rays = np.flatnonzero(surface.atlas[hits.triangle] == number)
            colour[rays] = bilinear(image[..., :3], uv[rays], surface.atlases[number].wrap)
        colour *= (AMBIENT + HEADLIGHT * hits.cosine)[:, None]
        size, rays_each = hits.shape[0] * hits.shape[1], hits.side**2
        total = np.stack([np.bincount(hits.pixel, colour[:, c], size) for c in range(3)], -1) / rays_each
        mask = (np.bincount(hits.pixel, minlength=size) / rays_each)[:, None]
        picture = (total + (1 - mask) * self._background).reshape(*hits.shape, 3).transpose(2, 0, 1)
        seen = torch.from_numpy(np.ascontiguousarray(picture)).float()[None]
        target = self._objective.content_target(seen, torch.from_numpy(mask).float().view(1, 1, *hits.shape))
        return self._objective(seen, self._style, target).style


class Watch:
    """A progress callback that scores checkpoints while its clock stands."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._spent, self._began = 0.0, time.perf_counter()
        self.curve: list[tuple[float, float]] = []
        self.seconds = 0.0

    def __call__(self, record: Progress) -> None:
        if record.stage == "read":
            self._began = time.perf_counter()
        self.seconds = time.perf_counter() - self._began - self._spent
        if record.stage == "solve" and record.paint is not None and self._due(record):
            self.score(record.paint())

    def score(self, images: Sequence[np.ndarray]) -> None:
        """`images`: per atlas (h, w, 3) sRGB 0..1."""
        paused = time.perf_counter()
        self.curve.append((self.seconds, self._judge(images)))
        self._spent += time.perf_counter() - paused

    def _due(self, record: Progress) -> bool:
        return record.step % max(1, record.steps // CHECKPOINTS) == 0 or record.step == record.steps


def settings_of(entry: str, scales: tuple[Scale, ...]) -> Settings:
    """Of an entry that paints models. `scales`: of the entries whose steps look at all views."""
    standard = PRESETS["standard"]
    PRESETS["standard"] = replace(standard, rounds=scales)
    return {
        "independent": Settings(solver="views", consistency=0.0),
        "views": Settings(solver="views"),
        "texture": Settings(),
        "texture-lbfgs": Settings(optimizer="lbfgs"),
    }[entry]


def paint(entry: str, model: Path, style: str, output: Path, scales: tuple[Scale, ...]) -> dict[str, Any]:
    """Run an entry; its figures."""
    asset = load_asset(model)
    settings = Settings() if entry == "picture" else settings_of(entry, scales)
    surface = build_surface(asset, settings, plan_atlases(asset, settings), lambda _: None)
    watch = Watch(Judge(surface, style))
    before = unit(3)
    if entry == "picture":
        paint_picture(model, style, output, watch)
        agreement = None
    else:
        result = stylize(model, style, output, settings, progress=watch)
        agreement = result.to_dict()["agreement"]
    one = statistics.median(before + unit(3))
    reached = {f"{mark:g}": next((s for s, loss in watch.curve if loss <= mark), None) for mark in MARKS}
    found = evaluate(output, model, style)
    return {
        "unit_seconds": round(one, 3),
        "seconds": round(watch.seconds, 1),
        "units": round(watch.seconds / one, 1),
        "seconds_to": {mark: s and round(s, 1) for mark, s in reached.items()},
        "units_to": {mark: s and round(s / one, 1) for mark, s in reached.items()},
        "curve": [(round(s / one, 1), round(loss, 4)) for s, loss in watch.curve],
        "agreement": agreement,
        "seams": round(seam_visibility(output), 3),
        "seams_original": round(seam_visibility(model), 3),
        **{key: round(value, 4) for key, value in found.to_dict().items() if isinstance(value, float)},
    }


def paint_picture(model: Path, style: str, output: Path, watch: Watch) -> None:
    """The shortcut: each texture is a photo, and knows nothing of the model."""
    asset = load_asset(model)
    settings = Settings()
    surface = build_surface(asset, settings, plan_atlases(asset, settings), lambda _: None)
    watch(Progress("read"))
    atlases, images = [], []
    for number, atlas in enumerate(surface.atlases):
        photo, out = (output.with_suffix(f".{number}.{kind}.png") for kind in ("photo", "painted"))
        Image.fromarray((atlas.start * 255 + 0.5).astype(np.uint8)).save(photo)
        stylize_image(photo, style, out, progress=watch)
        painted = np.asarray(Image.open(out).convert("RGB").resize(atlas.owner.shape[::-1]))
        images.append(painted.astype(np.float32) / 255)
        if atlas.alpha is not None:
            alpha = (atlas.alpha * 255 + 0.5).astype(np.uint8)
            painted = np.concatenate([painted, alpha[..., None]], 2)
        atlases.append(PaintedAtlas(atlas.plan.name, painted))
    watch.score(images)
    save_asset(asset, output, Paint(tuple(atlases), surface.painted, {}, "png"))


def seam_visibility(path: Path) -> float:
    """Mean colour step between neighbouring pixels on two charts, over that between pixels of one chart."""
    renderer = Renderer(load_asset(path))
    charts = find_seams(renderer.scene).chart
    across, inside = [], []
    for direction in fibonacci_sphere(VIEWS):
        camera = camera_towards_centre(direction, SIZE)
        image, hits = renderer.render(camera, 3, lit=False), renderer.tracer.view(camera, 1)
        if image is None or hits is None or image.hits.shape != hits.shape:
            continue
        chart, depth = np.full(hits.shape, -1), np.zeros(hits.shape)
        chart.reshape(-1)[hits.pixel] = charts[hits.triangle]
        depth.reshape(-1)[hits.pixel] = hits.distance
        for axis in (0, 1):
            one, other = (slice(None),) * axis + (slice(-1),), (slice(None),) * axis + (slice(1, None),)
            near = (chart[one] >= 0) & (chart[other] >= 0)
            near &= np.abs(depth[one] - depth[other]) < _STEP_IN_DEPTH
            near &= (image.mask[one] == 1) & (image.mask[other] == 1)
            step = np.abs(image.colour[one] - image.colour[other]).mean(-1)
            across.append(step[near & (chart[one] != chart[other])])
            inside.append(step[near & (chart[one] == chart[other])])
    a, b = np.concatenate(across), np.concatenate(inside)
    return float(a.mean() / b.mean()) if len(a) and len(b) else math.nan


def parse_scales(text: str) -> tuple[Scale, ...]:
    return tuple(Scale(*map(int, part.split(":"))) for part in text.split(","))


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    cases = [f"{model}/{style}" for model in MODELS for style in STYLES]
    arguments.add_argument(
        "--case", action="append", metavar="MODEL/STYLE", help=f"default: {', '.join(cases)}"
    )
    arguments.add_argument("--entry", action="append", choices=ENTRIES)
    arguments.add_argument(
        "--scales", default="128:25,256:20", help="of the entries that see all views a step"
    )
    arguments.add_argument("--out", type=Path, default=Path("out/compare"))
    arguments.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.child:
        model, style = given.case[0].split("/")
        output = given.out / f"{model}_{style}_{given.entry[0]}.glb"
        print(json.dumps(paint(given.entry[0], CASES[model][0], style, output, parse_scales(given.scales))))
        return
    rows = [
        compare(case, entry, given.scales, given.out)
        for case in given.case or cases
        for entry in given.entry or ENTRIES
    ]
    (given.out / "compare.json").write_text(json.dumps(rows, indent=1))


def compare(case: str, entry: str, scales: str, out: Path) -> dict[str, Any]:
    """One entry in a process of its own, and a row of pictures of what it made."""
    line = [sys.executable, __file__, "--child", "--case", case, "--entry", entry]
    _, peak, printed = run([*line, "--scales", scales, "--out", str(out)])
    row = {"case": case, "entry": entry, "peak_memory_gb": round(peak / 2**30, 2), **json.loads(printed)}
    print(json.dumps(row), flush=True)
    model, style = case.split("/")
    output = out / f"{model}_{style}_{entry}.glb"
    run(
        [
            sys.executable,
            str(ROOT / "benchmarks" / "sheet.py"),
            str(CASES[model][0]),
            str(output),
            str(output.with_suffix(".png")),
        ]
    )
    return row


if __name__ == "__main__":
    main()
