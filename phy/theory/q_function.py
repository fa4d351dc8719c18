"""The Gaussian tail probability, and its mean under fading."""

from math import pi, sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfc, erfcinv

Floats: TypeAlias = NDArray[np.float64]

_CRAIG_NODES = 200


def q_function(x: ArrayLike) -> Floats:
    """Q(x) = P(N(0, 1) > x) = erfc(x / sqrt 2) / 2.

    >>> round(float(q_function(1.0)), 6)
    0.158655
    """
    return np.asarray(0.5 * erfc(np.asarray(x, dtype=np.float64) / sqrt(2)))


def q_inverse(probability: ArrayLike) -> Floats:
    """The x with Q(x) = ``probability``; `ValueError` outside (0, 1).

    >>> round(float(q_inverse(0.158655253931)), 9)
    1.0
    """
    p = np.asarray(probability, dtype=np.float64)
    if not np.all((p > 0) & (p < 1)):
        raise ValueError(f"probability must be in (0, 1), got {p}")
    return np.asarray(sqrt(2) * erfcinv(2 * p))


def rayleigh_mean_q(a: ArrayLike) -> Floats:
    """E[Q(sqrt(a g))] for g = |h|^2 of Rayleigh fading: (1 - sqrt(a / (2 + a))) / 2.

    Source: J. G. Proakis, Digital Communications, 4th ed., eq. 14.3-7.

    >>> round(float(rayleigh_mean_q(2.0)), 6)  # BPSK at 0 dB
    0.146447
    """
    half = np.asarray(a, dtype=np.float64) / 2
    # 1 - sqrt(r) = (1 - r) / (1 + sqrt(r)): no cancellation at high signal-to-noise ratios.
    return np.asarray(0.5 / (1 + half) / (1 + np.sqrt(half / (1 + half))))


def rician_mean_q(a: ArrayLike, *, k_factor: float) -> Floats:
    """E[Q(sqrt(a g))] for g = |h|^2 of Rician fading, from Craig's form of Q.

    (1 / pi) int_0^(pi/2) M(-a / (2 sin^2 t)) dt with the moment generating function
    M(s) = (1 + K) / (1 + K - s) exp(K s / (1 + K - s)).

    Source: M. K. Simon, M.-S. Alouini, Digital Communication over Fading Channels, 2nd ed.,
    eq. 5.3 and Table 2.2.

    >>> abs(float(rician_mean_q(2.0, k_factor=0.0) - rayleigh_mean_q(2.0))) < 1e-12
    True
    """
    nodes, weights = np.polynomial.legendre.leggauss(_CRAIG_NODES)
    sine = np.sin((nodes + 1) * (pi / 4))
    s = np.asarray(a, dtype=np.float64)[..., None] / (2 * sine**2)
    mgf = (1 + k_factor) / (1 + k_factor + s) * np.exp(-k_factor * s / (1 + k_factor + s))
    return np.asarray((mgf * weights).sum(axis=-1) / 4)
