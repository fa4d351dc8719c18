"""The temporary modulation orders of Algorithm 2, problem (P2), in both accountings.

State of one search, as arrays that its functions change. A bit is ``i * B + j``; an order is
counted from 0, o = m / 2 - 1. ``cost[v, bit, o]`` is what a bit of codebook v adds to the temporary
power if it is sent with order o.

Per symbol, a bit of order m takes 1/m of a symbol. Then (P2) is a multiple-choice knapsack problem:
one order per bit, the sum of the shares at most T, the least sum of powers. For each bit, the
corners of the lower convex hull of its points (share, power) are moves to higher orders, of rising
price per share released. Taking the cheapest moves of all bits until the shares fit is optimal
but for the last move, which may release more than is needed (D. Sinha, A. A. Zoltners, "The
multiple-choice knapsack problem", Operations Research 27(3), 1979). The moves taken are a function
of the codebooks alone; after a change of one codebook they are mended, not searched anew.
"""

from math import inf
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from phy.allocation.tournament import enter, tournament
from phy.jit import kernel

FIXED, SWAPPED, PRICED = 0, 1, 2
"""One order for all; swaps of eqs. 43 and 44 (as printed); moves by price (per symbol)."""


class Orders(NamedTuple):
    """The orders, and what finds the next move.

    Attributes:
        order: ``[bits]``.
        up_keys: Of each bit minus the price of its next higher order.
        up_tree: Tournament of ``up_keys``.
        down_keys: Of each bit, the last one first, what its order saves if lowered.
        down_tree: Tournament of ``down_keys``.
        corner: Orders at the corners of each hull, rising, ``[bits, orders]``.
        price: Of the move from each corner to the next, ``[bits, orders]``; infinite at the end.
        place: Which corner each bit is at, ``[bits]``.
        units: Share of a symbol that a bit of each order takes, in whole units, ``[orders]``.
        shares: The units taken, and those there are, ``[2]``.
        touched: Bits whose order may have changed in this step, ``[bits]``.
        is_touched: Whether a bit is among them, ``[bits]``.
        touches: How many there are, ``[1]``.
    """

    order: Any
    up_keys: Any
    up_tree: Any
    down_keys: Any
    down_tree: Any
    corner: Any
    price: Any
    place: Any
    units: Any
    shares: Any
    touched: Any
    is_touched: Any
    touches: Any


def starting_orders(bits: int, start: int, units: NDArray[np.int64], most_units: int) -> Orders:
    """Every bit at order ``start``; `refresh` each bit before anything else."""
    up_keys, up_tree = tournament(bits)
    down_keys, down_tree = tournament(bits)
    return Orders(
        np.full(bits, start, dtype=np.int64),
        up_keys,
        up_tree,
        down_keys,
        down_tree,
        np.zeros((bits, len(units)), dtype=np.int64),
        np.full((bits, len(units)), inf),
        np.zeros(bits, dtype=np.int64),
        units,
        np.array([bits * units[start], most_units], dtype=np.int64),
        np.empty(bits, dtype=np.int64),
        np.zeros(bits, dtype=np.bool_),
        np.zeros(1, dtype=np.int64),
    )


@kernel
def refresh(state: Orders, rule: int, bit: int, cost: Any) -> None:
    """Take in the cost ``[orders]`` of a bit whose codebook has changed."""
    if rule == SWAPPED:
        _enter_neighbours(state, bit, cost)
    elif rule == PRICED:
        _find_hull(cost, state.units, state.corner[bit], state.price[bit])
        _go_to(state, bit, 0)


@kernel
def swap(state: Orders, cost: Any, codebook: Any) -> None:
    """The inner loop of Algorithm 2, until no swap lowers the sum of powers.

    A swap that meets one bit twice changes nothing, and so would all that follow: it ends the loop.
    It also ends without a limit to its turns: each lowers the sum, and there are finitely many.

    Args:
        state: Changed.
        cost: ``[V, bits, orders]``.
        codebook: v of each sub-vector.
    """
    bits = len(state.order)
    while True:
        up, down = state.up_tree[1], bits - 1 - state.down_tree[1]
        if up == down or not -state.up_keys[up] < state.down_keys[bits - 1 - down]:
            break
        state.order[up] += 1
        state.order[down] -= 1
        for turn in range(2):
            bit = down if turn else up
            _touch(state, bit)
            _enter_neighbours(state, bit, cost[codebook[bit * len(codebook) // bits], bit])


@kernel
def settle(state: Orders) -> None:
    """Take the cheapest moves of all, as many as the shares need or as cost nothing, no others."""
    bits = len(state.order)
    while True:
        up, down = state.up_tree[1], bits - 1 - state.down_tree[1]
        cheapest, dearest = -state.up_keys[up], state.down_keys[state.down_tree[1]]
        missed = cheapest < dearest or (cheapest == dearest and up < down)
        wanted = missed or state.shares[0] > state.shares[1] or cheapest < 0
        if cheapest == inf or not wanted:
            break
        _go_to(state, up, state.place[up] + 1)
    while True:
        down = bits - 1 - state.down_tree[1]
        if state.down_keys[state.down_tree[1]] < 0:  # it saves power, or there is none
            break
        place = state.place[down]
        lower, higher = state.corner[down, place - 1], state.corner[down, place]
        if state.shares[0] + state.units[lower] - state.units[higher] > state.shares[1]:
            break
        _go_to(state, down, place - 1)


@kernel
def _touch(state: Orders, bit: int) -> None:
    if not state.is_touched[bit]:
        state.is_touched[bit] = True
        state.touched[state.touches[0]] = bit
        state.touches[0] += 1


@kernel
def _enter_neighbours(state: Orders, bit: int, cost: Any) -> None:
    """Prices of the next order up and down, eqs. 43 and 44."""
    o = state.order[bit]
    up = cost[o] - cost[o + 1] if o + 1 < len(cost) else -inf
    down = cost[o] - cost[o - 1] if o else -inf
    enter(state.up_keys, state.up_tree, bit, up)
    enter(state.down_keys, state.down_tree, len(state.order) - 1 - bit, down)


@kernel
def _find_hull(cost: Any, units: Any, corner: Any, price: Any) -> None:
    """Write the corners of the hull from order 0 on, and the prices of the moves between them."""
    here, place = 0, 0
    corner[0] = 0
    while here + 1 < len(cost):
        best, least = here + 1, inf
        for o in range(here + 1, len(cost)):
            slope = (cost[o] - cost[here]) / (units[here] - units[o])
            if slope <= least:  # the farther one of two on a line
                best, least = o, slope
        price[place] = least
        place += 1
        here = best
        corner[place] = here
    price[place] = inf


@kernel
def _go_to(state: Orders, bit: int, place: int) -> None:
    """Move a bit to another corner of its hull."""
    state.place[bit] = place
    before, after = state.order[bit], state.corner[bit, place]
    state.order[bit] = after
    state.shares[0] += state.units[after] - state.units[before]
    enter(state.up_keys, state.up_tree, bit, -state.price[bit, place])
    down = state.price[bit, place - 1] if place else -inf
    enter(state.down_keys, state.down_tree, len(state.order) - 1 - bit, down)
    _touch(state, bit)
