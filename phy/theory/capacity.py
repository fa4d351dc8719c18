"""Capacities, in bits per complex symbol: of the channel, of a constellation, of its bits."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from phy.constellation import Constellation
from phy.fading import Fading
from phy.theory.fading_mean import power_gain_rule
from phy.theory.q_function import Floats

_AXIS_NODES = 128
_PLANE_NODES = 32


def awgn_capacity(esn0_db: ArrayLike) -> Floats:
    """log2(1 + Es/N0): Shannon's limit for Gaussian symbols.

    >>> float(awgn_capacity(0.0))
    1.0
    """
    return np.asarray(np.log2(1 + _linear(esn0_db)))


def ergodic_capacity(esn0_db: ArrayLike, *, fading: Fading) -> Floats:
    """E[log2(1 + |h|^2 Es/N0)]: the gain changes from symbol to symbol, the receiver knows it.

    >>> from phy.fading import Rayleigh
    >>> round(float(ergodic_capacity(0.0, fading=Rayleigh(span=1))), 6)  # e E1(1) / ln 2
    0.860347
    """
    gains, weights = power_gain_rule(fading)
    return np.asarray((np.log2(1 + _linear(esn0_db)[..., None] * gains) * weights).sum(axis=-1))


def constellation_capacity(constellation: Constellation, esn0_db: ArrayLike) -> Floats:
    """Mutual information of equally likely points and the received symbol, in AWGN.

    m - E log2 sum_k exp(-(|s - s_k + n|^2 - |n|^2) / N0), m = bits per symbol ("coded
    modulation" capacity), by Gauss-Hermite quadrature over n.

    Source: G. Caire, G. Taricco, E. Biglieri, "Bit-interleaved coded modulation", IEEE Trans.
    Inf. Theory 44(3), 1998, section III.

    >>> from phy.qam import qam
    >>> round(float(constellation_capacity(qam(4), 0.187)), 3)  # rate 1/2 at Eb/N0 0.187 dB
    1.0
    """
    return _over(constellation, esn0_db, bitwise=False)


def bicm_capacity(constellation: Constellation, esn0_db: ArrayLike) -> Floats:
    """Sum over the label's bits of the mutual information of a bit and the received symbol.

    What a binary code with a bit interleaver and exact LLRs can reach; equal to the capacity of
    the constellation where each bit has a real axis of its own.

    Source: Caire, Taricco and Biglieri 1998, section III.

    >>> from phy.qam import qam
    >>> bool(bicm_capacity(qam(16), 5.0) < constellation_capacity(qam(16), 5.0))
    True
    """
    return _over(constellation, esn0_db, bitwise=True)


def _linear(esn0_db: ArrayLike) -> Floats:
    return np.asarray(10 ** (np.asarray(esn0_db, dtype=np.float64) / 10))


def _over(constellation: Constellation, esn0_db: ArrayLike, *, bitwise: bool) -> Floats:
    """The information at each Es/N0: per axis where the axes are separable, else in the plane."""
    noise_variance = 1 / _linear(esn0_db)
    total = np.zeros(noise_variance.shape)
    if constellation.axes is None:
        node, weight = np.polynomial.hermite.hermgauss(_PLANE_NODES)
        nodes = (node[:, None] + 1j * node).reshape(-1)
        weights = np.outer(weight, weight).reshape(-1) / np.pi
        parts = [constellation.points.numpy()]
    else:
        nodes, weights = np.polynomial.hermite.hermgauss(_AXIS_NODES)
        weights = weights / np.pi**0.5
        parts = [axis.levels.numpy() for axis in constellation.axes]
    for place, variance in np.ndenumerate(noise_variance):
        total[place] = sum(
            _information(points, nodes, weights, float(variance), bitwise) for points in parts
        )
    return total


def _information(
    points: np.ndarray, nodes: np.ndarray, weights: Floats, noise_variance: float, bitwise: bool
) -> float:
    """Information of points ``[M]`` on a line or in the plane, label = index.

    Args:
        points: Real or complex ``[M]``.
        nodes: Noise over sqrt(N0) at the quadrature nodes, ``[nodes]``.
        weights: Of the nodes, ``[nodes]``, summing to 1.
        noise_variance: N0.
        bitwise: Sum over the bits of the label in place of the whole label.
    """
    size = len(points)
    bits = size.bit_length() - 1
    noise = nodes * noise_variance**0.5
    loss = 0.0
    for sent, point in enumerate(points):
        apart = np.abs(point - points[:, None] + noise) ** 2 - np.abs(noise) ** 2
        metrics = -apart / noise_variance
        everything = logsumexp(metrics, axis=0)
        if bitwise:
            for place in range(bits):
                alike = (np.arange(size) >> place) & 1 == (sent >> place) & 1
                loss += float(weights @ (everything - logsumexp(metrics[alike], axis=0)))
        else:
            loss += float(weights @ everything)
    return bits - loss / (size * float(np.log(2)))
