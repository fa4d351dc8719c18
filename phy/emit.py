"""Formulas that write machine code: numbers on which arithmetic emits LLVM instructions.

A kernel's loop over symbols becomes vector instructions if its body has no branches, no calls and
no inner loops. A formula over many levels and bits needs loops to be readable; here they run while
the kernel is compiled, over Python lists of `Real`, and leave straight code behind.

Every operation is one of IEEE 754 in float32, rounded where it is written and nowhere else (`fma`
rounds once), so that a value is the same in a vector register, in what remains of a loop, and at
any place of an array.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from llvmlite import ir

_FLOAT, _INT = ir.FloatType(), ir.IntType(32)

# 2^f = 1 + C1 f + .. + C5 f^5 on [-1/2, 1/2]: least squares of the relative error.
_C = (1.0, 0.693147, 0.24022242, 0.055507336, 0.009671513, 0.0013264727)
# 2 artanh(s) = 2 s + s^3 (D3 + D5 s^2 + ..), s^2 up to 1/9: interpolation at Chebyshev points.
_D = (0.6666664, 0.40007672, 0.28233954, 0.26867554)

_LOG2_E, _LN_2 = 1.4426950408889634, 0.6931471805599453
_ROUND = 1.5 * 2.0**23
"""Added to a number, it leaves the nearest integer in the low bits of the sum."""
_MANTISSA_BITS = 23
_ONE_BITS = 0x3F800000


@dataclass(frozen=True)
class Real:
    """A float32 of the code under construction."""

    builder: ir.IRBuilder
    value: ir.Value

    def __add__(self, other: "Number") -> "Real":
        """Emit an addition."""
        return Real(self.builder, self.builder.fadd(self.value, _value(other)))

    def __sub__(self, other: "Number") -> "Real":
        """Emit a subtraction."""
        return Real(self.builder, self.builder.fsub(self.value, _value(other)))

    def __mul__(self, other: "Number") -> "Real":
        """Emit a multiplication."""
        return Real(self.builder, self.builder.fmul(self.value, _value(other)))

    def __rmul__(self, other: float) -> "Real":
        """Emit a multiplication."""
        return self * other

    def __rtruediv__(self, other: float) -> "Real":
        """Emit a division of a constant."""
        return Real(self.builder, self.builder.fdiv(_value(other), self.value))

    def __truediv__(self, other: "Number") -> "Real":
        """Emit a division."""
        return Real(self.builder, self.builder.fdiv(self.value, _value(other)))

    def __neg__(self) -> "Real":
        """Emit a change of sign."""
        return Real(self.builder, self.builder.fneg(self.value))

    def __abs__(self) -> "Real":
        """Emit a magnitude."""
        return self._call("llvm.fabs")

    def __lt__(self, other: "Number") -> "Condition":
        """Emit a comparison, for `where`."""
        return self.builder.fcmp_ordered("<", self.value, _value(other))

    def __gt__(self, other: "Number") -> "Condition":
        """Emit a comparison, for `where`."""
        return self.builder.fcmp_ordered(">", self.value, _value(other))

    def is_number(self) -> "Condition":
        """Emit the question whether this is no NaN."""
        return self.builder.fcmp_ordered("ord", self.value, self.value)

    def constant(self, value: float) -> "Real":
        """A constant of the same code."""
        return Real(self.builder, _value(value))

    def nearest_integer(self) -> "Real":
        """Emit a rounding, ties to even."""
        return self._call("llvm.rint")

    def _call(self, name: str) -> "Real":
        function = self.builder.module.declare_intrinsic(name, [_FLOAT])
        return Real(self.builder, self.builder.call(function, [self.value]))


Number: TypeAlias = Real | float

Condition: TypeAlias = ir.Value
"""The result of a comparison."""


def widest_vectors(builder: ir.IRBuilder) -> None:
    """Let LLVM use vector registers of 512 bits in this function, where there are such.

    Left alone, it takes half of them: early processors lowered their clock for the other half.
    """
    # llvmlite knows the attributes of LLVM without a value only.
    set.add(builder.function.attributes, '"prefer-vector-width"="512"')


def where(condition: Condition, a: Real, b: Number) -> Real:
    """Where the condition holds a, else b; both are computed."""
    return Real(a.builder, a.builder.select(condition, a.value, _value(b)))


def maximum(a: Real, b: Number) -> Real:
    """The larger one; a, where they cannot be compared."""
    return where(a < b, b, a) if isinstance(b, Real) else where(a > b, a, b)


def minimum(a: Real, b: Number) -> Real:
    """The smaller one."""
    return where(a < b, a, b)


def fma(a: Real, b: Number, c: Number) -> Real:
    """The number a b + c, rounded once."""
    return Real(a.builder, a.builder.fma(a.value, _value(b), _value(c)))


def exp2(x: Real) -> Real:
    """2^x for x <= 0, within 1.7e-7 of its value; x below -30 counts as -30.

    2^-30 vanishes beside 1, and a product of four such numbers still is a normal one: arithmetic
    with denormal numbers is a hundred times slower.
    """
    x = maximum(x, -30.0)
    shifted = x + _ROUND
    power = _polynomial(x - (shifted - _ROUND), _C)
    return _from_bits(x.builder, x.builder.add(_bits(power), _exponent(shifted)))


def split_exp(x: Real) -> tuple[Real, Real]:
    """The pair (f, n) with e^x = f 2^n, n an integer, f from sqrt(1/2) to sqrt(2)."""
    x = x * _LOG2_E
    n = x.nearest_integer()
    return _polynomial(x - n, _C), n


def power_of_two(n: Real) -> Real:
    """2^n for an integer n <= 0; n below -60 counts as -60."""
    return _from_bits(n.builder, _exponent(maximum(n, -60.0) + (_ROUND + 127)))


def log_ratio(x: Real, y: Real) -> Real:
    """The logarithm ln(x / y) of positive normal numbers, within 1.2e-7 (1 + |ln(x / y)|).

    With the mantissas in [1, 2), ln(x / y) = ln(2^(i - j)) + 2 artanh((m_x - m_y) / (m_x + m_y)).
    """
    b = x.builder
    (i, m_x), (j, m_y) = _exponent_and_mantissa(x), _exponent_and_mantissa(y)
    s = (m_x - m_y) / (m_x + m_y)
    t = s * s
    log_mantissas = fma(s * t, _polynomial(t, _D), 2.0 * s)
    return fma(Real(b, b.sitofp(b.sub(i, j), _FLOAT)), _LN_2, log_mantissas)


def _exponent_and_mantissa(x: Real) -> tuple[ir.Value, Real]:
    b, bits = x.builder, _bits(x)
    mantissa = b.or_(b.and_(bits, _INT((1 << _MANTISSA_BITS) - 1)), _INT(_ONE_BITS))
    return b.lshr(bits, _INT(_MANTISSA_BITS)), _from_bits(b, mantissa)


def _polynomial(x: Real, coefficients: tuple[float, ...]) -> Real:
    """Horner's rule; the constant term comes first."""
    result = fma(x, coefficients[-1], coefficients[-2])
    for coefficient in reversed(coefficients[:-2]):
        result = fma(x, result, coefficient)
    return result


def _value(number: Number) -> ir.Value:
    """The number as an operand; a Python number is rounded to float32."""
    return number.value if isinstance(number, Real) else _FLOAT(float(np.float32(number)))


def _bits(x: Real) -> ir.Value:
    return x.builder.bitcast(x.value, _INT)


def _from_bits(builder: ir.IRBuilder, bits: ir.Value) -> Real:
    return Real(builder, builder.bitcast(bits, _FLOAT))


def _exponent(shifted: Real) -> ir.Value:
    """The integer in the low bits of a number, as an exponent."""
    return shifted.builder.shl(_bits(shifted), _INT(_MANTISSA_BITS))
