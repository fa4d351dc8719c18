"""The LDPC code of 5G NR with its rate matching, 3GPP TS 38.212 clauses 5.3.2 and 5.4.2.1.

::

    info k | filler        core parity 4 Z_c      extension parity
    [........00000][............................][..............................]
     ~~~~~~ 2 Z_c bits never sent                 ends after the last row in use
            ^ the circular buffer starts here and leaves the filler out
"""

from dataclasses import dataclass
from functools import cache, cached_property

import torch

from phy.arrays import Bits, Llrs
from phy.ldpc import nr_base_graph
from phy.ldpc.code import CERTAIN_LLR, check_info, check_llrs
from phy.ldpc.encoding import from_lanes, multiply, solve_dual_diagonal, to_lanes
from phy.ldpc.graph import TannerGraph, circulants, expand
from phy.ldpc.nr_base_graph import BaseGraph

_CORE = 4
_MAX_CODE_RATE = 0.95


@dataclass(frozen=True)
class Nr:
    """A code of any k and n: base graph, lifting, filler bits and redundancy version 0.

    The bits are not interleaved (clause 5.4.2.2), as that belongs to the modulation, and k is one
    code block (12 to 8448 bits): segmentation and CRCs are stages of their own. For n beyond the
    circular buffer its bits are repeated.

    The last parity columns of a base graph are each checked by one row only. Where nothing is sent
    of such a column, its row tells the decoder nothing: ``graph`` ends before both.

    >>> code = Nr(100, 200)
    >>> coded = code.encode(torch.ones(100, dtype=torch.uint8))
    >>> coded.shape
    torch.Size([200])
    >>> int(code.graph.syndrome(code.codeword(torch.ones(100, dtype=torch.uint8))).sum())
    0
    """

    k: int
    n: int

    def __post_init__(self) -> None:
        """Refuse what the clauses, or one code block, do not cover."""
        if not 12 <= self.k <= 8448:
            raise ValueError(f"k must be 12 to 8448, got {self.k}")
        if self.n < 1 or self.k / self.n > _MAX_CODE_RATE:
            raise ValueError(
                f"n must be at least k / {_MAX_CODE_RATE} = {self.k / _MAX_CODE_RATE:.1f}, "
                f"got {self.n}"
            )
        nr_base_graph.select(k=self.k, code_rate=self.k / self.n)

    @cached_property
    def base(self) -> BaseGraph:
        """The base graph and lifting size that k and n choose."""
        return nr_base_graph.select(k=self.k, code_rate=self.k / self.n)

    @property
    def filler(self) -> int:
        """Zero bits behind the information bits, known to the receiver and not sent."""
        return self.base.info_columns * self.base.z - self.k

    @property
    def graph(self) -> TannerGraph:
        """The parity checks of the block rows in use."""
        return _graph(self.base.index, self.base.z, self._rows)

    def encode(self, info: Bits) -> Bits:
        """Information bits ``[..., k]`` to coded bits ``[..., n]``."""
        word, z = self.codeword(info), self.base.z
        buffer = [word[..., 2 * z : self.k], word[..., self.base.info_columns * z :]]
        repeats = -(-self.n // self._buffer_size)
        return torch.cat(buffer * repeats, -1)[..., : self.n].contiguous()

    def codeword(self, info: Bits) -> Bits:
        """Information bits ``[..., k]`` to the mother codeword ``[..., variables]``."""
        check_info(info, k=self.k)
        z, columns = self.base.z, self.base.info_columns
        padded = torch.cat([info, info.new_zeros((*info.shape[:-1], self.filler))], -1)
        x = to_lanes(padded).reshape(-1, columns, z)
        core, extension = self._matrices
        sums = multiply(core, x, rows=_CORE)
        parity = solve_dual_diagonal(sums, [row[columns] for row in self.base.shifts[:_CORE]])
        x = torch.cat([x, parity], 1)
        x = torch.cat([parity, multiply(extension, x, rows=self._rows - _CORE)], 1)
        return torch.cat([padded, from_lanes(x.flatten(1), batch=info.shape[:-1])], -1)

    def rate_recover(self, llrs: Llrs) -> Llrs:
        """LLRs ``[..., n]`` to those of the mother codeword ``[..., variables]``.

        A bit that was not sent gets 0, one sent several times the sum, a filler bit `CERTAIN_LLR`.
        """
        check_llrs(llrs, n=self.n)
        size = self._buffer_size
        buffer = llrs[..., :size]
        if self.n > size:
            buffer = buffer.clone()
        for start in range(size, self.n, size):
            repeated = llrs[..., start : start + size]
            buffer[..., : repeated.shape[-1]] += repeated
        mother = llrs.new_zeros((*llrs.shape[:-1], self.graph.variables))
        first, parity = 2 * self.base.z, self.base.info_columns * self.base.z
        sent = min(self.k - first, buffer.shape[-1])
        mother[..., first : first + sent] = buffer[..., :sent]
        mother[..., parity : parity + buffer.shape[-1] - sent] = buffer[..., sent:]
        mother[..., self.k : self.k + self.filler] = CERTAIN_LLR
        return mother

    def info(self, hard: Bits) -> Bits:
        """The first k of ``[..., variables]`` bits."""
        return hard[..., : self.k]

    @cached_property
    def _matrices(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Circulants of the core rows on the information, and of the other rows in use."""
        columns, shifts = self.base.info_columns, self.base.shifts
        core = circulants([row[:columns] for row in shifts[:_CORE]])
        extension = circulants([row[: columns + _CORE] for row in shifts[_CORE : self._rows]])
        return torch.tensor(core), torch.tensor(extension, dtype=torch.int64).reshape(-1, 3)

    @cached_property
    def _rows(self) -> int:
        """Block rows up to the one that checks the last bit sent, at least the core's."""
        base = self.base
        last = 2 * base.z + self.n - 1  # variable of the last bit sent, were there no filler
        last += self.filler if last >= self.k else 0
        return min(max(last // base.z + 1 - base.info_columns, _CORE), len(base.shifts))

    @property
    def _buffer_size(self) -> int:
        """Bits of the circular buffer up to the last row in use, fillers left out."""
        return self.k - 2 * self.base.z + self._rows * self.base.z


@cache
def _graph(index: int, z: int, rows: int) -> TannerGraph:
    base = nr_base_graph.load(index, z)
    return expand([row[: base.info_columns + rows] for row in base.shifts[:rows]], z)
