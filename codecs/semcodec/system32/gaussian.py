"""No codewords: latents with Gaussian noise, the common start of the other systems.

A network trained like this knows pictures before it meets a quantiser, so that every system can
begin from the same weights and a short training of its own suffices.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from semcodec.system32.quantizer import Branch


class Gaussian(nn.Module):
    """z + deviation * n; the latents' power is kept down by its weight in the loss."""

    codewords: Tensor

    def __init__(self, *, dimension: int, deviation: float, power_weight: float) -> None:
        """``deviation`` is the noise's in each component."""
        super().__init__()
        self.deviation, self.power_weight = deviation, power_weight
        self.register_buffer("codewords", torch.zeros(1, 0, dimension))

    def forward(
        self, vectors: Tensor, *, progress: float, generator: torch.Generator
    ) -> Sequence[Branch]:
        """The noisy sub-vectors."""
        noise = torch.randn(vectors.shape, generator=generator)
        power = vectors.square().mean()
        return [Branch(vectors + self.deviation * noise, self.power_weight * power)]

    def place(self, vectors: Tensor, *, generator: torch.Generator) -> None:
        """There is nothing to place."""

    def rate_bias(self) -> None:
        """None."""

    def flip_probability(self) -> None:
        """None."""

    def fast_parameters(self) -> Iterable[nn.Parameter]:
        """None."""
        return ()
