"""Paired estimates against textbook formulas, other implementations and their own promise."""

import math

import numpy as np
import pytest
from scipy import stats

from transceiver.intervals import Z, bootstrap_mean
from transceiver.reproduce.paired import TRIALS, Sample, aligned, combination, relative


def _sample(top: np.ndarray, bottom: np.ndarray | None = None, *, trials: int = 1) -> Sample:
    """Units of ``len(top) / trials`` images."""
    image, trial = np.divmod(np.arange(len(top)), trials)
    ones = np.ones(len(top)) if bottom is None else bottom.astype(float)
    return Sample(image * TRIALS + trial, top.astype(float), ones)


def test_a_mean_has_the_standard_error_of_scipy() -> None:
    x = np.random.default_rng(0).normal(30, 4, 500)
    estimate = combination([(1, _sample(x))])
    assert estimate.value == pytest.approx(x.mean(), rel=1e-12)
    assert estimate.high - estimate.value == pytest.approx(Z * stats.sem(x), rel=1e-12)
    assert estimate.value - estimate.low == pytest.approx(Z * stats.sem(x), rel=1e-12)


def test_a_difference_is_that_of_the_pairs() -> None:
    random = np.random.default_rng(1)
    common = random.normal(0, 10, 400)
    a, b = common + random.normal(0.3, 1, 400), common + random.normal(0, 1, 400)
    estimate = combination([(1, _sample(a)), (-1, _sample(b))])
    assert estimate.value == pytest.approx((a - b).mean(), rel=1e-9)
    assert estimate.high - estimate.low == pytest.approx(2 * Z * stats.sem(a - b), rel=1e-9)
    t = stats.ttest_rel(a, b).confidence_interval(0.95)  # Student's, a little wider
    assert estimate.low == pytest.approx(t.low, abs=2e-3)
    assert estimate.high == pytest.approx(t.high, abs=2e-3)


def test_the_trials_of_an_image_are_one_draw() -> None:
    random = np.random.default_rng(2)
    of_image = random.normal(30, 3, 50)
    x = np.repeat(of_image, 4) + np.tile([-1.0, 1.0, 0.5, -0.5], 50)
    estimate = combination([(1, _sample(x, trials=4))])
    half = Z * stats.sem(of_image)
    assert estimate.high - estimate.value == pytest.approx(half, rel=1e-9)
    drawn = bootstrap_mean(x.reshape(50, 4).tolist())
    assert estimate.low == pytest.approx(drawn.low, abs=0.1 * half)
    assert estimate.high == pytest.approx(drawn.high, abs=0.1 * half)


def test_a_single_image_is_judged_by_its_trials() -> None:
    x = np.array([1.0, 2.0, 4.0, 7.0])
    estimate = combination([(1, _sample(x, trials=4))])
    assert estimate.high - 3.5 == pytest.approx(Z * stats.sem(x))
    alone = combination([(1, _sample(x[:1]))])
    assert (alone.value, alone.low, alone.high) == (1.0, -math.inf, math.inf)


def test_a_rate_is_a_ratio_of_sums() -> None:
    """Delta method of a ratio estimator (Cochran, Sampling techniques, 1977, eq. 2.47)."""
    random = np.random.default_rng(3)
    bits = random.integers(50, 500, 300)
    errors = random.binomial(bits, 0.02)
    estimate = combination([(1, _sample(errors, bits))])
    rate = errors.sum() / bits.sum()
    variance = ((errors - rate * bits) ** 2).sum() / 299 / 300 / bits.mean() ** 2
    assert estimate.value == pytest.approx(rate, rel=1e-12)
    assert estimate.high - estimate.value == pytest.approx(Z * math.sqrt(variance), rel=1e-9)


def test_relative_improvement_against_the_bootstrap() -> None:
    random = np.random.default_rng(4)
    b = random.gamma(20, 1, 2000)
    a = 1.2 * b + random.normal(0, 2, 2000)
    estimate = relative(_sample(a), _sample(b))
    assert estimate.value == pytest.approx(a.mean() / b.mean() - 1, rel=1e-12)
    draw = np.random.default_rng(5).integers(2000, size=(2000, 2000))
    low, high = np.quantile(a[draw].mean(1) / b[draw].mean(1) - 1, [0.025, 0.975])
    assert estimate.low == pytest.approx(low, abs=0.1 * (high - low))
    assert estimate.high == pytest.approx(high, abs=0.1 * (high - low))
    fallen = relative(_sample(a), _sample(b), falling=True)
    assert (fallen.value, fallen.low, fallen.high) == pytest.approx(
        (-estimate.value, -estimate.high, -estimate.low), rel=1e-12
    )


def test_95_of_100_intervals_hold_the_truth() -> None:
    """Seeded; 2000 intervals of pairs, four standard deviations of a binomial."""
    random, inside, runs = np.random.default_rng(6), 0, 2000
    for _ in range(runs):
        b = random.exponential(5, 400)
        a = b + random.exponential(1, 400)
        estimate = combination([(1, _sample(a)), (-1, _sample(b))])
        inside += estimate.low <= 1 <= estimate.high
    assert abs(inside - 0.95 * runs) < 4 * math.sqrt(runs * 0.95 * 0.05)


def test_only_common_units_count() -> None:
    a = _sample(np.arange(10))
    b = a.of(a.unit[3:7])
    both = aligned([a, b, a])
    assert all(s.unit.tolist() == b.unit.tolist() for s in both)
    assert both[0].top.tolist() == [3.0, 4.0, 5.0, 6.0]
    estimate = combination([(1, a), (-1, b)])
    assert (estimate.value, estimate.low, estimate.high) == (0, 0, 0)


def test_what_has_nothing_to_count_is_nan() -> None:
    empty = _sample(np.zeros(0))
    nothing = _sample(np.zeros(3), np.zeros(3))
    zero = _sample(np.zeros(3))
    for estimate in (
        combination([(1, empty)]),
        combination([(1, nothing)]),
        relative(zero, zero),
        relative(nothing, zero),
    ):
        assert math.isnan(estimate.value)
        assert math.isnan(estimate.low)


def test_units_must_be_in_order_and_whole() -> None:
    with pytest.raises(ValueError, match="unit must rise from one to the next"):
        Sample(np.array([1, 0]), np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match="must be of one length, got 2, 3 and 2"):
        Sample(np.array([0, 1]), np.ones(3), np.ones(2))
