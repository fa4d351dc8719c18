"""A trained system as a codec: pictures in batches, and a codebook for each sub-vector."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from semcodec.codec import Image, Indices
from semcodec.pixels import to_bytes, to_unit
from semcodec.system32.backbone import STRIDE
from semcodec.system32.system import System, load_system

CHUNK = 64
"""Pictures that the network sees at once. Always as many, filled up with grey: the arithmetic of a
convolution may depend on the batch, and a picture must not depend on its neighbours."""


@dataclass(frozen=True)
class SystemCodec:
    """Indices cell by cell, row by row; sides that are no multiple of four are continued.

    Attributes:
        system: Network and codebooks.
        sha256: Digest of the weights.
    """

    system: System
    sha256: str

    @staticmethod
    def load(name_or_path: str) -> "SystemCodec":
        """Load shipped weights by name, or a ``.safetensors`` file by path.

        Raises:
            WeightsError: There is no such file, or it does not hold a system.
        """
        system, content = load_system(name_or_path)
        return SystemCodec(system, content.sha256)

    @property
    def bits_per_index(self) -> int:
        """B."""
        return self.system.config.bits_per_index

    @property
    def codebooks(self) -> int:
        """V."""
        return self.system.config.codebooks

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the indices of a picture: of scalars, a cell's lie side by side."""
        rows, columns = -(-height // STRIDE), -(-width // STRIDE)
        return rows, columns * self.system.config.per_cell

    def encode_batch(self, images: Tensor) -> Tensor:
        """Indices ``[B, V, N]``, in every codebook, of pictures uint8 ``[B, 3, H, W]``."""
        _, _, height, width = images.shape
        pad = (0, -width % STRIDE, 0, -height % STRIDE)
        found = []
        for part in torch.split(images, CHUNK):
            padded = F.pad(_filled(to_unit(part), 0.5), pad, mode="replicate")
            indices = self.system.codebooks.choose(self.system.encode(padded))
            found.append(indices[:, : len(part)].movedim(0, 1))
        return torch.cat(found)

    def vectors(self, indices: Tensor, codebooks: Tensor) -> Tensor:
        """Codewords ``[B, N, d]`` of indices ``[B, N]`` of the codebooks ``[B, N]`` or ``[N]``."""
        return self.system.codebooks.lookup(indices, codebooks)

    def decode_vectors(self, vectors: Tensor, height: int, width: int) -> Tensor:
        """Pictures uint8 ``[B, 3, height, width]`` of codewords ``[B, N, d]``."""
        padded = {"height": height + -height % STRIDE, "width": width + -width % STRIDE}
        parts = []
        for part in torch.split(vectors, CHUNK):
            pictures = self.system.decode(_filled(part, 0.0), **padded)
            parts.append(to_bytes(pictures[: len(part), :, :height, :width]))
        return torch.cat(parts)

    def encode(self, image: Image) -> Indices:
        """Indices ``[N]``, in the first codebook, of a picture ``[3, H, W]``."""
        return self.encode_batch(image[None])[0, 0]

    def decode(self, indices: Indices, height: int, width: int) -> Image:
        """The picture ``[3, height, width]`` of indices ``[N]`` of the first codebook."""
        rows, columns = self.grid(height, width)
        if indices.shape != (rows * columns,):
            raise ValueError(
                f"indices must be [{rows * columns}] for {width} x {height} pixels, "
                f"got {list(indices.shape)}"
            )
        vectors = self.vectors(indices[None], torch.tensor(0))
        return self.decode_vectors(vectors, height, width)[0]

    def displacement(self, sent: Indices, received: Indices) -> Tensor:
        """Distance ``[n]`` between the codewords sent and received, of the first codebook."""
        codewords = self.system.codebooks.codewords[0]
        distance: Tensor = (codewords[sent] - codewords[received]).square().sum(-1).sqrt()
        return distance


def _filled(batch: Tensor, value: float) -> Tensor:
    """``[CHUNK, ...]``: a batch of at most as many, and constants."""
    missing = CHUNK - len(batch)
    return torch.cat([batch, torch.full((missing, *batch.shape[1:]), value)]) if missing else batch
