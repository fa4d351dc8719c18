"""The VQ-VAE as an index codec."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from semcodec import weights
from semcodec.codec import Image, IndexRun, Indices
from semcodec.device import device_of
from semcodec.pixels import to_bytes, to_unit
from semcodec.restore import restore
from semcodec.vq.vqvae import STRIDE, VqVae, VqVaeConfig


@dataclass(frozen=True)
class VqVaeCodec:
    """One index for each block of 8 x 8 pixels, row by row.

    Sides that are no multiple of 8 are continued by their last row and column, and cut back
    after decoding; height and width are known to both ends.
    """

    network: VqVae
    sha256: str

    @staticmethod
    def load(name_or_path: str) -> "VqVaeCodec":
        """Load shipped weights by name, or a ``.safetensors`` file by path.

        Raises:
            WeightsError: There is no such file, or it does not hold this network.
        """
        path = weights.locate(name_or_path)
        content = weights.load(path, model="vqvae")
        network = restore(path, content, VqVaeConfig, VqVae)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return VqVaeCodec(network, content.sha256)

    def runs(self, height: int, width: int) -> tuple[IndexRun]:
        """One run of ceil(H/8) ceil(W/8) indices."""
        count = -(-height // STRIDE) * -(-width // STRIDE)
        return (IndexRun("blocks", count, self.network.config.bits_per_index),)

    def encode(self, image: Image) -> Indices:
        """Indices ``[ceil(H/8) * ceil(W/8)]`` of an image ``[3, H, W]``."""
        _, height, width = image.shape
        picture = to_unit(image.to(device_of(self.network)))[None]
        pad = (0, -width % STRIDE, 0, -height % STRIDE)
        with torch.no_grad():
            padded = F.pad(picture, pad, mode="replicate")
            latents = self.network.encode(padded.contiguous(memory_format=torch.channels_last))
            indices = self.network.codebook(latents).indices
        flat: Indices = indices.reshape(-1)
        return flat.cpu()

    def decode(self, indices: Indices, height: int, width: int) -> Image:
        """The image ``[3, height, width]`` of its indices."""
        rows, columns = -(-height // STRIDE), -(-width // STRIDE)
        if indices.shape != (rows * columns,):
            raise ValueError(
                f"indices must be [{rows * columns}] for {width} x {height} pixels, "
                f"got {list(indices.shape)}"
            )
        with torch.no_grad():
            there = indices.to(device_of(self.network))
            vectors = self.network.codebook.lookup(there.reshape(1, rows, columns))
            picture = self.network.decode(vectors)[0]
        return to_bytes(picture[:, :height, :width]).cpu()

    def displacement(self, sent: Indices, received: Indices) -> Tensor:
        """Distance ||e_i - e_j|| between the codewords sent and received, ``[n]``."""
        codewords = self.network.codebook.codewords.cpu()
        distance: Tensor = (codewords[sent] - codewords[received]).square().sum(1).sqrt()
        return distance
