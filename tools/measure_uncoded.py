"""Uncoded bit error rates of every modulation against theory, AWGN and i.i.d. Rayleigh fading.

    python tools/measure_uncoded.py [BITS]

Prints a table: the rate of nearest-point decisions, theory, and their difference in standard errors
(of the symbols' error counts, as the bits of a symbol fail together); then the rate of the signs of
the exact LLRs. Theory is that of nearest points. The LLRs decide each bit by itself, which does a
little better where several points are likely: by 1 to 2 % for cross QAM over Rayleigh fading. Known
values: 4-QAM 7 dB Es/N0 1.26e-2, 16-QAM 12 dB 2.81e-2.
"""

import sys
import zlib
from collections.abc import Callable

import torch

from phy.channel import transmit
from phy.constellation import Constellation
from phy.cross_qam import cross_qam
from phy.equalize import zero_forcing
from phy.fading import NoFading, Rayleigh
from phy.noise import standard_complex_normal
from phy.psk import bpsk, psk8
from phy.qam import SQUARE_ORDERS, qam
from phy.snr import noise_variance_from_esn0_db
from phy.theory import ber

AWGN_DB = {2: 4, 4: 7, 8: 11, 16: 12, 32: 16, 64: 18, 128: 22, 256: 24, 1024: 30, 4096: 36}
RAYLEIGH_DB = {m: db + 6 for m, db in AWGN_DB.items()}


def measure(
    constellation: Constellation, fading: NoFading | Rayleigh, esn0_db: float, bits: int
) -> tuple[float, float, float]:
    """Bit error rate of nearest points, its standard error, and the rate of LLR signs."""
    m = constellation.bits_per_symbol
    count = -(-bits // m)
    seed = zlib.crc32(f"{constellation.name} {fading} {esn0_db}".encode())
    draw = torch.Generator().manual_seed(seed)
    sent = torch.randint(2, (count * m,), generator=draw, dtype=torch.uint8)
    symbols = constellation.map(sent)
    n0 = noise_variance_from_esn0_db(esn0_db)
    gains = fading.gains(count, generator=draw)
    noise = standard_complex_normal(count, generator=draw)
    received = transmit(symbols, gains=gains, noise_variance=n0, noise=noise)
    equalized = zero_forcing(received, gains, n0)
    llrs = constellation.demap(equalized.unbiased, equalized.noise_variance)
    by_llr = ((llrs < 0) != sent).double().mean()
    wrong = (constellation.decide(equalized.unbiased) != sent).reshape(count, m).sum(1).double()
    return float(wrong.mean() / m), float(wrong.std() / m / count**0.5), float(by_llr)


def main() -> None:
    """Print the table."""
    bits = int(float(sys.argv[1])) if len(sys.argv) > 1 else 4_000_000
    makers: list[Callable[[], Constellation]] = [bpsk, psk8]
    constellations = [make() for make in makers] + [qam(order) for order in SQUARE_ORDERS]
    constellations += [cross_qam(32), cross_qam(128), qam(64, axes="split")]
    print(
        f"{'modulation':<16}{'channel':<10}{'Es/N0':>6}{'measured':>12}{'theory':>12}{'sigma':>8}{'LLRs':>12}"
    )
    for constellation in constellations:
        order = len(constellation.points)
        cases: list[tuple[str, NoFading | Rayleigh, float]] = [
            ("awgn", NoFading(), AWGN_DB[order]),
            ("rayleigh", Rayleigh(span=1), RAYLEIGH_DB[order]),
        ]
        for name, fading, esn0_db in cases:
            measured, error, by_llr = measure(constellation, fading, esn0_db, bits)
            expected = float(ber(constellation, esn0_db, fading=fading))
            print(
                f"{constellation.name:<16}{name:<10}{esn0_db:>6g}{measured:>12.4e}"
                f"{expected:>12.4e}{(measured - expected) / error:>8.2f}{by_llr:>12.4e}"
            )


if __name__ == "__main__":
    main()
