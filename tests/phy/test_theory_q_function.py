from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, stats

from phy.theory.q_function import q_function, q_inverse, rayleigh_mean_q, rician_mean_q


def test_q_is_the_gaussian_tail() -> None:
    x = np.linspace(-8, 30, 200)
    assert np.allclose(q_function(x), stats.norm.sf(x), rtol=1e-12, atol=0)
    # Abramowitz and Stegun, Table 26.1: P(1.64) = 0.94949 74165.
    assert float(q_function(1.64)) == pytest.approx(1 - 0.9494974165, abs=1e-10)
    assert q_function(x.reshape(4, 50)).shape == (4, 50)


def test_inverse() -> None:
    p = np.logspace(-12, np.log10(0.9), 50)
    assert np.allclose(q_function(q_inverse(p)), p, rtol=1e-10)
    assert float(q_inverse(0.5)) == 0


@pytest.mark.parametrize("p", [0.0, 1.0, -0.1, float("nan")])
def test_inverse_refuses(p: float) -> None:
    with pytest.raises(ValueError, match=r"probability must be in \(0, 1\), got"):
        q_inverse(p)


@pytest.mark.parametrize("a", [1e-3, 0.5, 2.0, 30.0, 1e4])
@pytest.mark.parametrize("k_factor", [0.0, 1.0, 8.0])
def test_means_are_integrals_over_the_density(a: float, k_factor: float) -> None:
    def integrand(g: float) -> float:
        law = stats.ncx2 if k_factor else stats.chi2
        shape = (2, 2 * k_factor) if k_factor else (2,)
        scale = 2 * (1 + k_factor)
        return float(q_function(np.sqrt(a * g)) * scale * law.pdf(scale * g, *shape))

    cuts = [0, 1e-4, 1e-2, 0.1, 1, 3, 30]
    expected = sum(
        integrate.quad(integrand, low, high, epsabs=1e-13)[0] for low, high in pairwise(cuts)
    )
    assert float(rician_mean_q(a, k_factor=k_factor)) == pytest.approx(expected, rel=1e-6)
    if k_factor == 0:
        assert float(rayleigh_mean_q(a)) == pytest.approx(expected, rel=1e-6)


def test_rayleigh_mean_at_high_ratios() -> None:
    # 1 / (2 a) to first order.
    assert float(rayleigh_mean_q(1e12)) == pytest.approx(0.5e-12, rel=1e-9)
