"""Bits and symbols of a frame: closed forms, the inverse, and the real link's signal lengths."""

import itertools
from typing import Any

import pytest
import torch

from transceiver.accounting import FrameFormat
from transceiver.build import build, conditions
from transceiver.link import Streams, send
from transceiver.scenario import parse
from transceiver.streams import stream
from transceiver.taps import Recorder

FORMATS = [
    FrameFormat(crc_bits=crc, k=k, n=n, bits_per_symbol=m)
    for crc, (k, n), m in itertools.product(
        (0, 8, 16, 24), ((0, 0), (5, 20), (324, 648), (540, 648), (7, 648)), (1, 2, 3, 5, 10, 12)
    )
]


def test_every_bit_on_air_is_counted_once() -> None:
    for form, source, length in itertools.product(FORMATS, (1, 23, 299, 300, 301, 5000), (0, 24)):
        account = form.account(source, length_bits=length)
        bits = (
            account.source_bits
            + account.length_bits
            + account.crc_bits
            + account.padding_bits
            + account.parity_bits
        )
        assert bits == account.symbols * form.bits_per_symbol
        assert account.padding_bits >= 0
        assert account.padding_bits < max(form.k, 1) + form.bits_per_symbol


def test_capacity_is_the_exact_inverse() -> None:
    """A payload of the capacity takes at most so many symbols, and one bit more takes more."""
    checked = 0
    for form in FORMATS:
        for symbols in (*range(1, 60), *range(100, 1400, 37)):
            capacity = form.capacity(symbols)
            if capacity:
                assert form.account(capacity).symbols <= symbols
                checked += 1
            assert form.account(capacity + 1).symbols > symbols
        for payload in (1, 2, 299, 300, 301, 1271, 1272, 1273):
            assert form.capacity(form.account(payload).symbols) >= payload
    assert checked > 5000


def test_nothing_fits_into_no_symbols() -> None:
    assert {form.capacity(0) for form in FORMATS} == {0}


def test_nominal_bits_per_symbol() -> None:
    assert FrameFormat(24, 324, 648, 4).nominal_bits_per_symbol == 2.0
    assert FrameFormat(24, 0, 0, 6).nominal_bits_per_symbol == 6.0


CODES = [
    {"kind": "none"},
    {"kind": "ieee80211n", "n": 648, "rate": "5/6"},
    {"kind": "nr", "k": 100, "n": 301},
    {"kind": "gallager"},
]
MODULATIONS = [
    {"kind": "psk", "order": 2},
    {"kind": "psk", "order": 8},
    {"kind": "qam", "order": 4},
    {"kind": "qam", "order": 1024},
    {"kind": "cross_qam", "order": 32},
    {"kind": "cross_qam", "order": 128},
]


@pytest.mark.parametrize("code", CODES, ids=lambda code: code["kind"])
def test_the_link_sends_what_the_account_says(bits: Any, code: dict[str, Any]) -> None:
    settings = [(m, {"kind": "awgn"}, {"esn0_db": [5]}) for m in MODULATIONS]
    settings.append((MODULATIONS[1], {"kind": "bsc"}, {"flip_probability": [0.01]}))
    for (modulation, channel, sweep), crc in itertools.product(settings, ("none", "crc16")):
        data = bits(
            **{
                "codecs.bits": {"kind": "bits", "payload_bits": 251},
                "phy.code": code,
                "phy.modulation": modulation,
                "phy.channel": channel,
                "phy.crc": crc,
                "phy.scrambler": {"kind": "gold", "c_init": 77},
                "sweep": sweep,
            }
        )
        scenario = parse(data)
        link = build(scenario)["bits"].link
        names = {"point": 0, "image": 0, "trial": 0}
        generators = [stream(1, **names, purpose=p) for p in ("payload", "fading", "noise")]
        recorder = Recorder()
        send(
            link,
            [link.source.encode(generators[0])],
            conditions=conditions(link, scenario, scenario.sweep.values[0]),
            streams=[Streams(fading=generators[1], noise=generators[2])],
            last_good=[None],
            tap=recorder,
        )
        lengths = {name: frames[0].numel() for name, frames in recorder.frames.items() if frames}
        account = link.format.account(251)
        on_air = account.symbols * link.format.bits_per_symbol
        assert lengths["source_bits"] == lengths["source_bits_hat"] == 251
        assert lengths["coded_bits"] == lengths["llrs"] == lengths["coded_bits_hard"] == on_air
        blocks = link.format.blocks(251)
        assert lengths["info_bits"] == (blocks * link.format.k or 251 + account.crc_bits)
        if channel["kind"] == "awgn":
            assert link.format.bits_per_symbol == modulation["order"].bit_length() - 1
            assert lengths["symbols"] == lengths["received"] == account.symbols
        else:
            assert account.symbols == lengths["coded_bits"]
            assert "symbols" not in lengths


def test_scrambled_link_is_the_same_link(bits: Any) -> None:
    """Over a noiseless channel the scrambler leaves no trace behind the receiver."""
    data = bits(
        **{
            "codecs.bits": {"kind": "bits", "payload_bits": 999},
            "phy.scrambler": {"kind": "gold", "c_init": 5},
            "phy.interleaver": {"kind": "permutation", "seed": 4},
            "phy.modulation": {"kind": "cross_qam", "order": 128},
            "sweep.esn0_db": [60],
        }
    )
    scenario = parse(data)
    link = build(scenario)["bits"].link
    frame = link.source.encode(torch.Generator().manual_seed(0))
    recorder = Recorder()
    generators = [torch.Generator().manual_seed(i) for i in (1, 2)]
    (received,) = send(
        link,
        [frame],
        conditions=conditions(link, scenario, 60),
        streams=[Streams(*generators)],
        last_good=[None],
        tap=recorder,
    )
    assert received.crc_ok
    assert torch.equal(recorder.frames["source_bits_hat"][0], frame.bits)
    assert abs(float(recorder.frames["coded_bits"][0].float().mean()) - 0.5) < 0.05
