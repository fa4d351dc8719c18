"""JCAMP and JCAP: codebooks, modulation orders and powers for many channel states at once."""

from math import isfinite
from typing import Any

import numpy as np
import torch
from torch import Tensor

from phy.allocation.grouping import group, share_out
from phy.allocation.inverse_ber import inverse_table
from phy.allocation.path import Path, replay
from phy.allocation.problem import Allocation, AllocationProblem
from phy.host import array
from phy.jit import kernel


def jcamp(
    problem: AllocationProblem, gamma: Tensor, *, total_power: float
) -> tuple[Allocation, ...]:
    """Joint codebook assignment, adaptive modulation and power allocation, for each gamma.

    From the last codebooks on, the one is improved whose distortion falls most for the power it
    takes, eq. 41, then the orders are chosen anew for these codebooks, until the power is spent:

    - ``as_printed``: by the swaps of eqs. 43 and 44, until none lowers the power; all orders are
      N B / T at first, and stay so for the starting codebooks.
    - ``per_symbol``: by price per share of a symbol, see `phy.allocation.orders`; also for the
      starting codebooks.

    A codebook that takes no more power than the one before is chosen first. One that is no better
    is passed over for the next that is: with a distortion that rises with the codebook, as it
    should, there is none. The search ends when P_tot gamma is exceeded, with the state before, or
    when no codebook is left that is better.

    Args:
        problem: What is to be sent. It keeps the search: the next call with it is a look-up.
        gamma: |h|^2 / N0 >= 0 of each transmission, real ``[G]``.
        total_power: P_tot > 0, the sum of E|x_t|^2 over the symbols.

    Returns:
        G allocations.

    Raises:
        ValueError: Values out of range.

    Source: ESC-MVQ, Algorithm 2 with eqs. 45 to 47 and both footnotes.

    >>> mu = torch.tensor([[[0.001, 0.01]], [[0.05, 0.1]]])
    >>> problem = AllocationProblem(mu, torch.tensor([[1.0], [3.0]]), symbols=1,
    ...                             most_bits_per_symbol=8)
    >>> poor, good = jcamp(problem, torch.tensor([1.0, 10.0]), total_power=1.0)
    >>> poor.fits, poor.codebooks.tolist(), good.fits, good.codebooks.tolist()
    (False, [1], True, [0])
    """
    return _allocate(problem, problem.adaptive_path, gamma, total_power)


def jcap(
    problem: AllocationProblem, gamma: Tensor, *, total_power: float
) -> tuple[Allocation, ...]:
    """Joint codebook assignment and power allocation with one modulation order, for each gamma.

    As `jcamp`, but all symbols have N B / T bits. Source: ESC-MVQ, Algorithm 3.

    >>> problem = AllocationProblem(torch.full((1, 2, 3), 0.01), torch.ones(1, 2), symbols=2,
    ...                             most_bits_per_symbol=8)
    >>> (found,) = jcap(problem, torch.tensor([20.0]), total_power=6.0)
    >>> found.bits_per_symbol.tolist(), found.power.round(decimals=3).tolist()
    ([4, 2], [3.479, 2.521])
    """
    return _allocate(problem, problem.fixed_path, gamma, total_power)


def _allocate(
    problem: AllocationProblem, path: Path, gamma: Tensor, total_power: float
) -> tuple[Allocation, ...]:
    if gamma.dim() != 1 or not gamma.is_floating_point():
        raise ValueError(f"gamma must be real [G], got {gamma.dtype} {list(gamma.shape)}")
    if not bool(((gamma >= 0) & gamma.isfinite()).all()):
        raise ValueError(f"gamma must be >= 0 and finite, got {gamma.tolist()}")
    if not (total_power > 0 and isfinite(total_power)):
        raise ValueError(f"total_power must be positive and finite, got {total_power}")
    budget = array(gamma.detach().to("cpu", torch.float64)) * total_power
    state = path.state(budget)
    fits = state >= 0
    states, which = np.unique(np.maximum(state, 0), return_inverse=True)

    count, bits = len(states), problem.bits
    most_symbols = bits // 2
    codebooks = np.empty((count, path.sub_vectors), dtype=np.int64)
    orders, bit_order = np.empty((2, count, bits), dtype=np.int64)
    sizes = np.empty((count, most_symbols), dtype=np.int64)
    symbols = np.empty(count, dtype=np.int64)
    power = np.empty((len(budget), most_symbols))
    replay(path.changes, path.ends, states, codebooks, orders)
    chosen = codebooks.repeat(bits // path.sub_vectors, axis=1)
    probability = np.take_along_axis(problem.probabilities, chosen, axis=0)
    _finish(
        (probability, probability.argsort(axis=1, kind="stable"), orders),
        problem.most_bits_per_symbol,
        inverse_table(),
        (bit_order, sizes, symbols),
        (which, budget, total_power, fits),
        power,
    )
    # What the allocations of one state have in common is one tensor each.
    of_codebooks = [torch.from_numpy(row) for row in codebooks]
    of_bits = [torch.from_numpy(row) for row in bit_order]
    of_sizes = [torch.from_numpy(row[:n]) for row, n in zip(sizes, symbols, strict=True)]
    return tuple(
        Allocation(
            codebooks=of_codebooks[n],
            bit_order=of_bits[n],
            bits_per_symbol=of_sizes[n],
            power=torch.from_numpy(power[g, : symbols[n]]),
            fits=bool(fits[g]),
        )
        for g, n in enumerate(which)
    )


@kernel
def _finish(chosen: Any, most: int, table: Any, symbols: Any, points: Any, power: Any) -> None:
    """Group the bits of each state, and share the power out for each gamma.

    Args:
        chosen: Of each state the flip probabilities of the bits, the bits by rising probability,
            and their orders, all ``[states, bits]``.
        most: The maximum order.
        table: Of `inverse_table`.
        symbols: Written: bit order ``[states, bits]``, bits per symbol ``[states, >= symbols]`` and
            how many symbols, ``[states]``.
        points: For each gamma its state, P_tot gamma, P_tot, and whether it fits.
        power: Written, ``[G, >= symbols]``.
    """
    probability, ranking, orders = chosen
    bit_order, sizes, counts = symbols
    which, budget, total_power, fits = points
    needed = np.empty(sizes.shape)
    for n in range(len(orders)):
        written = bit_order[n], sizes[n], needed[n]
        counts[n] = group(probability[n], ranking[n], orders[n], most, table, written)
    for g in range(len(which)):
        n = which[g]
        count = counts[n]
        share_out(needed[n, :count], budget[g], total_power, fits[g], power[g, :count])
