"""What every LDPC decoder does with LLRs at the edges; a new decoder is added to DECODERS."""

from collections.abc import Callable
from typing import Protocol

import pytest
import torch
from torch import Tensor

from phy.ldpc import (
    BeliefPropagation,
    Decoded,
    DvbS2,
    Gallager,
    Ieee80211n,
    Layered,
    LdpcCode,
    Nr,
    TannerGraph,
    two_tier,
)

INF = float("inf")
LARGEST = torch.finfo(torch.float32).max


class Decoder(Protocol):
    """What a decoder does."""

    def decode(self, llrs: Tensor) -> Decoded: ...


Factory = Callable[[TannerGraph, int], Decoder]


def default_decoder(graph: TannerGraph, iterations: int) -> Decoder:
    return two_tier(graph, iterations=iterations)


def float_min_sum(graph: TannerGraph, iterations: int) -> Decoder:
    return Layered(graph, "offset_min_sum", "float32", iterations)


DECODERS: list[Factory] = [BeliefPropagation, default_decoder, float_min_sum]

CODES: list[LdpcCode] = [
    Ieee80211n(648, "1/2"),
    Ieee80211n(1944, "5/6"),
    Nr(100, 210),
    Nr(400, 440),
    DvbS2(16200, "8/9"),
    Gallager(96, column_weight=3, row_weight=6, seed=1),
]


@pytest.fixture(params=DECODERS, ids=lambda factory: factory.__name__)
def factory(request: pytest.FixtureRequest) -> Factory:
    chosen: Factory = request.param
    return chosen


@pytest.fixture(params=CODES, ids=lambda code: f"{type(code).__name__}-{code.n}-{code.k}")
def code(request: pytest.FixtureRequest) -> LdpcCode:
    chosen: LdpcCode = request.param
    return chosen


def codewords(code: LdpcCode, count: int) -> Tensor:
    generator = torch.Generator().manual_seed(17)
    info = torch.randint(0, 2, (count, code.k), dtype=torch.uint8, generator=generator)
    return code.codeword(info)


def signs(word: Tensor) -> Tensor:
    return 1 - 2 * word.float()


def noisy(word: Tensor, *, noise_variance: float) -> Tensor:
    """LLRs of a codeword, all of its variables sent with one bit on each real axis."""
    noise = torch.randn(word.shape, generator=torch.Generator().manual_seed(18))
    llrs: Tensor = 2 * (signs(word) + noise_variance**0.5 * noise) / noise_variance
    return llrs


def assert_same(a: Decoded, b: Decoded) -> None:
    assert torch.equal(a.bits, b.bits)
    assert torch.equal(a.iterations, b.iterations)
    assert torch.equal(a.converged, b.converged)


# Nothing known


def test_erased_blocks_are_no_success(factory: Factory, code: LdpcCode) -> None:
    for zero in (0.0, -0.0):
        decoded = factory(code.graph, 9).decode(torch.full((3, code.graph.variables), zero))
        assert not decoded.converged.any()
        assert not decoded.bits.any()
        assert ((decoded.iterations > 0) & (decoded.iterations <= 2 * 9)).all()


def test_a_received_block_of_zeros_is_no_success(factory: Factory, code: LdpcCode) -> None:
    """Behind rate recovery: filler is known then, and that alone does not make a codeword."""
    decoded = factory(code.graph, 9).decode(code.rate_recover(torch.zeros(2, code.n)))
    assert not decoded.converged.any()


def test_an_erased_block_does_not_touch_its_neighbours(factory: Factory, code: LdpcCode) -> None:
    decoder = factory(code.graph, 20)
    llrs = noisy(codewords(code, 5), noise_variance=0.2)
    whole = decoder.decode(llrs)
    assert whole.converged.any()
    llrs[2] = 0
    found = decoder.decode(llrs)
    assert not found.converged[2]
    rest = [0, 1, 3, 4]
    assert torch.equal(found.bits[rest], whole.bits[rest])
    assert torch.equal(found.iterations[rest], whole.iterations[rest])
    assert torch.equal(found.converged[rest], whole.converged[rest])


# All known


@pytest.mark.parametrize("magnitude", [1e4, 1e20, LARGEST, INF])
def test_a_certain_codeword_needs_no_iteration(
    factory: Factory, code: LdpcCode, magnitude: float
) -> None:
    word = codewords(code, 4)
    decoded = factory(code.graph, 9).decode(magnitude * signs(word))
    assert decoded.converged.all()
    assert decoded.iterations.tolist() == [0] * 4
    assert torch.equal(decoded.bits, word)


@pytest.mark.parametrize("magnitude", [1e-45, 1e-38, 1e-6, 1e-3])
def test_a_whispered_codeword_is_found_or_not_but_never_another(
    factory: Factory, code: LdpcCode, magnitude: float
) -> None:
    word = codewords(code, 4)
    decoded = factory(code.graph, 9).decode(magnitude * signs(word))
    assert torch.equal(decoded.bits[decoded.converged], word[decoded.converged])


