"""From the checked ``phy`` section to its blocks: one explicit match for each kind."""

from collections.abc import Callable
from typing import TypeAlias, assert_never

from phy.constellation import Constellation
from phy.cross_qam import cross_qam
from phy.fading import NoFading, Rayleigh, Rician
from phy.fec import (
    BlockDecoder,
    Convolutional,
    Polar,
    SuccessiveCancellation,
    SuccessiveCancellationList,
    Turbo,
    TurboDecoder,
    Viterbi,
)
from phy.interleave import Permutation, RowColumn
from phy.ldpc import (
    BeliefPropagation,
    DvbS2,
    Gallager,
    Ieee80211n,
    Layered,
    LdpcCode,
    LdpcDecoder,
    Nr,
    TannerGraph,
    two_tier,
)
from phy.ofdm import CpOfdm, Tdl, TdlOfdm
from phy.psk import bpsk, psk8, qpsk
from phy.qam import qam
from transceiver.coding import Coding, LdpcBlockDecoder
from transceiver.link import BinarySymmetric
from transceiver.scenario import decoder as decoder_section
from transceiver.scenario import fec as fec_section
from transceiver.scenario import phy as section
from transceiver.scenario.multipath import TdlChannel

_LdpcSection: TypeAlias = (
    decoder_section.TwoTierDecoder
    | decoder_section.OffsetMinSumDecoder
    | decoder_section.AMinStarDecoder
    | decoder_section.SumProductDecoder
)


def coding(phy: section.Phy) -> Coding | None:
    """Code, decoder and interleaver; None for uncoded transmission."""
    code = _code(phy.code)
    if code is None:
        return None
    return Coding(code, _decoder(phy.decoder, code), _interleaver(phy.interleaver))


def _code(code: section.CodeSection) -> LdpcCode | Polar | Convolutional | Turbo | None:
    match code:
        case section.NoCode():
            return None
        case section.Ieee80211nCode():
            return Ieee80211n(code.n, code.rate)
        case section.DvbS2Code():
            return DvbS2(code.n, code.rate)
        case section.NrCode():
            return Nr(code.k, code.n)
        case section.GallagerCode():
            return Gallager(
                n=code.n,
                column_weight=code.column_weight,
                row_weight=code.row_weight,
                seed=code.seed,
            )
        case fec_section.PolarCode():
            return Polar(code.k, code.n, direction=code.direction)
        case fec_section.ConvolutionalCode():
            return Convolutional(
                code.k,
                rate=code.rate,
                constraint_length=code.constraint_length,
                terminate=code.terminate,
            )
        case fec_section.TurboCode():
            return Turbo(
                code.k,
                rate=code.rate,
                constraint_length=code.constraint_length,
                terminate=code.terminate,
            )
        case _:
            assert_never(code)


def _decoder(
    decoder: decoder_section.DecoderSection, code: LdpcCode | Polar | Convolutional | Turbo
) -> BlockDecoder:
    """The scenario's check has made sure that they fit."""
    match decoder:
        case (
            decoder_section.TwoTierDecoder()
            | decoder_section.OffsetMinSumDecoder()
            | decoder_section.AMinStarDecoder()
            | decoder_section.SumProductDecoder()
        ):
            assert not isinstance(code, Polar | Convolutional | Turbo)
            return LdpcBlockDecoder(code, _ldpc_decoder(decoder, code.graph))
        case fec_section.SuccessiveCancellationListDecoder():
            assert isinstance(code, Polar)
            return SuccessiveCancellationList(code, decoder.list_size)
        case fec_section.SuccessiveCancellationDecoder():
            assert isinstance(code, Polar)
            return SuccessiveCancellation(code)
        case fec_section.ViterbiDecoder():
            assert isinstance(code, Convolutional)
            return Viterbi(code)
        case fec_section.TurboDecoder():
            assert isinstance(code, Turbo)
            return TurboDecoder(code, decoder.iterations, decoder.algorithm)
        case _:
            assert_never(decoder)


def _ldpc_decoder(decoder: _LdpcSection, graph: TannerGraph) -> LdpcDecoder:
    match decoder:
        case decoder_section.TwoTierDecoder():
            return two_tier(
                graph,
                iterations=decoder.iterations,
                arithmetic=decoder.arithmetic,
                threads=decoder.threads,
            )
        case decoder_section.SumProductDecoder():
            return BeliefPropagation(graph, decoder.iterations)
        case decoder_section.OffsetMinSumDecoder() | decoder_section.AMinStarDecoder():
            return Layered(
                graph, decoder.kind, decoder.arithmetic, decoder.iterations, decoder.threads
            )
        case _:
            assert_never(decoder)


def _interleaver(interleaver: section.InterleaverSection) -> RowColumn | Permutation | None:
    match interleaver:
        case section.NoInterleaver():
            return None
        case section.RowColumnInterleaver():
            return RowColumn(interleaver.columns)
        case section.PermutationInterleaver():
            return Permutation(interleaver.seed)
        case _:
            assert_never(interleaver)


def modulation(chosen: section.ModulationSection) -> Constellation:
    """The constellation."""
    match chosen:
        case section.Qam():
            return qam(chosen.order, axes=chosen.axes)
        case section.CrossQam():
            return cross_qam(chosen.order)
        case section.Psk():
            makers: dict[int, Callable[[], Constellation]] = {2: bpsk, 4: qpsk, 8: psk8}
            return makers[chosen.order]()
        case _:
            assert_never(chosen)


def channel(
    chosen: section.ChannelSection,
) -> NoFading | Rayleigh | Rician | BinarySymmetric:
    """The law of a symbol's gain, and how long a gain holds where they are independent."""
    match chosen:
        case section.AwgnChannel():
            return NoFading()
        case section.RayleighChannel():
            return Rayleigh(_span(chosen.fading))
        case section.RicianChannel():
            return Rician(chosen.k_factor, _span(chosen.fading))
        case TdlChannel():
            return _tdl_ofdm(chosen).law
        case section.BscChannel():
            return BinarySymmetric()
        case _:
            assert_never(chosen)


def multipath(chosen: section.ChannelSection) -> TdlOfdm | None:
    """What carries a whole frame where the channel has several paths."""
    return _tdl_ofdm(chosen) if isinstance(chosen, TdlChannel) else None


def _tdl_ofdm(channel: TdlChannel) -> TdlOfdm:
    tdl = Tdl(
        channel.model,
        delay_spread_s=channel.delay_spread_s,
        carrier_frequency_hz=channel.carrier_frequency_hz,
        speed_m_s=channel.speed_m_s,
    )
    ofdm = CpOfdm(channel.subcarriers, channel.subcarrier_spacing_hz, channel.cyclic_prefix)
    return TdlOfdm(tdl, ofdm, channel.domain)


def _span(fading: section.FadingSpan) -> int | None:
    if isinstance(fading, section.Block):
        return fading.block
    return 1 if fading == "symbol" else None
