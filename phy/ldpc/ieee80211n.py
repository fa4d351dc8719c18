"""The LDPC codes of IEEE 802.11n-2009, clause 20.3.11.6 and Annex R."""

from dataclasses import dataclass
from functools import cache, cached_property

import torch
from torch import Tensor

from phy.arrays import Bits
from phy.ldpc.code import SentWhole, check_info, load_table, pick
from phy.ldpc.encoding import from_lanes, multiply, solve_dual_diagonal, to_lanes
from phy.ldpc.graph import TannerGraph, circulants, expand

_SHA256 = "8f2cd4ead029dc70e25ad8de0204bc62549bfe06c18f28d61063bfede043bfe6"


@dataclass(frozen=True)
class Ieee80211n(SentWhole):
    """A code of n = 648, 1296 or 1944 bits at rate 1/2, 2/3, 3/4 or 5/6; systematic, all bits sent.

    H is a table of ``24 (1 - rate)`` x 24 circulants of size z = n / 24.

    >>> code = Ieee80211n(648, "1/2")
    >>> coded = code.encode(torch.ones(324, dtype=torch.uint8))
    >>> int(code.graph.syndrome(coded).sum())
    0
    """

    n: int
    rate: str

    def __post_init__(self) -> None:
        """Refuse what the standard does not have."""
        pick(_codes(), n=self.n, rate=self.rate)

    @property
    def k(self) -> int:
        """Information bits of a block."""
        return self.n - len(self._base) * self._z

    @property
    def graph(self) -> TannerGraph:
        """The parity checks; every variable is a coded bit."""
        return _graph(self.n, self.rate)

    def encode(self, info: Bits) -> Bits:
        """Information bits ``[..., k]`` to coded bits ``[..., n]``: first the info, then parity.

        The parity part of H is a staircase behind one column of three circulants, so that its first
        block is the sum of all block rows and the rest follows by back-substitution.
        """
        check_info(info, k=self.k)
        rows = len(self._base)
        x = to_lanes(info).reshape(-1, 24 - rows, self._z)
        sums = multiply(self._info_circulants, x, rows=rows)
        parity = solve_dual_diagonal(sums, [row[-rows] for row in self._base])
        return torch.cat([info, from_lanes(parity.flatten(1), batch=info.shape[:-1])], -1)

    def info(self, hard: Bits) -> Bits:
        """The first k of ``[..., n]`` bits."""
        return hard[..., : self.k]

    @property
    def _z(self) -> int:
        return self.n // 24

    @cached_property
    def _info_circulants(self) -> Tensor:
        return torch.tensor(circulants([row[: -len(self._base)] for row in self._base]))

    @cached_property
    def _base(self) -> list[list[int]]:
        base: list[list[int]] = pick(_codes(), n=self.n, rate=self.rate)["base"]
        return base


@cache
def _codes() -> dict[str, dict[str, object]]:
    return load_table("ieee80211n", sha256=_SHA256)


@cache
def _graph(n: int, rate: str) -> TannerGraph:
    code = Ieee80211n(n, rate)
    return expand(code._base, code._z)
