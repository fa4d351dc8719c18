"""VQ trained over binary symmetric channels of one fixed flip probability: BSC+VQ.

Source: Shin et al., "ESC-MVQ" (2025), section V, "BSC+VQ".
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from semcodec.system32.binary_channel import hard_receive
from semcodec.system32.placement import place
from semcodec.system32.quantizer import Branch, quantization_loss, straight_through
from semcodec.system32.subvectors import assign


class FixedFlips(nn.Module):
    """``2**bits`` codewords; every bit of an index flips with probability ``flip``."""

    flips: Tensor

    def __init__(self, *, bits: int, dimension: int, cells: int, flip: float) -> None:
        """Unit normal codewords; `place` puts them on data."""
        super().__init__()
        if not 0 < flip < 0.5:
            raise ValueError(f"flip must be above 0 and below 0.5, got {flip}")
        self.bits = bits
        self.codewords: Tensor = nn.Parameter(torch.randn(1, 2**bits, dimension))
        self.register_buffer("flips", torch.full((1, cells, bits), flip))

    def forward(
        self, vectors: Tensor, *, progress: float, generator: torch.Generator
    ) -> Sequence[Branch]:
        """The codewords received."""
        codewords = self.codewords[0]
        flat = vectors.detach().reshape(-1, vectors.shape[-1])
        sent = assign(flat, codewords.detach()).reshape(vectors.shape[:2])
        arrived = hard_receive(sent, self.flips[0], bits=self.bits, generator=generator)
        received = codewords[arrived]
        return [Branch(straight_through(vectors, received), quantization_loss(vectors, received))]

    @torch.no_grad()
    def place(self, vectors: Tensor, *, generator: torch.Generator) -> None:
        """By k-means, with labels for the flip probability."""
        size, flip = self.codewords.shape[1], float(self.flips[0, 0, 0])
        self.codewords.copy_(place(vectors, size, generator=generator, design_flip=flip)[None])

    def rate_bias(self) -> None:
        """None."""

    def flip_probability(self) -> Tensor:
        """The fixed one."""
        return self.flips

    def fast_parameters(self) -> Iterable[nn.Parameter]:
        """None."""
        return ()
