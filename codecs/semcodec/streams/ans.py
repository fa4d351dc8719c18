"""Asymmetric numeral systems: the whole image as one number, near the entropy.

Source: J. Duda, "Asymmetric numeral systems: entropy coding combining speed of Huffman coding
with compression rate of arithmetic coding" (2013), arXiv 1311.2540; here the range variant by
constriction's ``AnsCoder``: 32-bit words, a 64-bit state, probabilities in units of 2**-24.

The coder is a stack, whose top is read first. The words are therefore sent from the top down,
each most significant bit first, so that a wrong bit spoils what is read after it and not before.
From there on everything read is noise: the code does not fall into step again. The receiver knows
at the end, where the stack must be empty.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import constriction  # type: ignore[import-untyped]
import numpy as np
import torch
from torch import Tensor

from semcodec.codec import Indices
from semcodec.streams.contract import Unstreamed, host_bits, host_indices
from semcodec.streams.frequencies import Frequencies

WORD_BITS = 32


@dataclass(frozen=True)
class AnsStream:
    """All indices of an image in whole 32-bit words.

    >>> stream = AnsStream(Frequencies((900, 50, 50)))
    >>> sent = torch.tensor([0, 0, 1, 0, 0, 0, 2, 0] * 8)
    >>> bits = stream.encode(sent, columns=8)
    >>> len(bits)
    96
    >>> torch.equal(stream.decode(bits, rows=8, columns=8).indices, sent)
    True
    """

    frequencies: Frequencies

    @property
    def mean_bits(self) -> float:
        """The entropy; a stream has up to 55 bits more in all, for its start and its last word."""
        return self.frequencies.entropy

    def encode(self, indices: Indices, *, columns: int) -> Tensor:
        """Bits, uint8 ``[32 * words]``, of indices ``[n]``; there may be none."""
        values = host_indices(indices, codebook_size=self.frequencies.size, columns=columns)
        coder = constriction.stream.stack.AnsCoder()
        coder.encode_reverse(values.astype(np.int32), _model(self.frequencies))
        words = coder.get_compressed()[::-1].astype(">u4")
        return torch.from_numpy(np.unpackbits(words.view(np.uint8))).to(indices.device)

    def decode(self, bits: Tensor, *, rows: int, columns: int) -> Unstreamed:
        """Indices ``[rows * columns]`` of bits, uint8 ``[m]``; never fails.

        A stack is never sent with a zero on top, nor a part of a word: where such a thing
        arrives, nothing can be read, and every index is concealed by the most probable one.
        """
        values = host_bits(bits, rows=rows, columns=columns)
        count = rows * columns
        words = np.packbits(values[: len(values) // WORD_BITS * WORD_BITS]).view(">u4")
        readable = len(values) % WORD_BITS == 0 and (not len(words) or words[0] != 0)
        damaged = True
        if readable:
            coder = constriction.stream.stack.AnsCoder(words[::-1].astype(np.uint32))
            indices = coder.decode(_model(self.frequencies), count).astype(np.int64)
            damaged = not coder.is_empty()
        else:
            indices = np.full(count, self.frequencies.most_probable, dtype=np.int64)
        return Unstreamed(
            torch.from_numpy(indices).to(bits.device),
            torch.full((count,), not readable, device=bits.device),
            segments_damaged=int(damaged),
        )


@lru_cache(maxsize=8)
def _model(frequencies: Frequencies) -> Any:
    """The coder's model. It cannot be pickled, so it is no part of the stream."""
    return constriction.stream.model.Categorical(
        np.array(frequencies.counts, dtype=np.float64), perfect=False
    )
