import pytest
import torch

from phy.ldpc.gallager import Gallager

CODES = [
    Gallager(),
    Gallager(20, seed=5),
    Gallager(96, column_weight=3, row_weight=6, seed=1),
    Gallager(60, column_weight=2, row_weight=5, seed=2),
]


@pytest.mark.parametrize("code", CODES)
def test_is_regular(code: Gallager) -> None:
    graph = code.graph
    assert graph.checks == code.n * code.column_weight // code.row_weight
    assert (graph.check.bincount() == code.row_weight).all()
    assert (graph.variable.bincount() == code.column_weight).all()


@pytest.mark.parametrize("code", CODES)
def test_all_codewords_and_no_others(code: Gallager) -> None:
    units = code.encode(torch.eye(code.k, dtype=torch.uint8))
    assert not code.graph.syndrome(units).any()
    assert torch.equal(code.info(units), torch.eye(code.k, dtype=torch.uint8))
    H = torch.zeros(code.graph.checks, code.n, dtype=torch.float64)
    H[code.graph.check, code.graph.variable] = 1
    # The rank over GF(2) is at most the one over the reals, and each part's rows have one sum.
    assert code.n - code.k <= int(torch.linalg.matrix_rank(H))
    assert code.n - code.k <= code.graph.checks - (code.column_weight - 1)


def test_count_of_codewords_by_trying_all_words() -> None:
    code = Gallager(12, column_weight=2, row_weight=3, seed=3)
    words = torch.arange(1 << 12)[:, None] >> torch.arange(12) & 1
    valid = (code.graph.syndrome(words.to(torch.uint8)) == 0).all(-1)
    assert int(valid.sum()) == 1 << code.k


def test_seed() -> None:
    state = torch.get_rng_state()
    first = Gallager(seed=1).graph.variable
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, Gallager(seed=1).graph.variable)
    assert not torch.equal(first, Gallager(seed=2).graph.variable)


def test_refused() -> None:
    with pytest.raises(ValueError, match="column_weight must be at least 2, got 1"):
        Gallager(column_weight=1)
    with pytest.raises(ValueError, match="row_weight must be more than column_weight 3, got 3"):
        Gallager(row_weight=3)
    with pytest.raises(ValueError, match="n must be a multiple of row_weight 4, got 22"):
        Gallager(22)
