import numpy as np
import pytest
import torch
from scipy.special import exp1
from torch.nn.functional import softplus

from phy.constellation import Constellation
from phy.cross_qam import cross_qam
from phy.fading import NoFading, Rayleigh, Rician
from phy.noise import standard_complex_normal
from phy.psk import bpsk, psk8
from phy.qam import qam
from phy.theory.capacity import (
    awgn_capacity,
    bicm_capacity,
    constellation_capacity,
    ergodic_capacity,
)


def test_gaussian_symbols() -> None:
    assert np.allclose(awgn_capacity([0.0, 10.0, 20.0]), np.log2([2, 11, 101]))
    assert np.allclose(ergodic_capacity([0.0, 10.0], fading=NoFading()), np.log2([2, 11]))


def test_ergodic_rayleigh_capacity_is_the_closed_form() -> None:
    esn0_db = np.linspace(-15, 40, 12)
    inverse = 10 ** (-esn0_db / 10)
    expected = np.exp(inverse) * exp1(inverse) / np.log(2)
    found = ergodic_capacity(esn0_db, fading=Rayleigh(span=1))
    assert np.allclose(found, expected, rtol=1e-8)
    rician = ergodic_capacity(esn0_db, fading=Rician(5.0, span=1))
    assert np.all((rician > found) & (rician < awgn_capacity(esn0_db)))


def test_limits_of_rate_one_half() -> None:
    # Binary signalling reaches rate 1/2 at Eb/N0 = 0.187 dB (textbook value).
    assert float(constellation_capacity(bpsk(), 0.187 - 3.0103)) == pytest.approx(0.5, abs=2e-4)
    assert float(constellation_capacity(qam(4), 0.187)) == pytest.approx(1.0, abs=4e-4)


@pytest.mark.parametrize("c", [bpsk(), qam(4), psk8(), qam(16), cross_qam(32), qam(64)])
def test_order_and_saturation(c: Constellation) -> None:
    esn0_db = np.array([-20.0, 0.0, 8.0, 45.0])
    whole, bits = constellation_capacity(c, esn0_db), bicm_capacity(c, esn0_db)
    assert np.all(bits <= whole + 1e-9)
    assert np.all(whole <= awgn_capacity(esn0_db) + 1e-9)
    assert whole[-1] == pytest.approx(c.bits_per_symbol, abs=1e-6)
    assert bits[-1] == pytest.approx(c.bits_per_symbol, abs=1e-6)
    assert np.all(np.diff(whole) > 0)


def test_independent_bits_lose_nothing() -> None:
    for c in (bpsk(), qam(4)):
        assert np.allclose(bicm_capacity(c, [0.0, 5.0]), constellation_capacity(c, [0.0, 5.0]))


@pytest.mark.parametrize("esn0_db", [0.0, 9.0, 15.0])
def test_plane_and_axes_agree(esn0_db: float) -> None:
    c = qam(16)
    plane = Constellation(name="plane", points=c.points)
    for capacity in (constellation_capacity, bicm_capacity):
        assert float(capacity(plane, esn0_db)) == pytest.approx(
            float(capacity(c, esn0_db)), abs=1e-4
        )


@pytest.mark.parametrize(
    ("c", "esn0_db"), [(psk8(), 8.0), (qam(16), 9.0), (cross_qam(32), 12.0), (qam(256), 18.0)]
)
def test_capacities_are_those_of_simulated_symbols(c: Constellation, esn0_db: float) -> None:
    n, n0 = 40_000, 10 ** (-esn0_db / 10)
    generator = torch.Generator().manual_seed(9)
    label = torch.randint(0, len(c.points), (n,), generator=generator)
    noise = standard_complex_normal(n, generator=generator).to(torch.complex128)
    received = c.points[label] + n0**0.5 * noise
    # BICM: m - E log2(1 + exp(-LLR)) of the sent bits' exact LLRs.
    llrs = c.demap(received, n0).reshape(n, c.bits_per_symbol)
    signs = 1 - 2 * c.label_bits[label].to(torch.float64)
    loss = softplus(-llrs * signs).sum(1) / np.log(2)
    error = 4 * float(loss.std()) / n**0.5
    found = c.bits_per_symbol - float(loss.mean())
    assert abs(found - float(bicm_capacity(c, esn0_db))) < error
    # Whole symbols: m - E log2 sum_k exp(...), by the definition.
    apart = (received[:, None] - c.points).abs().square() - n0 * noise.abs().square()[:, None]
    loss = torch.logsumexp(-apart / n0, 1) / np.log(2)
    error = 4 * float(loss.std()) / n**0.5
    found = c.bits_per_symbol - float(loss.mean())
    assert abs(found - float(constellation_capacity(c, esn0_db))) < error
