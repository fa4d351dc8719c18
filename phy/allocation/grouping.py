"""From bits with temporary orders to symbols with powers: the end of Algorithms 2 and 3."""

from typing import Any

import numpy as np

from phy.allocation.inverse_ber import invert
from phy.jit import kernel


@kernel
def group(probability: Any, ranking: Any, order: Any, most: int, table: Any, written: Any) -> int:
    """Put bits of one order and similar flip probability into symbols; returns how many symbols.

    In ascending order of the flip probabilities (of equal ones the lower bit first), the first bit
    that is left opens a symbol of its order m, with the next m - 1 bits of that order, eq. 45.
    The bits that cannot fill a symbol of their order, less than m of each, are left for the end,
    where symbols of the maximum order take them in turn; the very last takes what remains, an even
    number. (Algorithm 2 as printed leaves its loop at the first such bit, and so would send all
    bits after it with the maximum order. Footnote 1 says "when no further bits can be grouped".)

    Args:
        probability: mu of each bit, ``[bits]``.
        ranking: The bits by rising mu, ``[bits]``.
        order: Its temporary order in bits per symbol, ``[bits]``.
        most: The maximum order.
        table: Of `inverse_table`.
        written: Three arrays: the bits, symbol after symbol, ``[bits]``; bits per symbol, and
            p_t gamma for the mean of the flip probabilities (eq. 46), both ``[>= symbols]``.
    """
    bit_order, sizes, needed = written
    # Of each order: bits not yet grouped, free places of its open symbol, where the next one goes.
    left = np.zeros(most + 1, dtype=np.int64)
    free, place = np.zeros_like(left), np.zeros_like(left)
    for bit in range(len(order)):
        left[order[bit]] += 1
    grouped = 0
    for m in range(2, most + 1, 2):
        grouped += left[m] - left[m] % m
    symbols = filled = 0
    rest = grouped
    for rank in range(len(order)):
        bit = ranking[rank]
        m = order[bit]
        if free[m] == 0:
            if left[m] < m:
                bit_order[rest] = bit
                rest += 1
                continue
            free[m], place[m] = m, filled
            sizes[symbols] = m
            symbols += 1
            filled += m
        bit_order[place[m]] = bit
        place[m] += 1
        free[m] -= 1
        left[m] -= 1
    while filled < len(order):
        sizes[symbols] = min(most, len(order) - filled)
        filled += sizes[symbols]
        symbols += 1

    first = 0
    for t in range(symbols):
        total = 0.0
        for n in range(first, first + sizes[t]):
            total += probability[bit_order[n]]
        first += sizes[t]
        needed[t] = invert(total / sizes[t], sizes[t], table)
    return symbols


@kernel
def share_out(needed: Any, budget: float, total_power: float, fits: bool, power: Any) -> None:
    """Write the powers ``[T']`` that sum to ``total_power``, from the needed p_t gamma ``[T']``.

    Eq. 47 adds the same to every symbol. Where that would make some negative, these get nothing and
    what is missing is taken from the others alone, again until none is negative. (So the powers are
    those of sum P_tot nearest to the needed ones.) Where the allocation does not fit, the needed
    powers are scaled to the sum.

    Args:
        needed: p_t gamma that the symbols need.
        budget: P_tot gamma.
        total_power: P_tot.
        fits: Whether to add (or to scale).
        power: Written.
    """
    if budget == 0 or not fits:
        total = needed.sum()
        for t in range(len(power)):
            power[t] = total_power * (needed[t] / total if total > 0 else 1 / len(power))
        return
    largest = needed.max()  # all is relative to it, so that the sums keep their digits
    positive, cut = len(power) + 1, -np.inf
    while True:
        count, total = 0, 0.0
        for x in needed:
            if x - largest > cut:
                count += 1
                total += x - largest
        if count == positive:
            break
        positive, cut = count, (total - budget) / count
    for t in range(len(power)):
        power[t] = max(needed[t] - largest - cut, 0.0)
    power *= total_power / power.sum()
