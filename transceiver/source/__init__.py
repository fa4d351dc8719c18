"""Source codecs on both ends of the link: what becomes source bits, and what comes of them."""

from collections.abc import Sequence
from typing import TypeAlias

from transceiver.source.analog import AnalogSource
from transceiver.source.bits import RandomBits
from transceiver.source.byte import AtQuality, ByteSource, Limit, Within
from transceiver.source.frames import (
    LENGTH_BITS,
    MOST_BYTES,
    Arrived,
    Arriving,
    Picture,
    Sent,
    byte_tensor,
)
from transceiver.source.index import IndexSource
from transceiver.source.system import SystemSource

__all__ = [
    "LENGTH_BITS",
    "MOST_BYTES",
    "AnalogSource",
    "Arrived",
    "Arriving",
    "AtQuality",
    "ByteSource",
    "IndexSource",
    "Limit",
    "Picture",
    "RandomBits",
    "Sent",
    "Source",
    "SystemSource",
    "Within",
    "byte_tensor",
    "decode_sources",
]

Source: TypeAlias = IndexSource | SystemSource | ByteSource | AnalogSource | RandomBits


def decode_sources(
    source: Source, arriving: Sequence[Arriving], frames: Sequence[Sent]
) -> list[Arrived]:
    """What a source codec makes of the frames of a batch."""
    pairs = zip(arriving, frames, strict=True)
    match source:
        case IndexSource():
            return [source.decode(a.bits, frame) for a, frame in pairs]
        case SystemSource():
            return source.decode(arriving, frames)
        case ByteSource():
            return [source.decode(a.bits, frame, intact=a.intact) for a, frame in pairs]
        case AnalogSource():
            raise AssertionError("analog codecs send no bits")
        case RandomBits():
            return [Arrived() for _ in frames]
