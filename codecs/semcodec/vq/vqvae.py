"""A fully convolutional VQ-VAE: one index for each 8 x 8 block of pixels.

Source: van den Oord, Vinyals and Kavukcuoglu, "Neural discrete representation learning" (2017):
strided convolutions, residual blocks of a 3 x 3 and a 1 x 1 convolution, and the mirror image as
the decoder. Up-sampling is by sub-pixel convolution (Shi et al., 2016)::

    [3, H, W] -> /2 c1 -> /4 c2, residual -> /8 c3, residual -> 1x1 -> codebook -> the way back
"""

from dataclasses import dataclass

from torch import Tensor, nn

from semcodec.vq.codebook import EmaCodebook, Quantized

STRIDE = 8
"""Pixels along each side of the block that one index stands for."""


@dataclass(frozen=True)
class VqVaeConfig:
    """The shape of the network: all that is needed to load its weights.

    Attributes:
        codebook_size: Codewords; a power of two.
        latent_channels: Components D of one codeword.
        channels: Feature maps at 1/2, 1/4 and 1/8 of the picture's sides.
        encoder_blocks: Residual blocks of the encoder at 1/4 and 1/8.
        decoder_blocks: Residual blocks of the decoder at 1/2, 1/4 and 1/8.
    """

    codebook_size: int = 1024
    latent_channels: int = 32
    channels: tuple[int, int, int] = (32, 64, 128)
    encoder_blocks: tuple[int, int] = (1, 4)
    decoder_blocks: tuple[int, int, int] = (1, 2, 6)

    def __post_init__(self) -> None:
        """Refuse a codebook whose indices would not fill their bits."""
        if self.codebook_size < 2 or self.codebook_size & (self.codebook_size - 1):
            raise ValueError(f"codebook_size must be a power of two, got {self.codebook_size}")

    @property
    def bits_per_index(self) -> int:
        """log2 of the codebook size."""
        return self.codebook_size.bit_length() - 1


class _Residual(nn.Module):
    """x + conv1x1(relu(conv3x3(relu(x))))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        last = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        self.body = nn.Sequential(
            nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(inplace=True), last
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)  # type: ignore[no-any-return]


def _blocks(count: int, channels: int) -> list[nn.Module]:
    return [_Residual(channels) for _ in range(count)]


def _up(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, 4 * outputs, 3, padding=1), nn.PixelShuffle(2)]


class VqVae(nn.Module):
    """Encoder, codebook, decoder; pictures ``[B, 3, H, W]`` in [0, 1], sides multiples of 8."""

    def __init__(self, config: VqVaeConfig) -> None:
        """Build the network with fresh weights from torch's global generator."""
        super().__init__()
        self.config = config
        c1, c2, c3 = config.channels
        e2, e3 = config.encoder_blocks
        d1, d2, d3 = config.decoder_blocks
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(12, c1, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(c1, c2, 4, stride=2, padding=1),
            *_blocks(e2, c2),
            nn.ReLU(inplace=True),
            nn.Conv2d(c2, c3, 4, stride=2, padding=1),
            *_blocks(e3, c3),
            nn.ReLU(inplace=True),
            nn.Conv2d(c3, config.latent_channels, 1),
        )
        self.codebook = EmaCodebook(config.codebook_size, config.latent_channels)
        self.decoder = nn.Sequential(
            nn.Conv2d(config.latent_channels, c3, 3, padding=1),
            *_blocks(d3, c3),
            nn.ReLU(inplace=True),
            *_up(c3, c2),
            *_blocks(d2, c2),
            nn.ReLU(inplace=True),
            *_up(c2, c1),
            *_blocks(d1, c1),
            nn.ReLU(inplace=True),
            *_up(c1, 3),
        )

    def encode(self, pictures: Tensor) -> Tensor:
        """Latents ``[B, D, H/8, W/8]`` before quantisation."""
        return self.encoder(pictures - 0.5)  # type: ignore[no-any-return]

    def decode(self, vectors: Tensor) -> Tensor:
        """Pictures ``[B, 3, H, W]`` of codewords ``[B, D, H/8, W/8]``, not clipped."""
        return self.decoder(vectors) + 0.5  # type: ignore[no-any-return]

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Quantized]:
        """Reconstruction, latents and their quantisation, for training."""
        latents = self.encode(pictures)
        quantized = self.codebook(latents)
        return self.decode(quantized.vectors), latents, quantized
