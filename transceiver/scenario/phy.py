"""The ``phy`` section: everything between the source bits and the source bits received."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, Tag, model_validator

from transceiver.scenario.decoder import DecoderSection, decoders_of
from transceiver.scenario.fec import ConvolutionalCode, PolarCode, TurboCode
from transceiver.scenario.multipath import TdlChannel
from transceiver.scenario.section import Number, Section, SectionOrValue

Positive: TypeAlias = Annotated[int, Field(ge=1)]


class NoCode(Section):
    """Uncoded transmission; a payload is one block."""

    kind: Literal["none"]


class Ieee80211nCode(Section):
    """LDPC code of IEEE 802.11n-2009, Annex R."""

    kind: Literal["ieee80211n"]
    n: Literal[648, 1296, 1944]
    """Coded bits of a block."""
    rate: Literal["1/2", "2/3", "3/4", "5/6"]
    """k/n."""


class DvbS2Code(Section):
    """LDPC code of DVB-S2, EN 302 307-1 Annex B and C (without the outer BCH code)."""

    kind: Literal["dvbs2"]
    n: Literal[16200, 64800]
    """Coded bits of a block."""
    rate: Literal["1/4", "1/3", "2/5", "1/2", "3/5", "2/3", "3/4", "4/5", "5/6", "8/9", "9/10"]
    """Nominal; ``9/10`` for n = 64800 only. With n = 16200 the true k/n of 1/4, 1/2, 3/4, 4/5 and
    5/6 is lower."""

    @model_validator(mode="after")
    def _short_frames_lack_9_10(self) -> "DvbS2Code":
        if (self.n, self.rate) == (16200, "9/10"):
            raise ValueError("rate must be 8/9 or lower for n = 16200, got 9/10")
        return self


class NrCode(Section):
    """LDPC code of 5G NR, TS 38.212, rate-matched from k to n bits."""

    kind: Literal["nr"]
    k: Annotated[int, Field(ge=12, le=8448)]
    """Information bits of a block; at most 3840 where k/n is 1/4 or less."""
    n: Annotated[int, Field(ge=13)]
    """Coded bits of a block; k/n is at most 0.95."""

    @model_validator(mode="after")
    def _rate(self) -> "NrCode":
        if self.k > 0.95 * self.n:
            raise ValueError(f"k/n must be at most 0.95, got {self.k}/{self.n}")
        if self.k > 3840 and 4 * self.k <= self.n:
            raise ValueError(
                f"k must be at most 3840 (base graph 2) for k/n up to 1/4, got {self.k}/{self.n}"
            )
        return self


class GallagerCode(Section):
    """Small regular LDPC code after Gallager (1962), drawn from a seed."""

    kind: Literal["gallager"]
    n: Positive = 20
    """Coded bits of a block, a multiple of ``row_weight``; k follows from the rank of the matrix (7
    for the default)."""
    column_weight: Annotated[int, Field(ge=2)] = 3
    """Checks of each bit."""
    row_weight: Annotated[int, Field(ge=3)] = 4
    """Bits of each check, more than ``column_weight``."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Of the construction."""

    @model_validator(mode="after")
    def _regular(self) -> "GallagerCode":
        if self.row_weight <= self.column_weight:
            raise ValueError(
                f"row_weight must be more than column_weight {self.column_weight}, "
                f"got {self.row_weight}"
            )
        if self.n % self.row_weight:
            raise ValueError(f"n must be a multiple of row_weight {self.row_weight}, got {self.n}")
        return self


CodeSection: TypeAlias = Annotated[
    NoCode
    | Ieee80211nCode
    | DvbS2Code
    | NrCode
    | GallagerCode
    | PolarCode
    | ConvolutionalCode
    | TurboCode,
    Field(discriminator="kind"),
]


class NoInterleaver(Section):
    """Coded bits go to the mapper in their order."""

    kind: Literal["none"]


class RowColumnInterleaver(Section):
    """Written by columns, read by rows (DVB-S2, EN 302 307-1 clause 5.3.3)."""

    kind: Literal["row_column"]
    columns: Annotated[int, Field(ge=2)]
    """Divides the code's n."""


