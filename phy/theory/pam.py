"""Exact error rates of one Gray (or otherwise) labelled axis, as sums of Q functions.

For a sent level s and the decision thresholds t around it, P(decided beyond t) = Q(|t - s| / w),
w^2 = N0 / 2. Summing by parts over the decided levels, the expected cost of an error is

    sum_t [cost(first level beyond t) - cost(last level before t)] Q(|t - s| / w),

which for the bits of square QAM is the result of K. Cho and D. Yoon, "On the general BER
expression of one- and two-dimensional amplitude modulations", IEEE Trans. Commun. 50(7), 2002.
"""

from dataclasses import dataclass

import numpy as np

from phy.constellation import Axis
from phy.theory.q_function import Floats


@dataclass(frozen=True, eq=False)
class QTerms:
    """sum_i weights[i] Q(distances[i] sqrt(2 Es/N0)).

    Attributes:
        weights: ``[terms]``.
        distances: ``[terms]``, from a point to a threshold, for unit mean symbol energy.
    """

    weights: Floats
    distances: Floats


def bit_error_terms(axis: Axis) -> QTerms:
    """Expected number of wrong bits of one axis, per symbol.

    >>> import torch
    >>> bit_error_terms(Axis(torch.tensor([1.0, -1.0]), (0,)))
    QTerms(weights=array([1.]), distances=array([1.]))
    """
    label = np.argsort(axis.levels.numpy())
    differing = label[:, None] ^ label
    cost = sum((differing >> place) & 1 for place in range(len(axis.bits)))
    return _terms(axis, np.asarray(cost, dtype=np.float64) * np.ones(differing.shape))


def level_error_terms(axis: Axis) -> QTerms:
    """Probability that another level than the sent one is decided.

    >>> import torch
    >>> level_error_terms(Axis(torch.tensor([3.0, 1.0, -1.0, -3.0]), (0, 1)))
    QTerms(weights=array([1.5]), distances=array([1.]))
    """
    return _terms(axis, 1 - np.eye(len(axis.levels)))


def _terms(axis: Axis, cost: Floats) -> QTerms:
    """Terms of a cost ``[L, L]`` of deciding level j (column) where i (row) was sent."""
    level = np.sort(axis.levels.numpy().astype(np.float64))
    threshold = (level[1:] + level[:-1]) / 2
    distance = threshold - level[:, None]  # [L, L - 1], negative: the threshold lies below
    weight: Floats = np.sign(distance) * np.diff(cost, axis=1) / len(level)
    # Equal distances, up to rounding, are one term; terms that cancel are none.
    found, place = np.unique(np.abs(distance).round(12), return_inverse=True)
    total = np.zeros(len(found))
    np.add.at(total, place.reshape(-1), weight.reshape(-1))
    kept = np.abs(total) > 1e-12
    return QTerms(weights=total[kept], distances=found[kept])
