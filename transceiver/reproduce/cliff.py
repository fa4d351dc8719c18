"""The cliff of a curve: where a metric falls from its level at the top of a sweep to the bottom's.

It is counted as the swept value x at which the metric, linearly interpolated between the points,
crosses the middle of its values at both ends of the sweep,

    y(x) = (y(x_first) + y(x_last)) / 2,

and if it does so several times, the crossing that lies highest. Intervals are percentiles of the
bootstrap (B. Efron, Annals of Statistics 7, 1979), seed 0: images are drawn again, each with all
its trials and for all series and points alike, as these share image, noise and fading. A single
image's trials are drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transceiver.intervals import Estimate
from transceiver.reproduce.evidence import Evidence
from transceiver.reproduce.finding import TOO_LITTLE, decisive, number
from transceiver.reproduce.paired import TRIALS, Sample, aligned, combination

RESAMPLES = 500
"""Draws of the bootstrap."""


class CliffError(Exception):
    """Why the cliff of a series cannot be told."""


@dataclass(frozen=True, eq=False)
class Cliffs:
    """The cliffs of several series over the units that all have.

    Attributes:
        values: Where they are ``[series]``, in units of the swept quantity.
        resampled: Where they are in each draw of the bootstrap ``[RESAMPLES, series]``; NaN where
            a draw is flat.
        ends: Of each series the metric at the first and the last point ``[series, 2]``.
    """

    values: NDArray[np.float64]
    resampled: NDArray[np.float64]
    ends: NDArray[np.float64]

    def at(self, series: int) -> Estimate:
        """The cliff of a series."""
        return _percentiles(float(self.values[series]), self.resampled[:, series])

    def shift(self, series: int, over: int) -> Estimate:
        """By how much the cliff of a series lies above that of another."""
        return _percentiles(
            float(self.values[series] - self.values[over]),
            self.resampled[:, series] - self.resampled[:, over],
        )

    def closer(self, pair: tuple[int, int], other: tuple[int, int]) -> Estimate:
        """By how much the cliffs of a pair lie closer together than those of another pair."""
        value, resampled = (
            np.abs(x[..., other[0]] - x[..., other[1]]) - np.abs(x[..., pair[0]] - x[..., pair[1]])
            for x in (self.values, self.resampled)
        )
        return _percentiles(float(value), resampled)


def crossing(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where curves cross the middle of their ends for the last time ``[...]``.

    Args:
        x: Rising ``[points]``.
        y: The curves ``[..., points]``.

    Returns:
        Between the first and the last x; NaN where both ends are equal.

    >>> x = np.array([0.0, 2.0, 4.0, 6.0])
    >>> print(crossing(x, np.array([[10, 10, 30, 30], [0, 8, 2, 10], [1, 5, 9, 1]])))
    [3.   4.75  nan]
    """
    above = y - (y[..., :1] + y[..., -1:]) / 2
    above = above * np.sign(above[..., -1:])
    behind = np.argmax(above[..., -2::-1] <= 0, axis=-1)  # points between, from the last one down
    left = y.shape[-1] - 2 - behind
    start, stop = (
        np.take_along_axis(above, place[..., None], axis=-1)[..., 0] for place in (left, left + 1)
    )
    sloped = (above[..., -1] > 0) & (start <= 0)
    share = -start / np.where(sloped, stop - start, 1.0)
    return np.where(sloped, x[left] + share * (x[left + 1] - x[left]), np.nan)


def cliffs(names: Sequence[str], column: str, run: Evidence) -> Cliffs:
    """The cliffs of series in a column.

    Raises:
        CliffError: A point was not run, there is a single unit, or a series is flat: its values at
            the ends of the sweep do not differ significantly.
    """
    rising = sorted(range(len(run.values)), key=lambda point: run.values[point])
    x = np.array([run.values[point] for point in rising])
    curves: list[Sample] = []
    for name in names:
        best = [run.best(name, point, column) for point in rising]
        curve = [b.sample for b in best if b is not None]
        if len(curve) < len(best):
            raise CliffError(TOO_LITTLE)
        _refuse_flat(name, column, x, curve)
        curves += curve
    samples = aligned(curves)
    top, bottom = (
        np.stack([_by_draw(sample.unit, part) for sample, part in parts], axis=-1)
        for parts in ([(s, s.top) for s in samples], [(s, s.bottom) for s in samples])
    )
    draws = len(top)
    if draws < 2:
        raise CliffError(TOO_LITTLE)
    weights = np.random.default_rng(0).multinomial(draws, np.full(draws, 1 / draws), RESAMPLES)
    weights = np.concatenate([np.ones((1, draws)), weights])  # the first is the run itself
    with np.errstate(invalid="ignore", divide="ignore"):
        y = ((weights @ top) / (weights @ bottom)).reshape(len(weights), len(names), len(x))
    found = crossing(x, y)
    if np.isnan(found[0]).any():
        raise CliffError(TOO_LITTLE)
    return Cliffs(found[0], found[1:], y[0][:, [0, -1]])


def _refuse_flat(name: str, column: str, x: NDArray[np.float64], curve: Sequence[Sample]) -> None:
    rise = combination([(1, curve[-1]), (-1, curve[0])])
    if not decisive(rise):
        raise CliffError(TOO_LITTLE)
    if rise.low <= 0 <= rise.high:
        first, last = (number(column, sample.value) for sample in (curve[0], curve[-1]))
        raise CliffError(
            f"no cliff: {name} is flat, {first} at {x[0]:g} and {last} at {x[-1]:g} do not differ "
            "significantly"
        )


def _by_draw(unit: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over what is drawn together ``[draws]``: an image's trials, or those of the only one."""
    image = unit // TRIALS
    if len(np.unique(image)) == 1:
        image = unit
    _, draw = np.unique(image, return_inverse=True)
    return np.bincount(draw, weights=values).astype(np.float64)


def _percentiles(value: float, resampled: NDArray[np.float64]) -> Estimate:
    low, high = np.nanquantile(resampled, [0.025, 0.975])
    return Estimate(value, float(low), float(high))
