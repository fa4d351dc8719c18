"""What an allocation is made from, and what it is."""

from dataclasses import dataclass
from functools import cached_property
from math import lcm
from typing import Literal, TypeAlias, get_args

import numpy as np
import torch
from torch import Tensor

from phy.allocation.ber import BITS_PER_SYMBOL
from phy.allocation.inverse_ber import LEAST_BER, needed_esn0
from phy.allocation.orders import FIXED, PRICED, SWAPPED, starting_orders
from phy.allocation.path import Path, walk
from phy.allocation.tournament import tournament
from phy.host import array
from phy.theory.q_function import Floats

Accounting: TypeAlias = Literal["per_symbol", "as_printed"]
"""What eqs. 37c and 37d sum over; see `AllocationProblem`."""


@dataclass(frozen=True, eq=False)
class AllocationProblem:
    """N indices of B bits to be sent in T symbols, each index from one of V codebooks.

    The accounting says what the search holds against P_tot and T, p_ij being the temporary power
    and m_ij the temporary order of bit j of sub-vector i:

    - ``per_symbol``: sum p_ij / m_ij <= P_tot and sum 1 / m_ij <= T: a symbol of m bits spends its
      power once and is one symbol. The allocation then takes at most T symbols.
    - ``as_printed``: sum p_ij <= P_tot and mean m_ij >= N B / T, as in eqs. 37c and 37d. Power is
      left over then, which eq. 47 spreads evenly, and orders of equal mean may take more than T
      symbols: an allocation takes as many as result.

    Attributes:
        flip_probability: mu ``[V, N, B]``, real, 1e-12 to 1: the wanted bit error rates, by
            codebook; the first codebook is the best and needs the most power.
        distortion: ``[V, N]``, real: what a codebook adds to the mean squared error of a
            sub-vector that it is chosen for, eq. 31.
        symbols: T.
        most_bits_per_symbol: m_max = 2, 4, 6, 8 or 10.
        accounting: ``per_symbol`` or ``as_printed``.

    Raises:
        ValueError: Shapes that do not match, values out of range, an odd number of bits (square QAM
            takes them in pairs), or more bits than the symbols can carry.

    Source: ESC-MVQ, Section IV.

    >>> mu = torch.tensor([[[0.001, 0.01]], [[0.05, 0.1]]])
    >>> distortion = torch.tensor([[1.0], [3.0]])
    >>> AllocationProblem(mu, distortion, symbols=1, most_bits_per_symbol=8).fixed_bits_per_symbol
    2
    """

    flip_probability: Tensor
    distortion: Tensor
    symbols: int
    most_bits_per_symbol: int
    accounting: Accounting = "per_symbol"

    def __post_init__(self) -> None:
        """Refuse what cannot be sent."""
        mu, shape = self.flip_probability, list(self.flip_probability.shape)
        if mu.dim() != 3 or not mu.numel() or not mu.is_floating_point():
            raise ValueError(f"flip_probability must be real [V, N, B], got {mu.dtype} {shape}")
        if not bool(((mu >= LEAST_BER) & (mu <= 1)).all()):
            raise ValueError(
                f"flip_probability must be from {LEAST_BER} to 1, "
                f"got {float(mu.min())} to {float(mu.max())}"
            )
        if self.distortion.shape != mu.shape[:2] or not self.distortion.is_floating_point():
            raise ValueError(
                f"distortion must be real {shape[:2]}, "
                f"got {self.distortion.dtype} {list(self.distortion.shape)}"
            )
        if not bool(self.distortion.isfinite().all()):
            raise ValueError("distortion must be finite, got infinity or NaN")
        if self.accounting not in get_args(Accounting):
            raise ValueError(
                f"accounting must be one of {get_args(Accounting)}, got {self.accounting}"
            )
        most = self.most_bits_per_symbol
        if most not in BITS_PER_SYMBOL:
            raise ValueError(f"most_bits_per_symbol must be 2, 4, 6, 8 or 10, got {most}")
        if self.bits % 2:
            raise ValueError(f"N B must be even, got {self.bits}")
        if -(-self.bits // most) > self.symbols:
            raise ValueError(
                f"symbols must be at least {-(-self.bits // most)} for {self.bits} bits, "
                f"got {self.symbols}"
            )

    @property
    def bits(self) -> int:
        """The number N B of bits."""
        return self.flip_probability[0].numel()

    @property
    def fixed_bits_per_symbol(self) -> int:
        """R = N B / T, or the next higher order: what fits into the symbols if all have it."""
        orders = (m for m in BITS_PER_SYMBOL if -(-self.bits // m) <= self.symbols)
        return next(orders)

    @cached_property
    def fixed_path(self) -> Path:
        """The search of Algorithm 3: one order for all."""
        return self._path(FIXED, (self.fixed_bits_per_symbol,))

    @cached_property
    def adaptive_path(self) -> Path:
        """The search of Algorithm 2, with orders that change."""
        rule = PRICED if self.accounting == "per_symbol" else SWAPPED
        return self._path(rule, tuple(range(2, self.most_bits_per_symbol + 1, 2)))

    @cached_property
    def probabilities(self) -> Floats:
        """The flip probabilities as float64 ``[V, N B]``, by bit i * B + j."""
        mu = self.flip_probability.detach().to("cpu", torch.float64)
        return array(mu).reshape(len(mu), -1)

    def _path(self, rule: int, orders: tuple[int, ...]) -> Path:
        mu = self.probabilities
        cost = np.stack([needed_esn0(mu, bits_per_symbol=m) for m in orders], axis=-1)
        if self.accounting == "per_symbol":
            cost /= orders
        # Shares of a symbol in whole units: 12, 6, 4 and 3 of 24 for orders up to 8.
        unit = lcm(*orders)
        units = np.array([unit // m for m in orders], dtype=np.int64)
        start = orders.index(self.fixed_bits_per_symbol) if rule == SWAPPED else 0
        distortion = array(self.distortion.detach().to("cpu", torch.float64))
        state = starting_orders(self.bits, start, units, unit * self.symbols)
        need, changes, ends = walk(cost, distortion, rule, state, *tournament(distortion.shape[1]))
        if rule == FIXED:  # orders were counted among one
            changes[distortion.shape[1] : distortion.shape[1] + self.bits, 1] = orders[0]
        return Path(need=need, changes=changes, ends=ends, sub_vectors=distortion.shape[1])


@dataclass(frozen=True, eq=False)
class Allocation:
    """How the bits of one image are sent: the same at both ends, so nothing is said about it.

    Tensors are shared between allocations of one call; do not write into them.

    Attributes:
        codebooks: Codebook of each sub-vector, int64 ``[N]``, 0 to V - 1.
        bit_order: The bits i * B + j in the order of transmission, symbol after symbol, int64
            ``[N * B]``.
        bits_per_symbol: m_t, int64 ``[T']``; they sum to N B.
        power: p_t = E|x_t|^2, float64 ``[T']``; they sum to P_tot.
        fits: Whether P_tot is enough for the temporary powers of the codebooks chosen. If not,
            these are the last codebooks, and the error rates exceed the flip probabilities.
    """

    codebooks: Tensor
    bit_order: Tensor
    bits_per_symbol: Tensor
    power: Tensor
    fits: bool
