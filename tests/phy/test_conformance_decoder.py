"""Waterfalls of the flooding sum-product decoder beside sionna's, on the same received LLRs.

The two are the same algorithm, so they are held to more than equal rates: nearly every block ends
alike, and where both find a codeword it is the same one. The decoders differ in rounding and in
where they limit messages (sionna: LLRs of the channel at 20, ours at what is certain), and that
decides a few blocks only.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from torch import Tensor

from phy.channel import transmit
from phy.constellation import Constellation
from phy.equalize import zero_forcing
from phy.fading import Fading, NoFading, Rayleigh
from phy.ldpc import BeliefPropagation, Ieee80211n, Nr
from phy.noise import standard_complex_normal
from phy.qam import qam
from phy.snr import noise_variance_from_esn0_db

pytestmark = pytest.mark.conformance

ITERATIONS = 20
BATCH = 100
AWGN, RAYLEIGH = NoFading(), Rayleigh(span=1)


@dataclass(frozen=True)
class Point:
    """Blocks of one code at one Es/N0 in its waterfall."""

    code: Ieee80211n | Nr
    modulation: Constellation
    esn0_db: float
    blocks: int
    fading: Fading = AWGN

    def __str__(self) -> str:
        code = self.code
        name = f"{type(code).__name__}-{code.k}-{code.n}-{self.modulation.name}-{self.esn0_db}dB"
        return name if self.fading is AWGN else f"{name}-rayleigh"


QPSK, QAM16 = qam(4), qam(16)
HALF, FIVE_SIXTHS = Ieee80211n(648, "1/2"), Ieee80211n(648, "5/6")
POINTS = [
    Point(HALF, QPSK, 1.2, 2000),
    Point(HALF, QPSK, 1.8, 3000),
    Point(FIVE_SIXTHS, QPSK, 5.5, 2000),
    Point(FIVE_SIXTHS, QPSK, 6.1, 3000),
    Point(HALF, QAM16, 6.7, 2000),
    Point(HALF, QAM16, 7.3, 3000),
    Point(FIVE_SIXTHS, QAM16, 11.9, 2000),
    Point(FIVE_SIXTHS, QAM16, 12.4, 3000),
    Point(Nr(1024, 2048), QPSK, 1.1, 800),
    Point(Nr(1024, 2048), QPSK, 1.5, 1200),
    Point(Nr(1024, 2048), QAM16, 6.6, 800),
    Point(Nr(3072, 6144), QPSK, 1.0, 300),
    Point(Nr(3072, 6144), QPSK, 1.25, 400),
    Point(Nr(3072, 6144), QAM16, 6.4, 300),
    Point(Nr(4096, 6144), QPSK, 3.2, 400),
    Point(Nr(4096, 6144), QAM16, 9.0, 400),
    Point(Nr(1024, 2048), QPSK, 3.0, 800, RAYLEIGH),
    Point(Nr(1024, 2048), QPSK, 3.7, 1200, RAYLEIGH),
    Point(Nr(1024, 2048), QAM16, 8.6, 800, RAYLEIGH),
]


@pytest.fixture(scope="module")
def sionna_ldpc() -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the import alone
        from sionna.phy.fec import ldpc

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # several threads make sionna slower where cores are shared
    yield ldpc
    torch.set_num_threads(threads)


def receive(point: Point, blocks: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Information bits ``[blocks, k]`` and exact LLRs ``[blocks, n]``."""
    code, n0 = point.code, noise_variance_from_esn0_db(point.esn0_db)
    info = torch.randint(0, 2, (blocks, code.k), dtype=torch.uint8, generator=generator)
    symbols = point.modulation.map(code.encode(info))
    count = symbols.numel()
    gains = point.fading.gains(count, generator=generator).reshape(symbols.shape)
    noise = standard_complex_normal(count, generator=generator).reshape(symbols.shape)
    received = transmit(symbols, gains=gains, noise_variance=n0, noise=noise)
    equalized = zero_forcing(received, gains, n0)
    return info, point.modulation.demap(equalized.symbols, equalized.noise_variance)


class TheirDecoder:
    """sionna's decoder of a code; LLRs change sign on the way in."""

    def __init__(self, ldpc: Any, code: Ieee80211n | Nr) -> None:
        self._code = code
        options = {"cn_update": "boxplus-phi", "num_iter": ITERATIONS, "device": "cpu"}
        if isinstance(code, Nr):
            encoder = ldpc.LDPC5GEncoder(code.k, code.n, device="cpu")
            self._decode = ldpc.LDPC5GDecoder(encoder, hard_out=True, **options)
        else:
            graph = code.graph
            place = (graph.check.numpy(), graph.variable.numpy())
            H = scipy.sparse.csr_matrix((np.ones(graph.edges), place))
            self._decode = ldpc.LDPCBPDecoder(H, **options)

    def __call__(self, llrs: Tensor, info: Tensor) -> tuple[Tensor, Tensor]:
        """Information bits found, and whether the decoder is known to have converged.

        What LDPC5GDecoder returns does not tell: there it counts where the bits are right.
        """
        bits = self._decode(-llrs).to(torch.uint8)
        if isinstance(self._code, Nr):
            return bits, (bits == info).all(-1)
        return self._code.info(bits), (self._code.graph.syndrome(bits) == 0).all(-1)


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_waterfall_is_sionnas(sionna_ldpc: Any, point: Point) -> None:
    code, n = point.code, point.blocks
    theirs, ours = TheirDecoder(sionna_ldpc, code), BeliefPropagation(code.graph, ITERATIONS)
    generator = torch.Generator().manual_seed(2024)
    our_errors = their_errors = differing = both = 0
    for _ in range(n // BATCH):
        info, llrs = receive(point, BATCH, generator)
        decoded = ours.decode(code.rate_recover(llrs))
        found, (expected, converged) = code.info(decoded.bits), theirs(llrs, info)
        success = decoded.converged & converged
        assert torch.equal(found[success], expected[success])
        wrong, wrong_there = (found != info).any(-1), (expected != info).any(-1)
        our_errors += int(wrong.sum())
        their_errors += int(wrong_there.sum())
        differing += int((wrong != wrong_there).sum())
        both += int(success.sum())

    print(f"{point}: {our_errors} / {n}, sionna {their_errors}, apart {differing}, both {both}")
    p = (our_errors + their_errors) / (2 * n)
    assert 0.01 < p < 0.9  # in the waterfall
    assert abs(our_errors - their_errors) < 4 * (2 * n * p * (1 - p)) ** 0.5
    assert differing <= 2 + 0.002 * n
    assert both > 0.05 * n  # what is found equal above is not little
