"""Byte codecs: a length field, then the bytes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from torch import Tensor

from phy.bits import pack_bytes, pack_integers, unpack_bytes, unpack_integers
from semcodec.codec import ByteCodec, Image
from semcodec.errors import CodecError, DecodeError
from transceiver.source.frames import LENGTH_BITS, MOST_BYTES, Arrived, Picture, Sent
from transceiver.source.memo import Memo


@dataclass(frozen=True)
class AtQuality:
    """A quality setting of the codec, whatever it takes."""

    value: int


@dataclass(frozen=True)
class Within:
    """A number of bytes: of the payload, or of the whole file where headers are sent."""

    value: int


Limit: TypeAlias = AtQuality | Within


@dataclass(frozen=True)
class ByteSource:
    """A byte codec: a length field, then the bytes.

    Attributes:
        codec: Image to bytes and back.
        limit: The budget of a picture.
        compress: The bitstream of an image within a budget; raises `BudgetError`.
        headers_known: The receiver knows the fixed header; it is not sent.
        best_effort: Decode also what the CRC found damaged.
    """

    codec: ByteCodec
    limit: Callable[[Picture], Limit]
    compress: Callable[[Image, Limit], bytes]
    headers_known: bool
    best_effort: bool
    _memo: Memo = field(default_factory=Memo, repr=False, compare=False)

    def make(self, picture: Picture) -> bytes:
        """The bitstream of a picture within its budget; raises `BudgetError`."""
        return self.compress(picture.pixels, self.limit(picture))

    def encode(self, picture: Picture) -> Sent:
        """Image to bytes to bits."""
        return self.frame(picture, self.make(picture))

    def frame(self, picture: Picture, data: bytes) -> Sent:
        """What is sent of a picture whose bitstream is ``data``."""
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
