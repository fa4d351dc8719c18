"""The multi-head octonary codebook with residual levels: MOC-RVQ.

The C components of a latent cell are cut into P heads, each with a codebook of its own, of 8 words:
one index is one amplitude of an 8-level axis, two are a 64-QAM symbol. D levels follow each other,
each on what the levels before have left over::

    r_0 = z        s_d = argmin_k ||r_(d-1) - e_k||  per head        r_d = r_(d-1) - e_(s_d)
    z_q = sum_d e_(s_d)

Source: "MOC-RVQ: Multilevel codebook-assisted digital generative semantic communication", eq. 4-6
and Algorithm 1. The codewords are learned by exponential moving averages (van den Oord et al.,
"Neural discrete representation learning", 2017, appendix A.1) in place of the gradient of the
second term of its eq. 7, whose minimum they follow.

Legend: B pictures, C components, D levels, P heads, K words, d = C / P, n = B h w cells.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semcodec.codebook.reorder import walk_order


@dataclass(frozen=True)
class Quantized:
    """What quantisation makes of latents ``[B, C, h, w]``.

    Attributes:
        indices: ``[B, D, P, h, w]`` int64, the coarsest level first.
        vectors: z_q ``[B, C, h, w]``: the sum of the levels asked for, without gradient.
        commitment: Scalar with a gradient to the latents: the mean over pictures of
            sum_d mean (z - sg[e_1 + ... + e_d])**2 over the levels asked for.
        residual_energy: ``[D]``, mean square of a component that is left after each level.
    """

    indices: Tensor
    vectors: Tensor
    commitment: Tensor
    residual_energy: Tensor


def straight_through(latents: Tensor, vectors: Tensor) -> Tensor:
    """The vectors, with the gradient passed to the latents (van den Oord et al., section 3.2).

    >>> z = torch.tensor([0.75], requires_grad=True)
    >>> straight_through(z, torch.tensor([1.0])).mul(3).backward()
    >>> z.grad
    tensor([3.])
    """
    return latents + (vectors - latents).detach()


class MocRvq(nn.Module):
    """D x P codebooks of K words with C / P components.

    >>> quantizer = MocRvq(channels=8)
    >>> quantized = quantizer.quantize(torch.randn(1, 8, 2, 3))
    >>> quantized.indices.shape
    torch.Size([1, 4, 4, 2, 3])
    >>> torch.equal(quantizer.lookup(quantized.indices), quantized.vectors)
    True
    """

    codewords: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(
        self, *, channels: int, levels: int = 4, heads: int = 4, words: int = 8, decay: float = 0.99
    ) -> None:
        """Start with normal codewords, half as large at each level; `restart` puts them on data.

        Raises:
            ValueError: Counts that do not fit together, or words that would not fill their bits.
        """
        super().__init__()
        if levels < 1:
            raise ValueError(f"levels must be at least 1, got {levels}")
        if heads < 1 or channels % heads:
            raise ValueError(f"heads must divide channels {channels}, got {heads}")
        if words < 2 or words & (words - 1):
            raise ValueError(f"words must be a power of two, got {words}")
        self.channels, self.levels, self.heads, self.words = channels, levels, heads, words
        self.decay = decay
        scale = 0.5 ** torch.arange(levels).reshape(-1, 1, 1, 1)
        self.register_buffer(
            "codewords", scale * torch.randn(levels, heads, words, channels // heads)
        )
        self.register_buffer("counts", torch.ones(levels, heads, words))
        self.register_buffer("sums", self.codewords.clone())

    @property
    def bits_per_index(self) -> int:
        """log2 of the words of a codebook."""
        return self.words.bit_length() - 1

    def quantize(self, latents: Tensor, *, levels: int | Tensor | None = None) -> Quantized:
        """Quantise latents ``[B, C, h, w]``.

        Args:
            latents: z.
            levels: How many levels: a number, int64 ``[B]`` for a number per picture (quantiser
                dropout: Zeghidour et al., "SoundStream", 2021, section III-C), or all of them.
                With numbers per picture ``indices`` and ``residual_energy`` are of all D levels
                for all pictures; ``vectors`` and ``commitment`` only count those asked for.

        Raises:
            ValueError: Numbers outside 1 to D or not one per picture.
        """
        wanted = torch.as_tensor(self.levels if levels is None else levels)
        if wanted.shape not in ((), latents.shape[:1]):
            raise ValueError(
                f"levels must be one number or [{len(latents)}], got {list(wanted.shape)}"
            )
        if not 1 <= int(wanted.min()) <= int(wanted.max()) <= self.levels:
            raise ValueError(f"levels must be 1 to {self.levels}, got {wanted.tolist()}")
        depth = int(wanted) if wanted.dim() == 0 else self.levels
        batch, _, height, width = latents.shape
        wanted = wanted.to(latents.device).expand(batch)

        residual = self._to_heads(latents.detach())
        indices, reached, vectors = [], torch.zeros_like(residual), torch.zeros_like(latents)
        commitment, energies = latents.new_zeros(()), []
        for level in range(depth):
            index = self._nearest(level, residual)
            chosen = self._words(level, index)
            residual, reached = residual - chosen, reached + chosen
            indices.append(index.reshape(self.heads, batch, height, width).transpose(0, 1))
            energies.append(residual.square().mean())
            asked = (wanted > level).reshape(-1, 1, 1, 1)
            vectors = torch.where(asked, self._from_heads(reached, latents.shape), vectors)
            commitment = commitment + asked.to(latents.dtype).mul((latents - vectors) ** 2).mean()
        return Quantized(torch.stack(indices, 1), vectors, commitment, torch.stack(energies))

    def lookup(self, indices: Tensor) -> Tensor:
        """The sum ``[B, C, h, w]`` of the codewords of indices ``[B, n, P, h, w]``, n levels.

        Raises:
            ValueError: Another shape, or indices outside 0 to K - 1.
        """
        shape = indices.shape
        if len(shape) != 5 or not 1 <= shape[1] <= self.levels or shape[2] != self.heads:
            raise ValueError(
                f"indices must be [B, 1 to {self.levels}, {self.heads}, h, w], got {list(shape)}"
            )
        if indices.numel() and not 0 <= int(indices.min()) <= int(indices.max()) < self.words:
            raise ValueError(
                f"indices must be 0 to {self.words - 1}, "
                f"got {int(indices.min())} to {int(indices.max())}"
            )
        by_level = indices.permute(1, 2, 0, 3, 4).reshape(shape[1], self.heads, -1)
        vectors = self._words(0, by_level[0])
        for level in range(1, shape[1]):
            vectors = vectors + self._words(level, by_level[level])
        return self._from_heads(vectors, torch.Size((shape[0], self.channels, *shape[3:])))

    @torch.no_grad()
    def update(self, latents: Tensor, indices: Tensor) -> None:
        """One moving-average step: m <- decay m + (1 - decay) sum r, n likewise, e = m / n.

        Args:
            latents: ``[B, C, h, w]``.
            indices: ``[B, n, P, h, w]``, what `quantize` made of them; n levels are moved.
        """
        residual = self._to_heads(latents)
        for level, index in enumerate(indices.unbind(1)):
            chosen = index.transpose(0, 1).reshape(self.heads, -1)
            left = residual - self._words(level, chosen)
            counts, sums = self._totals(chosen, residual)
            self.counts[level].lerp_(counts, 1 - self.decay)
            self.sums[level].lerp_(sums, 1 - self.decay)
            self.codewords[level] = self.sums[level] / self.counts[level, ..., None].clamp(min=1e-4)
            residual = left

    @torch.no_grad()
    def restart(self, latents: Tensor, *, iterations: int, generator: torch.Generator) -> None:
        """Place every codeword by k-means (Lloyd 1982) on latents ``[B, C, h, w]``.

        Level by level, on the residuals that the levels before leave, from a start as by
        k-means++; words that nothing chose are put on residuals drawn at random.
        """
        residual = self._to_heads(latents)
        for level in range(self.levels):
            self.codewords[level] = self._spread(residual, generator)
            for _ in range(iterations):
                counts, sums = self._totals(self._nearest(level, residual), residual)
                means = sums / counts.clamp(min=1)[..., None]
                drawn = self._drawn(residual, generator)
                self.codewords[level] = torch.where(counts[..., None] > 0, means, drawn)
            residual = residual - self._words(level, self._nearest(level, residual))
        mean_count = residual.shape[1] / self.words
        self.counts.fill_(mean_count)
        self.sums.copy_(self.codewords * mean_count)

    @torch.no_grad()
    def revive(self, latents: Tensor, *, threshold: float, generator: torch.Generator) -> int:
        """Put words used less than ``threshold`` of their codebook's mean on drawn residuals.

        As by Dhariwal et al., "Jukebox" (2020), section 3.1.

        Returns:
            How many codewords were moved.
        """
        residual = self._to_heads(latents)
        moved = 0
        for level in range(self.levels):
            mean_count = self.counts[level].mean(1, keepdim=True)
            dead = self.counts[level] < threshold * mean_count
            drawn = self._drawn(residual, generator)
            self.codewords[level] = torch.where(dead[..., None], drawn, self.codewords[level])
            self.counts[level] = torch.where(dead, mean_count, self.counts[level])
            sums = drawn * mean_count[..., None]
            self.sums[level] = torch.where(dead[..., None], sums, self.sums[level])
            moved += int(dead.sum())
            residual = residual - self._words(level, self._nearest(level, residual))
        return moved

    @torch.no_grad()
    def reorder(self, *, labels: Tensor) -> Tensor:
        """New indices along a walk from neighbour to neighbour, per level and head: Algorithm 1.

        Args:
            labels: int64 ``[K]``: ``labels[p]`` is the index sent on the p-th amplitude of an axis
                of the constellation in use, counted from either end. Neighbouring amplitudes then
                hold codewords that follow each other on the walk. The paper's own choice is the
                reflected Gray code, `semcodec.codebook.gray`; TS 38.211 labels its axes otherwise.

        Returns:
            int64 ``[D, P, K]``: for each new index, the old one.

        Raises:
            ValueError: Labels that are no permutation of 0 to K - 1.
        """
        books = self.codewords.flatten(0, 1).cpu()
        orders = torch.stack([walk_order(book, labels=labels.cpu()) for book in books])
        order = orders.reshape(self.counts.shape).to(self.codewords.device)
        components = order[..., None].expand_as(self.codewords)
        self.codewords.copy_(self.codewords.gather(2, components))
        self.sums.copy_(self.sums.gather(2, components))
        self.counts.copy_(self.counts.gather(2, order))
        return order

    def _to_heads(self, latents: Tensor) -> Tensor:
        """Components of each head ``[P, n, d]`` of latents ``[B, C, h, w]``."""
        batch, _, height, width = latents.shape
        split = latents.reshape(batch, self.heads, -1, height, width)
        return split.permute(1, 0, 3, 4, 2).reshape(self.heads, batch * height * width, -1)

    def _from_heads(self, vectors: Tensor, shape: torch.Size) -> Tensor:
        """The inverse of `_to_heads`, to latents of ``shape``."""
        cells = vectors.reshape(self.heads, shape[0], *shape[2:], -1)
        return cells.permute(1, 0, 4, 2, 3).reshape(shape)

    def _nearest(self, level: int, vectors: Tensor) -> Tensor:
        """Indices ``[P, n]`` of the words of a level nearest to vectors ``[P, n, d]``."""
        # ||r - e||^2 = ||r||^2 - 2 r.e + ||e||^2, and ||r||^2 is the same for every word.
        words = self.codewords[level]
        bias = words.square().sum(2)[:, None]
        return torch.baddbmm(bias, vectors, words.transpose(1, 2), alpha=-2.0).argmin(2)

    def _rows(self, index: Tensor) -> Tensor:
        """Indices ``[P, n]`` as rows of a level's codebooks put below each other."""
        return index + self.words * torch.arange(self.heads, device=index.device)[:, None]

    def _words(self, level: int, index: Tensor) -> Tensor:
        """Words ``[P, n, d]`` of indices ``[P, n]``."""
        return F.embedding(self._rows(index), self.codewords[level].flatten(0, 1))

    def _totals(self, index: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """How many of the vectors ``[P, n, d]`` chose each word, ``[P, K]``, and their sum."""
        rows = self._rows(index).flatten()
        size = self.heads * self.words
        counts = torch.bincount(rows, minlength=size).to(vectors.dtype)
        sums = vectors.new_zeros(size, vectors.shape[2])
        sums.index_add_(0, rows, vectors.flatten(0, 1))
        shape = (self.heads, self.words)
        return counts.reshape(shape), sums.reshape(*shape, -1)

    def _drawn(self, vectors: Tensor, generator: torch.Generator) -> Tensor:
        """One of the vectors ``[P, n, d]`` for each word, at random: ``[P, K, d]``."""
        shape = (self.heads, self.words)
        index = torch.randint(vectors.shape[1], shape, generator=generator).to(vectors.device)
        return vectors.gather(1, index[..., None].expand(-1, -1, vectors.shape[2]))

    def _spread(self, vectors: Tensor, generator: torch.Generator) -> Tensor:
        """Vectors far from each other ``[P, K, d]``, drawn from ``[P, n, d]``.

        Each one after the first is drawn with a probability proportional to its squared distance
        from the nearest of those before: Arthur and Vassilvitskii, "k-means++" (2007), section 2.2.
        """
        words = [self._drawn(vectors, generator)[:, :1]]
        distance = torch.full_like(vectors[..., 0], torch.inf)
        while len(words) < self.words:
            distance = distance.minimum((vectors - words[-1]).square().sum(2))
            total = distance.cumsum(1)
            draw = torch.rand(self.heads, 1, generator=generator).to(total) * total[:, -1:]
            index = torch.searchsorted(total, draw).clamp(max=vectors.shape[1] - 1)
            words.append(vectors.gather(1, index[..., None].expand(-1, -1, vectors.shape[2])))
        return torch.cat(words, 1)
