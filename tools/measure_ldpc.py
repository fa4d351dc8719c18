"""Block error rates of the flooding sum-product decoder at points known from elsewhere.

    python tools/measure_ldpc.py [BLOCKS]

For each: blocks whose codeword is wrong, and blocks with a wrong information bit. Known (20
iterations): (648, 324) 0.137 with QPSK at Eb/N0 1.5 dB and 0.091 with 16-QAM at 4.0 dB; NR (1024,
2048), QPSK, i.i.d. Rayleigh: about 0.45 at Es/N0 3 dB and 0.01 at 4 dB.
"""

import sys

import torch

from phy.channel import transmit
from phy.constellation import Constellation
from phy.equalize import zero_forcing
from phy.fading import NoFading, Rayleigh
from phy.ldpc import BeliefPropagation, Ieee80211n, LdpcCode, Nr
from phy.noise import standard_complex_normal
from phy.qam import qam
from phy.snr import esn0_db_from_ebn0_db, noise_variance_from_esn0_db

_AT_ONCE = 1000


def measure(
    code: LdpcCode,
    constellation: Constellation,
    fading: NoFading | Rayleigh,
    esn0_db: float,
    blocks: int,
) -> tuple[float, float]:
    """Rates of wrong codewords and of blocks with a wrong information bit."""
    decoder = BeliefPropagation(code.graph, iterations=20)
    draw = torch.Generator().manual_seed(1)
    n0 = noise_variance_from_esn0_db(esn0_db)
    codewords = information = 0
    for _ in range(blocks // _AT_ONCE):
        info = torch.randint(2, (_AT_ONCE, code.k), generator=draw, dtype=torch.uint8)
        symbols = constellation.map(code.encode(info).flatten())
        gains = fading.gains(len(symbols), generator=draw)
        noise = standard_complex_normal(len(symbols), generator=draw)
        received = transmit(symbols, gains=gains, noise_variance=n0, noise=noise)
        equalized = zero_forcing(received, gains, n0)
        llrs = constellation.demap(equalized.unbiased, equalized.noise_variance)
        decoded = decoder.decode(code.rate_recover(llrs.reshape(_AT_ONCE, code.n)))
        codewords += int((decoded.bits != code.codeword(info)).any(1).sum())
        information += int((code.info(decoded.bits) != info).any(1).sum())
    return codewords / blocks, information / blocks


def main() -> None:
    """Print the table."""
    blocks = int(float(sys.argv[1])) if len(sys.argv) > 1 else 20_000
    blocks -= blocks % _AT_ONCE
    wifi, nr, still, rayleigh = Ieee80211n(648, "1/2"), Nr(1024, 2048), NoFading(), Rayleigh(span=1)
    cases: list[tuple[str, LdpcCode, int, NoFading | Rayleigh, float]] = [
        ("(648, 324) QPSK Eb/N0 1.5 dB", wifi, 4, still, esn0(1.5, 2)),
        ("(648, 324) 16-QAM Eb/N0 4.0 dB", wifi, 16, still, esn0(4.0, 4)),
        ("NR (1024, 2048) QPSK Rayleigh Es/N0 3 dB", nr, 4, rayleigh, 3.0),
        ("NR (1024, 2048) QPSK Rayleigh Es/N0 4 dB", nr, 4, rayleigh, 4.0),
    ]
    print(f"{blocks} blocks each, 20 iterations")
    for name, code, order, fading, esn0_db in cases:
        codewords, information = measure(code, qam(order), fading, esn0_db, blocks)
        print(f"{name:<42} codewords {codewords:.4f}   information {information:.4f}", flush=True)


def esn0(ebn0_db: float, bits_per_symbol: int) -> float:
    """Es/N0 [dB] at code rate 1/2."""
    return esn0_db_from_ebn0_db(ebn0_db, bits_per_symbol=bits_per_symbol, code_rate=0.5)


if __name__ == "__main__":
    main()
