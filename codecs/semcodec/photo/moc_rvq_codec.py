"""MOC-RVQ as an index codec: one index of three bits for an axis of a 64-QAM symbol."""

from dataclasses import dataclass

import torch
from torch import Tensor

from semcodec import weights
from semcodec.codec import Image, IndexRun, Indices
from semcodec.device import device_of
from semcodec.photo.moc_rvq import MocRvqConfig, MocRvqNetwork
from semcodec.photo.vqgan import STRIDE
from semcodec.pixels import to_bytes, to_unit
from semcodec.restore import restore

MODEL = "moc-rvq"


@dataclass(frozen=True)
class MocRvqCodec:
    """The first levels of the codebooks: level by level, cell by cell, all heads of a cell.

    Attributes:
        network: Autoencoder, codebooks, noise reduction block where there is one.
        sha256: Digest of the weights.
        levels: How many are sent.
        refine: Whether what is received passes the noise reduction block.
    """

    network: MocRvqNetwork
    sha256: str
    levels: int
    refine: bool

    @staticmethod
    def load(
        name_or_path: str, *, levels: int | None = None, refine: bool | None = None
    ) -> "MocRvqCodec":
        """Load shipped weights by name, or a ``.safetensors`` file by path.

        Args:
            name_or_path: Of the weights.
            levels: All of the network's by default.
            refine: By default if the weights have a noise reduction block.

        Raises:
            WeightsError: There is no such file, or it does not hold this network.
            ValueError: More levels than the network has, or no block to refine with.
        """
        path = weights.locate(name_or_path)
        content = weights.load(path, model=MODEL)
        network = restore(path, content, MocRvqConfig.read, MocRvqNetwork)
        most = network.config.levels
        if levels is not None and not 1 <= levels <= most:
            raise ValueError(f"levels must be 1 to {most}, got {levels}")
        has_block = network.noise_reduction is not None
        if refine and not has_block:
            raise ValueError(
                f"a noise reduction block must be in the weights, got none in {path.stem}"
            )
        return MocRvqCodec(
            network, content.sha256, levels or most, has_block if refine is None else refine
        )

    def runs(self, height: int, width: int) -> tuple[IndexRun, ...]:
        """One run for each level."""
        config = self.network.config
        count = -(-height // STRIDE) * -(-width // STRIDE) * config.heads
        bits = self.network.quantizer.bits_per_index
        return tuple(IndexRun(f"level {d}", count, bits) for d in range(1, self.levels + 1))

    def encode(self, image: Image) -> Indices:
        """Indices of an image ``[3, H, W]`` of any size."""
        picture = to_unit(image.to(device_of(self.network)))[None]
        picture = picture.contiguous(memory_format=torch.channels_last)
        indices = self.network.encode(picture, levels=self.levels)
        return indices[0].permute(0, 2, 3, 1).reshape(-1).cpu()

    def decode(self, indices: Indices, height: int, width: int) -> Image:
        """The image ``[3, height, width]`` of its indices."""
        rows, columns, heads = -(-height // STRIDE), -(-width // STRIDE), self.network.config.heads
        count = self.levels * rows * columns * heads
        if indices.shape != (count,):
            raise ValueError(
                f"indices must be [{count}] for {width} x {height} pixels, "
                f"got {list(indices.shape)}"
            )
        there = indices.to(device_of(self.network))
        grid = there.reshape(1, self.levels, rows, columns, heads).permute(0, 1, 4, 2, 3)
        return to_bytes(self.network.decode(grid, height, width, refine=self.refine)[0]).cpu()

    def displacement(self, sent: Indices, received: Indices) -> Tensor:
        """Distance ||e_i - e_j|| between the codewords sent and received, ``[n]``."""
        shape = (1, self.levels, -1, self.network.config.heads)
        there = [x.to(device_of(self.network)) for x in (sent, received)]
        grids = [x.reshape(shape).transpose(2, 3)[..., None] for x in there]
        moved = self.network.displacement(*grids)[..., 0]
        return moved.transpose(2, 3).reshape(-1).cpu()