class PermutationInterleaver(Section):
    """A random permutation of each code block, the same for all, from a seed."""

    kind: Literal["permutation"]
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Of the permutation."""


InterleaverSection: TypeAlias = Annotated[
    NoInterleaver | RowColumnInterleaver | PermutationInterleaver, Field(discriminator="kind")
]


class NoScrambler(Section):
    """Bits go out as they are."""

    kind: Literal["none"]


class GoldScrambler(Section):
    """Length-31 Gold sequence of TS 38.211 clause 5.2.1."""

    kind: Literal["gold"]
    c_init: Annotated[int, Field(ge=0, lt=2**31)]
    """Initial state of the sequence."""


ScramblerSection: TypeAlias = Annotated[NoScrambler | GoldScrambler, Field(discriminator="kind")]


class _Modulation(Section):
    demapper: Literal["exact", "max_log"] = "exact"
    """Sum over all points, or the nearest of each kind."""


class Qam(_Modulation):
    """Square QAM, Gray labelled as in TS 38.211 clause 5.1."""

    kind: Literal["qam"]
    order: Literal[4, 16, 64, 256, 1024, 4096]
    """Points."""
    axes: Literal["interleaved", "split"] = "interleaved"
    """Even bits of a label on I and odd ones on Q, or its first half on I and its second on Q."""


class CrossQam(_Modulation):
    """Cross QAM, quasi-Gray labelled."""

    kind: Literal["cross_qam"]
    order: Literal[32, 128]
    """Points."""


class Psk(_Modulation):
    """BPSK, QPSK and 8-PSK."""

    kind: Literal["psk"]
    order: Literal[2, 4, 8]
    """Points."""


ModulationSection: TypeAlias = Annotated[Qam | CrossQam | Psk, Field(discriminator="kind")]


class Block(Section):
    """A fading gain holds for this many symbols."""

    block: Positive
    """Symbols."""


FadingSpan: TypeAlias = Annotated[
    Annotated[Literal["symbol", "image"], Tag("~value")] | Annotated[Block, Tag("~section")],
    SectionOrValue,
]


class AwgnChannel(Section):
    """White Gaussian noise alone."""

    kind: Literal["awgn"]


class RayleighChannel(Section):
    """Gains h ~ CN(0, 1)."""

    kind: Literal["rayleigh"]
    fading: FadingSpan
    """How long a gain holds: a symbol, so many symbols, or an image (a frame)."""


class RicianChannel(Section):
    """Gains h ~ CN(sqrt(K / (K + 1)), 1 / (K + 1)); K is linear."""

    kind: Literal["rician"]
    fading: FadingSpan
    """How long a gain holds: a symbol, so many symbols, or an image (a frame)."""
    k_factor: Annotated[Number, Field(ge=0)] = 1.0
    """K, power of the fixed part over that of the scattered part; linear, not dB."""


class BscChannel(Section):
    """Binary symmetric channel on the coded bits: no symbols, one channel use for each bit."""

    kind: Literal["bsc"]


ChannelSection: TypeAlias = Annotated[
    AwgnChannel | RayleighChannel | RicianChannel | TdlChannel | BscChannel,
    Field(discriminator="kind"),
]


class ZeroForcing(Section):
    """One tap, y / h."""

    kind: Literal["zero_forcing"] = "zero_forcing"


class Mmse(Section):
    """One tap, conj(h) y / (|h|^2 + N0)."""

    kind: Literal["mmse"]


EqualizerSection: TypeAlias = Annotated[ZeroForcing | Mmse, Field(discriminator="kind")]


class Phy(Section):
    """The physical layer of one link."""

    crc: Literal["none", "crc8", "crc16", "crc24a"] = "crc24a"
    """One for each frame."""
    code: CodeSection
    """Channel code."""
    decoder: DecoderSection
    """Fits the code. Without it, or without its kind, the code's default decoder."""
    interleaver: InterleaverSection = NoInterleaver(kind="none")
    """Of the bits of a code block; ``none`` where there is no code."""
    scrambler: ScramblerSection = NoScrambler(kind="none")
    """Of the coded bits of a frame."""
    modulation: ModulationSection
    """Bits to symbols. Required, and without effect, over a ``bsc``."""
    channel: ChannelSection
    """From symbols sent to symbols received."""
    equalizer: EqualizerSection = ZeroForcing()
    """The gain is known to it. Without effect over a ``bsc``."""

    @model_validator(mode="before")
    @classmethod
    def _default_decoder(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        code, decoder = data.get("code"), data.get("decoder", {})
        if not isinstance(decoder, dict):
            return data
        kind = code.get("kind") if isinstance(code, dict) else getattr(code, "kind", None)
        return {**data, "decoder": {"kind": decoders_of(str(kind))[0], **decoder}}

    @model_validator(mode="after")
    def _decoder_fits(self) -> "Phy":
        fitting = decoders_of(self.code.kind)
        if self.decoder.kind not in fitting and not isinstance(self.code, NoCode):
            raise ValueError(
                f"decoder.kind must be {' or '.join(fitting)} for the code {self.code.kind}, "
                f"got {self.decoder.kind}"
            )
        return self

    @model_validator(mode="after")
    def _interleaver_fits(self) -> "Phy":
        if isinstance(self.interleaver, NoInterleaver):
            return self
        if isinstance(self.code, NoCode):
            raise ValueError(
                "interleaver works on code blocks: it must be none where code is none, "
                f"got {self.interleaver.kind}"
            )
        columns = getattr(self.interleaver, "columns", 1)
        if self.code.n % columns:
            raise ValueError(
                f"interleaver.columns must divide the block length {self.code.n}, got {columns}"
            )
        return self
