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


def _pointer(builder: ir.IRBuilder, start: ir.Value, step: ir.Value | int, number: int) -> ir.Value:
    """The address that lies `number` steps of so many bytes behind another."""
    step = ir.Constant(_LONG, step) if isinstance(step, int) else step
    return builder.inttoptr(builder.add(start, builder.mul(step, ir.Constant(_LONG, number))), _POINTER)


@intrinsic
def begin_tiles(_context, _configuration):  # type: ignore[no-untyped-def]
    """Set up the registers of this thread, from the 64 bytes at an address."""

    def build(context, builder, _signature, arguments):  # type: ignore[no-untyped-def]
        if multiplies_tiles():
            _call(builder, "ldtilecfg", builder.inttoptr(arguments[0], _POINTER))
        return context.get_dummy_value()

    return types.void(types.intp), build


@intrinsic
def end_tiles(_context):  # type: ignore[no-untyped-def]
    """Give the registers back, so that the system need not keep them when it changes threads."""

    def build(context, builder, _signature, _arguments):  # type: ignore[no-untyped-def]
        if multiplies_tiles():
            _call(builder, "tilerelease")
        return context.get_dummy_value()

    return types.void(), build


def tile_product(rows: int, strips: int) -> Any:
    """Multiplies `rows` × 16 rows of a matrix with `strips` strips of LANES columns of another, all sums in registers.

    Its arguments: the address of the rows and bytes from one to the next; the address of the strips (of pairs of bf16,
    see `WinogradArguments`) and bytes from one to the next; how many pairs are summed, a multiple of PAIRS; the address
    of the results and bytes from one row to the next.
    """
    assert LANES == PAIRS
    sums = [[rows * strip + row for row in range(rows)] for strip in range(strips)]
    lefts = [rows * strips + row for row in range(rows)]
    rights = [rows * strips + rows + strip for strip in range(strips)]

    @intrinsic
    def program(_context, left, left_step, right, right_step, depth, target, step):  # type: ignore[no-untyped-def]
        def build(context, builder, _signature, arguments):  # type: ignore[no-untyped-def]
            if multiplies_tiles():
                _build_product(builder, arguments, sums, lefts, rights)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 7), build

    return program


def _build_product(
    builder: ir.IRBuilder,
    arguments: Sequence[ir.Value],
    sums: Sequence[Sequence[int]],
    lefts: Sequence[int],
    rights: Sequence[int],
) -> None:
    """`sums` are the registers of the results, by strip and row; `lefts` and `rights` those of what is multiplied."""
    left, left_step, right, right_step, depth, target, step = arguments
    row_step, step_step = (builder.mul(each, ir.Constant(_LONG, ROWS)) for each in (left_step, step))
    width = ir.Constant(_LONG, _ROW)
    for column in sums:
        for register in column:
            _call(builder, "tilezero", _register(register))
    chunks = builder.sdiv(depth, ir.Constant(_LONG, PAIRS))
    with cgutils.for_range(builder, chunks, intp=_LONG) as loop:
        at_left = builder.add(left, builder.mul(loop.index, width))
        at_right = builder.add(right, builder.mul(loop.index, ir.Constant(_LONG, PAIRS * _ROW)))
        for number, register in enumerate(lefts):
            place = _pointer(builder, at_left, row_step, number)
            _call(builder, "tileloadd64", _register(register), place, left_step)
        for number, register in enumerate(rights):
            place = _pointer(builder, at_right, right_step, number)
            _call(builder, "tileloadd64", _register(register), place, width)
        for column, other in zip(sums, rights, strict=True):
            for register, one in zip(column, lefts, strict=True):
                _call(builder, "tdpbf16ps", _register(register), _register(one), _register(other))
    for number, column in enumerate(sums):
        for row, register in enumerate(column):
            place = _pointer(builder, _advanced(builder, target, 4 * LANES * number), step_step, row)
            _call(builder, "tilestored64", _register(register), place, step)


def _advanced(builder: ir.IRBuilder, start: ir.Value, amount: int) -> ir.Value:
    return builder.add(start, ir.Constant(_LONG, amount))
