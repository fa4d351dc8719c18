"""A million gains of each law: moments, distribution of envelope and phase, independence.

K is the power of the line of sight over that of the scatter; h = nu + s with nu^2 = K / (K + 1),
E|s|^2 = 1 / (K + 1). A p-value below 6.3e-5 lies beyond 4 sigma.
"""

from math import pi, sqrt

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import integrate, special, stats

from phy.fading import Fading, Rayleigh, Rician
from phy.noise import standard_complex_normal

pytestmark = pytest.mark.conformance

N = 1_000_000
FOUR_SIGMA = 6.3e-5
LAWS: list[Fading] = [
    Rayleigh(span=1),
    *(Rician(k, span=1) for k in (0.0, 0.25, 1.0, 3.0, 10.0, 100.0)),
]


def k_of(fading: Fading) -> float:
    return fading.k_factor if isinstance(fading, Rician) else 0.0


def draw(fading: Fading, *, count: int = N, seed: int = 41) -> NDArray[np.complex128]:
    gains = fading.gains(count, generator=torch.Generator().manual_seed(seed))
    return gains.numpy().astype(np.complex128)


def assert_mean(values: NDArray[np.float64], expected: float) -> None:
    """Within 4 standard errors, as the sample estimates them."""
    assert abs(values.mean() - expected) < 4 * values.std() / sqrt(len(values))


@pytest.mark.parametrize("fading", LAWS, ids=str)
def test_moments(fading: Fading) -> None:
    k = k_of(fading)
    nu, variance = sqrt(k / (k + 1)), 1 / (k + 1)
    h = draw(fading)
    scatter = h - nu
    assert_mean(h.real, nu)
    assert_mean(h.imag, 0)
    assert_mean(scatter.real**2, variance / 2)  # as much on either axis: circular
    assert_mean(scatter.imag**2, variance / 2)
    assert_mean(scatter.real * scatter.imag, 0)
    power = np.abs(h) ** 2
    assert_mean(power, 1)
    # Simon and Alouini, 2nd ed., section 2.2.1: E|h|^4 and, by the Laguerre function L_1/2, E|h|.
    assert_mean(power**2, (2 + 4 * k + k * k) / (1 + k) ** 2)
    assert_mean(np.abs(h), sqrt(pi * variance) / 2 * float(special.hyp1f1(-0.5, 1, -k)))


@pytest.mark.parametrize("k", [1.0, 3.0, 10.0, 100.0])
def test_k_factor_by_the_estimators_of_receivers(k: float) -> None:
    """K from the coherent mean, and from second and fourth moments of the envelope alone.

    The latter: C. Tepedelenlioglu, A. Abdi, G. Giannakis, "The Ricean K factor: estimation and
    performance analysis", IEEE Trans. Wireless Commun. 2(4), 2003: E|h|^2 = m2, E|h|^4 = m4 and
    sqrt(2 m2^2 - m4) is the power of the line of sight. Of 20 parts of the draw, the mean lies
    within 4 of its standard errors, and a bias of the order of one over the size of a part.
    """
    parts = draw(Rician(k, span=1)).reshape(20, -1)
    line = parts.mean(1)
    coherent = np.abs(line) ** 2 / (np.abs(parts - line[:, None]) ** 2).mean(1)
    power = np.abs(parts) ** 2
    m2, m4 = power.mean(1), (power**2).mean(1)
    los = np.sqrt(2 * m2**2 - m4)
    for estimate in (coherent, los / (m2 - los)):
        assert abs(estimate.mean() - k) < 4 * estimate.std() / sqrt(20) + 1e-3 * k


@pytest.mark.parametrize("fading", LAWS, ids=str)
def test_law_of_the_envelope(fading: Fading) -> None:
    k = k_of(fading)
    scale = sqrt(0.5 / (k + 1))
    envelope = np.abs(draw(fading))
    law = stats.rice(sqrt(2 * k), scale=scale) if k else stats.rayleigh(scale=sqrt(0.5))
    assert stats.kstest(envelope, law.cdf).pvalue > FOUR_SIGMA
    # Deep fades, which the test above hardly sees: counts below -20 and -30 dB.
    for level in (0.1, 10**-1.5):
        p = float(law.cdf(level))
        assert abs(int((envelope < level).sum()) - N * p) <= 4 * sqrt(N * p * (1 - p)) + 1


def phase_cdf(phase: NDArray[np.float64], k: float) -> NDArray[np.float64]:
    """P(angle <= phase); the density is that of CN(nu, 1 / (K + 1)), integrated over the envelope:

    f(t) = exp(-K) / (2 pi) (1 + g sqrt(pi) exp(g^2) (1 + erf g)), g = sqrt(K) cos t.
    """
    t = np.linspace(-pi, pi, 20_001)
    g = np.sqrt(k) * np.cos(t)
    density = np.exp(-k) + g * np.sqrt(pi) * np.exp(g * g - k) * special.erfc(-g)
    return np.interp(phase, t, integrate.cumulative_simpson(density, x=t, initial=0) / (2 * pi))


