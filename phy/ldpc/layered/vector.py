"""Vector registers: the operations of the decoder's inner loops, written as LLVM instructions.

A register holds one value for each lane, and a lane is a code block: 64 lanes of int8, 32 of int16
or 16 of float32, 512 bits. LLVM splits them where a processor's registers are narrower.

Integers saturate. Magnitudes of integers are unsigned, so that that of the least one fits too.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from phy.intrinsic import I32, I64, Target

REGISTER_BYTES = 64

_PERMUTE = {
    "v64i8": ("qi", "avx512vbmi"),
    "v32i16": ("hi", "avx512bw"),
    "v16f32": ("sf", "avx512f"),
}
"""LLVM's name of the instruction, and what a processor must have for it."""


def lanes_of(dtype: np.dtype[Any]) -> int:
    """Lanes of a register of this type.

    >>> lanes_of(np.dtype(np.int16))
    32
    """
    return REGISTER_BYTES // dtype.itemsize


class Vector:
    """Emits operations on registers of one element type.

    Attributes:
        lanes: Lanes of a register.
        element: Type of a lane.
        register: Type of a register.
        mask: Type of one bit for each lane, as a vector.
    """

    def __init__(self, target: Target, dtype: Any) -> None:
        """Emit into a target, for int8, int16 or float32."""
        self._target = target
        self._builder = target.builder
        self._floating = isinstance(dtype, types.Float)
        self._bits = dtype.bitwidth
        self.lanes = 8 * REGISTER_BYTES // self._bits
        self.element = ir.FloatType() if self._floating else ir.IntType(self._bits)
        self._integer = ir.IntType(self._bits)
        self.register = ir.VectorType(self.element, self.lanes)
        self._integers = ir.VectorType(self._integer, self.lanes)
        self.mask = ir.VectorType(ir.IntType(1), self.lanes)
        self._suffix = f"v{self.lanes}{'f' if self._floating else 'i'}{self._bits}"

    # -- memory ------------------------------------------------------------------------------

    def load(self, base: ir.Value, index: ir.Value) -> ir.Value:
        """Register ``index`` of an aligned array of them."""
        return self._builder.load(self._register_at(base, index), align=REGISTER_BYTES)

    def store(self, x: ir.Value, base: ir.Value, index: ir.Value) -> None:
        """Write register ``index`` of an aligned array of them."""
        self._builder.store(x, self._register_at(base, index), align=REGISTER_BYTES)

    def load_at(self, pointer: ir.Value) -> ir.Value:
        """A register of consecutive elements, aligned or not."""
        return self._builder.load(self._cast(pointer, self.register), align=1)

    def store_at(self, x: ir.Value, pointer: ir.Value) -> None:
        """Write a register to consecutive elements, aligned or not."""
        self._builder.store(x, self._cast(pointer, self.register), align=1)

    def load_integers(self, pointer: ir.Value) -> ir.Value:
        """A register of integers of the size of an element."""
        return self._builder.load(self._cast(pointer, self._integers), align=1)

    def load_floats(self, pointer: ir.Value) -> ir.Value:
        """As many consecutive float32 values as there are lanes."""
        floats = ir.VectorType(ir.FloatType(), self.lanes)
        return self._builder.load(self._cast(pointer, floats), align=4)

    def room(self, count: int) -> ir.Value:
        """Address of a local array of registers."""
        with self._builder.goto_entry_block():
            array = self._builder.alloca(self.element, I64(count * self.lanes))
        array.align = REGISTER_BYTES
        return array

    # -- arithmetic --------------------------------------------------------------------------

    def constant(self, value: float) -> ir.Value:
        """The same value in all lanes."""
        return _constant(self.element, value if self._floating else int(value), self.lanes)

    def largest(self) -> ir.Value:
        """The largest magnitude in all lanes."""
        return self.constant(float("inf") if self._floating else -1)

    def splat(self, scalar: ir.Value) -> ir.Value:
        """The same run-time value, int64 or double, in all lanes."""
        cast = self._builder.fptrunc if self._floating else self._builder.trunc
        return self.spread(self._builder, cast(scalar, self.element), self.lanes)

    def splat_float(self, scalar: ir.Value) -> ir.Value:
        """The same run-time double as a float32 in all lanes."""
        one = self._builder.fptrunc(scalar, ir.FloatType())
        return self.spread(self._builder, one, self.lanes)

    def from_floats(self, x: ir.Value, scale: ir.Value, limit: ir.Value) -> ir.Value:
        """Float32 values, scaled and limited, and rounded if the elements are integers.

        Rounding is to the nearest, ties to even: 1.5 2^23 + x has the integer in its low bits.
        """
        b = self._builder
        x = b.fmul(x, scale)
        x = b.select(b.fcmp_ordered("<", x, limit), x, limit)
        least = b.fneg(limit)
        x = b.select(b.fcmp_ordered(">", x, least), x, least)
        if self._floating:
            return x
        x = b.fadd(x, _constant(ir.FloatType(), 1.5 * 2**23, self.lanes))
        return b.trunc(b.bitcast(x, ir.VectorType(I32, self.lanes)), self.register)

    def add(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """The sum x + y."""
        return self._builder.fadd(x, y) if self._floating else self._call("sadd.sat", x, y)

    def subtract(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """The difference x - y."""
        return self._builder.fsub(x, y) if self._floating else self._call("ssub.sat", x, y)

    def magnitude(self, x: ir.Value) -> ir.Value:
        """The magnitude of x."""
        if self._floating:
            return self._call("fabs", x)
        return self._call("abs", x, ir.IntType(1)(0))

    def add_magnitudes(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """The sum x + y of magnitudes."""
        return self._builder.fadd(x, y) if self._floating else self._call("uadd.sat", x, y)

    def excess(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """The excess max(x - y, 0) of a magnitude over another."""
        if self._floating:
            return self.maximum(self._builder.fsub(x, y), self.constant(0))
        return self._call("usub.sat", x, y)

    def divide(self, x: ir.Value, log2: int) -> ir.Value:
        """A magnitude divided by a power of two; integers are rounded down."""
        if self._floating:
            return self._builder.fmul(x, self.constant(2.0**-log2))
        return self._builder.lshr(x, self.constant(log2))

    def minimum(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """The smaller magnitude."""
        if self._floating:
            return self._builder.select(self._builder.fcmp_ordered("<", x, y), x, y)
        return self._call("umin", x, y)

    def maximum(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """The larger magnitude."""
        if self._floating:
            return self._builder.select(self._builder.fcmp_ordered(">", x, y), x, y)
        return self._call("umax", x, y)

    # -- signs and masks ---------------------------------------------------------------------

    def odd(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """Integers whose sign is the product of the signs of x and y."""
        return self._builder.xor(self._as_integers(x), self._as_integers(y))

    def signed(self, magnitude: ir.Value, sign: ir.Value) -> ir.Value:
        """A magnitude with the sign of an integer."""
        b = self._builder
        if self._floating:
            sign = b.and_(sign, _constant(self._integer, 1 << (self._bits - 1), self.lanes))
            return b.bitcast(b.or_(self._as_integers(magnitude), sign), self.register)
        negative = b.icmp_signed("<", sign, ir.Constant(self._integers, None))
        return b.select(negative, b.neg(magnitude), magnitude)

    def equal(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """Mask of the lanes where x = y."""
        if self._floating:
            return self._builder.fcmp_ordered("==", x, y)
        return self._builder.icmp_unsigned("==", x, y)

    def less(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """Mask of the lanes where x < y."""
        if self._floating:
            return self._builder.fcmp_ordered("<", x, y)
        return self._builder.icmp_signed("<", x, y)

    def where(self, mask: ir.Value, x: ir.Value, y: ir.Value) -> ir.Value:
        """In the lanes of the mask x, in the others y."""
        return self._builder.select(mask, x, y)

    def from_word(self, word: ir.Value) -> ir.Value:
        """The mask whose lane l is bit l of a 64-bit word."""
        b = self._builder
        return b.bitcast(b.trunc(word, ir.IntType(self.lanes)), self.mask)

    def to_word(self, mask: ir.Value) -> ir.Value:
        """The 64-bit word whose bit l is lane l of a mask."""
        b = self._builder
        return b.zext(b.bitcast(mask, ir.IntType(self.lanes)), I64)

    # -- rearrangement -----------------------------------------------------------------------

    def exchange(self, rows: list[ir.Value], apart: int) -> list[ir.Value]:
        """A part of the transposition of a square, by exchanging ever smaller blocks.

        Of the rows i and i + s, i without the bit s, the off-diagonal blocks of s lanes change
        places. A square is transposed when this was done for all s = lanes / 2, ..., 4, 2, 1::

            row i       a b | c d         a b | e f
            row i + s   e f | g h   ->    c d | g h      (s = 2)

        Args:
            rows: A power of two of rows.
            apart: How far apart they are in the square; done are the s from ``apart`` upwards.
        """
        rows, step = list(rows), len(rows) // 2
        while step:
            s = step * apart
            low = [j - s + self.lanes if j & s else j for j in range(self.lanes)]
            high = [j + self.lanes if j & s else j + s for j in range(self.lanes)]
            for i in range(len(rows)):
                if not i & step:
                    pair = rows[i], rows[i + step]
                    rows[i], rows[i + step] = self._shuffle(*pair, low), self._shuffle(*pair, high)
            step //= 2
        return rows

    def permute(self, x: ir.Value, order: ir.Value) -> ir.Value:
        """Lane l of the result is lane ``order[l]`` of x; only where `can_permute`."""
        name = f"llvm.x86.avx512.permvar.{_PERMUTE[self._suffix][0]}.512"
        return self._target.call(name, self.register, x, order)

    @property
    def can_permute(self) -> bool:
        """Whether the processor permutes the lanes of a register in one instruction."""
        return f"+{_PERMUTE[self._suffix][1]}" in self._target.features.split(",")

    # -- helpers -----------------------------------------------------------------------------

    @staticmethod
    def spread(builder: ir.IRBuilder, scalar: ir.Value, lanes: int) -> ir.Value:
        """A vector with one run-time value in all its elements."""
        nothing = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
        one = builder.insert_element(nothing, scalar, I32(0))
        return builder.shuffle_vector(one, nothing, _constant(I32, 0, lanes))

    def _register_at(self, base: ir.Value, index: ir.Value) -> ir.Value:
        start = self._builder.mul(index, I64(self.lanes))
        return self._cast(self._builder.gep(base, [start]), self.register)

    def _cast(self, pointer: ir.Value, kind: ir.Type) -> ir.Value:
        return self._builder.bitcast(pointer, kind.as_pointer())

    def _as_integers(self, x: ir.Value) -> ir.Value:
        return self._builder.bitcast(x, self._integers)

    def _shuffle(self, x: ir.Value, y: ir.Value, order: list[int]) -> ir.Value:
        index = ir.VectorType(I32, len(order))
        return self._builder.shuffle_vector(x, y, ir.Constant(index, order))

    def _call(self, operation: str, *arguments: ir.Value) -> ir.Value:
        return self._target.call(f"llvm.{operation}.{self._suffix}", self.register, *arguments)


def _constant(element: ir.Type, value: float, lanes: int) -> ir.Value:
    return ir.Constant(ir.VectorType(element, lanes), [ir.Constant(element, value)] * lanes)
