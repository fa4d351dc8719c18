"""Bit and symbol error rates of a constellation, with and without fading.

Hard decisions for the nearest point, coherent, with the gain known exactly.
"""

import numpy as np
from numpy.typing import ArrayLike

from phy.constellation import Constellation
from phy.fading import Fading, NoFading, Rayleigh
from phy.theory.fading_mean import power_gain_rule
from phy.theory.pam import QTerms, bit_error_terms, level_error_terms
from phy.theory.q_function import Floats, q_function, rayleigh_mean_q, rician_mean_q
from phy.theory.regions import expected_cost

_NO_FADING = NoFading()


def ber(constellation: Constellation, esn0_db: ArrayLike, *, fading: Fading = _NO_FADING) -> Floats:
    """Bit error rate, averaged over the bits of the label and over the fading.

    Exact: sums of Q functions where the axes are separable (under fading: the closed form for
    Rayleigh, one finite integral for Rician), integration over the decision regions elsewhere.

    Args:
        constellation: Any.
        esn0_db: Mean transmitted Es/N0 in dB, any shape.
        fading: Law of the gain. Its span changes no mean.

    Returns:
        float64, the shape of ``esn0_db``.

    >>> from phy.qam import qam
    >>> print(f"{ber(qam(4), 7.0):.3e} {ber(qam(16), 12.0):.3e}")
    1.259e-02 2.813e-02
    >>> print(f"{ber(qam(4), 10.0, fading=Rayleigh(span=1)):.3e}")
    4.356e-02
    """
    esn0 = _linear(esn0_db)
    m = constellation.bits_per_symbol
    if constellation.axes is None:
        bits = constellation.label_bits.numpy()
        cost = (bits[:, None] != bits).sum(axis=-1) / m
        return _plane_rate(constellation, cost, esn0, fading)
    rates = [_mean(bit_error_terms(axis), esn0, fading) for axis in constellation.axes]
    return np.asarray(sum(rates) / m)


def ser(constellation: Constellation, esn0_db: ArrayLike, *, fading: Fading = _NO_FADING) -> Floats:
    """Symbol error rate, averaged over the fading.

    Args:
        constellation: Any.
        esn0_db: Mean transmitted Es/N0 in dB, any shape.
        fading: Law of the gain. Its span changes no mean.

    Returns:
        float64, the shape of ``esn0_db``.

    >>> from phy.psk import bpsk
    >>> bool(ser(bpsk(), 5.0) == ber(bpsk(), 5.0))
    True
    """
    esn0 = _linear(esn0_db)
    if constellation.axes is None:
        order = len(constellation.points)
        return _plane_rate(constellation, 1 - np.eye(order), esn0, fading)
    gains, weights = power_gain_rule(fading)
    on_i, on_q = (
        _mean(level_error_terms(axis), esn0[..., None] * gains, _NO_FADING)
        for axis in constellation.axes
    )
    return np.asarray(((on_i + on_q - on_i * on_q) * weights).sum(axis=-1))


def _linear(esn0_db: ArrayLike) -> Floats:
    return np.asarray(10 ** (np.asarray(esn0_db, dtype=np.float64) / 10))


def _mean(terms: QTerms, esn0: Floats, fading: Fading) -> Floats:
    """Mean of a sum of Q functions."""
    a = 2 * terms.distances**2 * esn0[..., None]
    if isinstance(fading, NoFading):
        q = q_function(np.sqrt(a))
    elif isinstance(fading, Rayleigh):
        q = rayleigh_mean_q(a)
    else:
        q = rician_mean_q(a, k_factor=fading.k_factor)
    return np.asarray((q * terms.weights).sum(axis=-1))


def _plane_rate(constellation: Constellation, cost: Floats, esn0: Floats, fading: Fading) -> Floats:
    """Mean cost over points in the plane and over the fading."""
    points = constellation.points.numpy()
    distance = np.abs(points[:, None] - points)
    nearest = distance[distance > 1e-9].min()
    gains, weights = power_gain_rule(fading)
    rate = np.zeros(esn0.shape)
    for place, mean in np.ndenumerate(esn0):
        for gain, weight in zip(gains, weights, strict=True):
            # Q(x) < exp(-x^2 / 2): what adds less than about 1e-18 under fading is left out.
            if len(gains) == 1 or weight * np.exp(-(nearest**2) * mean * gain / 4) > 1e-20:
                rate[place] += weight * expected_cost(points, cost, float(mean * gain))
    return rate
