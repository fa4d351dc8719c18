"""The layered decoder: its kernel against the same on tensors, and against its definition."""

import os
import subprocess
import sys
from functools import cache
from math import exp, inf, log1p

import numpy as np
import pytest
import torch

from phy.ldpc import DvbS2, Gallager, Ieee80211n, Layered, LdpcCode, Nr, TannerGraph, two_tier
from phy.ldpc.layered import tensors
from phy.ldpc.layered.arithmetic import FORMATS, Arithmetic, RuleName
from phy.ldpc.layered.schedule import schedule

_WIFI = Ieee80211n(648, "1/2")
_TWO_TIERS: list[tuple[RuleName, Arithmetic]] = [
    ("offset_min_sum", "int8"),
    ("a_min_star", "int16"),
]
CASES: list[tuple[LdpcCode, float, RuleName, Arithmetic]] = [
    *((_WIFI, 1.6, *form) for form in FORMATS),
    *(
        (code, ebn0_db, *form)  # with an Eb/N0 [dB] where some blocks fail
        for form in _TWO_TIERS
        for code, ebn0_db in (
            (Gallager(n=20, column_weight=3, row_weight=4, seed=0), 2.0),
            (Nr(100, 300), 1.5),
            (DvbS2(16200, "1/2"), 1.4),
        )
    ),
]


@cache
def channel_llrs(code: LdpcCode, ebn0_db: float, blocks: int) -> torch.Tensor:
    """LLRs ``[blocks, variables]`` of random information bits as BPSK over white noise."""
    draw = torch.Generator().manual_seed(1)
    info = torch.randint(2, (blocks, code.k), generator=draw, dtype=torch.uint8)
    variance = code.n / code.k / 2 * 10 ** (-ebn0_db / 10)
    sent = 1 - 2 * code.encode(info).float()
    noise = torch.randn(sent.shape, generator=draw) * variance**0.5
    return code.rate_recover(2 * (sent + noise) / variance)


def equal(a, b) -> bool:
    return (
        torch.equal(a.bits, b.bits)
        and torch.equal(a.iterations, b.iterations)
        and torch.equal(a.converged, b.converged)
    )


@pytest.mark.parametrize(("code", "ebn0_db", "rule", "arithmetic"), CASES, ids=str)
def test_the_kernel_and_the_tensors_agree_to_the_last_bit(
    code: LdpcCode, ebn0_db: float, rule: RuleName, arithmetic: Arithmetic
) -> None:
    llrs = channel_llrs(code, ebn0_db, 40 if code.n > 10_000 else 200)
    form, plan = FORMATS[rule, arithmetic], schedule(code.graph)
    found = Layered(code.graph, rule, arithmetic, iterations=12, threads=1).decode(llrs)
    assert equal(found, tensors.decode(llrs, form, plan, iterations=12))
    assert 0 < int(found.converged.sum()) < len(llrs)


def plain_decode(
    graph: TannerGraph, llrs: list[float], rule: str, iterations: int
) -> tuple[list[int], int, bool]:
    """The definition in real numbers, one edge after the other; box-plus sums are exact."""
    members = [e.tolist() for e in torch.split(graph.variable, graph.check.bincount().tolist())]
    P, R = list(llrs), [[0.0] * len(v) for v in members]

    def good() -> bool:
        return 0 not in P and not any(sum(P[v] < 0 for v in row) % 2 for row in members)

    for used in range(iterations + 1):
        if good() or used == iterations:
            return [int(p < 0) for p in P], used, good()
        for c, row in enumerate(members):
            Q = [P[v] - r for v, r in zip(row, R[c], strict=True)]
            for i, v in enumerate(row):
                others = Q[:i] + Q[i + 1 :]
                sign = -1 if sum(q < 0 for q in others) % 2 else 1
                R[c][i] = sign * magnitude(rule, list(map(abs, others)), abs(Q[i]))
                P[v] = Q[i] + R[c][i]
    raise AssertionError


def magnitude(rule: str, others: list[float], own: float) -> float:
    if rule == "offset_min_sum":
        return min(max(min(others, default=inf) - 0.5, 0), 80.0)
    told = others if own <= min(others, default=inf) else [*others, own]
    total = inf
    for x in told:
        a, b = sorted((total, x))
        total = a + log1p(exp(-(a + b))) - log1p(exp(-(b - a))) if b < inf else a
    return min(max(total, 0.0), 80.0)


@pytest.mark.parametrize("rule", ["offset_min_sum", "a_min_star"])
def test_float32_follows_the_definition(rule: RuleName) -> None:
    code = Ieee80211n(648, "1/2")
    llrs = channel_llrs(code, 2.2, 8)
    found = Layered(code.graph, rule, "float32", iterations=20).decode(llrs)
    plain = [plain_decode(code.graph, row.tolist(), rule, 20) for row in llrs.double()]
    agree = [
        bits == found.bits[i].tolist() and converged == bool(found.converged[i])
        for i, (bits, _, converged) in enumerate(plain)
    ]
    used = np.array([p[1] for p in plain])
    assert all(agree)
    if rule == "offset_min_sum":  # exact up to rounding
        assert used.tolist() == found.iterations.tolist()
    else:  # two straight lines in place of ln(1 + e^-x)
        assert abs(used.mean() - found.iterations.double().mean()) < 0.3


