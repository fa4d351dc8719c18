"""The whole link, ours and Sionna's: bits, (648, 1/2), 64-QAM, AWGN, LLRs, decoding, counting.

    python benchmarks/bench_link.py [--ebn0-db 7] [--rounds 3] [--most-blocks 100000]

One thread, interleaved. Then ours alone for ever more blocks: the time for each block, and the
largest memory the process ever had.
"""

import argparse
import resource
import statistics
import time
import warnings
from collections.abc import Callable

import peers
import torch

from phy.ldpc import Ieee80211n
from phy.snr import noise_variance_from_esn0_db
from transceiver.bench import LinkSpeed, link_scenario, machine, measure_link
from transceiver.build import build, conditions

ORDER, K, N = 64, 324, 648
ITERATIONS = 50
OUR_BLOCKS, SIONNA_BLOCKS = 32768, 256


def ours(ebn0_db: float) -> Callable[[int], LinkSpeed]:
    """Our link for a number of blocks."""
    scenario = link_scenario("ieee80211n:648:1/2", order=ORDER, ebn0_db=ebn0_db)
    link = build(scenario)["bits"].link
    state = conditions(link, scenario, ebn0_db)
    return lambda blocks: measure_link(link, state, blocks=blocks, seed=1)


def sionnas(ebn0_db: float) -> Callable[[int], float]:
    """Sionna's link: a function of the number of blocks that returns its block error rate.

    Its encoder takes any parity-check matrix and permutes the bits; the decoder gets the same
    matrix, and whole codewords are compared.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sionna.phy.channel import AWGN
        from sionna.phy.fec.linear import LinearEncoder
        from sionna.phy.mapping import BinarySource, Constellation, Demapper, Mapper

        graph = Ieee80211n(N, "1/2").graph
        source, channel = BinarySource(), AWGN()
        encoder = LinearEncoder(peers.matrix(graph).toarray(), is_pcm=True)
        constellation = Constellation("qam", 6)
        mapper = Mapper(constellation=constellation)
        demapper = Demapper("app", constellation=constellation)
    decode = peers.sionna(graph, ITERATIONS)
    esn0_db = ebn0_db + 10 * torch.log10(torch.tensor(6 * K / N)).item()
    n0 = noise_variance_from_esn0_db(esn0_db)

    def carry(blocks: int) -> float:
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            coded = encoder(source([blocks, K]))
            llrs = demapper(channel(mapper(coded), n0), n0)
            found = decode(-llrs)
            return float((found != coded).any(1).float().mean())

    return carry


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ebn0-db", type=float, default=7.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most-blocks", type=int, default=100_000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(machine(), "\n")
    our_link, sionna_link = ours(options.ebn0_db), sionnas(options.ebn0_db)
    our_link(4096), sionna_link(16)
    speeds: dict[str, list[float]] = {"Sionna": [], "ours": []}
    for _ in range(options.rounds):
        began = time.perf_counter()
        sionna_bler = sionna_link(SIONNA_BLOCKS)
        speeds["Sionna"].append(SIONNA_BLOCKS * K / (time.perf_counter() - began))
        speed = our_link(OUR_BLOCKS)
        speeds["ours"].append(OUR_BLOCKS * K / sum(speed.seconds.values()))
    ratio = statistics.median(a / b for a, b in zip(speeds["ours"], speeds["Sionna"], strict=True))
    print("| link | Mbit/s | times Sionna | BLER |\n|---|---|---|---|")
    print(f"| Sionna | {statistics.median(speeds['Sionna']) / 1e6:.3g} | 1 | {sionna_bler:.2g} |")
    bler = speed.block_errors / speed.blocks
    print(f"| ours | {statistics.median(speeds['ours']) / 1e6:.3g} | {ratio:,.3g} | {bler:.2g} |\n")

    print("| blocks | seconds | us per block | peak memory [MB] |\n|---|---|---|---|")
    blocks = 1000
    while blocks <= options.most_blocks:
        spent = sum(our_link(blocks).seconds.values())
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"| {blocks:,} | {spent:.3f} | {1e6 * spent / blocks:.2f} | {peak:.0f} |", flush=True)
        blocks *= 10


if __name__ == "__main__":
    main()
