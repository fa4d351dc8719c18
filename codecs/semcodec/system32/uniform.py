"""Uniform scalar quantisation over binary symmetric channels: BSC+SQ and BlindSC.

Every latent component in (-1, 1) is rounded to the middle of one of ``2**bits`` equal intervals.

Sources: Choi et al., "Neural joint source-channel coding" (2019) and Oh et al., "Blind training for
channel-adaptive digital semantic communications" (2025), as described by Shin et al., "ESC-MVQ"
(2025), section V.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from semcodec.system32.binary_channel import hard_receive, label_bits, soft_receive
from semcodec.system32.learned_flips import FlipRange, temperature
from semcodec.system32.quantizer import Branch, quantization_loss, straight_through
from semcodec.system32.subvectors import assign


def levels(bits: int) -> Tensor:
    """The middles of ``2**bits`` equal intervals of (-1, 1): ``[1, 2**bits, 1]``.

    >>> levels(2).flatten().tolist()
    [-0.75, -0.25, 0.25, 0.75]
    """
    size = 2**bits
    middles: Tensor = (2 * torch.arange(size) + 1) / size - 1
    return middles.reshape(1, size, 1)


class UniformFixedFlips(nn.Module):
    """BSC+SQ: every bit flips with probability ``flip``."""

    codewords: Tensor
    flips: Tensor

    def __init__(self, *, bits: int, cells: int, flip: float) -> None:
        """``cells`` scalars for each picture."""
        super().__init__()
        if not 0 < flip < 0.5:
            raise ValueError(f"flip must be above 0 and below 0.5, got {flip}")
        self.bits = bits
        self.register_buffer("codewords", levels(bits))
        self.register_buffer("flips", torch.full((1, cells, bits), flip))

    def forward(
        self, vectors: Tensor, *, progress: float, generator: torch.Generator
    ) -> Sequence[Branch]:
        """The levels received, scalars ``[B, N, 1]``."""
        sent = assign(vectors.detach().reshape(-1, 1), self.codewords[0])
        sent = sent.reshape(vectors.shape[:2])
        arrived = hard_receive(sent, self.flips[0], bits=self.bits, generator=generator)
        received = self.codewords[0][arrived]
        return [Branch(straight_through(vectors, received), quantization_loss(vectors, received))]

    def place(self, vectors: Tensor, *, generator: torch.Generator) -> None:
        """The levels are fixed."""

    def rate_bias(self) -> None:
        """None."""

    def flip_probability(self) -> Tensor:
        """The fixed one."""
        return self.flips

    def fast_parameters(self) -> Iterable[nn.Parameter]:
        """None."""
        return ()


class UniformLearnedFlips(nn.Module):
    """BlindSC: the flip probability of every bit is learned, drawn to 1/2 by (mu - 1/2)^2."""

    codewords: Tensor

    def __init__(self, *, bits: int, cells: int, flips: FlipRange) -> None:
        """``cells`` scalars for each picture."""
        super().__init__()
        self.flips = flips
        self.register_buffer("codewords", levels(bits))
        self.register_buffer("labels", label_bits(bits), persistent=False)
        self.logits = nn.Parameter(torch.full((1, cells, bits), -2.0))

    def forward(
        self, vectors: Tensor, *, progress: float, generator: torch.Generator
    ) -> Sequence[Branch]:
        """The levels received, scalars ``[B, N, 1]``."""
        sent = assign(vectors.detach().reshape(-1, 1), self.codewords[0])
        mu = self.flips.probability(self.logits[0])
        received = soft_receive(
            sent.reshape(vectors.shape[:2]),
            mu,
            self.codewords[0],
            self.labels,  # type: ignore[arg-type]
            temperature=temperature(progress),
            generator=generator,
        )
        regularizer = (mu - 0.5).square().mean()
        loss = quantization_loss(vectors, received) + self.flips.regularization * regularizer
        return [Branch(straight_through(vectors, received), loss)]

    def place(self, vectors: Tensor, *, generator: torch.Generator) -> None:
        """The levels are fixed."""

    def rate_bias(self) -> None:
        """None."""

    def flip_probability(self) -> Tensor:
        """The learned ones."""
        return self.flips.probability(self.logits)

    def fast_parameters(self) -> Iterable[nn.Parameter]:
        """The flip probabilities."""
        return (self.logits,)
