"""Encoder and decoder that all the systems share.

Source: van den Oord, Vinyals and Kavukcuoglu, "Neural discrete representation learning" (2017),
section 4.1: two 4 x 4 convolutions of stride 2, two residual blocks of a 3 x 3 and a 1 x 1
convolution; the decoder is the mirror image with transposed convolutions. Used by Shin et al.,
"ESC-MVQ" (2025), section V, with four latent channels.
"""

from torch import Tensor, nn

STRIDE = 4
"""Pixels along each side of a latent cell."""


class _Residual(nn.Module):
    """x + conv1x1(relu(conv3x3(relu(x))))."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(width, hidden, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(hidden, width, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)  # type: ignore[no-any-return]


class Backbone(nn.Module):
    """Pictures ``[B, 3, H, W]`` in [0, 1] to latents ``[B, C, H/4, W/4]`` and back.

    Args:
        width: Feature maps at a quarter of the sides; half as many at a half.
        latent_channels: C.
        bounded: Latents lie in (-1, 1), by tanh: what uniform levels need.
    """

    def __init__(self, width: int, latent_channels: int, *, bounded: bool) -> None:
        """Fresh weights from torch's global generator."""
        super().__init__()
        if width < 2 or width % 2:
            raise ValueError(f"width must be even and at least 2, got {width}")
        half = width // 2
        self.bounded = bounded
        self.encoder = nn.Sequential(
            nn.Conv2d(3, half, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(half, width, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            _Residual(width, half),
            _Residual(width, half),
            nn.ReLU(),
        )
        self.to_latents = nn.Conv2d(width, latent_channels, 1)
        self.from_latents = nn.Conv2d(latent_channels, width, 3, padding=1)
        self.decoder = nn.Sequential(
            _Residual(width, half),
            _Residual(width, half),
            nn.ReLU(),
            nn.ConvTranspose2d(width, half, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(half, 3, 4, stride=2, padding=1),
        )

    def encode(self, pictures: Tensor) -> Tensor:
        """Latents ``[B, C, H/4, W/4]`` before quantisation."""
        latents: Tensor = self.to_latents(self.encoder(pictures - 0.5))
        return latents.tanh() if self.bounded else latents

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures ``[B, 3, H, W]``, not clipped."""
        return self.decoder(self.from_latents(latents)) + 0.5  # type: ignore[no-any-return]
