"""The blocks of a link, and what goes through it."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from phy.constellation import Constellation
from phy.crc import Crc
from phy.fading import NoFading, Rayleigh, Rician
from phy.ofdm import TdlOfdm
from transceiver.accounting import Account, FrameFormat
from transceiver.adaptation import Allocator
from transceiver.coding import Coding
from transceiver.failure import Policy
from transceiver.source import Arrived, Sent, Source


@dataclass(frozen=True)
class BinarySymmetric:
    """The channel that takes bits instead of symbols."""


@dataclass(frozen=True)
class Link:
    """The blocks of one link, in the order that the signal meets them.

    Attributes:
        channel: The law of a symbol's gain, and where there is no multipath what draws it.
        multipath: What the symbols pass instead, all of a frame together.
        allocator: JCAMP or JCAP: each symbol has its own order and power, and each index its
            codebook; ``modulation`` then only says the mean order.
    """

    source: Source
    crc: Crc | None
    coding: Coding | None
    scrambler_init: int | None
    modulation: Constellation
    demapper: Literal["exact", "max_log"]
    channel: NoFading | Rayleigh | Rician | BinarySymmetric
    equalizer: Literal["zero_forcing", "mmse"]
    failure: Policy
    multipath: TdlOfdm | None = None
    allocator: Allocator | None = None

    @property
    def format(self) -> FrameFormat:
        """What fixes the number of bits and symbols of a frame."""
        binary = isinstance(self.channel, BinarySymmetric)
        return FrameFormat(
            crc_bits=self.crc.width if self.crc else 0,
            k=self.coding.code.k if self.coding else 0,
            n=self.coding.code.n if self.coding else 0,
            bits_per_symbol=1 if binary else self.modulation.bits_per_symbol,
        )

    def account(self, frame: Sent) -> Account:
        """The bits and symbols of a frame."""
        if frame.values is not None:
            return Account(0, 0, 0, 0, 0, len(frame.values) // 2)
        if frame.allocation:
            bits, symbols = frame.bits.numel(), len(frame.allocation.power)
            return Account(bits, 0, 0, 0, 0, symbols)
        payload = frame.bits.numel() - frame.length_bits
        return self.format.account(payload, length_bits=frame.length_bits)


@dataclass(frozen=True)
class Conditions:
    """The channel at one point of a sweep; the one that does not apply is NaN.

    Attributes:
        noise_variance: N0 for unit-energy symbols.
        flip_probability: Of a binary symmetric channel.
    """

    noise_variance: float
    flip_probability: float


@dataclass(frozen=True)
class Streams:
    """The generators of one frame's channel."""

    fading: torch.Generator
    noise: torch.Generator


@dataclass(frozen=True)
class Received:
    """One frame at the receiver.

    Attributes:
        arrived: Indices or bytes, and the image if there is one.
        image: What the viewer sees: the image, or what the failure policy puts in its place.
        crc_ok: The CRC's verdict, and with it the decoder's where there is one: all blocks have
            converged. (Alone the CRC would pass an erased frame, which reads as zeros.) True where
            there is no CRC.
        iterations: Of the decoder, for each code block ``[blocks]``.
        converged: Whether the decoder found a codeword, ``[blocks]``.
    """

    arrived: Arrived
    image: Tensor | None
    crc_ok: bool
    iterations: Tensor
    converged: Tensor
