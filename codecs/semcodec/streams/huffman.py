"""Huffman codes for codewords that are sent with different frequencies.

Source: D. A. Huffman, "A method for the construction of minimum-redundancy codes", Proc. IRE 40
(1952). The word lengths come from constriction's Huffman tree over integer frequencies, which
it adds exactly; the words are the canonical ones of those lengths (`prefix_code`). Writing and
reading are done with tables of our own: constriction takes one call for each index.
"""

from dataclasses import dataclass
from functools import cached_property

import constriction  # type: ignore[import-untyped]
import numpy as np
import torch
from torch import Tensor

from semcodec.codec import Indices
from semcodec.streams.conceal import conceal
from semcodec.streams.contract import Unstreamed, host_bits, host_indices
from semcodec.streams.frequencies import Frequencies
from semcodec.streams.prefix_code import PrefixCode


def huffman_code(frequencies: Frequencies) -> PrefixCode:
    """The code with the least mean length.

    >>> huffman_code(Frequencies((5, 1, 1, 3))).words
    ('0', '110', '111', '10')
    """
    weights = np.array(frequencies.counts, dtype=np.float64)  # integers below 2**53: exact
    tree = constriction.symbol.huffman.EncoderHuffmanTree(weights)
    lengths = []
    for codeword in range(frequencies.size):
        word = constriction.symbol.QueueEncoder()
        word.encode_symbol(codeword, tree)
        lengths.append(int(word.get_compressed_and_bitrate()[1]))
    return PrefixCode(tuple(lengths))


@dataclass(frozen=True)
class HuffmanStream:
    """All indices of an image as Huffman words, without anything between them.

    After a wrong bit the reader may lose step, and with it count: words go on being read, but
    for the wrong places. It knows of that only at the end, where bits are missing or left over.
    Indices that it could not read are concealed; those that it read are kept.

    >>> stream = HuffmanStream(Frequencies((5, 1, 1, 3)))
    >>> bits = stream.encode(torch.tensor([0, 1, 0, 3]), columns=2)
    >>> bits.tolist()
    [0, 1, 1, 0, 0, 1, 0]
    >>> stream.decode(bits, rows=2, columns=2).indices.tolist()
    [0, 1, 0, 3]
    """

    frequencies: Frequencies

    @cached_property
    def code(self) -> PrefixCode:
        """The words."""
        return huffman_code(self.frequencies)

    @property
    def mean_bits(self) -> float:
        """Mean length sum p_k length_k: at least the entropy, less than 1 bit above it."""
        return float(self.frequencies.probabilities @ np.array(self.code.lengths))

    def encode(self, indices: Indices, *, columns: int) -> Tensor:
        """Bits, uint8 ``[m]``, of indices ``[n]``."""
        values = host_indices(indices, codebook_size=self.frequencies.size, columns=columns)
        return torch.from_numpy(self.code.write(values)).to(indices.device)

    def decode(self, bits: Tensor, *, rows: int, columns: int) -> Unstreamed:
        """Indices ``[rows * columns]`` of bits, uint8 ``[m]``; never fails."""
        values = host_bits(bits, rows=rows, columns=columns)
        count = rows * columns
        found, end = self.code.reader(values).read(count, start=0, stop=len(values))
        indices = np.zeros(count, dtype=np.int64)
        indices[: len(found)] = found
        lost = np.arange(count) >= len(found)
        guess = self.frequencies.most_probable
        filled = conceal(indices, lost=lost, columns=columns, fallback=guess)
        damaged = len(found) < count or end < len(values)
        return Unstreamed(
            torch.from_numpy(filled).to(bits.device),
            torch.from_numpy(lost).to(bits.device),
            segments_damaged=int(damaged),
        )
