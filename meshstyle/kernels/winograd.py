"""3×3 convolution with bias, ReLU and average pooling by Winograd's F(4×4, 3×3), on the CPU.

Lavin & Gray, Fast Algorithms for Convolutional Neural Networks (CVPR 2016), section 4.3. Every 6×6 tile of the
picture is transformed, multiplied with the transformed kernels channel by channel, which is 36 matrix products over
all tiles, and transformed back to 4×4 results: a quarter of the multiplications. In float32 the results differ from
the direct convolution's by about 1e-5 of the largest.

What is multiplied may be rounded to bf16, where the processor multiplies that twice as fast; sums and transforms stay
in float32. Feature maps then differ by about 1 %, and pictures come out the same (benchmarks/history.md).

The gradient in the input is a convolution too, with the kernels flipped and their channels exchanged. The kernels
have no gradient. The work is cut into pieces of some tiles, small enough for a core's cache from first to last.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Int64, Shaped, UInt8
from torch.autograd.function import once_differentiable

from .load import load_kernels
from .program import Program
from .thread_pool import address, share_out
from .tile_registers import PAIRS, ROWS, configuration
from .winograd_arguments import BLOCK, LANES, TILE, Scratch, WinogradArguments, divide_scratch, scratch_size
from .winograd_matrices import transformed

_AT_ONCE = 1 << 20  # bytes of transformed tiles and products that are worked on together
_TILES = (48, 192)  # the least and the most tiles worked on together
_PIECES = 4  # for each thread: other programs may slow one of them down
_NARROW = 4  # strips: where there are fewer tiles than threads could use, pieces are at least this wide
_FILLED = 1 << 14  # tiles times channels that one thread fills together
_NO_MASK = torch.empty(0, 0, 0, 0, dtype=torch.uint8)


@dataclass(frozen=True, eq=False)
class Tiles:
    """Which tiles of 4×4 pixels of one picture are made; of the others nobody will ask more than `ground`.

    Attributes:
        active, idle: their numbers, row by row.
        ground: (K,) what every pixel of idle tiles is; empty: zero.
    """

    active: Int64[np.ndarray, "A"]
    idle: Int64[np.ndarray, "I"]
    ground: Float32[torch.Tensor, "_"]


@dataclass(frozen=True, eq=False)
class Work:
    """What of a convolution of one picture is made: of its result, and of the gradient in what it reads."""

    forward: Tiles
    backward: Tiles | None


@dataclass(frozen=True, eq=False)
class _Convolution:
    """One convolution of a batch.

    Attributes:
        source: (B, h, w, C), what is convolved; half as high and wide where `spread`.
        mask: (B, H, W, C), where it counts, or empty: everywhere.
        shape: (H, W) of the picture that is read.
        pad: pixels around it.
        replicate: whether those repeat the border; else they are 0.
        spread: whether each value of `source` stands for the 2×2 pixels that were pooled into it.
    """

    source: torch.Tensor
    mask: torch.Tensor
    shape: tuple[int, int]
    pad: int = 1
    replicate: bool = False
    spread: bool = False


@dataclass(frozen=True, eq=False)
class _Result:
    """Where a convolution goes: `bias` empty means bare results; `mask` empty means it is not wanted."""

    target: torch.Tensor
    mask: torch.Tensor
    bias: torch.Tensor
    pooled: bool = False


class WinogradConvolution:
    """ReLU(x ∗ kernel + bias), padded by one pixel, for pictures of any size. Needs compiled kernels."""

    def __init__(
        self,
        kernel: Float[torch.Tensor, "K C 3 3"],
        bias: Float[torch.Tensor, "K"],
        replicate: bool = False,
        bf16: bool = False,
    ) -> None:
        """`replicate`: pad with the border's pixels instead of zeros. `bf16`: multiply in bf16, where the kernels
        that are loaded can (`Program.bf16`)."""
        self._kernel, self.replicate, self._bf16 = kernel.detach(), replicate, bf16
        self._bias = F.pad(bias.detach(), (0, -len(bias) % LANES))

    def __call__(
        self, x: Float[torch.Tensor, "B C H W"], pooled: bool = False, work: Work | None = None
    ) -> Float[torch.Tensor, "B K h w"]:
        """Float32 on the CPU. `pooled`: the means of 2×2 pixels of the result; odd rows and columns are dropped.
        `work`: what of one picture is made; None: everything.

        The result lies in memory channels last.
        """
        result: torch.Tensor = _Rectified.apply(x, self, pooled, work)
        return result

    @cached_property
    def _forward_matrices(self) -> torch.Tensor:
        return transformed(self._kernel, self._bf16)

    @cached_property
    def _backward_matrices(self) -> torch.Tensor:
        return transformed(self._kernel.flip(2, 3).transpose(0, 1), self._bf16)

    def forward(
        self, x: torch.Tensor, pooled: bool, masked: bool, tiles: Tiles | None = None
    ) -> tuple[torch.Tensor, UInt8[torch.Tensor, "_ _ _ _"]]:
        """The result, and where `masked` the ReLU's mask (B, H, W, K)."""
        batch, _, height, width = x.shape
        outputs = self._kernel.shape[0]
        full = (batch, height, width, len(self._bias))
        mask = torch.empty(full, dtype=torch.uint8) if masked else _NO_MASK
        made = x.new_empty((batch, height // 2, width // 2, full[3]) if pooled else full)
        job = _Convolution(_channels_last(x), _NO_MASK, (height, width), 1, self.replicate)
        _convolve(job, self._forward_matrices, _Result(made, mask, self._bias, pooled), tiles)
        return made[..., :outputs].permute(0, 3, 1, 2), mask

    def backward(
        self, gradient: torch.Tensor, mask: torch.Tensor, pooled: bool, tiles: Tiles | None = None
    ) -> torch.Tensor:
        """The gradient in the input, from that in the result."""
        batch, height, width = mask.shape[:3]
        inputs = self._kernel.shape[1]
        # What was read beyond the border came from the border: its gradient is made first and then added there.
        around = 1 if self.replicate else 0
        made = gradient.new_empty(batch, height + 2 * around, width + 2 * around, inputs + -inputs % LANES)
        job = _Convolution(_channels_last(gradient), mask, (height, width), 1 + around, False, pooled)
        _convolve(job, self._backward_matrices, _Result(made, _NO_MASK, gradient.new_empty(0)), tiles)
        made = made[..., :inputs]
        if self.replicate:
            made = _fold(_fold(made, 1), 2)
        return made.permute(0, 3, 1, 2)


class _Rectified(torch.autograd.Function):
    """WinogradConvolution for autograd. Only the mask is kept, a byte for each value."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, layer: WinogradConvolution, pooled: bool, work: Work | None
    ) -> torch.Tensor:
        made, mask = layer.forward(x, pooled, ctx.needs_input_grad[0], None if work is None else work.forward)
        ctx.layer, ctx.pooled, ctx.tiles = layer, pooled, None if work is None else work.backward
        ctx.save_for_backward(mask)
        return made

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        made = ctx.layer.backward(gradients[0], ctx.saved_tensors[0], ctx.pooled, ctx.tiles)
        return made, None, None, None


def _channels_last(x: torch.Tensor) -> torch.Tensor:
    """(B, C, H, W) to (B, H, W, C'), contiguous, channels filled up to a multiple of LANES."""
    found, missing = x.detach().permute(0, 2, 3, 1), -x.shape[1] % LANES
    if missing:  # padding by nothing would be a copy
        found = F.pad(found, (0, missing))
    return found.contiguous()


def _fold(x: torch.Tensor, axis: int) -> torch.Tensor:
    """Without the first and the last along an axis, which are added to their neighbours."""
    size = x.shape[axis] - 2
    inner = x.narrow(axis, 1, size).clone()
    inner.narrow(axis, 0, 1).add_(x.narrow(axis, 0, 1))
    inner.narrow(axis, size - 1, 1).add_(x.narrow(axis, size + 1, 1))
    return inner


def _cuts(
    tiles: int, size: int, outputs: int, block: int = BLOCK
) -> tuple[int, list[tuple[int, int, int, int]]]:
    """How many tiles of `size` bytes to take at once, so that they fit a cache; and first tile, tiles, first strip and
    strips of every piece, so that every thread has work. `block`: so many tiles are multiplied at once."""
    threads = torch.get_num_threads()
    least, most = _TILES
    at_once = min(max(_AT_ONCE // size, least), most) // block * block
    rounds = min(math.ceil(tiles / at_once), 1 if threads == 1 else _PIECES * threads)
    share = math.ceil(tiles / rounds / block) * block
    strips = outputs // LANES
    wide = math.ceil(strips / min(math.ceil(threads / rounds), max(strips // _NARROW, 1)))
    pieces = [
        (first, min(share, tiles - first), strip, min(wide, strips - strip))
        for first in range(0, tiles, share)
        for strip in range(0, strips, wide)
    ]
    return min(at_once, share), pieces


_kept = threading.local()


def _scratch(tiles: int, inputs: int, outputs: int) -> Scratch:
    """This thread's memory for so many tiles. It is kept, and grows to what the largest job needs."""
    size, wide = scratch_size(tiles, inputs, outputs), max(inputs, outputs)
    if size > len(getattr(_kept, "room", ())):
        _kept.room = None  # the old memory first
        _kept.room, _kept.divided = np.empty(size, np.float32), {}
    key = (tiles, inputs, outputs)
    if key not in _kept.divided:
        _kept.divided[key] = divide_scratch(_kept.room, *key)
    _kept.room[:wide] = 0  # another job's results may lie there
    found: Scratch = _kept.divided[key]
    return found


def _convolve(
    job: _Convolution,
    matrices: Shaped[torch.Tensor, "36 S ..."],
    result: _Result,
    chosen: Tiles | None = None,
) -> None:
    """Fill `result` piece by piece, on as many threads as torch has."""
    program = load_kernels().program
    assert program is not None
    made_height, made_width = (size + 2 * job.pad - 2 for size in job.shape)
    rows, columns = math.ceil(made_height / 4), math.ceil(made_width / 4)
    batch, *source = job.source.shape
    target = result.target.shape[1:]
    inputs = source[2]
    tiles = batch * rows * columns if chosen is None else len(chosen.active)
    bf16 = int(matrices.dtype == torch.bfloat16)
    tile = TILE**2 * ((2 if bf16 else 4) * inputs + 4 * target[2])
    registers = configuration() if bf16 and matrices.shape[2] % PAIRS == 0 else None
    block = BLOCK if registers is None else ROWS
    at_once, cuts = _cuts(tiles, tile, target[2], block) if tiles else (block, [])
    flags = (job.pad, int(job.replicate), int(job.spread), int(result.pooled))
    sizes = (*job.shape, made_height, made_width, *flags, rows, columns, at_once, *source, *target)
    tensors = (job.source, job.mask, matrices, result.bias, result.target, result.mask)
    numbers: tuple[int, ...] = (*sizes, bf16, matrices.shape[2], *map(address, tensors))
    numbers += (0 if registers is None else registers.ctypes.data,)
    listed = chosen.active.ctypes.data if chosen is not None else 0

    def make(cut: tuple[int, int, int, int]) -> None:
        first, count, strip, strips = cut
        scratch = _scratch(at_once, inputs, LANES * strips)
        program.convolve(WinogradArguments._make((*numbers, first, count, listed, strip, strips, *scratch)))

    share_out(make, cuts)
    if chosen is not None:
        _fill(
            program,
            WinogradArguments._make(numbers + (0,) * (len(WinogradArguments._fields) - len(numbers))),
            chosen,
        )


def _fill(program: Program, whole: WinogradArguments, chosen: Tiles) -> None:
    """Tiles that are not made, and their masks."""
    ground = {"at_bias": address(chosen.ground), "at_list": chosen.idle.ctypes.data}

    idle = whole._replace(**ground)

    def fill(part: tuple[int, int]) -> None:
        scratch = _scratch(BLOCK, LANES, whole.outputs)
        program.fill(idle._replace(first=part[0], tiles=part[1] - part[0], **scratch._asdict()))

    step = max(_FILLED // whole.outputs, 1)
    share_out(fill, [(n, min(n + step, len(chosen.idle))) for n in range(0, len(chosen.idle), step)])
