"""Bits of HEVC headers: fixed-length and exp-Golomb fields, emulation prevention, NAL units.

Most significant bit first. Clauses are of ITU-T H.265 (08/2021).
"""

import re
from dataclasses import dataclass, field

START_CODE = b"\0\0\1"


@dataclass
class BitReader:
    """Reads header fields from bytes; `ValueError` past the end.

    >>> reader = BitReader(bytes([0b1_010_011_0]))
    >>> reader.ue(), reader.ue(), reader.se(), reader.position
    (0, 1, -1, 7)
    """

    data: bytes
    position: int = 0

    def u(self, count: int) -> int:
        """An unsigned integer of ``count`` bits."""
        end = self.position + count
        if end > 8 * len(self.data):
            raise ValueError(f"bit stream must hold {end} bits, got {8 * len(self.data)}")
        first, last = self.position // 8, (end + 7) // 8
        value = int.from_bytes(self.data[first:last], "big") >> (8 * last - end)
        self.position = end
        return value & ((1 << count) - 1)

    def ue(self) -> int:
        """Unsigned exp-Golomb number, clause 9.2: 1, 010, 011, 00100, ... are 0, 1, 2, 3."""
        zeros = 0
        while self.u(1) == 0:
            zeros += 1
            if zeros > 32:
                raise ValueError("exp-Golomb prefix must be at most 32 zeros, got more")
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        """Signed exp-Golomb number, clause 9.2.2: code numbers 0, 1, 2, 3 are 0, 1, -1, 2."""
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)


@dataclass
class BitWriter:
    """Writes header fields.

    >>> writer = BitWriter()
    >>> for value in (0, 1, 2):
    ...     writer.ue(value)
    >>> writer.to_bytes() == bytes([0b1_010_011_0])
    True
    """

    bits: list[str] = field(default_factory=list)

    def u(self, count: int, value: int) -> None:
        """An unsigned integer in ``count`` bits."""
        if not 0 <= value < 1 << count:
            raise ValueError(f"value must fit into {count} bits, got {value}")
        if count:
            self.bits.append(format(value, f"0{count}b"))

    def ue(self, value: int) -> None:
        """Unsigned exp-Golomb number, clause 9.2."""
        length = (value + 1).bit_length()
        self.u(2 * length - 1, value + 1)

    def stop(self) -> None:
        """The stop bit 1 of rbsp_trailing_bits, clause 7.3.2.11; `to_bytes` adds its zeros."""
        self.u(1, 1)

    def to_bytes(self) -> bytes:
        """Everything written, zero-padded to whole bytes."""
        text = "".join(self.bits)
        text += "0" * (-len(text) % 8)
        return int(text, 2).to_bytes(len(text) // 8, "big") if text else b""


def escape(rbsp: bytes) -> bytes:
    r"""Insert the emulation prevention byte 3 after two zeros that a byte 0..3 follows, 7.4.2.

    >>> escape(b"\0\0\0\0\1").hex()
    '00000300000301'
    """
    out = bytearray()
    zeros = 0
    for byte in rbsp:
        if zeros == 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def unescape(payload: bytes) -> bytes:
    r"""Remove the emulation prevention bytes: the inverse of `escape`.

    >>> unescape(bytes.fromhex("00000300000301")).hex()
    '0000000001'
    """
    return payload.replace(b"\0\0\3", b"\0\0")


def split_nals(stream: bytes) -> tuple[bytes, ...]:
    r"""The NAL units of a byte stream with start codes (Annex B), without those.

    >>> split_nals(b"\0\0\0\1\x40\1ab\0\0\1\x42\1c")
    (b'@\x01ab', b'B\x01c')
    """
    return tuple(nal for nal in re.split(b"\0{2,}\1", stream) if nal)


def nal_type(nal: bytes) -> int:
    r"""nal_unit_type of a NAL unit, clause 7.3.1.2: 32 VPS, 33 SPS, 34 PPS, 19 and 20 IDR.

    >>> nal_type(b"\x42\1")
    33
    """
    return nal[0] >> 1 & 63
