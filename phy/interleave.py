"""Interleavers: fixed permutations of the bits, or LLRs, of a code block."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from phy.host import array, on_host
from phy.jit import kernel

_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""What is moved in place of elements of so many bytes."""


@dataclass(frozen=True)
class RowColumn:
    """The block interleaver of ETSI EN 302 307-1 clause 5.3.3.

    A block is written column by column into ``columns`` columns and read row by row: with one
    column per bit of a symbol, the bits of one symbol lie a column apart in the code block.

    >>> RowColumn(columns=3).interleave(torch.arange(6)).tolist()
    [0, 2, 4, 1, 3, 5]
    """

    columns: int

    def __post_init__(self) -> None:
        """Refuse a block without columns."""
        if self.columns < 1:
            raise ValueError(f"columns must be at least 1, got {self.columns}")

    def interleave(self, x: Tensor) -> Tensor:
        """Permute ``[..., n]`` of any type; ``n`` must be a multiple of ``columns``."""
        self._check(x)
        return _take(x, _column_order(x.shape[-1], self.columns))

    def deinterleave(self, x: Tensor) -> Tensor:
        """Undo `interleave`, on ``[..., n]`` of any type."""
        self._check(x)
        return _take(x, _column_order(x.shape[-1], x.shape[-1] // self.columns))

    def _check(self, x: Tensor) -> None:
        if x.shape[-1] % self.columns:
            raise ValueError(
                f"a block must be a multiple of {self.columns} columns, got {x.shape[-1]}"
            )


@dataclass(frozen=True)
class Permutation:
    """A permutation drawn uniformly, once per block length, from the seed.

    >>> spread = Permutation(seed=1)
    >>> spread.deinterleave(spread.interleave(torch.arange(5))).tolist()
    [0, 1, 2, 3, 4]
    """

    seed: int

    def interleave(self, x: Tensor) -> Tensor:
        """Permute ``[..., n]`` of any type."""
        return _take(x, _permutation(self.seed, x.shape[-1]))

    def deinterleave(self, x: Tensor) -> Tensor:
        """Undo `interleave`, on ``[..., n]`` of any type."""
        return _take(x, _inverse_permutation(self.seed, x.shape[-1]))


@cache
def _column_order(length: int, columns: int) -> Tensor:
    """The places, in a block written column by column, of what is read row by row."""
    return torch.arange(length).reshape(columns, length // max(columns, 1)).T.flatten()


@cache
def _permutation(seed: int, length: int) -> Tensor:
    return torch.randperm(length, generator=torch.Generator().manual_seed(seed))


@cache
def _inverse_permutation(seed: int, length: int) -> Tensor:
    return _permutation(seed, length).argsort()


def _take(x: Tensor, order: Tensor) -> Tensor:
    """The elements of each block, ``[..., n]``, in another order, int64 ``[n]``."""
    integer = _INTEGERS.get(x.element_size())
    if integer is None or not on_host(x) or not x.numel():
        return x[..., order.to(x.device)]
    taken = torch.empty(x.shape, dtype=x.dtype)
    blocks, target = (array(b.resolve_conj().contiguous().view(integer)) for b in (x, taken))
    _reorder(blocks.reshape(-1, len(order)), target.reshape(-1, len(order)), array(order))
    return taken


@kernel
def _reorder(blocks: Any, taken: Any, order: Any) -> None:
    for b in range(len(blocks)):
        block, target = blocks[b], taken[b]
        for i in range(len(order)):
            target[i] = block[order[i]]
