"""LDPC decoders, ours and others', on the same LLRs in one interleaved run, on one thread.

    python benchmarks/bench_decoders.py [CODE ...] [--rounds 3] [--aff3ct PATH]

Each round gives every decoder its turn, so that whatever else the machine does hits all of them;
ratios are medians of the rounds' ratios. The slow decoders get the first blocks only: the block
error rates (blocks with a wrong information bit) in one column are of those, the same for all.
"""

import argparse
import functools
import math
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import peers
import torch
from torch import Tensor

from phy.jit import kernel
from phy.ldpc import BeliefPropagation, DvbS2, Ieee80211n, Layered, LdpcCode, Nr, two_tier


@dataclass(frozen=True)
class Case:
    """A code at an operating point.

    Attributes:
        code: The code.
        ebn0_db: Eb/N0 of BPSK over white noise.
        blocks: What the fast decoders decode in a turn.
        few: What the slow ones do: as many as make them fast, within about 10 s.
    """

    code: LdpcCode
    ebn0_db: float
    blocks: int
    few: int


CASES = {
    "648": Case(Ieee80211n(648, "1/2"), 2.0, 20480, 1024),
    "nr1024": Case(Nr(1024, 2048), 1.8, 8192, 256),
    "nr8448": Case(Nr(8448, 16896), 1.2, 1024, 32),
    "dvb": Case(DvbS2(64800, "1/2"), 1.2, 256, 8),
}

ITERATIONS = 50
_SPINS = 300_000_000


@dataclass
class Entry:
    """A decoder and what was measured of it.

    Attributes:
        name: In the table.
        decode: LLRs to bits.
        blocks: How many it gets in a turn.
        speeds: Information bits per second, by round.
        wrong: Block errors among the first blocks.
    """

    name: str
    decode: Callable[[Tensor], Tensor]
    blocks: int
    speeds: list[float] = field(default_factory=list)
    wrong: int = 0


def channel_llrs(code: LdpcCode, ebn0_db: float, blocks: int) -> tuple[Tensor, Tensor]:
    """Information bits, and LLRs ``[blocks, variables]`` of their codewords."""
    draw = torch.Generator().manual_seed(1)
    info = torch.randint(2, (blocks, code.k), generator=draw, dtype=torch.uint8)
    axis_variance = code.n / code.k / 2 * 10 ** (-ebn0_db / 10)
    sent = 1 - 2 * code.encode(info).float()
    noise = torch.randn(sent.shape, generator=draw) * math.sqrt(axis_variance)
    return info, code.rate_recover(2 * (sent + noise) / axis_variance).contiguous()


