"""Thresholds on a grid: bisection against a look at every point, and what cannot be found."""

import random
from collections.abc import Callable
from math import ceil, floor

import pytest

from transceiver.mcs.measure import Tally
from transceiver.mcs.search import NoThresholdError, find_threshold, most_errors

ALLOWED = 5


def _steep(at_db: float, asked: list[float]) -> Callable[[float], Tally]:
    """Few errors from ``at_db`` on, many below."""

    def measure(esn0_db: float) -> Tally:
        asked.append(esn0_db)
        return Tally(ALLOWED if esn0_db >= at_db else ALLOWED + 1, 500)

    return measure


@pytest.mark.parametrize("step_db", [0.05, 0.1, 0.25, 0.3, 0.5, 2.0])
def test_the_first_point_of_the_grid_that_meets_the_target(step_db: float) -> None:
    """As a look at all multiples of the step above the limit finds it, with far fewer points."""
    draw = random.Random(7)
    for _ in range(200):
        limit = draw.uniform(-6, 20)
        at_db = limit + draw.uniform(0.001, 8)
        grid = [round(i * step_db, 9) for i in range(floor(limit / step_db) + 1, 1000)]
        expected = next(x for x in grid if x >= at_db)
        asked: list[float] = []
        found = find_threshold(
            _steep(at_db, asked), limit_esn0_db=limit, step_db=step_db, allowed=ALLOWED
        )
        assert found.esn0_db == expected
        assert found.tally == Tally(ALLOWED, 500) == found.points[expected]
        assert sorted(asked) == sorted(found.points)  # none twice
        assert set(asked) <= set(grid)
        assert len(asked) <= ceil(8 / 0.5) + 2 + 4
        below = [x for x in asked if x < expected]
        assert not below or max(below) == round(expected - step_db, 9)


def test_a_target_that_is_never_met_ends_the_search() -> None:
    asked: list[float] = []
    with pytest.raises(NoThresholdError, match=r"^no Es/N0 up to 15\.0 dB meets the target$"):
        find_threshold(_steep(1e9, asked), limit_esn0_db=3.0, step_db=0.25, allowed=ALLOWED)
    assert max(asked) <= 15.0


@pytest.mark.parametrize(
    ("target", "blocks", "allowed"),
    [
        (0.01, 100, 1),
        (0.01, 199, 1),
        (0.01, 700, 7),
        (0.01, 2900, 29),
        (0.1, 30, 3),
        (1e-3, 1000, 1),
    ],
)
def test_errors_allowed(target: float, blocks: int, allowed: int) -> None:
    assert most_errors(target, blocks) == allowed
    assert allowed / blocks <= target < (allowed + 1) / blocks or target == allowed / blocks


def test_too_few_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^most_blocks must be at least 1 / target_bler 0\.01, "):
        most_errors(0.01, 99)
