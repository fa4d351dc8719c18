"""The contracts that a codec fulfils, by what it hands to the physical layer."""

from typing import Protocol, TypeAlias

from torch import Tensor

Image: TypeAlias = Tensor
"""uint8 ``[3, H, W]``, sRGB."""

Indices: TypeAlias = Tensor
"""int64, values in ``[0, codebook_size)``."""


class IndexCodec(Protocol):
    """An image becomes codebook indices: the vector-quantised systems."""

    @property
    def sha256(self) -> str:
        """Digest of the weights."""
        ...

    @property
    def bits_per_index(self) -> int:
        """Bits that one index takes; the codebook has 2**bits_per_index words."""
        ...

    def encode(self, image: Image) -> Indices:
        """The indices ``[n]`` of an image."""
        ...

    def decode(self, indices: Indices, height: int, width: int) -> Image:
        """The image ``[3, height, width]`` that indices ``[n]`` stand for."""
        ...

    def displacement(self, sent: Indices, received: Indices) -> Tensor:
        """How far the codeword received lies from the one sent, ``[n]``, in the latent space."""
        ...


class ByteCodec(Protocol):
    """An image becomes a byte string of a chosen size: BPG, JPEG, WebP."""

    def encode_to_budget(self, image: Image, max_bytes: int) -> bytes:
        """The best bitstream of at most ``max_bytes``; `BudgetError` where there is none."""
        ...

    def decode(self, data: bytes, height: int, width: int) -> Image:
        """The image ``[3, height, width]``; `DecodeError` where the bytes hold none."""
        ...

    def header_bytes(self, data: bytes) -> int:
        """How many leading bytes describe the format and not this picture's content."""
        ...
