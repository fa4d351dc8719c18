"""What a quantiser does while a system is trained."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

COMMITMENT = 0.25
"""beta of the commitment loss (van den Oord et al., 2017; 0.25 in all the papers)."""


@dataclass(frozen=True)
class Branch:
    """One way from the encoder to the decoder.

    Attributes:
        vectors: What the decoder is given, ``[B, N, d]``; the gradient passes straight through to
            the encoder's sub-vectors.
        loss: What the quantiser adds to the reconstruction loss; scalar.
        weight: Of this branch in the sum of all; the weights add up to one.
    """

    vectors: Tensor
    loss: Tensor
    weight: float = 1.0


class Quantizer(Protocol):
    """A part of the network with codewords ``[V, K, d]``."""

    codewords: Tensor

    def __call__(
        self, vectors: Tensor, *, progress: float, generator: torch.Generator
    ) -> Sequence[Branch]:
        """Quantise sub-vectors ``[B, N, d]``, ``progress`` in [0, 1) through the schedule."""
        ...

    def place(self, vectors: Tensor, *, generator: torch.Generator) -> None:
        """Put the codewords on data before the first step, sub-vectors ``[B, N, d]``."""
        ...

    def rate_bias(self) -> Tensor | None:
        """What is added to a codeword's squared distance, ``[V, K]``; None where nothing is."""
        ...

    def flip_probability(self) -> Tensor | None:
        """Of every bit in training, ``[V, N, B]``; None for a system trained without errors."""
        ...

    def fast_parameters(self) -> Iterable[nn.Parameter]:
        """Parameters that learn at the rate of 1e-2."""
        ...


def straight_through(vectors: Tensor, received: Tensor) -> Tensor:
    """Z + sg(z_hat - z): the value of ``received``, the gradient of ``vectors``."""
    return vectors + (received - vectors).detach()


def quantization_loss(vectors: Tensor, received: Tensor) -> Tensor:
    """Mean of ||sg[z] - z_hat||^2 + beta ||z - sg[z_hat]||^2 over all components."""
    codebook = F.mse_loss(received, vectors.detach())
    return codebook + COMMITMENT * F.mse_loss(vectors, received.detach())
