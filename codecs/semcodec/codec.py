"""The contracts that a codec fulfils, by what it hands to the physical layer."""

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from torch import Tensor

Image: TypeAlias = Tensor
"""uint8 ``[3, H, W]``, sRGB."""

Indices: TypeAlias = Tensor
"""int64, values in ``[0, codebook_size)``."""


Values: TypeAlias = Tensor
"""float32 ``[n]``, n even: what an analog codec sends, two values in a symbol."""


@dataclass(frozen=True)
class IndexRun:
    """Successive indices of one codebook size.

    Attributes:
        name: What they are, for tables: a scale, a level.
        count: How many.
        bits: Bits of each; the codebooks have 2**bits words.
    """

    name: str
    count: int
    bits: int


class IndexCodec(Protocol):
    """An image becomes codebook indices: the vector-quantised systems."""

    @property
    def sha256(self) -> str:
        """Digest of the weights."""
        ...

    def runs(self, height: int, width: int) -> tuple[IndexRun, ...]:
        """What the indices of an image are, in the order of sending: most important first."""
        ...

    def encode(self, image: Image) -> Indices:
        """The indices ``[n]`` of an image, run after run."""
        ...

    def decode(self, indices: Indices, height: int, width: int) -> Image:
        """The image ``[3, height, width]`` that indices ``[n]`` stand for."""
        ...

    def displacement(self, sent: Indices, received: Indices) -> Tensor:
        """How far the codeword received lies from the one sent, ``[n]``, in the latent space."""
        ...


class AnalogCodec(Protocol):
    """An image becomes real values of any size: DeepJSCC and its kin."""

    @property
    def sha256(self) -> str:
        """Digest of the weights."""
        ...

    def encode(self, image: Image) -> Values:
        """The values of an image, before their power is normalised."""
        ...

    def decode(self, values: Values, height: int, width: int) -> Image:
        """The image ``[3, height, width]`` of values of mean square 1/2, with noise."""
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
