"""What a source codec hands to the link, and what it gets back."""

from dataclasses import dataclass

import torch
from torch import Tensor

from phy.allocation import Allocation
from semcodec.codec import Image

LENGTH_BITS = 24
"""A byte codec's payload begins with its length in bytes, an entropy-coded index stream with its
length in bits; most significant bit first."""

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
        codebooks: Codebook assigned to each index, ``[n]``; None for the first of all.
        allocation: The plan of a system with JCAMP or JCAP, as its transmitter made it.
        values: What an analog codec sends instead of bits, ``[n]``, before power normalisation.
    """

    bits: Tensor
    picture: Picture | None = None
    indices: Tensor | None = None
    payload: bytes | None = None
    header: bytes = b""
    length_bits: int = 0
    codebooks: Tensor | None = None
    allocation: Allocation | None = None
    values: Tensor | None = None


@dataclass(frozen=True)
class Arrived:
    """What came of a frame, before anything is concealed.

    Attributes:
        indices: Received indices of an index codec.
        payload: Received bytes of a byte codec, as far as the length field tells.
        image: The decoded image; None where there is none.
        failed: Whether the receiver knows that it does not have the image that was sent.
        concealed_indices: How many indices an entropy decoder lost and guessed.
        mark_bits: Source bits that are resynchronisation marks.
        damaged_segments: Parts of an index stream that the receiver knows to be damaged.
        values: Received values of an analog codec.
    """

    indices: Tensor | None = None
    payload: bytes | None = None
    image: Image | None = None
    failed: bool = False
    concealed_indices: int = 0
    mark_bits: int = 0
    damaged_segments: int = 0
    values: Tensor | None = None


@dataclass(frozen=True)
class Arriving:
    """What the receiver knows of one frame when the source decoder begins.

    Attributes:
        bits: Source bits received.
        llrs: Their log-likelihood ratios; None where a channel decoder has made bits of them.
        intact: The CRC's verdict; True where there is none.
        codebooks: Of each index, ``[n]``, by the receiver's own plan; None for the first of all.
    """

    bits: Tensor
    llrs: Tensor | None
    intact: bool
    codebooks: Tensor | None


def byte_tensor(data: bytes) -> Tensor:
    """Bytes as uint8 ``[n]``."""
    values = torch.zeros(len(data), dtype=torch.uint8)
    if data:
        values.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
    return values
