"""Plans that follow the channel state: allocators, modes, and the scenarios that are refused."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from phy.allocation import jcamp, jcap
from phy.fading import Rayleigh
from semcodec.errors import CodecError
from semcodec.system32.system import load_system, save_system
from transceiver.adaptation import ONE_MODE, Modes, channel_state
from transceiver.build import build, conditions
from transceiver.networks import one_thread
from transceiver.pictures import open_pictures
from transceiver.results import rows
from transceiver.scenario import ScenarioError, parse
from transceiver.source import Picture
from transceiver.store import Store, Unit
from transceiver.streams import stream

Run = Callable[..., Store]
PLANS = [
    {"kind": kind, "accounting": accounting}
    for kind in ("jcamp", "jcap")
    for accounting in ("per_symbol", "as_printed")
]


# The parts


def test_channel_state_is_the_gain_over_the_noise() -> None:
    gain = torch.tensor([3 + 4j, 1j, 0], dtype=torch.complex64)
    assert channel_state(gain, 0.5).tolist() == [50.0, 2.0, 0.0]
    assert channel_state(gain, 0.5).dtype == torch.float64


def test_the_last_mode_reached_is_taken() -> None:
    modes = Modes((10.0, 20.0, 40.0))
    gamma = torch.tensor([0.0, 9.0, 19.999, 20.0, 39.0, 40.0, 1e9, torch.inf], dtype=torch.float64)
    chosen = [max([0] + [i for i, t in enumerate(modes.thresholds) if g >= t]) for g in gamma]
    assert modes.choose(gamma) == chosen == [0, 0, 0, 1, 1, 2, 2, 2]
    assert ONE_MODE.choose(gamma) == [0] * 8


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: "-".join(plan.values()))
@pytest.mark.parametrize("order", [16, 64])
def test_the_allocator_is_that_of_the_weights_tables(
    small: Any, system_weights: Path, plan: dict[str, Any], order: int
) -> None:
    """T = ceil(N B / m) symbols, P_tot = T, and the plan of ESC-MVQ's algorithm for them."""
    data = small(**{"codecs.system.plan": plan, "phy.modulation.order": order})
    link = build(parse(data))["system"].link
    allocator, tables = link.allocator, load_system(str(system_weights))[0].codebooks
    assert allocator is not None
    symbols = -(-96 // (order.bit_length() - 1))
    assert allocator.problem.symbols == symbols == allocator.total_power
    assert torch.equal(allocator.problem.flip_probability, tables.flip_probability)
    assert torch.equal(allocator.problem.distortion, tables.distortion)
    gamma = torch.tensor([0.0, 0.3, 4.0, 31.0, 200.0, 1e6], dtype=torch.float64)
    method = {"jcamp": jcamp, "jcap": jcap}[plan["kind"]]
    expected = method(allocator.problem, gamma, total_power=symbols)
    levels = []
    for found, wanted in zip(allocator.allocate(gamma), expected, strict=True):
        for name, tensor in vars(wanted).items():
            assert torch.equal(torch.as_tensor(getattr(found, name)), torch.as_tensor(tensor)), name
        assert float(found.power.sum()) == pytest.approx(symbols, rel=1e-9)
        assert int(found.bits_per_symbol.sum()) == 96
        if plan["accounting"] == "per_symbol" or plan["kind"] == "jcap":
            assert len(found.power) <= symbols
        levels.append(float(found.codebooks.float().mean()))
    assert levels == sorted(levels, reverse=True)  # better channels, better codebooks
    assert (levels[0], levels[-1]) == (2.0, 0.0)


def test_most_bits_per_symbol_bounds_the_orders(small: Any) -> None:
    gamma = torch.tensor([3.0, 40.0, 500.0], dtype=torch.float64)
    for most in (4, 6, 8, 10):
        plan = {"kind": "jcamp", "most_bits_per_symbol": most}
        allocator = build(parse(small(**{"codecs.system.plan": plan})))["system"].link.allocator
        orders = torch.cat([a.bits_per_symbol for a in allocator.allocate(gamma)])
        assert int(orders.max()) <= most
        if most == 4:  # no more than the mean: all alike
            assert set(orders.tolist()) == {4}


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: "-".join(plan.values()))
@one_thread()
def test_what_is_sent_follows_the_plan(small: Any, plan: dict[str, Any]) -> None:
    """Index i is that of the codebook assigned, and the account counts the symbols of the plan."""
    scenario = parse(small(**{"codecs.system.plan": plan}))
    sender = build(scenario)["system"]
    pictures = list(open_pictures(scenario.images, folder=Path()))
    gamma = torch.tensor([4.0, 20.0, 60.0, 1e4], dtype=torch.float64)
    plans = sender.link.allocator.allocate(gamma)
    codec = sender.link.source.codec
    every = codec.encode_batch(torch.stack([p.pixels for p in pictures]))
    seen = set()
    frames = sender.encode_batch(pictures, gamma=gamma)
    for frame, allocation, choices in zip(frames, plans, every, strict=True):
        assert torch.equal(frame.codebooks, allocation.codebooks)
        expected = [int(choices[v, i]) for i, v in enumerate(allocation.codebooks.tolist())]
        assert frame.indices.tolist() == expected
        assert frame.bits.tolist() == [int(b) for k in expected for b in f"{k:04b}"]
        account = sender.link.account(frame)
        assert (account.source_bits, account.symbols) == (96, len(allocation.power))
        seen |= set(frame.codebooks.tolist())
    assert {0, 2} <= seen


