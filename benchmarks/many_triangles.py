"""What a model costs by its number of triangles: seconds of every stage, and the most memory in use.

    python benchmarks/many_triangles.py [--kind scan] [--triangles 1000] [--iterations 2] [--out FOLDER]

Three kinds of model, made here: `scan`, a lumpy, noisy blob with irregular triangles, vertex colours and no UVs;
`terrain`, a square of hills with a texture and good UVs; `scene`, a thousand small boxes, without UVs. Every entry
is one run of `stylize` in a process of its own. `solve` grows with iterations and views, not with triangles; the
other stages are what a large model pays for. Memory is the peak resident size of the process, and of its largest
child beside it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from PIL import Image
from scipy.spatial import ConvexHull

KINDS = ("scan", "terrain", "scene")
TRIANGLES = (1_000, 10_000, 100_000, 500_000)
STAGES = {
    "read": ("meshstyle.stylize_model", "load_asset"),
    "plan": ("meshstyle.stylize_model", "plan_atlases"),
    "unwrap": ("meshstyle.texture.build", "unwrap"),
    "surface": ("meshstyle.stylize_model", "build_surface"),
    "cameras": ("meshstyle.stylize_model", "look_around"),
    "charts": ("meshstyle.optimize.texture", "chart_of_triangle"),
    "views": ("meshstyle.optimize.multiscale", "build_rung"),
    "solve": ("meshstyle.optimize.multiscale", "descend"),
    "bake": ("meshstyle.stylize_model", "finish"),
}


def scan(triangles: int) -> trimesh.Trimesh:
    """A lumpy, noisy blob: a sphere of random points, closed, with vertex colours."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(triangles // 2 + 2, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    hull = ConvexHull(points)
    faces = hull.simplices.copy()
    outwards = np.einsum("ij,ij->i", _normals(points, faces), points[faces[:, 0]]) > 0
    faces[~outwards] = faces[~outwards, ::-1]
    lumps = sum(np.sin(points @ rng.normal(size=3) * f + f) / f for f in (2, 3, 5, 8, 13))
    edge = np.sqrt(16 / triangles)
    radius = 1 + 0.25 * lumps + 0.05 * edge * rng.normal(size=len(points))
    colours = np.clip(128 + 90 * np.stack([lumps, -lumps, points[:, 1]], axis=1), 0, 255)
    return trimesh.Trimesh(
        points * radius[:, None], faces, vertex_colors=colours.astype(np.uint8), process=False
    )


def _normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = (points[faces[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def terrain(triangles: int) -> trimesh.Trimesh:
    """Hills with one texture from above."""
    side = max(round(np.sqrt(triangles / 2)), 1)
    u, v = np.meshgrid(np.linspace(0, 1, side + 1), np.linspace(0, 1, side + 1))
    height = sum(np.sin(f * 5 * u + f) * np.cos(f * 4 * v) / (8 * f) for f in (1, 2, 4, 8))
    number = np.arange((side + 1) ** 2).reshape(side + 1, side + 1)
    a, b, c, d = (number[i : side + i, j : side + j].reshape(-1) for i in (0, 1) for j in (0, 1))
    faces = np.concatenate([np.stack([a, c, b], 1), np.stack([b, c, d], 1)])
    ground = np.random.default_rng(0).integers(60, 200, (64, 64, 3), np.uint8)
    picture = Image.fromarray(ground).resize((1024, 1024))
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=picture, metallicFactor=0.0)
    visual = trimesh.visual.TextureVisuals(np.stack([u, v], -1).reshape(-1, 2), material=material)
    points = np.stack([u, height, v], -1).reshape(-1, 3)
    return trimesh.Trimesh(points, faces, visual=visual, process=False)


def scene(triangles: int) -> trimesh.Trimesh:
    """Boxes, or balls of more triangles, strewn about: many pieces, none of which touch."""
    rng = np.random.default_rng(0)
    count = min(1000, max(triangles // 12, 1))
    piece = trimesh.creation.box() if triangles // count < 100 else _ball(triangles // count)
    points = piece.vertices[None] * rng.uniform(0.3, 1, (count, 1, 3)) + rng.uniform(-15, 15, (count, 1, 3))
    faces = piece.faces[None] + len(piece.vertices) * np.arange(count)[:, None, None]
    return trimesh.Trimesh(points.reshape(-1, 3), faces.reshape(-1, 3), process=False)


def _ball(triangles: int) -> trimesh.Trimesh:
    rings = max(round(np.sqrt(triangles / 4)), 3)
    return trimesh.creation.uv_sphere(0.5, count=[rings, 2 * rings])


class Stopwatch:
    """Seconds spent in each of STAGES, those of the stages inside left out."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._inner = [0.0]

    def watch(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            self._inner.append(0.0)
            try:
                return function(*arguments, **named)
            finally:
                spent = time.perf_counter() - began
                self.seconds[stage] += spent - self._inner.pop()
                self._inner[-1] += spent

        return timed


def entry(model: Path, output: Path, iterations: int) -> dict[str, object]:
    """Paint one model, in this process."""
    from importlib import import_module

    from meshstyle.stylize_model import stylize

    watch = Stopwatch()
    for stage, (module, name) in STAGES.items():
        holder = import_module(module)
        setattr(holder, name, watch.watch(stage, getattr(holder, name)))
    messages: list[str] = []
    wrote: list[float] = []

    def progress(record: Any) -> None:
        if record.stage == "write":
            wrote.append(time.perf_counter())
        if record.message:
            messages.append(record.message)

    result = stylize(
        model, "starry-night", output, preset="standard", iterations=iterations, progress=progress
    )
    peak = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = watch.seconds | {"write": time.perf_counter() - wrote[0], "total": result.seconds}
    return {
        "seconds": {stage: round(value, 2) for stage, value in seconds.items()},
        "peak_gb": round(peak[0] / 2**20, 2),
        "child_peak_gb": round(peak[1] / 2**20, 2),
        "views": result.views,
        "coverage": round(result.coverage, 4),
        "messages": messages,
    }


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--kind", action="append", choices=KINDS)
    arguments.add_argument("--triangles", action="append", type=int)
    arguments.add_argument("--iterations", type=int, default=2)
    arguments.add_argument("--out", type=Path, default=Path("out/many_triangles"))
    arguments.add_argument("--entry", type=Path, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.entry:
        output = given.out / f"{given.entry.stem}.stylized.glb"
        print(json.dumps(entry(given.entry, output, given.iterations)))
        return
    for kind in given.kind or KINDS:
        for triangles in given.triangles or TRIANGLES:
            mesh = {"scan": scan, "terrain": terrain, "scene": scene}[kind](triangles)
            model = given.out / f"{kind}_{triangles}.glb"
            mesh.export(model)
            command = [sys.executable, __file__, "--entry", str(model), "--out", str(given.out)]
            command += ["--iterations", str(given.iterations)]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
            row = {"kind": kind, "triangles": len(mesh.faces), **json.loads(done.stdout)}
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
