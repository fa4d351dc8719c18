"""New labels for codewords along a walk from neighbour to neighbour.

An order holds, for each new index, the old one: ``codewords[order]`` and ``probability[order]``
are the codebook with its new labels. The set of codewords stays, hence so does every quantised
vector and every picture received without errors; only what bit errors do changes.
"""

import torch
from torch import Tensor

from semcodec.codebook.labels import checked_codewords, gray


def walk_order(codewords: Tensor, *, labels: Tensor | None = None) -> Tensor:
    """Labels along a greedy walk: start nearest to the mean, go on to the nearest one left.

    Position p of the walk gets the label ``labels[p]``, so that neighbours of the walk have
    labels that neighbour each other.

    Source: "MOC-RVQ: Multilevel codebook-assisted digital generative semantic communication",
    Algorithm 1.

    Args:
        codewords: ``[K, D]``, K a power of two.
        labels: int64 ``[K]``, a permutation: the label of each position. Without it, the
            reflected Gray code. For an amplitude axis of a constellation, the labels of its
            levels from the lowest up.

    Returns:
        int64 ``[K]``: new index to old index. Of equal distances the lower old index wins.

    Raises:
        ValueError: Input of other shape or size, or labels that are no permutation.

    >>> walk_order(torch.tensor([[7.0], [0.0], [3.0], [1.0]])).tolist()
    [2, 3, 0, 1]
    """
    e = checked_codewords(codewords)
    size = len(e)
    if labels is None:
        labels = gray(torch.arange(size))
    if not torch.equal(labels.sort().values, torch.arange(size)):
        raise ValueError(f"labels must be a permutation of 0 to {size - 1}, got other values")
    left = torch.ones(size, dtype=torch.bool)
    here = e.mean(0)
    order = torch.empty(size, dtype=torch.int64)
    for label in labels.tolist():
        square = (e - here).square().sum(1)
        nearest = int(square.where(left, torch.inf).argmin())
        order[label] = nearest
        left[nearest] = False
        here = e[nearest]
    return order
