"""Plain product VQ, trained without errors.

Source: van den Oord, Vinyals and Kavukcuoglu, "Neural discrete representation learning" (2017),
eq. 1-3, without moving averages.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from semcodec.system32.placement import place
from semcodec.system32.quantizer import Branch, quantization_loss, straight_through
from semcodec.system32.subvectors import assign


class Plain(nn.Module):
    """``2**bits`` codewords of ``dimension`` components."""

    def __init__(self, *, bits: int, dimension: int) -> None:
        """Unit normal codewords; `place` puts them on data."""
        super().__init__()
        self.codewords: Tensor = nn.Parameter(torch.randn(1, 2**bits, dimension))

    def forward(
        self, vectors: Tensor, *, progress: float, generator: torch.Generator
    ) -> Sequence[Branch]:
        """The nearest codewords."""
        flat = vectors.reshape(-1, vectors.shape[-1])
        chosen = self.codewords[0][assign(flat.detach(), self.codewords[0].detach())]
        chosen = chosen.reshape(vectors.shape)
        return [Branch(straight_through(vectors, chosen), quantization_loss(vectors, chosen))]

    @torch.no_grad()
    def place(self, vectors: Tensor, *, generator: torch.Generator) -> None:
        """By k-means."""
        size = self.codewords.shape[1]
        self.codewords.copy_(place(vectors, size, generator=generator)[None])

    def rate_bias(self) -> None:
        """None."""

    def flip_probability(self) -> None:
        """None: trained without errors."""

    def fast_parameters(self) -> Iterable[nn.Parameter]:
        """None."""
        return ()
