"""The link: a batch of frames through transmitter, channel and receiver, in signal order."""

from collections.abc import Sequence

import torch
from torch import Tensor

from phy.allocation import Allocation
from phy.ragged import Ragged
from phy.scramble import descramble_llrs, gold_sequence, scramble
from phy.segment import join, segment
from transceiver.failure import conceal
from transceiver.link.blocks import BinarySymmetric, Conditions, Link, Received, Streams
from transceiver.link.channels import binary_channel, carry, cut, mixed_channel, symbol_channel
from transceiver.source import AnalogSource, Arriving, Sent, byte_tensor, decode_sources
from transceiver.taps import Tap, no_tap


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
    if isinstance(link.source, AnalogSource):
        return _send_values(link, link.source, frames, conditions, streams, tap)
    source_bits = Ragged.of([f.bits for f in frames])
    tap("source_bits", source_bits.split())

    info_bits = link.crc.attach(source_bits) if link.crc else source_bits
    if link.coding:
        blocks = segment(info_bits, k=link.coding.code.k)
        tap("info_bits", cut(blocks.bits, blocks.counts))
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
        llrs = binary_channel(on_air, conditions, streams)
    elif link.allocator:
        allocations = [_planned(frame) for frame in frames]
        llrs, plans = mixed_channel(link, on_air, allocations, conditions, streams, tap)
    else:
        llrs = symbol_channel(link, on_air, conditions, streams, tap)
    tap("llrs", llrs.split())
    tap("coded_bits_hard", Ragged((llrs.values < 0).view(torch.uint8), llrs.lengths).split())

    soft = llrs.take(coded_bits.lengths)
    if plans:
        soft = _back_in_order(soft, plans)
    if link.scrambler_init is not None:
        soft = Ragged(descramble_llrs(soft.values, sequence), soft.lengths)
    if link.coding:
        decoded = link.coding.decode(soft.values.reshape(-1, link.coding.code.n))
        tap("info_bits_hat", cut(decoded.info, blocks.counts))
        iterations = cut(decoded.iterations, blocks.counts)
        converged = cut(decoded.converged, blocks.counts)
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


def _send_values(
    link: Link,
    source: AnalogSource,
    frames: Sequence[Sent],
    conditions: Conditions,
    streams: Sequence[Streams],
    tap: Tap,
) -> list[Received]:
    """Symbols of any amplitude: no bits, no code, no constellation."""
    values = [frame.values for frame in frames if frame.values is not None]
    tap("values", values)
    symbols = [source.symbols(v) for v in values]
    lengths = [len(x) for x in symbols]
    equalized, _ = carry(link, torch.cat(symbols), lengths, conditions, streams, tap)
    arrived = source.decode(cut(equalized.symbols, lengths), frames)
    tap("values_hat", [a.values for a in arrived if a.values is not None])
    tap("image_hat", [a.image for a in arrived if a.image is not None])
    nothing = torch.zeros(0, dtype=torch.int32)
    return [Received(a, a.image, True, nothing, nothing.bool()) for a in arrived]


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
