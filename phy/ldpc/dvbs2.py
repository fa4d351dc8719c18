"""The LDPC codes of DVB-S2, ETSI EN 302 307-1 clause 5.3.2 and Annexes B and C."""

from dataclasses import dataclass
from functools import cache, cached_property

import torch
from torch import Tensor

from phy.arrays import Bits
from phy.ldpc.code import SentWhole, check_info, load_table, pick
from phy.ldpc.encoding import from_lanes, multiply, running_sums, to_lanes
from phy.ldpc.graph import Circulant, TannerGraph, lift

_SHA256 = "78f12e5a0e9c0067f2e5ce65b6c3625d1da072c89d34c4f1bdf95a54bb7a5983"
_GROUP = 360


@dataclass(frozen=True)
class DvbS2(SentWhole):
    """A code of n = 64800 or 16200 bits at a nominal rate ("1/2"); systematic, all bits sent.

    This is the inner code alone: the outer BCH code of the standard is not part of it. The rates of
    n = 16200 are nominal ("1/2" has k = 7200).

    Information bit m of group g is added to the parity bits ``(x + m q) mod (n - k)`` for each
    address x of the group's row; then p_i = p_i + p_{i-1} (clause 5.3.2.1). With parity bit
    i = q t + s, those of one s are a block row of 360, in which address x is the circulant of
    block row x mod q and shift -(x div q).

    >>> code = DvbS2(16200, "8/9")
    >>> coded = code.encode(torch.ones(code.k, dtype=torch.uint8))
    >>> int(code.graph.syndrome(coded).sum())
    0
    """

    n: int
    rate: str

    def __post_init__(self) -> None:
        """Refuse what the standard does not have."""
        pick(_codes(), n=self.n, rate=self.rate)

    @cached_property
    def k(self) -> int:
        """Information bits of a block."""
        k: int = pick(_codes(), n=self.n, rate=self.rate)["k"]
        return k

    @property
    def graph(self) -> TannerGraph:
        """The parity checks, check i = q t + s of the standard in the place 360 s + t.

        Block row s (z = 360) then is made of circulants, but for the one between p_0 and its
        predecessor, which does not exist.
        """
        return _graph(self.n, self.rate)

    def encode(self, info: Bits) -> Bits:
        """Information bits ``[..., k]`` to coded bits ``[..., n]``: first the info, then parity."""
        check_info(info, k=self.k)
        x = to_lanes(info).reshape(-1, self.k // _GROUP, _GROUP)
        sums = multiply(self._matrix, x, rows=self._q)  # [lanes, q, 360], s before t
        parity = running_sums(sums.transpose(1, 2).flatten(1))
        return torch.cat([info, from_lanes(parity, batch=info.shape[:-1])], -1)

    def info(self, hard: Bits) -> Bits:
        """The first k of ``[..., n]`` bits."""
        return hard[..., : self.k]

    @property
    def _q(self) -> int:
        return (self.n - self.k) // _GROUP

    @cached_property
    def _matrix(self) -> Tensor:
        return torch.tensor(self._circulants)

    @cached_property
    def _circulants(self) -> list[Circulant]:
        rows: list[list[int]] = pick(_codes(), n=self.n, rate=self.rate)["rows"]
        q = self._q
        return [(x % q, g, -(x // q) % _GROUP) for g, row in enumerate(rows) for x in row]


@cache
def _codes() -> dict[str, dict[str, object]]:
    return load_table("dvbs2", sha256=_SHA256)


@cache
def _graph(n: int, rate: str) -> TannerGraph:
    code = DvbS2(n, rate)
    checks, q = n - code.k, code._q
    info_check, info_variable = lift(code._circulants, _GROUP)
    i = torch.arange(checks)
    place = i % q * _GROUP + i // q
    return TannerGraph.of(
        torch.cat([info_check, place, place[1:]]),
        torch.cat([info_variable, code.k + i, code.k + i[:-1]]),
        checks=checks,
        variables=n,
        z=_GROUP,
    )
