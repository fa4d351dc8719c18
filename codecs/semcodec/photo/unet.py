"""The multi-scale encoder and decoder of VQ-DeepSC, without what lies between them.

Source: Fu et al., "Vector quantized semantic communication system" (2023), section III-A and
eq. 5-6; a U-Net (Ronneberger et al., 2015) whose skip connections are what is transmitted::

    [3, H, W] -> conv, PReLU -> down -> F_1 -> down -> F_2 -> down -> F_3 -> down -> F_4
                                         |             |             |             |
    [3, H, W] <- conv <- up <- concat <--+-- up <------+-- up <------+-- up <- conv, PReLU

F_l ``[c_l, H/2^l, W/2^l]`` is sent or not, scale by scale. A scale that is not sent is no input of
the decoder: its up-block has fewer channels. All kernels are 3 x 3.

What the paper leaves open and is chosen here: c_0 = c_1 / 2 feature maps at full resolution; the
decoder's own maps number c_l / 2 at scale l (c_0 at full resolution), next to the c_l received;
up-sampling is a transposed convolution of stride 2.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from semcodec.photo.tiles import in_tiles, pad_to_multiple

STRIDE = 16
"""Pixels along each side of a cell of the coarsest scale; the sides of pictures are multiples."""

PAPER_CHANNELS = (128, 256, 512, 1024)
"""Components of the features of scales 1 to 4 in the paper's network, width 1."""

ENCODER_CONTEXT = 144
"""Pixels around a cell, rounded up to a multiple of `STRIDE`, that its features depend on."""

DECODER_CONTEXT = 128
"""Pixels around a pixel, rounded up to a multiple of `STRIDE`, whose cells it depends on."""


@dataclass(frozen=True)
class UNetConfig:
    """The shape of the network.

    Attributes:
        scales: Which of the scales 1 to 4 (1/2 to 1/16 of the sides) are sent, rising; 4 always
            is, for the decoder begins there.
        width: Multiple of the paper's channels; a multiple of 1/64.

    >>> UNetConfig().channels
    (32, 64, 128, 256)
    >>> UNetConfig(scales=(1, 2, 3, 4), width=1).channels
    (128, 256, 512, 1024)
    """

    scales: tuple[int, ...] = (2, 3, 4)
    width: float = 0.25

    def __post_init__(self) -> None:
        """Refuse scales and widths that make no network."""
        rising = tuple(sorted(set(self.scales)))
        if self.scales != rising or not {4} <= set(self.scales) <= {1, 2, 3, 4}:
            raise ValueError(f"scales must rise, lie in 1..4 and end in 4, got {self.scales}")
        if self.width <= 0 or self.width * 64 % 1:
            raise ValueError(f"width must be a positive multiple of 1/64, got {self.width}")

    @property
    def channels(self) -> tuple[int, ...]:
        """c_1 to c_4, whether sent or not."""
        return tuple(int(self.width * c) for c in PAPER_CHANNELS)

    @property
    def coarse_to_fine(self) -> tuple[int, ...]:
        """The scales sent in the order of everything that crosses: 4 first."""
        return self.scales[::-1]


class _Residual(nn.Module):
    """x + conv(prelu(bn(conv(x))))."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, hidden, 3, padding=1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.PReLU(),
            nn.Conv2d(hidden, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)  # type: ignore[no-any-return]


def _down(inputs: int, outputs: int) -> nn.Sequential:
    """``[inputs, h, w]`` to ``[outputs, h/2, w/2]``."""
    return nn.Sequential(
        _Residual(inputs, inputs),
        nn.Conv2d(inputs, outputs, 3, stride=2, padding=1),
        _Residual(outputs, outputs),
        nn.BatchNorm2d(outputs),
        nn.PReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1),
    )


def _up(own: int, received: int, outputs: int) -> nn.Sequential:
    """``[own + received, h, w]`` to ``[outputs, 2 h, 2 w]``."""
    inputs = own + received
    return nn.Sequential(
        _Residual(inputs, own),
        nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.PReLU(),
    )


class UNetEncoder(nn.Module):
    """Pictures ``[B, 3, H, W]`` in [0, 1] to the features sent, coarse to fine."""

    def __init__(self, config: UNetConfig) -> None:
        """Fresh weights from torch's global generator."""
        super().__init__()
        self.config = config
        widths = (config.channels[0] // 2, *config.channels)
        self.stem = nn.Sequential(nn.Conv2d(3, widths[0], 3, padding=1), nn.PReLU())
        self.down = nn.ModuleList(_down(widths[i], widths[i + 1]) for i in range(4))

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """F_l ``[B, c_l, H/2^l, W/2^l]`` for l in ``config.coarse_to_fine``."""
        x = self.stem(pictures - 0.5)
        features = []
        for scale, block in enumerate(self.down, start=1):
            x = block(x)
            if scale in self.config.scales:
                features.append(x)
        return tuple(features[::-1])


class UNetDecoder(nn.Module):
    """The features sent, coarse to fine, to pictures ``[B, 3, H, W]``, not clipped."""

    def __init__(self, config: UNetConfig) -> None:
        """Fresh weights from torch's global generator."""
        super().__init__()
        self.config = config
        received = [
            c if scale in config.scales else 0 for scale, c in enumerate(config.channels, 1)
        ]
        own = [config.channels[0] // 2, *(c // 2 for c in config.channels)]
        self.start = nn.Sequential(nn.Conv2d(received[3], own[4], 3, padding=1), nn.PReLU())
        self.up = nn.ModuleDict(
            {
                str(scale): _up(
                    own[scale], 0 if scale == 4 else received[scale - 1], own[scale - 1]
                )
                for scale in (4, 3, 2, 1)
            }
        )
        self.last = nn.ConvTranspose2d(own[0], 3, 3, padding=1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Pictures of features ``[B, c_l, H/2^l, W/2^l]`` for l in ``config.coarse_to_fine``."""
        finer = dict(zip(self.config.coarse_to_fine, features, strict=True))
        x = self.up["4"](self.start(finer[4]))
        for scale in (3, 2, 1):
            if scale in finer:
                x = torch.cat([x, finer[scale]], dim=1)
            x = self.up[str(scale)](x)
        return self.last(x) + 0.5  # type: ignore[no-any-return]


def run_encoder(function: Callable[[Tensor], Sequence[Tensor]], pictures: Tensor) -> list[Tensor]:
    """What ``function`` makes of pictures of any size: padded, large ones in tiles.

    Args:
        function: Pictures ``[B, 3, H, W]``, sides multiples of 16, to grids of several scales, by
            an encoder and what looks at single cells.
        pictures: In [0, 1]; sides that are no multiples of 16 are continued by their last row and
            column.
    """
    padded = pad_to_multiple(pictures, multiple=STRIDE)
    return in_tiles(
        lambda tile: function(tile[0]),
        [padded],
        height=padded.shape[-2],
        width=padded.shape[-1],
        multiple=STRIDE,
        margin=ENCODER_CONTEXT,
    )


def run_decoder(
    function: Callable[[list[Tensor]], Tensor], grids: Sequence[Tensor], height: int, width: int
) -> Tensor:
    """Pictures ``[B, 3, height, width]`` that ``function`` makes of grids: large ones in tiles."""
    (pictures,) = in_tiles(
        lambda tile: [function(tile)],
        grids,
        height=height + -height % STRIDE,
        width=width + -width % STRIDE,
        multiple=STRIDE,
        margin=DECODER_CONTEXT,
    )
    return pictures[..., :height, :width]
