"""From a checked scenario to the blocks that run it: one explicit match for each kind."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf, log10, nan
from typing import assert_never

import torch
from torch import Tensor

from phy.allocation import AllocationProblem
from phy.crc import Crc
from phy.qam import qam
from phy.snr import esn0_db_from_ebn0_db, noise_variance_from_esn0_db
from semcodec.bpg.codec import Bpg
from semcodec.codec import Image
from semcodec.errors import BudgetError
from semcodec.jpeg import Jpeg
from semcodec.streams import (
    AnsStream,
    FixedStream,
    Frequencies,
    HuffmanStream,
    IndexStream,
    MarkedHuffmanStream,
    Marks,
)
from semcodec.system32.codec import SystemCodec
from semcodec.vq.codec import VqVaeCodec
from semcodec.webp import WebP
from transceiver import build_phy
from transceiver.adaptation import ONE_MODE, Allocator, Modes
from transceiver.link import Conditions, Link
from transceiver.scenario import Scenario, ScenarioError
from transceiver.scenario import source as source_section
from transceiver.scenario.phy import Phy
from transceiver.source import (
    LENGTH_BITS,
    Arriving,
    ByteSource,
    IndexSource,
    Picture,
    RandomBits,
    Sent,
    SystemSource,
    decode_sources,
)

_BLOCKS_OF_BITS = 64
_UNCODED_BITS = 65536


@dataclass(frozen=True)
class Sender:
    """A codec's links, and what its source encoder has made so far.

    Attributes:
        name: The codec's name in the scenario.
        kind: The codec's kind.
        links: The blocks; more than one where the modulation adapts to the channel.
        modes: Which of the links an image takes.
    """

    name: str
    kind: str
    links: tuple[Link, ...]
    modes: Modes = ONE_MODE
    _sent: dict[tuple[int, int], Sent | BudgetError] = field(
        default_factory=dict, repr=False, compare=False
    )
    """By link and picture, and without it: a run may have more pictures than fit into memory."""
    choices: dict[int, Tensor] = field(default_factory=dict, repr=False, compare=False)
    """By picture, its indices in every codebook."""

    @property
    def link(self) -> Link:
        """The first link."""
        return self.links[0]

    @property
    def adapts(self) -> bool:
        """Whether what is sent depends on the channel state."""
        return len(self.links) > 1 or self.link.allocator is not None

    def encode(self, picture: Picture, *, gamma: float = inf) -> Sent:
        """The frame of a picture; raises `BudgetError` where none fits."""
        (frame,) = self.encode_batch([picture], gamma=torch.tensor([gamma], dtype=torch.float64))
        if isinstance(frame, BudgetError):
            raise BudgetError(str(frame))
        return frame

    def encode_batch(
        self, pictures: Sequence[Picture], *, gamma: Tensor
    ) -> list[Sent | BudgetError]:
        """The frame of each picture at its channel state ``[B]``; pictures are encoded once."""
        if isinstance(self.link.source, SystemSource):
            return list(self._of_system(self.link.source, pictures, gamma))
        modes = self.modes.choose(gamma)
        return [self._once(mode, p) for mode, p in zip(modes, pictures, strict=True)]

    def _once(self, mode: int, picture: Picture) -> Sent | BudgetError:
        key = mode, picture.key
        if key not in self._sent:
            source = self.links[mode].source
            assert isinstance(source, IndexSource | ByteSource)
            try:
                self._sent[key] = replace(source.encode(picture), picture=None)
            except BudgetError as error:
                self._sent[key] = BudgetError(str(error))
        known = self._sent[key]
        return known if isinstance(known, BudgetError) else replace(known, picture=picture)

    def _of_system(
        self, source: SystemSource, pictures: Sequence[Picture], gamma: Tensor
    ) -> Iterator[Sent]:
        unknown = [p for p in {p.key: p for p in pictures}.values() if p.key not in self.choices]
        if unknown:
            chosen = source.choose(unknown)
            self.choices.update((p.key, c.short()) for p, c in zip(unknown, chosen, strict=True))
        allocator = self.link.allocator
        plans = allocator.allocate(gamma) if allocator else [None] * len(pictures)
        for picture, plan in zip(pictures, plans, strict=True):
            yield source.frame(picture, self.choices[picture.key].long(), plan)

    def decode_clean(self, sent: Sent) -> Image | None:
        """The picture of a frame that arrives undamaged."""
        llrs = 1e3 * (1 - 2 * sent.bits.float())
        arriving = Arriving(sent.bits, llrs, intact=True, codebooks=sent.codebooks)
        (arrived,) = decode_sources(self.link.source, [arriving], [sent])
        return arrived.image


def build(scenario: Scenario) -> dict[str, Sender]:
    """The links of a scenario, by codec."""
    senders: dict[str, Sender] = {}
    choices: dict[str, dict[int, Tensor]] = {}  # by weights: codecs that share them encode once
    index_codecs_first = sorted(
        scenario.codecs, key=lambda name: scenario.codecs[name].kind not in ("vq", "system32")
    )
    for name in index_codecs_first:
        sender = _sender(name, scenario, senders)
        if isinstance(sender.link.source, SystemSource):
            known = choices.setdefault(sender.link.source.codec.sha256, {})
            sender = replace(sender, choices=known)
        senders[name] = sender
    return {name: senders[name] for name in scenario.codecs}


def conditions(link: Link, scenario: Scenario, value: float) -> Conditions:
    """The channel of a link at one value of the swept quantity."""
    match scenario.sweep.quantity:
        case "flip_probability":
            return Conditions(noise_variance=nan, flip_probability=value)
        case "esn0_db":
            esn0_db = value
        case "normalized_snr_db":
            esn0_db = value + 10 * log10(scenario.reference_bits_per_symbol)
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
    if isinstance(codec, source_section.SystemCodec):
        source = _system_source(codec)
        allocator = _allocator(name, codec.plan, source.codec, phy)
        return Sender(name, codec.kind, (replace(skeleton, source=source, allocator=allocator),))
    plan = getattr(codec, "plan", source_section.FixedPlan())
    skeletons: tuple[Link, ...] = (skeleton,)
    modes = ONE_MODE
    if isinstance(plan, source_section.AdaptivePlan):
        skeletons = tuple(replace(skeleton, modulation=qam(mode.order)) for mode in plan.modes)
        modes = Modes(tuple(10 ** (mode.esn0_db / 10) for mode in plan.modes))
    links = tuple(replace(k, source=_source(codec, k, scenario, others)) for k in skeletons)
    return Sender(name, codec.kind, links, modes)


def _system_source(codec: source_section.SystemCodec) -> SystemSource:
    system = SystemCodec.load(codec.weights)
    frequencies = Frequencies.of(system.system.codebooks.probability[0])
    stream: IndexStream | None = None
    match codec.stream:
        case source_section.FixedStream():
            if codec.stream.labelling == "gray":
                stream = FixedStream(system.bits_per_index, "gray")
        case source_section.HuffmanStream():
            if codec.stream.mark_every_rows is None:
                stream = HuffmanStream(frequencies)
            else:
                marks = Marks(codec.stream.mark_every_rows, word_bits=16, tolerance=1)
                stream = MarkedHuffmanStream(frequencies, marks)
        case source_section.AnsStream():
            stream = AnsStream(frequencies)
        case _:
            assert_never(codec.stream)
    return SystemSource(system, stream, soft=codec.decode == "soft")


def _allocator(
    name: str, plan: source_section.SystemPlan, codec: SystemCodec, phy: Phy
) -> Allocator | None:
    if isinstance(plan, source_section.FixedPlan):
        return None
    tables = codec.system.codebooks
    if tables.flip_probability is None or tables.distortion is None:
        raise ScenarioError(
            f"codecs.{name}.plan: {plan.kind} needs weights with flip probabilities, "
            f"got a system trained as {codec.system.config.trained_as}"
        )
    bits = tables.flip_probability[0].numel()
    bits_per_symbol = int(phy.modulation.order).bit_length() - 1
    most = plan.most_bits_per_symbol if isinstance(plan, source_section.JcampPlan) else 10
    problem = AllocationProblem(
        tables.flip_probability,
        tables.distortion,
        symbols=-(-bits // bits_per_symbol),
        most_bits_per_symbol=max(most, bits_per_symbol),
        accounting=plan.accounting,
    )
    return Allocator(plan.kind, problem)


def _source(
    codec: source_section.CodecSection,
    link: Link,
    scenario: Scenario,
    others: Mapping[str, Sender],
) -> IndexSource | SystemSource | ByteSource | RandomBits:
    match codec:
        case source_section.BitsSource():
            k = link.format.k
            whole = _BLOCKS_OF_BITS * k - link.format.crc_bits if k else _UNCODED_BITS
            return RandomBits(codec.payload_bits or whole)
        case source_section.VqCodec():
            return IndexSource(VqVaeCodec.load(codec.weights))
        case source_section.SystemCodec():
            return _system_source(codec)
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
                return of_symbols(other.link.account(other.encode(picture)).symbols)
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
