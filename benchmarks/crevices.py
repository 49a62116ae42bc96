"""What collages are worth: crevices shown in whole views of their own, and cut out of them (see
`views.training_views`).

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

from meshstyle.bundled import find_style
from meshstyle.config.model import Settings
from meshstyle.evaluation import evaluate
from meshstyle.io.load import load_asset
from meshstyle.optimize import multiscale
from meshstyle.prepare import PreparedModel, prepare
from meshstyle.progress import ignore
from meshstyle.provenance import run_record
from meshstyle.style.network import make_network
from meshstyle.style.objective import LossWeights, Objective, fit_short_side
from meshstyle.style.style_image import load_style_image
from meshstyle.style.vgg import VGG19
from meshstyle.style.vgg_weights import load_weights
from meshstyle.stylize_model import paint, write_painted
from meshstyle.system.device import choose_device, limited_threads
from meshstyle.views.placement import Placement
from meshstyle.views.reference_renderer import Renderer
from meshstyle.views.trace_views import rays_of, trace_views
from meshstyle.views.training_views import Collage, TrainingView, collages, make_training_views

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
        hits = collage.trace(renderer.tracer, rays_of(SIZE), None)
        if hits is None or hits.counted is None:
            continue
        image = renderer.shade(hits)
        seen = torch.from_numpy(image.over(background)).float().permute(2, 0, 1)[None].contiguous()
        mask = torch.from_numpy(image.mask * hits.counted.reshape(hits.shape))[None, None]
        losses.append(objective(seen, style, objective.content_target(seen, mask)).style)
        weights.append(float(mask.sum()))
    return float(np.average(losses, weights=weights))


def _looks(placement: Placement, size: int, whole: bool, all_whole: bool) -> list[TrainingView]:
    return make_training_views(placement, size, whole or all_whole)


def entry(scene: PreparedModel, model: Path, style: str, whole: bool, out: Path) -> dict[str, object]:
    settings, picture = Settings(), find_style(style)
    painting = load_style_image(picture)
    network = make_network(load_weights(), settings, choose_device("cpu"), ignore)
    trace = partial(trace_views, scene.tracer, scene.placement, compiled=True, whole=whole)
    vars(multiscale)["make_training_views"] = partial(
        _looks, all_whole=whole
    )  # for the solver of what follows
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
        "pictures": len(make_training_views(scene.placement, SIZE, whole)),
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
