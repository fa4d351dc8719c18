"""The link as a whole: error rates of theory, taps that change nothing, batches that do not mix."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from phy.theory import ber
from transceiver.build import build, conditions
from transceiver.counters import count
from transceiver.link import Link, Received, Streams, send
from transceiver.scenario import Scenario, parse
from transceiver.source import Sent
from transceiver.streams import stream
from transceiver.taps import Recorder, no_tap


def _streams(frame: int) -> Streams:
    names = {"point": 0, "image": frame, "trial": 0}
    return Streams(
        fading=stream(1, **names, purpose="fading"), noise=stream(1, **names, purpose="noise")
    )


def _random_frames(link: Link, numbers: Sequence[int]) -> list[Sent]:
    return [
        link.source.encode(stream(1, point=0, image=i, trial=0, purpose="payload")) for i in numbers
    ]


def _carry(
    scenario: Scenario, numbers: Sequence[int], *, tap: Any = no_tap
) -> tuple[Link, list[Received]]:
    link = build(scenario)["bits"].link
    received = send(
        link,
        _random_frames(link, numbers),
        conditions=conditions(link, scenario, scenario.sweep.values[0]),
        streams=[_streams(i) for i in numbers],
        last_good=[None] * len(numbers),
        tap=tap,
    )
    return link, received


def _errors(recorder: Recorder) -> tuple[int, int]:
    pairs = zip(recorder.frames["source_bits"], recorder.frames["source_bits_hat"], strict=True)
    wrong = [a != b for a, b in pairs]
    return sum(int(w.sum()) for w in wrong), sum(w.numel() for w in wrong)


def _within_4_sigma(errors: int, trials: int, p: float) -> bool:
    return abs(errors - trials * p) < 4 * math.sqrt(trials * p * (1 - p))


UNCODED = {"phy.code": {"kind": "none"}, "phy.crc": "none"}


def test_uncoded_4_qam_has_the_error_rate_of_theory(bits: Any) -> None:
    """P(bit) = Q(sqrt(Es/N0)) = erfc(sqrt(Es / 2 N0)) / 2 on 4-QAM (Proakis, eq. 4.3-13)."""
    for esn0_db in (0, 4, 7):
        recorder = Recorder()
        _carry(parse(bits(**UNCODED, **{"sweep.esn0_db": [esn0_db]})), range(4), tap=recorder)
        errors, trials = _errors(recorder)
        assert trials == 4 * 65536
        assert _within_4_sigma(errors, trials, math.erfc(10 ** (esn0_db / 20) / 2**0.5) / 2)


@pytest.mark.parametrize(
    ("modulation", "channel"),
    [
        ({"kind": "psk", "order": 8}, {"kind": "awgn"}),
        ({"kind": "qam", "order": 64, "axes": "split"}, {"kind": "awgn"}),
        ({"kind": "cross_qam", "order": 32}, {"kind": "awgn"}),
        ({"kind": "psk", "order": 2}, {"kind": "rayleigh", "fading": "symbol"}),
        ({"kind": "qam", "order": 16}, {"kind": "rician", "fading": "symbol", "k_factor": 3}),
    ],
)
def test_uncoded_links_have_the_error_rate_of_theory(
    bits: Any, modulation: dict[str, Any], channel: dict[str, Any]
) -> None:
    """Max-log demapping decides for the nearest point, as the theory does.

    Bits of one symbol fail together, so the number of independent trials is that of the symbols
    and the bound counts as many errors in each as there are bits.
    """
    data = bits(
        **UNCODED,
        **{
            "phy.modulation": {**modulation, "demapper": "max_log"},
            "phy.channel": channel,
            "sweep.esn0_db": [9],
        },
    )
    recorder = Recorder()
    link, _ = _carry(parse(data), range(3), tap=recorder)
    errors, trials = _errors(recorder)
    p = float(ber(link.modulation, 9.0, fading=link.channel))
    m = link.modulation.bits_per_symbol
    assert abs(errors - trials * p) < 4 * math.sqrt(trials * p * m)


def test_bsc_flips_with_its_probability(bits: Any) -> None:
    for p in (0.003, 0.2):
        data = bits(
            **UNCODED, **{"phy.channel": {"kind": "bsc"}, "sweep": {"flip_probability": [p]}}
        )
        recorder = Recorder()
        _carry(parse(data), range(4), tap=recorder)
        errors, trials = _errors(recorder)
        assert _within_4_sigma(errors, trials, p)
        assert "symbols" not in recorder.frames


def test_code_corrects_a_bsc(bits: Any) -> None:
    data = bits(**{"phy.channel": {"kind": "bsc"}, "sweep": {"flip_probability": [0.05]}})
    recorder = Recorder()
    _, received = _carry(parse(data), [0], tap=recorder)
    assert _errors(recorder)[0] == 0
    assert received[0].crc_ok
    assert bool(received[0].converged.all())


def test_eb_n0_is_es_n0_less_the_bits_of_a_symbol(bits: Any) -> None:
    """16-QAM at rate 5/6 carries 10/3 bits: N0 at Eb/N0 = 6 dB is that at 11.23 dB of Es/N0."""
    data = bits(
        **{
            "phy.modulation": {"kind": "qam", "order": 16},
            "phy.code.rate": "5/6",
            "sweep": {"ebn0_db": [6]},
        }
    )
    scenario = parse(data)
    link = build(scenario)["bits"].link
    found = conditions(link, scenario, 6.0).noise_variance
    assert found == pytest.approx(10**-0.6 / (10 / 3), rel=1e-12)


@pytest.mark.parametrize("equalizer", ["zero_forcing", "mmse"])
def test_demapper_weighs_each_symbol_by_its_gain(bits: Any, equalizer: str) -> None:
    """4-QAM: LLR = 2 sqrt(2) Re(conj(h) y) / N0 on I, with the imaginary part on Q."""
    data = bits(
        **{
            "phy.channel": {"kind": "rayleigh", "fading": "symbol"},
            "phy.equalizer": {"kind": equalizer},
            "sweep.esn0_db": [5],
        }
    )
    recorder = Recorder()
    _carry(parse(data), [0], tap=recorder)
    tap = {name: frames[0] for name, frames in recorder.frames.items() if frames}
    matched = tap["gain"].conj() * tap["received"]
    expected = 2 * 2**0.5 * torch.view_as_real(matched).flatten() / 10**-0.5
    assert torch.allclose(tap["llrs"], expected, rtol=1e-3, atol=1e-3)


def test_taps_change_nothing(bits: Any) -> None:
    data = bits(
        **{"phy.channel": {"kind": "rayleigh", "fading": {"block": 5}}, "sweep.esn0_db": [5]}
    )
    scenario = parse(data)
    link, silent = _carry(scenario, range(3))
    _, tapped = _carry(scenario, range(3), tap=Recorder())
    for a, b in zip(silent, tapped, strict=True):
        assert a.crc_ok == b.crc_ok
        assert torch.equal(a.iterations, b.iterations)
        assert torch.equal(a.converged, b.converged)
    assert any(not a.crc_ok for a in silent)
    assert link.coding is not None


@pytest.mark.parametrize("batch", [1, 3, 7])
@pytest.mark.parametrize(
    "channel",
    [{"kind": "awgn"}, {"kind": "rayleigh", "fading": "symbol"},
     {"kind": "rician", "fading": "image"}],
    ids=lambda channel: channel["kind"],
)  # fmt: skip
def test_a_frame_does_not_see_its_batch(bits: Any, batch: int, channel: dict[str, Any]) -> None:
    """Every tap of every frame is bit-identical in batches of 1, 3, 7 and 21."""
    data = bits(
        **{
            "codecs.bits": {"kind": "bits", "payload_bits": 777},
            "phy.modulation": {"kind": "qam", "order": 64},
            "phy.channel": channel,
            "phy.equalizer": {"kind": "mmse"},
            "phy.scrambler": {"kind": "gold", "c_init": 9},
            "sweep.esn0_db": [9],
        }
    )
    scenario = parse(data)
    whole = Recorder()
    _, expected = _carry(scenario, range(21), tap=whole)
    for first in range(0, 21, batch):
        part = Recorder()
        _, received = _carry(scenario, range(first, first + batch), tap=part)
        for name, frames in part.frames.items():
            for i, values in enumerate(frames):
                assert torch.equal(values, whole.frames[name][first + i]), name
        for i, frame in enumerate(received):
            assert torch.equal(frame.iterations, expected[first + i].iterations)


def test_counters_are_those_of_a_hand_count(bits: Any) -> None:
    """Every counter of a frame, from the taps, with loops over single bits and blocks."""
    data = bits(
        **{
            "codecs.bits": {"kind": "bits", "payload_bits": 1000},
            "phy.modulation": {"kind": "psk", "order": 8},
            "phy.channel": {"kind": "rayleigh", "fading": "symbol"},
            "sweep.esn0_db": [5],
        }
    )
    recorder = Recorder()
    link, received = _carry(parse(data), range(2), tap=recorder)
    accounts = [link.format.account(1000)] * 2
    counted = count(recorder.frames, received, accounts, displacement=None)
    assert len(counted) == 2
    for i, found in enumerate(counted):
        tap = {name: frames[i] for name, frames in recorder.frames.items() if frames}
        sent, hard = tap["coded_bits"].tolist(), tap["coded_bits_hard"].tolist()
        wrong = [a != b for a, b in zip(sent, hard, strict=True)]
        assert (found.coded_bits, found.coded_bit_errors) == (len(sent), sum(wrong))
        symbols = [any(wrong[s : s + 3]) for s in range(0, len(sent), 3)]
        assert (found.symbols, found.symbol_errors) == (len(symbols), sum(symbols))
        info = (tap["info_bits"] != tap["info_bits_hat"]).flatten().tolist()
        blocks = [any(info[b : b + 324]) for b in range(0, len(info), 324)]
        assert (found.info_bit_errors, found.blocks) == (sum(info), 4)
        assert found.block_errors == sum(blocks) > 0
        assert found.unconverged_blocks == int((~received[i].converged).sum()) > 0
        assert found.false_decodes == sum(
            bad and ok for bad, ok in zip(blocks, received[i].converged.tolist(), strict=True)
        )
        assert found.iterations == sum(received[i].iterations.tolist())
        source = int((tap["source_bits"] != tap["source_bits_hat"]).sum())
        assert found.source_bit_errors == source > 0
        assert (found.frames, found.frame_errors, found.crc_failures) == (1, 1, 1)
        assert found.undetected_errors == 0
        powers = (found.symbol_power, found.gain_power, found.noise_power, found.error_power)
        signals: tuple[Tensor, ...] = (
            tap["symbols"],
            tap["gain"],
            tap["received"] - tap["gain"] * tap["symbols"],
            tap["equalized"] - tap["symbols"],
        )
        for power, signal in zip(powers, signals, strict=True):
            exact = float(signal.to(torch.complex128).abs().square().sum())
            assert power * 2.0**-20 == pytest.approx(exact, rel=1e-5)


def test_undetected_errors_without_a_crc(bits: Any) -> None:
    recorder = Recorder()
    link, received = _carry(parse(bits(**UNCODED)), [0], tap=recorder)
    account = link.format.account(65536)
    (found,) = count(recorder.frames, received, [account], displacement=None)
    assert (found.frame_errors, found.undetected_errors, found.crc_failures) == (1, 1, 0)
    assert (found.blocks, found.block_errors, found.iterations) == (1, 1, 0)
    assert (found.unconverged_blocks, found.false_decodes) == (0, 0)
