"""Distortion that a binary symmetric channel does to codewords, exactly and for random labels.

Index i is sent as its B bits, MSB first, and bit b arrives wrong with probability eps_b,
independently: P(j|i) = prod_b eps_b^(i_b != j_b) (1 - eps_b)^(i_b == j_b), which is
eps^d (1 - eps)^(B - d) at Hamming distance d for equal eps. The distortion is

    D_ch = sum_i p_i sum_j P(j|i) ||e_i - e_j||^2.

P is a product over the bits, so that it is applied bit by bit in B passes over K values and never
stored as a K x K matrix.

Source: "A theoretically-grounded codebook for digital semantic communications", eq. 15-20; the
exact transition is the one of its eq. 22.
"""

import torch
from torch import Tensor

from semcodec.codebook.labels import (
    checked_codewords,
    checked_flips,
    checked_probability,
    label_length,
)


def channel_change(values: Tensor, *, flips: Tensor) -> Tensor:
    """sum_j P(j|i) (x_j - x_i): what the channel changes in the mean of values.

    Args:
        values: float64 ``[K, ...]`` by label, K = 2**B.
        flips: float64 ``[B]``, MSB first.

    Returns:
        ``[K, ...]``. The change and not the mean is summed up, so that it keeps its relative
        precision for small flip probabilities.

    >>> change = channel_change(torch.tensor([0.0, 1.0]), flips=torch.tensor([0.25]))
    >>> change.tolist()
    [0.25, -0.25]
    """
    change = torch.zeros_like(values)
    for place, flip in enumerate(flips.tolist()):
        reached = (values + change).reshape(2**place, 2, -1)
        change = change + flip * (reached.flip(1) - reached).reshape_as(values)
    return change


def transition(size: int, *, flip_probability: float | Tensor) -> Tensor:
    """P(j|i) by the labels' difference i XOR j: float64 ``[K]``, adding up to 1.

    >>> transition(4, flip_probability=torch.tensor([0.5, 0.25])).tolist()
    [0.375, 0.125, 0.375, 0.125]
    """
    found = torch.ones(1, dtype=torch.float64)
    for flip in checked_flips(flip_probability, bits=label_length(size)).tolist():
        found = (found[:, None] * torch.tensor([1 - flip, flip], dtype=found.dtype)).reshape(-1)
    return found


def expected_displacement(codewords: Tensor, *, flip_probability: float | Tensor) -> Tensor:
    """Mean squared distance from each codeword to the one received: sum_j P(j|i) ||e_i - e_j||^2.

    With the change S x = sum_j P(j|i) (x_j - x_i) it is S(||e||^2)_i - 2 e_i . S(e)_i.

    Args:
        codewords: ``[K, D]``, K = 2**B.
        flip_probability: Of every bit, or ``[B]`` MSB first; in [0, 1].

    Returns:
        float64 ``[K]``.

    Raises:
        ValueError: Input of other shape, size or range.

    >>> expected_displacement(torch.tensor([[0.0], [2.0]]), flip_probability=0.25).tolist()
    [1.0, 1.0]
    """
    e = checked_codewords(codewords)
    flips = checked_flips(flip_probability, bits=label_length(len(e)))
    e = e - e.mean(0)  # distances stay, squares become small
    change = channel_change(torch.cat([e.square().sum(1, keepdim=True), e], 1), flips=flips)
    return change[:, 0] - 2 * (e * change[:, 1:]).sum(1)


def channel_distortion(
    codewords: Tensor, *, flip_probability: float | Tensor, probability: Tensor
) -> float:
    """D_ch of codewords labelled with their indices, exactly.

    Args:
        codewords: ``[K, D]``, K = 2**B.
        flip_probability: Of every bit, or ``[B]`` MSB first; in [0, 1].
        probability: ``[K]`` of the codeword sent.

    Raises:
        ValueError: Input of other shape, size, range or sum.

    >>> line = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    >>> p = torch.full((4,), 0.25)
    >>> round(channel_distortion(line, flip_probability=0.01, probability=p), 12)
    0.05
    """
    p = checked_probability(probability, size=len(codewords))
    return float(p @ expected_displacement(codewords, flip_probability=flip_probability))


def random_labelling_distortion(
    codewords: Tensor, *, flip_probability: float | Tensor, probability: Tensor
) -> float:
    """D_ch with P(j|i) = P_err / (K - 1) for all j != i (eq. 17-20).

    P_err = 1 - prod_b (1 - eps_b) is the probability of a wrong index (eq. 16). The paper calls
    it an approximation for random labels; it is the mean of `channel_distortion` over all K! ways
    to label the codewords, exactly, because every pair then is at every difference of labels
    equally often.

    >>> line = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    >>> p = torch.full((4,), 0.25)
    >>> round(random_labelling_distortion(line, flip_probability=0.01, probability=p), 12)
    0.066333333333
    """
    e = checked_codewords(codewords)
    size = len(e)
    p = checked_probability(probability, size=size)
    if size == 1:
        return 0.0
    flips = checked_flips(flip_probability, bits=label_length(size))
    index_error = -torch.expm1(torch.log1p(-flips).sum())
    energy = (e - e.mean(0)).square().sum(1)
    # sum_j ||e_i - e_j||^2 = K ||e_i||^2 + sum_j ||e_j||^2 for codewords of mean 0.
    return float(index_error / (size - 1) * (size * (p @ energy) + energy.sum()))
