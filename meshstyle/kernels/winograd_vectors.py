"""The innermost programs of Winograd's F(4×4, 3×3) and of Gram matrices, as vectors of LLVM. Importing this module
imports numba.

They are built from vectors of `LANES` channels, which LLVM maps to the registers that the machine has: numba's own
loops over channels came out five times slower. What they read and write is given by addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .cpu_features import has
from .winograd_arguments import LANES, STEP, TILE

# Sums of 6 rows by 4 strips fill AVX-512's 32 registers; by 1 strip, the 16 of AVX2 and NEON's.
WIDE = 4 if has("avx512f") else 1


def into(d: Sequence[Any]) -> list[Any]:
    """Bᵀ d, six values to six (Lavin & Gray 2016, section 4.3)."""
    a, b = d[4] - 4 * d[2], d[3] - 4 * d[1]
    c, e = d[4] - d[2], 2 * (d[3] - d[1])
    return [4 * d[0] - 5 * d[2] + d[4], a + b, a - b, c + e, c - e, 4 * d[1] - 5 * d[3] + d[5]]


def out_of(m: Sequence[Any]) -> list[Any]:
    """Aᵀ m, six values to four."""
    a, b, c, e = m[1] + m[2], m[1] - m[2], m[3] + m[4], m[3] - m[4]
    return [m[0] + a + c, b + 2 * e, a + 4 * c, b + 8 * e + m[5]]


def both_ways(
    transform: Callable[[Sequence[Any]], list[Any]], tile: Sequence[Sequence[Any]]
) -> list[list[Any]]:
    """The transform along the columns of a 6×6 tile, then along its rows."""
    columns = [transform([row[j] for row in tile]) for j in range(TILE)]
    return [transform([column[i] for column in columns]) for i in range(len(columns[0]))]


_FLOAT, _BYTE, _LONG = ir.FloatType(), ir.IntType(8), ir.IntType(64)
_FLOATS, _BYTES = ir.VectorType(_FLOAT, LANES), ir.VectorType(_BYTE, LANES)
# bf16, by their bits: LLVM's names for the type have changed, and it still takes these.
_PAIR, _HALVES = ir.IntType(32), ir.VectorType(ir.IntType(16), LANES)
_PAIRS = ir.VectorType(_PAIR, LANES)
_WIDTHS = {
    _FLOATS: 4,
    _FLOAT: 4,
    _PAIRS: 4,
    _PAIR: 4,
    _HALVES: 2,
    _BYTES: 1,
}  # bytes of one value, or of a pair
_FIRST_LANE = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
_FUSE = ("contract",)  # a product and a sum may be one instruction
_BF16 = "llvm.x86.avx512bf16"


def _long(value: int) -> ir.Constant:
    return ir.Constant(_LONG, value)


def _floats(value: float) -> ir.Constant:
    return ir.Constant(_FLOATS, [ir.Constant(_FLOAT, value)] * LANES)


def _spread(builder: ir.IRBuilder, number: ir.Value, kind: ir.Type = _FLOATS) -> ir.Value:
    """One number, or pair, in all lanes."""
    vector = builder.insert_element(ir.Constant(kind, ir.Undefined), number, _long(0))
    return builder.shuffle_vector(vector, vector, _FIRST_LANE)


def _rounded(builder: ir.IRBuilder, values: ir.Value) -> ir.Value:
    """Float32 to the nearest bf16."""
    function = ir.FunctionType(_HALVES, [_FLOATS])
    convert = cgutils.get_or_insert_function(builder.module, function, f"{_BF16}.cvtneps2bf16.512")
    return builder.call(convert, [values])


def _add_product(builder: ir.IRBuilder, left: ir.Value, right: ir.Value, cell: ir.Value) -> None:
    """Add products to a vector of sums, lane by lane: float32 by float32, or pairs of bf16, whose two products are
    both added."""
    so_far = builder.load(cell)
    if left.type == _FLOATS:
        made = builder.fadd(so_far, builder.fmul(left, right, flags=_FUSE), flags=_FUSE)
    else:
        function = ir.FunctionType(_FLOATS, [_FLOATS, _PAIRS, _PAIRS])
        add = cgutils.get_or_insert_function(builder.module, function, f"{_BF16}.dpbf16ps.512")
        made = builder.call(add, [so_far, left, right])
    builder.store(made, cell)


class _Vector:
    """A vector of the program being built, with the operators that the transforms need."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder, self.value = builder, value

    def __add__(self, other: _Vector) -> _Vector:
        return _Vector(self.builder, self.builder.fadd(self.value, other.value, flags=_FUSE))

    def __sub__(self, other: _Vector) -> _Vector:
        return _Vector(self.builder, self.builder.fsub(self.value, other.value, flags=_FUSE))

    def __rmul__(self, factor: float) -> _Vector:
        return _Vector(self.builder, self.builder.fmul(_floats(factor), self.value, flags=_FUSE))


