"""How far codewords lie apart, against how many bits their labels differ in.

A codebook is robust where few wrong bits lead to near codewords: then the mean squared distance
rises with the Hamming distance of the labels. With labels given at random it does not depend on
it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from semcodec.codebook.labels import (
    checked_codewords,
    checked_probability,
    label_length,
    weight,
)

LEVELS = (0.1, 0.5, 0.9)
"""The quantiles that are taken."""


@dataclass(frozen=True, eq=False)
class DistanceProfile:
    """Squared distances ||e_i - e_j||^2 by the Hamming distance d = 1..B of the labels.

    Attributes:
        pairs: Ordered pairs (i, j) at each d, ``[B]`` int64: K * binomial(B, d).
        mean: ``[B]`` float64, sent codewords weighted with their probability.
        quantiles: ``[B, 3]`` float64 at `LEVELS`, weighted alike: the least value with at least
            this share of the weight at or below it.
        rank_correlation: Spearman's, of d and the squared distance over all pairs of different
            codewords, each pair once; NaN where one of the two is constant.
    """

    pairs: Tensor
    mean: Tensor
    quantiles: Tensor
    rank_correlation: float


def squared_distances(codewords: Tensor) -> Tensor:
    """||e_i - e_j||^2 for codewords ``[K, D]``: ``[K, K]`` float64, from the differences.

    >>> squared_distances(torch.tensor([[0.0, 0.0], [3.0, 4.0]])).tolist()
    [[0.0, 25.0], [25.0, 0.0]]
    """
    e = checked_codewords(codewords)
    return torch.cdist(e, e, compute_mode="donot_use_mm_for_euclid_dist").square()


def distance_profile(codewords: Tensor, *, probability: Tensor) -> DistanceProfile:
    """Distances between codewords against the Hamming distance of their labels.

    Args:
        codewords: ``[K, D]``, K = 2**B at least 2.
        probability: ``[K]`` of the codeword sent.

    Returns:
        Means, quantiles and rank correlation.

    Raises:
        ValueError: Input of other shape, size or sum.

    >>> line = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    >>> distance_profile(line, probability=torch.full((4,), 0.25)).mean.tolist()
    [2.5, 5.0]
    """
    square = squared_distances(codewords)
    size = len(square)
    if size < 2:
        raise ValueError(f"codewords must be at least 2, got {size}")
    p = checked_probability(probability, size=size)
    index = torch.arange(size)
    ones = weight(index)
    pairs, means, quantiles = [], [], []
    for distance in range(1, label_length(size) + 1):
        partners = index[:, None] ^ index[ones == distance]
        values = square.gather(1, partners)
        share = (p[:, None] / partners.shape[1]).expand_as(values)
        pairs.append(values.numel())
        means.append((values * share).sum())
        quantiles.append(_quantiles(values.reshape(-1), share.reshape(-1)))
    return DistanceProfile(
        torch.tensor(pairs), torch.stack(means), torch.stack(quantiles), _spearman(square)
    )


def _quantiles(values: Tensor, share: Tensor) -> Tensor:
    """Values ``[3]`` where the weighted distribution function reaches `LEVELS`."""
    ordered, order = values.sort()
    reached = share[order].cumsum(0)
    levels = torch.tensor(LEVELS, dtype=reached.dtype) * reached[-1]
    return ordered[torch.searchsorted(reached, levels)]


def _spearman(square: Tensor) -> float:
    """Correlation of the ranks of Hamming and squared distance over pairs i < j."""
    i, j = torch.triu_indices(len(square), len(square), offset=1)
    ranks = np.stack([rankdata(weight(i ^ j).numpy()), rankdata(square[i, j].numpy())])
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    spread = np.sqrt((centred**2).sum(axis=1))
    return float((centred[0] * centred[1]).sum() / spread.prod()) if spread.all() else float("nan")
