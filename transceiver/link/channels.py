"""From symbols or bits at the transmitter to equalised symbols or LLRs at the receiver."""

from collections.abc import Sequence

import torch
from torch import Tensor

from phy.allocation import Allocation, demap_mixed, map_mixed
from phy.channel import bsc, bsc_llrs, transmit
from phy.equalize import Equalized, mmse, zero_forcing
from phy.noise import standard_complex_normal, uniform
from phy.ragged import Ragged
from transceiver.adaptation import channel_state
from transceiver.link.blocks import BinarySymmetric, Conditions, Link, Streams
from transceiver.taps import Tap


def carry(
    link: Link,
    symbols: Tensor,
    lengths: Sequence[int],
    conditions: Conditions,
    streams: Sequence[Streams],
    tap: Tap,
) -> tuple[Equalized, Tensor]:
    """Fading channel and one-tap equaliser.

    Args:
        link: The blocks.
        symbols: Complex ``[n]``, those of all frames.
        lengths: Symbols of each frame.
        conditions: N0.
        streams: Of each frame.
        tap: Sees symbols, gain, received, equalized.

    Returns:
        The equalised symbols, and the gains ``[n]`` that they were equalised with.
    """
    assert not isinstance(link.channel, BinarySymmetric)
    tap("symbols", cut(symbols, lengths))
    pairs = list(zip(lengths, streams, strict=True))
    if link.multipath:
        frames = zip(cut(symbols, lengths), streams, strict=True)
        carried = [link.multipath.carry(x, generator=s.fading) for x, s in frames]
        gains = torch.cat([c.gains for c in carried])
        arriving, factors = torch.cat([c.symbols for c in carried]), torch.ones_like(gains)
    else:
        gains = torch.cat([link.channel.gains(n, generator=s.fading) for n, s in pairs])
        arriving, factors = symbols, gains
    tap("gain", cut(gains, lengths))
    noise = torch.cat([standard_complex_normal(n, generator=s.noise) for n, s in pairs])
    n0 = conditions.noise_variance
    received = transmit(arriving, gains=factors, noise_variance=n0, noise=noise)
    tap("received", cut(received, lengths))
    equalize = mmse if link.equalizer == "mmse" else zero_forcing
    equalized = equalize(received, gains, n0)
    tap("equalized", cut(equalized.symbols, lengths))
    return equalized, gains


def symbol_channel(
    link: Link, on_air: Ragged, conditions: Conditions, streams: Sequence[Streams], tap: Tap
) -> Ragged:
    """Mapper, channel, demapper: LLRs of the bits on air."""
    lengths = [n // link.modulation.bits_per_symbol for n in on_air.lengths]
    symbols = link.modulation.map(on_air.values)
    equalized, _ = carry(link, symbols, lengths, conditions, streams, tap)
    demap = link.modulation.demap
    llrs = demap(equalized.unbiased, equalized.noise_variance, method=link.demapper)
    return Ragged(llrs, on_air.lengths)


def mixed_channel(
    link: Link,
    on_air: Ragged,
    allocations: Sequence[Allocation],
    conditions: Conditions,
    streams: Sequence[Streams],
    tap: Tap,
) -> tuple[Ragged, Sequence[Allocation]]:
    """As `symbol_channel`, with symbols of many orders and powers.

    The receiver makes the plans again, from the gains: what it returns beside the LLRs, which are
    in the order of transmission. Of ``allocations`` it uses nothing.
    """
    assert link.allocator
    lengths = [len(a.power) for a in allocations]
    orders = torch.cat([a.bits_per_symbol for a in allocations])
    symbols = map_mixed(on_air.values, orders, torch.cat([a.power for a in allocations]))
    tap("bits_per_symbol", cut(orders, lengths))
    equalized, gains = carry(link, symbols, lengths, conditions, streams, tap)

    first = torch.tensor([0, *lengths[:-1]]).cumsum(0)
    plans = link.allocator.allocate(channel_state(gains[first], conditions.noise_variance))
    llrs = demap_mixed(
        equalized.unbiased,
        equalized.noise_variance,
        torch.cat([plan.bits_per_symbol for plan in plans]),
        torch.cat([plan.power for plan in plans]),
        method=link.demapper,
    )
    return Ragged(llrs, on_air.lengths), plans


def binary_channel(on_air: Ragged, conditions: Conditions, streams: Sequence[Streams]) -> Ragged:
    """Binary symmetric channel: LLRs of the bits on air."""
    pairs = zip(on_air.lengths, streams, strict=True)
    uniforms = torch.cat([uniform(n, generator=s.noise) for n, s in pairs])
    p = conditions.flip_probability
    flipped = bsc(on_air.values, flip_probability=p, uniforms=uniforms)
    return Ragged(bsc_llrs(flipped, flip_probability=p), on_air.lengths)


def cut(batch: Tensor, lengths: Sequence[int]) -> tuple[Tensor, ...]:
    """One tensor for each frame."""
    return tuple(torch.split(batch, list(lengths)))
