"""How evenly the codewords are used.

Source: entropy and perplexity of the index, as in "A theoretically-grounded codebook for digital
semantic communications", eq. 9-12: I(z; s) = H(s) <= log2 K, with equality for equal use.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from semcodec.codebook.labels import checked_probability


@dataclass(frozen=True)
class Usage:
    """Use of a codebook.

    Attributes:
        codebook_size: K.
        used: Codewords of probability above 0.
        entropy_bits: H = -sum p log2 p of an index [bit].
        perplexity: 2**H, the size of an evenly used codebook of the same entropy.
        largest_share: Probability of the codeword used most.
    """

    codebook_size: int
    used: int
    entropy_bits: float
    perplexity: float
    largest_share: float

    @property
    def dead(self) -> int:
        """Codewords that are never used."""
        return self.codebook_size - self.used

    @property
    def used_share(self) -> float:
        """Used codewords as a share of all."""
        return self.used / self.codebook_size


def histogram(indices: Tensor, *, size: int) -> Tensor:
    """How often each of ``size`` codewords occurs in indices of any shape: int64 ``[K]``.

    Raises:
        ValueError: An index that the codebook does not have.

    >>> histogram(torch.tensor([[0, 2], [2, 3]]), size=4).tolist()
    [1, 0, 2, 1]
    """
    if indices.numel() and (int(indices.min()) < 0 or int(indices.max()) >= size):
        raise ValueError(
            f"indices must be in [0, {size}), got {int(indices.min())} to {int(indices.max())}"
        )
    return torch.bincount(indices.reshape(-1), minlength=size)


def usage(probability: Tensor) -> Usage:
    """Entropy, perplexity and dead codewords of a distribution over codewords.

    Args:
        probability: ``[K]``, adding up to 1; K of any value above 0.

    Returns:
        What it says of the use.

    Raises:
        ValueError: No distribution.

    >>> usage(torch.tensor([0.5, 0.25, 0.25, 0.0]))
    Usage(codebook_size=4, used=3, entropy_bits=1.5, perplexity=2.8284271247461903, \
largest_share=0.5)
    """
    p = checked_probability(probability, size=len(probability) if probability.dim() else 1)
    entropy_bits = float(torch.special.entr(p).sum()) / math.log(2)
    return Usage(len(p), int((p > 0).sum()), entropy_bits, 2**entropy_bits, float(p.max()))
