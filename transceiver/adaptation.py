"""Plans that follow the channel: what both ends choose from the channel state that both know.

Nothing about a plan is sent. The transmitter makes it before it encodes, the receiver makes it
again from the gain that it knows: pure functions of (tables of the weights, gamma, total power).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from phy.allocation import Allocation, AllocationProblem, jcamp, jcap


def channel_state(gain: Tensor, noise_variance: float) -> Tensor:
    """Gamma = |h|^2 / N0 of gains ``[...]``, float64."""
    power = gain.real.double().square() + gain.imag.double().square()
    return power / noise_variance


@dataclass(frozen=True, eq=False)
class Allocator:
    """JCAMP or JCAP: a codebook for each index, orders and powers of the symbols of an image.

    Attributes:
        kind: Which of the two.
        problem: The tables of the weights and the number T of symbols.
    """

    kind: Literal["jcamp", "jcap"]
    problem: AllocationProblem

    @property
    def total_power(self) -> float:
        """P_tot = T: a mean of one for each of T symbols."""
        return float(self.problem.symbols)

    def allocate(self, gamma: Tensor) -> tuple[Allocation, ...]:
        """One allocation for each channel state ``[G]``."""
        method = jcamp if self.kind == "jcamp" else jcap
        return method(self.problem, gamma, total_power=self.total_power)


@dataclass(frozen=True)
class Modes:
    """Adaptive modulation and coding: the last mode whose threshold the channel state reaches.

    Attributes:
        thresholds: gamma from which each mode is used, rising; the first is used below it too.
    """

    thresholds: tuple[float, ...]

    @staticmethod
    def at(esn0_db: Sequence[float]) -> "Modes":
        """Modes with thresholds [dB].

        The last digits do not count: at 10 dB the mode from 10 dB on is used, however the noise
        variance was rounded.

        >>> Modes.at([0.0, 10.0]).choose(torch.tensor([1 / 10**-1.0], dtype=torch.float64))
        [1]
        """
        return Modes(tuple(10 ** (value / 10) * (1 - 1e-12) for value in esn0_db))

    def choose(self, gamma: Tensor) -> list[int]:
        """A mode for each channel state ``[G]``.

        >>> Modes((1.0, 10.0)).choose(torch.tensor([0.1, 5.0, 10.0]))
        [0, 0, 1]
        """
        bounds = torch.tensor(self.thresholds[1:], dtype=gamma.dtype)
        return torch.bucketize(gamma, bounds, right=True).tolist()


ONE_MODE = Modes((0.0,))
"""Nothing adapts."""


def together(first: Modes, second: Modes) -> tuple[Modes, tuple[tuple[int, int], ...]]:
    """Two choices by one channel state as a single one, and the two modes in each of its modes.

    >>> modes, pairs = together(Modes((1.0, 10.0)), Modes((2.0, 5.0)))
    >>> modes.thresholds, pairs
    ((0.0, 5.0, 10.0), ((0, 0), (0, 1), (1, 1)))
    """
    thresholds = (0.0, *sorted({*first.thresholds[1:], *second.thresholds[1:]}))
    states = torch.tensor(thresholds, dtype=torch.float64)
    pairs = zip(first.choose(states), second.choose(states), strict=True)
    return Modes(thresholds), tuple(pairs)
