"""VQ-DeepSC as an index codec."""

from dataclasses import dataclass

import torch
from torch import Tensor

from semcodec import weights
from semcodec.codec import Image, IndexRun, Indices
from semcodec.device import device_of
from semcodec.photo.vq_deepsc import VqDeepScConfig, VqDeepScNetwork
from semcodec.pixels import to_bytes, to_unit
from semcodec.restore import restore

MODEL = "vq-deepsc"


@dataclass(frozen=True)
class VqDeepScCodec:
    """Indices on the grids of the scales, the coarsest first, row by row."""

    network: VqDeepScNetwork
    sha256: str

    @staticmethod
    def load(name_or_path: str) -> "VqDeepScCodec":
        """Load shipped weights by name, or a ``.safetensors`` file by path.

        Raises:
            WeightsError: There is no such file, or it does not hold this network.
        """
        path = weights.locate(name_or_path)
        content = weights.load(path, model=MODEL)
        network = restore(path, content, VqDeepScConfig, VqDeepScNetwork)
        return VqDeepScCodec(network, content.sha256)

    def runs(self, height: int, width: int) -> tuple[IndexRun, ...]:
        """One run for each scale that is sent."""
        scales = self.network.config.unet.coarse_to_fine
        shapes = self.network.grid_shapes(height, width)
        sizes = [self.network.config.codebook_sizes[scale - 1] for scale in scales]
        return tuple(
            IndexRun(f"scale {scale}", rows * columns, size.bit_length() - 1)
            for scale, (rows, columns), size in zip(scales, shapes, sizes, strict=True)
        )

    def encode(self, image: Image) -> Indices:
        """Indices of an image ``[3, H, W]`` of any size."""
        picture = to_unit(image.to(device_of(self.network)))[None]
        picture = picture.contiguous(memory_format=torch.channels_last)
        return torch.cat([grid.reshape(-1) for grid in self.network.encode(picture)]).cpu()

    def decode(self, indices: Indices, height: int, width: int) -> Image:
        """The image ``[3, height, width]`` of its indices."""
        shapes = self.network.grid_shapes(height, width)
        counts = [rows * columns for rows, columns in shapes]
        if indices.shape != (sum(counts),):
            raise ValueError(
                f"indices must be [{sum(counts)}] for {width} x {height} pixels, "
                f"got {list(indices.shape)}"
            )
        there = indices.to(device_of(self.network))
        parts = zip(torch.split(there, counts), shapes, strict=True)
        grids = [part.reshape(1, *shape) for part, shape in parts]
        return to_bytes(self.network.decode(grids, height, width)[0]).cpu()

    def displacement(self, sent: Indices, received: Indices) -> Tensor:
        """Distance ||e_i - e_j|| between the codewords sent and received, ``[n]``."""
        cells = [4 ** (4 - scale) for scale in self.network.config.unet.coarse_to_fine]
        counts = [len(sent) // sum(cells) * share for share in cells]
        there = [torch.split(x.to(device_of(self.network)), counts) for x in (sent, received)]
        pairs = zip(*there, strict=True)
        moved = [
            (book.codewords[i] - book.codewords[j]).square().sum(1).sqrt()
            for book, (i, j) in zip(self.network.books(), pairs, strict=True)
        ]
        return torch.cat(moved).cpu()
