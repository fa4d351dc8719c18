"""Interleavers: fixed permutations of the bits, or LLRs, of a code block."""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor


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
        return x.reshape(*x.shape[:-1], self.columns, self._rows(x)).transpose(-1, -2).flatten(-2)

    def deinterleave(self, x: Tensor) -> Tensor:
        """Undo `interleave`, on ``[..., n]`` of any type."""
        return x.reshape(*x.shape[:-1], self._rows(x), self.columns).transpose(-1, -2).flatten(-2)

    def _rows(self, x: Tensor) -> int:
        rows, rest = divmod(x.shape[-1], self.columns)
        if rest:
            raise ValueError(
                f"a block must be a multiple of {self.columns} columns, got {x.shape[-1]}"
            )
        return rows


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
        return x[..., _permutation(self.seed, x.shape[-1]).to(x.device)]

    def deinterleave(self, x: Tensor) -> Tensor:
        """Undo `interleave`, on ``[..., n]`` of any type."""
        return x[..., _permutation(self.seed, x.shape[-1]).argsort().to(x.device)]


@cache
def _permutation(seed: int, length: int) -> Tensor:
    return torch.randperm(length, generator=torch.Generator().manual_seed(seed))
