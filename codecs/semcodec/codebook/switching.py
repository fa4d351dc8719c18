"""New labels for codewords by binary switching (pseudo-Gray coding).

Source: Zeger and Gersho, "Pseudo-Gray coding", IEEE Transactions on Communications 38 (1990):
swap the labels of two codewords wherever that lowers the channel distortion, codewords of the
largest contribution first, until no swap of two helps.

With W_xy = (p_x + p_y) / 2 ||e_x - e_y||^2, the distortion of a labelling is sum_ab T_ab W_ab over
labels a, b, where T is the channel's transition matrix and W is ordered by labels. Both are
symmetric and W has a zero diagonal. With S = T - I, which keeps its relative precision for small
flip probabilities, and G = S W, swapping the labels r and s lowers it by

    2 [G_rr + G_ss - G_rs - G_sr + 2 (S_rr - S_rs) W_rs],

all s at once from one row and one column of G. After a swap, G changes by a matrix of rank one and
the same two columns swapped: K^2 operations, once for each swap that is made.
"""

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from semcodec.codebook.distance import squared_distances
from semcodec.codebook.distortion import channel_change, channel_distortion, transition
from semcodec.codebook.labels import checked_flips, checked_probability, label_length

_LEAST_GAIN = 1e-12
"""Relative gain below which a swap is rounding."""


@dataclass(frozen=True, eq=False)
class Switching:
    """What binary switching found.

    Attributes:
        order: int64 ``[K]``, new index to old index.
        before: Channel distortion with the labels given.
        after: With the new labels; never above ``before``.
        swaps: How many were made.
        finished: No swap of two labels is left that helps; False where time ran out.
    """

    order: Tensor
    before: float
    after: float
    swaps: int
    finished: bool


def switching_order(
    codewords: Tensor,
    *,
    flip_probability: float | Tensor,
    probability: Tensor,
    time_limit_s: float = math.inf,
) -> Switching:
    """The labelling that binary switching finds from the present one.

    Args:
        codewords: ``[K, D]``, K = 2**B.
        flip_probability: To design for: of every bit, or ``[B]`` MSB first; in [0, 1].
        probability: ``[K]`` of the codeword sent.
        time_limit_s: Stop after so many seconds [s] with what was reached; what is found then
            depends on the machine.

    Returns:
        The order and what it gains.

    Raises:
        ValueError: Input of other shape, size, range or sum, or no time.

    >>> found = switching_order(
    ...     torch.tensor([[0.0], [3.0], [2.0], [1.0]]),
    ...     flip_probability=0.01,
    ...     probability=torch.full((4,), 0.25),
    ... )
    >>> found.order.tolist(), round(found.before, 9), round(found.after, 9), found.swaps
    ([2, 1, 0, 3], 0.0892, 0.05, 1)
    """
    if not time_limit_s > 0:
        raise ValueError(f"time_limit_s must be above 0, got {time_limit_s}")
    square = squared_distances(codewords)
    size = len(square)
    p = checked_probability(probability, size=size)
    flips = checked_flips(flip_probability, bits=label_length(size))
    before = channel_distortion(codewords, flip_probability=flips, probability=p)
    state = _State((p[:, None] + p) / 2 * square, flips)
    least = _LEAST_GAIN * max(before, 0.0) / 2
    end = time.monotonic() + time_limit_s
    swaps, finished = 0, False
    while not finished:
        state.refresh()
        finished = True
        for codeword in state.by_contribution():
            if time.monotonic() > end:
                return _result(codewords, flips, p, state.order, before, swaps, finished=False)
            label = int((state.order == codeword).nonzero())
            gain = state.gain(label)
            other = int(gain.argmax())
            if float(gain[other]) > least:
                state.swap(label, other)
                swaps += 1
                finished = False
    return _result(codewords, flips, p, state.order, before, swaps, finished=True)


class _State:
    """The labelling reached, and what its swaps are judged by; letters as at the top."""

    def __init__(self, W: Tensor, flips: Tensor) -> None:
        self.W, self.flips = W, flips
        self.index = torch.arange(len(W))
        self.order = self.index.clone()
        self.S = transition(len(W), flip_probability=flips)  # by label difference
        self.S[0] = torch.expm1(torch.log1p(-flips).sum())
        self.refresh()

    def refresh(self) -> None:
        """G anew, without the rounding of many updates."""
        self.G = channel_change(self.W, flips=self.flips)

    def by_contribution(self) -> list[int]:
        """Codewords in order of falling contribution G_aa to the distortion."""
        falling = self.G.diagonal().argsort(descending=True, stable=True)
        return self.order[falling].tolist()

    def gain(self, r: int) -> Tensor:
        """Half of what swapping label r with each label takes off the distortion, ``[K]``."""
        own = self.G[r, r] + self.G.diagonal() - self.G[r] - self.G[:, r]
        gain = own + 2 * (self.S[0] - self.S[self.index ^ r]) * self.W[r]
        gain[r] = 0
        return gain

    def swap(self, r: int, s: int) -> None:
        """Swap the labels r and s."""
        pair, swapped = [r, s], [s, r]
        change = self.S[self.index ^ s] - self.S[self.index ^ r]
        self.G.addr_(change, self.W[r] - self.W[s])
        self.G[:, pair] = self.G[:, swapped]
        self.W[pair] = self.W[swapped]
        self.W[:, pair] = self.W[:, swapped]
        self.order[pair] = self.order[swapped]


def _result(
    codewords: Tensor,
    flips: Tensor,
    p: Tensor,
    order: Tensor,
    before: float,
    swaps: int,
    *,
    finished: bool,
) -> Switching:
    after = channel_distortion(codewords[order], flip_probability=flips, probability=p[order])
    assert after <= before * (1 + 1e-9), "a swap raised the distortion"
    return Switching(order, before, min(after, before), swaps, finished)
