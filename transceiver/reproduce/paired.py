"""Estimates from units that several codecs share: the same image, noise and fading.

A column of a codec at a point is a ratio of sums over its units, T / B: for a metric B counts the
units, for an error rate T counts errors and B the bits. All estimates are smooth functions of such
ratios. Their 95 % intervals come from the central limit theorem and the delta method (G. Casella
and R. Berger, "Statistical inference", 2002, sections 5.5.4 and 5.5.5): the estimate is linear in
the units' influences, whose spread is measured unit by unit, so that what the units have in common
cancels in a difference. The trials of one image count as one draw.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from transceiver.intervals import Estimate, Z

TRIALS = 2**32
"""A unit is numbered image * TRIALS + trial."""

_NOTHING = Estimate(math.nan, math.nan, math.nan)


@dataclass(frozen=True, eq=False)
class Sample:
    """A column of one codec at one point.

    Attributes:
        unit: Numbers of the units, rising ``[n]``.
        top: What each unit adds to the numerator ``[n]``.
        bottom: What it adds to the denominator ``[n]``.
    """

    unit: NDArray[np.int64]
    top: NDArray[np.float64]
    bottom: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Refuse units out of order, which could not be paired."""
        if not len(self.unit) == len(self.top) == len(self.bottom):
            raise ValueError(
                f"unit, top and bottom must be of one length, got {len(self.unit)}, "
                f"{len(self.top)} and {len(self.bottom)}"
            )
        if not (np.diff(self.unit) > 0).all():
            raise ValueError("unit must rise from one to the next")

    @property
    def value(self) -> float:
        """T / B; NaN where B is 0."""
        return float(self.top.sum() / self.bottom.sum()) if self.bottom.sum() else math.nan

    def of(self, unit: NDArray[np.int64]) -> "Sample":
        """Only some of its units ``[m]``."""
        if len(unit) == len(self.unit):
            return self
        chosen = np.isin(self.unit, unit, assume_unique=True)
        return Sample(self.unit[chosen], self.top[chosen], self.bottom[chosen])

    def influence(self) -> NDArray[np.float64]:
        """By how much each unit moves the value, times n ``[n]``; it sums to 0."""
        scale = len(self.unit) / float(self.bottom.sum())
        residual: NDArray[np.float64] = self.top - self.value * self.bottom
        return residual * scale


def aligned(samples: Sequence[Sample]) -> list[Sample]:
    """The units that all samples have."""
    common = reduce(
        lambda a, b: a if np.array_equal(a, b) else np.intersect1d(a, b, assume_unique=True),
        [sample.unit for sample in samples],
    )
    return [sample.of(common) for sample in samples]


def combination(terms: Sequence[tuple[float, Sample]]) -> Estimate:
    """A weighted sum of values over the units that all have: a mean, a difference, a contrast.

    >>> unit = np.arange(4) * TRIALS
    >>> a = Sample(unit, np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4))
    >>> b = Sample(unit, np.array([0.0, 1.0, 2.0, 3.0]), np.ones(4))
    >>> combination([(1, a), (-1, b)])
    Estimate(value=1.0, low=1.0, high=1.0)
    >>> round(combination([(1, a)]).high - 2.5, 3)
    1.265
    """
    weights = [weight for weight, _ in terms]
    samples = aligned([sample for _, sample in terms])
    value = sum(w * s.value for w, s in zip(weights, samples, strict=True))
    if not math.isfinite(value):
        return _NOTHING
    influence = sum(
        (w * s.influence() for w, s in zip(weights, samples, strict=True)),
        np.zeros(len(samples[0].unit)),
    )
    return _interval(value, influence, samples[0].unit)


def relative(a: Sample, b: Sample, *, falling: bool = False) -> Estimate:
    """(A - B) / B, or (B - A) / B of a column that is better when it is lower.

    >>> unit = np.arange(2) * TRIALS
    >>> a = Sample(unit, np.array([2.0, 4.0]), np.ones(2))
    >>> relative(a, Sample(unit, a.top / 2, a.bottom))
    Estimate(value=1.0, low=1.0, high=1.0)
    """
    a, b = aligned([a, b])
    if not math.isfinite(a.value) or not b.value:
        return _NOTHING
    sign, quotient = -1 if falling else 1, a.value / b.value
    influence = sign * (a.influence() - quotient * b.influence()) / b.value
    return _interval(sign * (quotient - 1), influence, a.unit)


def _interval(value: float, influence: NDArray[np.float64], unit: NDArray[np.int64]) -> Estimate:
    """The interval from influences ``[n]`` that sum to 0; unbounded for a single draw."""
    image = unit // TRIALS
    if len(np.unique(image)) == 1:
        image = unit
    _, draw = np.unique(image, return_inverse=True)
    sums = np.bincount(draw, weights=influence)
    draws = len(sums)
    if draws < 2:
        return Estimate(value, -math.inf, math.inf)
    half = Z * math.sqrt(draws / (draws - 1) * float(np.square(sums).sum())) / len(unit)
    return Estimate(value, value - half, value + half)
