"""LLRs of square QAM in one pass over the symbols: each axis by its folds, as a kernel.

The 2^a levels of an axis are the odd multiples of d, and each bit of its Gray label folds the axis
in two (3GPP TS 38.211, clause 5.1). For the three bits of 64-QAM::

    bit 0: y < 0           u0 = |y|            levels d, 3d, 5d, 7d of u0, and their mirror images
    bit 1: u0 > 4d         u1 = |u0 - 4d|      levels d, 3d of u1, and their mirror images
    bit 2: u1 > 2d         u2 = |u1 - 2d|      level d of u2, and its mirror image

After fold j the near side (u > 0) has the level n_j nearest to y, and the far side has the levels
whose bit j is the other one; their images in the folds before belong to them. Hence

    max-log  LLR_j = +-(n_j + d) (2 u_j - n_j + d) / N0,    + for bit j = 0.

A level l and its mirror image have likelihoods in the ratio

    p(-l) / p(l) = exp(-4 l u_j / N0) = r_j^(l / d),    r_j = exp(-4 d u_j / N0) <= 1,

so that powers and products of the a ratios r_j and of Q = exp(-8 d^2 / N0) give the likelihoods of
all 2^a levels, at the price of a + 1 exponentials:

    near[j]  of the levels d, 3d, .. of fold j, relative to the nearest: near[a - 1] = [1], and
             near[j - 1] is near[j] with its mirror images
    far      of -d, -3d, .., relative to -d: r_j^i Q^(i (i + 1) / 2), i = 0, 1, ..
    weight   of a level together with its images in the folds before j, relative to it

    exact    LLR_j = max-log +- ln(sum of weight near[j] / sum of weight far)

Both sums are from 1 to 2^(a - 1), whatever the noise variance.
"""

from dataclasses import dataclass
from math import nan
from typing import Any

import torch
from llvmlite import ir
from numba import types
from torch import Tensor

from phy.emit import (
    Condition,
    Real,
    exp2,
    fma,
    log_ratio,
    maximum,
    minimum,
    where,
    widest_vectors,
)
from phy.intrinsic import I64, Array, Target, Tuple, step
from phy.jit import kernel

_LIMIT = 1e30
"""The largest metric."""
_LEAST = 2.0**-30
"""Likelihoods below it are nothing beside 1; they are kept from becoming denormal numbers."""
_LOG2_E = 1.4426950408889634


def level_step(levels: Tensor) -> float | None:
    """The d of levels ``[2^a]``, by label, that fold as above; None of others.

    >>> level_step(torch.tensor([1.0, 3.0, -1.0, -3.0]) / 2)
    0.5
    >>> level_step(torch.tensor([3.0, 1.0, -1.0, -3.0]))  # None
    """
    d, folded = levels.abs().min(), levels
    label = torch.zeros(len(levels), dtype=torch.int64)
    for j in range(len(levels).bit_length() - 1):
        centre = len(levels) / 2**j * d if j else 0 * d
        one = folded > centre if j else folded < centre
        label = 2 * label + one
        folded = (folded - centre).abs()
    if label.equal(torch.arange(len(levels))) and folded.allclose(d, rtol=1e-12):
        return float(d)
    return None


@kernel
def demap(
    received: Any,
    noise_variance: Any,
    d: Any,
    bits: tuple[tuple[int, ...], tuple[int, ...]],
    split: tuple[int, ...],
    exact: tuple[int, ...],
    llrs: Any,
) -> bool:
    """Demap ``[n]`` symbols; returns whether all noise variances are above 0.

    Of the tuples only the lengths matter, as they are part of the types: there is machine code of
    its own for each.

    Args:
        received: complex64 ``[n]``.
        noise_variance: N0, float32 ``[n]``.
        d: The least positive level, float32.
        bits: For I and for Q a tuple as long as its label.
        split: Not empty: the bits of I precede those of Q. Empty: they alternate.
        exact: Not empty: exact. Empty: max-log.
        llrs: float32 ``[n * bits per symbol]``, written.
    """
    good = True
    for s in range(len(received)):
        good &= _demap_symbol(received, noise_variance, d, bits, split, exact, llrs, s)
    return good


@step(types.boolean)
def _demap_symbol(
    target: Target,
    received: Array,
    noise_variance: Array,
    d: ir.Value,
    bits: Tuple,
    split: Tuple,
    exact: Tuple,
    llrs: Array,
    s: ir.Value,
) -> ir.Value:
    """One turn of the loop; returns whether the noise variance is above 0."""
    b = target.builder
    widest_vectors(b)
    symbol = b.load(b.gep(received.data, [s]))
    n0 = Real(b, b.load(b.gep(noise_variance.data, [s])))
    scale = minimum(2.0 / n0, _LIMIT)
    on_i, on_q = (
        axis_llrs(
            Real(b, b.extract_value(symbol, axis)),
            Real(b, d),
            scale,
            bits=len(label),
            exact=len(exact.values) > 0,
        )
        for axis, label in enumerate(bits.type)
    )
    found = on_i + on_q if split.values else _in_turn(on_i, on_q)
    first = b.mul(s, I64(len(found)), flags=["nuw", "nsw"])
    for place, llr in enumerate(found):
        address = b.gep(llrs.data, [b.add(first, I64(place), flags=["nuw", "nsw"])])
        b.store(llr.value, address)
    return n0 > 0.0


