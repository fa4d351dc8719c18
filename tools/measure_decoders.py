"""Block error rates of the default decoder beside flooding sum-product, on the same LLRs.

    python tools/measure_decoders.py [CODE ...] [--errors 100]

Each point runs until the slower of the two has made that many block errors (blocks with a wrong
information bit; BPSK over white noise). A point prints both rates with 95 % intervals, and the
blocks that only one of the two got wrong: were both equally good, the difference of these numbers
would be within two times the square root of their sum, 95 times of a hundred (McNemar 1947).
"""

import argparse
import math
import time

import torch

from phy.ldpc import (
    BeliefPropagation,
    DvbS2,
    Gallager,
    Ieee80211n,
    LdpcCode,
    LdpcDecoder,
    Nr,
    two_tier,
)
from transceiver.intervals import wilson

CASES: dict[str, tuple[LdpcCode, tuple[float, ...], int]] = {
    "648": (Ieee80211n(648, "1/2"), (1.0, 1.5, 2.0), 2000),
    "nr1024": (Nr(1024, 2048), (1.1, 1.3, 1.5), 500),
    "nr8448": (Nr(8448, 16896), (0.6, 0.65, 0.7), 64),
    "dvb1/2": (DvbS2(64800, "1/2"), (0.65, 0.7, 0.75), 32),
    "dvb3/4": (DvbS2(64800, "3/4"), (2.0, 2.05, 2.1), 32),
    "648-5/6": (Ieee80211n(648, "5/6"), (3.0, 3.5, 4.0), 2000),
    "gallager20": (Gallager(n=20, column_weight=3, row_weight=4, seed=0), (2.0, 4.0, 6.0), 5000),
    "nr100": (Nr(100, 300), (0.5, 1.5, 2.5), 1000),
    "dvb16200": (DvbS2(16200, "1/2"), (0.5, 0.6, 0.7), 100),
}
"""By name: the code, Eb/N0 [dB] of each point, blocks at once."""

MOST_BLOCKS = 400_000


def channel_llrs(code: LdpcCode, info: torch.Tensor, ebn0_db: float, seed: int) -> torch.Tensor:
    """LLRs ``[blocks, variables]`` of information bits as BPSK over white noise."""
    draw = torch.Generator().manual_seed(seed)
    axis_variance = code.n / code.k / 2 * 10 ** (-ebn0_db / 10)
    sent = 1 - 2 * code.encode(info).float()
    noise = torch.randn(sent.shape, generator=draw) * math.sqrt(axis_variance)
    return code.rate_recover(2 * (sent + noise) / axis_variance)


def measure(code: LdpcCode, ebn0_db: float, batch: int, errors: int) -> str:
    """One line of the table."""
    decoders: list[LdpcDecoder] = [
        two_tier(code.graph, threads=1),
        BeliefPropagation(code.graph, iterations=50),
    ]
    wrong, only, spent, blocks = [0, 0], [0, 0], [0.0, 0.0], 0
    while min(wrong) < errors and blocks < MOST_BLOCKS:
        draw = torch.Generator().manual_seed(1_000_000 + blocks)
        info = torch.randint(2, (batch, code.k), generator=draw, dtype=torch.uint8)
        llrs = channel_llrs(code, info, ebn0_db, blocks)
        bad = []
        for i, decoder in enumerate(decoders):
            began = time.perf_counter()
            bits = decoder.decode(llrs).bits
            spent[i] += time.perf_counter() - began
            bad.append((code.info(bits) != info).any(1))
            wrong[i] += int(bad[i].sum())
        only[0] += int((bad[0] & ~bad[1]).sum())
        only[1] += int((bad[1] & ~bad[0]).sum())
        blocks += batch
    rates = [wilson(w, blocks) for w in wrong]
    shown = "  ".join(f"{r.value:.3e} ({r.low:.2e} .. {r.high:.2e})" for r in rates)
    return f"{blocks:>7} {shown}  {only[0]:>5} {only[1]:>5}  {spent[1] / spent[0]:>6.0f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("codes", nargs="*", metavar="CODE", help=f"of {', '.join(CASES)}")
    parser.add_argument("--errors", type=int, default=100)
    options = parser.parse_args()
    if unknown := set(options.codes) - set(CASES):
        parser.error(f"CODE must be one of {', '.join(CASES)}, got {', '.join(sorted(unknown))}")
    torch.set_num_threads(1)
    print(
        f"{'code':<11}{'Eb/N0':>6} {'blocks':>7} {'default, 20 + 50 iterations':<33}  "
        f"{'flooding sum-product, 50':<33}  only in error   time"
    )
    for name in options.codes or CASES:
        code, points, batch = CASES[name]
        for ebn0_db in points:
            print(
                f"{name:<11}{ebn0_db:>6} {measure(code, ebn0_db, batch, options.errors)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
