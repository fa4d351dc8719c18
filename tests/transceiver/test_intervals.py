"""Wilson and bootstrap intervals against scipy, the definition, and their coverage."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from transceiver.intervals import Z, bootstrap_mean, wilson


@pytest.mark.parametrize(("errors", "trials"), [(1, 10), (5, 10), (37, 1000), (1, 10**6), (9, 10)])
def test_wilson_against_scipy(errors: int, trials: int) -> None:
    expected = binomtest(errors, trials).proportion_ci(0.95, method="wilson")
    found = wilson(errors, trials)
    assert found.value == errors / trials
    assert found.low == pytest.approx(expected.low, rel=1e-9)
    assert found.high == pytest.approx(expected.high, rel=1e-9)


@pytest.mark.parametrize("trials", [1, 30, 10**7])
def test_wilson_at_the_ends(trials: int) -> None:
    """No error: [0, z^2 / (n + z^2)]; nothing but errors: the mirror image."""
    bound = Z * Z / (trials + Z * Z)
    none, all_of_them = wilson(0, trials), wilson(trials, trials)
    assert (none.value, none.low) == (0, 0)
    assert none.high == pytest.approx(bound)
    assert (all_of_them.value, all_of_them.high) == (1, 1)
    assert all_of_them.low == pytest.approx(1 - bound)


def test_wilson_solves_its_equation() -> None:
    """Both ends are the p with (k/n - p)^2 = z^2 p (1 - p) / n."""
    found = wilson(13, 200)
    for p in (found.low, found.high):
        assert (13 / 200 - p) ** 2 == pytest.approx(Z * Z * p * (1 - p) / 200)


def test_nothing_counted_is_nan() -> None:
    for estimate in (wilson(0, 0), bootstrap_mean([]), bootstrap_mean([[], []])):
        assert all(map(math.isnan, vars(estimate).values()))


@pytest.mark.parametrize(("errors", "trials"), [(2, 1), (-1, 5)])
def test_wilson_refuses(errors: int, trials: int) -> None:
    with pytest.raises(ValueError, match=f"errors must be from 0 to {trials} trials, got {errors}"):
        wilson(errors, trials)


def test_bootstrap_is_the_mean_of_all_values() -> None:
    estimate = bootstrap_mean([[1.0, 3.0], [5.0], []])
    assert estimate.value == 3
    assert estimate == bootstrap_mean([[1.0, 3.0], [5.0]])
    assert 2 <= estimate.low <= 3 <= estimate.high <= 5
    same = bootstrap_mean([[7.0], [7.0]])
    assert (same.value, same.low, same.high) == (7, 7, 7)


def test_bootstrap_of_an_infinite_value() -> None:
    estimate = bootstrap_mean([[1.0], [math.inf]])
    assert (estimate.value, estimate.low, estimate.high) == (math.inf,) * 3


def test_bootstrap_draws_groups_not_values() -> None:
    """Values that agree within their group are as few independent ones as there are groups."""
    values = np.random.default_rng(1).normal(size=20)
    loose = bootstrap_mean([[v] for v in values])
    tied = bootstrap_mean([[v] * 50 for v in values])
    assert tied.high - tied.low == pytest.approx(loose.high - loose.low)
    single = bootstrap_mean([[float(v) for v in values]])
    assert single == loose


def test_bootstrap_covers_the_true_mean() -> None:
    """400 samples of 40 exponential values: the true mean 1 lies inside about 92 to 95 %."""
    generator = np.random.default_rng(2)
    inside = 0
    for _ in range(400):
        estimate = bootstrap_mean([[v] for v in generator.exponential(size=40)])
        inside += estimate.low <= 1 <= estimate.high
    assert abs(inside - 400 * 0.935) < 4 * math.sqrt(400 * 0.935 * 0.065)


def test_bootstrap_width_is_that_of_the_normal_mean() -> None:
    values = np.random.default_rng(3).normal(size=500)
    estimate = bootstrap_mean([[v] for v in values])
    expected = 2 * Z * values.std() / math.sqrt(500)
    assert estimate.high - estimate.low == pytest.approx(expected, rel=0.08)


def test_many_groups_use_the_normal_distribution_that_the_bootstrap_tends_to() -> None:
    values = np.random.default_rng(3).gamma(2.0, size=(1001, 2))
    groups = [list(row[: 1 + i % 2]) for i, row in enumerate(values)]
    many, few = bootstrap_mean(groups), bootstrap_mean(groups[:1000])
    assert many.value == pytest.approx(np.mean([v for g in groups for v in g]), rel=1e-12)
    assert many.high - many.low == pytest.approx(few.high - few.low, rel=0.1)
    assert many.high - many.value == pytest.approx(many.value - many.low, rel=1e-9)
