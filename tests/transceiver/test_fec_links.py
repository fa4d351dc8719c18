"""Links with polar, convolutional and turbo codes: sections, defaults, and whole chains."""

from typing import Any

import pytest
import torch

from phy.fec import (
    Convolutional,
    Polar,
    SuccessiveCancellation,
    SuccessiveCancellationList,
    Turbo,
    TurboDecoder,
    Viterbi,
)
from phy.ldpc import BeliefPropagation, Layered, two_tier
from transceiver.build import build, conditions
from transceiver.coding import LdpcBlockDecoder
from transceiver.counters import count
from transceiver.link import Received, Streams, send
from transceiver.scenario import Scenario, ScenarioError, parse
from transceiver.streams import stream
from transceiver.taps import Recorder

POLAR = {"kind": "polar", "k": 40, "n": 96}
CONVOLUTIONAL = {"kind": "convolutional", "k": 58, "rate": "1/2", "constraint_length": 5}
TURBO = {"kind": "turbo", "k": 64, "rate": "1/3"}
NR = {"kind": "nr", "k": 60, "n": 120}


def _link(data: dict[str, Any]) -> Any:
    return build(parse(data))["bits"].link


def _carry(scenario: Scenario, frames: range) -> tuple[Recorder, list[Received]]:
    """Frames of random bits through the only codec at the first point."""
    link = build(scenario)["bits"].link
    recorder = Recorder()
    names = [{"point": 0, "image": i, "trial": 0} for i in frames]
    received = send(
        link,
        [link.source.encode(stream(1, **name, purpose="payload")) for name in names],
        conditions=conditions(link, scenario, scenario.sweep.values[0]),
        streams=[
            Streams(stream(1, **name, purpose="fading"), stream(1, **name, purpose="noise"))
            for name in names
        ],
        last_good=[None] * len(frames),
        tap=recorder,
    )
    return recorder, received


def test_decoder_left_out_is_that_of_the_code(bits: Any) -> None:
    made = {
        "polar": (POLAR, SuccessiveCancellationList(Polar(40, 96), 8)),
        "convolutional": (CONVOLUTIONAL, Viterbi(Convolutional(58, constraint_length=5))),
        "turbo": (TURBO, TurboDecoder(Turbo(64), 8, "map")),
    }
    for code, decoder in made.values():
        assert _link(bits(**{"phy.code": code})).coding.decoder == decoder
    ldpc = _link(bits(**{"phy.code": NR})).coding.decoder
    assert isinstance(ldpc, LdpcBlockDecoder)
    assert ldpc.decoder == two_tier(ldpc.code.graph)


def test_decoder_keys_without_kind_are_those_of_the_codes_decoder(bits: Any) -> None:
    keys = {"phy.code": TURBO, "phy.decoder": {"iterations": 3, "algorithm": "max_log"}}
    assert _link(bits(**keys)).coding.decoder == TurboDecoder(Turbo(64), 3, "max_log")
    ldpc = _link(bits(**{"phy.decoder": {"iterations": 3}})).coding.decoder
    assert ldpc.decoder == two_tier(ldpc.code.graph, iterations=3)


def test_decoders_by_name(bits: Any) -> None:
    plain = {"kind": "successive_cancellation"}
    link = _link(bits(**{"phy.code": POLAR, "phy.decoder": plain}))
    assert link.coding.decoder == SuccessiveCancellation(Polar(40, 96))
    two = {"kind": "successive_cancellation_list", "list_size": 2}
    link = _link(bits(**{"phy.code": POLAR, "phy.decoder": two}))
    assert link.coding.decoder == SuccessiveCancellationList(Polar(40, 96), 2)


@pytest.mark.parametrize(
    ("keys", "make"),
    [
        (
            {"kind": "two_tier", "iterations": 9, "arithmetic": "int16", "threads": 2},
            lambda graph: two_tier(graph, iterations=9, arithmetic="int16", threads=2),
        ),
        (
            {"kind": "offset_min_sum", "arithmetic": "float32"},
            lambda graph: Layered(graph, "offset_min_sum", "float32", 50),
        ),
        (
            {"kind": "a_min_star", "threads": 1},
            lambda graph: Layered(graph, "a_min_star", "int16", 50, 1),
        ),
        (
            {"kind": "sum_product", "iterations": 7},
            lambda graph: BeliefPropagation(graph, iterations=7),
        ),
    ],
)
def test_ldpc_decoders_by_name(bits: Any, keys: dict[str, Any], make: Any) -> None:
    found = _link(bits(**{"phy.decoder": keys})).coding.decoder
    assert found.decoder == make(found.code.graph)


