"""Cyclic redundancy checks, 3GPP TS 38.212 clause 5.1.

The payload a_0 .. a_{A-1} is followed by the parity p_0 .. p_{L-1} for which the whole word, read
as a polynomial with a_0 at the highest power, is divisible by the generator g(D). The register
starts at zero and nothing is inverted, so that an all-zero word always passes.

On the CPU the register takes eight bits at a time: a table knows what they add to it. Elsewhere a
form without a loop serves. The remainder of a sum is the sum of the remainders: with r_d the
remainder of D^{L+d} (d counts from the end of the payload), the parity is the XOR of r_d over the
ones of the payload, a product of bits and a table.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from phy.bits import unpack_integers
from phy.host import array, on_host
from phy.jit import kernel
from phy.ragged import Ragged

CrcKind: TypeAlias = Literal["crc8", "crc16", "crc24a"]

_GENERATORS: dict[str, tuple[int, int]] = {
    # width, generator without its leading term
    "crc8": (8, 0x9B),  # D^8+D^7+D^4+D^3+D+1: gCRC8 of TS 36.212 clause 5.1.1 (38.212 has no CRC-8)
    "crc16": (16, 0x1021),  # D^16+D^12+D^5+1
    "crc24a": (24, 0x864CFB),  # D^24+D^23+D^18+D^17+D^14+D^11+D^10+D^7+D^6+D^5+D^4+D^3+D+1
}
_MAX_BITS = 1 << 24  # float32 counts ones exactly up to here


@dataclass(frozen=True)
class Checked:
    """What a receiver knows after the check.

    Attributes:
        payload: The sequences without their parity bits.
        ok: bool ``[sequences]``: whether the check passed.
    """

    payload: Ragged
    ok: Tensor


@dataclass(frozen=True)
class Crc:
    """A cyclic redundancy check, by kind: ``crc8``, ``crc16`` or ``crc24a``.

    >>> from phy.bits import pack_integers, unpack_bytes
    >>> crc = Crc("crc16")
    >>> sent = crc.attach(Ragged.of([unpack_bytes(b"123456789")]))
    >>> hex(int(pack_integers(sent.values[-16:], width=16)))
    '0x31c3'
    >>> crc.check(sent).ok.tolist()
    [True]
    """

    kind: CrcKind

    def __post_init__(self) -> None:
        """Refuse unknown kinds."""
        if self.kind not in _GENERATORS:
            raise ValueError(f"kind must be one of {get_args(CrcKind)}, got {self.kind!r}")

    @property
    def width(self) -> int:
        """Parity bits per sequence."""
        return _GENERATORS[self.kind][0]

    def attach(self, bits: Ragged) -> Ragged:
        """Append ``width`` parity bits to each sequence of bits; an empty sequence gets zeros."""
        if not bits.lengths:
            return bits
        _check_lengths(bits)
        lengths = tuple(n + self.width for n in bits.lengths)
        if _in_bytes(bits):
            values = torch.empty(sum(lengths), dtype=torch.uint8)
            _append(array(bits.values), _sizes(bits), self.width, _table(self.kind), array(values))
            return Ragged(values, lengths)
        pairs = zip(bits.split(), self._parity(bits), strict=True)
        values = torch.cat([part for pair in pairs for part in pair])
        return Ragged(values, lengths)

    def check(self, bits: Ragged) -> Checked:
        """Split off and check the last ``width`` bits of each sequence.

        Raises:
            ValueError: A sequence is shorter than ``width``.
        """
        if min(bits.lengths, default=self.width) < self.width:
            raise ValueError(
                f"lengths must be at least {self.width}, the width of {self.kind}, "
                f"got {min(bits.lengths)}"
            )
        if not bits.lengths:
            return Checked(bits, torch.zeros(0, dtype=torch.bool, device=bits.values.device))
        _check_lengths(payload := bits.take([n - self.width for n in bits.lengths]))
        if _in_bytes(bits):
            ok = torch.empty(len(bits.lengths), dtype=torch.bool)
            _check(array(bits.values), _sizes(bits), self.width, _table(self.kind), array(ok))
            return Checked(payload, ok)
        received = torch.stack([part[-self.width :] for part in bits.split()])
        return Checked(payload, (self._parity(payload) == received).all(1))

    def _parity(self, bits: Ragged) -> Tensor:
        """The parity bits, uint8 ``[sequences, width]``; sequences of one length go together."""
        longest = max(bits.lengths)
        remainders = _remainders(self.kind, 1 << max(longest - 1, 0).bit_length())
        remainders = remainders.to(bits.values.device)
        parity = bits.values.new_empty((len(bits.lengths), self.width), dtype=torch.uint8)
        members: dict[int, list[int]] = {}
        for index, length in enumerate(bits.lengths):
            members.setdefault(length, []).append(index)
        sequences = bits.split()
        for length, indices in members.items():
            block = torch.stack([sequences[i] for i in indices]).to(torch.float32)
            ones = block @ remainders[len(remainders) - length :]  # exact: below 2**24
            parity[torch.tensor(indices, device=parity.device)] = (ones % 2).to(torch.uint8)
        return parity


def _check_lengths(bits: Ragged) -> None:
    if max(bits.lengths) > _MAX_BITS:
        raise ValueError(f"lengths must be at most {_MAX_BITS} bits, got {max(bits.lengths)}")


def _in_bytes(bits: Ragged) -> bool:
    """Whether the kernels can work on them."""
    return bits.values.dtype == torch.uint8 and on_host(bits.values)


def _sizes(bits: Ragged) -> NDArray[np.int64]:
    return np.array(bits.lengths, dtype=np.int64)


@kernel
def _append(values: Any, lengths: Any, width: int, table: Any, words: Any) -> None:
    """Write each sequence with its parity behind it."""
    start = place = 0
    for i in range(len(lengths)):
        source = values[start : start + lengths[i]]
        words[place : place + lengths[i]] = source
        register = _register(source, width, table)
        place += lengths[i]
        for j in range(width):
            words[place + j] = (register >> (width - 1 - j)) & 1
        start += lengths[i]
        place += width


@kernel
def _check(words: Any, lengths: Any, width: int, table: Any, ok: Any) -> None:
    """Whether each word is divisible: nothing remains of it behind its own parity."""
    start = 0
    for i in range(len(lengths)):
        ok[i] = _register(words[start : start + lengths[i]], width, table) == 0
        start += lengths[i]


@kernel
def _register(bits: Any, width: int, table: Any) -> Any:
    """The parity of bits. Zeros in front change nothing: they fill up the first byte."""
    register = byte = 0
    for i in range(len(bits) % 8):
        byte = byte << 1 | bits[i] & 1
    register = table[byte]
    groups = bits[len(bits) % 8 :]
    for i in range(0, len(groups), 8):
        byte = 0
        for j in range(8):
            byte = byte << 1 | groups[i + j] & 1
        register = register << 8 & (1 << width) - 1 ^ table[register >> (width - 8) ^ byte]
    return register


@cache
def _table(kind: str) -> NDArray[np.int64]:
    """The parity of each byte."""
    bytes_ = unpack_integers(torch.arange(256)[:, None], width=8).to(torch.float32)
    width = _GENERATORS[kind][0]
    parity = (bytes_ @ _remainders(kind, 8)).to(torch.int64) & 1
    return array((parity << torch.arange(width - 1, -1, -1)).sum(1))


@cache
def _remainders(kind: str, length: int) -> Tensor:
    """D^{width + d} mod g(D) for d = length-1 .. 0, as bits: float32 ``[length, width]``."""
    width, generator = _GENERATORS[kind]
    remainder, rows = generator, [generator]
    for _ in range(length - 1):
        remainder <<= 1
        if remainder >> width:
            remainder ^= 1 << width | generator
        rows.append(remainder)
    return unpack_integers(torch.tensor(rows[::-1])[:, None], width=width).to(torch.float32)
