import numpy as np
import pytest

from phy.allocation.orders import PRICED, SWAPPED, refresh, settle, starting_orders, swap

UNITS = np.array([12, 6, 4, 3])


def test_prices_of_a_known_case() -> None:
    # Prices per unit: bit 0: 1, 3, 5; bit 1: 2, 4, 6. Room for 14 of 24 units: 0 to 4, 1 to 4, ..
    cost = np.array([[0.0, 6.0, 12.0, 17.0], [0.0, 12.0, 20.0, 26.0]])
    for room, expected in [
        (24, [0, 0]),
        (23, [1, 0]),
        (18, [1, 0]),
        (12, [1, 1]),
        (11, [2, 1]),
        (9, [2, 2]),
        (7, [3, 2]),
        (6, [3, 3]),
    ]:
        state = starting_orders(2, 0, UNITS, room)
        for bit in range(2):
            refresh(state, PRICED, bit, cost[bit])
        settle(state)
        assert state.order.tolist() == expected
        assert state.shares[0] == UNITS[state.order].sum() <= room


def test_what_costs_nothing_is_taken() -> None:
    # The second order is beside the hull; the last is as cheap as the first.
    state = starting_orders(1, 0, UNITS, 12)
    refresh(state, PRICED, 0, np.array([1.0, 3.0, 4.0, 0.5]))
    settle(state)
    assert state.order.tolist() == [3]


@pytest.mark.parametrize("seed", range(5))
def test_mended_is_as_found_anew(seed: int) -> None:
    draw = np.random.default_rng(seed)
    bits, room = 20, 120
    state = starting_orders(bits, 0, UNITS, room)
    cost = draw.integers(0, 6, (bits, 4)).cumsum(axis=1).astype(float)  # many ties
    for bit in range(bits):
        refresh(state, PRICED, bit, cost[bit])
    for _ in range(50):
        changed = draw.integers(bits, size=3)
        cost[changed] = draw.integers(-1, 6, (3, 4)).cumsum(axis=1)
        for bit in changed:
            refresh(state, PRICED, bit, cost[bit])
        settle(state)
        anew = starting_orders(bits, 0, UNITS, room)
        for bit in range(bits):
            refresh(anew, PRICED, bit, cost[bit])
        settle(anew)
        assert state.order.tolist() == anew.order.tolist()
        assert state.shares[0] == UNITS[state.order].sum() <= room


def test_swaps_end_where_none_gains() -> None:
    draw = np.random.default_rng(3)
    cost = np.sort(draw.exponential(size=(1, 12, 4)) ** 3, axis=2)
    state = starting_orders(12, 1, np.array([1, 1, 1, 1]), 12)
    for bit in range(12):
        refresh(state, SWAPPED, bit, cost[0, bit])
    swap(state, cost, np.zeros(3, dtype=np.int64))
    assert state.order.sum() == 12
    taken = cost[0, np.arange(12), state.order].sum()
    assert taken < cost[0, :, 1].sum()
    for up in range(12):
        for down in range(12):
            order = state.order.copy()
            order[up] += 1
            order[down] -= 1
            if up != down and order.max() < 4 and order.min() >= 0:
                assert cost[0, np.arange(12), order].sum() >= taken - 1e-12


def test_a_swap_that_meets_one_bit_twice_changes_nothing() -> None:
    # Not convex: the middle order is the dearest, so bit 0 is the first to rise and to fall.
    cost = np.array([[[0.0, 5.0, 1.0], [0.0, 2.0, 9.0]]])
    state = starting_orders(2, 1, np.array([1, 1, 1]), 2)
    for bit in range(2):
        refresh(state, SWAPPED, bit, cost[0, bit])
    swap(state, cost, np.zeros(1, dtype=np.int64))
    assert state.order.tolist() == [1, 1]
