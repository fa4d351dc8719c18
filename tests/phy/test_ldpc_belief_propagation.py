import itertools

import pytest
import torch
from torch import Tensor

from phy.ldpc import belief_propagation
from phy.ldpc.belief_propagation import BeliefPropagation, _Lanes, _phi_
from phy.ldpc.code import LdpcCode
from phy.ldpc.dvbs2 import DvbS2
from phy.ldpc.edge_layout import edge_layout
from phy.ldpc.gallager import Gallager
from phy.ldpc.graph import TannerGraph
from phy.ldpc.ieee80211n import Ieee80211n
from phy.ldpc.nr import Nr

INF = float("inf")
CODE = Ieee80211n(648, "1/2")
# A tree: three checks that share single variables, so that sum-product is exact.
TREE = TannerGraph.of(
    torch.tensor([0, 0, 0, 1, 1, 1, 1, 2, 2]), torch.tensor([0, 1, 2, 2, 3, 4, 5, 5, 6]),
    checks=3, variables=7,
)  # fmt: skip


def random_bits(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, shape, dtype=torch.uint8, generator=generator)


def qpsk_llrs(coded: Tensor, *, esn0_db: float, seed: int, rayleigh: bool = False) -> Tensor:
    """LLRs of coded bits ``[blocks, n]``, one on each axis of a QPSK symbol of unit energy."""
    generator = torch.Generator().manual_seed(seed)
    noise_variance = 10 ** (-esn0_db / 10)
    gain = torch.ones(coded.shape)
    if rayleigh:  # one gain for the two bits of a symbol
        power = torch.empty(len(coded), coded.shape[1] // 2).exponential_(generator=generator)
        gain = power.sqrt().repeat_interleave(2, -1)
    amplitude = gain * 0.5**0.5
    noise = torch.randn(coded.shape, generator=generator) * (noise_variance / 2) ** 0.5
    received = amplitude * (1 - 2 * coded.float()) + noise
    llrs: Tensor = 4 * amplitude * received / noise_variance
    return llrs


def transmit(
    code: LdpcCode, blocks: int, esn0_db: float, *, rayleigh: bool = False
) -> tuple[Tensor, Tensor]:
    """Information bits ``[blocks, k]`` and mother LLRs ``[blocks, variables]``."""
    info = random_bits(blocks, code.k, seed=1)
    llrs = qpsk_llrs(code.encode(info), esn0_db=esn0_db, seed=2, rayleigh=rayleigh)
    return info, code.rate_recover(llrs)


def totals_after(graph: TannerGraph, llrs: Tensor, iterations: int) -> Tensor:
    """Total LLRs ``[lanes, variables]`` after some iterations, without stopping."""
    layout = edge_layout(graph, llrs.device)
    lanes = _Lanes(layout, llrs)
    lanes.refill(len(llrs))
    lanes.add_up()
    for _ in range(iterations):
        lanes.update_checks()
        lanes.add_up()
    return lanes._totals[layout.place].T


# Definition


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_phi_is_exact_at_both_ends(dtype: torch.dtype) -> None:
    x = torch.logspace(-30, 1.9, 20001, dtype=dtype)
    wide = x.to(torch.float64)
    # -ln tanh(x/2) = 2 artanh(e^-x), whose argument is near 0 for large x; the first form else.
    expected = torch.where(wide > 1, 2 * (-wide).exp().atanh(), -(wide / 2).tanh().log())
    tolerance = 4e-7 if dtype == torch.float32 else 1e-13
    assert (_phi_(x.clone()).to(torch.float64) / expected - 1).abs().max() < tolerance
    assert _phi_(torch.tensor([0.0, INF], dtype=dtype)).tolist() == [INF, 0.0]


def test_one_check_by_the_tanh_rule() -> None:
    llrs = torch.tensor([[1.5, -0.3, 2.0, -4.0], [1e-3, 30.0, 20.0, -25.0]], dtype=torch.float64)
    graph = TannerGraph.of(torch.zeros(4), torch.arange(4), checks=1, variables=4)
    for row, totals in zip(llrs, totals_after(graph, llrs, 1), strict=True):
        for v in range(4):
            others = torch.cat([row[:v], row[v + 1 :]])
            expected = row[v] + 2 * (others / 2).tanh().prod().atanh()
            assert float(totals[v]) == pytest.approx(float(expected), rel=1e-9)


def test_a_tree_gives_the_exact_a_posteriori_llrs() -> None:
    words = torch.tensor(list(itertools.product([0, 1], repeat=7)), dtype=torch.uint8)
    words = words[(TREE.syndrome(words) == 0).all(-1)]
    llrs = 3 * torch.randn(50, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    log_likelihood = -(llrs[:, None] * words).sum(-1)  # ln P(word) up to a constant: [50, words]
    zero = words.T == 0  # [7, words]
    scores = log_likelihood[:, None]
    numerator = scores.masked_fill(~zero, -INF).logsumexp(-1)
    expected = numerator - scores.masked_fill(zero, -INF).logsumexp(-1)
    assert torch.allclose(totals_after(TREE, llrs, 6), expected, rtol=1e-9, atol=1e-9)
    single = totals_after(TREE, llrs.float(), 6)
    assert torch.allclose(single.double(), expected, rtol=2e-6, atol=2e-6)


def test_a_check_of_one_variable_makes_it_zero() -> None:
    graph = TannerGraph.of(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]), checks=2, variables=2)
    decoded = BeliefPropagation(graph).decode(torch.tensor([-9.0, -8.0]))
    assert decoded.bits.tolist() == [0, 0]
    assert bool(decoded.converged)


