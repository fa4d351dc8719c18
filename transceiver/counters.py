"""What is counted of every frame: integers only, so that sums are exact in any order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from phy.channel import complex_product
from transceiver.accounting import Account
from transceiver.link import Received

POWER_UNIT = 2.0**-20
"""Powers are counted in this fraction of the mean symbol energy Es."""

POWER_LIMIT = 2.0**20
"""A single |.|^2 above this many Es counts as this much (a zero-forced deep fade is unbounded)."""


@dataclass(frozen=True)
class Counters:
    """The counters of one frame, or their sum over many.

    Bits by kind and symbols as in `Account`. ``*_errors`` are wrong ones among those counted.

    Attributes:
        coded_bits: On-air bits, with those that fill the last symbol; errors before decoding.
        info_bits: Decoder output, with filler; errors after decoding.
        blocks: Code blocks (frames, where there is no code).
        block_errors: Blocks with any wrong information bit.
        unconverged_blocks: Blocks in which the decoder found no codeword; 0 where there is no code.
        false_decodes: Blocks that the decoder took for right and that are wrong.
        iterations: Decoder iterations, summed over the blocks.
        frame_errors: Frames with any source bit wrong.
        crc_failures: Frames that the CRC refused.
        undetected_errors: Wrong frames that the CRC passed (or that had no CRC).
        displacement: Sum over indices of the distance between codewords sent and received, in
            units of 2^-20.
        symbol_power, gain_power, noise_power, error_power: Sums of |x|^2, |h|^2, |y - h x|^2 and
            |equalized - x|^2, in units of 2^-20 Es.
    """

    frames: int = 0
    source_bits: int = 0
    length_bits: int = 0
    crc_bits: int = 0
    padding_bits: int = 0
    parity_bits: int = 0
    symbols: int = 0
    coded_bits: int = 0
    coded_bit_errors: int = 0
    symbol_errors: int = 0
    info_bits: int = 0
    info_bit_errors: int = 0
    source_bit_errors: int = 0
    blocks: int = 0
    block_errors: int = 0
    unconverged_blocks: int = 0
    false_decodes: int = 0
    iterations: int = 0
    frame_errors: int = 0
    crc_failures: int = 0
    undetected_errors: int = 0
    indices: int = 0
    index_errors: int = 0
    displacement: int = 0
    symbol_power: int = 0
    gain_power: int = 0
    noise_power: int = 0
    error_power: int = 0


NAMES = tuple(field.name for field in fields(Counters))


def total(items: Sequence[Counters]) -> Counters:
    """The sum of counters."""
    return Counters(*(sum(getattr(c, name) for c in items) for name in NAMES))


def count(
    taps: Mapping[str, Sequence[Tensor]],
    frame: int,
    received: Received,
    account: Account,
    *,
    displacement: Tensor | None,
) -> Counters:
    """The counters of one frame of a batch.

    Args:
        taps: What passed each stage, a tensor for each frame.
        frame: Which frame of the batch.
        received: What the link returned for it.
        account: Its bits and symbols by kind.
        displacement: Codeword distances ``[n]`` of an index codec.
    """

    def of(name: str) -> Tensor:
        return taps[name][frame]

    def wrong(name: str) -> Tensor:
        return of(name) != of(f"{name}_hat")

    coded_wrong = of("coded_bits") != of("coded_bits_hard")
    info_wrong = wrong("info_bits")
    block_wrong = info_wrong.reshape(received.converged.numel(), -1).any(1)
    source_errors = int(wrong("source_bits").sum())
    has_symbols, has_indices = bool(taps.get("symbols")), bool(taps.get("indices"))
    x = of("symbols") if has_symbols else torch.zeros(0, dtype=torch.complex64)
    gain = of("gain") if has_symbols else x
    received_symbols = of("received") if has_symbols else x
    equalized = of("equalized") if has_symbols else x
    return Counters(
        frames=1,
        source_bits=account.source_bits,
        length_bits=account.length_bits,
        crc_bits=account.crc_bits,
        padding_bits=account.padding_bits,
        parity_bits=account.parity_bits,
        symbols=account.symbols,
        coded_bits=coded_wrong.numel(),
        coded_bit_errors=int(coded_wrong.sum()),
        symbol_errors=int(coded_wrong.reshape(account.symbols, -1).any(1).sum()),
        info_bits=info_wrong.numel(),
        info_bit_errors=int(info_wrong.sum()),
        source_bit_errors=source_errors,
        blocks=block_wrong.numel(),
        block_errors=int(block_wrong.sum()),
        unconverged_blocks=int((~received.converged).sum()) if account.parity_bits else 0,
        false_decodes=int((block_wrong & received.converged).sum()),
        iterations=int(received.iterations.sum()),
        frame_errors=int(source_errors > 0),
        crc_failures=int(not received.crc_ok),
        undetected_errors=int(source_errors > 0 and received.crc_ok),
        indices=of("indices").numel() if has_indices else 0,
        index_errors=int(wrong("indices").sum()) if has_indices else 0,
        displacement=_fixed_point(displacement) if displacement is not None else 0,
        symbol_power=_power(x),
        gain_power=_power(gain),
        noise_power=_power(received_symbols - complex_product(gain, x)),
        error_power=_power(equalized - x),
    )


def _power(signal: Tensor) -> int:
    return _fixed_point(signal.real.square() + signal.imag.square())


def _fixed_point(values: Tensor) -> int:
    limited = values.double().nan_to_num(nan=POWER_LIMIT).clamp(max=POWER_LIMIT)
    return int((limited / POWER_UNIT).round().long().sum())
