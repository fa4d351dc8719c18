"""Entropy-constrained VQ: codewords that are likely attract more.

Source: Shin and Jeon, "On the potential of entropy-constrained vector quantization in semantic
communication" (2025), eq. 3-6; Chou, Lookabaugh and Gray, "Entropy-constrained vector quantization"
(1989).
"""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from semcodec.system32.placement import place
from semcodec.system32.quantizer import (
    COMMITMENT,
    Branch,
    quantization_loss,
    straight_through,
)
from semcodec.system32.subvectors import assign


class EntropyConstrained(nn.Module):
    """``2**bits`` codewords with learned probabilities P = softmax(-w).

    The codeword of z is argmin_k -nu log2 P(k) + ||z - b_k||^2, and the loss holds
    -nu (1 + beta) log2 P of the codewords chosen. Squared distances are summed over the components
    in the criterion; the loss is a mean over components, so nu is divided by their number there.

    Attributes:
        nu: Squared distance that a bit is worth.
    """

    def __init__(self, *, bits: int, dimension: int, nu: float) -> None:
        """Unit normal codewords; `place` puts them on data."""
        super().__init__()
        if nu < 0:
            raise ValueError(f"nu must be at least 0, got {nu}")
        self.nu = nu
        self.codewords: Tensor = nn.Parameter(torch.randn(1, 2**bits, dimension))
        self.w = nn.Parameter(torch.zeros(2**bits))

    def forward(
        self, vectors: Tensor, *, progress: float, generator: torch.Generator
    ) -> Sequence[Branch]:
        """The codewords that the criterion chooses."""
        codewords = self.codewords[0]
        flat = vectors.reshape(-1, vectors.shape[-1])
        code_lengths = -(-self.w).log_softmax(0) / math.log(2)
        bias = self.nu * code_lengths
        index = assign(flat.detach(), codewords.detach(), bias.detach())
        chosen = codewords[index].reshape(vectors.shape)
        rate = code_lengths[index].mean()
        loss = quantization_loss(vectors, chosen)
        loss = loss + self.nu * (1 + COMMITMENT) * rate / flat.shape[1]
        return [Branch(straight_through(vectors, chosen), loss)]

    @torch.no_grad()
    def place(self, vectors: Tensor, *, generator: torch.Generator) -> None:
        """By k-means; the probabilities are the shares of the vectors then."""
        flat = vectors.reshape(-1, vectors.shape[-1])
        size = self.codewords.shape[1]
        self.codewords.copy_(place(vectors, size, generator=generator)[None])
        counts = torch.bincount(assign(flat, self.codewords[0]), minlength=size)
        self.w.copy_(-((counts + 1) / (counts + 1).sum()).log())

    @torch.no_grad()
    def rate_bias(self) -> Tensor:
        """-nu log2 P."""
        return -self.nu * (-self.w).log_softmax(0)[None] / math.log(2)

    def flip_probability(self) -> None:
        """None: trained without errors."""

    def fast_parameters(self) -> Iterable[nn.Parameter]:
        """The probabilities."""
        return (self.w,)
