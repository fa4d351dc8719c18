"""Allocations per second of JCAMP and JCAP on one thread.

    python benchmarks/bench_allocation.py [--rounds 5]

The search is walked once per set of tables and serves every channel state; what an allocation
costs after that is a look-up. Both are shown, and the rate of a caller who would walk for each.
"""

import argparse
import functools
import math
import statistics
import time
from collections.abc import Callable
from typing import TypeAlias, get_args

import numpy as np
import torch

from phy.allocation import Accounting, Allocation, AllocationProblem, jcamp, jcap

Verb: TypeAlias = Callable[..., tuple[Allocation, ...]]
SHAPES = {64: 2000, 576: 500}
"""Sub-vectors (CIFAR-10 and 96 x 96 pixels), and how many channel states to try."""


def problem(sub_vectors: int, accounting: Accounting) -> AllocationProblem:
    """Random tables of 5 codebooks and 9 bits, 4 bits per symbol on average."""
    draw = np.random.default_rng(1)
    shape = (5, sub_vectors, 9)
    mu = np.sort(np.exp(draw.uniform(math.log(5e-4), math.log(0.5), shape)), axis=0)
    return AllocationProblem(
        torch.from_numpy(mu),
        torch.from_numpy(np.sort(draw.exponential(size=shape[:2]), axis=0)),
        symbols=sub_vectors * 9 // 4,
        most_bits_per_symbol=8,
        accounting=accounting,
    )


def seconds(job: Callable[[], object]) -> float:
    """How long a job takes."""
    began = time.perf_counter()
    job()
    return time.perf_counter() - began


def measure(verb: Verb, tables: AllocationProblem, rounds: int) -> list[float]:
    """Seconds of the walk, of an allocation in a batch, and of one alone: medians."""
    gamma = torch.randn(SHAPES[tables.distortion.shape[1]], dtype=torch.complex128).abs() ** 2 * 10
    power = float(tables.bits)
    found = []
    for _ in range(rounds):
        fresh = AllocationProblem(
            tables.flip_probability,
            tables.distortion,
            symbols=tables.symbols,
            most_bits_per_symbol=tables.most_bits_per_symbol,
            accounting=tables.accounting,
        )
        name = "adaptive_path" if verb is jcamp else "fixed_path"
        walk = seconds(functools.partial(getattr, fresh, name))
        allocate = functools.partial(verb, fresh, total_power=power)
        batch = seconds(functools.partial(allocate, gamma)) / len(gamma)
        few = gamma[:50, None]
        alone = seconds(functools.partial(list, map(allocate, few))) / len(few)
        found.append([walk, batch, alone])
    return [statistics.median(times) for times in zip(*found, strict=True)]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    print(
        "| method | accounting | N | walk [ms] | in a batch [1/s] | alone [1/s] | with walk [1/s] |"
    )
    print("|---|---|---|---|---|---|---|")
    for verb in (jcamp, jcap):
        for accounting in get_args(Accounting):
            for sub_vectors in SHAPES:
                tables = problem(sub_vectors, accounting)
                verb(tables, torch.ones(1), total_power=1.0)  # compiles what is to be compiled
                walk, batch, alone = measure(verb, tables, options.rounds)
                print(
                    f"| {verb.__name__} | {accounting} | {sub_vectors} | {1e3 * walk:.3g} | "
                    f"{1 / batch:,.0f} | {1 / alone:,.0f} | {1 / (walk + alone):,.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
