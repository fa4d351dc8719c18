import pytest
import torch

from phy.ldpc.edge_layout import edge_layout
from phy.ldpc.gallager import Gallager
from phy.ldpc.graph import TannerGraph
from phy.ldpc.ieee80211n import Ieee80211n
from phy.ldpc.nr import Nr

CPU = torch.device("cpu")


@pytest.mark.parametrize("code", [Gallager(), Ieee80211n(648, "3/4"), Nr(40, 90)])
def test_both_orders_list_every_edge_once(code: Gallager | Ieee80211n | Nr) -> None:
    graph = code.graph
    layout = edge_layout(graph, CPU)
    check = torch.empty(graph.edges, dtype=torch.int64)
    for group in layout.checks:
        numbers = torch.arange(group.node, group.node + group.count)
        end = group.edge + group.degree * group.count
        check[group.edge : end] = numbers.repeat(group.degree)
    variable = torch.empty(graph.edges, dtype=torch.int64)
    for group in layout.variables:
        numbers = torch.arange(group.node, group.node + group.count)
        end = group.edge + group.degree * group.count
        variable[group.edge : end] = numbers.repeat(group.degree)

    # The same edges in either order, and as many at each node as the groups say.
    assert torch.equal(layout.variable[layout.from_check_order], variable)
    assert torch.equal(layout.from_check_order.sort().values, torch.arange(graph.edges))
    assert torch.equal(layout.order[layout.place], torch.arange(graph.variables))

    # The graph's own edges, with the checks numbered by degree (stable).
    by_degree = graph.check.bincount(minlength=graph.checks).argsort(stable=True)
    found = by_degree[check] * graph.variables + layout.order[layout.variable]
    assert torch.equal(found.sort().values, graph.check * graph.variables + graph.variable)


def test_nodes_without_edges() -> None:
    graph = TannerGraph.of(torch.tensor([1, 1]), torch.tensor([0, 2]), checks=3, variables=4)
    layout = edge_layout(graph, CPU)
    assert [(group.degree, group.count) for group in layout.checks] == [(0, 2), (2, 1)]
    assert [(group.degree, group.count) for group in layout.variables] == [(0, 2), (1, 2)]
    assert layout.order.tolist() == [1, 3, 0, 2]


def test_is_made_once_per_graph() -> None:
    graph = Gallager().graph
    assert edge_layout(graph, CPU) is edge_layout(graph, CPU)
