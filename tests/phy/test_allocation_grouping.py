import numpy as np
import pytest

from phy.allocation import needed_esn0
from phy.allocation.grouping import group, share_out
from phy.allocation.inverse_ber import inverse_table


def _grouped(
    probability: list[float], order: list[int], most: int
) -> tuple[list[list[int]], list[float]]:
    mu, m = np.array(probability), np.array(order)
    bit_order, sizes = np.empty(len(mu), dtype=np.int64), np.empty(len(mu), dtype=np.int64)
    needed = np.empty(len(mu))
    ranking = mu.argsort(kind="stable")
    count = group(mu, ranking, m, most, inverse_table(), (bit_order, sizes, needed))
    ends = sizes[:count].cumsum()
    return [x.tolist() for x in np.split(bit_order, ends)[:-1]], needed[:count].tolist()


def test_bits_of_one_order_by_rising_probability() -> None:
    mu = [0.2, 0.01, 0.1, 0.02, 0.3, 0.05]
    groups, needed = _grouped(mu, [4, 2, 4, 2, 4, 4], 8)
    assert groups == [[1, 3], [5, 2, 0, 4]]
    assert needed[0] == pytest.approx(float(needed_esn0(0.015, bits_per_symbol=2)))
    assert needed[1] == pytest.approx(float(needed_esn0(0.1625, bits_per_symbol=4)))


def test_symbols_are_opened_by_their_first_bit() -> None:
    # Bit 0 opens a symbol of 4 that ends with bit 5; bits 1 and 2 are one of 2 after it.
    groups, _ = _grouped([0.01, 0.02, 0.03, 0.04, 0.05, 0.06], [4, 2, 2, 4, 4, 4], 4)
    assert groups == [[0, 3, 4, 5], [1, 2]]


def test_equal_probabilities_stay_in_their_order() -> None:
    groups, _ = _grouped([0.1] * 8, [4] * 8, 8)
    assert groups == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_what_fills_no_symbol_goes_to_the_maximum_order() -> None:
    # Of 3 bits of order 2 one is left, of 7 of order 4 three, of 4 of order 6 all: 8 = 6 + 2.
    orders = [2, 4, 6, 4] * 3 + [6, 4]
    mu = [0.01 * (n + 1) for n in range(14)]
    groups, needed = _grouped(mu, orders, 6)
    assert groups == [[0, 4], [1, 3, 5, 7], [2, 6, 8, 9, 10, 11], [12, 13]]
    last = float(needed_esn0((0.13 + 0.14) / 2, bits_per_symbol=2))
    assert needed[-1] == pytest.approx(last)


def _shared(needed: list[float], budget: float, total: float, fits: bool = True) -> list[float]:
    power = np.empty(len(needed))
    share_out(np.array(needed), budget, total, fits, power)
    found: list[float] = power.tolist()
    return found


def test_equation_47() -> None:
    # gamma = 2: powers 0.5, 1, 0 and 1.5 more to share.
    assert _shared([1.0, 2.0, 0.0], 6.0, 3.0) == pytest.approx([1.0, 1.5, 0.5])


def test_too_little_is_taken_from_the_positive_ones() -> None:
    # 6 too much: 2 each; the second would be -1, so 2.5 each of the others; then 0.5, 3.5.
    assert _shared([3.0, 1.0, 6.0], 4.0, 4.0) == pytest.approx([0.5, 0.0, 3.5])
    # And again: after 3.5 each of two there would be another negative one.
    assert _shared([1.0, 0.2, 6.0], 1.0, 1.0) == pytest.approx([0.0, 0.0, 1.0])


def test_without_a_fit_the_powers_are_scaled() -> None:
    assert _shared([1.0, 3.0], 1.0, 8.0, fits=False) == pytest.approx([2.0, 6.0])
    assert _shared([0.0, 0.0], 1.0, 8.0, fits=False) == pytest.approx([4.0, 4.0])
    assert _shared([1.0, 3.0], 0.0, 8.0) == pytest.approx([2.0, 6.0])  # no channel


@pytest.mark.parametrize("budget", [1e-12, 1e-3, 1.0, 1e3, 1e12])
def test_sum_and_order_are_kept(budget: float) -> None:
    needed = np.random.default_rng(1).exponential(size=300) ** 4
    power = np.array(_shared(needed.tolist(), budget, 7.0))
    assert power.sum() == pytest.approx(7.0, rel=1e-12)
    assert power.min() >= 0
    assert (np.diff(power[needed.argsort()]) >= 0).all()
    given = power > 0
    shift = power[given] * budget / 7 - needed[given]  # the same for all that get some
    assert np.ptp(shift) < 1e-12 * (budget + needed.max())