def axis_llrs(y: Real, d: Real, scale: Real, *, bits: int, exact: bool) -> list[Real]:
    """Emit the LLRs of the ``bits`` of one axis, from an amplitude and ``scale`` = 2 / N0."""
    folds = _fold(y, d, bits)
    llrs = _max_log(folds, d, scale)
    if exact and bits > 1:
        llrs = [x + c for x, c in zip(llrs, _corrections(folds, d, scale), strict=True)]
    signed = [where(one, -x, x) for x, one in zip(llrs, folds.ones, strict=True)]
    return [where(y.is_number(), x, nan) for x in signed]  # the limits would hide it


@dataclass(frozen=True)
class _Folds:
    """The folded amplitudes u_j, the centres of the folds, and whether bit j is 1."""

    u: list[Real]
    centres: list[Real]
    ones: list[Condition]


def _fold(y: Real, d: Real, bits: int) -> _Folds:
    u, ones = [abs(y)], [y < 0.0]
    centres = [d * 2.0 ** (bits - j) for j in range(bits)]
    for centre in centres[1:]:
        ones.append(u[-1] > centre)
        u.append(abs(u[-1] - centre))
    return _Folds(u[:bits], centres, ones[:bits])


def _max_log(folds: _Folds, d: Real, scale: Real) -> list[Real]:
    """The magnitudes of the max-log LLRs."""
    llrs, nearest = [], d
    for u, centre, one in zip(*map(reversed, (folds.u, folds.centres, folds.ones)), strict=True):
        llrs.append(minimum((nearest + d) * scale * (u - (nearest - d) * 0.5), _LIMIT))
        nearest = centre + where(one, nearest, -nearest)
    return llrs[::-1]


def _corrections(folds: _Folds, d: Real, scale: Real) -> list[Real]:
    """What the other levels add to the magnitudes of the max-log LLRs."""
    bits, one = len(folds.u), d.constant(1.0)
    exponent = d * scale * (-2 * _LOG2_E)  # 2^exponent = exp(-4 d / N0)
    r = [exp2(exponent * u) for u in folds.u]
    powers = [_odd_powers(r[j], 2 ** (bits - 1 - j)) for j in range(bits)]
    curvature = _powers(exp2(exponent * d * 2.0), 2 ** (bits - 1) - 1)

    near = [[one]]
    for j in range(bits - 1, 0, -1):
        image = [_product(p, power) for p, power in zip(near[0], powers[j], strict=True)]
        near.insert(0, _unfold(near[0], image, folds.ones[j]))

    found, weight = [], [[one] * 2 ** (bits - 1)] * 2  # of the near side, of the far side
    for j in range(bits):
        far = [one]
        for Q in curvature[: len(near[j]) - 1]:
            far.append(_product(far[-1], r[j] * Q))
        found.append(log_ratio(_dot(near[j], weight[0]), _dot(far, weight[1])))
        with_image = [fma(*parts) for parts in zip(powers[j], weight[1], weight[0], strict=True)]
        if j + 1 < bits:
            weight = _halves(with_image, folds.ones[j + 1])
    return found


def _unfold(near: list[Real], image: list[Real], one: Condition) -> list[Real]:
    """Both sides of fold j, sorted by the level of fold j - 1; bit j = 1: near is above."""
    near_below, near_above = near[::-1] + image, image[::-1] + near
    return [where(one, a, b) for a, b in zip(near_above, near_below, strict=True)]


def _halves(values: list[Real], one: Condition) -> list[list[Real]]:
    """Undo `_unfold`: the near and the far side."""
    middle = len(values) // 2
    below, above = values[:middle][::-1], values[middle:]
    pairs = list(zip(below, above, strict=True))
    return [[where(one, b, a) for a, b in pairs], [where(one, a, b) for a, b in pairs]]


def _powers(x: Real, count: int) -> list[Real]:
    """The powers x, x^2, x^3, .."""
    powers = [x]
    while len(powers) < count:
        powers.append(_product(powers[-1], x))
    return powers[:count]


def _odd_powers(x: Real, count: int) -> list[Real]:
    """The powers x, x^3, x^5, .."""
    powers, square = [x], x * x
    while len(powers) < count:
        powers.append(_product(powers[-1], square))
    return powers


def _product(a: Real, b: Real) -> Real:
    return maximum(a * b, _LEAST)


def _dot(a: list[Real], b: list[Real]) -> Real:
    total = a[0] * b[0]
    for x, y in zip(a[1:], b[1:], strict=True):
        total = fma(x, y, total)
    return total


def _in_turn(a: list[Real], b: list[Real]) -> list[Real]:
    """The first of a, the first of b, the second of a, .."""
    return [parts[j] for j in range(len(a)) for parts in (a, b) if j < len(parts)]
