"""The link: a batch of frames through transmitter, channel and receiver, in signal order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from phy.allocation import Allocation, demap_mixed, map_mixed
from phy.channel import bsc, bsc_llrs, transmit
from phy.constellation import Constellation
from phy.crc import Crc
from phy.equalize import mmse, zero_forcing
from phy.fading import NoFading, Rayleigh, Rician
from phy.noise import standard_complex_normal, uniform
from phy.ofdm import TdlOfdm
from phy.ragged import Ragged
from phy.scramble import descramble_llrs, gold_sequence, scramble
from phy.segment import join, segment
from transceiver.accounting import Account, FrameFormat
from transceiver.adaptation import Allocator, channel_state
from transceiver.coding import Coding
from transceiver.failure import Policy, conceal
from transceiver.source import Arrived, Arriving, Sent, Source, byte_tensor, decode_sources
from transceiver.taps import Tap, no_tap


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


def send(
    link: Link,
    frames: Sequence[Sent],
    *,
    conditions: Conditions,
    streams: Sequence[Streams],
    last_good: Sequence[Tensor | None],
    tap: Tap = no_tap,
) -> list[Received]:
    """Carry a batch of encoded frames over the link.

    Args:
        link: The blocks.
        frames: What the source encoder made, one for each frame.
        conditions: The channel's state, the same for all.
        streams: Random streams, a pair for each frame.
        last_good: For each frame the picture that a failure may fall back on.
        tap: Sees the output of every stage, a tensor for each frame.

    Raises:
        ValueError: There are no frames, or an LLR is NaN.
    """
    if not frames:
        raise ValueError("frames must be at least one, got none")
    tap("image", [f.picture.pixels for f in frames if f.picture is not None])
    tap("indices", [f.indices for f in frames if f.indices is not None])
    tap("codebooks", [f.codebooks for f in frames if f.codebooks is not None])
    tap("payload", [byte_tensor(f.payload) for f in frames if f.payload is not None])
    source_bits = Ragged.of([f.bits for f in frames])
    tap("source_bits", source_bits.split())

    info_bits = link.crc.attach(source_bits) if link.crc else source_bits
    if link.coding:
        blocks = segment(info_bits, k=link.coding.code.k)
        tap("info_bits", _cut(blocks.bits, blocks.counts))
        coded = link.coding.encode(blocks.bits)
        n = link.coding.code.n
        coded_bits = Ragged(coded.reshape(-1), tuple(n * count for count in blocks.counts))
    else:
        tap("info_bits", info_bits.split())
        coded_bits = info_bits
    if link.scrambler_init is not None:
        gold = gold_sequence(link.scrambler_init, max(coded_bits.lengths))
        sequence = torch.cat([gold[:length] for length in coded_bits.lengths])
        coded_bits = Ragged(scramble(coded_bits.values, sequence), coded_bits.lengths)
    if link.allocator:
        coded_bits = _in_order(coded_bits, [_planned(frame) for frame in frames])
    on_air = coded_bits.pad_to_multiple(2 if link.allocator else link.format.bits_per_symbol)
    tap("coded_bits", on_air.split())

    plans: Sequence[Allocation] | None = None
    if isinstance(link.channel, BinarySymmetric):
        llrs = _binary_channel(on_air, conditions, streams)
    elif link.allocator:
        allocations = [_planned(frame) for frame in frames]
        llrs, plans = _mixed_channel(
            link, link.allocator, on_air, allocations, conditions, streams, tap
        )
    else:
        llrs = _symbol_channel(link, link.channel, on_air, conditions, streams, tap)
    tap("llrs", llrs.split())
    tap("coded_bits_hard", Ragged((llrs.values < 0).view(torch.uint8), llrs.lengths).split())

    soft = llrs.take(coded_bits.lengths)
    if plans:
        soft = _back_in_order(soft, plans)
    if link.scrambler_init is not None:
        soft = Ragged(descramble_llrs(soft.values, sequence), soft.lengths)
    if link.coding:
        decoded = link.coding.decode(soft.values.reshape(-1, link.coding.code.n))
        tap("info_bits_hat", _cut(decoded.info, blocks.counts))
        iterations = _cut(decoded.iterations, blocks.counts)
        converged = _cut(decoded.converged, blocks.counts)
        info_bits_hat = join(decoded.info, info_bits.lengths)
    else:
        if bool(soft.values.isnan().any()):
            raise ValueError("llrs must be numbers, got NaN")
        info_bits_hat = Ragged((soft.values < 0).view(torch.uint8), soft.lengths)
        tap("info_bits_hat", info_bits_hat.split())
        iterations = (torch.zeros(1, dtype=torch.int32),) * len(frames)
        converged = (torch.zeros(1, dtype=torch.bool),) * len(frames)
    if link.crc:
        checked = link.crc.check(info_bits_hat)
        source_bits_hat, crc_ok = checked.payload, checked.ok.tolist()
        if link.coding:
            pairs = zip(crc_ok, converged, strict=True)
            crc_ok = [ok and bool(blocks_ok.all()) for ok, blocks_ok in pairs]
    else:
        source_bits_hat, crc_ok = info_bits_hat, [True] * len(frames)
    tap("source_bits_hat", source_bits_hat.split())

    uncoded = [None] * len(frames) if link.coding or link.crc else soft.split()
    codebooks = [plan.codebooks for plan in plans] if plans else [None] * len(frames)
    parts = zip(source_bits_hat.split(), uncoded, crc_ok, codebooks, strict=True)
    arrived = decode_sources(link.source, [Arriving(*part) for part in parts], frames)
    tap("indices_hat", [a.indices for a in arrived if a.indices is not None])
    tap("payload_hat", [byte_tensor(a.payload) for a in arrived if a.payload is not None])
    images = [
        conceal(link.failure, a, frame.picture, last_good=good)
        for a, frame, good in zip(arrived, frames, last_good, strict=True)
    ]
    tap("image_hat", [image for image in images if image is not None])
    return [
        Received(*found)
        for found in zip(arrived, images, crc_ok, iterations, converged, strict=True)
    ]


def _symbol_channel(
    link: Link,
    fading: NoFading | Rayleigh | Rician,
    on_air: Ragged,
    conditions: Conditions,
    streams: Sequence[Streams],
    tap: Tap,
) -> Ragged:
    """Mapper, fading channel, one-tap equaliser, demapper: LLRs of the bits on air."""
    lengths = tuple(n // link.modulation.bits_per_symbol for n in on_air.lengths)
    symbols = link.modulation.map(on_air.values)
    tap("symbols", _cut(symbols, lengths))

    pairs = list(zip(lengths, streams, strict=True))
    if link.multipath:
        frames = zip(_cut(symbols, lengths), streams, strict=True)
        carried = [link.multipath.carry(x, generator=s.fading) for x, s in frames]
        gains = torch.cat([c.gains for c in carried])
        arriving, factors = torch.cat([c.symbols for c in carried]), torch.ones_like(gains)
    else:
        gains = torch.cat([fading.gains(n, generator=s.fading) for n, s in pairs])
        arriving, factors = symbols, gains
    tap("gain", _cut(gains, lengths))
    noise = torch.cat([standard_complex_normal(n, generator=s.noise) for n, s in pairs])
    n0 = conditions.noise_variance
    received = transmit(arriving, gains=factors, noise_variance=n0, noise=noise)
    tap("received", _cut(received, lengths))

    equalize = mmse if link.equalizer == "mmse" else zero_forcing
    equalized = equalize(received, gains, n0)
    tap("equalized", _cut(equalized.symbols, lengths))
    demap = link.modulation.demap
    llrs = demap(equalized.unbiased, equalized.noise_variance, method=link.demapper)
    return Ragged(llrs, on_air.lengths)


def _mixed_channel(
    link: Link,
    allocator: Allocator,
    on_air: Ragged,
    allocations: Sequence[Allocation],
    conditions: Conditions,
    streams: Sequence[Streams],
    tap: Tap,
) -> tuple[Ragged, Sequence[Allocation]]:
    """As `_symbol_channel`, with symbols of many orders and powers.

    The receiver makes the plans again, from the gains: what it returns beside the LLRs, which are
    in the order of transmission. Of ``allocations`` it uses nothing.
    """
    lengths = tuple(len(a.power) for a in allocations)
    orders = torch.cat([a.bits_per_symbol for a in allocations])
    symbols = map_mixed(on_air.values, orders, torch.cat([a.power for a in allocations]))
    tap("bits_per_symbol", _cut(orders, lengths))
    tap("symbols", _cut(symbols, lengths))

    assert not isinstance(link.channel, BinarySymmetric)
    pairs = list(zip(lengths, streams, strict=True))
    gains = torch.cat([link.channel.gains(n, generator=s.fading) for n, s in pairs])
    tap("gain", _cut(gains, lengths))
    noise = torch.cat([standard_complex_normal(n, generator=s.noise) for n, s in pairs])
    n0 = conditions.noise_variance
    received = transmit(symbols, gains=gains, noise_variance=n0, noise=noise)
    tap("received", _cut(received, lengths))

    first = torch.tensor([0, *lengths[:-1]]).cumsum(0)
    plans = allocator.allocate(channel_state(gains[first], n0))
    equalized = zero_forcing(received, gains, n0)
    tap("equalized", _cut(equalized.symbols, lengths))
    llrs = demap_mixed(
        equalized.unbiased,
        equalized.noise_variance,
        torch.cat([plan.bits_per_symbol for plan in plans]),
        torch.cat([plan.power for plan in plans]),
        method=link.demapper,
    )
    return Ragged(llrs, on_air.lengths), plans


def _planned(frame: Sent) -> Allocation:
    assert frame.allocation is not None
    return frame.allocation


def _places(lengths: Sequence[int], plans: Sequence[Allocation]) -> Tensor:
    """Where each bit of a batch lies among all, in the order of transmission."""
    first = torch.tensor([0, *lengths[:-1]]).cumsum(0).tolist()
    return torch.cat([plan.bit_order + start for plan, start in zip(plans, first, strict=True)])


def _in_order(bits: Ragged, plans: Sequence[Allocation]) -> Ragged:
    """The bits in the order of transmission."""
    return Ragged(bits.values[_places(bits.lengths, plans)], bits.lengths)


def _back_in_order(llrs: Ragged, plans: Sequence[Allocation]) -> Ragged:
    """The inverse of `_in_order`, by the receiver's plans."""
    values = torch.empty_like(llrs.values)
    values[_places(llrs.lengths, plans)] = llrs.values
    return Ragged(values, llrs.lengths)


def _binary_channel(on_air: Ragged, conditions: Conditions, streams: Sequence[Streams]) -> Ragged:
    """Binary symmetric channel: LLRs of the bits on air."""
    pairs = zip(on_air.lengths, streams, strict=True)
    uniforms = torch.cat([uniform(n, generator=s.noise) for n, s in pairs])
    p = conditions.flip_probability
    flipped = bsc(on_air.values, flip_probability=p, uniforms=uniforms)
    return Ragged(bsc_llrs(flipped, flip_probability=p), on_air.lengths)


def _cut(batch: Tensor, lengths: Sequence[int]) -> tuple[Tensor, ...]:
    """One tensor for each frame."""
    return tuple(torch.split(batch, list(lengths)))
