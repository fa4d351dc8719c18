"""How far the greedy searches are from the least distortion that any (v, m) reaches.

All V^N codebook assignments are tried; the least power of each over the orders is found exactly,
by dynamic programming over the shares of symbols (or over the sum of orders).
"""

import itertools
import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
import torch

from phy.allocation import Accounting, Allocation, AllocationProblem, jcamp, jcap, needed_esn0
from phy.allocation.path import replay
from phy.theory.q_function import Floats

N, B, V = 6, 2, 3
Verb: TypeAlias = Callable[..., tuple[Allocation, ...]]


def _problem(
    draw: np.random.Generator, accounting: Accounting, shape: tuple[int, int, int] = (V, N, B)
) -> AllocationProblem:
    mu = np.sort(np.exp(draw.uniform(math.log(5e-4), math.log(0.5), shape)), axis=0)
    distortion = np.sort(draw.exponential(size=shape[:2]), axis=0)
    return AllocationProblem(
        torch.from_numpy(mu),
        torch.from_numpy(distortion),
        symbols=shape[1] * shape[2] // 4,
        most_bits_per_symbol=8,
        accounting=accounting,
    )


def _least_power(
    problem: AllocationProblem, assignments: np.ndarray, orders: tuple[int, ...]
) -> Floats:
    """The least temporary power times gamma of codebooks ``[n, N]``, over all orders."""
    mu, bits = problem.flip_probability.numpy(), problem.bits
    cost = np.stack([needed_esn0(mu, bits_per_symbol=m) for m in orders], axis=-1)
    if problem.accounting == "per_symbol":
        cost /= orders
        sizes = [24 // m for m in orders]
        room = 24 * problem.symbols
    else:
        sizes = [(orders[-1] - m) // 2 for m in orders]
        room = bits * (orders[-1] - problem.fixed_bits_per_symbol) // 2
    least = np.zeros((len(assignments), room + 1))
    for bit in range(bits):
        i, j = divmod(bit, mu.shape[2])
        longer = np.full_like(least, np.inf)
        for o, size in enumerate(sizes):
            price = cost[assignments[:, i], i, j, o]
            before = least[:, : room + 1 - size] + price[:, None]
            longer[:, size:] = np.minimum(longer[:, size:], before)
        least = longer
    return least[:, -1]


@pytest.mark.parametrize(
    ("verb", "accounting", "mean_gap", "worst_gap"),
    [
        (jcap, "per_symbol", 0.12, 1.3),
        (jcap, "as_printed", 0.12, 1.3),
        (jcamp, "per_symbol", 0.22, 1.5),
        (jcamp, "as_printed", 0.40, 3.0),
    ],
)
def test_gap_to_exhaustive_search(
    verb: Verb, accounting: Accounting, mean_gap: float, worst_gap: float
) -> None:
    draw = np.random.default_rng(5)
    assignments = np.array(list(itertools.product(range(V), repeat=N)))
    gaps = []
    for _ in range(60):
        problem = _problem(draw, accounting)
        path = problem.adaptive_path if verb is jcamp else problem.fixed_path
        orders = (2, 4, 6, 8) if verb is jcamp else (4,)
        power = _least_power(problem, assignments, orders)
        distortion = problem.distortion.numpy()[assignments, np.arange(N)].sum(1)
        budget = np.exp(draw.uniform(np.log(path.need[0]), np.log(path.need[-1]), 4))
        for found, limit in zip(
            verb(problem, torch.from_numpy(budget), total_power=1.0), budget, strict=True
        ):
            assert found.fits
            mine = float(problem.distortion.gather(0, found.codebooks[None]).sum())
            gaps.append(mine / distortion[power <= limit * (1 + 1e-9)].min() - 1)
    gap = np.array(gaps)
    print(
        f"{verb.__name__}, {accounting}: distortion above the least by {gap.mean():.1%} (mean), "
        f"{np.median(gap):.1%} (median), {gap.max():.0%} (worst); "
        f"it is the least: {(gap < 1e-9).mean():.0%}"
    )
    assert gap.min() > -1e-9
    assert gap.mean() < mean_gap
    assert gap.max() < worst_gap


@pytest.mark.parametrize(
    ("shape", "mean_excess", "worst_excess"),
    [((3, 6, 2), 0.04, 0.2), ((5, 16, 9), 0.004, 0.02)],
)
def test_orders_by_price_take_almost_the_least_power(
    shape: tuple[int, int, int], mean_excess: float, worst_excess: float
) -> None:
    draw = np.random.default_rng(6)
    excess = []
    for _ in range(10):
        problem = _problem(draw, "per_symbol", shape)
        path = problem.adaptive_path
        codebooks = np.empty((len(path.ends), shape[1]), dtype=np.int64)
        orders = np.empty((len(path.ends), problem.bits), dtype=np.int64)
        replay(path.changes, path.ends, np.arange(len(path.ends)), codebooks, orders)
        assert ((24 // orders).sum(1) <= 24 * problem.symbols).all()
        least = _least_power(problem, codebooks, (2, 4, 6, 8))
        assert (path.need >= least * (1 - 1e-9)).all()
        mu = np.take_along_axis(
            problem.flip_probability.numpy(), codebooks[:, :, None].reshape(-1, *shape[1:2], 1), 0
        ).reshape(len(path.ends), -1)
        taken = np.zeros(len(mu))
        for m in (2, 4, 6, 8):
            taken += (needed_esn0(mu, bits_per_symbol=m) / m * (orders == m)).sum(1)
        assert np.allclose(np.maximum.accumulate(taken), path.need, rtol=1e-9)
        excess.append(taken / least - 1)
    found = np.concatenate(excess)
    print(f"{shape}: {found.mean():.2%} above the least power (mean), {found.max():.1%} (worst)")
    assert found.mean() < mean_excess
    assert found.max() < worst_excess