@pytest.mark.parametrize("count", [1, 3, 63, 64, 65, 130])
def test_a_block_does_not_depend_on_the_others(count: int) -> None:
    code = Ieee80211n(648, "1/2")
    llrs = channel_llrs(code, 1.6, 200)
    for decoder in (Layered(code.graph, threads=1), two_tier(code.graph, threads=1)):
        together, apart = decoder.decode(llrs), decoder.decode(llrs[:count])
        assert torch.equal(together.bits[:count], apart.bits)
        assert torch.equal(together.iterations[:count], apart.iterations)
        assert torch.equal(together.converged[:count], apart.converged)


def test_threads_change_nothing() -> None:
    code = Ieee80211n(648, "1/2")
    llrs = channel_llrs(code, 1.6, 200)
    one = two_tier(code.graph, threads=1).decode(llrs)
    for threads in (2, 3, 7, None):
        assert equal(one, two_tier(code.graph, threads=threads).decode(llrs))


_PORTABLE = """
import torch
from phy.ldpc import Ieee80211n, Layered
graph = Ieee80211n(648, "1/2").graph
llrs = torch.load("llrs.pt")
decoded = Layered(graph, "offset_min_sum", "int8", 12, threads=1).decode(llrs)
torch.save([decoded.bits, decoded.iterations, decoded.converged], "decoded.pt")
"""


def test_a_processor_without_wide_registers_finds_the_same(tmp_path) -> None:
    code = Ieee80211n(648, "1/2")
    llrs = channel_llrs(code, 1.6, 200)
    torch.save(llrs, tmp_path / "llrs.pt")
    plain_cpu = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    environment = {**os.environ, **plain_cpu, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", _PORTABLE]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    here = Layered(code.graph, "offset_min_sum", "int8", 12, threads=1).decode(llrs)
    there = torch.load(tmp_path / "decoded.pt")
    assert all(map(torch.equal, (here.bits, here.iterations, here.converged), there))


def test_fewer_blocks_fail_in_two_tiers_than_in_the_first() -> None:
    code = Ieee80211n(648, "1/2")
    llrs = channel_llrs(code, 1.6, 2000)
    fast = Layered(code.graph, "offset_min_sum", "int8", iterations=20).decode(llrs)
    both = two_tier(code.graph).decode(llrs)
    assert bool((both.converged | ~fast.converged).all())
    assert int((~both.converged).sum()) < 0.5 * int((~fast.converged).sum())
    left = ~fast.converged
    assert torch.equal(both.iterations[~left], fast.iterations[~left])
    assert int(both.iterations[left].min()) > 20


def test_a_codeword_takes_no_iteration() -> None:
    code = Ieee80211n(648, "1/2")
    info = torch.randint(2, (100, 324), generator=torch.Generator().manual_seed(2))
    word = code.encode(info.to(torch.uint8))
    llrs = 8.0 * (1 - 2 * word.float())
    llrs[7, 3] *= -1  # one error, in a block between others
    decoded = two_tier(code.graph).decode(llrs)
    assert torch.equal(decoded.bits, word)
    assert decoded.iterations.nonzero().tolist() == [[7]]
    assert bool(decoded.converged.all())


def test_any_layout_and_batch_shape() -> None:
    code = Ieee80211n(648, "1/2")
    llrs = channel_llrs(code, 2.2, 30)
    decoder = Layered(code.graph)
    flat = decoder.decode(llrs)
    assert equal(flat, decoder.decode(llrs.T.contiguous().T))
    assert equal(flat, decoder.decode(llrs.double()))
    shaped = decoder.decode(llrs.reshape(5, 6, 648))
    assert shaped.bits.shape == (5, 6, 648)
    assert shaped.converged.shape == (5, 6)
    assert torch.equal(shaped.bits.reshape(30, 648), flat.bits)
    assert decoder.decode(llrs[:0]).bits.shape == (0, 648)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"iterations": 0}, "iterations must be at least 1, got 0"),
        ({"threads": 0}, "threads must be at least 1, got 0"),
        (
            {"rule": "a_min_star", "arithmetic": "int8"},
            r"arithmetic must be one of \['float32', 'int16'\] for a_min_star, got 'int8'",
        ),
    ],
)
def test_what_does_not_exist_is_refused(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        Layered(Ieee80211n(648, "1/2").graph, **arguments)


@pytest.mark.parametrize("place", [(0, 0), (0, 647), (69, 300)])
def test_nan_is_refused_wherever_it_is(place) -> None:
    code = Ieee80211n(648, "1/2")
    llrs = channel_llrs(code, 2.2, 70).clone()
    llrs[place] = float("nan")
    with pytest.raises(ValueError, match="llrs must be numbers, got NaN"):
        Layered(code.graph, threads=1).decode(llrs)
    with pytest.raises(ValueError, match="llrs must be numbers, got NaN"):
        tensors.decode(llrs, FORMATS["a_min_star", "int16"], schedule(code.graph), iterations=1)
