"""Codebooks over binary symmetric channels with learned flip probabilities: ESC-MVQ and ESC-SVQ.

Source: Shin et al., "ESC-MVQ: End-to-end semantic communication with multi-codebook vector
quantization" (2025), eq. 18-29 and Algorithm 1.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from semcodec.system32.binary_channel import label_bits, soft_receive
from semcodec.system32.placement import DESIGN_FLIP, place
from semcodec.system32.quantizer import Branch, quantization_loss, straight_through
from semcodec.system32.subvectors import assign

LEAST_FLIP = (0.0005, 0.001, 0.0045, 0.02, 0.05)
"""mu_min of the five codebooks (section V)."""

REGULARIZATION = (0.125, 0.25, 0.5, 1.0, 2.0)
"""lambda of the five codebooks (section V)."""


@dataclass(frozen=True)
class FlipRange:
    """The flip probabilities of one codebook: mu = least + (1/2 - least) sigmoid(a).

    Attributes:
        least: mu_min.
        regularization: lambda, which draws mu to the minimum 1/e of mu ln mu.
    """

    least: float
    regularization: float

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        if not 0 < self.least < 0.5:
            raise ValueError(f"least must be above 0 and below 0.5, got {self.least}")
        if self.regularization < 0:
            raise ValueError(f"regularization must be at least 0, got {self.regularization}")

    def probability(self, logits: Tensor) -> Tensor:
        """Mu of the parameters a."""
        return self.least + (0.5 - self.least) * logits.sigmoid()


def temperature(progress: float) -> float:
    """Tau of the Gumbel-softmax: 0.5 at first, exp(-3) of it at the end.

    The paper's 128 epochs of 50,000 pictures in batches of 64 are 100,000 steps, and
    tau <- tau exp(-0.003) every 100 of them; a shorter training goes through the same range.

    >>> temperature(0.0), round(temperature(1.0), 4)
    (0.5, 0.0249)
    """
    return 0.5 * math.exp(-3 * progress)


class LearnedFlips(nn.Module):
    """One codebook for each range; they join the training one after the other (Algorithm 1)."""

    started: Tensor

    def __init__(
        self,
        ranges: Sequence[FlipRange],
        *,
        bits: int,
        dimension: int,
        cells: int,
        decay: float = 0.8,
    ) -> None:
        """``decay`` is eta, the weight of a codebook's loss relative to the one before (eq. 27)."""
        super().__init__()
        self.ranges, self.decay = tuple(ranges), decay
        self.codewords: Tensor = nn.Parameter(torch.randn(len(ranges), 2**bits, dimension))
        self.logits = nn.Parameter(torch.full((len(ranges), cells, bits), -2.0))
        self.register_buffer("started", torch.tensor(1))
        self.register_buffer("labels", label_bits(bits), persistent=False)

    def forward(
        self, vectors: Tensor, *, progress: float, generator: torch.Generator
    ) -> Sequence[Branch]:
        """A branch for every codebook that has joined."""
        self._join(min(int(progress * len(self.ranges)) + 1, len(self.ranges)))
        started = int(self.started)
        total = sum(self.decay**u for u in range(1, started + 1))
        flat = vectors.detach().reshape(-1, vectors.shape[-1])
        branches = []
        for u, (codewords, logits) in enumerate(zip(self.codewords, self.logits, strict=True), 1):
            if u > started:
                break
            sent = assign(flat, codewords.detach()).reshape(vectors.shape[:2])
            mu = self.ranges[u - 1].probability(logits)
            received = soft_receive(
                sent,
                mu,
                codewords,
                self.labels,  # type: ignore[arg-type]
                temperature=temperature(progress),
                generator=generator,
            )
            regularizer = (mu * mu.log()).mean()
            loss = quantization_loss(vectors, received)
            loss = loss + self.ranges[u - 1].regularization * regularizer
            branches.append(
                Branch(straight_through(vectors, received), loss, self.decay**u / total)
            )
        return branches

    @torch.no_grad()
    def _join(self, wanted: int) -> None:
        """Start codebooks from the one before them."""
        while int(self.started) < wanted:
            v = int(self.started)
            self.codewords[v] = self.codewords[v - 1]
            self.logits[v] = self.logits[v - 1]
            self.started += 1

    @torch.no_grad()
    def place(self, vectors: Tensor, *, generator: torch.Generator) -> None:
        """By k-means, with labels for a noisy channel, all codebooks alike."""
        size = self.codewords.shape[1]
        codewords = place(vectors, size, generator=generator, design_flip=DESIGN_FLIP)
        self.codewords.copy_(codewords)

    def rate_bias(self) -> None:
        """None."""

    def flip_probability(self) -> Tensor:
        """The learned ones."""
        pairs = zip(self.ranges, self.logits, strict=True)
        return torch.stack([r.probability(logits) for r, logits in pairs])

    def fast_parameters(self) -> Iterable[nn.Parameter]:
        """The flip probabilities."""
        return (self.logits,)
