"""Tanner graphs: sparse parity-check matrices, and the quasi-cyclic ones of the standards.

A quasi-cyclic matrix is a small table of circulants. The circulant (i, j, s) of size z puts ones
at check i z + t and variable j z + (t + s) mod z, t = 0 .. z-1: a z x z identity with its columns
moved s places to the right.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from phy.arrays import Bits

Circulant: TypeAlias = tuple[int, int, int]
"""(block row i, block column j, shift s)."""


@dataclass(frozen=True, eq=False)
class TannerGraph:
    """The ones of a parity-check matrix H as edges, sorted by check, then by variable.

    Attributes:
        check: int64 ``[edges]``, the row of each one.
        variable: int64 ``[edges]``, its column.
        checks: Rows of H.
        variables: Columns of H.
        z: Where H is made of circulants, their size: checks ``i z .. i z + z - 1`` are one block
            row (what a layered decoder updates together). ``None`` where it is not.
    """

    check: Tensor
    variable: Tensor
    checks: int
    variables: int
    z: int | None = None

    @staticmethod
    def of(
        check: Tensor, variable: Tensor, *, checks: int, variables: int, z: int | None = None
    ) -> "TannerGraph":
        """Build a graph from (check, variable) pairs in any order.

        Args:
            check: ``[edges]``, integers in ``[0, checks)``.
            variable: ``[edges]``, integers in ``[0, variables)``.
            checks: Rows of H.
            variables: Columns of H.
            z: Size of the circulants, which must divide ``checks``.

        >>> graph = TannerGraph.of(torch.tensor([1, 0, 0]), torch.tensor([2, 1, 0]),
        ...                        checks=2, variables=3)
        >>> graph.variable.tolist()
        [0, 1, 2]
        """
        if check.shape != variable.shape or check.dim() != 1:
            raise ValueError(
                "check and variable must have one shape [edges], "
                f"got {list(check.shape)} and {list(variable.shape)}"
            )
        for name, index, size in (("check", check, checks), ("variable", variable, variables)):
            if len(index) and (int(index.min()) < 0 or int(index.max()) >= size):
                raise ValueError(
                    f"{name} must be in [0, {size}), got {int(index.min())} to {int(index.max())}"
                )
        if z is not None and (z < 1 or checks % z):
            raise ValueError(f"z must divide {checks} checks, got {z}")
        key = (check.to(torch.int64) * variables + variable.to(torch.int64)).sort().values
        if bool((key[1:] == key[:-1]).any()):
            raise ValueError("edges must be distinct, got one twice")
        return TannerGraph(key // max(variables, 1), key % max(variables, 1), checks, variables, z)

    @property
    def edges(self) -> int:
        """Ones of H."""
        return len(self.check)

    def syndrome(self, bits: Bits) -> Bits:
        """H c: the parity of each check.

        Args:
            bits: ``[..., variables]``.

        Returns:
            uint8 ``[..., checks]``, all zero exactly for a codeword.

        >>> graph = TannerGraph.of(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 2]),
        ...                        checks=2, variables=3)
        >>> graph.syndrome(torch.tensor([1, 1, 0])).tolist()
        [0, 1]
        """
        if bits.shape[-1] != self.variables:
            raise ValueError(
                f"bits must have {self.variables} variables, got shape {list(bits.shape)}"
            )
        terms = bits.to(torch.uint8)[..., self.variable.to(bits.device)]
        sums = terms.new_zeros((*bits.shape[:-1], self.checks))
        sums.index_add_(-1, self.check.to(bits.device), terms)  # modulo 256 keeps the parity
        return sums & 1


def circulants(base: Sequence[Sequence[int]]) -> list[Circulant]:
    """The non-zero blocks of a base matrix whose entries are shifts, -1 being the zero block.

    >>> circulants([[3, -1], [0, 1]])
    [(0, 0, 3), (1, 0, 0), (1, 1, 1)]
    """
    return [(i, j, s) for i, row in enumerate(base) for j, s in enumerate(row) if s >= 0]


def expand(base: Sequence[Sequence[int]], z: int) -> TannerGraph:
    """Lift a base matrix ``[r, c]`` of shifts (-1: zero block) to a z times larger graph.

    >>> graph = expand([[1, -1, 0]], 2)
    >>> list(zip(graph.check.tolist(), graph.variable.tolist()))
    [(0, 1), (0, 4), (1, 0), (1, 5)]
    """
    check, variable = lift(circulants(base), z)
    return TannerGraph.of(check, variable, checks=len(base) * z, variables=len(base[0]) * z, z=z)


def lift(blocks: Iterable[Circulant], z: int) -> tuple[Tensor, Tensor]:
    """The (check, variable) pairs, each ``[len(blocks) * z]``, of a list of circulants."""
    i, j, s = torch.tensor(list(blocks), dtype=torch.int64).reshape(-1, 3, 1).unbind(1)
    t = torch.arange(z)
    return (i * z + t).flatten(), (j * z + (t + s) % z).flatten()
