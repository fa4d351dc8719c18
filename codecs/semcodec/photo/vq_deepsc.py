"""VQ-DeepSC: a picture as indices on grids of several scales.

Source: Fu et al., "Vector quantized semantic communication system" (2023), eq. 2, 5, 6 and 8, and
section IV for the codebooks. The codebooks follow moving averages of the features in place of the
first part of eq. 8's quantisation loss (van den Oord et al., 2017, appendix A.1).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast

import torch
from torch import Tensor, nn

from semcodec.photo.unet import (
    STRIDE,
    UNetConfig,
    UNetDecoder,
    UNetEncoder,
    run_decoder,
    run_encoder,
)
from semcodec.vq.codebook import EmaCodebook, Quantized

VARIANTS: Mapping[int, tuple[int, int, int, int]] = MappingProxyType(
    {1: (0, 8, 4, 2), 2: (0, 64, 16, 4), 3: (2, 64, 4, 4), 4: (8, 4, 2, 2)}
)
"""Codebook sizes N_1 to N_4 of VQ-DeepSC1 to VQ-DeepSC4; 0 is a scale that is not sent."""


def bits_per_pixel(codebook_sizes: Sequence[int]) -> float:
    """Source bits per pixel, sum_l log2(N_l) / 4^l over the scales that are sent.

    Args:
        codebook_sizes: N_1, N_2, ...; 0 where a scale is not sent.

    >>> round(bits_per_pixel(VARIANTS[1]), 4)
    0.2227
    """
    return sum(
        math.log2(size) * 0.25**scale for scale, size in enumerate(codebook_sizes, 1) if size
    )


@dataclass(frozen=True)
class VqDeepScConfig:
    """The shape of the network: all that is needed to load its weights.

    Attributes:
        codebook_sizes: N_1 to N_4, powers of two; 0 where a scale is not sent. Scale 4 always is.
        width: Multiple of the paper's channels, see `UNetConfig`.
    """

    codebook_sizes: tuple[int, int, int, int] = VARIANTS[1]
    width: float = UNetConfig.width

    def __post_init__(self) -> None:
        """Refuse codebooks whose indices would not fill their bits."""
        sizes = self.codebook_sizes
        if len(sizes) != 4 or any(n < 0 or n == 1 or n & (n - 1) for n in sizes) or not sizes[3]:
            raise ValueError(
                "codebook_sizes must be four powers of two from 2 up, the first three of them "
                f"0 where not sent, got {sizes}"
            )
        UNetConfig(width=self.width)  # refuses a width of its own

    @property
    def unet(self) -> UNetConfig:
        """The network around the codebooks."""
        sent = tuple(scale for scale, size in enumerate(self.codebook_sizes, 1) if size)
        return UNetConfig(sent, self.width)


@dataclass(frozen=True)
class VqDeepScOutput:
    """What a training step needs of a forward pass; tuples run coarse to fine.

    Attributes:
        pictures: Reconstructions ``[B, 3, H, W]``, not clipped.
        features: ``[B, c_l, H/2^l, W/2^l]`` before quantisation.
        quantized: The same after it.
        commitment: Scalar, sum over the scales of the mean of ||F_l - sg(e)||^2 over cells and
            components; not multiplied by beta_c.
    """

    pictures: Tensor
    features: tuple[Tensor, ...]
    quantized: tuple[Quantized, ...]
    commitment: Tensor


class VqDeepScNetwork(nn.Module):
    """Encoder, a codebook for each scale that is sent, decoder.

    The order of scales is coarse to fine everywhere: that of 4 first.
    """

    def __init__(self, config: VqDeepScConfig) -> None:
        """Build the network with fresh weights from torch's global generator."""
        super().__init__()
        self.config = config
        unet = config.unet
        self.encoder = UNetEncoder(unet)
        self.decoder = UNetDecoder(unet)
        self.codebooks = nn.ModuleDict(
            {
                str(scale): EmaCodebook(config.codebook_sizes[scale - 1], unet.channels[scale - 1])
                for scale in unet.coarse_to_fine
            }
        )

    def books(self) -> list[EmaCodebook]:
        """The codebooks."""
        return [cast(EmaCodebook, book) for book in self.codebooks.values()]

    def grid_shapes(self, height: int, width: int) -> list[tuple[int, int]]:
        """Rows and columns of the index grids of a picture, padded as `encode` does it."""
        rows, columns = -(-height // STRIDE), -(-width // STRIDE)
        factors = [STRIDE >> scale for scale in self.config.unet.coarse_to_fine]
        return [(rows * factor, columns * factor) for factor in factors]

    def forward(self, pictures: Tensor) -> VqDeepScOutput:
        """Pictures ``[B, 3, H, W]`` in [0, 1], sides multiples of 16, through all of it.

        The gradient passes straight through the quantisation.
        """
        features = self.encoder(pictures)
        quantized = tuple(
            book(feature) for book, feature in zip(self.books(), features, strict=True)
        )
        commitment = torch.stack([q.commitment for q in quantized]).sum()
        output = self.decoder([q.vectors for q in quantized])
        return VqDeepScOutput(output, features, quantized, commitment)

    def update(self, output: VqDeepScOutput) -> None:
        """One moving-average step of every codebook."""
        for book, feature, quantized in zip(
            self.books(), output.features, output.quantized, strict=True
        ):
            book.update(feature.detach(), quantized.indices)

    def revive(
        self, output: VqDeepScOutput, *, threshold: float, generator: torch.Generator
    ) -> int:
        """Put codewords used less than ``threshold`` of the mean on features; how many moved."""
        moved = 0
        for book, feature in zip(self.books(), output.features, strict=True):
            moved += book.revive(feature.detach(), threshold=threshold, generator=generator)
        return moved

    @torch.no_grad()
    def place(self, pictures: Tensor, *, iterations: int, generator: torch.Generator) -> None:
        """Place every codebook by k-means on the features of pictures ``[B, 3, H, W]``.

        The pictures go through the encoder at once, in the mode that it is in: in training mode
        batch normalisation takes their statistics and moves its running ones.
        """
        for book, feature in zip(self.books(), self.encoder(pictures), strict=True):
            book.restart(feature, iterations=iterations, generator=generator)

    @torch.no_grad()
    def encode(self, pictures: Tensor) -> list[Tensor]:
        """Index grids, coarse to fine, each ``[B, rows, columns]`` int64 of `grid_shapes`.

        Args:
            pictures: ``[B, 3, H, W]`` in [0, 1] of any size; sides that are no multiples of 16
                are continued by their last row and column.
        """
        return run_encoder(self._nearest, pictures)

    def _nearest(self, pictures: Tensor) -> list[Tensor]:
        grids = []
        for book, feature in zip(self.books(), self.encoder(pictures), strict=True):
            cells = feature.movedim(1, -1)
            nearest = book.nearest(cells.reshape(-1, book.dimension))
            grids.append(nearest.reshape(cells.shape[:-1]))
        return grids

    @torch.no_grad()
    def decode(self, grids: Sequence[Tensor], height: int, width: int) -> Tensor:
        """Pictures ``[B, 3, height, width]``, not clipped, of the index grids of `encode`."""
        shapes = self.grid_shapes(height, width)
        if [tuple(grid.shape[-2:]) for grid in grids] != shapes:
            raise ValueError(
                f"grids must be {shapes} for {width} x {height} pixels, "
                f"got {[tuple(grid.shape[-2:]) for grid in grids]}"
            )
        return run_decoder(self._pictures, grids, height, width)

    def _pictures(self, grids: Sequence[Tensor]) -> Tensor:
        vectors = [book.lookup(grid) for book, grid in zip(self.books(), grids, strict=True)]
        return self.decoder(vectors)  # type: ignore[no-any-return]
