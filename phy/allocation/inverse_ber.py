"""The Es/N0 that a symbol needs for a wanted mean bit error rate: eq. 33 turned round, by table.

With u = sqrt(3 p gamma / (2 (2**m - 1))), eq. 33 is a function eps(u) that falls from eps(0). Then

    y = ln(eps(0) / eps(u))    z = sqrt(y + 1/16) - 1/4    ->    u(z)

is smooth and almost a straight line: u grows as y where y is small, and as sqrt(y) where it is
large. Nodes 1/512 apart in z, each with its value and its slope, give p gamma between them by a
cubic Hermite polynomial to 1e-9 of its value. So nothing is solved while an allocation is searched.
"""

from functools import cache
from math import log, log1p, pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erfc

from phy.allocation.ber import BITS_PER_SYMBOL, coefficients
from phy.jit import kernel
from phy.theory.q_function import Floats

LEAST_BER = 1e-12
"""The smallest bit error rate that the tables reach."""

_NODES_PER_UNIT = 512
_BEND = 0.25


def needed_esn0(ber: ArrayLike, *, bits_per_symbol: int) -> Floats:
    """The least p gamma at which eq. 33 gives ``ber``; 0 where it does without any power.

    Args:
        ber: Wanted mean bit error rate, 1e-12 to 1, any shape.
        bits_per_symbol: m = 2, 4, 6, 8 or 10.

    Returns:
        float64, the shape of ``ber``, exact to 1e-9 of the value.

    Raises:
        ValueError: Another number of bits, or a rate outside of the range.

    Source: ESC-MVQ, eq. 38.

    >>> needed_esn0([0.625, 0.059], bits_per_symbol=4).round(3).tolist()
    [0.0, 9.999]
    """
    coefficients(bits_per_symbol)  # refuses other orders
    wanted = np.asarray(ber, dtype=np.float64)
    if not np.all((wanted >= LEAST_BER) & (wanted <= 1)):
        raise ValueError(f"ber must be from {LEAST_BER} to 1, got {wanted}")
    found = np.empty(wanted.shape)
    _invert_all(wanted.reshape(-1), bits_per_symbol, inverse_table(), found.reshape(-1))
    return found


@cache
def inverse_table() -> Floats:
    """What `invert` needs to know: ``[orders, nodes, 2]``, of each node u and du/dz.

    In the first node of an order, z = 0 and u = 0 go without saying: it holds eps(0) for u.
    """
    longest = sqrt(-log(LEAST_BER) + _BEND**2) - _BEND
    z = np.arange(int(longest * _NODES_PER_UNIT) + 2) / _NODES_PER_UNIT
    y = z * (z + 2 * _BEND)
    table = np.empty((len(BITS_PER_SYMBOL), len(z), 2))
    for row, bits_per_symbol in enumerate(BITS_PER_SYMBOL):
        near, far = coefficients(bits_per_symbol)
        most = near + far
        u = np.linspace(0, 6, 20001)
        u = np.interp(y, np.log(most / (near * erfc(u) + far * erfc(3 * u))), u)
        for _ in range(4):  # Newton's method: the error of 1e-6 becomes its square each time
            ber = near * erfc(u) + far * erfc(3 * u)
            fall = 2 * near * np.exp(-(u**2)) + 6 * far * np.exp(-9 * u**2)  # times 1 / sqrt(pi)
            slope = sqrt(pi) * ber / fall  # du/dy
            u -= slope * (np.log(most / ber) - y)
        table[row] = np.stack([u, slope * 2 * (z + _BEND)], axis=1)
        table[row, 0, 0] = most
    return table


@kernel
def invert(ber: float, bits_per_symbol: int, table: Any) -> float:
    """The p gamma at which eq. 33 gives ``ber`` (1e-12 to 1), from `inverse_table`."""
    row = table[bits_per_symbol // 2 - 1]
    most = row[0, 0]
    if ber >= most:
        return 0.0
    # The difference is exact near eps(0), where the logarithm of the ratio would be rounded.
    y = -log1p((ber - most) / most) if 2 * ber > most else log(most / ber)
    place = y / (sqrt(y + _BEND * _BEND) + _BEND) * _NODES_PER_UNIT
    node = int(place)
    s = place - node
    left = row[node, 0] if node else 0.0
    right = row[node + 1, 0]
    slope_left, slope_right = row[node, 1] / _NODES_PER_UNIT, row[node + 1, 1] / _NODES_PER_UNIT
    # left + slope_left s + (3 rise - 2 slope_left - slope_right) s^2 + (.. - 2 rise) s^3
    excess = right - left - slope_left
    twist = slope_right - slope_left - 2 * excess
    u = left + s * (slope_left + s * (excess - twist * (1 - s)))
    return float(u * u * ((1 << bits_per_symbol) - 1) / 1.5)


@kernel
def _invert_all(ber: Any, bits_per_symbol: int, table: Any, found: Any) -> None:
    """Write the Es/N0 ``[n]`` that bit error rates ``[n]`` need."""
    for place in range(len(ber)):
        found[place] = invert(ber[place], bits_per_symbol, table)
