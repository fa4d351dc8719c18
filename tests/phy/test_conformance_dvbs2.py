"""DVB-S2 frames of 64800 bits near the Es/N0 of ETSI EN 302 307-1, Table 13.

The table gives the ideal Es/N0 of quasi-error-free reception (packet error rate 1e-7, 50 decoder
iterations, behind the outer BCH code). Its 16-APSK rows are held against 16-QAM: of the same rate,
and near enough in capacity. The interleaver of clause 5.3.3 has as many columns as a symbol has
bits; QPSK has none.

The BCH code, which is not part of this package, corrects t wrong information bits of a frame
(Table 5a), and some LDPC codes need that: see the words of weight 9 below. A frame counts as lost
where more than t are wrong. What a run without a lost frame says: with a rate p of lost frames it
has the probability (1 - p)^frames, which is that of 4 sigma (one-sided), 3.17e-5, at
p = 10.36 / frames.
"""

from dataclasses import dataclass

import pytest
import torch
from scipy import optimize
from torch import Tensor

from phy.channel import transmit
from phy.constellation import Constellation
from phy.interleave import RowColumn
from phy.ldpc import Decoded, DvbS2, LdpcCode, LdpcDecoder, two_tier
from phy.noise import standard_complex_normal
from phy.psk import psk8, qpsk
from phy.qam import qam
from phy.snr import noise_variance_from_esn0_db
from phy.theory import bicm_capacity

pytestmark = pytest.mark.conformance

N = 64800
BATCH = 40
BEYOND_DB = 0.5
FOUR_SIGMA = 3.17e-5
BCH_CORRECTS = {"1/2": 12, "2/3": 10, "3/4": 12}


def default_decoder(code: LdpcCode) -> LdpcDecoder:
    return two_tier(code.graph, iterations=50)


@dataclass(frozen=True)
class Mode:
    """A row of Table 13."""

    modulation: Constellation
    rate: str
    esn0_db: float

    @property
    def code(self) -> DvbS2:
        return DvbS2(N, self.rate)

    def __str__(self) -> str:
        return f"{self.modulation.name}-{self.rate}"


MODES = [
    Mode(qpsk(), "1/2", 1.00),
    Mode(qpsk(), "3/4", 4.03),
    Mode(psk8(), "2/3", 6.62),
    Mode(qam(16), "2/3", 8.97),
    Mode(qam(16), "3/4", 10.21),
]


def receive(
    mode: Mode, esn0_db: float, generator: torch.Generator, frames: int
) -> tuple[Tensor, Decoded]:
    """Information bits of some frames, and what the decoder makes of them."""
    code, n0 = mode.code, noise_variance_from_esn0_db(esn0_db)
    m = mode.modulation.bits_per_symbol
    interleaver = RowColumn(m) if m > 2 else RowColumn(1)
    info = torch.randint(0, 2, (frames, code.k), dtype=torch.uint8, generator=generator)
    symbols = mode.modulation.map(interleaver.interleave(code.encode(info)))
    noise = standard_complex_normal(symbols.numel(), generator=generator).reshape(symbols.shape)
    gains = torch.ones_like(symbols)
    received = transmit(symbols, gains=gains, noise_variance=n0, noise=noise)
    llrs = interleaver.deinterleave(mode.modulation.demap(received, n0))
    return info, default_decoder(code).decode(llrs)


def count(mode: Mode, esn0_db: float, frames: int) -> tuple[int, int]:
    """Frames with any information bit wrong, and those of them that the BCH code would not save."""
    generator = torch.Generator().manual_seed(round(100 * esn0_db))
    wrong = lost = iterations = 0
    for first in range(0, frames, BATCH):
        info, decoded = receive(mode, esn0_db, generator, min(BATCH, frames - first))
        errors = (mode.code.info(decoded.bits) != info).sum(-1)
        wrong += int((errors > 0).sum())
        lost += int((errors > BCH_CORRECTS[mode.rate]).sum())
        iterations += int(decoded.iterations.sum())
    print(
        f"{mode} {esn0_db:.2f} dB, {frames} frames: {wrong} wrong, {lost} lost, "
        f"{iterations / frames:.1f} iterations"
    )
    return wrong, lost


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_frame_error_rates_near_the_table(mode: Mode) -> None:
    """Below 1e-3 with the BCH code, and below 1e-2 without it, both at 4 sigma."""
    frames = 10400
    assert (1 - 1e-3) ** frames < FOUR_SIGMA
    wrong, lost = count(mode, mode.esn0_db + BEYOND_DB, frames)
    assert lost == 0
    assert wrong < frames * 0.01 - 4 * (frames * 0.01 * 0.99) ** 0.5


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_below_capacity_every_frame_fails(mode: Mode) -> None:
    """0.1 dB below where the bits' mutual information is the rate; LDPC and table lie above it."""
    rate = mode.code.k / N * mode.modulation.bits_per_symbol
    limit = optimize.brentq(lambda db: float(bicm_capacity(mode.modulation, db)) - rate, -5, 20)
    assert 0.5 < mode.esn0_db - limit < 1.1
    _, lost = count(mode, limit - 0.1, 8)
    assert lost == 8


def test_rate_2_3_has_360_words_of_weight_9() -> None:
    """Why the BCH code is there: two information bits that share their parity but for 7 bits.

    Groups 23 and 68 of Annex B, Table B.6 have the addresses 23, 515, 12614 and 8, 9024, 9515. With
    q = 60, bit m of the one and bit m - 150 of the other meet at 515, and miss each other by 1 and
    by 6 places, between which the accumulator stays at one.
    """
    code = DvbS2(N, "2/3")
    m = torch.arange(360)
    info = torch.zeros(360, code.k, dtype=torch.uint8)
    info[m, 23 * 360 + m] = 1
    info[m, 68 * 360 + (m - 150) % 360] = 1
    assert code.encode(info).sum(-1).tolist() == [9] * 360
