"""Which convolution a network's layers use: torch's own, or Winograd's where that is faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float

from ..errors import UsageError
from ..kernels.load import load_kernels
from ..kernels.winograd import WinogradConvolution, Work
from .vgg_weights import VGGWeights

POOLINGS: dict[str, Callable[[torch.Tensor, int], torch.Tensor]] = {
    "average": F.avg_pool2d,
    "max": F.max_pool2d,
}
_LEAST_WORK = 1 << 20  # pixels × channels in × channels out; torch does less sooner (benchmarks/history.md)


@runtime_checkable
class Convolution(Protocol):
    """One layer: ReLU(x ∗ kernel + bias), padded to the size of x, and pooled where that is asked for.

    Attributes:
        bf16: whether float32 is multiplied in bf16.
    """

    bf16: bool

    def __call__(self, x: torch.Tensor, pooling: str | None = None, work: Work | None = None) -> torch.Tensor:
        """(B, C, H, W) to (B, K, H, W), or with `pooling`, a key of POOLINGS, to (B, K, H/2, W/2).

        `work`: what of one picture's is wanted; None: everything.
        """
        ...


class TorchConvolution:
    """Convolution by torch, on any device."""

    bf16 = False

    def __init__(
        self, kernel: Float[torch.Tensor, "K C 3 3"], bias: Float[torch.Tensor, "K"], replicate: bool
    ) -> None:
        """`replicate`: pad with the border's pixels instead of zeros."""
        self._layout = memory_layout(kernel)
        self.kernel, self.bias, self.replicate = (
            kernel.contiguous(memory_format=self._layout),
            bias,
            replicate,
        )

    def __call__(self, x: torch.Tensor, pooling: str | None = None, work: Work | None = None) -> torch.Tensor:
        """All of it, whatever of it is asked for."""
        x = x.contiguous(memory_format=self._layout)
        if self.replicate:
            made = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), self.kernel, self.bias)
        else:
            made = F.conv2d(x, self.kernel, self.bias, padding=1)
        return pool(F.relu(made), pooling)


def memory_layout(kernel: torch.Tensor) -> torch.memory_format:
    """How torch should have pictures and kernels lie in memory.

    The CPU is slower with channels last, which is how a Winograd layer leaves them. The tensor cores of a GPU, which
    16 bit numbers are multiplied by, take nothing else, and cuDNN would turn everything around for every layer.
    """
    bf16 = kernel.dtype in (torch.float16, torch.bfloat16)
    return torch.channels_last if bf16 and kernel.device.type == "cuda" else torch.contiguous_format


class FastConvolution:
    """Convolution by Winograd's algorithm for float32 on the CPU, elsewhere by torch."""

    def __init__(self, plain: TorchConvolution, always: bool, bf16: bool = False) -> None:
        """`always`: even where torch would be faster. `bf16`: multiply in bf16."""
        self._plain, self._least, self.bf16 = plain, 0 if always else _LEAST_WORK, bf16
        self._fast = WinogradConvolution(plain.kernel, plain.bias, plain.replicate, bf16)

    def __call__(self, x: torch.Tensor, pooling: str | None = None, work: Work | None = None) -> torch.Tensor:
        if not self._suits(x):
            return self._plain(x, pooling)
        fused = pooling == "average"
        made = self._fast(x, fused, work)
        return made if fused else pool(made, pooling)

    def _suits(self, x: torch.Tensor) -> bool:
        if x.device.type != "cpu" or x.dtype != torch.float32:
            return False
        return x[:, 0].numel() * self._plain.kernel[:, :, 0, 0].numel() >= self._least


def pool(x: Float[torch.Tensor, "B C H W"], pooling: str | None) -> torch.Tensor:
    """2×2, in the manner of that name; None leaves `x` as it is."""
    return x if pooling is None else POOLINGS[pooling](x, 2)


def make_convolutions(
    weights: VGGWeights,
    device: torch.device,
    choice: str,
    kind: torch.dtype = torch.float32,
    bf16: bool = False,
    edges: bool = False,
) -> list[Convolution]:
    """The layers of a network, the first padded by replication, the others by zeros.

    Args:
        choice: `torch`; `winograd`: by Winograd's algorithm, whether it is faster or not; or `auto`: where it is.
        kind: of the numbers; Winograd's algorithm takes and gives float32 only.
        bf16: whether it may multiply in bf16, where the processor does that faster. The first layer, which has little
            to multiply and which all others build on, stays in float32.
        edges: whether all layers are padded by replication.

    Raises UsageError where `winograd` cannot be had.
    """
    plain = [
        TorchConvolution(kernel.to(device, kind), bias.to(device, kind), replicate=edges or number == 0)
        for number, (kernel, bias) in enumerate(zip(weights.kernels, weights.biases, strict=True))
    ]
    if choice == "torch" or not _available(device, kind, choice == "winograd"):
        return list(plain)
    program = load_kernels().program
    bf16 = bf16 and program is not None and program.bf16
    always = choice == "winograd"
    return [FastConvolution(layer, always, bf16 and number > 0) for number, layer in enumerate(plain)]


def _available(device: torch.device, kind: torch.dtype, demanded: bool) -> bool:
    if device.type != "cpu" or kind != torch.float32:
        if demanded:
            cause = f"winograd works on the CPU in float32 only, not on {device.type} in {kind}"
            raise UsageError(
                "convolution",
                cause.replace("torch.", ""),
                "Use auto or torch, or another device or precision.",
            )
        return False
    compiled = load_kernels()
    if compiled.program is None and demanded:
        cause = f"winograd needs numba, which does not work here ({compiled.reason})"
        raise UsageError("convolution", cause, "Use auto or torch, or install a numba that fits numpy.")
    return compiled.program is not None
