"""What collages are worth: crevices shown in whole views of their own, and cut out of them (see `views.looks`).

    python benchmarks/crevices.py [MODEL STYLE]...      (without any: barrel great-wave robot starry-night)

Each way makes the steps that the preset makes for so many pictures. Seconds are the processor's, from the views on;
style and structure are `evaluate`'s, of the whole object; `crevices` is the style loss of the finished model in the
collages themselves, weighed by the surface they show.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from meshstyle.asset import load_asset
from meshstyle.evaluate import evaluate
from meshstyle.machine import choose_device, limited_threads
from meshstyle.pipeline import paint, write_painted
from meshstyle.progress import ignore
from meshstyle.record import run_record
from meshstyle.scene import Scene, prepare
from meshstyle.settings import Settings
from meshstyle.shipped import find_style
from meshstyle.solver import ladder
from meshstyle.solver.network import make_network
from meshstyle.solver.objective import LossWeights, Objective, fit_short_side
from meshstyle.solver.paintings import load_painting
from meshstyle.solver.vgg import VGG19
from meshstyle.solver.weights import load_weights
from meshstyle.views.looks import Collage, Look, collages, looks_at
from meshstyle.views.placement import Placement
from meshstyle.views.render import Renderer
from meshstyle.views.scales import RAYS, trace_views

MODELS = Path(__file__).resolve().parent.parent / "assets" / "models"
DEFAULT = [
    str(MODELS / "barrel" / "barrel.glb"),
    "great-wave",
    str(MODELS / "robot" / "robot.glb"),
    "starry-night",
]
SIZE = 256


@torch.no_grad()
def style_in(pictures: list[Collage], model: Path, painting: torch.Tensor, network: VGG19) -> float:
    """Style loss of a model in some pictures of it."""
    objective = Objective(network, LossWeights(0.0, 1.0, 0.0))
    fitted = fit_short_side(painting, SIZE)
    style, background = objective.style_target(fitted), fitted.mean((0, 2, 3)).numpy()
    renderer = Renderer(load_asset(model))
    losses, weights = [], []
    for collage in pictures:
        hits = collage.trace(renderer.tracer, RAYS, None)
        if hits is None or hits.counted is None:
            continue
        image = renderer.shade(hits)
        seen = torch.from_numpy(image.over(background)).float().permute(2, 0, 1)[None].contiguous()
        mask = torch.from_numpy(image.mask * hits.counted.reshape(hits.shape))[None, None]
        losses.append(objective(seen, style, objective.content_target(seen, mask)).style)
        weights.append(float(mask.sum()))
    return float(np.average(losses, weights=weights))


def _looks(placement: Placement, size: int, whole: bool, all_whole: bool) -> list[Look]:
    return looks_at(placement, size, whole or all_whole)


def entry(scene: Scene, model: Path, style: str, whole: bool, out: Path) -> dict[str, object]:
    settings, picture = Settings(), find_style(style)
    painting = load_painting(picture)
    network = make_network(load_weights(), settings, choose_device("cpu"), ignore)
    trace = partial(trace_views, scene.tracer, scene.placement, compiled=True, whole=whole)
    vars(ladder)["looks_at"] = partial(_looks, all_whole=whole)  # for the solver of what follows
    began = time.process_time()
    with limited_threads(None):
        painted = paint(replace(scene, trace=trace), painting, network, settings, ignore)
    seconds = time.process_time() - began
    output = out / f"{model.stem}_{'whole' if whole else 'collages'}.glb"
    write_painted(scene, painted, output, run_record(settings, {style: picture}), settings)
    judged = evaluate(output, style=style, original=model)
    return {
        "model": model.name,
        "crevices as": "whole views" if whole else "collages",
        "pictures": len(looks_at(scene.placement, SIZE, whole)),
        "cpu_seconds": round(seconds, 1),
        "style": round(judged.style, 4),
        "structure": round(judged.structure, 4),
        "crevices": round(style_in(collages(scene.placement, SIZE), output, painting, network), 4),
    }


def main() -> None:
    given = sys.argv[1:] or DEFAULT
    with tempfile.TemporaryDirectory() as folder:
        for model, style in zip(map(Path, given[::2]), given[1::2], strict=True):
            scene = prepare(model, Settings(), ignore)
            for whole in (True, False):
                print(json.dumps(entry(scene, model, style, whole, Path(folder))), flush=True)


if __name__ == "__main__":
    main()
