"""Products of matrices in AMX's registers, as instructions of LLVM. Importing this module imports numba.

Where the processor has no AMX these programs do nothing, and nothing may call them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .tile_registers import PAIRS, ROWS, multiplies_tiles
from .winograd_arguments import LANES

_BYTE, _LONG, _VOID = ir.IntType(8), ir.IntType(64), ir.VoidType()
_POINTER = _BYTE.as_pointer()
_ROW = 4 * PAIRS  # bytes of a tile's row


def _call(builder: ir.IRBuilder, name: str, *arguments: ir.Value) -> None:
    kind = ir.FunctionType(_VOID, [argument.type for argument in arguments])
    builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.{name}"), arguments)


def _register(number: int) -> ir.Constant:
    return ir.Constant(_BYTE, number)


def _pointer(builder: ir.IRBuilder, start: ir.Value, step: ir.Value, number: int) -> ir.Value:
    """The address that lies `number` steps of so many bytes behind another."""
    return builder.inttoptr(builder.add(start, builder.mul(step, ir.Constant(_LONG, number))), _POINTER)


def _begin_tiles(_context, _configuration):  # type: ignore[no-untyped-def]
    """Set up the registers of this thread, from the 64 bytes at an address."""

    def build(context, builder, _signature, arguments):  # type: ignore[no-untyped-def]
        if multiplies_tiles():
            _call(builder, "ldtilecfg", builder.inttoptr(arguments[0], _POINTER))
        return context.get_dummy_value()

    return types.void(types.intp), build


def _end_tiles(_context):  # type: ignore[no-untyped-def]
    """Give the registers back, so that the system need not keep them when it changes threads."""

    def build(context, builder, _signature, _arguments):  # type: ignore[no-untyped-def]
        if multiplies_tiles():
            _call(builder, "tilerelease")
        return context.get_dummy_value()

    return types.void(), build


def tile_product(rows: int, strips: int, adds: bool = False) -> Any:
    """Multiplies `rows` × 16 rows of a matrix with `strips` strips of LANES columns of another, all sums in registers.

    Its arguments: the address of the left matrix, and bytes from one of its rows to the next, from 16 of them to the
    next 16, and from PAIRS pairs in them to the next; the address of the right one, and bytes from one of its rows (of
    pairs, see `WinogradArguments`) to the next, from one strip to the next, and from PAIRS rows to the next; how many
    times PAIRS pairs are summed; the address of the results, and bytes from one row to the next. `adds`: to what is
    there.
    """
    assert LANES == PAIRS
    sums = [[rows * strip + row for row in range(rows)] for strip in range(strips)]
    lefts = [rows * strips + row for row in range(rows)]
    rights = [rows * strips + rows + strip for strip in range(strips)]

    @intrinsic
    def program(  # type: ignore[no-untyped-def]
        _context,
        left,
        left_row,
        left_next,
        left_deep,
        right,
        right_row,
        right_next,
        right_deep,
        depth,
        target,
        step,
    ):
        def build(context, builder, _signature, arguments):  # type: ignore[no-untyped-def]
            if multiplies_tiles():
                _build_product(builder, arguments, sums, lefts, rights, adds)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 11), build

    return program


def _build_product(
    builder: ir.IRBuilder,
    arguments: Sequence[ir.Value],
    sums: Sequence[Sequence[int]],
    lefts: Sequence[int],
    rights: Sequence[int],
    adds: bool,
) -> None:
    """`sums` are the registers of the results, by strip and row; `lefts` and `rights` those of what is multiplied."""
    left, left_row, left_next, left_deep, right, right_row, right_next, right_deep, depth, target, step = (
        arguments
    )
    below = builder.mul(step, ir.Constant(_LONG, ROWS))
    results = [
        (register, _pointer(builder, builder.add(target, ir.Constant(_LONG, 4 * LANES * strip)), below, row))
        for strip, column in enumerate(sums)
        for row, register in enumerate(column)
    ]
    for register, place in results:
        if adds:
            _call(builder, "tileloadd64", _register(register), place, step)
        else:
            _call(builder, "tilezero", _register(register))
    with cgutils.for_range(builder, depth, intp=_LONG) as loop:
        at_left = builder.add(left, builder.mul(loop.index, left_deep))
        at_right = builder.add(right, builder.mul(loop.index, right_deep))
        for start, apart, row, registers in (
            (at_left, left_next, left_row, lefts),
            (at_right, right_next, right_row, rights),
        ):
            for number, register in enumerate(registers):
                place = _pointer(builder, start, apart, number)
                _call(builder, "tileloadd64", _register(register), place, row)
        for column, other in zip(sums, rights, strict=True):
            for register, one in zip(column, lefts, strict=True):
                _call(builder, "tdpbf16ps", _register(register), _register(one), _register(other))
    for register, place in results:
        _call(builder, "tilestored64", _register(register), place, step)


def _turn_tile(_context, _source, _step, _target):  # type: ignore[no-untyped-def]
    """Exchange the rows and columns of 16×16 numbers of 32 bits, whose rows begin so many bytes apart; the result's lie
    one behind the other.

    Four times, the first and the second half of the rows are shuffled like two halves of a pack of cards, each pair of
    rows number by number.
    """

    def build(context, builder, _signature, arguments):  # type: ignore[no-untyped-def]
        source, step, target = arguments
        rows = [_row(builder, source, step, number) for number in range(ROWS)]
        found = [builder.load(row) for row in rows]
        for value in found:
            value.align = 4
        for _ in range(4):
            halves = zip(found[: ROWS // 2], found[ROWS // 2 :], strict=True)
            found = [
                builder.shuffle_vector(one, other, _INTERLEAVED[part])
                for one, other in halves
                for part in (0, 1)
            ]
        for number, value in enumerate(found):
            builder.store(value, _row(builder, target, ir.Constant(_LONG, _ROW), number)).align = 4
        return context.get_dummy_value()

    return types.void(*[types.intp] * 3), build


_NUMBERS = ir.VectorType(ir.IntType(32), ROWS)
_INTERLEAVED = tuple(
    ir.Constant(_NUMBERS, [number // 2 + first + ROWS * (number % 2) for number in range(ROWS)])
    for first in (0, ROWS // 2)
)


def _row(builder: ir.IRBuilder, start: ir.Value, step: ir.Value, number: int) -> ir.Value:
    place = builder.add(start, builder.mul(step, ir.Constant(_LONG, number)))
    return builder.inttoptr(place, _NUMBERS.as_pointer())


begin_tiles: Any = intrinsic(_begin_tiles)
end_tiles: Any = intrinsic(_end_tiles)
turn_tile: Any = intrinsic(_turn_tile)
