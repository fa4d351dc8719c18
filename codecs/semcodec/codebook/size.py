"""How large a codebook should be: distortion of all sizes 2**b against the rate they take.

Source: "A theoretically-grounded codebook for digital semantic communications", eq. 18-21:
D(K) = quantisation + channel distortion, K* = argmin D(K) + weight * log2(K). Codebooks of all
sizes are made from the same vectors by splitting: Linde, Buzo and Gray, "An algorithm for vector
quantizer design", IEEE Transactions on Communications 28 (1980).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from semcodec.codebook.distortion import channel_distortion, random_labelling_distortion

_BLOCK = 2**22
"""Distances held at once."""


@dataclass(frozen=True, eq=False)
class SizedCodebook:
    """A codebook made from vectors.

    Attributes:
        codewords: float64 ``[K, D]``.
        probability: float64 ``[K]``, share of the vectors' weight nearest to each codeword.
        quantization: Mean of ||z - e||^2 over the vectors.
    """

    codewords: Tensor
    probability: Tensor
    quantization: float


def lloyd(vectors: Tensor, start: Tensor, *, probability: Tensor, iterations: int) -> SizedCodebook:
    """k-means from given codewords (Lloyd 1982); the quantisation error never rises.

    Args:
        vectors: ``[n, D]``.
        start: ``[K, D]``, any K. Random rows of ``vectors`` give a codebook independent of
            those of other sizes.
        probability: ``[n]`` of the vectors, adding up to 1.
        iterations: Rounds of moving each codeword to the mean of its vectors; a codeword without
            vectors stays.

    Raises:
        ValueError: Shapes that do not fit, or a negative number of rounds.

    >>> points = torch.tensor([[0.0], [2.0], [10.0]])
    >>> book = lloyd(points, points[:2], probability=torch.full((3,), 1 / 3), iterations=3)
    >>> book.codewords.flatten().tolist()
    [1.0, 10.0]
    """
    if vectors.dim() != 2 or start.dim() != 2 or vectors.shape[1] != start.shape[1]:
        raise ValueError(
            "vectors must be [n, D] and start [K, D], "
            f"got {list(vectors.shape)} and {list(start.shape)}"
        )
    if probability.shape != vectors.shape[:1]:
        raise ValueError(f"probability must be [{len(vectors)}], got {list(probability.shape)}")
    if iterations < 0:
        raise ValueError(f"iterations must be at least 0, got {iterations}")
    z, e, p = (x.to(torch.float64) for x in (vectors, start, probability))
    for _ in range(iterations):
        moved = _means(z, p, _nearest(z, e), e)
        if torch.equal(moved, e):
            break
        e = moved
    cell = _nearest(z, e)
    share = torch.zeros(len(e), dtype=torch.float64).index_add_(0, cell, p)
    return SizedCodebook(e, share, float(p @ (z - e[cell]).square().sum(1)))


def split_codebooks(
    vectors: Tensor, *, probability: Tensor, most_bits: int, iterations: int = 20
) -> tuple[SizedCodebook, ...]:
    """Codebooks of 1, 2, 4, ... 2**most_bits codewords, each split from the one before.

    Codeword k becomes 2k and 2k + 1, the means of the two halves of its cell on both sides of the
    plane through k across the cell's main direction; then `lloyd`. The quantisation error never
    rises with the size, and the leading bits of a label say the coarse place.

    Args:
        vectors: ``[n, D]``.
        probability: ``[n]`` of the vectors, adding up to 1.
        most_bits: Bits of the largest codebook's labels.
        iterations: Rounds of `lloyd` at each size, at most.

    >>> points = torch.tensor([[0.0], [2.0], [10.0], [11.0]])
    >>> books = split_codebooks(points, probability=torch.full((4,), 0.25), most_bits=2)
    >>> [book.codewords.flatten().tolist() for book in books[:2]]
    [[5.75], [1.0, 10.5]]
    >>> [book.quantization for book in books]
    [23.1875, 0.625, 0.0]
    """
    if most_bits < 0:
        raise ValueError(f"most_bits must be at least 0, got {most_bits}")
    z, p = vectors.to(torch.float64), probability.to(torch.float64)
    books = [lloyd(z, z[:1], probability=p, iterations=1)]
    for _ in range(most_bits):
        e = books[-1].codewords
        cell = _nearest(z, e)
        half = ((z - e[cell]) * _main_direction(z - e[cell], p, cell, len(e))[cell]).sum(1) > 0
        start = _means(z, p, 2 * cell + half, e.repeat_interleave(2, 0))
        books.append(lloyd(z, start, probability=p, iterations=iterations))
    return tuple(books)


def distortion_by_size(
    books: Sequence[SizedCodebook],
    *,
    flip_probability: Sequence[float],
    labelling: Literal["random", "own"],
) -> Tensor:
    """D(K) = quantisation + channel distortion of each codebook (eq. 20).

    The sum is exact where every codeword is the mean of its vectors.

    Args:
        books: Of S sizes, powers of two.
        flip_probability: E values, each for every bit.
        labelling: ``random`` takes the mean over all labellings (eq. 17), as the paper does;
            ``own`` takes the labels as they are.

    Returns:
        float64 ``[E, S]``.
    """
    if labelling not in ("random", "own"):
        raise ValueError(f"labelling must be random or own, got {labelling}")
    of = random_labelling_distortion if labelling == "random" else channel_distortion
    table = [
        [
            b.quantization + of(b.codewords, flip_probability=eps, probability=b.probability)
            for b in books
        ]
        for eps in flip_probability
    ]
    return torch.tensor(table, dtype=torch.float64)


def optimal_size(distortion: Tensor, *, bits: Sequence[int], weight: Sequence[float]) -> Tensor:
    """K* = argmin over K = 2**b of D(K) + weight * b (eq. 21).

    Args:
        distortion: ``[E, S]``, D(K) at each flip probability and size.
        bits: b of the S sizes, rising.
        weight: W prices of a bit, in units of the distortion, at least 0.

    Returns:
        int64 ``[E, W]``; of equal sums the smaller size wins.

    Raises:
        ValueError: Sizes that do not fit or do not rise, or a negative weight.

    >>> optimal_size(torch.tensor([[8.0, 3.0, 1.0]]), bits=[0, 1, 2], weight=[0, 3, 6]).tolist()
    [[4, 2, 1]]
    """
    if distortion.dim() != 2 or distortion.shape[1] != len(bits):
        raise ValueError(f"distortion must be [E, {len(bits)}], got {list(distortion.shape)}")
    if list(bits) != sorted(set(bits)):
        raise ValueError(f"bits must rise, got {list(bits)}")
    if min(weight, default=0) < 0:
        raise ValueError(f"weight must be at least 0, got {min(weight)}")
    b = torch.tensor(bits)
    price = torch.tensor(weight, dtype=torch.float64)[:, None] * b
    best: Tensor = 2 ** b[(distortion.to(torch.float64)[:, None] + price).argmin(-1)]
    return best


def _nearest(z: Tensor, e: Tensor) -> Tensor:
    """Index ``[n]`` of the nearest of codewords ``[K, D]`` for vectors ``[n, D]``."""
    rows = max(1, _BLOCK // len(e))
    return torch.cat(
        [(e.square().sum(1) - 2 * part @ e.T).argmin(1) for part in torch.split(z, rows)]
    )


def _means(z: Tensor, p: Tensor, cell: Tensor, otherwise: Tensor) -> Tensor:
    """Mean of the vectors of each cell, ``[K, D]``; ``otherwise`` where there are none."""
    mass = torch.zeros(len(otherwise), dtype=z.dtype).index_add_(0, cell, p)
    sums = torch.zeros_like(otherwise).index_add_(0, cell, p[:, None] * z)
    used = mass > 0
    return torch.where(used[:, None], sums / mass.where(used, 1.0)[:, None], otherwise)


def _main_direction(offset: Tensor, p: Tensor, cell: Tensor, count: int) -> Tensor:
    """About the first principal axis of each cell, ``[K, D]``: three steps of the power method.

    It starts from the offset that weighs most in the cell; the largest component is positive, so
    that the upper half of every cell lies on the same side.
    """
    size = p * offset.square().sum(1)
    order = size.argsort(stable=True)
    axis = torch.zeros(count, offset.shape[1], dtype=offset.dtype)
    for_each = torch.full((count,), -1).scatter_reduce(
        0, cell[order], torch.arange(len(order)), "amax"
    )
    used = for_each >= 0
    axis[used] = offset[order[for_each[used]]]
    for _ in range(3):
        along = (p * (offset * axis[cell]).sum(1))[:, None] * offset
        axis = torch.nn.functional.normalize(torch.zeros_like(axis).index_add_(0, cell, along))
    largest = axis.gather(1, axis.abs().argmax(1, keepdim=True))
    return axis * torch.where(largest < 0, -1.0, 1.0)
