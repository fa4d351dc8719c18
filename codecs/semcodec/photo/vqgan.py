"""The convolutional autoencoder of VQGAN: a latent cell for each 8 x 8 block of pixels.

Source: Esser, Rombach and Ommer, "Taming transformers for high-resolution image synthesis" (2021),
appendix A, table 7: residual blocks of GroupNorm (Wu and He, 2018), swish and a 3 x 3 convolution,
twice; strided convolutions down; nearest neighbour and a convolution up::

    [3, H, W] -> 1: conv, blocks -> 1/2: blocks -> 1/4: blocks -> 1/8: blocks -> norm, swish, conv
        -> latents [C, H/8, W/8] -> conv -> 1/8: blocks -> 1/4 -> 1/2 -> 1 -> norm, swish, conv

Other than there: no attention unless asked for, since its cost grows with the square of the
picture's area; the widths change in the first block after a step down, and in the step up. The
defaults are small enough for training on a CPU.
"""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from semcodec.photo.tiles import in_tiles, pad_to_multiple

STRIDE = 8
"""Pixels along each side of a latent cell."""

CONTEXT = 96
"""Pixels around a tile of a large picture. Group normalisation looks at all of the tile, so cells
differ slightly from what the whole picture would give."""

_SCALES = 4
"""Sides 1, 1/2, 1/4 and 1/8 of the picture's."""


@dataclass(frozen=True)
class VqganConfig:
    """The shape of the network: all that is needed to load its weights.

    Attributes:
        width: Feature maps at the picture's own size; a multiple of ``group``.
        factors: Multiples of ``width`` at 1, 1/2, 1/4 and 1/8 of the sides.
        latent_channels: Components C of a latent cell.
        encoder_blocks: Residual blocks at each of the four scales; at least one after a step down.
        decoder_blocks: Residual blocks at each of the four scales.
        group: Feature maps normalised together.
        attention: Whether every cell at 1/8 also looks at all the others.

    >>> VqganConfig().widths
    (16, 16, 64, 128)
    """

    width: int = 16
    factors: tuple[int, int, int, int] = (1, 1, 4, 8)
    latent_channels: int = 32
    encoder_blocks: tuple[int, int, int, int] = (0, 1, 1, 2)
    decoder_blocks: tuple[int, int, int, int] = (0, 1, 1, 3)
    group: int = 8
    attention: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        for name in ("factors", "encoder_blocks", "decoder_blocks"):
            if len(getattr(self, name)) != _SCALES:
                raise ValueError(f"{name} must have 4 entries, got {getattr(self, name)}")
        for name, least in (("width", 1), ("latent_channels", 1), ("group", 1), ("factors", 1)):
            value = getattr(self, name)
            if min(value if isinstance(value, tuple) else (value,)) < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        if self.width % self.group:
            raise ValueError(f"width must be a multiple of group {self.group}, got {self.width}")
        if min(self.decoder_blocks) < 0 or min(self.encoder_blocks) < 0:
            raise ValueError(
                f"encoder_blocks and decoder_blocks must be at least 0, "
                f"got {self.encoder_blocks} and {self.decoder_blocks}"
            )
        if min(self.encoder_blocks[1:]) < 1:
            raise ValueError(
                f"encoder_blocks must be at least 1 after a step down, got {self.encoder_blocks}"
            )

    @property
    def widths(self) -> tuple[int, ...]:
        """Feature maps at 1, 1/2, 1/4 and 1/8 of the sides."""
        return tuple(self.width * factor for factor in self.factors)


