"""JSCC-96, the analog baseline of MOC-RVQ: its autoencoder, the latents sent as they are.

Source: "MOC-RVQ: Multilevel codebook-assisted digital generative semantic communication", section
IV-B: 96 real values for each 8 x 8 block of pixels are 48 complex symbols, 1/4 symbol per sample of
the picture, six times as many as MOC-RVQ with four levels.

The values are of any power: scaling them to unit mean energy and pairing them into symbols is a
visible stage of its own, `semcodec.analog`.
"""

from torch import Tensor, nn

from semcodec.photo.vqgan import STRIDE, Vqgan, VqganConfig

CHANNELS = 96
"""Real values of a latent cell in the paper."""


class JsccNetwork(nn.Module):
    """Pictures to real values and back; `CHANNELS` latent channels make the paper's JSCC-96.

    >>> import torch
    >>> network = JsccNetwork(VqganConfig(width=8, latent_channels=CHANNELS))
    >>> values = network.encode(torch.rand(1, 3, 16, 24))
    >>> values.shape, values.numel() / 2 / (3 * 16 * 24)
    (torch.Size([1, 576]), 0.25)
    >>> network.decode(values, 16, 24).shape
    torch.Size([1, 3, 16, 24])
    """

    def __init__(self, config: VqganConfig) -> None:
        """Build the network with fresh weights from torch's global generator.

        Raises:
            ValueError: A cell would not fill its symbols.
        """
        super().__init__()
        if config.latent_channels % 2:
            raise ValueError(f"latent_channels must be even, got {config.latent_channels}")
        self.config = config
        self.autoencoder = Vqgan(config)

    def value_count(self, height: int, width: int) -> int:
        """Real values n of one picture, padding included."""
        return -(-height // STRIDE) * -(-width // STRIDE) * self.config.latent_channels

    def encode(self, pictures: Tensor) -> Tensor:
        """Real values ``[B, n]``: row by row, the values of a cell together.

        Args:
            pictures: ``[B, 3, H, W]`` in [0, 1] of any size; sides that are no multiples of 8 are
                continued by their last row and column.
        """
        latents = self.autoencoder.encode_any(pictures)
        return latents.movedim(1, -1).flatten(1)

    def decode(self, values: Tensor, height: int, width: int) -> Tensor:
        """Pictures ``[B, 3, height, width]``, not clipped, of values ``[B, n]``.

        Raises:
            ValueError: Another number of values than `encode` makes of such pictures.
        """
        count = self.value_count(height, width)
        if values.ndim != 2 or values.shape[1] != count:
            raise ValueError(
                f"values must be [B, {count}] for {width} x {height} pixels, "
                f"got {list(values.shape)}"
            )
        rows, columns = -(-height // STRIDE), -(-width // STRIDE)
        latents = values.reshape(-1, rows, columns, self.config.latent_channels).movedim(-1, 1)
        return self.autoencoder.decode_any(latents, height, width)
