"""Links over tapped delay lines with OFDM: sections, batches, common channels, measured power."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from phy.channel import complex_product
from phy.fading import Rayleigh, Rician
from phy.ofdm import CpOfdm, Tdl, TdlOfdm
from transceiver.build import build, conditions
from transceiver.link import Streams, send
from transceiver.report.figures import draw
from transceiver.results import rows
from transceiver.scenario import Scenario, ScenarioError, parse
from transceiver.streams import stream
from transceiver.taps import Recorder

TDL: dict[str, Any] = {
    "kind": "tdl",
    "model": "A",
    "delay_spread_s": "100e-9",
    "carrier_frequency_hz": 3.5e9,
    "speed_m_s": 20,
    "subcarriers": 64,
    "subcarrier_spacing_hz": 30e3,
    "cyclic_prefix": 16,
}
UNCODED = {"phy.code": {"kind": "none"}, "phy.crc": "none"}


def _carry(scenario: Scenario, codec: str, frames: Sequence[int]) -> Recorder:
    link = build(scenario)[codec].link
    recorder = Recorder()
    names = [{"point": 0, "image": i, "trial": 0} for i in frames]
    send(
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
    return recorder


def test_section_becomes_blocks(bits: Any) -> None:
    link = build(parse(bits(**{"phy.channel": TDL})))["bits"].link
    tdl = Tdl("A", delay_spread_s=1e-7, carrier_frequency_hz=3.5e9, speed_m_s=20.0)
    assert link.multipath == TdlOfdm(tdl, CpOfdm(64, 30e3, 16), "frequency")
    assert link.channel == Rayleigh(span=1)
    fixed = {k: v for k, v in TDL.items() if k not in ("delay_spread_s", "speed_m_s")}
    data = bits(**{"phy.channel": fixed | {"model": "D30", "domain": "time"}})
    link = build(parse(data))["bits"].link
    still = Tdl("D30", delay_spread_s=None, carrier_frequency_hz=3.5e9, speed_m_s=0.0)
    assert link.multipath == TdlOfdm(still, CpOfdm(64, 30e3, 16), "time")
    assert isinstance(link.channel, Rician)
    assert build(parse(bits()))["bits"].link.multipath is None


@pytest.mark.parametrize("domain", ["frequency", "time"])
def test_a_frame_does_not_see_its_batch(bits: Any, domain: str) -> None:
    """Every tap of every frame is bit-identical in batches of 1, 3 and 9, and in any order."""
    data = bits(
        **{
            "codecs.bits": {"kind": "bits", "payload_bits": 700},
            "phy.modulation": {"kind": "qam", "order": 16},
            "phy.channel": TDL | {"domain": domain},
            "sweep.esn0_db": [12],
        }
    )
    scenario = parse(data)
    whole = _carry(scenario, "bits", range(9))
    gains = whole.frames["gain"]
    assert not torch.equal(gains[0], gains[1])
    for frames in ([4], [8, 0, 3], [7, 6, 5]):
        part = _carry(scenario, "bits", frames)
        for name, values in part.frames.items():
            for i, value in enumerate(values):
                assert torch.equal(value, whole.frames[name][frames[i]]), name


def test_codecs_of_different_lengths_see_one_channel(bits: Any) -> None:
    """And one with the prefix too short sees the same paths, in the time domain."""
    codecs = {
        "short": {"kind": "bits", "payload_bits": 300},
        "long": {"kind": "bits", "payload_bits": 2000},
        "coarse": {"kind": "bits", "phy": {"modulation": {"kind": "qam", "order": 256}}},
    }
    for domain in ("frequency", "time"):
        channel = TDL | {"domain": domain}
        scenario = parse(bits(codecs=codecs, **{"phy.channel": channel}))
        gains = [_carry(scenario, name, [2]).frames["gain"][0] for name in codecs]
        shortest = min(map(len, gains))
        assert len({len(g) for g in gains}) == 3
        for g in gains:
            assert torch.equal(g[:shortest], gains[0][:shortest])


def test_received_is_gain_times_symbol_plus_noise(bits: Any) -> None:
    """In frequency exactly; in time with a short prefix the rest is more than the noise."""
    data = bits(**UNCODED, **{"phy.channel": TDL, "sweep.esn0_db": [20]})
    noise = {}
    for domain, prefix in (("frequency", 0), ("time", 20), ("time", 0)):
        data["phy"]["channel"] = TDL | {
            "domain": domain, "cyclic_prefix": prefix, "delay_spread_s": 3e-7, "speed_m_s": 0
        }  # fmt: skip
        tap = _carry(parse(data), "bits", range(3)).frames
        rest = [
            y - complex_product(h, x)
            for y, h, x in zip(tap["received"], tap["gain"], tap["symbols"], strict=True)
        ]
        noise[domain, prefix] = float(torch.cat(rest).abs().square().mean())
    n = 3 * 32768
    assert abs(noise["frequency", 0] / 0.01 - 1) < 4 / n**0.5
    assert abs(noise["time", 20] / 0.01 - 1) < 0.05
    assert noise["time", 0] > 0.03


def test_a_run_and_its_figures(bits: Any, run_in: Any) -> None:
    """Powers are measured beside N0; the theory behind the curves is that of the gain's law."""
    codecs = {
        "tdl": {"kind": "bits", "payload_bits": 4096},
        "line-of-sight": {
            "kind": "bits",
            "payload_bits": 4096,
            "phy": {"channel": TDL | {"model": "D", "domain": "time"}},
        },
    }
    data = bits(
        codecs=codecs,
        **UNCODED,
        **{
            "phy.channel": TDL,
            "sweep.esn0_db": [10],
            "stop": {"block_errors": 30, "max_blocks": 30},
        },
    )
    store = run_in(data)
    for row in rows(store):
        assert row.counters.symbols == 30 * 2048
        assert 0.7 < row.counters.gain_power / 2**20 / row.counters.symbols < 1.4
        assert 0.095 < row.counters.noise_power / 2**20 / row.counters.symbols < 0.11
    assert any("error_rates" in path.name for path in draw(store))


ERRORS = [
    ({"model": "F"}, "phy.channel.model: must be 'A', 'B', "),
    ({"delay_spread_s": ...}, "phy.channel: delay_spread_s is required for model A"),
    (
        {"model": "A30"},
        "phy.channel: delay_spread_s must be left out for model A30, whose delays are fixed, "
        "got 1e-07",
    ),
    ({"delay_spread_s": -1}, "phy.channel.delay_spread_s: must be greater than or equal to 0"),
    ({"carrier_frequency_hz": ...}, "phy.channel.carrier_frequency_hz: is required"),
    ({"speed_m_s": 3e8}, "phy.channel.speed_m_s: must be less than 299792458, got 300000000"),
    ({"subcarriers": 0}, "phy.channel.subcarriers: must be greater than or equal to 1, got 0"),
    ({"cyclic_prefix": 65}, "phy.channel: cyclic_prefix must be at most the 64 subcarriers, got"),
    ({"domain": "delay"}, "phy.channel.domain: must be 'frequency' or 'time', got 'delay'"),
]


@pytest.mark.parametrize(("changes", "line"), ERRORS, ids=[e[1][:50] for e in ERRORS])
def test_each_mistake_gets_its_line(bits: Any, changes: dict[str, Any], line: str) -> None:
    channel = {k: v for k, v in (TDL | changes).items() if v is not ...}
    with pytest.raises(ScenarioError) as error:
        parse(bits(**{"phy.channel": channel}))
    (found,) = str(error.value).splitlines()
    assert found.startswith(line)
