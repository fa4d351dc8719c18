"""From the sections of codecs to their sources: one explicit match for each kind."""

from collections.abc import Callable
from typing import TypeAlias, assert_never

import torch

from phy.allocation import AllocationProblem
from semcodec.bpg.codec import Bpg
from semcodec.budget import HeadedCodec, best_after_header
from semcodec.checked import CheckedLadderCodec
from semcodec.codec import ByteCodec, Image
from semcodec.jpeg import Jpeg
from semcodec.photo.jscc_codec import JsccCodec
from semcodec.photo.moc_rvq_codec import MocRvqCodec
from semcodec.photo.unet_jscc_codec import UNetJsccCodec
from semcodec.photo.vq_deepsc_codec import VqDeepScCodec
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
from transceiver.adaptation import Allocator
from transceiver.failure import Policy
from transceiver.link import Link
from transceiver.scenario import ScenarioError
from transceiver.scenario import source as section
from transceiver.scenario.phy import Phy
from transceiver.sender import Spending
from transceiver.source import (
    LENGTH_BITS,
    AnalogSource,
    AtQuality,
    ByteSource,
    IndexSource,
    Limit,
    Picture,
    RandomBits,
    SystemSource,
    Within,
)

ByteSection: TypeAlias = section.BpgCodec | section.JpegCodec | section.WebpCodec

_BLOCKS_OF_BITS = 64
_UNCODED_BITS = 65536


def random_bits(codec: section.BitsSource, link: Link) -> RandomBits:
    """Frames of random bits for a link."""
    k = link.format.k
    whole = _BLOCKS_OF_BITS * k - link.format.crc_bits if k else _UNCODED_BITS
    return RandomBits(codec.payload_bits or whole)


def index_source(
    name: str,
    codec: section.VqCodec | section.VqDeepScCodec | section.MocRvqCodec,
    device: torch.device,
) -> IndexSource:
    """A network of the kind, with the weights, on a device."""
    loaded: VqVaeCodec | VqDeepScCodec | MocRvqCodec
    match codec:
        case section.VqCodec():
            loaded = VqVaeCodec.load(codec.weights)
        case section.VqDeepScCodec():
            loaded = VqDeepScCodec.load(codec.weights)
        case section.MocRvqCodec():
            try:
                loaded = MocRvqCodec.load(codec.weights, levels=codec.levels, refine=codec.nrb)
            except ValueError as error:
                raise ScenarioError(f"codecs.{name}: {error}") from None
        case _:
            assert_never(codec)
    loaded.network.to(device)
    return IndexSource(loaded)


def analog_source(codec: section.AnalogCodec, device: torch.device) -> AnalogSource:
    """A network of the kind, with the weights, on a device."""
    loaded: UNetJsccCodec | JsccCodec
    match codec.kind:
        case "unet_jscc":
            loaded = UNetJsccCodec.load(codec.weights)
        case "jscc":
            loaded = JsccCodec.load(codec.weights)
        case _:
            assert_never(codec.kind)
    loaded.network.to(device)
    return AnalogSource(loaded)


def system_source(codec: section.SystemCodec, device: torch.device) -> SystemSource:
    """Network on a device, codebooks and index stream."""
    system = SystemCodec.load(codec.weights)
    system.system.to(device)
    frequencies = Frequencies.of(system.system.codebooks.probability[0])
    stream: IndexStream | None = None
    match codec.stream:
        case section.FixedStream():
            if codec.stream.labelling == "gray":
                stream = FixedStream(system.bits_per_index, "gray")
        case section.HuffmanStream():
            if codec.stream.mark_every_rows is None:
                stream = HuffmanStream(frequencies)
            else:
                marks = Marks(codec.stream.mark_every_rows, word_bits=16, tolerance=1)
                stream = MarkedHuffmanStream(frequencies, marks)
        case section.AnsStream():
            stream = AnsStream(frequencies)
        case _:
            assert_never(codec.stream)
    return SystemSource(system, stream, soft=codec.decode == "soft")


def allocator(
    name: str, plan: section.SystemPlan, codec: SystemCodec, phy: Phy
) -> Allocator | None:
    """What makes the plans of JCAMP or JCAP; None for other plans."""
    if isinstance(plan, section.FixedPlan | section.AmcPlan):
        return None
    tables = codec.system.codebooks
    if tables.flip_probability is None or tables.distortion is None:
        raise ScenarioError(
            f"codecs.{name}.plan: {plan.kind} needs weights with flip probabilities, "
            f"got a system trained as {codec.system.config.trained_as}"
        )
    bits = tables.flip_probability[0].numel()
    bits_per_symbol = int(phy.modulation.order).bit_length() - 1
    most = plan.most_bits_per_symbol if isinstance(plan, section.JcampPlan) else 10
    problem = AllocationProblem(
        tables.flip_probability,
        tables.distortion,
        symbols=-(-bits // bits_per_symbol),
        most_bits_per_symbol=max(most, bits_per_symbol),
        accounting=plan.accounting,
    )
    return Allocator(plan.kind, problem)


def byte_codec(codec: ByteSection) -> Bpg | Jpeg | WebP:
    """A byte codec with its settings."""
    match codec:
        case section.BpgCodec():
            return Bpg(chroma=codec.chroma)
        case section.JpegCodec():
            return Jpeg(chroma=codec.chroma)
        case section.WebpCodec():
            return WebP()
        case _:
            assert_never(codec)


def byte_source(
    codec: ByteCodec,
    budget: section.BudgetSection,
    link: Link,
    failure: Policy,
    other: Spending | None,
    *,
    headers_known: bool,
) -> ByteSource:
    """A byte codec with a budget for a link; ``other`` is the codec that the budget names."""

    def compress(image: Image, limit: Limit) -> bytes:
        match limit:
            case AtQuality(value):
                return _with_qualities(codec).encode(image, value)
            case Within(value) if headers_known:
                return best_after_header(_with_qualities(codec), image, value)
            case Within(value):
                return codec.encode_to_budget(image, value)
            case _:
                assert_never(limit)

    return ByteSource(
        codec,
        _limiter(budget, link, other),
        compress,
        headers_known=headers_known,
        best_effort=failure == "best_effort",
    )


def _with_qualities(codec: ByteCodec) -> HeadedCodec:
    """The codec, which has qualities: our own do, and one of others was asked for them."""
    assert isinstance(codec, Bpg | Jpeg | WebP | CheckedLadderCodec)
    return codec


def _limiter(
    budget: section.BudgetSection, link: Link, other: Spending | None
) -> Callable[[Picture], Limit]:
    """The budget of a picture, in bytes or as a quality."""

    def of_symbols(symbols: int) -> Within:
        return Within(max((link.format.capacity(symbols) - LENGTH_BITS) // 8, 0))

    def limit(picture: Picture) -> Limit:
        match budget:
            case section.SymbolsOf():
                assert other is not None
                return of_symbols(other.symbols(picture))
            case section.SourceBitsOf():
                assert other is not None
                return Within(other.source_bits(picture) // 8)
            case section.Cbr():
                return of_symbols(int(budget.value * picture.pixels.numel() + 1e-6))
            case section.Bytes():
                return Within(budget.value)
            case section.Quality():
                return AtQuality(budget.value)
            case _:
                assert_never(budget)

    return limit