class _Memory:
    """Loads and stores at an address plus a number of values."""

    def __init__(self, builder: ir.IRBuilder, values: ir.Value) -> None:
        self.builder = builder
        self._offsets = {width: builder.mul(values, _long(width)) for width in set(_WIDTHS.values())}

    def _pointer(self, address: ir.Value, kind: ir.Type) -> ir.Value:
        offset = self._offsets[_WIDTHS[kind]]
        return self.builder.inttoptr(self.builder.add(address, offset), ir.PointerType(kind))

    def load(self, address: ir.Value, kind: ir.Type = _FLOATS) -> ir.Value:
        value = self.builder.load(self._pointer(address, kind))
        value.align = _WIDTHS[kind]
        return value

    def store(self, value: ir.Value, address: ir.Value) -> None:
        done = self.builder.store(value, self._pointer(address, value.type))
        done.align = _WIDTHS[value.type]

    def entry(self, table: ir.Value, number: int) -> ir.Value:
        """An address out of a table."""
        place = self.builder.add(table, _long(8 * number))
        return self.builder.load(self.builder.inttoptr(place, ir.PointerType(_LONG)))


def _every(builder: ir.IRBuilder, address: ir.Value, step: ir.Value, count: int) -> list[ir.Value]:
    """Addresses `step` bytes apart."""
    return [builder.add(address, builder.mul(step, _long(number))) for number in range(count)]


def _in_rows(values: Sequence[Any]) -> list[Sequence[Any]]:
    return [values[TILE * i : TILE * (i + 1)] for i in range(TILE)]


def input_program(masked: bool, bf16: bool) -> Any:
    """Transforms LANES channels of one tile, to float32 or (`bf16`) to bf16.

    Its arguments: a table of 36 addresses of values; one of mask bytes; a factor on what the mask lets through; the
    channel; the address of the first of 36 results; bytes from one result to the next.
    """

    @intrinsic
    def program(_context, sources, masks, scale, channel, target, apart):  # type: ignore[no-untyped-def]
        def build(context, builder, _signature, arguments):  # type: ignore[no-untyped-def]
            sources, masks, scale, channel, target, apart = arguments
            memory, scales = _Memory(builder, channel), _spread(builder, scale)

            def value(number: int) -> _Vector:
                found = memory.load(memory.entry(sources, number))
                if masked:
                    bits = memory.load(memory.entry(masks, number), _BYTES)
                    passed = builder.icmp_unsigned("!=", bits, ir.Constant(_BYTES, [0] * LANES))
                    found = builder.select(passed, builder.fmul(found, scales), _floats(0.0))
                return _Vector(builder, found)

            made = both_ways(into, _in_rows([value(number) for number in range(TILE * TILE)]))
            for vector, place in zip(chain(*made), _every(builder, target, apart, TILE * TILE), strict=True):
                memory.store(_rounded(builder, vector.value) if bf16 else vector.value, place)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, types.float32, *[types.intp] * 3), build

    return program


