"""Source codecs on both ends of the link: what becomes source bits, and what comes of them."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from torch import Tensor

from phy.bits import pack_bytes, pack_integers, unpack_bytes, unpack_integers
from semcodec.codec import ByteCodec, Image, IndexCodec
from semcodec.errors import CodecError, DecodeError

LENGTH_BITS = 24
"""A byte codec's payload begins with its length in bytes, most significant bit first."""

MOST_BYTES = (2**24 - LENGTH_BITS) // 8
"""Of a byte codec's payload: with its length field it is what `phy.crc` takes at once."""


@dataclass(frozen=True)
class Picture:
    """An image to be sent.

    Attributes:
        key: Unique among the pictures of a run.
        name: For tables and figures.
        pixels: uint8 ``[3, H, W]``.
    """

    key: int
    name: str
    pixels: Image


@dataclass(frozen=True)
class Sent:
    """What one frame carries, at the sender.

    Attributes:
        picture: The image; None for random bits.
        indices: Codebook indices ``[n]`` of an index codec.
        payload: Bytes of a byte codec that are sent.
        header: Bytes in front of the payload that the receiver knows and that are not sent.
        length_bits: How many of the first bits are the length field.
        bits: Source bits, length field included.
    """

    bits: Tensor
    picture: Picture | None = None
    indices: Tensor | None = None
    payload: bytes | None = None
    header: bytes = b""
    length_bits: int = 0


@dataclass(frozen=True)
class Arrived:
    """What came of a frame, before anything is concealed.

    Attributes:
        indices: Received indices of an index codec.
        payload: Received bytes of a byte codec, as far as the length field tells.
        image: The decoded image; None where there is none.
        failed: Whether the receiver knows that it does not have the image that was sent.
    """

    indices: Tensor | None = None
    payload: bytes | None = None
    image: Image | None = None
    failed: bool = False


class _Memo:
    """The last images decoded, by what they were decoded from: most frames arrive intact."""

    def __init__(self, size: int = 64) -> None:
        self._images: OrderedDict[bytes, Image] = OrderedDict()
        self._size = size

    def get(self, key: bytes, decode: Callable[[], Image]) -> Image:
        if key not in self._images:
            self._images[key] = decode()
        self._images.move_to_end(key)
        if len(self._images) > self._size:
            self._images.popitem(last=False)
        return self._images[key]


@dataclass(frozen=True)
class IndexSource:
    """An index codec: fixed-length binary indices. A damaged index is still an index."""

    codec: IndexCodec
    _memo: _Memo = field(default_factory=_Memo, repr=False, compare=False)

    def encode(self, picture: Picture) -> Sent:
        """Image to indices to bits."""
        indices = self.codec.encode(picture.pixels)
        bits = unpack_integers(indices, width=self.codec.bits_per_index)
        return Sent(bits, picture, indices=indices)

    def decode(self, bits: Tensor, sent: Sent) -> Arrived:
        """Bits to indices to image."""
        assert sent.picture is not None
        _, height, width = sent.picture.pixels.shape
        indices = pack_integers(bits, width=self.codec.bits_per_index)
        key = f"{height}x{width}:".encode() + indices.numpy().tobytes()
        image = self._memo.get(key, lambda: self.codec.decode(indices, height, width))
        return Arrived(indices=indices, image=image)


@dataclass(frozen=True)
class ByteSource:
    """A byte codec: a length field, then the bytes.

    Attributes:
        codec: Image to bytes and back.
        make: The bitstream of a picture within its budget; raises `BudgetError`.
        headers_known: The receiver knows the fixed header; it is not sent.
        best_effort: Decode also what the CRC found damaged.
    """

    codec: ByteCodec
    make: Callable[[Picture], bytes]
    headers_known: bool
    best_effort: bool
    _memo: _Memo = field(default_factory=_Memo, repr=False, compare=False)

    def encode(self, picture: Picture) -> Sent:
        """Image to bytes to bits."""
        data = self.make(picture)
        split = self.codec.header_bytes(data) if self.headers_known else 0
        payload = data[split:]
        if len(payload) > MOST_BYTES:
            raise CodecError(
                f"a payload must be at most {MOST_BYTES} bytes, "
                f"got {len(payload)} for picture {picture.name}"
            )
        length = unpack_integers(torch.tensor([len(payload)]), width=LENGTH_BITS)
        bits = torch.cat([length, unpack_bytes(payload)])
        return Sent(bits, picture, payload=payload, header=data[:split], length_bits=LENGTH_BITS)

    def decode(self, bits: Tensor, sent: Sent, *, intact: bool) -> Arrived:
        """Bits to bytes to image; ``intact`` is the verdict of the CRC."""
        assert sent.picture is not None
        _, height, width = sent.picture.pixels.shape
        length = int(pack_integers(bits[:LENGTH_BITS], width=LENGTH_BITS)[0])
        payload = pack_bytes(bits[LENGTH_BITS:])[:length]
        if not (intact or self.best_effort):
            return Arrived(payload=payload, failed=True)
        data = sent.header + payload
        try:
            key = f"{height}x{width}:".encode() + data
            image = self._memo.get(key, lambda: self.codec.decode(data, height, width))
        except DecodeError:
            return Arrived(payload=payload, failed=True)
        return Arrived(payload=payload, image=image, failed=not intact)


@dataclass(frozen=True)
class RandomBits:
    """No image: a frame of random bits."""

    payload_bits: int

    def encode(self, generator: torch.Generator) -> Sent:
        """Draw a frame."""
        bits = torch.randint(2, (self.payload_bits,), generator=generator, dtype=torch.uint8)
        return Sent(bits)


Source: TypeAlias = IndexSource | ByteSource | RandomBits


def decode_source(source: Source, bits: Tensor, sent: Sent, *, intact: bool) -> Arrived:
    """What a source codec makes of the bits received; ``intact`` is the verdict of the CRC."""
    match source:
        case IndexSource():
            return source.decode(bits, sent)
        case ByteSource():
            return source.decode(bits, sent, intact=intact)
        case RandomBits():
            return Arrived()


def byte_tensor(data: bytes) -> Tensor:
    """Bytes as uint8 ``[n]``."""
    values = torch.zeros(len(data), dtype=torch.uint8)
    if data:
        values.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
    return values
