"""Latent grids as sub-vectors, and the nearest codewords of sub-vectors (product VQ).

Source: Sabin and Gray, "Product code vector quantizers for waveform and voice coding" (1984), as
used by Shin et al., "ESC-MVQ" (2025), eq. 6-8 and 23.
"""

import torch
from torch import Tensor

_AT_ONCE = 256
"""Vectors whose distances to all codewords are held at once: they stay in the cache."""


def split(latents: Tensor, dimension: int) -> Tensor:
    """Sub-vectors ``[B, N, dimension]`` of latents ``[B, C, h, w]``: cell by cell, row by row.

    >>> split(torch.arange(8.0).reshape(1, 4, 1, 2), 2).tolist()
    [[[0.0, 2.0], [4.0, 6.0], [1.0, 3.0], [5.0, 7.0]]]
    """
    return latents.movedim(1, -1).reshape(len(latents), -1, dimension)


def join(vectors: Tensor, *, channels: int, height: int, width: int) -> Tensor:
    """Latents ``[B, channels, height, width]`` of sub-vectors ``[B, N, dimension]``."""
    return vectors.reshape(len(vectors), height, width, channels).movedim(-1, 1)


def squared_distances(vectors: Tensor, codewords: Tensor) -> Tensor:
    """||z - e||^2 ``[n, K]`` of vectors ``[n, d]`` and codewords ``[K, d]``."""
    squares = vectors.square().sum(1, keepdim=True) + codewords.square().sum(1)
    return torch.addmm(squares, vectors, codewords.T, alpha=-2.0)


def nearest(vectors: Tensor, codewords: Tensor, bias: Tensor | None = None) -> Tensor:
    """Indices ``[n]`` of argmin_k ||z - e_k||^2 + bias_k for vectors ``[n, d]``.

    The sum over the components is written out, so that the choice for a vector does not depend on
    what else is in the batch.

    >>> nearest(torch.tensor([[0.2], [0.9]]), torch.tensor([[0.0], [1.0]])).tolist()
    [0, 1]
    """
    offset = codewords.square().sum(1)
    if bias is not None:
        offset = offset + bias
    chosen = []
    for part in torch.split(vectors, _AT_ONCE):
        score = offset.repeat(len(part), 1)
        for component in range(vectors.shape[1]):
            score.addcmul_(part[:, component, None], codewords[:, component], value=-2.0)
        chosen.append(score.argmin(1))
    return torch.cat(chosen)


def assign(vectors: Tensor, codewords: Tensor, bias: Tensor | None = None) -> Tensor:
    """`nearest` by one matrix product: faster, but ties and last bits may fall otherwise."""
    offset = codewords.square().sum(1)
    if bias is not None:
        offset = offset + bias
    return torch.addmm(offset, vectors, codewords.T, alpha=-2.0).argmin(1)


def k_means(vectors: Tensor, size: int, *, iterations: int, generator: torch.Generator) -> Tensor:
    """Codewords ``[size, d]`` by Lloyd's algorithm (1982) on vectors ``[n, d]``.

    Codewords that no vector chose are put on vectors drawn at random.
    """
    codewords = vectors[torch.randint(len(vectors), (size,), generator=generator)].clone()
    for _ in range(iterations):
        index = assign(vectors, codewords)
        counts = torch.bincount(index, minlength=size).to(vectors.dtype)
        sums = torch.zeros_like(codewords).index_add_(0, index, vectors)
        used = counts > 0
        codewords[used] = sums[used] / counts[used, None]
        draw = torch.randint(len(vectors), (int((~used).sum()),), generator=generator)
        codewords[~used] = vectors[draw]
    return codewords
