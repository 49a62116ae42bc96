"""The network that a run's settings ask for."""

from __future__ import annotations

import torch

from ..config.base import CommonSettings
from ..kernels.load import load_kernels
from ..kernels.program import Program
from ..progress import Progress, ProgressCallback
from .precision import TYPES
from .vgg import VGG19
from .vgg_weights import VGGWeights


def make_network(
    weights: VGGWeights,
    settings: CommonSettings,
    device: torch.device,
    progress: ProgressCallback,
    pooling: str = "average",
    edges: bool = False,
) -> VGG19:
    """VGG-19 with its convolution ready. Tells `progress` what compiling cost, where it was needed.

    To be called when all that a user may have got wrong has been looked at: compiling takes seconds, and is news.
    `edges`: see `VGG19`.

    Raises UsageError where the convolution asked for cannot be had.
    """
    weight = settings.content_weight + settings.style_weight + settings.structure_weight
    network = VGG19(weights, device, pooling, settings.convolution, settings.precision, weight, edges)
    if _may_use_kernels(settings, device):
        compiled = load_kernels()
        if compiled.program is None:
            progress(Progress("read", message=f"using torch's slower convolution: {compiled.reason}"))
        elif compiled.fresh:
            message = f"compiled the convolution for this machine in {compiled.seconds:.1f} s"
            progress(Progress("read", message=message))
    return network


def own_kernels(settings: CommonSettings, device: torch.device) -> Program | None:
    """The compiled kernels, where a run may use them and they can be had; else torch does everything."""
    return load_kernels().program if _may_use_kernels(settings, device) else None


def _may_use_kernels(settings: CommonSettings, device: torch.device) -> bool:
    return settings.compiled and device.type == "cpu" and TYPES[settings.precision] == torch.float32
