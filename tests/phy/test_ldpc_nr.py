import random
import warnings
from typing import Any

import pytest
import torch

from phy.ldpc import nr_base_graph
from phy.ldpc.code import CERTAIN_LLR
from phy.ldpc.nr import Nr


def wide_set() -> list[tuple[int, int]]:
    """Both base graphs, every K_b, both ends of k and rate, and a random sample."""
    ends = [
        (12, 60), (12, 13), (100, 106), (192, 400), (193, 400), (292, 1460), (293, 309),
        (560, 1000), (561, 1000), (640, 1200), (641, 1200), (1024, 2048), (1024, 4096),
        (3824, 5708), (3824, 5707), (3840, 11520), (4096, 6144), (8448, 8900), (8448, 25344),
    ]  # fmt: skip
    draw = random.Random(5)
    sample: list[tuple[int, int]] = []
    while len(sample) < 60:
        k = draw.randint(12, 2000)
        n = int(k / draw.uniform(0.2, 0.94)) + 1
        if k <= 292 or k * 3 >= n or k * 4 < n:  # what is left needs repetition
            sample.append((k, n))
    return ends + sample


def random_info(code: Nr, blocks: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(code.k)
    return torch.randint(0, 2, (blocks, code.k), dtype=torch.uint8, generator=generator)


@pytest.fixture(scope="module")
def sionna_encoder() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the import alone
        from sionna.phy.fec.ldpc import LDPC5GEncoder

    return LDPC5GEncoder


@pytest.mark.filterwarnings("ignore:Effective coderate r>948/1024:UserWarning")
@pytest.mark.parametrize(("k", "n"), wide_set())
def test_equals_sionna(sionna_encoder: Any, k: int, n: int) -> None:
    code = Nr(k, n)
    info = random_info(code)
    expected = sionna_encoder(k, n, device="cpu")(info.float()).to(torch.uint8)
    assert torch.equal(code.encode(info), expected)
    word = code.codeword(info)
    assert not code.graph.syndrome(word).any()
    assert torch.equal(code.info(word), info)


def smallest_for(index: int, z: int) -> tuple[int, int]:
    """A k (in whole columns) and n for which base graph ``index`` is lifted by z."""
    columns = (22,) if index == 1 else (10, 9, 8, 6)
    n_of = {k: k * 5 // 4 if index == 1 else 5 * k for k in (c * z for c in columns)}
    for k, n in n_of.items():
        if k >= 12 and k <= 8448:
            base = nr_base_graph.select(k=k, code_rate=k / n)
            if (base.index, base.z) == (index, z):
                return k, n
    raise AssertionError(f"no k has base graph {index} and z = {z}")


SIZES = sorted(nr_base_graph._LIFTING_SIZES)


# Graph 1 begins with k = 293, so that z is at least 14.
@pytest.mark.parametrize(
    ("index", "z"), [(2, z) for z in SIZES] + [(1, z) for z in SIZES if z > 13]
)
def test_every_lifting_size(index: int, z: int) -> None:
    code = Nr(*smallest_for(index, z))
    assert not code.graph.syndrome(code.codeword(random_info(code))).any()


def test_selection_by_the_clauses() -> None:
    def choice(k: int, code_rate: float) -> tuple[int, int]:
        base = nr_base_graph.select(k=k, code_rate=code_rate)
        return base.index, base.z

    assert choice(292, 0.9) == (2, 40)  # k <= 292; K_b = 8: 8 * 40 >= 292 > 8 * 36
    assert choice(293, 0.9) == (1, 14)
    assert choice(3824, 0.67) == (2, 384)
    assert choice(3825, 0.67) == (1, 176)
    assert choice(3840, 0.25) == (2, 384)
    assert choice(192, 0.5) == (2, 32)  # K_b = 6
    assert choice(193, 0.5) == (2, 26)  # K_b = 8
    assert choice(561, 0.5) == (2, 64)  # K_b = 9
    assert choice(641, 0.5) == (2, 72)  # K_b = 10
    assert choice(8448, 0.5) == (1, 384)


def test_lifting_sizes_are_those_of_the_table() -> None:
    sizes = nr_base_graph._LIFTING_SIZES
    assert len(sizes) == 51
    assert (min(sizes), max(sizes)) == (2, 384)
    assert sizes[384] == 1
    assert sizes[240] == 7
    with pytest.raises(ValueError, match=r"z must be a lifting size .*, got 17"):
        nr_base_graph.load(1, 17)


def test_rows_that_check_nothing_sent_are_left_out() -> None:
    code = Nr(3072, 6144)
    z = code.base.z
    full = nr_base_graph.load(code.base.index, z)
    sent = code.rate_recover(torch.ones(code.n))
    assert code.graph.checks < len(full.shifts) * z
    assert bool(sent[-z:].any())  # something of the last column is sent
    assert int((sent == 1).sum()) == code.n
    assert int((sent == CERTAIN_LLR).sum()) == code.filler
    high = Nr(3072, 3300)  # never less than the core
    assert high.graph.checks == 4 * high.base.z


def test_repetition_is_added_up() -> None:
    code = Nr(100, 2000)  # BG2, z = 18: 50 columns of 18 bits less 80 of filler, 2.4 times over
    info = random_info(code, blocks=3)
    coded = code.encode(info)
    assert code.filler == 80
    size = 50 * 18 - 80
    assert torch.equal(coded[:, size : 2 * size], coded[:, :size])
    assert torch.equal(coded[:, 2 * size :], coded[:, : 2000 - 2 * size])
    assert torch.equal(coded[:, :500], Nr(100, 500).encode(info))
    llrs = torch.randn(3, 2000, generator=torch.Generator().manual_seed(1))
    mother = code.rate_recover(llrs)
    by_hand = llrs[:, :size] + llrs[:, size : 2 * size]
    by_hand[:, : 2000 - 2 * size] += llrs[:, 2 * size :]
    parts = [
        torch.zeros(3, 36),
        by_hand[:, : 100 - 36],
        torch.full((3, 80), CERTAIN_LLR),
        by_hand[:, 100 - 36 :],
    ]
    assert torch.equal(mother, torch.cat(parts, 1))


def test_rate_recover_leaves_its_input() -> None:
    code = Nr(100, 200)
    llrs = torch.ones(200)
    code.rate_recover(llrs)
    assert torch.equal(llrs, torch.ones(200))


def test_refused() -> None:
    with pytest.raises(ValueError, match="k must be 12 to 8448, got 11"):
        Nr(11, 40)
    with pytest.raises(ValueError, match="k must be 12 to 8448, got 8449"):
        Nr(8449, 20000)
    with pytest.raises(ValueError, match=r"n must be at least k / 0\.95 = 105\.3, got 105"):
        Nr(100, 105)
    with pytest.raises(ValueError, match=r"k must be at most 3840 for base graph 2 .*, got 4000"):
        Nr(4000, 16000)
