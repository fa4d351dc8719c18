"""UNet-DeepJSCC: the network of VQ-DeepSC with real values in place of indices.

Source: Fu et al., "Vector quantized semantic communication system" (2023), section IV: "compress
the transmitted features by 1 x 1 convolution". The values are of any power: normalising them and
pairing them into complex symbols is a stage of the link.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class UNetJsccConfig:
    """The shape of the network: all that is needed to load its weights.

    Attributes:
        values_per_cell: Real values for each cell of scales 1 to 4; 0 where a scale is not sent.
            Scale 4 always is.
        width: Multiple of the paper's channels, see `UNetConfig`.

    >>> UNetJsccConfig(values_per_cell=(0, 4, 8, 16)).values_per_pixel
    0.4375
    """

    values_per_cell: tuple[int, int, int, int]
    width: float = UNetConfig.width

    def __post_init__(self) -> None:
        """Refuse counts that make no network."""
        values = self.values_per_cell
        if len(values) != 4 or min(values) < 0 or not values[3]:
            raise ValueError(
                f"values_per_cell must be four counts from 0 up, the last at least 1, got {values}"
            )
        UNetConfig(width=self.width)  # refuses a width of its own

    @property
    def unet(self) -> UNetConfig:
        """The network around the 1 x 1 convolutions."""
        sent = tuple(scale for scale, count in enumerate(self.values_per_cell, 1) if count)
        return UNetConfig(sent, self.width)

    @property
    def values_per_pixel(self) -> float:
        """sum_l v_l / 4^l; CBR = values_per_pixel / 6, two values a symbol and padding apart."""
        return sum(count * 0.25**scale for scale, count in enumerate(self.values_per_cell, 1))


class UNetJsccNetwork(nn.Module):
    """Pictures to real values and back; scales run coarse to fine, that of 4 first."""

    def __init__(self, config: UNetJsccConfig) -> None:
        """Build the network with fresh weights from torch's global generator."""
        super().__init__()
        self.config = config
        unet = config.unet
        self.encoder = UNetEncoder(unet)
        self.decoder = UNetDecoder(unet)
        counts = {scale: config.values_per_cell[scale - 1] for scale in unet.coarse_to_fine}
        widths = {scale: unet.channels[scale - 1] for scale in unet.coarse_to_fine}
        self.compress = nn.ModuleList(nn.Conv2d(widths[s], counts[s], 1) for s in counts)
        self.expand = nn.ModuleList(nn.Conv2d(counts[s], widths[s], 1) for s in counts)

    def value_shapes(self, height: int, width: int) -> list[tuple[int, int, int]]:
        """Rows, columns and values per cell of each scale, padded as `encode` does it."""
        rows, columns = -(-height // STRIDE), -(-width // STRIDE)
        shapes = []
        for scale in self.config.unet.coarse_to_fine:
            factor = STRIDE >> scale
            shapes.append((rows * factor, columns * factor, self.config.values_per_cell[scale - 1]))
        return shapes

    def value_count(self, height: int, width: int) -> int:
        """Real values n of one picture, padding included."""
        return sum(h * w * values for h, w, values in self.value_shapes(height, width))

    def encode(self, pictures: Tensor) -> Tensor:
        """Real values ``[B, n]``: coarse to fine, row by row, the values of a cell together.

        Args:
            pictures: ``[B, 3, H, W]`` in [0, 1] of any size; sides that are no multiples of 16
                are continued by their last row and column.
        """
        return self.pack(run_encoder(self.encode_scales, pictures))

    def decode(self, values: Tensor, height: int, width: int) -> Tensor:
        """Pictures ``[B, 3, height, width]``, not clipped, of values ``[B, n]``."""
        return run_decoder(self.decode_scales, self.unpack(values, height, width), height, width)

    def encode_scales(self, pictures: Tensor) -> list[Tensor]:
        """Values as grids ``[B, v_l, H/2^l, W/2^l]``; sides are multiples of 16."""
        features = self.encoder(pictures)
        return [layer(x) for layer, x in zip(self.compress, features, strict=True)]

    def decode_scales(self, grids: Sequence[Tensor]) -> Tensor:
        """Pictures ``[B, 3, H, W]`` of the grids of `encode_scales`."""
        features = [layer(x) for layer, x in zip(self.expand, grids, strict=True)]
        return self.decoder(features)  # type: ignore[no-any-return]

    def pack(self, grids: Sequence[Tensor]) -> Tensor:
        """The order of transmission ``[B, n]`` of grids ``[B, v_l, rows, columns]``."""
        return torch.cat([grid.movedim(1, -1).flatten(1) for grid in grids], dim=1)

    def unpack(self, values: Tensor, height: int, width: int) -> list[Tensor]:
        """The inverse of `pack` for pictures of ``height`` x ``width`` pixels before padding."""
        shapes = self.value_shapes(height, width)
        counts = [rows * columns * count for rows, columns, count in shapes]
        if values.ndim != 2 or values.shape[1] != sum(counts):
            raise ValueError(
                f"values must be [B, {sum(counts)}] for {width} x {height} pixels, "
                f"got {list(values.shape)}"
            )
        parts = zip(torch.split(values, counts, dim=1), shapes, strict=True)
        return [part.reshape(-1, *shape).movedim(-1, 1) for part, shape in parts]
