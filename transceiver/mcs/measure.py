"""The block error rate of a mode: random blocks over the link that a scenario builds."""

from dataclasses import dataclass, replace
from math import nan

from scipy.optimize import brentq

from phy.constellation import Constellation
from phy.snr import noise_variance_from_esn0_db
from phy.theory import constellation_capacity
from transceiver.link import Conditions, Link, Streams, send
from transceiver.source import RandomBits
from transceiver.streams import stream
from transceiver.taps import Recorder

_CHUNK_BITS = 2**21
"""Coded bits of a frame, about, in whole groups of blocks that the decoder takes at once."""


@dataclass(frozen=True)
class Tally:
    """Code blocks carried, and those with any wrong information bit."""

    block_errors: int
    blocks: int


def carry(link: Link, esn0_db: float, *, most_blocks: int, most_errors: int, seed: int) -> Tally:
    """Carry random blocks until there are more wrong ones than allowed, or so many in all.

    Whether at most ``most_errors`` of ``most_blocks`` blocks are wrong is then known for certain.
    Every Es/N0 sees the same bits and the same noise, but for its variance.

    Args:
        link: A coded link over white noise without CRC; its source has no effect.
        esn0_db: Es/N0 [dB].
        most_blocks: Carry at most so many, at least 1.
        most_errors: Stop after a frame with which there are more wrong blocks than this.
        seed: Of bits and noise.
    """
    assert link.coding is not None
    assert link.crc is None
    k, n = link.coding.code.k, link.coding.code.n
    at = Conditions(noise_variance_from_esn0_db(esn0_db), flip_probability=nan)
    errors = blocks = frames = 0
    while blocks < most_blocks and errors <= most_errors:
        count = min(max(_CHUNK_BITS // n // 64, 1) * 64, most_blocks - blocks)
        source = RandomBits(count * k)
        name = {"point": 0, "image": frames, "trial": 0}
        frame = source.encode(stream(seed, **name, purpose="payload"))
        streams = Streams(
            fading=stream(seed, **name, purpose="fading"),
            noise=stream(seed, **name, purpose="noise"),
        )
        seen = Recorder()
        send(
            replace(link, source=source),
            [frame],
            conditions=at,
            streams=[streams],
            last_good=[None],
            tap=seen,
        )
        (found,) = seen.frames["source_bits_hat"]
        wrong = (found != frame.bits).reshape(count, k).any(1)
        errors += int(wrong.sum())
        blocks += count
        frames += 1
    return Tally(errors, blocks)


def limit_esn0_db(constellation: Constellation, bits_per_channel_use: float) -> float:
    """Es/N0 [dB] at which the constellation's capacity in white noise is so many bits.

    >>> from phy.psk import qpsk
    >>> round(limit_esn0_db(qpsk(), 1.0), 2)
    0.19
    """

    def excess(esn0_db: float) -> float:
        return float(constellation_capacity(constellation, esn0_db)) - bits_per_channel_use

    return float(brentq(excess, -30.0, 60.0, xtol=1e-6))
