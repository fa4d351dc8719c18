"""Payloads to code blocks of k bits and back."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from phy.arrays import Bits
from phy.ragged import Ragged


@dataclass(frozen=True)
class CodeBlocks:
    """What the channel encoder takes: blocks of one size, and whose they are.

    Attributes:
        bits: ``[blocks, k]``, the payloads in order, each filled up with zeros in its last block.
        counts: Blocks of each payload; an empty payload has none.
    """

    bits: Bits
    counts: tuple[int, ...]


def segment(info: Ragged, *, k: int) -> CodeBlocks:
    """Cut each payload into blocks of ``k`` bits; no block holds bits of two payloads.

    >>> import torch
    >>> blocks = segment(Ragged(torch.ones(5), (4, 0, 1)), k=3)
    >>> blocks.bits.tolist()
    [[1.0, 1.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    >>> blocks.counts
    (2, 0, 1)
    """
    _check_k(k)
    padded = info.pad_to_multiple(k)
    return CodeBlocks(padded.values.reshape(-1, k), tuple(n // k for n in padded.lengths))


def join(blocks: Tensor, lengths: Sequence[int]) -> Ragged:
    """Put payloads of the given lengths together again and drop the padding.

    Args:
        blocks: ``[blocks, k]``, in the order that `segment` gave.
        lengths: Bits of each payload.

    Raises:
        ValueError: The lengths do not take exactly the blocks given.

    >>> import torch
    >>> join(torch.arange(6).reshape(2, 3), [4]).values.tolist()
    [0, 1, 2, 3]
    """
    k = blocks.shape[-1]
    _check_k(k)
    counts = [-(-n // k) for n in lengths]
    if sum(counts) != len(blocks):
        raise ValueError(
            f"lengths must take {len(blocks)} blocks of {k} bits, got lengths for {sum(counts)}"
        )
    padded = Ragged(blocks.reshape(-1), tuple(count * k for count in counts))
    return padded.take(lengths) if counts else padded


def _check_k(k: int) -> None:
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
