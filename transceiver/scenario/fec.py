"""Codes other than LDPC, and their decoders: parts of the ``phy`` section."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from transceiver.scenario.section import Section


class PolarCode(Section):
    """Polar code of 5G NR, TS 38.212, with its own CRC inside, rate-matched from k to n bits."""

    kind: Literal["polar"]
    k: int
    """Information bits, 20 to 1013 (downlink: 12 to 140), the inner CRC not among them."""
    n: int
    """Coded bits, k + 11 to 1088 (downlink: k + 24 to 576)."""
    direction: Literal["uplink", "downlink"] = "uplink"
    """Inner CRC of 11 bits, or of 24."""

    @model_validator(mode="after")
    def _one_block(self) -> "PolarCode":
        uplink = self.direction == "uplink"
        least, most, crc_bits, longest = (20, 1013, 11, 1088) if uplink else (12, 140, 24, 576)
        if not least <= self.k <= most:
            raise ValueError(f"k must be {least} to {most} for {self.direction}, got {self.k}")
        if not self.k + crc_bits <= self.n <= longest:
            raise ValueError(
                f"n must be {self.k + crc_bits} (k and {crc_bits} CRC bits) to {longest} "
                f"for {self.direction}, got {self.n}"
            )
        return self


class ConvolutionalCode(Section):
    """Feed-forward convolutional code, tabulated by rate and constraint length."""

    kind: Literal["convolutional"]
    k: Annotated[int, Field(ge=1, le=16384)]
    """Information bits of a block."""
    rate: Literal["1/2", "1/3"]
    """Without the tail."""
    constraint_length: Annotated[int, Field(ge=3, le=8)] = 7
    """7 is (133, 171) octal for rate 1/2."""
    terminate: bool = True
    """Whether tail bits end in state 0: n = (k + constraint_length - 1) / rate."""

    @property
    def n(self) -> int:
        """Coded bits of a block."""
        tail = self.constraint_length - 1 if self.terminate else 0
        return (self.k + tail) * (2 if self.rate == "1/2" else 3)


class TurboCode(Section):
    """Turbo code with the interleaver of LTE, TS 36.212."""

    kind: Literal["turbo"]
    k: Annotated[int, Field(ge=40, le=6144)]
    """Information bits of a block."""
    rate: Literal["1/3", "1/2"]
    """Without the tail."""
    constraint_length: Annotated[int, Field(ge=3, le=6)] = 4
    """4 is LTE's."""
    terminate: bool = True
    """Whether tail bits are sent: for constraint length 4 12 of them for rate 1/3, 8 for 1/2."""

    @property
    def n(self) -> int:
        """Coded bits of a block."""
        tail = -(-4 * (self.constraint_length - 1) // 3) if self.terminate else 0
        return (self.k + tail) * (2 if self.rate == "1/2" else 3)


class SuccessiveCancellationListDecoder(Section):
    """Default for ``polar``: list decoding, aided by the code's CRC."""

    kind: Literal["successive_cancellation_list"]
    list_size: Literal[1, 2, 4, 8, 16, 32] = 8
    """Paths; the code's CRC chooses among them."""


class SuccessiveCancellationDecoder(Section):
    """For ``polar``: one path, bit after bit; the CRC does not help it."""

    kind: Literal["successive_cancellation"]


class ViterbiDecoder(Section):
    """Default for ``convolutional``: the most likely codeword, with soft decisions."""

    kind: Literal["viterbi"]


class TurboDecoder(Section):
    """Default for ``turbo``: two component decoders in turn."""

    kind: Literal["turbo"]
    iterations: Annotated[int, Field(ge=1)] = 8
    """Of every block."""
    algorithm: Literal["map", "max_log"] = "map"
    """Of the component decoders."""
