"""In which order a layered decoder visits the checks of a graph, as flat arrays."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from phy.ldpc.graph import TannerGraph

GROUP = 8
"""Checks that are verified side by side."""


class ParityPieces(NamedTuple):
    """How parities of groups of 8 checks are summed up; see `phy.ldpc.layered.steps.odd_checks`.

    Attributes:
        runs: int64 ``[runs, 2]``: pieces of each group, and how many such groups follow.
        offset: int32 ``[pieces]``.
        member: uint8 ``[pieces]``.
    """

    runs: NDArray[np.int64]
    offset: NDArray[np.int32]
    member: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Schedule:
    """The checks in the order of their updates, which is layer by layer.

    The checks of a layer share no variable, so that their order, or updating them at once, makes no
    difference.

    Attributes:
        degrees: A tuple of that length for each degree of a check.
        runs: int64 ``[runs, 2]``: the degree of successive checks, and how many they are.
        variable: int32 ``[edges]``, by check.
        layers: Checks of each layer.
        parity: How all checks are verified.
    """

    degrees: tuple[tuple[int, ...], ...]
    runs: NDArray[np.int64]
    variable: NDArray[np.int32]
    layers: tuple[int, ...]
    parity: ParityPieces


@lru_cache(maxsize=32)
def schedule(graph: TannerGraph) -> Schedule:
    """The schedule of a graph: its block rows one after the other, each in as few layers as needed.

    In a block row of circulants, two checks share a variable only where a block has more than one
    circulant (DVB-S2 has a few). Without circulants each check is on its own.
    """
    check, variable = graph.check.numpy(), graph.variable.numpy()
    degree = np.bincount(check, minlength=graph.checks)
    first = degree.cumsum() - degree
    layers = _layers(variable, first, degree, graph.z or 1)
    order = np.concatenate(layers)
    edges = np.concatenate([np.arange(first[c], first[c] + degree[c]) for c in order])
    change = np.flatnonzero(np.diff(degree[order], prepend=-1))
    counts = np.diff(change, append=len(order))
    return Schedule(
        degrees=tuple((0,) * int(d) for d in np.unique(degree)),
        runs=np.stack([degree[order][change], counts], 1).astype(np.int64),
        variable=variable[edges].astype(np.int32),
        layers=tuple(map(len, layers)),
        parity=_parity_pieces(check, variable, graph.z or GROUP),
    )


def _layers(
    variable: NDArray[Any], first: NDArray[Any], degree: NDArray[Any], z: int
) -> list[NDArray[np.int64]]:
    """Checks of each layer: those of a block row go to the first layer they fit into."""
    layers = []
    for start in range(0, len(first), z):
        row: list[tuple[list[int], set[int]]] = []
        for check in range(start, start + z):
            mine = set(variable[first[check] : first[check] + degree[check]].tolist())
            for members, taken in row:
                if not mine & taken:
                    members.append(check)
                    taken |= mine
                    break
            else:
                row.append(([check], mine))
        layers += [np.array(members) for members, _ in row]
    return layers


def _parity_pieces(check: NDArray[Any], variable: NDArray[Any], z: int) -> ParityPieces:
    """Pieces of groups of checks that lie within a block row; groups of one size together."""
    per_row = -(-z // GROUP)
    group = check // z * per_row + check % z // GROUP
    lane = check % z % GROUP
    offset = variable - lane
    order = np.lexsort((offset, group))
    group, lane, offset = group[order], lane[order], offset[order]
    new = np.diff(group, prepend=-1) != 0
    new |= np.diff(offset, prepend=-GROUP - 1) != 0
    piece = np.flatnonzero(new)
    member = np.bitwise_or.reduceat((1 << lane).astype(np.uint8), piece)
    group, offset = group[piece], offset[piece]
    size = np.bincount(group)[group]
    order = np.lexsort((group, size))
    sizes, counts = np.unique(size, return_counts=True)
    return ParityPieces(
        runs=np.stack([sizes, counts // sizes], 1).astype(np.int64),
        offset=offset[order].astype(np.int32),
        member=member[order],
    )
