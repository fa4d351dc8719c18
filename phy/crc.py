"""Cyclic redundancy checks, 3GPP TS 38.212 clause 5.1.

The payload a_0 .. a_{A-1} is followed by the parity p_0 .. p_{L-1} for which the whole word, read
as a polynomial with a_0 at the highest power, is divisible by the generator g(D). The register
starts at zero and nothing is inverted, so that an all-zero word always passes.

The remainder of a sum is the sum of the remainders: with r_d the remainder of D^{L+d} (d counts
from the end of the payload), the parity is the XOR of r_d over the ones of the payload. That is a
product of bits and a table, and needs no loop over the bits.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from phy.bits import unpack_integers
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
        pairs = zip(bits.split(), self._parity(bits), strict=True)
        values = torch.cat([part for pair in pairs for part in pair])
        return Ragged(values, tuple(n + self.width for n in bits.lengths))

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
        payload = bits.take([n - self.width for n in bits.lengths])
        received = torch.stack([part[-self.width :] for part in bits.split()])
        return Checked(payload, (self._parity(payload) == received).all(1))

    def _parity(self, bits: Ragged) -> Tensor:
        """The parity bits, uint8 ``[sequences, width]``; sequences of one length go together."""
        longest = max(bits.lengths)
        if longest > _MAX_BITS:
            raise ValueError(f"lengths must be at most {_MAX_BITS} bits, got {longest}")
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
