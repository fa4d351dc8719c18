"""Codes other than LDPC, and their decoders: parts of the ``phy`` section."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from transceiver.scenario.section import Section


class PolarCode(Section):
    """Polar code of 5G NR, TS 38.212, with its own CRC inside, rate-matched from k to n bits."""

    kind: Literal["polar"]
    k: int
    n: int
    direction: Literal["uplink", "downlink"] = "uplink"

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
    rate: Literal["1/2", "1/3"]
    constraint_length: Annotated[int, Field(ge=3, le=8)] = 7
    terminate: bool = True

    @property
    def n(self) -> int:
        """Coded bits of a block."""
        tail = self.constraint_length - 1 if self.terminate else 0
        return (self.k + tail) * (2 if self.rate == "1/2" else 3)


class TurboCode(Section):
    """Turbo code with the interleaver of LTE, TS 36.212."""

    kind: Literal["turbo"]
    k: Annotated[int, Field(ge=40, le=6144)]
    rate: Literal["1/3", "1/2"]
    constraint_length: Annotated[int, Field(ge=3, le=6)] = 4
    terminate: bool = True

    @property
    def n(self) -> int:
        """Coded bits of a block."""
        tail = -(-4 * (self.constraint_length - 1) // 3) if self.terminate else 0
        return (self.k + tail) * (2 if self.rate == "1/2" else 3)


class SuccessiveCancellationListDecoder(Section):
    """List decoding of polar codes, aided by the code's CRC."""

    kind: Literal["successive_cancellation_list"]
    list_size: Literal[1, 2, 4, 8, 16, 32] = 8


class SuccessiveCancellationDecoder(Section):
    """Decoding of polar codes bit after bit."""

    kind: Literal["successive_cancellation"]


class ViterbiDecoder(Section):
    """The most likely codeword of a convolutional code, with soft decisions."""

    kind: Literal["viterbi"]


class TurboDecoder(Section):
    """Two component decoders in turn; every block takes all iterations."""

    kind: Literal["turbo"]
    iterations: Annotated[int, Field(ge=1)] = 8
    algorithm: Literal["map", "max_log"] = "map"
