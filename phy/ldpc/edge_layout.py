"""An order of a Tanner graph's edges in which a decoder needs no indices but two row gathers."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from phy.ldpc.graph import TannerGraph


@dataclass(frozen=True)
class Group:
    """Nodes of one degree, and their edges by position: edge p of node i is ``edge + p count + i``.

    Attributes:
        degree: Edges of each node.
        count: Nodes.
        node: First of the nodes.
        edge: First of the ``degree * count`` edges.
    """

    degree: int
    count: int
    node: int
    edge: int


@dataclass(frozen=True, eq=False)
class EdgeLayout:
    """Checks and variables sorted by degree, and the edges in the order of either.

    Attributes:
        checks: Groups of checks; "check order" of the edges is theirs.
        variables: Groups of variables; "variable order" of the edges is theirs.
        variable: int64 ``[edges]``, the (sorted) variable of each edge in check order.
        from_check_order: int64 ``[edges]``, where each edge in variable order is in check order.
        order: int64 ``[variables]``, the graph's variable in each sorted place.
        place: int64 ``[variables]``, the sorted place of each of the graph's variables.
    """

    checks: tuple[Group, ...]
    variables: tuple[Group, ...]
    variable: Tensor
    from_check_order: Tensor
    order: Tensor
    place: Tensor


@lru_cache(maxsize=32)
def edge_layout(graph: TannerGraph, device: torch.device) -> EdgeLayout:
    """The layout of a graph, with its index tensors on a device.

    >>> graph = TannerGraph.of(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 2]),
    ...                        checks=2, variables=3)
    >>> edge_layout(graph, torch.device("cpu")).order.tolist()
    [0, 2, 1]
    """
    checks, _, by_check = _group(graph.check, graph.checks)
    variables, order, by_variable = _group(graph.variable[by_check], graph.variables)
    place = order.argsort()
    return EdgeLayout(
        checks=checks,
        variables=variables,
        variable=place[graph.variable[by_check]].to(device),
        from_check_order=by_variable.to(device),
        order=order.to(device),
        place=place.to(device),
    )


def _group(node: Tensor, nodes: int) -> tuple[tuple[Group, ...], Tensor, Tensor]:
    """Group nodes by degree; also the nodes in that order, and the edges grouped by position."""
    degree = node.bincount(minlength=nodes)
    first = degree.cumsum(0) - degree
    edges = node.argsort(stable=True)  # those of each node together
    groups, order, by_position = [], [torch.zeros(0, dtype=torch.int64)], [edges[:0]]
    for d in sorted(set(degree.tolist())):
        members = (degree == d).nonzero().flatten()
        groups.append(Group(d, len(members), sum(map(len, order)), sum(map(len, by_position))))
        order.append(members)
        by_position.extend(edges[first[members] + p] for p in range(d))
    return tuple(groups), torch.cat(order), torch.cat(by_position)