def test_a_codec_with_another_code_takes_its_default(bits: Any) -> None:
    own = {"bits": {"kind": "bits"}, "polar": {"kind": "bits", "phy": {"code": POLAR}}}
    senders = build(parse(bits(codecs=own)))
    assert isinstance(senders["bits"].link.coding.decoder, LdpcBlockDecoder)
    assert isinstance(senders["polar"].link.coding.decoder, SuccessiveCancellationList)


def test_scenario_survives_json(bits: Any) -> None:
    for code in (POLAR, CONVOLUTIONAL, TURBO):
        scenario = parse(bits(**{"phy.code": code}))
        assert Scenario.model_validate_json(scenario.model_dump_json()) == scenario
        assert parse(scenario.model_dump()) == scenario


@pytest.mark.parametrize(
    "code",
    [
        POLAR,
        {"kind": "polar", "k": 30, "n": 108, "direction": "downlink"},
        CONVOLUTIONAL,
        {**CONVOLUTIONAL, "rate": "1/3", "terminate": False},
        TURBO,
        {**TURBO, "rate": "1/2", "constraint_length": 6},
        {**TURBO, "terminate": False},
    ],
)
def test_numbers_of_a_frame(bits: Any, code: dict[str, Any]) -> None:
    """The section's n, which the interleaver is checked with, is the code's; all is counted."""
    scenario = parse(bits(**{"phy.code": code}))
    link = build(scenario)["bits"].link
    assert link.format.k == code["k"]
    assert link.format.n == scenario.phy.code.n == link.coding.code.n
    account = link.format.account(link.source.payload_bits)
    assert account.parity_bits == 64 * (link.format.n - code["k"])
    assert account.symbols == -(-64 * link.format.n // 2)
    info = torch.ones(1, code["k"], dtype=torch.uint8)
    assert link.coding.encode(info).shape == (1, link.format.n)


@pytest.mark.parametrize("code", [POLAR, CONVOLUTIONAL, TURBO], ids=lambda code: code["kind"])
@pytest.mark.parametrize("channel", ["awgn", "bsc"])
def test_codes_correct_what_the_channel_does(bits: Any, code: dict[str, Any], channel: str) -> None:
    """Behind the CRC, an interleaver and a scrambler; raw errors some percent."""
    sweep = {"esn0_db": [4.0]} if channel == "awgn" else {"flip_probability": [0.03]}
    data = bits(
        **{
            "codecs.bits": {"kind": "bits", "payload_bits": 500},
            "phy.code": code,
            "phy.channel": {"kind": channel},
            "phy.interleaver": {"kind": "permutation"},
            "phy.scrambler": {"kind": "gold", "c_init": 5},
            "sweep": sweep,
        }
    )
    recorder, received = _carry(parse(data), range(6))
    pairs = list(
        zip(recorder.frames["coded_bits"], recorder.frames["coded_bits_hard"], strict=True)
    )
    raw = sum(int((a != b).sum()) for a, b in pairs) / sum(a.numel() for a, _ in pairs)
    assert 0.01 < raw < 0.1
    assert sum(frame.crc_ok for frame in received) >= 5
    if code["kind"] == "polar":  # its CRC knows the wrong blocks
        sent, found = recorder.frames["info_bits"], recorder.frames["info_bits_hat"]
        for frame, a, b in zip(received, sent, found, strict=True):
            assert not bool((frame.converged & (a != b).any(1)).any())


@pytest.mark.parametrize("code", [POLAR, CONVOLUTIONAL, TURBO], ids=lambda code: code["kind"])
def test_a_frame_does_not_see_its_batch(bits: Any, code: dict[str, Any]) -> None:
    """Every tap of every frame is bit-identical in batches of 1, 3 and 12."""
    keys = {
        "codecs.bits": {"kind": "bits", "payload_bits": 150},
        "phy.code": code,
        "phy.channel": {"kind": "rayleigh", "fading": "symbol"},
        "sweep.esn0_db": [4],
    }
    if code["kind"] == "turbo":
        keys["phy.decoder"] = {"iterations": 2}
    scenario = parse(bits(**keys))
    whole, expected = _carry(scenario, range(12))
    for batch in (1, 3):
        for first in range(0, 12, 2 * batch):
            part, received = _carry(scenario, range(first, first + batch))
            for name, frames in part.frames.items():
                for i, values in enumerate(frames):
                    assert torch.equal(values, whole.frames[name][first + i]), name
            for i, frame in enumerate(received):
                assert torch.equal(frame.iterations, expected[first + i].iterations)
                assert torch.equal(frame.converged, expected[first + i].converged)


def test_counters_of_decoders_that_give_no_verdict(bits: Any) -> None:
    """Viterbi takes every block for right; a turbo block uses all iterations."""
    for code, iterations in ((CONVOLUTIONAL, 0), (TURBO, 8)):
        data = bits(**{"phy.code": code, "phy.crc": "none", "sweep.esn0_db": [-6]})
        recorder, received = _carry(parse(data), range(1))
        account = build(parse(data))["bits"].link.format.account(64 * code["k"])
        (found,) = count(recorder.frames, received, [account], displacement=None)
        assert (found.blocks, found.iterations) == (64, 64 * iterations)
        assert found.block_errors == found.false_decodes > 30
        assert found.unconverged_blocks == 0


ERRORS = [
    (
        {"phy.code": POLAR, "phy.decoder": {"kind": "viterbi"}},
        "phy: decoder.kind must be successive_cancellation_list or successive_cancellation "
        "for the code polar, got viterbi",
    ),
    (
        {"phy.code": TURBO, "phy.decoder": {"kind": "sum_product"}},
        "phy: decoder.kind must be turbo for the code turbo, got sum_product",
    ),
    (
        {"phy.decoder": {"kind": "turbo"}},
        "phy: decoder.kind must be two_tier or offset_min_sum or a_min_star or sum_product",
    ),
    (
        {"phy.decoder": {"kind": "bcjr"}},
        "phy.decoder: must have one of the kinds two_tier, ",
    ),
    ({"phy.decoder": 5}, "phy.decoder: must have one of the kinds two_tier, "),
    (
        {"phy.code": POLAR, "phy.decoder": {"list_size": 3}},
        "phy.decoder.list_size: must be 1, 2, 4, 8, 16 or 32, got 3",
    ),
    (
        {"phy.code": POLAR, "phy.decoder": {"iterations": 3}},
        "phy.decoder.iterations: is not a key of this section",
    ),
    (
        {"phy.code": TURBO, "phy.decoder": {"algorithm": "log"}},
        "phy.decoder.algorithm: must be 'map' or 'max_log', got 'log'",
    ),
    (
        {"phy.decoder": {"kind": "a_min_star", "arithmetic": "int8"}},
        "phy.decoder.arithmetic: must be 'int16' or 'float32', got 'int8'",
    ),
    ({"phy.decoder": {"threads": 0}}, "phy.decoder.threads: must be greater than or equal to 1"),
    (
        {"phy.decoder": {"kind": "sum_product", "threads": 1}},
        "phy.decoder.threads: is not a key of this section",
    ),
    (
        {"phy.decoder": {"iterations": 0}},
        "phy.decoder.iterations: must be greater than or equal to 1, got 0",
    ),
    ({"phy.code": POLAR | {"k": 19}}, "phy.code: k must be 20 to 1013 for uplink, got 19"),
    (
        {"phy.code": POLAR | {"n": 50}},
        "phy.code: n must be 51 (k and 11 CRC bits) to 1088 for uplink, got 50",
    ),
    (
        {"phy.code": CONVOLUTIONAL | {"constraint_length": 9}},
        "phy.code.constraint_length: must be less than or equal to 8, got 9",
    ),
    ({"phy.code": TURBO | {"k": 39}}, "phy.code.k: must be greater than or equal to 40, got 39"),
    (
        {"phy.code": TURBO, "phy.interleaver": {"kind": "row_column", "columns": 5}},
        "phy: interleaver.columns must divide the block length 204, got 5",
    ),
]


@pytest.mark.parametrize(("changes", "line"), ERRORS, ids=[e[1][:50] for e in ERRORS])
def test_each_mistake_gets_its_line(bits: Any, changes: dict[str, Any], line: str) -> None:
    with pytest.raises(ScenarioError) as error:
        parse(bits(**changes))
    lines = str(error.value).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(line)