def test_pictures_of_other_sizes_than_the_tables_are_refused(small: Any) -> None:
    for kind, shape, count in (("jcamp", (3, 16, 20), 20), ("jcap", (3, 20, 24), 30)):
        sender = build(parse(small(**{"codecs.system.plan": {"kind": kind}})))["system"]
        picture = Picture(0, "odd.png", torch.zeros(shape, dtype=torch.uint8))
        message = (
            "picture odd.png must have 24 indices, as many as the tables of the weights, "
            f"got {count}"
        )
        with pytest.raises(CodecError, match=f"^{re.escape(message)}$"):
            sender.encode(picture, gamma=10.0)


# A byte codec that adapts its modulation


MODES = [
    {"order": 4, "esn0_db": 5.0},
    {"order": 16, "esn0_db": 12.0},
    {"order": 256, "esn0_db": 22.0},
]


def _gamma(unit: Unit, seed: int, esn0_db: float) -> float:
    key = unit.key
    names = {"point": key.point, "image": key.image, "trial": key.trial}
    gain = Rayleigh(None).gains(1, generator=stream(seed, **names, purpose="fading"))
    return float(gain.abs().double().square()[0]) * 10 ** (esn0_db / 10)


def _jpeg(small: Any, budget: dict[str, Any], **more: Any) -> dict[str, Any]:
    codec = {"kind": "jpeg", "budget": budget, "plan": {"kind": "adaptive", "modes": MODES}}
    return small(
        **{
            "codecs": {"jpeg": codec},
            "phy.code": {"kind": "ieee80211n", "n": 648, "rate": "1/2"},
            "phy.crc": "crc24a",
            "sweep": {"esn0_db": [4.0, 14.0, 25.0]},
            "stop.trials": 5,
            **more,
        }
    )


