"""Averages over the power gain g = |h|^2 of fading, by a quadrature rule in ln g."""

from functools import cache
from math import log, sqrt

import numpy as np
from scipy.special import ive

from phy.fading import Fading, NoFading, Rayleigh
from phy.theory.q_function import Floats


def power_gain_rule(fading: Fading) -> tuple[Floats, Floats]:
    """Nodes g and weights w, both ``[nodes]``, with E[f(g)] = sum w f(g) for smooth f.

    The density is exp(-g) (Rayleigh), or the noncentral chi-square of two degrees of freedom,
    (1 + K) exp(-K - (1 + K) g) I0(2 sqrt(K (1 + K) g)) (Rician). With g = exp(t) the integrand
    is smooth and falls off at both ends, where the trapezoidal rule converges exponentially;
    cut at g = 1e-13, it leaves an error of about that size. A gain's span plays no part.

    >>> g, w = power_gain_rule(Rayleigh(span=1))
    >>> [round(float((w * g**n).sum()), 9) for n in (0, 1, 2)]  # n!
    [1.0, 1.0, 2.0]
    """
    if isinstance(fading, NoFading):
        return np.ones(1), np.ones(1)
    return _rician_rule(0.0 if isinstance(fading, Rayleigh) else fading.k_factor)


@cache
def _rician_rule(k_factor: float) -> tuple[Floats, Floats]:
    step = min(0.25, 0.6 / sqrt(1 + k_factor))
    g = np.exp(np.arange(log(1e-13), log(60), step))
    bessel = 2 * np.sqrt(k_factor * (1 + k_factor) * g)
    exponent = -((np.sqrt(k_factor) - np.sqrt((1 + k_factor) * g)) ** 2)
    w = step * g * (1 + k_factor) * np.exp(exponent) * ive(0, bessel)
    kept = w > 1e-60
    return g[kept], w[kept]
