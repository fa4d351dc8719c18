"""Where codewords begin: on data, and with labels that suit a noisy channel.

k-means numbers its codewords at random, and a gradient moves codewords but cannot exchange two
labels. A codebook that is trained over a noisy channel therefore begins with the labels that
binary switching finds: those of a local minimum of the channel distortion.
"""

import torch
from torch import Tensor

from semcodec.codebook import switching_order
from semcodec.system32.subvectors import assign, k_means

_ITERATIONS = 10

DESIGN_FLIP = 0.02
"""Flip probability that labels are chosen for where it is learned."""


def place(
    vectors: Tensor, size: int, *, generator: torch.Generator, design_flip: float | None = None
) -> Tensor:
    """Codewords ``[size, d]`` for sub-vectors ``[B, N, d]``.

    Args:
        vectors: Where the codewords are to lie.
        size: How many; a power of two.
        generator: Source of the first guess.
        design_flip: Flip probability of every bit for which the labels are chosen (Zeger and
            Gersho, "Pseudo-Gray coding", 1990); None leaves those of k-means.
    """
    flat = vectors.reshape(-1, vectors.shape[-1])
    codewords = k_means(flat, size, iterations=_ITERATIONS, generator=generator)
    if design_flip is None:
        return codewords
    counts = torch.bincount(assign(flat, codewords), minlength=size).double()
    found = switching_order(
        codewords, flip_probability=design_flip, probability=counts / counts.sum()
    )
    return codewords[found.order]
