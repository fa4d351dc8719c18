"""From a checked scenario to the blocks that run it: one explicit match for each kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import nan
from typing import assert_never

from phy.crc import Crc
from phy.snr import esn0_db_from_ebn0_db, noise_variance_from_esn0_db
from semcodec.bpg.codec import Bpg
from semcodec.codec import Image
from semcodec.errors import BudgetError
from semcodec.jpeg import Jpeg
from semcodec.vq.codec import VqVaeCodec
from semcodec.webp import WebP
from transceiver import build_phy
from transceiver.link import Conditions, Link
from transceiver.scenario import Scenario
from transceiver.scenario import source as source_section
from transceiver.source import (
    LENGTH_BITS,
    ByteSource,
    IndexSource,
    Picture,
    RandomBits,
    Sent,
    decode_source,
)

_BLOCKS_OF_BITS = 64
_UNCODED_BITS = 65536


@dataclass(frozen=True)
class Sender:
    """A codec's link, and what its source encoder has made so far.

    Attributes:
        name: The codec's name in the scenario.
        link: The blocks.
        kind: The codec's kind.
    """

    name: str
    kind: str
    link: Link
    _sent: dict[int, Sent | BudgetError] = field(default_factory=dict, repr=False, compare=False)
    """By picture, and without it: a run may have more pictures than fit into memory."""

    def encode(self, picture: Picture) -> Sent:
        """The frame of a picture, made once; raises `BudgetError` where none fits."""
        if picture.key not in self._sent:
            assert not isinstance(self.link.source, RandomBits)
            try:
                sent = self.link.source.encode(picture)
                self._sent[picture.key] = replace(sent, picture=None)
            except BudgetError as error:
                self._sent[picture.key] = BudgetError(str(error))
        known = self._sent[picture.key]
        if isinstance(known, BudgetError):
            raise BudgetError(str(known))
        return replace(known, picture=picture)

    def decode_clean(self, sent: Sent) -> Image | None:
        """The picture of a frame that arrives undamaged."""
        return decode_source(self.link.source, sent.bits, sent, intact=True).image


def build(scenario: Scenario) -> dict[str, Sender]:
    """The links of a scenario, by codec."""
    senders: dict[str, Sender] = {}
    index_codecs_first = sorted(
        scenario.codecs, key=lambda name: scenario.codecs[name].kind != "vq"
    )
    for name in index_codecs_first:
        senders[name] = _sender(name, scenario, senders)
    return {name: senders[name] for name in scenario.codecs}


def conditions(link: Link, scenario: Scenario, value: float) -> Conditions:
    """The channel of a link at one value of the swept quantity."""
    match scenario.sweep.quantity:
        case "flip_probability":
            return Conditions(noise_variance=nan, flip_probability=value)
        case "esn0_db":
            esn0_db = value
        case "ebn0_db":
            nominal = link.format.nominal_bits_per_symbol
            esn0_db = esn0_db_from_ebn0_db(value, bits_per_symbol=nominal, code_rate=1)
    return Conditions(noise_variance_from_esn0_db(esn0_db), flip_probability=nan)


def _sender(name: str, scenario: Scenario, others: Mapping[str, Sender]) -> Sender:
    codec, phy = scenario.codecs[name], scenario.phy_of(name)
    crc = None if phy.crc == "none" else Crc(phy.crc)
    scrambler = phy.scrambler
    skeleton = Link(
        source=RandomBits(1),
        crc=crc,
        coding=build_phy.coding(phy),
        scrambler_init=scrambler.c_init if scrambler.kind == "gold" else None,
        modulation=build_phy.modulation(phy.modulation),
        demapper=phy.modulation.demapper,
        channel=build_phy.channel(phy.channel),
        multipath=build_phy.multipath(phy.channel),
        equalizer=phy.equalizer.kind,
        failure=scenario.failure,
    )
    source = _source(codec, skeleton, scenario, others)
    return Sender(name, codec.kind, replace(skeleton, source=source))


def _source(
    codec: source_section.CodecSection,
    link: Link,
    scenario: Scenario,
    others: Mapping[str, Sender],
) -> IndexSource | ByteSource | RandomBits:
    match codec:
        case source_section.BitsSource():
            k = link.format.k
            whole = _BLOCKS_OF_BITS * k - link.format.crc_bits if k else _UNCODED_BITS
            return RandomBits(codec.payload_bits or whole)
        case source_section.VqCodec():
            return IndexSource(VqVaeCodec.load(codec.weights))
        case source_section.BpgCodec():
            byte_codec: Bpg | Jpeg | WebP = Bpg(chroma=codec.chroma)
        case source_section.JpegCodec():
            byte_codec = Jpeg(chroma=codec.chroma)
        case source_section.WebpCodec():
            byte_codec = WebP()
        case _:
            assert_never(codec)
    known = codec.headers == "known"
    return ByteSource(
        byte_codec,
        _maker(byte_codec, codec.budget, link, others, headers_known=known),
        headers_known=known,
        best_effort=scenario.failure == "best_effort",
    )


def _maker(
    codec: Bpg | Jpeg | WebP,
    budget: source_section.BudgetSection,
    link: Link,
    others: Mapping[str, Sender],
    *,
    headers_known: bool,
) -> Callable[[Picture], bytes]:
    """How a byte codec's bitstream is made: at a fixed quality, or within a number of bytes."""

    def of_symbols(symbols: int) -> int:
        return max((link.format.capacity(symbols) - LENGTH_BITS) // 8, 0)

    def allowed_bytes(picture: Picture) -> int:
        match budget:
            case source_section.SymbolsOf():
                other = others[budget.codec]
                bits = other.encode(picture).bits.numel()
                return of_symbols(other.link.format.account(bits).symbols)
            case source_section.SourceBitsOf():
                return others[budget.codec].encode(picture).bits.numel() // 8
            case source_section.Cbr():
                return of_symbols(int(budget.value * picture.pixels.numel() + 1e-6))
            case source_section.Bytes():
                return budget.value
            case source_section.Quality():
                raise AssertionError("a fixed quality has no budget")
            case _:
                assert_never(budget)

    def make(picture: Picture) -> bytes:
        if isinstance(budget, source_section.Quality):
            return codec.encode(picture.pixels, budget.value)
        allowed = allowed_bytes(picture)
        if not headers_known:
            return codec.encode_to_budget(picture.pixels, allowed)
        # Headers differ from file to file (JPEG's tables): grant what the last file's header takes.
        granted = allowed + codec.header_bytes(codec.encode(picture.pixels, codec.qualities[0]))
        fits: bytes | None = None
        while True:
            data = codec.encode_to_budget(picture.pixels, granted)
            header = codec.header_bytes(data)
            excess = len(data) - header - allowed
            if excess > 0:
                if fits is not None:
                    return fits
                granted -= excess
            elif allowed + header <= granted:
                return data
            else:
                fits, granted = data, allowed + header

    return make