def test_one_undecided_bit_is_filled_in(factory: Factory, code: LdpcCode) -> None:
    word = codewords(code, 4)
    for certain in (INF, 8.0):
        llrs = certain * signs(word)
        llrs[:, code.graph.variables // 3] = 0
        decoded = factory(code.graph, 9).decode(llrs)
        assert decoded.converged.all()
        assert (decoded.iterations > 0).all()
        assert torch.equal(decoded.bits, word)


def test_certainty_beside_noise(factory: Factory, code: LdpcCode) -> None:
    """Half of the variables known without doubt, the others received with noise."""
    word = codewords(code, 6)
    llrs = noisy(word, noise_variance=0.25)
    llrs[:, ::2] = INF * signs(word[:, ::2])
    decoded = factory(code.graph, 50).decode(llrs)
    assert decoded.converged.all()
    assert torch.equal(decoded.bits, word)


@pytest.mark.parametrize("magnitude", [LARGEST, INF])
def test_contradictory_certainties_are_no_success(
    factory: Factory, code: LdpcCode, magnitude: float
) -> None:
    """A fifth of the bits certain and wrong: no codeword is near, and nothing breaks."""
    word = codewords(code, 3)
    llrs = magnitude * signs(word)
    llrs[:, ::5] *= -1
    decoded = factory(code.graph, 9).decode(llrs)
    assert not decoded.converged.any()
    assert bool((decoded.bits <= 1).all())


# No numbers


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("blocks", [1, 70])
def test_nan_is_refused_in_one_line(
    factory: Factory, code: LdpcCode, dtype: torch.dtype, blocks: int
) -> None:
    llrs = torch.ones(blocks, code.graph.variables, dtype=dtype)
    llrs[-1, -1] = float("nan")
    with pytest.raises(ValueError, match=r"^llrs must be numbers, got NaN$"):
        factory(code.graph, 9).decode(llrs)


# How many


def test_a_single_block(factory: Factory, code: LdpcCode) -> None:
    decoder = factory(code.graph, 20)
    llrs = noisy(codewords(code, 3), noise_variance=0.3)
    whole = decoder.decode(llrs)
    for block in range(3):
        bare, alone = decoder.decode(llrs[block]), decoder.decode(llrs[block : block + 1])
        assert bare.bits.shape == (code.graph.variables,)
        assert bare.iterations.shape == bare.converged.shape == ()
        assert_same(Decoded(*(x[None] for x in vars(bare).values())), alone)
        assert torch.equal(alone.bits[0], whole.bits[block])
        assert torch.equal(alone.iterations[0], whole.iterations[block])
        assert torch.equal(alone.converged[0], whole.converged[block])


@pytest.mark.parametrize("batch", [(0,), (2, 0), (0, 3)])
def test_no_blocks(factory: Factory, code: LdpcCode, batch: tuple[int, ...]) -> None:
    decoded = factory(code.graph, 9).decode(torch.zeros(*batch, code.graph.variables))
    assert decoded.bits.shape == (*batch, code.graph.variables)
    assert decoded.iterations.shape == decoded.converged.shape == batch
    assert (decoded.bits.dtype, decoded.iterations.dtype) == (torch.uint8, torch.int32)
    assert decoded.converged.dtype == torch.bool
    assert code.info(decoded.bits).shape == (*batch, code.k)


def test_codes_take_no_blocks(code: LdpcCode) -> None:
    none = torch.zeros(2, 0, code.k, dtype=torch.uint8)
    assert code.encode(none).shape == (2, 0, code.n)
    assert code.rate_recover(torch.zeros(2, 0, code.n)).shape == (2, 0, code.graph.variables)


def test_edge_cases_mixed_in_one_batch_change_nothing(factory: Factory, code: LdpcCode) -> None:
    """Blocks of every kind, alone and in parts of 3 and 7: bit by bit the same."""
    decoder = factory(code.graph, 12)
    word = codewords(code, 64 if code.n < 1000 else 16)
    llrs = noisy(word, noise_variance=0.4)
    llrs[5::8] = 0
    llrs[6::8] = INF * signs(word[6::8])
    llrs[7::8, ::5] = -LARGEST * signs(word[7::8, ::5])
    llrs[2::8, ::3] = 0
    llrs[3::8] *= 1e-30
    whole = decoder.decode(llrs)
    assert 0 < int(whole.converged.sum()) < len(word)
    for size in (1, 3, 7):
        parts = [decoder.decode(part) for part in torch.split(llrs, size)]
        joined = zip(*(vars(part).values() for part in parts), strict=True)
        assert_same(Decoded(*(torch.cat(values) for values in joined)), whole)
    columns = llrs.T.contiguous().T  # not contiguous
    assert_same(decoder.decode(columns), whole)


# Refused


def test_refused(factory: Factory) -> None:
    graph = CODES[0].graph
    with pytest.raises(ValueError, match="iterations must be at least 1, got 0"):
        factory(graph, 0)
    decoder = factory(graph, 9)
    with pytest.raises(ValueError, match=r"llrs must be \[\.\.\., 648\], got \[2, 649\]"):
        decoder.decode(torch.zeros(2, 649))
    with pytest.raises(ValueError, match=r"llrs must be \[\.\.\., 648\], got \[\]"):
        decoder.decode(torch.tensor(0.0))
    with pytest.raises(ValueError, match=r"llrs must be float32 or float64, got torch\.uint8"):
        decoder.decode(torch.zeros(648, dtype=torch.uint8))
