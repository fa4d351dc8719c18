import numpy as np
import pytest
import torch

from phy.allocation import Accounting, AllocationProblem, needed_esn0
from phy.allocation.path import Path, replay


def _problem(
    mu: np.ndarray, distortion: list[list[float]], accounting: Accounting = "per_symbol"
) -> AllocationProblem:
    return AllocationProblem(
        torch.from_numpy(mu),
        torch.tensor(distortion),
        symbols=mu[0].size // 4,
        most_bits_per_symbol=8,
        accounting=accounting,
    )


def _states(path: Path, bits: int) -> tuple[list[list[int]], np.ndarray]:
    count = len(path.ends)
    codebooks = np.empty((count, path.sub_vectors), dtype=np.int64)
    orders = np.empty((count, bits), dtype=np.int64)
    replay(path.changes, path.ends, np.arange(count), codebooks, orders)
    return codebooks.tolist(), orders


def _mu(rows: list[list[float]]) -> np.ndarray:
    """Every bit of sub-vector i of codebook v alike, 4 bits each."""
    return np.repeat(np.array(rows)[:, :, None], 4, axis=2)


def test_best_ratio_first() -> None:
    mu = _mu([[0.001, 0.001, 0.001], [0.1, 0.1, 0.1]])
    problem = _problem(mu, [[1.0, 1.0, 1.0], [2.0, 4.0, 3.0]])
    states, orders = _states(problem.fixed_path, 12)
    assert states == [[1, 1, 1], [1, 0, 1], [1, 0, 0], [0, 0, 0]]
    assert (orders == 4).all()
    low, high = needed_esn0([0.1, 0.001], bits_per_symbol=4)
    expected = [(3 - n) * low + n * high for n in range(4)]
    assert problem.fixed_path.need == pytest.approx(expected)  # one symbol per sub-vector
    printed = _problem(mu, [[1.0, 1.0, 1.0], [2.0, 4.0, 3.0]], "as_printed")
    assert printed.fixed_path.need == pytest.approx([4 * x for x in expected])


def test_free_moves_come_first() -> None:
    # Sub-vector 2 is better off with the first codebook and needs less power there.
    mu = _mu([[0.001, 0.001, 0.2], [0.1, 0.1, 0.1]])
    problem = _problem(mu, [[0.0, 0.0, 0.9], [9.0, 9.5, 1.0]])
    states, _ = _states(problem.fixed_path, 12)
    assert states == [[1, 1, 1], [1, 1, 0], [1, 0, 0], [0, 0, 0]]
    need = problem.fixed_path.need
    assert need[1] == need[0]  # the largest so far: a smaller need opens no state of its own
    assert problem.fixed_path.state(need[:1]).tolist() == [1]


def test_codebooks_that_are_no_better_are_passed_over() -> None:
    mu = _mu([[0.001, 0.001], [0.01, 0.01], [0.1, 0.1]])
    states, _ = _states(_problem(mu, [[1.0, 3.0], [5.0, 3.0], [4.0, 3.0]]).fixed_path, 8)
    assert states == [[2, 2], [0, 2]]


def test_state_is_the_last_that_fits() -> None:
    path = Path(
        need=np.array([1.0, 2.0, 2.0, 5.0]),
        changes=np.zeros((0, 2), dtype=np.int32),
        ends=np.zeros(4, dtype=np.int64),
        sub_vectors=3,
    )
    assert path.state(np.array([0.5, 1.0, 1.9, 2.0, 4.9, 5.0, 9.0])).tolist() == [
        -1, 0, 0, 2, 2, 3, 3,
    ]  # fmt: skip


def test_orders_keep_their_budget() -> None:
    draw = np.random.default_rng(1)
    mu = np.sort(np.exp(draw.uniform(np.log(5e-4), np.log(0.5), (4, 8, 4))), axis=0)
    distortion = np.sort(draw.exponential(size=(4, 8)), axis=0).tolist()
    _, orders = _states(_problem(mu, distortion).adaptive_path, 32)
    assert (1 / orders).sum(1).max() < 8 + 1e-9
    _, orders = _states(_problem(mu, distortion, "as_printed").adaptive_path, 32)
    assert (orders.mean(1) == 4).all()
    assert (orders[0] == 4).all()
    assert (1 / orders).sum(1).max() > 8.5  # the slip: more symbols than T
