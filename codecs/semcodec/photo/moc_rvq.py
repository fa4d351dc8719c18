"""MOC-RVQ: autoencoder, multi-head octonary codebook with residual levels, noise reduction.

::

    picture -> encoder -> z -> quantise -> indices [D, P, h, w] ~~ channel ~~> indices
        -> codewords z_q_hat [-> noise reduction z_r -> quantise again, eq. 9] -> decoder -> picture

Source: "MOC-RVQ: Multilevel codebook-assisted digital generative semantic communication".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from semcodec.photo.moc import MocRvq, Quantized, straight_through
from semcodec.photo.noise_reduction import NoiseReduction, NoiseReductionConfig
from semcodec.photo.vqgan import STRIDE, Vqgan, VqganConfig


@dataclass(frozen=True)
class MocRvqConfig:
    """The shape of the network: all that is needed to load its weights.

    Attributes:
        autoencoder: Encoder and decoder; ``heads`` divides its ``latent_channels``.
        levels: D, residual levels.
        heads: P, codebooks of a level.
        words: Codewords of a codebook; a power of two.
        noise_reduction: The block of the second stage of training, or None before it.

    >>> MocRvqConfig().bits_per_cell
    48
    """

    autoencoder: VqganConfig = field(default_factory=VqganConfig)
    levels: int = 4
    heads: int = 4
    words: int = 8
    noise_reduction: NoiseReductionConfig | None = None

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together."""
        channels, block = self.autoencoder.latent_channels, self.noise_reduction
        if block is not None and block.channels != channels:
            raise ValueError(
                f"noise_reduction must have the {channels} channels of the latents, "
                f"got {block.channels}"
            )

    @staticmethod
    def read(
        *,
        autoencoder: Mapping[str, Any],
        levels: int,
        heads: int,
        words: int,
        noise_reduction: Mapping[str, Any] | None,
    ) -> "MocRvqConfig":
        """The inverse of `dataclasses.asdict`, also after a passage through JSON.

        >>> from dataclasses import asdict
        >>> config = MocRvqConfig(levels=2)
        >>> MocRvqConfig.read(**asdict(config)) == config
        True
        """
        shape: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in autoencoder.items()
        }
        block = None if noise_reduction is None else NoiseReductionConfig(**noise_reduction)
        return MocRvqConfig(VqganConfig(**shape), levels, heads, words, block)

    @property
    def bits_per_cell(self) -> int:
        """Bits of the indices of all levels for a block of 8 x 8 pixels."""
        return self.levels * self.heads * (self.words.bit_length() - 1)


@dataclass(frozen=True)
class MocRvqOutput:
    """What a training step needs of a forward pass.

    Attributes:
        pictures: Reconstructions ``[B, 3, H, W]``, not clipped.
        latents: z ``[B, C, H/8, W/8]`` before quantisation.
        quantized: The same after it.
    """

    pictures: Tensor
    latents: Tensor
    quantized: Quantized


class MocRvqNetwork(nn.Module):
    """Pictures to indices ``[B, n, P, h, w]`` of n levels, and back.

    >>> network = MocRvqNetwork(MocRvqConfig(VqganConfig(width=8, latent_channels=8)))
    >>> indices = network.encode(torch.rand(1, 3, 16, 20), levels=2)
    >>> indices.shape, network.decode(indices, 16, 20).shape
    (torch.Size([1, 2, 4, 2, 3]), torch.Size([1, 3, 16, 20]))
    """

    def __init__(self, config: MocRvqConfig) -> None:
        """Build the network with fresh weights from torch's global generator."""
        super().__init__()
        self.config = config
        self.autoencoder = Vqgan(config.autoencoder)
        self.quantizer = MocRvq(
            channels=config.autoencoder.latent_channels,
            levels=config.levels,
            heads=config.heads,
            words=config.words,
        )
        block = config.noise_reduction
        self.noise_reduction = None if block is None else NoiseReduction(block)

    def forward(self, pictures: Tensor, *, levels: int | Tensor | None = None) -> MocRvqOutput:
        """Pictures ``[B, 3, H, W]``, sides multiples of 8, through the first stage.

        The gradient passes straight through the quantisation.

        Args:
            pictures: In [0, 1].
            levels: As of `MocRvq.quantize`; ``[B]`` for a number per picture.
        """
        latents = self.autoencoder.encode(pictures)
        quantized = self.quantizer.quantize(latents, levels=levels)
        output = self.autoencoder.decode(straight_through(latents, quantized.vectors))
        return MocRvqOutput(output, latents, quantized)

    def refine(self, vectors: Tensor) -> Tensor:
        """z_r: retrieved codewords ``[B, C, h, w]`` through the noise reduction block.

        Raises:
            ValueError: The network has no such block.
        """
        if self.noise_reduction is None:
            raise ValueError("noise_reduction must be part of the network's config, got None")
        return self.noise_reduction(vectors)  # type: ignore[no-any-return]

    @torch.no_grad()
    def encode(self, pictures: Tensor, *, levels: int | None = None) -> Tensor:
        """Indices ``[B, n, P, h, w]`` int64, the coarsest level first.

        Args:
            pictures: ``[B, 3, H, W]`` in [0, 1] of any size; sides that are no multiples of 8 are
                continued by their last row and column.
            levels: n; all of them by default.
        """
        latents = self.autoencoder.encode_any(pictures)
        return self.quantizer.quantize(latents, levels=levels).indices

    @torch.no_grad()
    def decode(self, indices: Tensor, height: int, width: int, *, refine: bool = False) -> Tensor:
        """Pictures ``[B, 3, height, width]``, not clipped, of indices ``[B, n, P, h, w]``.

        Args:
            indices: Of the first n levels.
            height: Of the picture, before padding.
            width: Likewise.
            refine: Whether the codewords pass the noise reduction block and are then quantised
                again (eq. 9), to as many levels as were received: such sums are what the decoder
                has been trained on.

        Raises:
            ValueError: Another grid than `encode` makes, or no block to refine with.
        """
        grid = (-(-height // STRIDE), -(-width // STRIDE))
        if tuple(indices.shape[-2:]) != grid:
            raise ValueError(
                f"indices must be [..., {grid[0]}, {grid[1]}] for {width} x {height} pixels, "
                f"got {list(indices.shape)}"
            )
        vectors = self.quantizer.lookup(indices)
        if refine:
            levels = indices.shape[1]
            vectors = self.quantizer.quantize(self.refine(vectors), levels=levels).vectors
        return self.autoencoder.decode_any(vectors, height, width)

    def displacement(self, sent: Tensor, received: Tensor) -> Tensor:
        """Distance ||e_i - e_j|| of the codewords sent and received, each in its own codebook.

        Args:
            sent: Indices ``[B, n, P, h, w]``.
            received: Likewise.

        Returns:
            ``[B, n, P, h, w]``.
        """
        levels, heads = sent.shape[1:3]
        words = self.quantizer.codewords[:levels]
        distances = (words[:, :, :, None] - words[:, :, None]).square().sum(4).sqrt()
        level = torch.arange(levels, device=sent.device).reshape(-1, 1, 1, 1)
        head = torch.arange(heads, device=sent.device).reshape(-1, 1, 1)
        return distances[level, head, sent, received]
