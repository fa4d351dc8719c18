"""A codebook learned by exponential moving averages.

Source: van den Oord, Vinyals and Kavukcuoglu, "Neural discrete representation learning" (2017),
eq. 1-3 and appendix A.1. Dead codewords are put back on encoder outputs, as by Dhariwal et al.,
"Jukebox" (2020), section 3.1.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Quantized:
    """What quantisation makes of a latent grid.

    Attributes:
        vectors: Codewords ``[B, D, h, w]``; the gradient passes straight through to the input.
        indices: ``[B, h, w]`` int64.
        commitment: Scalar, mean of ||z - sg(e)||^2 over cells and components.
    """

    vectors: Tensor
    indices: Tensor
    commitment: Tensor


class EmaCodebook(nn.Module):
    """``size`` codewords of ``dimension`` components.

    The codewords are no parameters: `update` moves each one to the running mean of the encoder
    outputs that chose it, m_k <- decay m_k + (1 - decay) sum z, n_k likewise, e_k = m_k / n_k.
    """

    codewords: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self, size: int, dimension: int, *, decay: float = 0.99) -> None:
        """Start with unit normal codewords; `restart` puts them on data."""
        super().__init__()
        self.size, self.dimension, self.decay = size, dimension, decay
        self.register_buffer("codewords", torch.randn(size, dimension))
        self.register_buffer("counts", torch.ones(size), persistent=True)
        self.register_buffer("sums", self.codewords.clone(), persistent=True)

    def nearest(self, vectors: Tensor) -> Tensor:
        """Indices ``[n]`` of the codewords nearest to vectors ``[n, D]``."""
        # ||z - e||^2 = ||z||^2 - 2 z.e + ||e||^2, and ||z||^2 is the same for every codeword.
        bias = self.codewords.square().sum(1)
        return torch.addmm(bias, vectors, self.codewords.T, alpha=-2.0).argmin(1)

    def lookup(self, indices: Tensor) -> Tensor:
        """Codewords ``[B, D, h, w]`` of indices ``[B, h, w]``."""
        return F.embedding(indices, self.codewords).movedim(-1, 1)

    def forward(self, latents: Tensor) -> Quantized:
        """Quantise latents ``[B, D, h, w]``."""
        batch, _, height, width = latents.shape
        flat = latents.detach().movedim(1, -1).reshape(-1, self.dimension)
        indices = self.nearest(flat).reshape(batch, height, width)
        vectors = self.lookup(indices)
        commitment = F.mse_loss(latents, vectors)
        return Quantized(latents + (vectors - latents).detach(), indices, commitment)

    @torch.no_grad()
    def update(self, latents: Tensor, indices: Tensor) -> None:
        """One moving-average step with latents ``[B, D, h, w]`` and their indices ``[B, h, w]``."""
        flat = latents.movedim(1, -1).reshape(-1, self.dimension)
        index = indices.reshape(-1)
        counts = torch.bincount(index, minlength=self.size).to(flat.dtype)
        sums = torch.zeros_like(self.sums).index_add_(0, index, flat)
        self.counts.lerp_(counts, 1 - self.decay)
        self.sums.lerp_(sums, 1 - self.decay)
        self.codewords.copy_(self.sums / self.counts.clamp(min=1e-4)[:, None])

    @torch.no_grad()
    def revive(self, latents: Tensor, *, threshold: float, generator: torch.Generator) -> int:
        """Put codewords used less than ``threshold`` of the mean use on encoder outputs.

        Args:
            latents: ``[B, D, h, w]``, where the new codewords are drawn from.
            threshold: Fraction of the mean count below which a codeword is dead.
            generator: Source of the draw.

        Returns:
            How many codewords were moved.
        """
        mean_count = self.counts.mean()
        dead = (self.counts < threshold * mean_count).nonzero()[:, 0]
        flat = latents.movedim(1, -1).reshape(-1, self.dimension)
        drawn = flat[torch.randint(len(flat), (len(dead),), generator=generator)]
        self.codewords[dead] = drawn
        self.counts[dead] = mean_count
        self.sums[dead] = drawn * mean_count
        return len(dead)

    @torch.no_grad()
    def restart(self, latents: Tensor, *, iterations: int, generator: torch.Generator) -> None:
        """Place every codeword by k-means (Lloyd 1982) on latents ``[B, D, h, w]``."""
        flat = latents.movedim(1, -1).reshape(-1, self.dimension)
        draw = torch.randint(len(flat), (self.size,), generator=generator)
        self.codewords.copy_(flat[draw])
        for _ in range(iterations):
            index = self.nearest(flat)
            counts = torch.bincount(index, minlength=self.size).to(flat.dtype)
            sums = torch.zeros_like(self.sums).index_add_(0, index, flat)
            used = counts > 0
            self.codewords[used] = sums[used] / counts[used, None]
            empty = (~used).nonzero()[:, 0]
            draw = torch.randint(len(flat), (len(empty),), generator=generator)
            self.codewords[empty] = flat[draw]
        mean_count = len(flat) / self.size
        self.counts.fill_(mean_count)
        self.sums.copy_(self.codewords * mean_count)
