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
        crc_failures: Frames that the CRC refused, or whose code blocks did not all converge.
        undetected_errors: Wrong frames that the CRC passed (or that had no CRC).
        codebook_sum: Sum over indices of the number, from 0, of the codebook assigned.
        concealed_indices: Indices that an entropy decoder lost and guessed.
        mark_bits: Source bits that are resynchronisation marks.
        damaged_segments: Parts of index streams that the receiver knew to be damaged.
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
    codebook_sum: int = 0
    concealed_indices: int = 0
    mark_bits: int = 0
    damaged_segments: int = 0
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
    received: Sequence[Received],
    accounts: Sequence[Account],
    *,
    displacement: Sequence[Tensor] | None,
) -> list[Counters]:
    """The counters of every frame of a batch.

    Args:
        taps: What passed each stage, a tensor for each frame.
        received: What the link returned.
        accounts: Bits and symbols by kind.
        displacement: Codeword distances ``[n]`` of an index codec.
    """
    frames = len(received)
    coded, coded_wrong = _wrong(taps, frames, "coded_bits", "coded_bits_hard")
    info, info_wrong = _wrong(taps, frames, "info_bits", "info_bits_hat")
    source, source_wrong = _wrong(taps, frames, "source_bits", "source_bits_hat")
    coded_errors, info_errors = _sums(coded_wrong, coded), _sums(info_wrong, info)
    source_errors = _sums(source_wrong, source)

    symbols = [account.symbols for account in accounts]
    symbol_errors = _sums(_any(coded_wrong, _bits_of_symbols(taps, accounts, coded)), symbols)
    blocks = [r.converged.numel() for r in received]
    per_block = [n // b for n, b in zip(info, blocks, strict=True) for _ in range(b)]
    block_wrong = _any(info_wrong, _sizes(per_block))
    converged = torch.cat([r.converged for r in received])
    block_errors = _sums(block_wrong, blocks)
    unconverged = _sums(~converged, blocks)
    false_decodes = _sums(block_wrong & converged, blocks)
    iterations = _sums(torch.cat([r.iterations for r in received]), blocks)

    none = [0] * frames
    indices, index_wrong = _wrong(taps, frames, "indices", "indices_hat")
    index_errors, codebook_sums = _sums(index_wrong, indices), none
    if taps.get("codebooks"):
        codebook_sums = _sums(torch.cat(list(taps["codebooks"])), indices)
    moved = none
    if displacement is not None:
        moved = _sums(_fixed_point(torch.cat(list(displacement))), indices)
    powers = [none] * 4
    if taps.get("symbols"):
        x, gain = torch.cat(list(taps["symbols"])), torch.cat(list(taps["gain"]))
        error = torch.cat(list(taps["equalized"])) - x
        noise = torch.cat(list(taps["received"])) - complex_product(gain, x)
        powers = [_sums(_power(signal), symbols) for signal in (x, gain, noise, error)]
    return [
        Counters(
            frames=1,
            source_bits=account.source_bits,
            length_bits=account.length_bits,
            crc_bits=account.crc_bits,
            padding_bits=account.padding_bits,
            parity_bits=account.parity_bits,
            symbols=account.symbols,
            coded_bits=coded[i],
            coded_bit_errors=coded_errors[i],
            symbol_errors=symbol_errors[i],
            info_bits=info[i],
            info_bit_errors=info_errors[i],
            source_bit_errors=source_errors[i],
            blocks=blocks[i],
            block_errors=block_errors[i],
            unconverged_blocks=unconverged[i] if account.parity_bits else 0,
            false_decodes=false_decodes[i],
            iterations=iterations[i],
            frame_errors=int(source_errors[i] > 0),
            crc_failures=int(not received[i].crc_ok),
            undetected_errors=int(source_errors[i] > 0 and received[i].crc_ok),
            indices=indices[i],
            index_errors=index_errors[i],
            codebook_sum=codebook_sums[i],
            concealed_indices=received[i].arrived.concealed_indices,
            mark_bits=received[i].arrived.mark_bits,
            damaged_segments=received[i].arrived.damaged_segments,
            displacement=moved[i],
            symbol_power=powers[0][i],
            gain_power=powers[1][i],
            noise_power=powers[2][i],
            error_power=powers[3][i],
        )
        for i, account in enumerate(accounts)
    ]


def _wrong(
    taps: Mapping[str, Sequence[Tensor]], frames: int, sent: str, received: str
) -> tuple[list[int], Tensor]:
    """How many values each frame has, and which of all are not as sent; none without the tap."""
    if not taps.get(sent):
        return [0] * frames, torch.zeros(0, dtype=torch.bool)
    before, after = (torch.cat([f.reshape(-1) for f in taps[name]]) for name in (sent, received))
    return [frame.numel() for frame in taps[sent]], before != after


def _bits_of_symbols(
    taps: Mapping[str, Sequence[Tensor]], accounts: Sequence[Account], coded: Sequence[int]
) -> Tensor:
    """Bits of every symbol of the batch, in order."""
    if taps.get("bits_per_symbol"):
        return torch.cat(list(taps["bits_per_symbol"]))
    symbols = [account.symbols for account in accounts]
    each = [bits // max(n, 1) for bits, n in zip(coded, symbols, strict=True)]
    return _sizes(each).repeat_interleave(_sizes(symbols))


def _any(wrong: Tensor, sizes: Tensor) -> Tensor:
    """Whether any value of each group is True; groups of ``sizes`` lie one after the other."""
    return _segments(wrong, sizes) > 0


def _sums(values: Tensor, lengths: Sequence[int]) -> list[int]:
    """The sum of each frame's values."""
    return _segments(values, _sizes(lengths)).tolist()


def _sizes(numbers: Sequence[int]) -> Tensor:
    return torch.tensor(numbers, dtype=torch.int64)


def _segments(values: Tensor, sizes: Tensor) -> Tensor:
    total = torch.zeros(len(values) + 1, dtype=torch.int64)
    torch.cumsum(values.long(), 0, out=total[1:])
    ends = sizes.cumsum(0)
    return total[ends] - total[ends - sizes]


def _power(signal: Tensor) -> Tensor:
    return _fixed_point(signal.real.square() + signal.imag.square())


def _fixed_point(values: Tensor) -> Tensor:
    limited = values.double().nan_to_num(nan=POWER_LIMIT).clamp(max=POWER_LIMIT)
    return (limited / POWER_UNIT).round().long()
