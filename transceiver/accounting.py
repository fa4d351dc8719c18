"""How many bits of each kind, and how many symbols, one frame takes. Integers throughout."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Account:
    """One frame, everything counted.

    Attributes:
        source_bits: Bits of indices or bytes.
        length_bits: The field that tells the receiver how many bytes follow (byte codecs).
        crc_bits: Check bits.
        padding_bits: Zeros that fill the last code block and the last symbol.
        parity_bits: Coded bits less information bits, over all blocks.
        symbols: Channel uses: complex symbols, or binary ones over a BSC.
    """

    source_bits: int
    length_bits: int
    crc_bits: int
    padding_bits: int
    parity_bits: int
    symbols: int


@dataclass(frozen=True)
class FrameFormat:
    """What fixes those numbers.

    Attributes:
        crc_bits: Width of the CRC; 0 for none.
        k: Information bits of a code block; 0 where there is no code.
        n: Coded bits of a code block; 0 where there is no code.
        bits_per_symbol: Coded bits of a channel use.
    """

    crc_bits: int
    k: int
    n: int
    bits_per_symbol: int

    def blocks(self, payload_bits: int) -> int:
        """Code blocks of a payload (its CRC comes on top); 1 where there is no code."""
        return -(-(payload_bits + self.crc_bits) // self.k) if self.k else 1

    def account(self, source_bits: int, *, length_bits: int = 0) -> Account:
        """The bits and symbols of a frame.

        >>> account = FrameFormat(crc_bits=24, k=324, n=648, bits_per_symbol=4).account(1000)
        >>> account.padding_bits, account.parity_bits, account.symbols
        (272, 1296, 648)
        """
        info = source_bits + length_bits + self.crc_bits
        blocks = self.blocks(source_bits + length_bits)
        filler = blocks * self.k - info if self.k else 0
        coded = blocks * self.n if self.k else info
        symbols = -(-coded // self.bits_per_symbol)
        return Account(
            source_bits=source_bits,
            length_bits=length_bits,
            crc_bits=self.crc_bits,
            padding_bits=filler + symbols * self.bits_per_symbol - coded,
            parity_bits=blocks * (self.n - self.k),
            symbols=symbols,
        )

    def capacity(self, symbols: int) -> int:
        """The most source and length bits that a number of symbols can carry, at least 0.

        >>> FrameFormat(crc_bits=24, k=324, n=648, bits_per_symbol=4).capacity(648)
        1272
        """
        coded = symbols * self.bits_per_symbol
        info = coded // self.n * self.k if self.k else coded
        return max(info - self.crc_bits, 0)

    @property
    def nominal_bits_per_symbol(self) -> float:
        """Code rate times bits per symbol: what Eb/N0 is referred to."""
        return self.bits_per_symbol * (self.k / self.n if self.k else 1.0)
