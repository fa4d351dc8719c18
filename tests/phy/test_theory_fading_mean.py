from math import factorial

import numpy as np
import pytest

from phy.fading import Fading, NoFading, Rayleigh, Rician
from phy.theory.fading_mean import power_gain_rule

LAWS = [Rayleigh(1), Rician(0.0, 1), Rician(0.3, 1), Rician(3.0, 1), Rician(30.0, 1)]


def test_no_fading_is_one_node() -> None:
    g, w = power_gain_rule(NoFading())
    assert g.tolist() == w.tolist() == [1.0]


@pytest.mark.parametrize("fading", LAWS)
def test_moments(fading: Fading) -> None:
    g, w = power_gain_rule(fading)
    k = fading.k_factor if isinstance(fading, Rician) else 0.0
    assert w.sum() == pytest.approx(1, abs=1e-9)
    assert (w * g).sum() == pytest.approx(1, abs=1e-9)
    # E g^2 = (2 + 4 K + K^2) / (1 + K)^2
    assert (w * g**2).sum() == pytest.approx((2 + 4 * k + k * k) / (1 + k) ** 2, abs=1e-9)


@pytest.mark.parametrize("fading", LAWS)
def test_moment_generating_function(fading: Fading) -> None:
    g, w = power_gain_rule(fading)
    k = fading.k_factor if isinstance(fading, Rician) else 0.0
    for s in (0.01, 1.0, 10.0, 1e3):
        expected = (1 + k) / (1 + k + s) * np.exp(-k * s / (1 + k + s))
        assert (w * np.exp(-s * g)).sum() == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_rayleigh_moments_are_factorials() -> None:
    g, w = power_gain_rule(Rayleigh(None))
    for n in range(6):
        assert (w * g**n).sum() == pytest.approx(factorial(n), rel=1e-8)
