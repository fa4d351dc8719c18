"""Huffman words with resynchronisation marks between rows: an error costs a segment, not the rest.

The receiver first reads in step: segment, mark, segment, mark, ... If every mark is where the
words end and the last word ends with the stream, no more is needed; so what arrives intact is
read intact, whatever the data look like. Otherwise it searches marks everywhere, takes those that
fit together, and reads each segment from its mark on. A segment is known to be damaged where its
words do not end at the next mark, or where its own mark or the next one was not found. Words that
were read are kept, the other indices concealed.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semcodec.codec import Indices
from semcodec.streams.conceal import conceal
from semcodec.streams.contract import Unstreamed, host_bits, host_indices
from semcodec.streams.frequencies import Frequencies
from semcodec.streams.huffman import huffman_code
from semcodec.streams.marks import Found, Marks
from semcodec.streams.prefix_code import PrefixCode, Reader


@dataclass(frozen=True)
class MarkedHuffmanStream:
    """Huffman words in segments of whole rows.

    >>> marks = Marks(rows_per_segment=1, word_bits=16, tolerance=1)
    >>> stream = MarkedHuffmanStream(Frequencies((5, 1, 1, 3)), marks)
    >>> bits = stream.encode(torch.tensor([0, 1, 0, 3]), columns=2)
    >>> len(bits)  # 7 of words, 17 of the mark
    24
    >>> bits[1] ^= 1  # now the first row is 0 0 0 and not 0 1
    >>> arrived = stream.decode(bits, rows=2, columns=2)
    >>> arrived.indices.tolist(), arrived.segments, arrived.segments_damaged
    ([0, 0, 0, 3], 2, 1)
    """

    frequencies: Frequencies
    marks: Marks

    @cached_property
    def code(self) -> PrefixCode:
        """The words."""
        return huffman_code(self.frequencies)

    @property
    def mean_bits(self) -> float:
        """Mean length sum p_k length_k of a word; marks, which depend on the grid, not counted."""
        return float(self.frequencies.probabilities @ np.array(self.code.lengths))

    def encode(self, indices: Indices, *, columns: int) -> Tensor:
        """Bits, uint8 ``[m]``, of indices ``[rows * columns]``."""
        values = host_indices(indices, codebook_size=self.frequencies.size, columns=columns)
        rows, step = len(values) // columns, self.marks.rows_per_segment * columns
        parts = [self.code.write(values[:step])]
        for number in range(1, self.marks.segments(rows)):
            parts.append(self.marks.mark(number, rows=rows))
            parts.append(self.code.write(values[number * step : (number + 1) * step]))
        return torch.from_numpy(np.concatenate(parts)).to(indices.device)

    def decode(self, bits: Tensor, *, rows: int, columns: int) -> Unstreamed:
        """Indices ``[rows * columns]`` of bits, uint8 ``[m]``; never fails."""
        values = host_bits(bits, rows=rows, columns=columns)
        reader = self.code.reader(values)
        count, step = rows * columns, self.marks.rows_per_segment * columns
        segments = self.marks.segments(rows)
        begins = self._in_step(values, reader, rows=rows, columns=columns)
        if begins is None:
            found = self.marks.search(values, rows=rows)
            begins = self._fitting(found, rows=rows, columns=columns)
        indices, lost = np.zeros(count, dtype=np.int64), np.ones(count, dtype=np.bool_)
        intact = 0
        # Number of a segment, its first bit, and the first bit of the mark before it.
        for (number, start, _), (following, _, stop) in pairwise(
            [*begins, (segments, len(values), len(values))]
        ):
            first = number * step
            size = min(step, count - first)
            read, end = reader.read(size, start=start, stop=stop)
            indices[first : first + len(read)] = read
            lost[first : first + len(read)] = False
            intact += following == number + 1 and len(read) == size and end == stop
        guess = self.frequencies.most_probable
        filled = conceal(indices, lost=lost, columns=columns, fallback=guess)
        return Unstreamed(
            torch.from_numpy(filled).to(bits.device),
            torch.from_numpy(lost).to(bits.device),
            mark_bits=self.marks.total_bits(rows),
            segments=segments,
            segments_damaged=segments - intact,
        )

    def _in_step(
        self, bits: NDArray[np.uint8], reader: Reader, *, rows: int, columns: int
    ) -> list[tuple[int, int, int]] | None:
        """The segments' places, if every one ends where the next begins."""
        begins, step = [(0, 0, 0)], self.marks.rows_per_segment * columns
        left, width = rows * columns, self.marks.width(rows)
        for number in range(1, self.marks.segments(rows)):
            read, end = reader.read(step, start=begins[-1][1], stop=len(bits))
            mark = bits[end : end + width]
            if len(read) < step or len(mark) < width:
                return None
            if (mark != self.marks.mark(number, rows=rows)).sum() > self.marks.tolerance:
                return None
            begins.append((number, end + width, end))
            left -= step
        read, end = reader.read(left, start=begins[-1][1], stop=len(bits))
        return begins if len(read) == left and end == len(bits) else None

    def _fitting(self, found: Found, *, rows: int, columns: int) -> list[tuple[int, int, int]]:
        """The most marks that can all be true, and of such sets one with the fewest wrong bits.

        Bits are flipped, never added or lost: between marks a < b lie the words of b - a
        segments, none shorter or longer than the code's, and b - a - 1 marks.
        """
        width, step = self.marks.width(rows), self.marks.rows_per_segment * columns
        numbers = np.concatenate([[0], found.numbers])
        starts = np.concatenate([[0], found.positions + width])
        per_mark = self.marks.segments(rows) * (self.marks.tolerance + 1)  # above all distances
        scores = np.full(len(numbers), -1, dtype=np.int64)
        before = np.zeros(len(numbers), dtype=np.int64)
        scores[0] = 0
        for j in range(1, len(numbers)):
            apart = numbers[j] - numbers[:j]
            words = starts[j] - starts[:j] - apart * width
            fits = (scores[:j] >= 0) & (apart > 0)
            fits &= (words >= apart * step * self.code.shortest) & (
                words <= apart * step * self.code.longest
            )
            if fits.any():
                before[j] = np.where(fits, scores[:j], -1).argmax()
                scores[j] = scores[before[j]] + per_mark - found.distances[j - 1]
        chain, j = [], int(scores.argmax())
        while j:
            chain.append((int(numbers[j]), int(starts[j]), int(starts[j]) - width))
            j = int(before[j])
        return [(0, 0, 0), *reversed(chain)]
