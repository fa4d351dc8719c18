"""The order of the checks, in layers without shared variables; and how they are verified."""

import numpy as np
import pytest
import torch

from phy.ldpc import DvbS2, Gallager, Ieee80211n, LdpcCode, Nr
from phy.ldpc.layered.schedule import GROUP, schedule

CODES: list[LdpcCode] = [
    Gallager(n=20, column_weight=3, row_weight=4, seed=0),
    Ieee80211n(648, "1/2"),
    Ieee80211n(1944, "5/6"),
    Nr(100, 300),
    Nr(12, 40),
    DvbS2(16200, "8/9"),
    DvbS2(64800, "1/2"),
]


@pytest.mark.parametrize("code", CODES, ids=str)
def test_every_check_has_its_place_in_a_layer_without_shared_variables(code: LdpcCode) -> None:
    graph, plan = code.graph, schedule(code.graph)
    degree = np.repeat(plan.runs[:, 0], plan.runs[:, 1])
    checks = np.split(plan.variable, degree.cumsum()[:-1])
    expected = torch.split(graph.variable, torch.bincount(graph.check).tolist())
    assert sorted(map(tuple, checks)) == sorted(tuple(e.tolist()) for e in expected)
    assert sum(plan.layers) == graph.checks
    start = 0
    for size in plan.layers:
        layer = np.concatenate(checks[start : start + size])
        assert len(np.unique(layer)) == len(layer)
        start += size
    assert {len(d) for d in plan.degrees} == set(degree.tolist())


def test_circulants_need_one_layer_for_each_block_row() -> None:
    assert schedule(Ieee80211n(648, "1/2").graph).layers == (27,) * 12
    # 90 block rows, some of which hold two circulants in one place
    assert 90 < len(schedule(DvbS2(64800, "1/2").graph).layers) < 110


@pytest.mark.parametrize("code", CODES, ids=str)
def test_the_pieces_cover_each_edge_of_the_graph_once(code: LdpcCode) -> None:
    graph, parity = code.graph, schedule(code.graph).parity
    sizes = np.repeat(parity.runs[:, 0], parity.runs[:, 1])
    groups = np.repeat(np.arange(len(sizes)), sizes)
    edges = [
        (group, lane, offset + lane)
        for group, offset, member in zip(groups, parity.offset, parity.member, strict=True)
        for lane in range(GROUP)
        if member >> lane & 1
    ]
    assert len(set(edges)) == len(edges) == graph.edges
    found: dict[tuple[int, int], set[int]] = {}
    for group, lane, variable in edges:
        found.setdefault((group, lane), set()).add(int(variable))
    expected = torch.split(graph.variable, torch.bincount(graph.check).tolist())
    assert sorted(map(sorted, found.values())) == sorted(sorted(e.tolist()) for e in expected)
