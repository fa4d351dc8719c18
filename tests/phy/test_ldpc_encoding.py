"""The arithmetic of encoders: as 64 words in an integer, and as bytes, where there is no CPU."""

import pytest
import torch
from torch import Tensor

from phy.ldpc import encoding
from phy.ldpc.dvbs2 import DvbS2
from phy.ldpc.encoding import (
    from_lanes,
    multiply,
    running_sums,
    solve_dual_diagonal,
    to_lanes,
)
from phy.ldpc.graph import circulants, expand
from phy.ldpc.ieee80211n import Ieee80211n
from phy.ldpc.nr import Nr

BASE = [[2, -1, 0, 4], [-1, 1, 3, -1], [0, 0, -1, 2]]
COUNTS = (0, 1, 7, 8, 9, 63, 64, 65, 200)


@pytest.fixture(params=[torch.int64, torch.uint8], ids=["integers", "bytes"], autouse=True)
def lane_type(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> torch.dtype:
    """Both kinds of lanes; bytes are for devices that are not here."""
    dtype: torch.dtype = request.param
    monkeypatch.setattr(encoding, "on_host", lambda *_: dtype == torch.int64)
    return dtype


def random_bits(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, shape, dtype=torch.uint8, generator=generator)


def matrix(base: list[list[int]]) -> Tensor:
    return torch.tensor(circulants(base))


@pytest.mark.parametrize("count", COUNTS)
def test_lanes_round_trip(count: int, lane_type: torch.dtype) -> None:
    words = random_bits(count, 37)
    packed = to_lanes(words)
    assert packed.dtype == lane_type
    assert packed.shape == ((count + 63) // 64 if lane_type == torch.int64 else count, 37)
    assert torch.equal(from_lanes(packed, batch=[count]), words)


def test_batches_and_views() -> None:
    words = random_bits(12, 2, 3).permute(1, 2, 0)  # not contiguous
    assert torch.equal(from_lanes(to_lanes(words), batch=[2, 3]), words)
    assert torch.equal(from_lanes(to_lanes(words[0, 1]), batch=[]), words[0, 1])


def test_bit_r_of_a_lane_is_word_r(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "on_host", lambda *_: True)
    words = random_bits(70, 5)
    packed = to_lanes(words)
    for r in (0, 1, 62, 63):
        assert torch.equal(packed[0] >> r & 1, words[r].to(torch.int64))
    assert torch.equal(packed[1] >> 3 & 1, words[67].to(torch.int64))
    assert packed[1].max() < 1 << 6


@pytest.mark.parametrize("z", [1, 5, 17, 27])
def test_multiply_is_the_product_with_every_word(z: int) -> None:
    graph = expand(BASE, z)
    words = random_bits(71, graph.variables)
    product = multiply(matrix(BASE), to_lanes(words).reshape(-1, 4, z), rows=3)
    found = from_lanes(product.flatten(1), batch=[71])
    assert torch.equal(found, graph.syndrome(words))


def test_two_circulants_in_one_block() -> None:
    blocks = torch.tensor([[0, 0, 1], [0, 0, 3], [1, 0, 0]])
    word = random_bits(1, 5)
    product = multiply(blocks, to_lanes(word).reshape(-1, 1, 5), rows=2).flatten(1)
    found = from_lanes(product, batch=[])
    expected = torch.cat([word[0].roll(-1) ^ word[0].roll(-3), word[0]])
    assert torch.equal(found, expected)


@pytest.mark.parametrize("shifts", [[1, -1, 0, -1, 1], [4, 2, -1, 4], [3, 0, 3], [0, 0, 0]])
def test_dual_diagonal_solves_its_equations(shifts: list[int]) -> None:
    z, rows = 5, len(shifts)
    base = [
        [s] + [0 if c in (r, r + 1) else -1 for c in range(1, rows)] for r, s in enumerate(shifts)
    ]
    sums = to_lanes(random_bits(9, rows * z)).reshape(-1, rows, z)
    parity = solve_dual_diagonal(sums, shifts)
    assert torch.equal(multiply(matrix(base), parity, rows=rows), sums)


def test_running_sums_are_the_definition() -> None:
    words = random_bits(67, 700)
    found = from_lanes(running_sums(to_lanes(words)), batch=[67])
    assert torch.equal(found, (words.to(torch.int64).cumsum(1) % 2).to(torch.uint8))


@pytest.mark.parametrize(
    "code", [Ieee80211n(648, "1/2"), DvbS2(16200, "3/4"), Nr(500, 1000), Nr(100, 120)], ids=str
)
def test_encoders_give_the_same_words_with_both_and_in_any_batch(
    code: Ieee80211n | DvbS2 | Nr, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = random_bits(70, code.k)
    coded = code.encode(info)  # with one kind of lanes
    for part in (slice(0, 1), slice(3, 10), slice(60, 70)):
        assert torch.equal(code.encode(info[part]), coded[part])
    assert torch.equal(code.encode(info.reshape(7, 10, -1)), coded.reshape(7, 10, -1))
    assert torch.equal(code.encode(info[5]), coded[5])
    assert code.encode(info[:0]).shape == (0, code.n)
    for on_host in (True, False):
        monkeypatch.setattr(encoding, "on_host", lambda *_, known=on_host: known)
        assert torch.equal(code.encode(info), coded)


def test_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "on_host", lambda *_: True)
    words = torch.zeros(100, 3, dtype=torch.uint8)
    words[77, 1] = 2
    with pytest.raises(ValueError, match="bits must be 0 or 1, got 2"):
        to_lanes(words)
