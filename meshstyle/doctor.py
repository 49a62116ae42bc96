"""What this machine has: for people who ask why something is slow, different or not possible."""

from __future__ import annotations

import importlib.util
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from .errors import MeshStyleError
from .system.cgroups import core_quota
from .system.threads import allowed_cores

# Modules that each extra brings.
EXTRAS = {
    "compressed": ("DracoPy", "meshopt", "opengl_basisu"),
    "video": ("av", "cv2"),
    "ray": ("ray",),
    "s3": ("s3fs",),
}
_TORCH, _CUDA = ("torch",), ("nvidia-", "triton")  # what packages' names begin with


@dataclass(frozen=True)
class Check:
    """One thing that was tried.

    Attributes:
        works: whether it does.
        detail: what it is, or what is wrong with it.
        seconds: that trying took.
    """

    works: bool
    detail: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Diagnosis:
    """Everything that was found.

    Attributes:
        cores: that this process may use.
        quota: cores' worth of time that control groups (containers) grant; None without a limit.
        threads: that a run takes by default.
        device: that `--device auto` takes.
        renderer: that `--renderer auto` takes.
        installed: bytes of torch and the packages that it brought; `spare`: of those that only CUDA needs, where runs
            compute on the CPU.
        renderers: each with a test picture drawn.
        extras: whether each is installed whole.
    """

    meshstyle: str
    python: str
    system: str
    cores: int
    quota: float | None
    torch: Check
    threads: int
    device: str
    weights: Check
    paintings: Check
    renderer: str
    installed: int = 0
    spare: int = 0
    renderers: dict[str, Check] = field(default_factory=dict)
    extras: dict[str, Check] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def diagnose() -> Diagnosis:
    """Look around and try things. Nothing is raised for what does not work."""
    from importlib.metadata import version

    from .preview.draw.choose import PLATFORMS

    torch_check = _tried(_torch)
    threads, device = _torch_choice() if torch_check.works else (0, "")
    installed, spare = _installed()
    renderers = {name: _tried_platform(name) for name in PLATFORMS} | {"rays": _tried(_rays)}
    return Diagnosis(
        meshstyle=version("meshstyle"),
        python=f"{platform.python_version()} ({sys.executable})",
        system=platform.platform(),
        cores=allowed_cores(),
        quota=core_quota(),
        torch=torch_check,
        threads=threads,
        device=device,
        weights=_tried(_weights),
        paintings=_tried(_paintings),
        installed=installed,
        spare=spare if device == "cpu" else 0,
        renderer=next((name for name, check in renderers.items() if check.works), "none"),
        renderers=renderers,
        extras={name: _extra(modules) for name, modules in EXTRAS.items()},
    )


def _installed() -> tuple[int, int]:
    """Bytes of torch's packages, and of those among them that only CUDA needs, as their own lists of files tell."""
    from importlib.metadata import distributions

    whole = spare = 0
    for package in distributions():
        name = (package.metadata["Name"] or "").lower().replace("_", "-")
        if name.startswith(_TORCH + _CUDA):
            size = sum(file.size or 0 for file in package.files or ())
            whole += size
            spare += size if name.startswith(_CUDA) else 0
    return whole, spare


def _tried(trial: Callable[[], str]) -> Check:
    """What the trial tells, or why it failed."""
    started = time.perf_counter()
    try:
        detail, works = trial(), True
    except MeshStyleError as error:
        detail, works = f"{error.cause}. {error.remedy}", False
    except Exception as error:  # a broken installation can fail in any way
        detail, works = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}", False
    return Check(works, detail, round(time.perf_counter() - started, 3))


def _torch() -> str:
    import torch

    kinds = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    found = ["cpu", *(name for name, there in kinds.items() if there)]
    return f"{torch.__version__}, devices: {', '.join(found)}"


def _torch_choice() -> tuple[int, str]:
    from .system.device import choose_device, threads_for

    return threads_for(None), str(choose_device("auto"))


def _weights() -> str:
    from .style.vgg_weights import load_weights

    count = sum(kernel.numel() for kernel in load_weights("bundled").kernels)
    return f"bundled VGG-19, {count / 1e6:.1f} million weights"


def _paintings() -> str:
    from .bundled import styles

    return f"{len(styles())} paintings: {', '.join(painting.name for painting in styles())}"


def _rays() -> str:
    from .preview.draw.gl_probe import SIZE, ProbeScene, draw_test
    from .preview.draw.ray_renderer import RayRenderer

    scene = ProbeScene()
    if not draw_test(RayRenderer(scene, (SIZE, SIZE), unlit=True), scene):
        raise RuntimeError("it draws wrong pictures")
    return "Embree"


def _tried_platform(name: str) -> Check:
    from .preview.draw.choose import try_platform

    started = time.perf_counter()
    trial = try_platform(name)
    return Check(not trial.error, trial.error or trial.device, round(time.perf_counter() - started, 3))


def _extra(modules: tuple[str, ...]) -> Check:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return Check(not missing, f"missing: {', '.join(missing)}" if missing else ", ".join(modules))
