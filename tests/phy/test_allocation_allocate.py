"""JCAMP and JCAP against a slow, plain reading of Algorithms 2 and 3, and what always holds."""

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from phy.allocation import (
    Accounting,
    Allocation,
    AllocationProblem,
    demap_mixed,
    exact_ber,
    jcamp,
    jcap,
    map_mixed,
)
from phy.noise import standard_complex_normal

Verb: TypeAlias = Callable[..., tuple[Allocation, ...]]


def _problem(
    seed: int,
    shape: tuple[int, int, int],
    accounting: Accounting,
    *,
    symbols: int | None = None,
    most: int = 8,
    messy: bool = False,
) -> AllocationProblem:
    """Random tables: rising with the codebook, or (messy) in no order, with mu up to 1/2."""
    draw = np.random.default_rng(seed)
    mu = np.exp(draw.uniform(math.log(5e-4), math.log(0.5), shape))
    distortion = draw.exponential(size=shape[:2])
    if messy:
        mu[draw.random(shape) < 0.15] = 0.5
        distortion[:, 0] = 1.0  # no codebook is better than another
    else:
        mu, distortion = np.sort(mu, axis=0), np.sort(distortion, axis=0)
    return AllocationProblem(
        torch.from_numpy(mu),
        torch.from_numpy(distortion),
        symbols=symbols or -(-shape[1] * shape[2] // 4),
        most_bits_per_symbol=most,
        accounting=accounting,
    )


class _Slow(NamedTuple):
    codebooks: list[int]
    bit_order: list[int]
    sizes: list[int]
    power: np.ndarray
    fits: bool


@cache
def _needed(ber: float, m: int) -> float:
    side = math.sqrt(2**m)

    def excess(u: float) -> float:
        erfcs = (side - 1) * math.erfc(u) + (side - 2) * math.erfc(3 * u)
        return erfcs / (side * math.log2(side)) - ber

    if excess(0) <= 0:
        return 0.0
    return float(brentq(excess, 0, 8, xtol=1e-300, rtol=1e-14) ** 2 * (2**m - 1) / 1.5)


def _slow(problem: AllocationProblem, gamma: float, total_power: float, adaptive: bool) -> _Slow:
    """Algorithm 2 (``adaptive``) or 3 for one gamma, rescanning everything at every step."""
    mu = problem.flip_probability.numpy()
    distortion = problem.distortion.numpy()
    codebooks, n, b = mu.shape
    per_symbol = problem.accounting == "per_symbol"
    orders = range(2, problem.most_bits_per_symbol + 1, 2)

    def power(bit: int, v: list[int], m: int) -> float:
        found = _needed(mu[v[bit // b], bit // b, bit % b], m) / gamma
        return found / m if per_symbol else found

    def total(v: list[int], m: list[int]) -> float:
        return sum(power(bit, v, m[bit]) for bit in range(n * b))

    def swapped(v: list[int], m: list[int]) -> list[int]:
        m = list(m)
        while True:
            up = [
                power(x, v, m[x] + 2) - power(x, v, m[x]) if m[x] < orders[-1] else math.inf
                for x in range(n * b)
            ]
            down = [
                power(x, v, m[x]) - power(x, v, m[x] - 2) if m[x] > 2 else -math.inf
                for x in range(n * b)
            ]
            i1 = min(range(n * b), key=lambda x: (up[x], x))
            i2 = max(range(n * b), key=lambda x: (down[x], x))
            if not up[i1] < down[i2] or i1 == i2:
                return m
            m[i1] += 2
            m[i2] -= 2

    def priced(v: list[int]) -> list[int]:
        moves = []
        for bit in range(n * b):

            def price(low: int, high: int, bit: int = bit) -> float:
                return (power(bit, v, high) - power(bit, v, low)) / (1 / low - 1 / high)

            corner = 2
            while corner < orders[-1]:  # the farthest of the cheapest
                above = orders[orders.index(corner) + 1 :]
                following = min(above, key=lambda o: (price(corner, o), -o))
                moves.append((price(corner, following), bit, following))
                corner = following
        m = [2] * (n * b)
        unit = math.lcm(*orders)
        for cost, bit, order in sorted(moves):
            if cost >= 0 and sum(unit // x for x in m) <= unit * problem.symbols:
                break
            m[bit] = order
        return m

    v = [codebooks - 1] * n
    m = [problem.fixed_bits_per_symbol] * (n * b)
    if adaptive and per_symbol:
        m = priced(v)
    fits = total(v, m) <= total_power
    while fits:
        best, chosen = -math.inf, (-1, -1)
        for i in range(n):
            better = [u for u in range(v[i]) if distortion[u, i] < distortion[v[i], i]]
            if not better:
                continue
            changed = [*v[:i], better[-1], *v[i + 1 :]]
            bits = range(i * b, (i + 1) * b)
            cost = sum(power(x, changed, m[x]) - power(x, v, m[x]) for x in bits)
            gain = distortion[v[i], i] - distortion[better[-1], i]
            ratio = gain / cost if cost > 0 else math.inf
            if ratio > best:
                best, chosen = ratio, (i, better[-1])
        if chosen == (-1, -1):
            break
        new_v = list(v)
        new_v[chosen[0]] = chosen[1]
        new_m = m
        if adaptive:
            new_m = priced(new_v) if per_symbol else swapped(new_v, m)
        if total(new_v, new_m) > total_power:
            break
        v, m = new_v, new_m

    flips = [mu[v[bit // b], bit // b, bit % b] for bit in range(n * b)]
    left = sorted(range(n * b), key=lambda bit: (flips[bit], bit))
    groups, waiting = [], []
    while left:
        same = [bit for bit in left if m[bit] == m[left[0]]]
        if len(same) >= m[left[0]]:
            groups.append(same[: m[left[0]]])
            left = [bit for bit in left if bit not in groups[-1]]
        else:
            waiting.append(left.pop(0))
    most = problem.most_bits_per_symbol
    groups += [waiting[x : x + most] for x in range(0, len(waiting), most)]
    p = np.array([_needed(float(np.mean([flips[x] for x in g])), len(g)) / gamma for g in groups])
    if fits:
        given = np.ones(len(p), dtype=bool)
        while True:
            p[given] += (total_power - p.sum()) / given.sum()
            if (p >= -1e-15 * total_power).all():
                break
            given &= p > 0
            p[~given] = 0
    else:
        p = p / p.sum() * total_power
    return _Slow(v, [x for g in groups for x in g], [len(g) for g in groups], p, fits)


def _same(found: Allocation, expected: _Slow) -> None:
    assert found.fits == expected.fits
    assert found.codebooks.tolist() == expected.codebooks
    assert found.bits_per_symbol.tolist() == expected.sizes
    assert found.bit_order.tolist() == expected.bit_order
    assert np.allclose(found.power, expected.power, rtol=1e-7, atol=1e-9 * expected.power.max())


GAMMAS = torch.cat([torch.logspace(-4, 4, 9), torch.logspace(-0.5, 2, 12)]).double()


@pytest.mark.parametrize("accounting", ["per_symbol", "as_printed"])
@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize(
    ("shape", "symbols", "most", "messy"),
    [
        ((4, 6, 4), None, 8, False),
        ((3, 5, 6), None, 8, False),  # 30 bits: the last symbol has 2
        ((5, 4, 5), None, 10, False),
        ((4, 6, 4), None, 8, True),
        ((4, 6, 4), None, 10, True),
        ((3, 6, 3), 7, 6, False),  # 18 bits: 4 per symbol, with room left
    ],
)
def test_against_a_slow_search(
    shape: tuple[int, int, int],
    symbols: int | None,
    most: int,
    messy: bool,
    adaptive: bool,
    accounting: Accounting,
) -> None:
    problem = _problem(7, shape, accounting, symbols=symbols, most=most, messy=messy)
    total_power = float(problem.bits)
    found = (jcamp if adaptive else jcap)(problem, GAMMAS, total_power=total_power)
    for gamma, allocation in zip(GAMMAS.tolist(), found, strict=True):
        _same(allocation, _slow(problem, gamma, total_power, adaptive))


@pytest.mark.parametrize("accounting", ["per_symbol", "as_printed"])
@pytest.mark.parametrize("verb", [jcamp, jcap])
@pytest.mark.parametrize("messy", [False, True])
def test_what_always_holds(accounting: Accounting, verb: Verb, messy: bool) -> None:
    for seed, most in ((1, 6), (2, 8), (3, 10)):
        problem = _problem(seed, (5, 16, 9), accounting, most=most, messy=messy)
        gamma = torch.cat([torch.zeros(1), torch.logspace(-4, 4, 101)]).double()
        for total_power in (1e-6, 144.0, 1e6):
            mean = []
            for found in verb(problem, gamma, total_power=total_power):
                assert float(found.power.min()) >= 0
                assert float(found.power.sum()) == pytest.approx(total_power, rel=1e-9)
                assert found.bit_order.sort().values.equal(torch.arange(144))
                assert int(found.bits_per_symbol.sum()) == 144
                assert len(found.power) == len(found.bits_per_symbol)
                if accounting == "per_symbol" or verb is jcap:
                    assert len(found.power) <= problem.symbols
                assert found.fits or bool((found.codebooks == 4).all())
                taken = problem.distortion.gather(0, found.codebooks[None])
                mean.append(float(taken.mean()))
            assert (np.diff(mean) <= 1e-12).all()  # a better channel, a lower distortion


def test_batch_and_single_are_the_same() -> None:
    problem = _problem(4, (5, 16, 9), "per_symbol")
    gamma = torch.logspace(-1, 2, 20)[torch.randperm(20, generator=torch.Generator())]
    together = jcamp(problem, gamma, total_power=144.0)
    for g, found in zip(gamma, together, strict=True):
        (alone,) = jcamp(problem, g[None], total_power=144.0)
        assert alone.codebooks.equal(found.codebooks)
        assert alone.bit_order.equal(found.bit_order)
        assert alone.power.equal(found.power)
    assert jcamp(problem, gamma[:0], total_power=1.0) == ()


def test_one_codebook_and_one_order() -> None:
    problem = _problem(5, (1, 4, 3), "per_symbol", symbols=6, most=2)
    one, other = (f(problem, torch.ones(1), total_power=30.0)[0] for f in (jcamp, jcap))
    assert one.bits_per_symbol.tolist() == [2] * 6
    assert one.power.equal(other.power)
    assert one.bit_order.equal(other.bit_order)


def test_orders_adapt_to_the_spread_of_the_flip_probabilities() -> None:
    # Half the bits need 1e-3 and half 0.2: one order for all wastes power on both.
    mu = torch.full((2, 8, 4), 0.001, dtype=torch.float64)
    mu[:, :, 2:] = 0.2
    distortion = torch.tensor([[1.0], [1.0]]).expand(2, 8)
    problem = AllocationProblem(mu, distortion, symbols=8, most_bits_per_symbol=8)
    fixed, adaptive = problem.fixed_path.need[0], problem.adaptive_path.need[0]
    assert adaptive < 0.85 * fixed


@pytest.mark.parametrize("verb", [jcamp, jcap])
def test_bit_error_rates_are_the_flip_probabilities(verb: Verb) -> None:
    problem, gamma, images = _problem(6, (5, 16, 9), "per_symbol"), 5.0, 2000
    (found,) = verb(problem, torch.tensor([gamma]).double(), total_power=144.0)
    assert found.fits
    draw = torch.Generator().manual_seed(8)
    bits = torch.randint(2, (images, 144), generator=draw, dtype=torch.uint8)
    sizes, power = found.bits_per_symbol.repeat(images), found.power.repeat(images)
    sent = map_mixed(bits[:, found.bit_order].reshape(-1), sizes, power)
    noise = standard_complex_normal(len(sent), generator=draw) / gamma**0.5
    llrs = demap_mixed(sent + noise, 1 / gamma, sizes, power)
    received = torch.empty_like(bits)
    received[:, found.bit_order] = (llrs < 0).to(torch.uint8).reshape(images, 144)
    wrong = (received != bits).double().mean(0)[found.bit_order]

    mu = problem.flip_probability.gather(0, found.codebooks[None, :, None].expand(1, 16, 9))
    wanted = mu.reshape(-1)[found.bit_order]
    first = 0
    for m, p in zip(found.bits_per_symbol.tolist(), found.power.tolist(), strict=True):
        rate = float(exact_ber(p * gamma, bits_per_symbol=m))
        bound = 4 * (rate * (1 - rate) / images) ** 0.5  # of correlated bits, were they but one
        assert abs(float(wrong[first : first + m].mean()) - rate) < bound
        assert rate < float(wanted[first : first + m].mean()) * 1.05  # eq. 47 added power
        first += m


def test_refused() -> None:
    problem = _problem(1, (2, 2, 3), "per_symbol")
    with pytest.raises(ValueError, match=r"gamma must be real \[G\], got torch.float32 \[1, 1\]"):
        jcamp(problem, torch.ones(1, 1), total_power=1.0)
    with pytest.raises(ValueError, match=r"gamma must be real \[G\], got torch.int64 \[1\]"):
        jcamp(problem, torch.tensor([1]), total_power=1.0)
    for bad in (-1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match=r"gamma must be >= 0 and finite, got "):
            jcap(problem, torch.tensor([1.0, bad]), total_power=1.0)
    for bad in (0.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="total_power must be positive and finite, got "):
            jcap(problem, torch.ones(1), total_power=bad)
