"""Speed of the reference LDPC decoder, one thread: exact flooding sum-product, 50 iterations.

python benchmarks/bench_ldpc.py
"""

import math
import time

import torch

from phy.ldpc import BeliefPropagation, DvbS2, Ieee80211n, LdpcCode, Nr

CASES: list[tuple[LdpcCode, float, int]] = [
    (Ieee80211n(648, "1/2"), 2.0, 3000),
    (Nr(1024, 2048), 1.8, 800),
    (Nr(8448, 16896), 1.2, 60),
    (DvbS2(64800, "1/2"), 1.2, 16),
    (DvbS2(64800, "1/2"), 1.2, 1),
]
"""Code, Eb/N0 [dB], blocks at once."""


def channel_llrs(code: LdpcCode, ebn0_db: float, blocks: int) -> torch.Tensor:
    """LLRs ``[blocks, variables]`` of random codewords as BPSK over white noise."""
    draw = torch.Generator().manual_seed(1)
    info = torch.randint(2, (blocks, code.k), generator=draw, dtype=torch.uint8)
    axis_variance = code.n / code.k / 2 * 10 ** (-ebn0_db / 10)
    sent = 1 - 2 * code.encode(info).float()
    noise = torch.randn(sent.shape, generator=draw) * math.sqrt(axis_variance)
    return code.rate_recover(2 * (sent + noise) / axis_variance)


def main() -> None:
    """Print a line for each case."""
    torch.set_num_threads(1)
    print(f"{'code':<26}{'Eb/N0':>6}{'blocks':>8}{'Mbit/s':>9}{'ms/block':>10}{'iterations':>12}")
    for code, ebn0_db, blocks in CASES:
        llrs = channel_llrs(code, ebn0_db, blocks)
        decoder = BeliefPropagation(code.graph, iterations=50)
        decoder.decode(llrs[:1])
        began = time.perf_counter()
        decoded = decoder.decode(llrs)
        spent = time.perf_counter() - began
        name = f"{type(code).__name__} ({code.k}, {code.n})"
        print(
            f"{name:<26}{ebn0_db:>6}{blocks:>8}{blocks * code.k / spent / 1e6:>9.2f}"
            f"{1e3 * spent / blocks:>10.2f}{decoded.iterations.float().mean():>12.1f}"
        )


if __name__ == "__main__":
    main()