def test_nodes_without_edges() -> None:
    graph = TannerGraph.of(torch.tensor([1, 1]), torch.tensor([0, 2]), checks=3, variables=4)
    decoded = BeliefPropagation(graph).decode(torch.tensor([[-2.0, -1.0, 1.0, 3.0]] * 2))
    assert decoded.bits.tolist() == [[1, 1, 1, 0]] * 2
    assert decoded.converged.all()


# Known error rates


def test_block_error_rate_of_648_at_rate_one_half() -> None:
    # 20 flooding iterations, QPSK, Eb/N0 = Es/N0 = 1.5 dB: 0.137; 4 sigma of 5000 blocks: 0.0195.
    info, llrs = transmit(CODE, 5000, 1.5)
    decoded = BeliefPropagation(CODE.graph, 20).decode(llrs)
    wrong = (decoded.bits != CODE.codeword(info)).any(-1)
    assert abs(float(wrong.float().mean()) - 0.137) < 0.02
    assert not CODE.graph.syndrome(decoded.bits[decoded.converged]).any()
    assert int((~decoded.converged).sum()) <= int(wrong.sum())
    assert (decoded.iterations[~decoded.converged] == 20).all()


def test_block_error_rate_of_nr_over_rayleigh_fading() -> None:
    # 20 iterations, i.i.d. fading per QPSK symbol, Es/N0 = 3 dB: about 0.45.
    code = Nr(1024, 2048)
    info, llrs = transmit(code, 600, 3.0, rayleigh=True)
    decoded = BeliefPropagation(code.graph, 20).decode(llrs)
    errors = int((code.info(decoded.bits) != info).any(-1).sum())
    assert abs(errors - 600 * 0.45) < 4 * (600 * 0.45 * 0.55) ** 0.5


@pytest.mark.parametrize(
    ("code", "esn0_db"),
    [
        (DvbS2(64800, "1/2"), 1.2),  # 1.2 dB Eb/N0: 0.2 dB beyond EN 302 307-1 Table 13
        (DvbS2(16200, "8/9"), 7.0),
        (Ieee80211n(1944, "5/6"), 6.6),
        (Nr(8448, 16896), 1.5),
        (Nr(100, 2000), -8.0),
        (Gallager(96, column_weight=3, row_weight=6, seed=1), 8.0),
    ],
)
def test_beyond_its_threshold_every_code_is_free_of_errors(code: LdpcCode, esn0_db: float) -> None:
    info, llrs = transmit(code, 2, esn0_db)
    decoded = BeliefPropagation(code.graph).decode(llrs)
    assert decoded.converged.all()
    assert torch.equal(code.info(decoded.bits), info)


# Invariants


