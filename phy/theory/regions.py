"""Exact error rates of any points in the plane under maximum-likelihood decisions.

For a fixed received I value x, the decision along Q is piecewise constant: every point scores
x p_I + y p_Q - |p|^2 / 2, a line in y, and the decided point is the upper envelope of the lines.
Its breakpoints are computed, so the integral over y is a difference of Q functions, and only the
integral over x is numeric. As functions of x the breakpoints are smooth between the vertices of
the Voronoi diagram: there the Gauss-Legendre panels meet.
"""

from itertools import pairwise
from math import pi, sqrt

import numpy as np
from scipy.spatial import Voronoi

from phy.theory.q_function import Floats, q_function

_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(12)
_REACH = 11.0
"""The integral ends this many standard deviations beyond the points."""


def expected_cost(points: np.ndarray, cost: Floats, esn0: float) -> float:
    """Mean cost of a decision, over equally likely points.

    Args:
        points: Complex ``[M]``, unit mean energy, not all on one line.
        cost: ``[M, M]``: cost of deciding the column where the row was sent; 0 on the diagonal.
        esn0: Es/N0, linear.

    >>> qpsk = np.array([1 + 1j, 1 - 1j, -1 + 1j, -1 - 1j]) / 2**0.5
    >>> p = q_function(2**0.5)  # of either axis at Es/N0 = 2
    >>> bool(abs(expected_cost(qpsk, 1 - np.eye(4), 2.0) - (2 * p - p**2)) < 1e-12)
    True
    """
    deviation = 1 / sqrt(2 * esn0)
    x, weights = _nodes(points, deviation)
    lower, upper, label = _envelope(points, x)
    total = 0.0
    for q in _row_values(points):
        chance = _normal_interval((lower - q) / deviation, (upper - q) / deviation)
        for sent in np.flatnonzero(np.abs(points.imag - q) < 1e-9):
            density = weights * np.exp(-(((x - points.real[sent]) / deviation) ** 2) / 2)
            seen = density > 1e-290
            mean = np.einsum("xr,xr->x", chance[seen], cost[sent][label[seen]])
            total += float(density[seen] @ mean)
    return total / (len(points) * deviation * sqrt(2 * pi))


def _nodes(points: np.ndarray, deviation: float) -> tuple[Floats, Floats]:
    """Quadrature over x, ``[X]``: panels between vertices, none wider than 1.5 deviations."""
    vertices = Voronoi(np.stack([points.real, points.imag], axis=1)).vertices[:, 0]
    low = points.real.min() - _REACH * deviation
    high = points.real.max() + _REACH * deviation
    inside = vertices[(vertices > low) & (vertices < high)].round(10)
    edges = np.unique(np.concatenate([[low], inside, [high]]))
    parts = [
        np.linspace(a, b, int(np.ceil((b - a) / (1.5 * deviation))) + 1)[:-1]
        for a, b in pairwise(edges)
    ]
    bounds = np.append(np.concatenate(parts), high)
    half = np.diff(bounds)[:, None] / 2
    middle = (bounds[1:] + bounds[:-1])[:, None] / 2
    return (middle + half * _NODES).reshape(-1), (half * _NODE_WEIGHTS).reshape(-1)


def _envelope(points: np.ndarray, x: Floats) -> tuple[Floats, Floats, np.ndarray]:
    """For each x and each distinct p_Q, the interval of y that its best point wins.

    Returns:
        Lower ends, upper ends and labels, each ``[X, rows]``; upper <= lower where it wins none.
    """
    rows = _row_values(points)
    label = np.empty((len(x), len(rows)), dtype=np.int64)
    score = np.empty((len(x), len(rows)))
    for row, q in enumerate(rows):
        members = np.flatnonzero(np.abs(points.imag - q) < 1e-9)
        scores = x[:, None] * points.real[members] - np.abs(points[members]) ** 2 / 2
        best = scores.argmax(axis=1)
        label[:, row] = members[best]
        score[:, row] = scores[np.arange(len(x)), best]
    lower = np.full(score.shape, -np.inf)
    upper = np.full(score.shape, np.inf)
    for a in range(len(rows)):
        for b in range(a + 1, len(rows)):
            crossing = (score[:, a] - score[:, b]) / (rows[b] - rows[a])
            upper[:, a] = np.minimum(upper[:, a], crossing)
            lower[:, b] = np.maximum(lower[:, b], crossing)
    return lower, upper, label


def _row_values(points: np.ndarray) -> Floats:
    """The distinct p_Q, ascending; values within rounding of each other are one."""
    _, place = np.unique(points.imag.round(10), return_index=True)
    values: Floats = points.imag[place]
    return values


def _normal_interval(lower: Floats, upper: Floats) -> Floats:
    """P(lower < N(0, 1) < upper), 0 where upper <= lower, with small tails kept exact."""
    mirrored = lower + upper < 0
    near = np.where(mirrored, -upper, lower)
    far = np.where(mirrored, -lower, upper)
    return np.where(upper > lower, q_function(near) - q_function(far), 0.0)
