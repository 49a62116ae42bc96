"""Whether the compiled kernels do what they should, on a few numbers: code in a cache may be of another machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from .gram_arguments import AT_ONCE, GramArguments, filled_up
from .program import Program
from .sample_arguments import CLAMP, LEVELS, SampleArguments
from .texel_arguments import AddArguments, SmoothArguments, StepArguments
from .tile_registers import PAIRS, ROWS, configuration
from .winograd_arguments import BLOCK, LANES, WinogradArguments, divide_scratch, scratch_size


def check(program: Program) -> None:
    """Raises ArithmeticError."""
    bf16: tuple[Callable[[Program], tuple[np.ndarray, np.ndarray]], ...] = ()
    if program.bf16:
        bf16 = (_convolved_in_bf16, _multiplied_with_itself)
    if program.bf16 and (registers := configuration()) is not None:
        at = registers.ctypes.data
        bf16 += (partial(_convolved_in_bf16, registers=at), partial(_multiplied_with_itself, registers=at))
    for kernel in (_tapped, _convolved, _filled, _stepped, _added, _smoothed, *bf16):
        made, wanted = kernel(program)
        if not np.allclose(made, wanted, atol=1e-4):
            raise ArithmeticError("the compiled code is wrong")


def _tapped(program: Program) -> tuple[np.ndarray, np.ndarray]:
    """A ray in the middle of 2×2 texels, and one on the first of them."""
    uv, level, atlas = np.array([[0.5, 0.5], [0.25, 0.25]]), np.zeros(2), np.zeros(2, np.int32)
    first, count = np.array([0]), np.array([2])
    rows, start = np.array([7, 5, 6, 4], np.int32), np.zeros(LEVELS, np.int32)
    size, span = np.full((2, LEVELS), 2, np.int32), np.full((2, LEVELS), 2.0)
    wraps = np.full((1, 2), CLAMP, np.int32)
    index, weight, pointer = np.zeros(16, np.int32), np.zeros(16, np.float32), np.zeros(2, np.int32)
    found, sums = np.zeros(16, np.int32), np.zeros(16)
    rays, levels = (first, count, uv, level, atlas), (rows, start, size, span, wraps)
    tables = (*rays, *levels, index, weight, pointer, found, sums)
    program.texel_sample(SampleArguments._make((1, 16, LEVELS, *(table.ctypes.data for table in tables))))
    made = np.concatenate([pointer, index[:4], weight[:4]])
    return made, np.array([0, 4, 7, 5, 6, 4, 0.625, 0.125, 0.125, 0.125])


def _convolved(program: Program) -> tuple[np.ndarray, np.ndarray]:
    """The convolution that changes nothing must change nothing."""
    matrices = _middle().reshape(36, 1, 1, 1) * np.eye(LANES, dtype=np.float32)
    picture = np.random.default_rng(0).random((1, 5, 7, LANES), np.float32)
    return _convolution(program, picture, matrices, LANES), picture


def _convolved_in_bf16(program: Program, registers: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The same holds in bf16, but for what its 8 bits do not hold. Each channel's partner must not find its way into
    it. `registers`: of AMX, where it is to be tried."""
    channels = 2 * PAIRS if registers else LANES
    picture = np.random.default_rng(0).random((1, 5, 7, channels), np.float32)
    strips = np.eye(channels, dtype=np.float32).reshape(channels // 2, 2, channels // LANES, LANES)
    pairs = strips.transpose(2, 0, 3, 1).copy()
    matrices = (_middle().reshape(36, 1, 1, 1, 1) * pairs).view(np.uint32) >> 16
    made = _convolution(program, picture, matrices.astype(np.uint16), channels // 2, 1, registers)
    return np.where(np.abs(made - picture) < 0.05, picture, made), picture


def _middle() -> np.ndarray:
    middle = np.array([0, -1 / 6, 1 / 6, 1 / 12, -1 / 12, 0], np.float32)  # G g for g = (0, 1, 0)
    return np.outer(middle, middle)


def _convolution(
    program: Program, picture: np.ndarray, matrices: np.ndarray, depth: int, bf16: int = 0, registers: int = 0
) -> np.ndarray:
    """Convolve the picture's channels to as many, without a bias."""
    made, channels = np.zeros_like(picture), int(picture.shape[3])
    at_once = ROWS if registers else BLOCK
    room = np.zeros(scratch_size(at_once, channels, channels), np.float32)
    piece = WinogradArguments(
        **dict.fromkeys(("height", "made_height", "source_height", "target_height"), 5),
        **dict.fromkeys(("width", "made_width", "source_width", "target_width"), 7),
        **dict.fromkeys(("inputs", "outputs"), channels),
        **dict.fromkeys(("replicate", "spread", "pooled", "at_mask", "at_bias", "at_made_mask"), 0),
        **divide_scratch(room, at_once, channels, channels)._asdict(),
        bf16=bf16,
        at_registers=registers,
        at_source=picture.ctypes.data,
        at_matrices=matrices.ctypes.data,
        at_target=made.ctypes.data,
        depth=depth,
        pad=1,
        rows=2,
        columns=2,
        at_once=at_once,
        tiles=4,
        strips=channels // LANES,
    )
    program.convolve(piece)
    return made


def _multiplied_with_itself(program: Program, registers: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three of four cells, of whole numbers that bf16 holds: their Gram matrix and its gradient. `registers`: of AMX,
    where it is to be tried."""
    size = 2 * PAIRS if registers else LANES
    features = np.random.default_rng(0).integers(-3, 4, (4, size)).astype(np.float32)
    rows, roots = np.array([3, 0, 1]), np.array([1, 2, 0.5], np.float32)
    pairs, bf16 = np.zeros((AT_ONCE // 2, size, 2), np.uint16), np.zeros((filled_up(3), size), np.uint16)
    gram, table = np.zeros((size, size), np.float32), np.ones((4, size), np.float32)
    both = np.add.outer(np.arange(size) % 5, np.arange(size) % 5).astype(np.float32)  # D + Dᵀ
    in_pairs = both.reshape(size // 2, 2, size // LANES, LANES).transpose(2, 0, 3, 1).copy()
    gradients = (in_pairs.view(np.uint32) >> 16).astype(np.uint16)
    room = np.empty((AT_ONCE, size), np.float32)
    turned = np.empty((AT_ONCE, size), np.uint16)
    tables = (rows, roots, features, pairs, bf16, gram, gradients, table, room, turned)
    piece = GramArguments(0, 0, 3, size, *(one.ctypes.data for one in tables))._replace(
        at_registers=registers
    )
    if registers:
        program.gram_tiles(piece._replace(end=3))
    else:
        program.pack(piece._replace(end=2))
        program.gram(piece._replace(end=size // LANES))
    program.gram_backward(piece._replace(end=3))
    scaled = features[rows] * roots[:, None]
    wanted = np.ones_like(table)
    wanted[rows] += roots[:, None] * (scaled @ both)
    return np.concatenate([gram, table]), np.concatenate([scaled.T @ scaled, wanted])


def _filled(program: Program) -> tuple[np.ndarray, np.ndarray]:
    """The second of two tiles side by side, of which only two columns are in the picture."""
    made, values, tiles = (
        np.zeros((1, 4, 6, LANES), np.float32),
        np.arange(LANES, dtype=np.float32),
        np.array([1]),
    )
    piece = WinogradArguments._make([0] * len(WinogradArguments._fields))
    sizes = {"rows": 1, "columns": 2, "target_height": 4, "target_width": 6, "outputs": LANES}
    places = {"at_bias": values.ctypes.data, "at_target": made.ctypes.data, "at_list": tiles.ctypes.data}
    room = np.zeros(scratch_size(6, LANES, LANES), np.float32)
    scratch = divide_scratch(room, 6, LANES, LANES)._asdict()
    program.fill(piece._replace(tiles=1, **sizes, **places, **scratch))
    wanted = np.zeros_like(made)
    wanted[:, :, 4:] = values
    return made, wanted


def _stepped(program: Program) -> tuple[np.ndarray, np.ndarray]:
    """The first step of Adam goes its whole length, down the gradient."""
    rows, gradient = np.array([2]), np.array([[4, -4, 0]], np.float32)
    values, mean, square = (np.full((3, 3), start, np.float32) for start in (0.5, 0, 0))
    count, corrections = np.zeros(3, np.int32), np.array([0.2], np.float32)  # √(1 − 0.99) / (1 − 0.5)
    factors = np.array([0.25, 0.5, 0.01], np.float32)
    tables = (rows, gradient, values, mean, square, count, corrections, factors)
    program.step(StepArguments(0, 1, *(table.ctypes.data for table in tables)))
    return values, np.array([[0.5] * 3, [0.5] * 3, [0.25, 0.75, 0.5]], np.float32)


def _added(program: Program) -> tuple[np.ndarray, np.ndarray]:
    """One and two to the third and the first of three rows of two."""
    rows, added = np.array([2, 0]), np.array([[1, 1], [2, 2]], np.float32)
    table = np.full((3, 2), 4, np.float32)
    program.add(AddArguments(0, 2, 2, *(one.ctypes.data for one in (rows, added, table))))
    return table, np.array([[6, 6], [4, 4], [5, 5]], np.float32)


def _smoothed(program: Program) -> tuple[np.ndarray, np.ndarray]:
    """One step of (1, 0, 0), and three sides without a neighbour."""
    rows, near = np.array([0]), np.array([[1, 0, 0, 0], [0, 1, 1, 1]], np.int32)
    paint, gradient = np.array([[1, 0, 0], [0, 0, 0]], np.float32), np.zeros((1, 3), np.float32)
    factors, sums = np.array([3, 1], np.float32), np.zeros(2, np.float32)
    tables = (rows, near, paint, gradient, factors, sums)
    program.smooth(SmoothArguments(0, 1, *(table.ctypes.data for table in tables)))
    return np.append(gradient, sums), np.array([2, -1, -1, 1, 1], np.float32)
