"""Memory at bare addresses, for code that needs nothing of numba when it runs. Importing this imports numba."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_KINDS: dict[Any, ir.Type] = {
    types.float32: ir.FloatType(),
    types.float64: ir.DoubleType(),
    types.uint8: ir.IntType(8),
    types.int32: ir.IntType(32),
    types.int64: ir.IntType(64),
}


def reader_of(kind: type[tuple[int, ...]]) -> Any:
    """A function of numba's that takes an address and gives the named tuple of numbers that lies there."""
    tuple_type = types.NamedUniTuple(types.int64, len(kind._fields), kind)  # type: ignore[attr-defined]

    @intrinsic
    def piece_at(_context, address):  # type: ignore[no-untyped-def]
        def build(context, builder, _signature, arguments):  # type: ignore[no-untyped-def]
            value_type = context.get_value_type(tuple_type)
            return builder.load(builder.inttoptr(arguments[0], value_type.as_pointer()))

        return tuple_type(types.int64), build

    return piece_at


def _place(builder: ir.IRBuilder, kind: ir.Type, start: ir.Value, number: ir.Value) -> ir.Value:
    return builder.gep(builder.inttoptr(start, ir.PointerType(kind)), [number])


def _getter(kind: types.Type) -> Any:
    """A function of numba's: the n-th value of those that begin at an address."""

    @intrinsic
    def value_at(_context, _start, _number):  # type: ignore[no-untyped-def]
        def build(_context, builder, _signature, arguments):  # type: ignore[no-untyped-def]
            return builder.load(_place(builder, _KINDS[kind], *arguments))

        return kind(types.int64, types.int64), build

    return value_at


def _setter(kind: types.Type) -> Any:
    """And one that writes it."""

    @intrinsic
    def set_value(_context, _start, _number, _value):  # type: ignore[no-untyped-def]
        def build(context, builder, _signature, arguments):  # type: ignore[no-untyped-def]
            start, number, value = arguments
            builder.store(value, _place(builder, _KINDS[kind], start, number))
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, kind), build

    return set_value


float_at, set_float = _getter(types.float32), _setter(types.float32)
double_at, set_double = _getter(types.float64), _setter(types.float64)
int_at, set_int = _getter(types.int32), _setter(types.int32)
set_byte = _setter(types.uint8)
long_at, set_long = _getter(types.int64), _setter(types.int64)


def _root(_context, _value):  # type: ignore[no-untyped-def]
    """√ of a float32; numpy's and Python's would call a library."""

    def build(_context, builder, _signature, arguments):  # type: ignore[no-untyped-def]
        return builder.call(builder.module.declare_intrinsic("llvm.sqrt", [ir.FloatType()]), arguments)

    return types.float32(types.float32), build


root: Any = intrinsic(_root)
