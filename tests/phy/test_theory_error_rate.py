import numpy as np
import pytest
import torch
from scipy import integrate
from torch import Tensor

from phy.channel import transmit
from phy.constellation import Constellation
from phy.cross_qam import cross_qam
from phy.equalize import zero_forcing
from phy.fading import Fading, NoFading, Rayleigh, Rician
from phy.noise import standard_complex_normal
from phy.psk import bpsk, psk8, qpsk
from phy.qam import qam
from phy.snr import noise_variance_from_esn0_db
from phy.theory.error_rate import ber, ser
from phy.theory.fading_mean import power_gain_rule

# Es/N0 in dB of error rates between 1e-3 and 1e-1, in AWGN and under Rayleigh fading.
POINTS = [
    (bpsk(), 4.0, 10.0),
    (qpsk(), 7.0, 10.0),
    (psk8(), 10.0, 13.0),
    (qam(16), 12.0, 16.0),
    (cross_qam(32), 16.0, 18.0),
    (qam(64), 18.0, 22.0),
    (qam(64, axes="split"), 16.0, 25.0),
    (cross_qam(128), 21.0, 24.0),
    (qam(256), 24.0, 28.0),
    (qam(1024), 28.0, 33.0),
    (qam(4096), 34.0, 38.0),
]
NO_FADING, RAYLEIGH = NoFading(), Rayleigh(span=1)
CASES: list[tuple[Constellation, float, Fading]] = [
    *((c, awgn, NO_FADING) for c, awgn, _ in POINTS),
    *((c, rayleigh, RAYLEIGH) for c, _, rayleigh in POINTS),
    *((c, 14.0, Rician(4.0, span=1)) for c in (qam(16), psk8())),
]


def assert_rate(errors: Tensor, rate: float) -> None:
    """Mean of errors per symbol ``[n]`` within 4 standard errors (of the sample) of the rate."""
    values = errors.to(torch.float64)
    assert abs(float(values.mean()) - rate) < 4 * float(values.std()) / len(values) ** 0.5


@pytest.mark.parametrize(
    ("c", "esn0_db", "fading"), CASES, ids=lambda v: getattr(v, "name", None) or str(v)
)
def test_simulated_error_rates(c: Constellation, esn0_db: float, fading: Fading) -> None:
    m = c.bits_per_symbol
    n = -(-1_000_000 // m)  # a million bits
    generator = torch.Generator().manual_seed(2024)
    bits = torch.randint(0, 2, (n * m,), generator=generator, dtype=torch.uint8)
    n0 = noise_variance_from_esn0_db(esn0_db)
    gains = fading.gains(n, generator=generator)
    noise = standard_complex_normal(n, generator=generator)
    received = transmit(c.map(bits), gains=gains, noise_variance=n0, noise=noise)
    equalized = zero_forcing(received, gains, n0)

    bit_rate, symbol_rate = (float(f(c, esn0_db, fading=fading)) for f in (ber, ser))
    assert 1e-3 < bit_rate < 1e-1
    sent = bits.reshape(n, m)
    decided = c.decide(equalized.symbols).reshape(n, m)
    assert_rate((decided != sent).sum(1), bit_rate * m)
    assert_rate((decided != sent).any(1), symbol_rate)
    variance = equalized.noise_variance
    nearest = c.demap(equalized.symbols, variance, method="max_log").reshape(n, m) < 0
    assert int((nearest != decided).sum()) <= 3  # the sign is the decision, up to rounding
    # Bitwise decisions by exact LLRs are the better ones, by less than can be seen here.
    exact = c.demap(equalized.symbols, variance).reshape(n, m) < 0
    assert_rate((exact != sent).sum(1), bit_rate * m)


def test_known_values() -> None:
    assert float(ber(qam(4), 7.0)) == pytest.approx(1.26e-2, rel=2e-3)
    assert float(ber(qam(16), 12.0)) == pytest.approx(2.81e-2, rel=2e-3)
    assert float(ber(qam(4), 10.0, fading=RAYLEIGH)) == pytest.approx(4.36e-2, rel=2e-3)


@pytest.mark.parametrize("order", [4, 16, 64, 256])
def test_square_qam_symbol_error_rate_is_the_textbook_formula(order: int) -> None:
    # Simon and Alouini, 2nd ed., section 8.2.1: Craig's form, with the MGF of the gain.
    side, a = order**0.5, 3 / (order - 1)
    esn0_db = np.array([0.0, 10.0, 20.0, 30.0])

    def mean(esn0: float, k: float) -> float:
        def integrand(t: float) -> float:
            s = a * esn0 / (2 * np.sin(t) ** 2)
            return float((1 + k) / (1 + k + s) * np.exp(-k * s / (1 + k + s)))

        first = integrate.quad(integrand, 0, np.pi / 2)[0]
        second = integrate.quad(integrand, 0, np.pi / 4)[0]
        return float(4 / np.pi * ((1 - 1 / side) * first - (1 - 1 / side) ** 2 * second))

    fadings: list[tuple[float, Fading]] = [(0.0, Rayleigh(1)), (3.0, Rician(3.0, 1))]
    for k, fading in fadings:
        expected = [mean(10 ** (db / 10), k) for db in esn0_db]
        assert np.allclose(ser(qam(order), esn0_db, fading=fading), expected, rtol=1e-6)


@pytest.mark.parametrize("fading", [Rayleigh(1), Rician(1.0, 1), Rician(10.0, None)])
@pytest.mark.parametrize("c", [bpsk(), qam(16), qam(256)], ids=lambda c: c.name)
def test_closed_forms_equal_numeric_averages(c: Constellation, fading: Fading) -> None:
    gains, weights = power_gain_rule(fading)
    for esn0_db in (-5.0, 10.0, 30.0):
        average = (weights * ber(c, esn0_db + 10 * np.log10(gains))).sum()
        assert float(ber(c, esn0_db, fading=fading)) == pytest.approx(average, rel=1e-6)


def test_limits() -> None:
    for c in (bpsk(), psk8(), qam(64), cross_qam(32)):
        # Without signal a decision is a guess; the outer points take all of it.
        assert float(ber(c, -60.0)) == pytest.approx(0.5, abs=2e-3)
        assert 0 <= float(ber(c, 60.0)) < 1e-30
        rates = ber(c, np.linspace(-10, 30, 9))
        assert np.all(np.diff(rates) <= 0)
        assert np.all(rates <= ser(c, np.linspace(-10, 30, 9)) + 1e-15)


def test_fading_limits() -> None:
    # Rayleigh is Rician without a line of sight; a strong line of sight is no fading.
    for c in (psk8(), qam(16)):
        for rate in (ber, ser):
            without = rate(c, 12.0, fading=Rician(0.0, 1))
            assert float(without) == pytest.approx(float(rate(c, 12.0, fading=RAYLEIGH)), rel=1e-9)
            strong = float(rate(c, 12.0, fading=Rician(1e4, 1)))
            assert strong == pytest.approx(float(rate(c, 12.0)), rel=0.02)


def test_shape_follows_the_ratios() -> None:
    esn0_db = np.zeros((2, 3))
    for c in (qam(16), psk8()):
        assert ber(c, esn0_db).shape == ser(c, esn0_db, fading=RAYLEIGH).shape == (2, 3)
    assert ber(c, 0.0).shape == ()
