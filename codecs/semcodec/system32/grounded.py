"""VQ with index-entropy regularisation and channel-aware distortion.

Source: "A theoretically-grounded codebook for digital semantic communications" (2025), eq. 5,
9-13, 22 and 23. Where the paper counts hard assignments, which have no gradient, the entropy is
that of soft ones, softmax(-||z - e||^2 / tau).
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from semcodec.codebook import transition
from semcodec.system32.placement import place
from semcodec.system32.quantizer import Branch, quantization_loss, straight_through
from semcodec.system32.subvectors import assign, squared_distances


def transition_matrix(bits: int, flip: float) -> Tensor:
    """P(j | i) = flip^d (1 - flip)^(bits - d), d the Hamming distance of the labels: ``[K, K]``.

    >>> transition_matrix(1, 0.25).tolist()
    [[0.75, 0.25], [0.25, 0.75]]
    """
    index = torch.arange(2**bits)
    by_difference = transition(2**bits, flip_probability=flip).float()
    return by_difference[index[:, None] ^ index]


class Grounded(nn.Module):
    """``2**bits`` codewords; either weight may be zero, and both together are the plain VQ-VAE.

    Attributes:
        entropy_weight: lambda_H, of the entropy [nat] of the indices in a batch.
        channel_weight: lambda_C, of the expected distortion over the channel.
        softness: tau of the soft assignments, in units of the mean squared distance to the
            nearest codeword.
    """

    transition: Tensor
    flips: Tensor

    def __init__(
        self,
        *,
        bits: int,
        dimension: int,
        cells: int,
        flip: float,
        entropy_weight: float,
        channel_weight: float,
        softness: float = 1.0,
    ) -> None:
        """``flip`` is the bit-flip probability of the binary symmetric channel."""
        super().__init__()
        if not 0 < flip < 0.5:
            raise ValueError(f"flip must be above 0 and below 0.5, got {flip}")
        self.entropy_weight, self.channel_weight = entropy_weight, channel_weight
        self.softness = softness
        self.codewords: Tensor = nn.Parameter(torch.randn(1, 2**bits, dimension))
        self.register_buffer("transition", transition_matrix(bits, flip), persistent=False)
        self.register_buffer("flips", torch.full((1, cells, bits), flip))

    def forward(
        self, vectors: Tensor, *, progress: float, generator: torch.Generator
    ) -> Sequence[Branch]:
        """The nearest codewords, with the losses of eq. 23."""
        codewords = self.codewords[0]
        flat = vectors.reshape(-1, vectors.shape[-1])
        index = assign(flat.detach(), codewords.detach())
        chosen = codewords[index].reshape(vectors.shape)
        loss = quantization_loss(vectors, chosen)
        if self.entropy_weight:
            distances = squared_distances(flat, codewords)
            scale = distances.detach().amin(1).mean().clamp(min=1e-12) * self.softness
            share = (-distances / scale).softmax(1).mean(0)
            loss = loss + self.entropy_weight * (share * share.clamp(min=1e-12).log()).sum()
        if self.channel_weight:
            # sum_j P(j|i) ||z - e_j||^2 = ||z||^2 - 2 z.(P e)_i + (P ||e||^2)_i
            mean = (self.transition @ codewords)[index]
            energy = (self.transition @ codewords.square().sum(1))[index]
            expected = flat.square().sum(1) - 2 * (flat * mean).sum(1) + energy
            loss = loss + self.channel_weight * expected.mean() / flat.shape[1]
        return [Branch(straight_through(vectors, chosen), loss)]

    @torch.no_grad()
    def place(self, vectors: Tensor, *, generator: torch.Generator) -> None:
        """By k-means; where the channel is part of the loss, with labels for it."""
        size = self.codewords.shape[1]
        design = float(self.flips[0, 0, 0]) if self.channel_weight else None
        self.codewords.copy_(place(vectors, size, generator=generator, design_flip=design)[None])

    def rate_bias(self) -> None:
        """None."""

    def flip_probability(self) -> Tensor | None:
        """The channel's, where it is part of the loss."""
        return self.flips if self.channel_weight else None

    def fast_parameters(self) -> Iterable[nn.Parameter]:
        """None."""
        return ()
