"""Where a run's time goes: VGG-19 and its losses, against everything else.

    python benchmarks/where_time_goes.py [MODEL STYLE]... [--preset standard] [--iterations N] [--threads N]

Without a model: the five that come with the package, each in a process of its own. `network` is the time inside the
objective (forward of VGG-19 and the losses) and their backward pass; stages are without it. `first_step` is the time
from Python's start to the end of the first step. `--cpu-time` counts the processor's time instead of the clock's,
which tells more on a busy machine and means something with one thread.

`--help-time` times the console script's help instead, medians of nine.
"""

from __future__ import annotations

import time

BEGAN = time.perf_counter()

import argparse  # noqa: E402
import json  # noqa: E402
import statistics  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

MODELS = (
    ("spot/spot.obj", "starry-night"),
    ("barrel/barrel.glb", "great-wave"),
    ("chair/plastic_monobloc_chair_01_1k.gltf", "scream"),
    ("fox/Fox.glb", "shipwreck"),
    ("robot/robot.glb", "starry-night"),
)


class Stages:
    """Seconds between the records of one stage and the next, and how many of them the network took."""

    def __init__(self, clock: Callable[[], float], began: float) -> None:
        self.clock, self._began = clock, began
        self.seconds: dict[str, float] = {}
        self.network: dict[str, float] = {}
        self.first_step = 0.0
        self._stage, self._since = "start", clock()

    def __call__(self, record: Any) -> None:
        now = self.clock()
        self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._since
        self._stage, self._since = record.stage, now
        if record.stage == "solve" and not self.first_step:
            self.first_step = now - self._began

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time booked as the network's."""

        def wrapper(*arguments: Any, **named: Any) -> Any:
            began = self.clock()
            try:
                return function(*arguments, **named)
            finally:
                self.network[self._stage] = self.network.get(self._stage, 0.0) + self.clock() - began

        return wrapper


def measure(model: str, style: str, given: argparse.Namespace) -> dict[str, float]:
    """One run in this process."""
    clock, began = (time.process_time, 0.0) if given.cpu_time else (time.perf_counter, BEGAN)
    before = clock()
    import torch

    from meshstyle.progress import Progress
    from meshstyle.style.objective import Objective
    from meshstyle.stylize_model import stylize

    imported = clock() - before
    stages = Stages(clock, began)
    for name in ("__call__", "style_target", "content_target"):
        setattr(Objective, name, stages.timed(getattr(Objective, name)))
    torch.Tensor.backward = stages.timed(torch.Tensor.backward)  # type: ignore[method-assign]
    settings = {"preset": given.preset, "iterations": given.iterations, "threads": given.threads}
    chosen = {name: value for name, value in settings.items() if value is not None}
    with tempfile.TemporaryDirectory() as folder:
        stylize(model, style, Path(folder) / "out.glb", progress=stages, **chosen)
    stages(Progress("end"))
    total, network = clock() - began, sum(stages.network.values())
    own = {stage: seconds - stages.network.get(stage, 0.0) for stage, seconds in stages.seconds.items()}
    return {
        "total": total,
        "first_step": stages.first_step,
        "network": network,
        "network_share": network / total,
        "network_in_steps": stages.network.get("solve", 0.0),
        "import": imported,
        **own,
    }


def help_times() -> dict[str, float]:
    """Seconds of the console script beside this Python, medians."""
    script = str(Path(sys.executable).with_name("meshstyle"))
    found = {}
    for arguments in (["--help"], ["stylize", "--help"]):
        times = []
        for _ in range(9):
            began = time.perf_counter()
            subprocess.run([script, *arguments], check=True, stdout=subprocess.DEVNULL)
            times.append(time.perf_counter() - began)
        found[" ".join(arguments)] = statistics.median(times)
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("pairs", nargs="*", metavar="MODEL STYLE")
    arguments.add_argument("--preset", default="standard")
    arguments.add_argument("--iterations", type=int)
    arguments.add_argument("--threads", type=int)
    arguments.add_argument("--cpu-time", action="store_true")
    arguments.add_argument("--help-time", action="store_true")
    given = arguments.parse_args()
    if given.help_time:
        print(json.dumps({name: round(value, 3) for name, value in help_times().items()}))
        return
    assets = Path(__file__).parents[1] / "assets" / "models"
    pairs = list(zip(given.pairs[::2], given.pairs[1::2], strict=True))
    if len(pairs) == 1:
        print(json.dumps({key: round(value, 3) for key, value in measure(*pairs[0], given).items()}))
        return
    for model, style in pairs or [(str(assets / model), style) for model, style in MODELS]:
        options = [word for word in sys.argv[1:] if word not in given.pairs]
        print(Path(model).stem, end=" ", flush=True)
        subprocess.run([sys.executable, __file__, model, style, *options], check=True)


if __name__ == "__main__":
    main()
