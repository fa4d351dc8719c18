"""Every LDPC encoder on random words: against its checks, against sionna, and bit by bit."""

import json
import random
import warnings
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from phy.ldpc import DvbS2, Gallager, Ieee80211n, Nr, TannerGraph, nr_base_graph

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.filterwarnings("ignore:Effective coderate r>948/1024:UserWarning"),
]

RATES = ("1/4", "1/3", "2/5", "1/2", "3/5", "2/3", "3/4", "4/5", "5/6", "8/9")
DVBS2 = [(64800, rate) for rate in (*RATES, "9/10")] + [(16200, rate) for rate in RATES]
IEEE80211N = [(n, rate) for n in (648, 1296, 1944) for rate in ("1/2", "2/3", "3/4", "5/6")]


@pytest.fixture(scope="module")
def sionna() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the import alone
        from sionna.phy import fec
        from sionna.phy.fec import ldpc, linear, utils

    assert (ldpc, linear, utils) == (fec.ldpc, fec.linear, fec.utils)
    return fec


def random_info(k: int, *, words: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed + k)
    return torch.randint(0, 2, (words, k), dtype=torch.uint8, generator=generator)


def dense(graph: TannerGraph) -> np.ndarray:
    H = np.zeros((graph.checks, graph.variables), dtype=np.int64)
    H[graph.check.numpy(), graph.variable.numpy()] = 1
    return H


# IEEE 802.11n


def test_ieee80211n_648_is_sionnas_matrix(sionna: Any) -> None:
    H, k, n, _ = sionna.utils.load_parity_check_examples(4)
    code = Ieee80211n(648, "1/2")
    assert (k, n) == (code.k, code.n)
    assert np.array_equal(dense(code.graph), H)
    coded = code.encode(random_info(k, words=2000)).numpy().astype(np.int64)
    assert not (coded @ H.T % 2).any()


@pytest.mark.parametrize(("n", "rate"), IEEE80211N)
def test_ieee80211n_equals_sionnas_linear_encoder(sionna: Any, n: int, rate: str) -> None:
    """From H alone, by Gaussian elimination; its information bits stand elsewhere."""
    code = Ieee80211n(n, rate)
    encoder = sionna.linear.LinearEncoder(dense(code.graph), is_pcm=True, device="cpu")
    generator = encoder.gm.to(torch.int64)
    assert generator.shape == (code.k, n)  # H has full rank: exactly 2^k codewords
    # Columns with a single one, a different row each: the places of its information bits.
    place = [int(((generator.sum(0) == 1) & (row == 1)).nonzero()[0]) for row in generator]
    coded = code.encode(random_info(code.k, words=1000))
    again = encoder(coded[:, place].float()).to(torch.uint8)
    assert torch.equal(again, coded)
    assert not code.graph.syndrome(coded).any()


# DVB-S2


@pytest.mark.parametrize(("n", "rate"), DVBS2)
def test_dvbs2_by_the_rule_of_the_clause(n: int, rate: str) -> None:
    """EN 302 307-1, 5.3.2.1: add each information bit at its addresses, then accumulate."""
    code = DvbS2(n, rate)
    table = json.loads((files("phy.ldpc") / "tables" / "dvbs2.json").read_text())
    rows = table["codes"][f"{n}_{rate}"]["rows"]
    assert len(rows) * 360 == code.k
    info = random_info(code.k, words=40)
    coded = code.encode(info)
    assert torch.equal(coded[:, : code.k], info)
    assert not code.graph.syndrome(coded).any()

    checks = n - code.k
    q = checks // 360
    m = np.arange(360)
    for word, found in zip(info[:10].numpy(), coded[:10].numpy(), strict=True):
        parity = np.zeros(checks, dtype=np.uint8)
        for group, row in enumerate(rows):
            bits = word[360 * group : 360 * (group + 1)]
            for x in row:
                np.bitwise_xor.at(parity, (x + m * q) % checks, bits)
        parity = np.bitwise_xor.accumulate(parity)  # p_i = p_i + p_(i-1)
        assert np.array_equal(found[code.k :], parity)


# 5G NR


def sample_sizes(count: int) -> list[tuple[int, int]]:
    """Random k, log-uniform over 12..8448, at rates over what sionna takes (no repetition)."""
    draw = random.Random(38212)
    sizes: list[tuple[int, int]] = []
    while len(sizes) < count:
        k = round(12 * (8448 / 12) ** draw.random())
        n = int(k / draw.uniform(0.2, 0.949)) + 1
        try:
            nr_base_graph.select(k=k, code_rate=k / n)
        except ValueError:  # base graph 2 is too small: k > 3840 below rate 1/4
            continue
        if k <= 3824 or 3 * k > n:
            sizes.append((k, n))
    return sizes


