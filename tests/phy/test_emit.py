"""Formulas that write machine code: accuracy, special values, and independence of the place."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from phy import emit
from phy.emit import Real
from phy.intrinsic import Target, step
from phy.jit import kernel

Floats = NDArray[np.float32]


@step(types.float32)
def _exp2(target: Target, x: ir.Value) -> ir.Value:
    return emit.exp2(Real(target.builder, x)).value


@step(types.float32)
def _exp(target: Target, x: ir.Value) -> ir.Value:
    significand, exponent = emit.split_exp(Real(target.builder, x))
    return (significand * emit.power_of_two(exponent)).value


@step(types.float32)
def _log_ratio(target: Target, x: ir.Value, y: ir.Value) -> ir.Value:
    emit.widest_vectors(target.builder)
    return emit.log_ratio(Real(target.builder, x), Real(target.builder, y)).value


@step(types.float32)
def _polynomial(target: Target, x: ir.Value, y: ir.Value) -> ir.Value:
    a, b = Real(target.builder, x), Real(target.builder, y)
    return emit.where(a < b, 2.0 * a - b / a, emit.minimum(-abs(a), emit.maximum(b, 0.5))).value


@step(types.float32)
def _fma(target: Target, x: ir.Value, y: ir.Value) -> ir.Value:
    a = Real(target.builder, x)
    return emit.fma(a, a, Real(target.builder, y)).value


@kernel
def exp2(x: Any, found: Any) -> None:
    for i in range(len(x)):
        found[i] = _exp2(x[i])


@kernel
def exp(x: Any, found: Any) -> None:
    for i in range(len(x)):
        found[i] = _exp(x[i])


@kernel
def log_ratio(x: Any, y: Any, found: Any) -> None:
    for i in range(len(x)):
        found[i] = _log_ratio(x[i], y[i])


@kernel
def polynomial(x: Any, y: Any, found: Any) -> None:
    for i in range(len(x)):
        found[i] = _polynomial(x[i], y[i])


@kernel
def fma(x: Any, y: Any, found: Any) -> None:
    for i in range(len(x)):
        found[i] = _fma(x[i], y[i])


def call(function: Callable[..., None], *arguments: Floats) -> Floats:
    found = np.empty_like(arguments[0])
    function(*arguments, found)
    return found


def draw(low: float, high: float, *, seed: int, count: int = 100_000) -> Floats:
    return np.random.default_rng(seed).uniform(low, high, count).astype(np.float32)


def test_exp2() -> None:
    x = draw(-30, 0, seed=0)
    error = call(exp2, x) / np.exp2(x.astype(np.float64)) - 1
    assert np.abs(error).max() < 1.7e-7
    least = np.float32(2.0**-30)
    at = np.array([0, -1, -30, -31, -1e30, -np.inf, -1e-30], np.float32)
    assert call(exp2, at).tolist() == [1, 0.5, least, least, least, least, 1]


def test_exp_in_two_parts() -> None:
    x = draw(-40, 0, seed=1)
    error = call(exp, x) / np.exp(x.astype(np.float64)) - 1
    assert np.abs(error).max() < 3e-6  # half of the last place of 40 log2(e), times ln 2
    assert call(exp, np.array([0, -1e30], np.float32)).tolist() == [1, np.float32(2.0**-60)]


def test_log_ratio() -> None:
    x, y = (np.exp(draw(-80, 80, seed=seed)).astype(np.float32) for seed in (2, 3))
    expected = np.log(x.astype(np.float64)) - np.log(y.astype(np.float64))
    error = np.abs(call(log_ratio, x, y) - expected)
    assert (error / (1 + np.abs(expected))).max() < 1.2e-7
    assert not call(log_ratio, x, x).any()


def test_arithmetic_is_that_of_numpy() -> None:
    x, y = draw(-2, 2, seed=4), draw(-2, 2, seed=5)
    two, half = np.float32(2), np.float32(0.5)
    expected = np.where(x < y, two * x - y / x, np.minimum(-np.abs(x), np.maximum(y, half)))
    assert np.array_equal(call(polynomial, x, y), expected)
    a, b = (v.astype(np.float64) for v in (x, y))
    assert np.array_equal(call(fma, x, y), (a * a + b).astype(np.float32))  # a a is exact


@pytest.mark.parametrize("count", [1, 3, 7, 15, 16, 17, 64, 1000])
def test_the_place_in_an_array_changes_nothing(count: int) -> None:
    x, y = np.exp(draw(-9, 9, seed=6)).astype(np.float32), np.exp(draw(-9, 9, seed=7))
    whole = call(log_ratio, x, y)
    powers = call(exp2, -x)
    for start in (0, 1, 5, 77_777):
        part = slice(start, start + count)
        assert np.array_equal(call(log_ratio, x[part].copy(), y[part].copy()), whole[part])
        assert np.array_equal(call(exp2, -x[part]), powers[part])