def _swish_convolution(inputs: int, outputs: int, group: int) -> list[nn.Module]:
    """GroupNorm, swish(x) = x sigmoid(x), conv3x3."""
    norm = nn.GroupNorm(inputs // group, inputs, eps=1e-6)
    return [norm, nn.SiLU(inplace=True), nn.Conv2d(inputs, outputs, 3, padding=1)]


class _Residual(nn.Module):
    """skip(x) + the body of two normalised convolutions, which starts at zero.

    The skip is a 1 x 1 convolution where the widths differ.
    """

    def __init__(self, inputs: int, outputs: int, group: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_swish_convolution(inputs, outputs, group),
            *_swish_convolution(outputs, outputs, group),
        )
        nn.init.zeros_(self.body[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.body[-1].bias)  # type: ignore[arg-type]
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.skip(x) + self.body(x)  # type: ignore[no-any-return]


class _Attention(nn.Module):
    """x + conv1x1(softmax(q k^T / sqrt(c)) v) over all cells, which starts at zero."""

    def __init__(self, channels: int, group: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(channels // group, channels, eps=1e-6)
        self.queries_keys_values = nn.Conv2d(channels, 3 * channels, 1)
        self.last = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        cells = self.queries_keys_values(self.norm(x)).flatten(2).transpose(1, 2)
        seen = F.scaled_dot_product_attention(*cells.chunk(3, dim=2))
        return x + self.last(seen.transpose(1, 2).reshape(x.shape))  # type: ignore[no-any-return]


class _Up(nn.Module):
    """Nearest neighbour to twice the sides, then conv3x3, as one transposed convolution.

    Both steps are linear, so together they are a 4 x 4 kernel: with f the mirrored 3 x 3 kernel
    along an axis, (f0, f0 + f1, f1 + f2, f2). Half the operations, the same result.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        mirrored = self.convolution.weight.transpose(0, 1).flip(2, 3)
        kernel = 4 * F.avg_pool2d(mirrored, 2, stride=1, padding=1)
        return F.conv_transpose2d(x, kernel, self.convolution.bias, stride=2, padding=1)


class Vqgan(nn.Module):
    """Encoder and decoder; pictures ``[B, 3, H, W]`` in [0, 1], sides multiples of 8.

    >>> import torch
    >>> network = Vqgan(VqganConfig(width=8, latent_channels=4))
    >>> latents = network.encode(torch.rand(2, 3, 16, 24))
    >>> latents.shape, network.decode(latents).shape
    (torch.Size([2, 4, 2, 3]), torch.Size([2, 3, 16, 24]))
    """

    def __init__(self, config: VqganConfig) -> None:
        """Build the network with fresh weights from torch's global generator."""
        super().__init__()
        self.config = config
        widths, group, last = config.widths, config.group, config.widths[-1]

        down: list[nn.Module] = [nn.Conv2d(3, widths[0], 3, padding=1)]
        here = widths[0]
        for scale, (width, blocks) in enumerate(zip(widths, config.encoder_blocks, strict=True)):
            if scale > 0:
                down += [nn.Conv2d(here, here, 3, stride=2, padding=1)]
            for _ in range(blocks):
                down += [_Residual(here, width, group)]
                here = width
        output = _swish_convolution(last, config.latent_channels, group)
        down += [_Attention(last, group)] if config.attention else []
        self.encoder = nn.Sequential(*down, *output)

        up: list[nn.Module] = [nn.Conv2d(config.latent_channels, last, 3, padding=1)]
        up += [_Attention(last, group)] if config.attention else []
        for scale in reversed(range(_SCALES)):
            width = widths[scale]
            up += [_Residual(width, width, group) for _ in range(config.decoder_blocks[scale])]
            up += [_Up(width, widths[scale - 1])] if scale > 0 else []
        self.decoder = nn.Sequential(*up, *_swish_convolution(widths[0], 3, group))

    def encode(self, pictures: Tensor) -> Tensor:
        """Latents ``[B, C, H/8, W/8]``.

        Raises:
            ValueError: A side is no multiple of 8.
        """
        if pictures.shape[-1] % STRIDE or pictures.shape[-2] % STRIDE:
            raise ValueError(
                f"sides must be multiples of {STRIDE}, got {list(pictures.shape[-2:])}"
            )
        return self.encoder(2 * pictures - 1)  # type: ignore[no-any-return]

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures ``[B, 3, H, W]`` of latents ``[B, C, H/8, W/8]``, not clipped to [0, 1]."""
        return (self.decoder(latents) + 1) / 2  # type: ignore[no-any-return]

    def forward(self, pictures: Tensor) -> Tensor:
        """Decoded pictures without anything in between."""
        return self.decode(self.encode(pictures))

    def encode_any(self, pictures: Tensor) -> Tensor:
        """Latents of pictures of any size, padded by their last row and column, in tiles if large.

        Returns:
            ``[B, C, rows, columns]``, a cell for each 8 x 8 pixels begun.
        """
        padded = pad_to_multiple(pictures, multiple=STRIDE)
        (latents,) = in_tiles(
            lambda tile: [self.encode(tile[0])],
            [padded],
            height=padded.shape[-2],
            width=padded.shape[-1],
            multiple=STRIDE,
            margin=CONTEXT,
        )
        return latents

    def decode_any(self, latents: Tensor, height: int, width: int) -> Tensor:
        """Pictures ``[B, 3, height, width]`` of the latents of `encode_any`."""
        (pictures,) = in_tiles(
            lambda tile: [self.decode(tile[0])],
            [latents],
            height=STRIDE * latents.shape[-2],
            width=STRIDE * latents.shape[-1],
            multiple=STRIDE,
            margin=CONTEXT,
        )
        return pictures[..., :height, :width]
