import pytest
import torch
from torch import Tensor

from phy.ldpc.graph import (
    TannerGraph,
    expand,
    lift,
)

BASE = [[2, -1, 0, 4], [-1, 1, 3, -1], [0, 0, -1, 2]]


def dense(graph: TannerGraph) -> Tensor:
    H = torch.zeros(graph.checks, graph.variables, dtype=torch.int64)
    H[graph.check, graph.variable] = 1
    return H


def dense_expansion(base: list[list[int]], z: int) -> Tensor:
    """Block by block: the identity with its columns moved to the right."""
    identity = torch.eye(z, dtype=torch.int64)
    blocks = [[identity.roll(s, 1) * (s >= 0) for s in row] for row in base]
    return torch.cat([torch.cat(row, 1) for row in blocks])


def random_bits(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, shape, dtype=torch.uint8, generator=generator)


def test_edges_are_sorted() -> None:
    check = torch.tensor([2, 0, 1, 0, 2])
    variable = torch.tensor([0, 3, 1, 2, 1])
    graph = TannerGraph.of(check, variable, checks=3, variables=4)
    pairs = list(zip(graph.check.tolist(), graph.variable.tolist(), strict=True))
    assert pairs == sorted(zip(check.tolist(), variable.tolist(), strict=True))
    assert graph.edges == 5
    assert graph.z is None


@pytest.mark.parametrize("z", [5, 6, 17])
def test_expansion_is_made_of_shifted_identities(z: int) -> None:
    graph = expand(BASE, z)
    assert torch.equal(dense(graph), dense_expansion(BASE, z))
    assert graph.z == z


def test_syndrome_is_the_product() -> None:
    graph = expand(BASE, 7)
    bits = random_bits(3, 5, graph.variables)
    expected = (bits.to(torch.int64) @ dense(graph).T) % 2
    assert torch.equal(graph.syndrome(bits).to(torch.int64), expected)
    assert torch.equal(graph.syndrome(bits[1, 2]), graph.syndrome(bits)[1, 2])


def test_syndrome_of_a_check_with_more_than_255_ones() -> None:
    graph = TannerGraph.of(
        torch.zeros(600, dtype=torch.int64), torch.arange(600), checks=1, variables=600
    )
    assert graph.syndrome(torch.ones(600)).tolist() == [0]
    assert graph.syndrome((torch.arange(600) < 511).to(torch.uint8)).tolist() == [1]


def test_lift_keeps_two_circulants_of_one_block() -> None:
    check, variable = lift([(0, 0, 1), (0, 0, 3), (1, 0, 0)], 5)
    graph = TannerGraph.of(check, variable, checks=10, variables=5, z=5)
    shifted = [torch.eye(5, dtype=torch.int64).roll(s, 1) for s in (1, 3, 0)]
    assert torch.equal(dense(graph), torch.cat([shifted[0] + shifted[1], shifted[2]]))


def test_refused() -> None:
    zero, one = torch.tensor([0]), torch.tensor([1])
    with pytest.raises(ValueError, match=r"check must be in \[0, 1\), got 1 to 1"):
        TannerGraph.of(one, zero, checks=1, variables=1)
    with pytest.raises(ValueError, match=r"variable must be in \[0, 1\), got -1 to -1"):
        TannerGraph.of(zero, -one, checks=1, variables=1)
    with pytest.raises(ValueError, match=r"one shape \[edges\], got \[1\] and \[2\]"):
        TannerGraph.of(zero, torch.arange(2), checks=1, variables=2)
    with pytest.raises(ValueError, match="edges must be distinct, got one twice"):
        TannerGraph.of(torch.zeros(2), torch.zeros(2), checks=1, variables=1)
    with pytest.raises(ValueError, match="z must divide 3 checks, got 2"):
        TannerGraph.of(zero, zero, checks=3, variables=1, z=2)
    with pytest.raises(ValueError, match=r"bits must have 12 variables, got shape \[11\]"):
        expand(BASE, 3).syndrome(torch.zeros(11))