def every_lifting() -> list[tuple[int, int]]:
    """For both base graphs and all 51 lifting sizes (graph 1 begins at z = 14), k and n.

    Whole columns of information bits, and one bit more than fits the next smaller size, where
    filler fills the rest. Rates take in all the rows where the clauses let them: graph 2 at 1/5,
    graph 1 at 1/3 from k = 3825 on and at 0.68 before.
    """
    sizes = sorted(nr_base_graph._LIFTING_SIZES)
    found = []
    for index in (1, 2):
        for z in sizes:
            smaller = max((other for other in sizes if other < z), default=1)
            for columns in (22,) if index == 1 else (10, 9, 8, 6):
                for k in {columns * z, columns * smaller + 1}:
                    if not 12 <= k <= 8448:
                        continue
                    n = 5 * k if index == 2 else 3 * k - 1 if k > 3824 else int(k / 0.68)
                    base = nr_base_graph.select(k=k, code_rate=k / n)
                    if (base.index, base.z) == (index, z):
                        found.append((k, n))
    return found


def test_every_lifting_size_is_reached() -> None:
    bases = [nr_base_graph.select(k=k, code_rate=k / n) for k, n in every_lifting()]
    sizes = sorted(nr_base_graph._LIFTING_SIZES)
    assert sorted({base.z for base in bases if base.index == 2}) == sizes
    assert sorted({base.z for base in bases if base.index == 1}) == [z for z in sizes if z > 13]


def check_nr(sionna: Any, k: int, n: int) -> None:
    code = Nr(k, n)
    encoder = sionna.ldpc.LDPC5GEncoder(k, n, device="cpu")
    info = random_info(k, words=16)
    expected = encoder(info.float()).to(torch.uint8)
    assert torch.equal(code.encode(info), expected), (k, n)
    word = code.codeword(info)
    assert not code.graph.syndrome(word).any(), (k, n)
    assert torch.equal(code.info(word), info), (k, n)
    # The graph is sionna's lifted base graph up to the rows and columns in use.
    graph = code.graph
    theirs = encoder.pcm[: graph.checks, : graph.variables].tocoo()
    key = np.sort(theirs.row.astype(np.int64) * graph.variables + theirs.col)
    assert np.array_equal((graph.check * graph.variables + graph.variable).numpy(), key), (k, n)


def test_nr_at_every_lifting_size_equals_sionna(sionna: Any) -> None:
    for k, n in every_lifting():
        check_nr(sionna, k, n)


def test_nr_at_random_sizes_equals_sionna(sionna: Any) -> None:
    for k, n in sample_sizes(300):
        check_nr(sionna, k, n)


@pytest.mark.parametrize("index", [1, 2])
def test_nr_with_repetition_goes_round_the_buffer(index: int) -> None:
    """TS 38.212, 5.4.2.1: k_0 = 0, filler skipped; past its end the buffer starts anew."""
    draw = random.Random(5)
    for _ in range(40):
        k = draw.randint(3825, 8448) if index == 1 else draw.randint(12, 3840)
        n = int(k * (draw.uniform(3.3, 3.99) if index == 1 else draw.uniform(12, 25)))
        code = Nr(k, n)
        base = code.base
        assert base.index == index
        info = random_info(k, words=4)
        word = code.codeword(info)
        place = torch.arange(word.shape[1])
        sent = (place >= 2 * base.z) & ((place < k) | (place >= k + code.filler))
        buffer = word[:, sent]
        assert buffer.shape[1] == (66 if index == 1 else 50) * base.z - code.filler < n
        repeated = buffer[:, torch.arange(n) % buffer.shape[1]]
        assert torch.equal(code.encode(info), repeated), (k, n)


# Gallager


@pytest.mark.parametrize("weights", [(2, 3), (3, 4), (3, 6), (4, 8), (5, 6)])
def test_gallager_codewords(weights: tuple[int, int]) -> None:
    column, row = weights
    for seed in range(20):
        for n in (row, 5 * row, 24 * row):
            code = Gallager(n, column_weight=column, row_weight=row, seed=seed)
            info = random_info(code.k, words=200, seed=seed)
            coded = code.encode(info)
            assert not (coded.numpy().astype(np.int64) @ dense(code.graph).T % 2).any()
            assert torch.equal(code.info(coded), info)
