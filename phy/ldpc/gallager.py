"""Regular codes: Gallager, "Low-density parity-check codes", IRE Trans. IT-8, 1962, section II."""

from dataclasses import KW_ONLY, dataclass
from functools import cached_property

import torch
from torch import Tensor

from phy.arrays import Bits
from phy.ldpc.code import SentWhole, check_info
from phy.ldpc.graph import TannerGraph


@dataclass(frozen=True)
class Gallager(SentWhole):
    """A short code in which each bit is in ``column_weight`` checks of ``row_weight`` bits each.

    H is a stack of ``column_weight`` parts of n / row_weight rows: in the first, row i checks
    the bits i row_weight .. (i + 1) row_weight - 1; the others are that part with its columns
    permuted at random. The rows are not independent (the sum of the rows of each part is the
    same), so that k = n - rank H is larger than n (1 - column_weight / row_weight). All bits are
    sent; the information bits stand where Gaussian elimination finds no pivot. Elimination takes
    n^3 steps: this is for short codes.

    Attributes:
        n: Coded bits, a multiple of ``row_weight``. The paper's example has n = 20.
        column_weight: Checks of each bit, at least 2.
        row_weight: Bits of each check, more than ``column_weight``.
        seed: Of the permutations.

    >>> code = Gallager(20, column_weight=3, row_weight=4, seed=1)
    >>> len(code.graph.check), code.graph.checks
    (60, 15)
    >>> int(code.graph.syndrome(code.encode(torch.ones(code.k, dtype=torch.uint8))).sum())
    0
    """

    n: int = 20
    _: KW_ONLY
    column_weight: int = 3
    row_weight: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse weights that make no such matrix."""
        if self.column_weight < 2:
            raise ValueError(f"column_weight must be at least 2, got {self.column_weight}")
        if self.row_weight <= self.column_weight:
            raise ValueError(
                f"row_weight must be more than column_weight {self.column_weight}, "
                f"got {self.row_weight}"
            )
        if self.n < self.row_weight or self.n % self.row_weight:
            raise ValueError(f"n must be a multiple of row_weight {self.row_weight}, got {self.n}")

    @property
    def k(self) -> int:
        """Information bits of a block: n - rank H."""
        return len(self._generator)

    @cached_property
    def graph(self) -> TannerGraph:
        """The parity checks; every variable is a coded bit."""
        generator = torch.Generator().manual_seed(self.seed)
        parts = [torch.arange(self.n)]
        for _ in range(self.column_weight - 1):
            parts.append(torch.randperm(self.n, generator=generator))
        checks = self.n * self.column_weight // self.row_weight
        check = torch.arange(checks).repeat_interleave(self.row_weight)
        return TannerGraph.of(check, torch.cat(parts), checks=checks, variables=self.n)

    def encode(self, info: Bits) -> Bits:
        """Information bits ``[..., k]`` to coded bits ``[..., n]``."""
        check_info(info, k=self.k)
        sums = info.to(torch.float32) @ self._generator.to(info.device)  # exact: small integers
        return (sums % 2).to(torch.uint8)

    def info(self, hard: Bits) -> Bits:
        """The bits of ``[..., n]`` at the information positions."""
        return hard[..., self._systematic[1].to(hard.device)]

    @property
    def _generator(self) -> Tensor:
        return self._systematic[0]

    @cached_property
    def _systematic(self) -> tuple[Tensor, Tensor]:
        """Generator float32 ``[k, n]`` and the positions of the information bits int64 ``[k]``."""
        graph = self.graph
        H = torch.zeros(graph.checks, graph.variables, dtype=torch.uint8)
        H[graph.check, graph.variable] = 1
        pivots: list[int] = []
        for column in range(self.n):  # to reduced row echelon form
            row = len(pivots)
            below = H[row:, column].nonzero()
            if not len(below):
                continue
            H[[row, row + int(below[0])]] = H[[row + int(below[0]), row]]
            others = H[:, column].clone()
            others[row] = 0
            H ^= others[:, None] * H[row]
            pivots.append(column)
        free = [column for column in range(self.n) if column not in pivots]
        generator = torch.zeros(len(free), self.n)
        generator[:, free] = torch.eye(len(free))
        generator[:, pivots] = H[: len(pivots), free].T.to(torch.float32)
        return generator, torch.tensor(free)