@pytest.mark.parametrize("code", [CODE, Nr(200, 400), Gallager()])
@pytest.mark.parametrize("lane_floats", [1, 40_000, 1 << 20])
def test_a_block_does_not_depend_on_its_batch(
    code: LdpcCode, lane_floats: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = BeliefPropagation(code.graph, 12)
    _, llrs = transmit(code, 64, 1.5)
    whole = decoder.decode(llrs)
    assert 0 < int(whole.converged.sum()) < 64
    monkeypatch.setattr(belief_propagation, "_LANE_FLOATS", lane_floats)
    for size in (1, 3, 7, 64):
        parts = [decoder.decode(part) for part in torch.split(llrs, size)]
        assert torch.equal(torch.cat([part.bits for part in parts]), whole.bits)
        assert torch.equal(torch.cat([part.iterations for part in parts]), whole.iterations)
        assert torch.equal(torch.cat([part.converged for part in parts]), whole.converged)


def test_messages_do_not_depend_on_the_lane() -> None:
    _, llrs = transmit(CODE, 64, 1.0)
    whole = totals_after(CODE.graph, llrs, 5)
    for size in (1, 3, 7, 64):
        parts = [totals_after(CODE.graph, part, 5) for part in torch.split(llrs, size)]
        assert torch.equal(torch.cat(parts), whole)


def test_leading_dimensions() -> None:
    _, llrs = transmit(CODE, 6, 2.0)
    decoder = BeliefPropagation(CODE.graph)
    flat, shaped = decoder.decode(llrs), decoder.decode(llrs.reshape(2, 3, 648))
    assert torch.equal(shaped.bits, flat.bits.reshape(2, 3, 648))
    assert torch.equal(shaped.iterations, flat.iterations.reshape(2, 3))
    assert torch.equal(shaped.converged, flat.converged.reshape(2, 3))
    single = decoder.decode(llrs[4])
    assert single.iterations.shape == ()
    assert torch.equal(single.bits, flat.bits[4])
    assert (single.bits.dtype, single.iterations.dtype) == (torch.uint8, torch.int32)


def test_no_blocks() -> None:
    decoded = BeliefPropagation(CODE.graph).decode(torch.zeros(0, 648))
    assert decoded.bits.shape == (0, 648)
    assert decoded.converged.shape == (0,)


def test_input_is_left_as_it_was() -> None:
    _, llrs = transmit(CODE, 3, 2.0)
    before = llrs.clone()
    BeliefPropagation(CODE.graph).decode(llrs)
    assert torch.equal(llrs, before)


def test_errors_do_not_depend_on_the_codeword() -> None:
    # Flipping LLRs by a codeword adds the codeword to what is decoded, to the last bit.
    _, llrs = transmit(CODE, 30, 1.5)
    word = CODE.encode(random_bits(CODE.k, seed=9))
    decoder = BeliefPropagation(CODE.graph, 20)
    plain, flipped = decoder.decode(llrs), decoder.decode(llrs * (1 - 2 * word.float()))
    assert torch.equal(flipped.bits, plain.bits ^ word)
    assert torch.equal(flipped.iterations, plain.iterations)


def test_both_precisions_agree() -> None:
    _, llrs = transmit(CODE, 50, 2.0)
    decoder = BeliefPropagation(CODE.graph, 20)
    single, double = decoder.decode(llrs), decoder.decode(llrs.double())
    both = single.converged & double.converged
    assert int(both.sum()) >= 45
    assert torch.equal(single.bits[both], double.bits[both])


# Stopping, erasures and certainty


def test_a_codeword_needs_no_iteration() -> None:
    word = CODE.encode(random_bits(5, CODE.k, seed=3))
    decoded = BeliefPropagation(CODE.graph).decode(0.1 * (1 - 2 * word.float()))
    assert decoded.iterations.tolist() == [0] * 5
    assert decoded.converged.all()
    assert torch.equal(decoded.bits, word)


def test_an_erased_block_is_no_success() -> None:
    decoded = BeliefPropagation(CODE.graph, 7).decode(torch.zeros(2, 648))
    assert decoded.converged.tolist() == [False, False]
    assert decoded.iterations.tolist() == [7, 7]
    assert not decoded.bits.any()


@pytest.mark.parametrize("certain", [INF, 1e30, 5.0])
def test_erasures_are_filled_in(certain: float) -> None:
    word = CODE.encode(random_bits(20, CODE.k, seed=3))
    erased = torch.rand(word.shape, generator=torch.Generator().manual_seed(5)) < 0.3
    llrs = torch.where(erased, 0.0, certain * (1 - 2 * word.float()))
    decoded = BeliefPropagation(CODE.graph).decode(llrs)
    assert decoded.converged.all()
    assert (decoded.iterations > 0).all()
    assert torch.equal(decoded.bits, word)


def test_too_many_erasures_are_no_success() -> None:
    word = CODE.encode(random_bits(20, CODE.k, seed=3))
    erased = torch.rand(word.shape, generator=torch.Generator().manual_seed(5)) < 0.6
    llrs = torch.where(erased, 0.0, INF * (1 - 2 * word.float()))
    decoded = BeliefPropagation(CODE.graph).decode(llrs)
    assert not decoded.converged.any()
    assert torch.equal(decoded.bits[~erased], word[~erased])


def test_contradictory_certainties_end_without_success() -> None:
    llrs = torch.full((1, 648), INF)
    llrs[0, ::5] = -INF
    decoded = BeliefPropagation(CODE.graph).decode(llrs)
    assert decoded.converged.tolist() == [False]
    assert torch.equal(decoded.bits, (llrs < 0).to(torch.uint8))  # nothing outweighs certainty


def test_refused() -> None:
    decoder = BeliefPropagation(CODE.graph)
    with pytest.raises(ValueError, match="iterations must be at least 1, got 0"):
        BeliefPropagation(CODE.graph, 0)
    with pytest.raises(ValueError, match="llrs must be numbers, got NaN"):
        decoder.decode(torch.full((648,), float("nan")))
    with pytest.raises(ValueError, match=r"llrs must be \[..., 648\], got \[2, 647\]"):
        decoder.decode(torch.zeros(2, 647))
    with pytest.raises(ValueError, match=r"llrs must be float32 or float64, got torch\.int64"):
        decoder.decode(torch.zeros(648, dtype=torch.int64))
