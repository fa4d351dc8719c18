"""LLRs of points anywhere in the plane in one pass over the symbols, as a kernel.

The metrics m_k, relative to the point nearest to y, are those of `phy.demap`. There the sums of
exponentials are taken relative to the largest term of each, which costs an exponential for every
point and bit. Here it is one for every point,

    exp(m_k) = F_k 2^(N_k),    N_k integer, F_k from 2^(-1/2) to 2^(1/2),

and with E_0 and E_1 the largest N_k of the points whose bit is 0 and 1,

    LLR = (E_0 - E_1) ln 2 + ln(S_0 / S_1),    S_b = sum of F_k 2^(N_k - E_b),

where the powers of two are bits put in place.
"""

from collections.abc import Callable
from math import nan
from typing import Any

from llvmlite import ir
from numba import types

from phy.emit import (
    Real,
    fma,
    log_ratio,
    maximum,
    minimum,
    power_of_two,
    split_exp,
    where,
    widest_vectors,
)
from phy.intrinsic import I64, Array, Target, Tuple, step
from phy.jit import kernel

MOST_POINTS = 32
"""For more, the machine code becomes too long to be compiled in seconds."""

_LIMIT = 1e30
"""The largest part of a metric."""
_LN_2 = 0.6931471805599453


@kernel
def demap(
    received: Any,
    noise_variance: Any,
    points: tuple[float, ...],
    exact: tuple[int, ...],
    llrs: Any,
) -> bool:
    """Demap ``[n]`` symbols; returns whether all noise variances are above 0.

    Args:
        received: complex64 ``[n]``.
        noise_variance: N0, float32 ``[n]``.
        points: float32, real and imaginary part of each of the 2^a points, by label.
        exact: Not empty: exact. Empty: max-log. Only the length matters, as part of the type.
        llrs: float32 ``[n * a]``, written.
    """
    good = True
    for s in range(len(received)):
        good &= _demap_symbol(received, noise_variance, points, exact, llrs, s)
    return good


@step(types.boolean)
def _demap_symbol(
    target: Target,
    received: Array,
    noise_variance: Array,
    points: Tuple,
    exact: Tuple,
    llrs: Array,
    s: ir.Value,
) -> ir.Value:
    """One turn of the loop; returns whether the noise variance is above 0."""
    b = target.builder
    widest_vectors(b)
    symbol = b.load(b.gep(received.data, [s]))
    n0 = Real(b, b.load(b.gep(noise_variance.data, [s])))
    parts = [Real(b, x) for x in points.values]
    m = _metrics(
        (Real(b, b.extract_value(symbol, 0)), Real(b, b.extract_value(symbol, 1))),
        list(zip(parts[::2], parts[1::2], strict=True)),
        minimum(2.0 / n0, _LIMIT),
    )
    found = _exact(m) if exact.values else _max_log(m)
    for axis in range(2):  # the limits would hide what is no number
        number = Real(b, b.extract_value(symbol, axis)).is_number()
        found = [where(number, x, nan) for x in found]
    first = b.mul(s, I64(len(found)), flags=["nuw", "nsw"])
    for place, llr in enumerate(found):
        address = b.gep(llrs.data, [b.add(first, I64(place), flags=["nuw", "nsw"])])
        b.store(llr.value, address)
    return n0 > 0.0


def _metrics(y: tuple[Real, Real], points: list[tuple[Real, Real]], scale: Real) -> list[Real]:
    """The sums over both axes of scale d (e - d / 2), e = y - nearest, d = point - nearest."""
    scores = [_nearness(y, point) for point in points]
    best, nearest = scores[0], points[0]
    for score, point in zip(scores[1:], points[1:], strict=True):
        nearer = score > best
        best = where(nearer, score, best)
        nearest = where(nearer, point[0], nearest[0]), where(nearer, point[1], nearest[1])
    on_i, on_q = (
        [_part(y[axis] - nearest[axis], point[axis] - nearest[axis], scale) for point in points]
        for axis in range(2)
    )
    return [i + q for i, q in zip(on_i, on_q, strict=True)]


def _nearness(y: tuple[Real, Real], point: tuple[Real, Real]) -> Real:
    """The number (<y, p> - |p|^2 / 2) / 2, which grows as |y - p| falls."""
    halves = [part * 0.5 for part in point]
    half_energy = fma(halves[0], halves[0], halves[1] * halves[1])
    return fma(y[0], halves[0], fma(y[1], halves[1], -half_energy))


def _part(e: Real, d: Real, scale: Real) -> Real:
    return maximum(minimum((e - d * 0.5) * (d * scale), _LIMIT), -_LIMIT)


def _max_log(m: list[Real]) -> list[Real]:
    return [_fold(zeros, maximum) - _fold(ones, maximum) for zeros, ones in _halves(m)]


def _exact(m: list[Real]) -> list[Real]:
    llrs = []
    for halves in _halves([split_exp(x) for x in m]):
        E = [_fold([n for _, n in half], maximum) for half in halves]
        S = [
            _fold([f * power_of_two(n - e) for f, n in half], Real.__add__)
            for half, e in zip(halves, E, strict=True)
        ]
        llrs.append(fma(E[0] - E[1], _LN_2, log_ratio(*S)))
    return llrs


def _halves(values: list[Any]) -> list[tuple[list[Any], list[Any]]]:
    """For each bit, MSB first, the values of the labels in which it is 0, and in which it is 1."""
    places = [1 << j for j in reversed(range(len(values).bit_length() - 1))]
    return [
        (
            [x for k, x in enumerate(values) if not k & place],
            [x for k, x in enumerate(values) if k & place],
        )
        for place in places
    ]


def _fold(values: list[Real], combine: Callable[[Real, Real], Real]) -> Real:
    """Combine 2^k values pairwise."""
    while len(values) > 1:
        values = [combine(x, y) for x, y in zip(values[::2], values[1::2], strict=True)]
    return values[0]
