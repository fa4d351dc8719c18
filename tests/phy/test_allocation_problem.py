import math

import pytest
import torch

from phy.allocation import AllocationProblem


def _problem(**changes: object) -> AllocationProblem:
    values: dict[str, object] = {
        "flip_probability": torch.full((2, 3, 4), 0.1),
        "distortion": torch.ones(2, 3),
        "symbols": 3,
        "most_bits_per_symbol": 8,
    }
    return AllocationProblem(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(("symbols", "order"), [(2, 6), (3, 4), (4, 4), (5, 4), (6, 2), (99, 2)])
def test_order_that_fits_into_the_symbols(symbols: int, order: int) -> None:
    assert _problem(symbols=symbols).fixed_bits_per_symbol == order


def test_path_is_walked_once() -> None:
    problem = _problem()
    assert problem.adaptive_path is problem.adaptive_path
    assert problem.fixed_path is not problem.adaptive_path


def test_refused() -> None:
    with pytest.raises(ValueError, match=r"flip_probability must be real \[V, N, B\], got .*int64"):
        _problem(flip_probability=torch.ones(2, 3, 4, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"flip_probability must be real .* \[2, 3\]"):
        _problem(flip_probability=torch.ones(2, 3))
    for bad in (0.0, 1.5, math.nan):
        with pytest.raises(ValueError, match="flip_probability must be from 1e-12 to 1, got "):
            _problem(flip_probability=torch.full((2, 3, 4), bad))
    with pytest.raises(ValueError, match=r"distortion must be real \[2, 3\], got .* \[3, 2\]"):
        _problem(distortion=torch.ones(3, 2))
    with pytest.raises(ValueError, match="distortion must be finite"):
        _problem(distortion=torch.full((2, 3), math.inf))
    with pytest.raises(ValueError, match=r"accounting must be one of .*, got per_bit"):
        _problem(accounting="per_bit")
    with pytest.raises(ValueError, match="most_bits_per_symbol must be 2, 4, 6, 8 or 10, got 12"):
        _problem(most_bits_per_symbol=12)
    with pytest.raises(ValueError, match="N B must be even, got 9"):
        _problem(flip_probability=torch.full((2, 3, 3), 0.1))
    with pytest.raises(ValueError, match="symbols must be at least 2 for 12 bits, got 1"):
        _problem(symbols=1)
