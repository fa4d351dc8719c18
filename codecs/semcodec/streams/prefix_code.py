"""A complete prefix-free code, written and read by tables.

The code is canonical: sorted by (length, codeword number), the words are consecutive binary
numbers, each shifted left where the length grows (D. S. Hirschberg and D. A. Lelewer, "Efficient
decoding of prefix codes", Commun. ACM 33, 1990; RFC 1951 section 3.2.2). So it is known by its
lengths alone, and followed by zeros the words are in ascending order: the word at the front of
some bits is the last one that is not above those bits, which a binary search finds. It is
searched for at every position of the stream at once; what is left to do in a loop is to step from
word to word.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from semcodec.streams.windows import windows

LONGEST = 48
"""Bits of the longest word. Huffman words for counts that add up to n have at most 1.45 log2(n)."""


@dataclass(frozen=True)
class PrefixCode:
    """The canonical code of given word lengths.

    >>> code = PrefixCode((2, 1, 2))
    >>> code.words
    ('10', '0', '11')
    >>> bits = code.write(np.array([0, 1, 2]))
    >>> bits.tolist()
    [1, 0, 0, 1, 1]
    >>> code.reader(bits).read(3, start=0, stop=5)
    ([0, 1, 2], 5)

    Attributes:
        lengths: Bits of the word of each codeword 0 .. K-1.
    """

    lengths: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse lengths without a complete code: Kraft's sum of 2**-length must be 1."""
        if not self.lengths or not 1 <= min(self.lengths) <= max(self.lengths) <= LONGEST:
            raise ValueError(f"lengths must be 1 to {LONGEST}, got {self.lengths}")
        kraft = sum(1 << (self.longest - length) for length in self.lengths)
        if kraft != 1 << self.longest:
            raise ValueError(
                f"lengths must have the Kraft sum 1, got {kraft / (1 << self.longest)}"
            )

    @property
    def shortest(self) -> int:
        """Bits of the shortest word."""
        return min(self.lengths)

    @cached_property
    def longest(self) -> int:
        """Bits of the longest word."""
        return max(self.lengths)

    @property
    def words(self) -> tuple[str, ...]:
        """The words as strings of 0 and 1, by codeword."""
        return tuple(
            "".join(map(str, row[:length]))
            for row, length in zip(self._digits.tolist(), self.lengths, strict=True)
        )

    def write(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The words of indices ``[n]``, one after the other."""
        bits: NDArray[np.uint8] = self._digits[indices][self._used[indices]]
        return bits

    def reader(self, bits: NDArray[np.uint8]) -> "Reader":
        """Find the word at every position of bits ``[m]``; zeros follow them."""
        fronts = windows(bits, width=self.longest)
        rank = np.searchsorted(self._ascending, fronts, side="right") - 1
        codewords = self._order[rank]
        return Reader(codewords.tolist(), self._lengths[codewords].tolist())

    @cached_property
    def _lengths(self) -> NDArray[np.int64]:
        return np.array(self.lengths, dtype=np.int64)

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        """Codewords by (length, number), ``[K]``."""
        return np.argsort(self._lengths, kind="stable")

    @cached_property
    def _ascending(self) -> NDArray[np.int64]:
        """Words in that order, followed by zeros up to ``longest`` bits, ``[K]``."""
        spans = np.int64(1) << (self.longest - self._lengths[self._order])
        words: NDArray[np.int64] = np.cumsum(spans) - spans
        return words

    @cached_property
    def _digits(self) -> NDArray[np.uint8]:
        """Words by codeword, followed by zeros, ``[K, longest]``."""
        words = np.empty(len(self.lengths), dtype=np.int64)
        words[self._order] = self._ascending
        return (words[:, None] >> np.arange(self.longest - 1, -1, -1) & 1).astype(np.uint8)

    @cached_property
    def _used(self) -> NDArray[np.bool_]:
        """Which digits belong to the word, ``[K, longest]``."""
        return np.arange(self.longest) < self._lengths[:, None]


@dataclass(frozen=True)
class Reader:
    """A stream with the word at each of its positions known: `PrefixCode.reader`.

    Attributes:
        codewords: The codeword whose word begins at each position.
        lengths: The length of that word in bits.
    """

    codewords: list[int]
    lengths: list[int]

    def read(self, count: int, *, start: int, stop: int) -> tuple[list[int], int]:
        """Read up to ``count`` words between two positions.

        Returns:
            The codewords, fewer than ``count`` where the next word would pass ``stop``, and the
            position behind the last of them.
        """
        found: list[int] = []
        position = start
        while len(found) < count and position < stop:
            end = position + self.lengths[position]
            if end > stop:
                break
            found.append(self.codewords[position])
            position = end
        return found, position