def output_program(rectified: bool, pooled: bool) -> Any:
    """Makes LANES channels of 4×4 results; adds the bias, rectifies, masks and pools them.

    Its arguments: the address of the first of 36 products; bytes from one to the next; the address of the bias; the
    channel; a table of 16 (4 if pooled) addresses for results; one of 16 for mask bytes.
    """

    @intrinsic
    def program(_context, source, apart, bias, channel, targets, masks):  # type: ignore[no-untyped-def]
        def build(context, builder, _signature, arguments):  # type: ignore[no-untyped-def]
            source, apart, bias, channel, targets, masks = arguments
            memory, zero = _Memory(builder, channel), _floats(0.0)

            def finished(vector: _Vector, number: int) -> _Vector:
                if not rectified:
                    return vector
                value = (vector + _Vector(builder, memory.load(bias))).value
                passed = builder.fcmp_ordered(">", value, zero)
                memory.store(builder.zext(passed, _BYTES), memory.entry(masks, number))
                # Written so that what is not a number stays so, as in torch.
                return _Vector(builder, builder.select(builder.fcmp_ordered("<", value, zero), zero, value))

            places = _every(builder, source, apart, TILE * TILE)
            tile = _in_rows([_Vector(builder, memory.load(place)) for place in places])
            made = [
                [finished(vector, STEP * i + j) for j, vector in enumerate(row)]
                for i, row in enumerate(both_ways(out_of, tile))
            ]
            if pooled:
                made = [
                    [0.25 * ((a[j] + a[j + 1]) + (b[j] + b[j + 1])) for j in (0, 2)]
                    for a, b in ((made[0], made[1]), (made[2], made[3]))
                ]
            for number, vector in enumerate(chain(*made)):
                memory.store(vector.value, memory.entry(targets, number))
            return context.get_dummy_value()

        return types.void(*[types.intp] * 6), build

    return program


def pack_program(bf16: bool) -> Any:
    """Rounds LANES channels of two cells to bf16, each times a factor: side by side in pairs, and each by itself.

    Its arguments: the addresses of the two cells, their factors, the channel; where the pairs go, and the first cell's
    numbers; bytes from there to the second one's. Without `bf16` (which the processor must have) it does nothing.
    """

    @intrinsic
    def program(_context, one, other, root, other_root, channel, pairs, target, apart):  # type: ignore[no-untyped-def]
        def build(context, builder, _signature, arguments):  # type: ignore[no-untyped-def]
            one, other, root, other_root, channel, pairs, target, apart = arguments
            if not bf16:
                return context.get_dummy_value()
            memory = _Memory(builder, channel)
            both = []
            for source, factor in ((one, root), (other, other_root)):
                values = builder.fmul(memory.load(source), _spread(builder, factor))
                both.append(_rounded(builder, values))
            first, second = (builder.zext(half, _PAIRS) for half in both)
            sixteen = ir.Constant(_PAIRS, [LANES] * LANES)
            memory.store(builder.or_(first, builder.shl(second, sixteen)), pairs)
            for half, place in zip(both, _every(builder, target, apart, 2), strict=True):
                memory.store(half, place)
            return context.get_dummy_value()

        long, number = types.intp, types.float32
        return types.void(long, long, number, number, *[long] * 4), build

    return program


def product_program(rows: int, strips: int, bf16: bool, adds: bool = False) -> Any:
    """Multiplies `rows` rows of a matrix with `strips` strips of LANES columns of another, all sums in registers.

    Its arguments: the address of the rows, bytes from one to the next, numbers from each of its own to the next; the
    address of the strips, bytes from one to the next, numbers from each of its own rows to the next; how many products
    (of pairs where `bf16`, see `WinogradArguments`: a pair is a number then) are summed; the address of the results,
    bytes from one row to the next. `adds`: to what is there.
    """
    single, vector = (_PAIR, _PAIRS) if bf16 else (_FLOAT, _FLOATS)

    @intrinsic
    def program(_context, left, left_step, left_apart, right, right_step, right_apart, depth, target, step):  # type: ignore[no-untyped-def]
        def build(context, builder, _signature, arguments):  # type: ignore[no-untyped-def]
            left, left_step, left_apart, right, right_step, right_apart, depth, target, step = arguments
            results = _every(builder, target, step, rows)
            strip_of = [_Memory(builder, _long(LANES * strip)) for strip in range(strips)]
            sums = []
            for place in results:
                starts = [memory.load(place) if adds else _floats(0.0) for memory in strip_of]
                sums.append([cgutils.alloca_once_value(builder, start) for start in starts])
            with cgutils.for_range(builder, depth, intp=_LONG) as loop:
                at_left = _Memory(builder, builder.mul(loop.index, left_apart))
                at_right = _Memory(builder, builder.mul(loop.index, right_apart))
                found = [at_right.load(place, vector) for place in _every(builder, right, right_step, strips)]
                for place, row in zip(_every(builder, left, left_step, rows), sums, strict=True):
                    number = _spread(builder, at_left.load(place, single), vector)
                    for other, cell in zip(found, row, strict=True):
                        _add_product(builder, number, other, cell)
            for place, row in zip(results, sums, strict=True):
                for memory, cell in zip(strip_of, row, strict=True):
                    memory.store(builder.load(cell), place)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 9), build

    return program
