"""Milliseconds a frame of a turntable, renderer by renderer, after start-up.

    python benchmarks/turntable.py [MODEL...] [--size 512] [--frames 20] [--rounds 3]

Renderers take turns, round by round; each figure is the median of the rounds' means. A frame is drawing and composing
it with its background and shadow; a film of 60 frames takes 60 of them, and then its encoding. CPU time is of all
threads together: what the machine would need if it had nothing else to do is between that and half of it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from meshstyle.preview import film as films
from meshstyle.preview.draw.choose import PLATFORMS, try_platform
from meshstyle.preview.stage import Model, Stage
from meshstyle.preview.turntable_settings import TurntableSettings

ASSETS = Path(__file__).parent.parent / "assets" / "models"
MODELS = [ASSETS / "spot" / "spot.obj", ASSETS / "chair" / "plastic_monobloc_chair_01_1k.gltf"]
RAY_FRAMES = 3  # they take longer, and all alike


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path, default=MODELS)
    parser.add_argument("--size", default="512")
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--renderer", action="append", help="only this one; may be repeated")
    options = parser.parse_args()
    # One process has one OpenGL: the first platform that works, unless another one is named.
    working = [name for name in PLATFORMS if not try_platform(name).error][:1]
    renderers = options.renderer or [*working, "rays"]
    for model in options.models:
        measure(model, renderers, options)


def measure(path: Path, renderers: list[str], options: argparse.Namespace) -> None:
    times: dict[str, list[float]] = {name: [] for name in renderers}
    work: dict[str, list[float]] = {name: [] for name in renderers}
    for _ in range(options.rounds):
        for name in renderers:
            frames = RAY_FRAMES if name == "rays" else options.frames
            settings = TurntableSettings(frames=frames, size=options.size, renderer=name)
            stage = Stage([Model(path, None)], settings)
            (pictures,), drawer = stage.draw(name)
            times[name].append(drawer.seconds * 1000 / frames)
            work[name].append(drawer.cpu_seconds * 1000 / frames)
            if name != "rays":
                film = pictures
    for name, found in times.items():
        mean, cpu = statistics.median(found), statistics.median(work[name])
        print(f"{path.name}: {name} {mean:.0f} ms a frame ({cpu:.0f} ms CPU), 60 frames {mean * 0.06:.1f} s")
    if renderers != ["rays"]:
        for suffix in films.KINDS:
            start, cpu = time.perf_counter(), time.process_time()
            films.encode(films.Film(film, 15.0), suffix)
            wall, cpu = (time.perf_counter() - start) / len(film), (time.process_time() - cpu) / len(film)
            print(f"  {suffix} {wall * 1000:.0f} ms a frame to encode ({cpu * 1000:.0f} ms CPU)")


if __name__ == "__main__":
    main()
