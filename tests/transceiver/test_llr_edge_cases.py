"""The link at the edges: erased, certain and impossible LLRs; single, odd and empty frames."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from phy.constellation import Constellation
from phy.crc import Crc
from phy.cross_qam import cross_qam
from phy.interleave import Permutation, RowColumn
from phy.ldpc import Gallager, Ieee80211n, LdpcCode, Nr, two_tier
from phy.psk import bpsk, psk8
from phy.qam import qam
from phy.snr import noise_variance_from_esn0_db
from transceiver.build import build
from transceiver.coding import Coding, LdpcBlockDecoder
from transceiver.counters import Counters, count
from transceiver.link import BinarySymmetric, Conditions, Link, Received, Streams, send
from transceiver.results import rows
from transceiver.scenario import parse
from transceiver.source import Sent
from transceiver.store import Store
from transceiver.streams import stream
from transceiver.taps import Recorder

INF, NAN = float("inf"), float("nan")


@dataclass(frozen=True)
class GivenGains:
    """Fading that is written down: one tensor of gains for each frame in turn, cut to length."""

    frames: Iterator[Tensor]

    def gains(self, count: int, *, generator: torch.Generator) -> Tensor:
        del generator
        return next(self.frames)[:count]


def given(*frames: Tensor) -> Any:
    return GivenGains(iter(frames))


def constant(*values: complex) -> Any:
    return given(*(torch.full((10_000,), v, dtype=torch.complex64) for v in values))


def random_payload(size: int, *, seed: int = 0) -> Sent:
    generator = torch.Generator().manual_seed(seed)
    return Sent(torch.randint(2, (size,), generator=generator, dtype=torch.uint8))


def carry(
    link: Link, frames: Sequence[Sent], *, esn0_db: float = 4.0, noise_variance: float | None = None
) -> tuple[list[Received], list[Counters], dict[str, list[Tensor]]]:
    """Send frames; what was received, counted, and seen at the taps."""
    recorder = Recorder()
    n0 = noise_variance_from_esn0_db(esn0_db) if noise_variance is None else noise_variance
    names = [{"point": 0, "image": i, "trial": 0} for i in range(len(frames))]
    received = send(
        link,
        frames,
        conditions=Conditions(noise_variance=n0, flip_probability=0.0),
        streams=[
            Streams(stream(1, **n, purpose="fading"), stream(1, **n, purpose="noise"))
            for n in names
        ],
        last_good=[None] * len(frames),
        tap=recorder,
    )
    accounts = [link.format.account(frame.bits.numel()) for frame in frames]
    counters = count(recorder.frames, received, accounts, displacement=None)
    return received, counters, {name: list(parts) for name, parts in recorder.frames.items()}


@pytest.fixture
def link(bits: Callable[..., dict[str, Any]]) -> Link:
    """(648, 324) with CRC-24A on 4-QAM over AWGN."""
    return build(parse(bits()))["bits"].link


def coded(link: Link, code: LdpcCode, interleaver: RowColumn | Permutation | None = None) -> Link:
    decoder = LdpcBlockDecoder(code, two_tier(code.graph))
    return replace(link, coding=Coding(code, decoder, interleaver))


# Erased: LLRs of zero


@pytest.mark.parametrize("scrambler_init", [None, 9])
def test_an_erased_frame_has_no_converged_block(link: Link, scrambler_init: int | None) -> None:
    """All gains zero: every LLR is 0, bits read 0, and no block of it counts as decoded."""
    link = replace(link, channel=constant(0, 0), scrambler_init=scrambler_init)
    sent = [random_payload(1000), Sent(torch.zeros(1000, dtype=torch.uint8))]
    received, counters, taps = carry(link, sent)
    for i, c in enumerate(counters):
        assert not taps["llrs"][i].any()
        assert not received[i].converged.any()
        assert (c.blocks, c.unconverged_blocks, c.false_decodes) == (4, 4, 0)
        assert not received[i].crc_ok  # though zeros always pass a CRC
        assert (c.crc_failures, c.undetected_errors) == (1, 0)
        assert c.iterations == 4 * (20 + 50)  # of both tiers
        assert not taps["source_bits_hat"][i].any()
    c = counters[0]  # of the random payload all blocks are wrong too, its last with the CRC
    assert (c.block_errors, c.frame_errors) == (4, 1)
    assert c.source_bit_errors == int(sent[0].bits.sum())
    assert counters[1].source_bit_errors == 0  # not so of zeros, by chance: convergence tells


@pytest.mark.parametrize(
    "code",
    [
        {"kind": "polar", "k": 100, "n": 256},
        {"kind": "convolutional", "k": 100, "rate": "1/2", "constraint_length": 7},
        {"kind": "turbo", "k": 100, "rate": "1/3"},
    ],
    ids=lambda code: code["kind"],
)
def test_decoders_without_a_verdict_refuse_only_what_was_erased(
    bits: Callable[..., dict[str, Any]], code: dict[str, Any]
) -> None:
    link = build(parse(bits(**{"phy.code": code})))["bits"].link
    sent = [random_payload(500), random_payload(500), Sent(torch.zeros(500, dtype=torch.uint8))]
    received, counters, _ = carry(replace(link, channel=constant(1, 0, 0)), sent, esn0_db=15)
    assert [r.crc_ok for r in received] == [True, False, False]
    assert [c.crc_failures for c in counters] == [0, 1, 1]
    assert [c.undetected_errors for c in counters] == [0, 0, 0]


def test_a_single_erased_block_is_enough_to_refuse_a_frame(link: Link) -> None:
    """A frame of zeros, of which the third of four blocks is lost: no bit is wrong, by chance."""
    gains = torch.ones(10_000, dtype=torch.complex64)
    gains[2 * 324 : 3 * 324] = 0
    sent = [Sent(torch.zeros(1000, dtype=torch.uint8))]
    received, (c,), _ = carry(replace(link, channel=given(gains)), sent, esn0_db=15)
    assert received[0].converged.tolist() == [True, True, False, True]
    assert (c.source_bit_errors, c.unconverged_blocks, c.crc_failures) == (0, 1, 1)
    assert not received[0].crc_ok


def test_an_uncoded_frame_has_the_verdict_of_its_crc_alone(link: Link) -> None:
    link = replace(link, coding=None, channel=constant(1, 1))
    received, _, _ = carry(link, [random_payload(500), random_payload(500)], esn0_db=20)
    assert [r.crc_ok for r in received] == [True, True]
    assert not received[0].converged.any()


def test_an_erased_frame_leaves_the_others_alone(link: Link) -> None:
    frames = [random_payload(1000, seed=i) for i in range(3)]
    _, _, before = carry(replace(link, channel=constant(1, 1, 1)), frames)
    received, counters, after = carry(replace(link, channel=constant(1, 0, 1)), frames)
    assert [c.unconverged_blocks for c in counters] == [0, 4, 0]
    assert [r.crc_ok for r in received][::2] == [True, True]
    for i in (0, 2):
        for name, parts in before.items():
            if parts:
                assert torch.equal(parts[i], after[name][i]), name


@pytest.mark.parametrize("modulation", [qam(4), qam(64), psk8()], ids=lambda c: c.name)
def test_erased_symbols_are_filled_in_by_the_code(link: Link, modulation: Constellation) -> None:
    """Every eighth symbol lost, the others nearly without noise: rate 1/2 brings all bits back."""
    gains = torch.ones(10_000, dtype=torch.complex64)
    gains[::8] = 0
    link = replace(link, modulation=modulation, channel=given(gains))
    received, (c,), taps = carry(link, [random_payload(1000)], esn0_db=30)
    lost = taps["llrs"][0].reshape(c.symbols, -1)[::8]
    assert not lost.any()
    assert received[0].crc_ok
    assert received[0].converged.all()
    assert (c.frame_errors, c.block_errors, c.info_bit_errors) == (0, 0, 0)
    # Lost bits read 0, and a half of them is wrong before decoding; no others are.
    assert c.coded_bit_errors == int(taps["coded_bits"][0].reshape(c.symbols, -1)[::8].sum()) > 0


def test_an_uncoded_erased_frame_reads_zeros(link: Link) -> None:
    link = replace(link, channel=constant(0), coding=None)
    _, (c,), taps = carry(link, [random_payload(1000)])
    assert not taps["source_bits_hat"][0].any()
    assert c.source_bit_errors == int(taps["source_bits"][0].sum())
    assert (c.blocks, c.block_errors, c.unconverged_blocks) == (1, 1, 0)


# Certain: LLRs without bound


CODINGS = [
    Coding(code, LdpcBlockDecoder(code, two_tier(code.graph)), interleaver)
    for code, interleaver in (
        (Ieee80211n(648, "1/2"), None),
        (Ieee80211n(1296, "5/6"), RowColumn(3)),
        (Nr(100, 230), Permutation(5)),
        (Nr(60, 700), None),  # each bit sent twice or three times
        (Gallager(96, column_weight=3, row_weight=6, seed=1), Permutation(2)),
    )
]


@pytest.mark.parametrize("coding", CODINGS, ids=lambda c: type(c.code).__name__ + str(c.code.n))
@pytest.mark.parametrize("magnitude", [20.0, 1e30, INF])
def test_certain_llrs_through_the_whole_coding_stage(coding: Coding, magnitude: float) -> None:
    generator = torch.Generator().manual_seed(4)
    info = torch.randint(0, 2, (5, coding.code.k), dtype=torch.uint8, generator=generator)
    llrs = magnitude * (1 - 2 * coding.encode(info).float())
    decoded = coding.decode(llrs)
    assert torch.equal(decoded.info, info)
    assert decoded.converged.all()


@pytest.mark.parametrize("coding", CODINGS, ids=lambda c: type(c.code).__name__ + str(c.code.n))
def test_nan_and_no_blocks_through_the_whole_coding_stage(coding: Coding) -> None:
    n, k = coding.code.n, coding.code.k
    llrs = torch.ones(3, n)
    llrs[1, n // 2] = NAN
    with pytest.raises(ValueError, match=r"^llrs must be numbers, got NaN$"):
        coding.decode(llrs)
    assert coding.encode(torch.zeros(0, k, dtype=torch.uint8)).shape == (0, n)
    decoded = coding.decode(torch.zeros(0, n))
    assert decoded.info.shape == (0, k)
    assert decoded.iterations.shape == decoded.converged.shape == (0,)


@pytest.mark.parametrize("noise_variance", [1e-44, 1e-10])
def test_next_to_no_noise(link: Link, noise_variance: float) -> None:
    """LLRs stay finite and every bit arrives, down to the least float there is."""
    received, (c,), taps = carry(link, [random_payload(1000)], noise_variance=noise_variance)
    assert taps["llrs"][0].isfinite().all()
    assert float(taps["llrs"][0].abs().min()) > 1e9
    assert received[0].crc_ok
    assert (c.coded_bit_errors, c.info_bit_errors, c.iterations) == (0, 0, 0)


@pytest.mark.parametrize("noise_variance", [1e2, 1e10])
def test_next_to_nothing_but_noise(link: Link, noise_variance: float) -> None:
    _, (c,), taps = carry(link, [random_payload(1000)], noise_variance=noise_variance)
    assert taps["llrs"][0].isfinite().all()
    assert (c.unconverged_blocks, c.block_errors) == (4, 4)


def test_a_binary_channel_without_flips_is_certain_but_finite(link: Link) -> None:
    received, (c,), taps = carry(replace(link, channel=BinarySymmetric()), [random_payload(1000)])
    assert taps["llrs"][0].abs().tolist() == pytest.approx([-math.log(1e-30)] * 2592)
    assert received[0].crc_ok
    assert (c.coded_bit_errors, c.symbols, c.iterations) == (0, 2592, 0)


# Impossible: no numbers


@pytest.mark.parametrize("gain", [complex(NAN, 0), complex(0, NAN), complex(NAN, NAN)])
def test_a_gain_that_is_no_number_is_refused(link: Link, gain: complex) -> None:
    frames = [random_payload(1000, seed=i) for i in range(2)]
    for coding in (link.coding, None):
        with pytest.raises(ValueError, match=r"^llrs must be numbers, got NaN$"):
            carry(replace(link, channel=constant(1, gain), coding=coding), frames)


@pytest.mark.parametrize(("noise_variance", "name"), [(NAN, "nan"), (-1.0, "-1.0"), (0.0, "0.0")])
def test_impossible_noise_is_refused(link: Link, noise_variance: float, name: str) -> None:
    message = rf"^noise_variance must be (positive|at least 0), got {name}$"
    for coding in (link.coding, None):
        with pytest.raises(ValueError, match=message):
            carry(replace(link, coding=coding), [random_payload(9)], noise_variance=noise_variance)


# Frames of every size

MODULATIONS = [bpsk(), qam(4), psk8(), qam(16), cross_qam(32), qam(64), cross_qam(128), qam(1024)]


@pytest.mark.parametrize("modulation", MODULATIONS, ids=lambda c: c.name)
@pytest.mark.parametrize("code", [None, Ieee80211n(648, "1/2"), Nr(101, 211)], ids=repr)
def test_every_bit_is_counted_where_symbols_do_not_fit(
    link: Link, modulation: Constellation, code: LdpcCode | None
) -> None:
    """Frames of 0, 1 and more bits; blocks and frames that fill no whole symbol."""
    link = coded(link, code) if code else replace(link, coding=None)
    link = replace(link, modulation=modulation)
    m, sizes = modulation.bits_per_symbol, (0, 1, 77, 300, 301, 648, 1000)
    frames = [random_payload(size, seed=size) for size in sizes]
    received, counters, taps = carry(link, frames, esn0_db=60)
    for i, (size, c) in enumerate(zip(sizes, counters, strict=True)):
        k, n = (code.k, code.n) if code else (size + 24, size + 24)
        blocks = -(-(size + 24) // k)
        assert (c.source_bits, c.crc_bits, c.blocks) == (size, 24, blocks)
        assert c.info_bits == blocks * k == taps["info_bits"][i].numel()
        assert c.symbols == -(-blocks * n // m) == taps["symbols"][i].numel()
        assert c.coded_bits == c.symbols * m == taps["llrs"][i].numel()
        assert c.source_bits + c.crc_bits + c.padding_bits + c.parity_bits == c.coded_bits
        assert 0 <= c.coded_bits - blocks * n < m
        filler = taps["coded_bits"][i][blocks * n :]
        assert not filler.any()
        assert received[i].crc_ok
        assert (c.coded_bit_errors, c.info_bit_errors, c.frame_errors) == (0, 0, 0)
        assert torch.equal(taps["source_bits_hat"][i], frames[i].bits)


def test_bits_that_fill_a_symbol_reach_no_block(link: Link) -> None:
    """5 blocks of 648 bits on 7-bit symbols: with or without the one filler bit, the same."""
    link = replace(link, modulation=cross_qam(128), crc=None)
    frame = random_payload(5 * 324)
    for esn0_db in (14.0, 17.0):
        _, (c,), taps = carry(link, [frame], esn0_db=esn0_db)
        assert (c.symbols, c.coded_bits, c.padding_bits) == (463, 3241, 1)
        assert link.coding is not None
        decoded = link.coding.decode(taps["llrs"][0][:-1].reshape(5, 648))
        assert torch.equal(decoded.info, taps["info_bits_hat"][0])


def test_a_single_block(link: Link) -> None:
    """300 bits and the CRC are one block exactly; it is the first block of a longer frame too."""
    received, (c,), taps = carry(link, [random_payload(300)], esn0_db=1.0)
    assert (c.blocks, c.padding_bits, c.parity_bits, c.symbols) == (1, 0, 324, 324)
    assert received[0].iterations.shape == received[0].converged.shape == (1,)
    link = replace(link, crc=None)
    whole = torch.cat([taps["info_bits"][0].reshape(-1), random_payload(324).bits])
    longer, _, seen = carry(link, [Sent(whole)], esn0_db=1.0)
    assert torch.equal(seen["llrs"][0][:648], taps["llrs"][0])
    assert torch.equal(longer[0].iterations[:1], received[0].iterations)
    assert torch.equal(seen["info_bits_hat"][0][:1], taps["info_bits_hat"][0])


@pytest.mark.parametrize("crc", ["crc8", "crc16", "crc24a"])
@pytest.mark.parametrize("has_code", [True, False])
def test_an_empty_payload_is_its_crc(link: Link, crc: Any, has_code: bool) -> None:
    checker = Crc(crc)
    link = replace(link, crc=checker, coding=link.coding if has_code else None)
    received, (c,), taps = carry(link, [Sent(torch.zeros(0, dtype=torch.uint8))], esn0_db=20)
    assert taps["source_bits_hat"][0].shape == (0,)
    assert received[0].crc_ok
    assert (c.source_bits, c.source_bit_errors, c.frame_errors) == (0, 0, 0)
    assert (c.blocks, c.crc_bits) == (1, checker.width)
    assert c.info_bits == (324 if has_code else checker.width)


@pytest.mark.parametrize("scrambler_init", [None, 9])
@pytest.mark.parametrize("has_code", [True, False])
def test_an_empty_payload_without_a_crc_is_nothing(
    link: Link, has_code: bool, scrambler_init: int | None
) -> None:
    """Alone, and among others that do not see it."""
    coding = link.coding if has_code else None
    link = replace(link, crc=None, coding=coding, scrambler_init=scrambler_init)
    empty = Sent(torch.zeros(0, dtype=torch.uint8))
    blocks = 0 if has_code else 1
    nothing = Counters(frames=1, blocks=blocks)
    for frames in ([empty], [empty, random_payload(77), empty]):
        received, counters, taps = carry(link, frames, esn0_db=20)
        assert counters[0] == counters[-1] == nothing
        assert [len(bits) for bits in taps["source_bits_hat"]] == [f.bits.numel() for f in frames]
        assert all(r.crc_ok for r in received)
    assert counters[1].source_bits == 77
    assert counters[1].source_bit_errors == 0


def test_no_frames_are_refused(link: Link) -> None:
    for blocks in (link, replace(link, crc=None), replace(link, coding=None)):
        with pytest.raises(ValueError, match=r"^frames must be at least one, got none$"):
            carry(blocks, [])


def test_a_run_of_a_single_block(
    bits: Callable[..., dict[str, Any]], run_in: Callable[..., Store]
) -> None:
    changes = {"codecs.bits": {"kind": "bits", "payload_bits": 300}, "sweep.esn0_db": [-20.0, 9.0]}
    store = run_in(bits(**changes, stop={"block_errors": 1, "max_blocks": 1}))
    lost, arrived = rows(store)
    for row in (lost, arrived):
        assert (row.counters.frames, row.counters.blocks, row.counters.symbols) == (1, 1, 324)
    assert (lost.counters.block_errors, lost.counters.unconverged_blocks) == (1, 1)
    assert (arrived.counters.block_errors, arrived.counters.unconverged_blocks) == (0, 0)
