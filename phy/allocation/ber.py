"""Bit error rate of one square QAM symbol under AWGN: the paper's formula, and the exact one.

Both take the Es/N0 at which the symbol is received, p |h|^2 / N0 = p gamma.
"""

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erfc

from phy.qam import qam
from phy.theory.pam import bit_error_terms
from phy.theory.q_function import Floats, q_function

BITS_PER_SYMBOL = (2, 4, 6, 8, 10)
"""The modulation orders m of square 2**m-QAM that an allocation may choose from."""


def approximate_ber(esn0: ArrayLike, *, bits_per_symbol: int) -> Floats:
    """Mean bit error rate of Gray labelled square QAM, to the two nearest thresholds.

    With L = sqrt(2**m) levels per axis and u = sqrt(3 p gamma / (2 (2**m - 1))):

        eps = [(L - 1) erfc(u) + (L - 2) erfc(3 u)] / (L log2 L).

    Exact for m = 2. Without power it gives 1/2, 5/8, 13/24, 29/64 and 61/160 for m = 2 to 10,
    where every BER truly is 1/2: it is meant for error rates well below that.

    Args:
        esn0: p gamma >= 0, linear, any shape.
        bits_per_symbol: m = 2, 4, 6, 8 or 10.

    Returns:
        float64, the shape of ``esn0``.

    Raises:
        ValueError: Another number of bits, or a negative Es/N0.

    Source: ESC-MVQ, eq. 33, whose "erf" is the complementary error function.

    >>> approximate_ber([0.0, 10.0], bits_per_symbol=4).round(6).tolist()
    [0.625, 0.058993]
    """
    near, far = coefficients(bits_per_symbol)
    u = np.sqrt(1.5 * _checked(esn0) / (2**bits_per_symbol - 1))
    return np.asarray(near * erfc(u) + far * erfc(3 * u))


def exact_ber(esn0: ArrayLike, *, bits_per_symbol: int) -> Floats:
    """Mean bit error rate of Gray labelled square QAM, all thresholds counted.

    Arguments, result and refusals as of `approximate_ber`; source as of `phy.theory.pam`.

    >>> exact_ber([0.0, 10.0], bits_per_symbol=4).round(6).tolist()
    [0.5, 0.058993]
    """
    _check_order(bits_per_symbol)
    axes = qam(2**bits_per_symbol).axes
    assert axes is not None
    terms = [bit_error_terms(axis) for axis in axes]
    root = np.sqrt(2 * _checked(esn0))[..., None]
    rates = [(q_function(t.distances * root) * t.weights).sum(axis=-1) for t in terms]
    return np.asarray(sum(rates) / bits_per_symbol)


def coefficients(bits_per_symbol: int) -> tuple[float, float]:
    """The factors of erfc(u) and of erfc(3 u) in eq. 33.

    >>> coefficients(4)
    (0.375, 0.25)
    """
    _check_order(bits_per_symbol)
    levels, bits_per_axis = sqrt(2**bits_per_symbol), bits_per_symbol // 2
    return (levels - 1) / (levels * bits_per_axis), (levels - 2) / (levels * bits_per_axis)


def _check_order(bits_per_symbol: int) -> None:
    if bits_per_symbol not in BITS_PER_SYMBOL:
        raise ValueError(f"bits_per_symbol must be 2, 4, 6, 8 or 10, got {bits_per_symbol}")


def _checked(esn0: ArrayLike) -> Floats:
    found = np.asarray(esn0, dtype=np.float64)
    if not np.all(found >= 0):
        raise ValueError(f"esn0 must be >= 0, got {found}")
    return found
