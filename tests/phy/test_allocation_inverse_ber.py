import math

import numpy as np
import pytest
from scipy.optimize import brentq

from phy.allocation import BITS_PER_SYMBOL, approximate_ber, needed_esn0


def _by_root_finder(ber: float, m: int) -> float:
    side = math.sqrt(2**m)

    def excess(u: float) -> float:
        erfcs = (side - 1) * math.erfc(u) + (side - 2) * math.erfc(3 * u)
        return erfcs / (side * math.log2(side)) - ber

    u = brentq(excess, 0, 8, xtol=1e-300, rtol=1e-15, maxiter=300)
    return float(u**2 * (2**m - 1) / 1.5)


@pytest.mark.parametrize("m", BITS_PER_SYMBOL)
def test_against_a_root_finder(m: int) -> None:
    most = float(approximate_ber(0, bits_per_symbol=m))
    draw = np.random.default_rng(m)
    wide = np.exp(draw.uniform(math.log(1e-12), math.log(most), 1000))
    wanted = np.concatenate([[1e-12], wide, most * draw.uniform(0.5, 0.99, 500)])
    expected = np.array([_by_root_finder(ber, m) for ber in wanted])
    found = needed_esn0(wanted, bits_per_symbol=m)
    worst = np.abs(found / expected - 1).max()
    print(f"m = {m}: within {worst:.1e}")
    assert worst < 1e-9


@pytest.mark.parametrize("m", BITS_PER_SYMBOL)
def test_inverse_of_the_formula(m: int) -> None:
    most = float(approximate_ber(0, bits_per_symbol=m))
    esn0 = np.logspace(-6, 1, 100) * 2**m / 4
    kept = approximate_ber(esn0, bits_per_symbol=m) > 1e-12
    back = needed_esn0(approximate_ber(esn0[kept], bits_per_symbol=m), bits_per_symbol=m)
    # Near eps(0) the rate itself is known to 1e-16 only, and so u to 1e-16 / u.
    assert np.allclose(back, esn0[kept], rtol=1e-9 if m < 10 else 2e-9)
    near = np.nextafter(most, 0)
    assert 0 < float(needed_esn0(near, bits_per_symbol=m)) < 1e-25 * 2**m * 1e3


@pytest.mark.parametrize("m", BITS_PER_SYMBOL)
def test_nothing_is_needed_for_the_rate_without_power(m: int) -> None:
    most = float(approximate_ber(0, bits_per_symbol=m))
    above = np.array([most, np.nextafter(most, 1), 1.0])
    assert needed_esn0(above, bits_per_symbol=m).tolist() == [0, 0, 0]
    falling = needed_esn0(np.linspace(1e-3, most, 5000), bits_per_symbol=m)
    assert (np.diff(falling) < 0).all()


def test_refused() -> None:
    with pytest.raises(ValueError, match="bits_per_symbol must be 2, 4, 6, 8 or 10, got 12"):
        needed_esn0(0.1, bits_per_symbol=12)
    with pytest.raises(ValueError, match=r"ber must be from 1e-12 to 1, got 0\.0"):
        needed_esn0(0.0, bits_per_symbol=2)
    with pytest.raises(ValueError, match=r"ber must be from 1e-12 to 1, got \[0\.1 1\.1\]"):
        needed_esn0([0.1, 1.1], bits_per_symbol=2)
