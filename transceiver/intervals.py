"""95 % intervals: Wilson's for rates, the bootstrap for means."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Z = 1.959963984540054
"""97.5 % point of the normal distribution."""

_RESAMPLES = 2000

_MANY_GROUPS = 1000


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval; NaN where nothing was counted."""

    value: float
    low: float
    high: float


def wilson(errors: int, trials: int) -> Estimate:
    """A rate from counts (E. B. Wilson, JASA 22, 1927); it treats the trials as independent.

    >>> e = wilson(0, 1000)
    >>> e.value, e.low, round(e.high, 5)
    (0.0, 0.0, 0.00383)
    """
    if not 0 <= errors <= trials:
        raise ValueError(f"errors must be from 0 to {trials} trials, got {errors}")
    if trials == 0:
        return Estimate(math.nan, math.nan, math.nan)
    rate = errors / trials
    scale = 1 + Z * Z / trials
    centre = (rate + Z * Z / (2 * trials)) / scale
    half = Z / scale * math.sqrt(rate * (1 - rate) / trials + Z * Z / (4 * trials * trials))
    low = 0.0 if errors == 0 else max(0.0, centre - half)
    return Estimate(rate, low, 1.0 if errors == trials else min(1.0, centre + half))


def bootstrap_mean(groups: Sequence[Sequence[float]]) -> Estimate:
    """The mean of all values, and the percentile bootstrap of it (Efron 1979), seed 0.

    What is drawn again are whole groups (all trials of one image stay together, as they share
    the image); with a single group its values are drawn. With more than a thousand groups the
    normal distribution of the mean takes the place of the draws, which tend to it.

    Args:
        groups: The values of each image.
    """
    groups = [g for g in groups if len(g)]
    if not groups:
        return Estimate(math.nan, math.nan, math.nan)
    if len(groups) == 1:
        groups = [[value] for value in groups[0]]
    sums = np.array([sum(g) for g in groups])
    sizes = np.array([len(g) for g in groups])
    mean = float(sums.sum() / sizes.sum())
    if not np.isfinite(sums).all():
        return Estimate(mean, mean, mean)
    if len(groups) > _MANY_GROUPS:
        # The mean is a ratio of sums: its error is that of the residuals (delta method).
        residuals = sums - mean * sizes
        half = Z * math.sqrt(float(residuals @ residuals)) / float(sizes.sum())
        return Estimate(mean, mean - half, mean + half)
    draw = np.random.default_rng(0).integers(len(groups), size=(_RESAMPLES, len(groups)))
    means = sums[draw].sum(axis=1) / sizes[draw].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(mean, float(low), float(high))
