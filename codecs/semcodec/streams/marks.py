"""Resynchronisation marks: where in a stream of variable-length words the segments begin.

::

    rows 0 .. n-1 | mark 1 | rows n .. 2n-1 | mark 2 | ... | last rows
                   mark s = unique word, then s in N bits

A segment is ``rows_per_segment`` rows of the grid; the first one needs no mark, and both ends know
how many there are. The unique words are the frame synchronisation patterns of IRIG Standard 106,
chapter 4, appendix A ("optimum patterns"), chosen there for how little they look like themselves
when shifted. Huffman codes are complete, so no word is kept out of the data: a mark is recognised
with certain probabilities only. With L = word_bits + N and a tolerance of t bits,

- a mark is missed with P = 1 - sum_{i <= t} C(L, i) eps^i (1 - eps)^(L-i) at bit error rate eps;
- at a position with random bits a given mark is seen with P = sum_{i <= t} C(L, i) / 2^L.

False marks rarely survive, since a mark must lie where the segments before it can end.
"""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from semcodec.streams.windows import windows

WordBits: TypeAlias = Literal[16, 24, 32]

UNIQUE_WORDS: dict[int, int] = {
    16: 0b1110101110010000,
    24: 0b111110101111001100100000,
    32: 0b11111110011010110010100001000000,
}


@dataclass(frozen=True)
class Found:
    """Places that look like marks, in the order of their positions.

    Attributes:
        positions: Of the first bit, int64 ``[c]``.
        numbers: Of the segment that would begin behind it, int64 ``[c]``.
        distances: Bits that differ from that mark, int64 ``[c]``.
    """

    positions: NDArray[np.int64]
    numbers: NDArray[np.int64]
    distances: NDArray[np.int64]


@dataclass(frozen=True)
class Marks:
    """A mark before every ``rows_per_segment`` rows but the first.

    >>> marks = Marks(rows_per_segment=2, word_bits=16, tolerance=1)
    >>> marks.segments(8), marks.width(8), marks.total_bits(8)
    (4, 18, 54)
    >>> "".join(map(str, marks.mark(2, rows=8)))
    '111010111001000010'

    Attributes:
        rows_per_segment: Rows of the grid between two marks.
        word_bits: Length of the unique word: 16, 24 or 32.
        tolerance: Wrong bits, of the mark with its number, with which it is still recognised.
    """

    rows_per_segment: int
    word_bits: WordBits
    tolerance: int

    def __post_init__(self) -> None:
        """Refuse marks that cannot be told from data."""
        if self.rows_per_segment < 1:
            raise ValueError(f"rows_per_segment must be at least 1, got {self.rows_per_segment}")
        if self.word_bits not in UNIQUE_WORDS:
            raise ValueError(f"word_bits must be one of {get_args(WordBits)}, got {self.word_bits}")
        if not 0 <= self.tolerance <= self.word_bits // 8:
            raise ValueError(
                f"tolerance must be 0 to {self.word_bits // 8} "
                f"for a word of {self.word_bits} bits, got {self.tolerance}"
            )

    def segments(self, rows: int) -> int:
        """Segments of a grid."""
        return -(-rows // self.rows_per_segment)

    def width(self, rows: int) -> int:
        """Bits of one mark: the word, and as many as the last segment's number takes."""
        return self.word_bits + (self.segments(rows) - 1).bit_length()

    def total_bits(self, rows: int) -> int:
        """Bits of all marks of a stream."""
        return (self.segments(rows) - 1) * self.width(rows)

    def mark(self, number: int, *, rows: int) -> NDArray[np.uint8]:
        """The mark before segment ``number``, 1 .. segments - 1, as bits ``[width]``."""
        width = self.width(rows)
        word = UNIQUE_WORDS[self.word_bits] << (width - self.word_bits) | number
        return (word >> np.arange(width - 1, -1, -1) & 1).astype(np.uint8)

    def search(self, bits: NDArray[np.uint8], *, rows: int) -> Found:
        """Every place of bits ``[m]`` that is a mark but for ``tolerance`` bits at most.

        One place may look like several marks.
        """
        width = self.width(rows)
        fronts = windows(bits, width=width)[: max(len(bits) - width + 1, 0)]
        in_word = _differing(fronts >> (width - self.word_bits), UNIQUE_WORDS[self.word_bits])
        positions = np.flatnonzero(in_word <= self.tolerance)
        numbers = np.arange(1, self.segments(rows))
        word = UNIQUE_WORDS[self.word_bits] << (width - self.word_bits)
        distances = _differing(fronts[positions, None], word | numbers)
        at, which = np.nonzero(distances <= self.tolerance)
        return Found(positions[at], numbers[which], distances[at, which])

    def false_mark_probability(self, rows: int) -> float:
        """That random bits at one position pass for one given mark."""
        width = self.width(rows)
        accepted = sum(math.comb(width, i) for i in range(self.tolerance + 1))
        return math.ldexp(accepted, -width)

    def missed_mark_probability(self, rows: int, *, bit_error_rate: float) -> float:
        """That a mark is not recognised at its place."""
        width = self.width(rows)
        return 1 - sum(
            math.comb(width, i) * bit_error_rate**i * (1 - bit_error_rate) ** (width - i)
            for i in range(self.tolerance + 1)
        )


def _differing(a: NDArray[np.int64], b: NDArray[np.int64] | int) -> NDArray[np.int64]:
    """Hamming distance of integers."""
    distance: NDArray[np.int64] = np.bitwise_count(a ^ b).astype(np.int64)
    return distance
