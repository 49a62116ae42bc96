"""Where a run's time goes: VGG-19 and its losses, against everything else.

    python benchmarks/where_time_goes.py MODEL STYLE [--preset standard]

`network` is the time inside the objective (forward of VGG-19 and the losses) and their backward pass; the rest is
importing, reading, unwrapping, tracing, sparse sampling, Adam, baking and writing.
"""

from __future__ import annotations

import time

BEGAN = time.perf_counter()

import argparse  # noqa: E402
import json  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import torch  # noqa: E402

from meshstyle.pipeline import stylize  # noqa: E402
from meshstyle.progress import Progress  # noqa: E402
from meshstyle.solver.objective import Objective  # noqa: E402

IMPORTED = time.perf_counter()
SPENT = {"network": 0.0}


def timed(function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(*arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            SPENT["network"] += time.perf_counter() - began

    return wrapper


class Stages:
    """Seconds between the records of one stage and the next."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._stage, self._since = "start", time.perf_counter()

    def __call__(self, record: Progress) -> None:
        now = time.perf_counter()
        self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._since
        self._stage, self._since = record.stage, now


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("model")
    arguments.add_argument("style")
    arguments.add_argument("--preset", default="standard")
    given = arguments.parse_args()
    for name in ("__call__", "style_target", "content_target"):
        setattr(Objective, name, timed(getattr(Objective, name)))
    torch.Tensor.backward = timed(torch.Tensor.backward)  # type: ignore[method-assign]
    stages = Stages()
    with tempfile.TemporaryDirectory() as folder:
        stylize(given.model, given.style, Path(folder) / "out.glb", preset=given.preset, progress=stages)
    stages(Progress("end"))
    total = time.perf_counter() - BEGAN
    report = {
        "total_seconds": total,
        "network_share": SPENT["network"] / total,
        "import_seconds": IMPORTED - BEGAN,
        **stages.seconds,
    }
    print(json.dumps({key: round(value, 3) for key, value in report.items()}))


if __name__ == "__main__":
    main()