def entries(case: Case) -> list[Entry]:
    """The decoders of a case; the first one is what the others are compared with."""
    graph, many, few = case.code.graph, case.blocks, case.few
    layered = functools.partial(Layered, graph, iterations=ITERATIONS, threads=1)
    ours = [
        ("default (two tiers)", two_tier(graph, iterations=ITERATIONS, threads=1)),
        ("offset min-sum, int8", layered("offset_min_sum", "int8")),
        ("offset min-sum, int16", layered("offset_min_sum", "int16")),
        ("offset min-sum, float32", layered("offset_min_sum", "float32")),
        ("A-min*, int16", layered("a_min_star", "int16")),
        ("A-min*, float32", layered("a_min_star", "float32")),
    ]
    flooding = BeliefPropagation(graph, iterations=ITERATIONS)
    found = [
        Entry("Sionna, sum-product", peers.sionna(graph, ITERATIONS), few),
        *(Entry(name, lambda x, d=d: d.decode(x).bits, many) for name, d in ours),
        Entry("reference, sum-product", lambda x: flooding.decode(x).bits, few),
    ]
    if isinstance(case.code, Ieee80211n):  # it makes NaN of LLRs of 0, as punctured bits have
        one_by_one = max(few // 64, 4)
        found.append(
            Entry("scikit-commpy, sum-product", peers.commpy(graph, ITERATIONS), one_by_one)
        )
    if (kaira := peers.kaira(graph, ITERATIONS)) is not None:
        found.append(Entry("Kaira, sum-product", kaira, few))
    return found


def run(case: Case, rounds: int) -> list[Entry]:
    """Measure all decoders of a case, each in its turn."""
    info, llrs = channel_llrs(case.code, case.ebn0_db, case.blocks)
    decoders = entries(case)
    for entry in decoders:  # compiles what is to be compiled
        bits = entry.decode(llrs[: min(entry.blocks, case.few)])
        wrong = (case.code.info(bits) != info[: len(bits)]).any(1)
        entry.wrong = int(wrong.sum())
    for _ in range(rounds):
        for entry in decoders:
            began = time.perf_counter()
            entry.decode(llrs[: entry.blocks])
            entry.speeds.append(entry.blocks * case.code.k / (time.perf_counter() - began))
    return decoders


@kernel
def spin(count):  # type: ignore[no-untyped-def]
    """Arithmetic that needs no memory: what a second thread could gain at best."""
    x = 0
    for i in range(count):
        x = (x * 1103515245 + i) & 0x7FFFFFFF
    return x


def seconds(job: Callable[[], object]) -> float:
    """How long a job takes."""
    began = time.perf_counter()
    job()
    return time.perf_counter() - began


def two_threads(case: Case, rounds: int) -> tuple[float, float]:
    """Gain of a second thread: of the default decoder, and of threads that only calculate."""
    _, llrs = channel_llrs(case.code, case.ebn0_db, 4 * case.blocks)  # so that the ends matter less
    one, two = (two_tier(case.code.graph, iterations=ITERATIONS, threads=t) for t in (1, 2))
    two.decode(llrs)
    gains, most = [], []
    with ThreadPoolExecutor(2) as pool:
        for _ in range(rounds):
            alone = seconds(functools.partial(one.decode, llrs))
            gains.append(alone / seconds(functools.partial(two.decode, llrs)))
            alone = seconds(lambda: spin(_SPINS))
            most.append(2 * alone / seconds(lambda: list(pool.map(spin, [_SPINS] * 2))))
    return statistics.median(gains), statistics.median(most)


def table(case: Case, decoders: list[Entry]) -> str:
    """The case in Markdown."""
    lines = [
        f"### ({case.code.k}, {case.code.n}), {type(case.code).__name__}, {case.ebn0_db} dB",
        "",
        f"| decoder, {ITERATIONS} iterations | Mbit/s | times Sionna | block errors |",
        "|---|---|---|---|",
    ]
    for entry in decoders:
        ratio = statistics.median(
            mine / theirs for mine, theirs in zip(entry.speeds, decoders[0].speeds, strict=True)
        )
        tried = min(entry.blocks, case.few)
        speed = statistics.median(entry.speeds) / 1e6
        lines.append(f"| {entry.name} | {speed:.3g} | {ratio:,.3g} | {entry.wrong} of {tried} |")
    return "\n".join(lines) + "\n"


def processor() -> str:
    """The processor's name."""
    path = Path("/proc/cpuinfo")
    names = [line for line in path.read_text().splitlines() if "model name" in line]
    return names[0].partition(": ")[2] if names else platform.processor()


def main() -> None:
    """Print a table for each code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("codes", nargs="*", metavar="CODE", help=f"of {', '.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--aff3ct", type=Path, help="the program, if you have it")
    options = parser.parse_args()
    if unknown := set(options.codes) - set(CASES):
        parser.error(f"CODE must be one of {', '.join(CASES)}, got {', '.join(sorted(unknown))}")
    torch.set_num_threads(1)
    print(f"{processor()}, torch {torch.__version__}, one thread\n")
    for name in options.codes or CASES:
        case = CASES[name]
        print(table(case, run(case, options.rounds)), flush=True)
        gain, most = two_threads(case, 2 * options.rounds + 1)
        print(f"default decoder, two threads: {gain:.2f} times one; pure arithmetic: {most:.2f}\n")
        if options.aff3ct:
            print(peers.aff3ct(options.aff3ct, case.code.graph, case.ebn0_db), "\n", flush=True)


if __name__ == "__main__":
    main()