def test_the_mode_follows_the_channel_state(small: Any, run_in: Run) -> None:
    """The bits are those of the file, the symbols as the mode of |h|^2 / N0 says."""
    store = run_in(_jpeg(small, {"kind": "quality", "value": 5}))
    taken = set()
    for row in rows(store):
        for unit in store.units("jpeg", row.point):
            gamma = _gamma(unit, 4, row.esn0_db)
            mode = sum(gamma >= 10 ** (m["esn0_db"] / 10) for m in MODES[1:])
            taken.add((row.point, mode))
            c = unit.counters
            blocks = -(-(c.source_bits + 24 + 24) // 324)
            bits_per_symbol = MODES[mode]["order"].bit_length() - 1
            assert (c.blocks, c.symbols) == (blocks, -(-blocks * 648 // bits_per_symbol))
            assert c.coded_bits == c.symbols * bits_per_symbol
            assert c.gain_power * 2.0**-20 == pytest.approx(
                c.symbols * gamma / 10 ** (row.esn0_db / 10), rel=1e-3
            )
    assert {mode for _, mode in taken} == {0, 1, 2}
    assert (0, 2) not in taken
    for batch in (1, 7):
        other = run_in(_jpeg(small, {"kind": "quality", "value": 5}), batch=batch)
        assert other.rows() == store.rows()


def test_a_poor_channel_carries_fewer_bytes_or_none(small: Any, run_in: Run) -> None:
    """With as many symbols for all, files grow with the mode; where none fits, an outage."""
    budget = {"kind": "cbr", "value": 1950 / (3 * 16 * 24)}
    store = run_in(_jpeg(small, budget))
    sizes: dict[int, list[int]] = {0: [], 1: [], 2: []}
    outages = 0
    for row in rows(store):
        assert row.outages == sum(u.outage for u in store.units("jpeg", row.point))
        outages += row.outages
        for unit in store.units("jpeg", row.point):
            gamma = _gamma(unit, 4, row.esn0_db)
            mode = sum(gamma >= 10 ** (m["esn0_db"] / 10) for m in MODES[1:])
            if unit.outage:
                assert mode == 0  # six blocks hold 237 bytes, and no JPEG is as small
                assert unit.counters.symbols == 0
            else:
                assert unit.counters.symbols <= 1950
                sizes[mode].append(unit.counters.source_bits)
    assert outages > 0
    assert not sizes[0]
    assert max(sizes[1]) < min(sizes[2])
    assert store.rows() == run_in(_jpeg(small, budget), batch=3).rows()


# Refused


JCAMP = {"codecs.system.plan": {"kind": "jcamp"}}
JCAP = {"codecs.system.plan": {"kind": "jcap"}}
REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        JCAMP | {"phy.channel.fading": "symbol"},
        "codecs.system.plan: jcamp needs channel awgn or fading: image (one gain per image)",
    ),
    (
        JCAP | {"phy.channel.fading": {"block": 4}},
        "codecs.system.plan: jcap needs channel awgn or fading: image (one gain per image)",
    ),
    (
        JCAP | {"phy.channel": {"kind": "bsc"}, "sweep": {"flip_probability": [0.1]}},
        "codecs.system.plan: jcap needs channel awgn or fading: image (one gain per image)",
    ),
    (
        JCAMP | {"phy.code": {"kind": "ieee80211n", "n": 648, "rate": "1/2"}},
        "codecs.system.plan: jcamp needs code none and crc none: its bits go out as they are",
    ),
    (
        JCAP | {"phy.crc": "crc16"},
        "codecs.system.plan: jcap needs code none and crc none: its bits go out as they are",
    ),
    (
        JCAMP | {"phy.modulation": {"kind": "psk", "order": 4}},
        "codecs.system.plan: jcamp needs modulation qam, got psk",
    ),
    (
        JCAP | {"phy.modulation.axes": "split"},
        "codecs.system.plan: jcap needs modulation axes interleaved",
    ),
    (
        JCAMP | {"phy.equalizer": {"kind": "mmse"}},
        "codecs.system.plan: jcamp needs equalizer zero_forcing",
    ),
    (
        JCAMP | {"codecs.system.stream": {"kind": "fixed", "labelling": "gray"}},
        "codecs.system: plan jcamp needs stream fixed with natural labelling: "
        "the flip probabilities of the weights belong to those bits",
    ),
    (
        JCAP | {"codecs.system.stream": {"kind": "huffman"}},
        "codecs.system: plan jcap needs stream fixed with natural labelling: "
        "the flip probabilities of the weights belong to those bits",
    ),
    (
        JCAMP | {"codecs.system.plan.most_bits_per_symbol": 12},
        "codecs.system.plan.most_bits_per_symbol: must be 2, 4, 6, 8 or 10, got 12",
    ),
    (
        {"codecs.system.decode": "soft", "phy.crc": "crc16"},
        "codecs.system.decode: soft needs code none and crc none",
    ),
    (
        {"codecs.system.decode": "soft", "codecs.system.stream": {"kind": "ans"}},
        "codecs.system: decode: soft needs stream fixed, got ans",
    ),
    ({"codecs.system.plan": {"kind": "adaptive"}}, "codecs.system.plan.kind: must be one of"),
]


@pytest.mark.parametrize(("changes", "line"), REFUSED, ids=[line for _, line in REFUSED])
def test_each_unfit_system_gets_its_line(small: Any, changes: dict[str, Any], line: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(small(**changes))
    (found,) = str(caught.value).splitlines()
    assert found.startswith(line)


@pytest.mark.parametrize(
    ("modes", "line"),
    [
        (
            [{"order": 4, "esn0_db": 5}, {"order": 16, "esn0_db": 5}],
            "codecs.jpeg.plan: modes must have rising esn0_db, got [5.0, 5.0]",
        ),
        (
            [{"order": 16, "esn0_db": 9}, {"order": 4, "esn0_db": 5}],
            "codecs.jpeg.plan: modes must have rising esn0_db, got [9.0, 5.0]",
        ),
        ([], "codecs.jpeg.plan.modes: must have at least 1 item"),
        ([{"order": 8, "esn0_db": 1}], "codecs.jpeg.plan.modes.0.order: must be 4, 16, 64"),
    ],
)
def test_each_unfit_mode_gets_its_line(small: Any, modes: Any, line: str) -> None:
    data = _jpeg(small, {"kind": "quality", "value": 5}, **{"phy.crc": "crc24a"})
    data["codecs"]["jpeg"]["plan"]["modes"] = modes
    with pytest.raises(ScenarioError) as caught:
        parse(data)
    (found,) = str(caught.value).splitlines()
    assert found.startswith(line)


def test_an_adaptive_byte_codec_needs_one_gain_per_image(small: Any) -> None:
    data = _jpeg(small, {"kind": "quality", "value": 5}, **{"phy.channel.fading": "symbol"})
    with pytest.raises(ScenarioError, match=r"^codecs\.jpeg\.plan: adaptive needs channel awgn or"):
        parse(data)


@pytest.mark.parametrize("kind", ["jcamp", "jcap"])
def test_weights_without_flip_probabilities_have_no_plan(
    small: Any, system_weights: Path, tmp_path: Path, kind: str
) -> None:
    system, _ = load_system(str(system_weights))
    system.codebooks = replace(system.codebooks, flip_probability=None, distortion=None)
    system.config = replace(system.config, trained_as="plain")
    path = tmp_path / "plain.safetensors"
    save_system(path, system, training={})
    scenario = parse(
        small(**{"codecs.system.plan": {"kind": kind}, "codecs.system.weights": str(path)})
    )
    message = (
        f"codecs.system.plan: {kind} needs weights with flip probabilities, "
        "got a system trained as plain"
    )
    with pytest.raises(ScenarioError, match=f"^{message}$"):
        build(scenario)


def test_normalized_snr_is_energy_of_a_bit(small: Any) -> None:
    """ESC-MVQ, eq. 53: Es/N0 over the bits of the scenario's own modulation, for all codecs."""
    data = small(**{"phy.modulation.order": 64, "sweep.normalized_snr_db": [3.0]})
    data["codecs"]["other"] = {
        **data["codecs"]["system"],
        "phy": {"modulation": {"kind": "qam", "order": 4}},
    }
    scenario = parse(data)
    for sender in build(scenario).values():
        found = conditions(sender.link, scenario, 3.0).noise_variance
        assert found == pytest.approx(10**-0.3 / 6, rel=1e-12)
