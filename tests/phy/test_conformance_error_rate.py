"""Uncoded bit error rates over 10^7 bits against the textbook's formulas, written out here.

Square QAM, Gray labelled, with Es/N0 = g: K. Cho, D. Yoon, "On the general BER expression of one-
and two-dimensional amplitude modulations", IEEE Trans. Commun. 50(7), 2002; under fading each
Q(sqrt(a)) is averaged over the power gain: Rayleigh J. G. Proakis, Digital Communications, 4th
ed., eq. 14.3-7; Rician by integrating over the noncentral chi-square density.
"""

from math import sqrt

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from phy.channel import transmit
from phy.constellation import Constellation
from phy.equalize import zero_forcing
from phy.fading import Fading, NoFading, Rayleigh, Rician
from phy.noise import standard_complex_normal
from phy.psk import bpsk, qpsk
from phy.qam import qam
from phy.snr import noise_variance_from_esn0_db
from phy.theory import ber, q_function

pytestmark = pytest.mark.conformance

BITS = 10_000_000
CHUNK = 240_000  # symbols at a time
# (weight w, factor f): the error rate is the sum of w Q(sqrt(f Es/N0)).
TERMS: dict[int, list[tuple[float, float]]] = {
    2: [(1, 2)],
    4: [(1, 1)],
    16: [(3 / 4, 1 / 5), (2 / 4, 9 / 5), (-1 / 4, 25 / 5)],
    64: [(w / 12, f / 21) for w, f in ((7, 1), (6, 9), (-1, 25), (1, 81), (-1, 169))],
}
AWGN, RAYLEIGH, RICIAN = NoFading(), Rayleigh(span=1), Rician(5.0, span=1)
CASES: list[tuple[Constellation, Fading, tuple[float, ...]]] = [
    (bpsk(), AWGN, (0.0, 7.0, 9.0)),
    (qpsk(), AWGN, (3.0, 10.0, 12.0)),
    (qam(16), AWGN, (8.0, 16.0, 19.0)),
    (qam(64), AWGN, (14.0, 22.0, 25.0)),
    (bpsk(), RAYLEIGH, (5.0, 20.0, 35.0)),
    (qpsk(), RAYLEIGH, (8.0, 20.0, 35.0)),
    (qam(16), RAYLEIGH, (12.0, 30.0)),
    (qam(64), RAYLEIGH, (20.0, 35.0)),
    (bpsk(), RICIAN, (5.0, 15.0)),
    (qpsk(), RICIAN, (8.0, 18.0)),
    (qam(16), RICIAN, (12.0, 24.0)),
    (qam(64), RICIAN, (18.0, 30.0)),
    (qam(16), Rician(0.5, span=1), (15.0, 30.0)),
]


def mean_q(factor: float, esn0: float, fading: Fading) -> float:
    """E[Q(sqrt(factor Es/N0 |h|^2))]."""
    a = factor * esn0
    if isinstance(fading, NoFading):
        return float(q_function(sqrt(a)))
    if isinstance(fading, Rayleigh):
        return (1 - sqrt(a / (2 + a))) / 2
    scale = 2 * (1 + fading.k_factor)
    law = stats.ncx2(2, 2 * fading.k_factor)

    def integrand(g: float) -> float:
        return float(q_function(sqrt(a * g)) * law.pdf(scale * g) * scale)

    # Where Q falls, near g = 1 / a, and the rest.
    parts = [(0.0, 4 / a), (4 / a, 40 / a), (40 / a, 400 / a)]
    return sum(integrate.quad(integrand, *part, epsabs=1e-14, epsrel=1e-10)[0] for part in parts)


def textbook(order: int, esn0_db: float, fading: Fading) -> float:
    return sum(w * mean_q(f, 10 ** (esn0_db / 10), fading) for w, f in TERMS[order])


@pytest.mark.parametrize(
    ("c", "fading", "esn0_db"),
    [(c, fading, esn0_db) for c, fading, points in CASES for esn0_db in points],
    ids=lambda value: getattr(value, "name", None) or str(value),
)
def test_bit_error_rate(c: Constellation, fading: Fading, esn0_db: float) -> None:
    m = c.bits_per_symbol
    rate = textbook(len(c.points), esn0_db, fading)
    assert float(ber(c, esn0_db, fading=fading)) == pytest.approx(rate, rel=1e-6)

    generator = torch.Generator().manual_seed(7)
    n0 = noise_variance_from_esn0_db(esn0_db)
    histogram = np.zeros(m + 1, dtype=np.int64)  # symbols by their number of wrong bits
    left = -(-BITS // m)
    while left:
        n = min(CHUNK, left)
        left -= n
        bits = torch.randint(0, 2, (n * m,), generator=generator, dtype=torch.uint8)
        gains = fading.gains(n, generator=generator)
        noise = standard_complex_normal(n, generator=generator)
        received = transmit(c.map(bits), gains=gains, noise_variance=n0, noise=noise)
        decided = c.decide(zero_forcing(received, gains, n0).symbols)
        wrong = (decided ^ bits).reshape(n, m).sum(1)
        histogram += np.bincount(wrong.numpy(), minlength=m + 1)

    symbols, count = int(histogram.sum()), np.arange(m + 1)
    errors = int(histogram @ count)
    # Symbols are independent, the bits of one are not: the sample's variance per symbol.
    mean = errors / symbols
    spread = sqrt(symbols * float(histogram @ (count - mean) ** 2) / symbols)
    print(f"{c.name} {fading} {esn0_db} dB: {errors / (symbols * m):.5e}, formula {rate:.5e}")
    assert errors > 50
    assert abs(errors - symbols * m * rate) < 4 * spread
