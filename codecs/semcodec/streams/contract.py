"""What an index stream promises: codeword indices to bits, and back over a link that errs.

The indices of an image form a grid of ``rows`` by ``columns``, sent row by row; both ends know
its size from the image's, so nothing of it is sent. The receiver is also told where the stream
ends: the bits that it hands to `IndexStream.decode` are as many as were sent, and only flipped.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semcodec.codec import Indices

MOST_BITS_PER_INDEX = 16
"""Codebooks of up to 65,536 words."""


@dataclass(frozen=True)
class Unstreamed:
    """What a receiver makes of an index stream. It always has every index.

    Attributes:
        indices: int64 ``[rows * columns]``.
        concealed: bool ``[rows * columns]``: the index was lost, and a guess stands in its place.
        mark_bits: Bits of the stream that are resynchronisation marks.
        segments: Parts of the stream that are decoded on their own.
        segments_damaged: How many of them the receiver knows to be damaged.
    """

    indices: Indices
    concealed: Tensor
    mark_bits: int = 0
    segments: int = 1
    segments_damaged: int = 0


class IndexStream(Protocol):
    """Two verbs, one the inverse of the other where no bit is flipped."""

    @property
    def mean_bits(self) -> float:
        """Expected bits per index under the stream's own probabilities, without marks."""
        ...

    def encode(self, indices: Indices, *, columns: int) -> Tensor:
        """The bits, uint8 ``[m]``, of indices ``[rows * columns]``."""
        ...

    def decode(self, bits: Tensor, *, rows: int, columns: int) -> Unstreamed:
        """The indices of bits, uint8 ``[m]``, whatever happened to them on the way."""
        ...


@dataclass(frozen=True)
class StreamCounts:
    """Integer counters of one transmission: `stream_counts`.

    Attributes:
        mark_bits: Bits spent on marks.
        segments: Parts decoded on their own.
        segments_damaged: Parts that the receiver knows to be damaged.
        indices: Indices sent.
        indices_concealed: Indices that the receiver had to guess.
        indices_wrong: Indices other than sent, guessed or not.
    """

    mark_bits: int
    segments: int
    segments_damaged: int
    indices: int
    indices_concealed: int
    indices_wrong: int


def stream_counts(received: Unstreamed, *, sent: Indices) -> StreamCounts:
    """Count what became of the indices sent, ``[n]``.

    >>> received = Unstreamed(torch.tensor([4, 2, 2]), torch.tensor([False, True, True]))
    >>> stream_counts(received, sent=torch.tensor([4, 2, 3])).indices_wrong
    1
    """
    if sent.shape != received.indices.shape:
        raise ValueError(
            f"sent must have the shape {list(received.indices.shape)} of what was received, "
            f"got {list(sent.shape)}"
        )
    return StreamCounts(
        mark_bits=received.mark_bits,
        segments=received.segments,
        segments_damaged=received.segments_damaged,
        indices=sent.numel(),
        indices_concealed=int(received.concealed.sum()),
        indices_wrong=int((received.indices != sent).sum()),
    )


def host_indices(indices: Indices, *, codebook_size: int, columns: int) -> NDArray[np.int64]:
    """Indices ``[rows * columns]`` as an array, checked."""
    _check_integers(indices, "indices")
    if indices.dim() != 1 or columns < 1 or indices.numel() == 0 or indices.numel() % columns:
        raise ValueError(
            f"indices must be [rows * columns] with {columns} columns, got {list(indices.shape)}"
        )
    values: NDArray[Any] = indices.cpu().numpy().astype(np.int64)
    if values.min() < 0 or values.max() >= codebook_size:
        raise ValueError(
            f"indices must be in [0, {codebook_size}), got {values.min()} to {values.max()}"
        )
    return values


def host_bits(bits: Tensor, *, rows: int, columns: int) -> NDArray[np.uint8]:
    """Bits ``[m]`` as an array, checked, and the size of the grid with them."""
    if rows < 1 or columns < 1:
        raise ValueError(f"rows and columns must be at least 1, got {rows} and {columns}")
    if bits.dtype != torch.uint8 or bits.dim() != 1:
        raise ValueError(f"bits must be uint8 [m], got {bits.dtype} {list(bits.shape)}")
    values: NDArray[np.uint8] = bits.cpu().numpy()
    if values.size and values.max() > 1:
        raise ValueError(f"bits must be 0 or 1, got {values.max()}")
    return values


def _check_integers(values: Tensor, name: str) -> None:
    if values.is_floating_point() or values.is_complex() or values.dtype == torch.bool:
        raise ValueError(f"{name} must be integers, got {values.dtype}")