@pytest.mark.parametrize("fading", LAWS, ids=str)
def test_law_of_the_phase(fading: Fading) -> None:
    k = k_of(fading)
    assert float(phase_cdf(np.array([pi]), k)[0]) == pytest.approx(1, abs=1e-9)
    phase = np.angle(draw(fading))
    assert stats.kstest(phase, lambda t: phase_cdf(t, k)).pvalue > FOUR_SIGMA
    if k == 0:
        assert stats.kstest(phase, stats.uniform(-pi, 2 * pi).cdf).pvalue > FOUR_SIGMA


def assert_independent(a: NDArray[np.float64], b: NDArray[np.float64], *, cells: int = 12) -> None:
    """Chi-square test of a table of counts, each side cut at its own quantiles."""
    edges = np.linspace(0, 1, cells + 1)[1:-1]
    row, column = (np.searchsorted(np.quantile(x, edges), x) for x in (a, b))
    table = np.bincount(row * cells + column, minlength=cells * cells).reshape(cells, cells)
    assert stats.chi2_contingency(table).pvalue > FOUR_SIGMA


@pytest.mark.parametrize("fading", [Rayleigh(span=1), Rician(2.0, span=1)], ids=str)
def test_symbols_are_independent(fading: Fading) -> None:
    h = draw(fading)
    h -= sqrt(k_of(fading) / (k_of(fading) + 1))
    power = np.abs(h) ** 2
    variance, excess = power.mean(), power - power.mean()
    for lag in (*range(1, 17), 24, 32, 48, 64, 128, 1000, 4096):
        # Correlations of independent values have a standard deviation of 1 / sqrt(N).
        correlation = (h[lag:] * h[:-lag].conj()).mean() / variance
        assert abs(correlation.real) < 4 * sqrt(0.5 / N), lag
        assert abs(correlation.imag) < 4 * sqrt(0.5 / N), lag
        conjugate = (h[lag:] * h[:-lag]).mean() / variance
        assert abs(conjugate.real) < 4 * sqrt(0.5 / N), lag
        assert abs(conjugate.imag) < 4 * sqrt(0.5 / N), lag
        assert abs((excess[lag:] * excess[:-lag]).mean()) < 4 * excess.var() / sqrt(N), lag
    assert_independent(power[1:], power[:-1])
    assert_independent(np.angle(h[1:]), np.angle(h[:-1]))
    assert_independent(np.angle(h), power)
    assert_independent(h.real, h.imag)


@pytest.mark.parametrize("span", [2, 7, 64])
def test_blocks_are_independent_and_constant(span: int) -> None:
    blocks = 200_000
    h = draw(Rayleigh(span), count=blocks * span).reshape(blocks, span)
    assert (h == h[:, :1]).all()
    h = h[:, 0]
    assert stats.kstest(np.abs(h), stats.rayleigh(scale=sqrt(0.5)).cdf).pvalue > FOUR_SIGMA
    for lag in (1, 2, 8, 16):
        correlation = (h[lag:] * h[:-lag].conj()).mean()
        assert abs(correlation.real) < 4 * sqrt(0.5 / blocks)
        assert abs(correlation.imag) < 4 * sqrt(0.5 / blocks)
    assert_independent(np.abs(h[1:]), np.abs(h[:-1]))


def test_images_with_one_gain_each_follow_the_law() -> None:
    """One draw from each of 20000 generators with neighbouring seeds, as a run makes them."""
    h = np.array([draw(Rayleigh(None), count=3, seed=seed)[2] for seed in range(20_000)])
    assert stats.kstest(np.abs(h), stats.rayleigh(scale=sqrt(0.5)).cdf).pvalue > FOUR_SIGMA
    assert stats.kstest(np.angle(h), stats.uniform(-pi, 2 * pi).cdf).pvalue > FOUR_SIGMA
    assert_independent(np.abs(h[1:]), np.abs(h[:-1]), cells=8)
    assert_independent(np.angle(h[1:]), np.angle(h[:-1]), cells=8)


def test_fading_and_noise_of_different_seeds_are_independent() -> None:
    h = draw(Rayleigh(span=1), seed=1)
    n = standard_complex_normal(N, generator=torch.Generator().manual_seed(2)).numpy()
    correlation = (h * n.conj()).mean()
    assert abs(correlation.real) < 4 * sqrt(0.5 / N)
    assert abs(correlation.imag) < 4 * sqrt(0.5 / N)
    assert_independent(np.abs(h), np.abs(n).astype(np.float64))
    assert_independent(np.angle(h), np.angle(n).astype(np.float64))
