"""Adaptive modulation and coding: which mode is used, and what is spent in it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from phy.fading import Rayleigh
from semcodec.system32.codec import SystemCodec
from transceiver.adaptation import ONE_MODE, Modes, together
from transceiver.build import build, conditions
from transceiver.pictures import open_pictures
from transceiver.results import rows
from transceiver.scenario import ScenarioError, parse
from transceiver.source import LENGTH_BITS, ByteSource
from transceiver.store import Store
from transceiver.streams import stream

Run = Callable[..., Store]
EQUAL = {"kind": "symbols_of", "codec": "vq"}
MODES = [  # modulation, rate, k, bits of a symbol, threshold [dB]
    ({"kind": "psk", "order": 2}, "1/2", 324, 1, -1.0),
    ({"kind": "psk", "order": 4}, "1/2", 324, 2, 2.0),
    ({"kind": "psk", "order": 4}, "3/4", 486, 2, 4.5),
    ({"kind": "cross_qam", "order": 32}, "3/4", 486, 5, 14.5),
]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four modes and one that is dominated, of codes of 648 bits."""
    counts = {"bler": 0.0, "bler_low": 0.0, "bler_high": 0.04, "block_errors": 0, "blocks": 100}

    def mode(modulation: Any, rate: str, k: int, m: int, esn0_db: float) -> dict[str, Any]:
        code = {"kind": "ieee80211n", "n": 648, "rate": rate}
        start = {"modulation": modulation, "code": code, "esn0_db": esn0_db, **counts}
        return {**start, "bits_per_channel_use": k * m / 648, "limit_esn0_db": esn0_db - 2}

    useless = mode({"kind": "qam", "order": 16}, "1/2", 324, 4, 15.0) | {"dominated": True}
    data = {
        "family": "test",
        "decoder": {"kind": "offset_min_sum", "iterations": 20},
        "target_bler": 0.01,
        "step_db": 0.5,
        "most_blocks": 100,
        "seed": 1,
        "measured_with": "nothing",
        "modes": [*(mode(*m) for m in MODES[:3]), useless, mode(*MODES[3])],
    }
    path = tmp_path_factory.mktemp("tables") / "modes.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


@pytest.fixture
def amc(change: Any, table: Path) -> Callable[..., dict[str, Any]]:
    """The base scenario with the plan for every codec; both byte codecs within VQ's symbols."""

    def changed(**dotted: Any) -> dict[str, Any]:
        plan = {"kind": "amc", "table": str(table)}
        start = {
            "codecs.vq.plan": plan,
            "codecs.jpeg.plan": dict(plan),
            "codecs.jpeg.phy": {"crc": "crc16"},
            "codecs.bpg": {"kind": "bpg", "budget": EQUAL, "plan": dict(plan), "headers": "known"},
            "sweep.esn0_db": [-3.0, 2.0, 4.4, 14.5],
            "metrics": ["psnr"],
        }
        return change(**(start | dotted))

    return changed


def _mode(gamma: float, margin_db: float = 0.0) -> int:
    """Of `MODES`; states on a threshold to within rounding have reached it."""
    bounds = [10 ** ((esn0_db + margin_db) / 10) for *_, esn0_db in MODES[1:]]
    return sum(gamma * (1 + 1e-9) >= bound for bound in bounds)


# The parts


def test_the_last_digits_of_a_threshold_do_not_count() -> None:
    """Es/N0 on a threshold has reached it, whichever way both were computed."""
    thresholds_db = [i * 0.05 for i in range(-200, 800)]
    modes = Modes.at(thresholds_db)
    gamma = torch.tensor([1 / 10 ** (-x / 10) for x in thresholds_db], dtype=torch.float64)
    assert modes.choose(gamma) == list(range(1000))
    assert modes.choose(gamma * (1 - 1e-9)) == [0, *range(999)]


def test_two_choices_are_one() -> None:
    first, second = Modes.at([0, 5, 9]), Modes.at([-3, 4, 9, 20])
    both, pairs = together(first, second)
    gamma = torch.logspace(-1, 3, 500, dtype=torch.float64)
    found = [pairs[mode] for mode in both.choose(gamma)]
    assert found == list(zip(first.choose(gamma), second.choose(gamma), strict=True))
    assert len(pairs) == len(set(pairs)) == len(both.thresholds) == 5
    assert together(first, ONE_MODE)[1] == ((0, 0), (1, 0), (2, 0))
    assert together(ONE_MODE, ONE_MODE) == (ONE_MODE, ((0, 0),))


def test_a_mode_takes_the_place_of_code_decoder_and_modulation(amc: Any) -> None:
    senders = build(parse(amc(**{"phy.scrambler": {"kind": "gold", "c_init": 5}})))
    for name, crc_bits in (("vq", 24), ("jpeg", 16)):
        sender = senders[name]
        assert sender.adapts
        assert sender.modes == Modes(
            (sender.modes.thresholds[0], *Modes.at([2, 4.5, 14.5]).thresholds)
        )
        assert len(sender.links) == 4
        for link, (modulation, _, k, m, _) in zip(sender.links, MODES, strict=True):
            form = link.format
            assert (form.crc_bits, form.k, form.n, form.bits_per_symbol) == (crc_bits, k, 648, m)
            assert len(link.modulation.points) == modulation["order"]
            assert link.coding.decoder.decoder.iterations == 20
            assert link.scrambler_init == 5
    sources = [link.source for link in senders["vq"].links]
    assert all(source is sources[0] for source in sources)


# Runs


def test_all_codecs_spend_the_same_at_each_snr(amc: Any, run_in: Run) -> None:
    """White noise: one mode for each point; VQ takes what it needs, the others at most as much."""
    store = run_in(amc())
    found = {(row.codec, row.point): row for row in rows(store)}
    units = {key: list(store.units(*key)) for key in found}
    for point, esn0_db in enumerate([-3.0, 2.0, 4.4, 14.5]):
        _, _, k, m, _ = MODES[_mode(10 ** (esn0_db / 10))]
        for sent, jpeg, bpg in zip(*(units[n, point] for n in ("vq", "jpeg", "bpg")), strict=True):
            vq = sent.counters
            assert vq.blocks == -(-(vq.source_bits + 24) // k)
            assert vq.symbols == -(-vq.blocks * 648 // m)
            for other, crc_bits in ((jpeg, 16), (bpg, 24)):
                c = other.counters
                if not other.outage:
                    assert c.symbols == vq.symbols
                    assert c.source_bits + crc_bits <= vq.blocks * k
        assert found["vq", point].ebn0_db != found["vq", point].ebn0_db  # no Eb/N0 for all modes
    assert sum(not u.outage for (name, _), us in units.items() for u in us if name == "bpg") >= 6
    assert found["vq", 1].counters.block_errors == 0
    assert found["vq", 3].counters.block_errors == 0
    assert store.rows() == run_in(amc(), batch=5).rows()
    (recorded,) = {store.facts()["mode_tables"]}
    assert [part.partition(":")[0] for part in recorded.split()] == ["vq", "bpg", "jpeg"]


def test_files_fill_the_bits_of_their_mode(amc: Any) -> None:
    """At equal channel uses a better channel carries a better file: the best that fits."""
    budget = {"kind": "cbr", "value": 0.9}
    scenario = parse(amc(**{"codecs.jpeg.budget": budget, "codecs.jpeg.phy": {"crc": "none"}}))
    sender = build(scenario)["jpeg"]
    picture = open_pictures(scenario.images, folder=Path())[0]
    allowed = int(0.9 * picture.pixels.numel())
    sizes = []
    for (_, _, k, m, _), esn0_db in zip(MODES, (-1.0, 2.0, 4.5, 14.5), strict=True):
        sent = sender.encode(picture, gamma=10 ** (esn0_db / 10))
        assert sent.payload is not None
        bits = allowed * m // 648 * k
        source = sender.links[0].source
        assert isinstance(source, ByteSource)
        best = source.codec.encode_to_budget(picture.pixels, (bits - LENGTH_BITS) // 8)
        assert sent.payload == best
        sizes.append(len(best))
    assert sizes == sorted(set(sizes))


def test_each_image_has_its_mode_where_it_has_its_gain(amc: Any, run_in: Run) -> None:
    """Fading of whole images: the state of the image decides, and the codecs see the same one."""
    data = amc(
        **{
            "phy.channel": {"kind": "rayleigh", "fading": "image"},
            "sweep.esn0_db": [6.0],
            "stop.trials": 4,
            "codecs.vq.plan.margin_db": 1.5,
            "codecs.jpeg.plan.margin_db": 1.5,
        }
    )
    store = run_in(data)
    taken = set()
    for vq, jpeg in zip(store.units("vq", 0), store.units("jpeg", 0), strict=True):
        key = vq.key
        fading = stream(3, point=0, image=key.image, trial=key.trial, purpose="fading")
        gain = Rayleigh(None).gains(1, generator=fading)
        gamma = float(gain.abs().double().square()[0]) * 10**0.6
        mode = _mode(gamma, margin_db=1.5)
        taken.add(mode)
        _, _, k, m, _ = MODES[mode]
        blocks = -(-(vq.counters.source_bits + 24) // k)
        assert (vq.counters.blocks, vq.counters.symbols) == (blocks, -(-blocks * 648 // m))
        assert jpeg.outage or jpeg.counters.symbols == vq.counters.symbols
    assert len(taken) >= 3
    assert store.rows() == run_in(data, batch=3).rows()


def test_an_equal_budget_follows_the_plan_of_the_other(amc: Any, run_in: Run) -> None:
    """A codec with one modulation of its own, within the symbols that VQ takes in its mode."""
    data = amc(**{"codecs.bpg.plan": {"kind": "fixed"}, "sweep.esn0_db": [0.0, 3.0, 5.0, 16.0]})
    data["codecs"].pop("jpeg")
    sender = build(parse(data))["bpg"]
    assert len(sender.links) == 4
    assert {link.modulation.bits_per_symbol for link in sender.links} == {2}
    store = run_in(data)
    spent, sent = set(), 0
    for point in range(4):
        for vq, bpg in zip(store.units("vq", point), store.units("bpg", point), strict=True):
            spent.add(vq.counters.symbols)
            if not bpg.outage:
                sent += 1
                c = bpg.counters
                assert c.symbols == -(-c.blocks * 648 // 2) <= vq.counters.symbols
                assert c.source_bits + 24 <= vq.counters.symbols * 2 // 648 * 324
    assert sent >= 6
    assert len(spent) >= 3


def test_random_bits_in_every_mode(bits: Any, table: Path, run_in: Run) -> None:
    """BLER of the scheme: mode by mode over white noise, mixed where every frame has its gain."""
    plan = {"kind": "amc", "table": str(table)}
    codec = {"kind": "bits", "plan": plan, "payload_bits": 3000}
    data = bits(
        **{"codecs": {"bits": codec}, "phy.crc": "none", "sweep.esn0_db": [-0.5, 3.0, 16.0]}
    )
    for row, mode in zip(rows(run_in(data)), (0, 1, 3), strict=True):
        _, _, k, m, _ = MODES[mode]
        c = row.counters
        assert c.blocks == c.frames * -(-3000 // k)
        assert c.symbols == c.frames * -(-(-(-3000 // k) * 648) // m)
    data["phy"]["channel"] = {"kind": "rayleigh", "fading": "image"}
    data["sweep"] = {"esn0_db": [8.0]}
    store = run_in(data)
    shapes = {(u.counters.blocks, u.counters.symbols) for u in store.units("bits", 0)}
    assert len(shapes) >= 3
    assert store.rows() == run_in(data, batch=2).rows()


def test_a_system_for_small_pictures_behind_a_code(small: Any, table: Path, run_in: Run) -> None:
    plan = {"kind": "amc", "table": str(table)}
    data = small(
        **{"codecs.system.plan": plan, "sweep": {"esn0_db": [3.0, 25.0]}, "phy.crc": "crc8"}
    )
    data["codecs"]["system"]["stream"] = {"kind": "huffman"}
    sender = build(parse(data))["system"]
    assert isinstance(sender.link.source.codec, SystemCodec)
    assert all(link.source is sender.link.source for link in sender.links)
    store = run_in(data)
    shapes = {
        (u.counters.blocks, u.counters.symbols) for p in (0, 1) for u in store.units("system", p)
    }
    assert shapes <= {(1, -(-648 // m)) for m in (1, 2, 5)}
    assert len(shapes) >= 2


# Refused


def test_plans_that_cannot_be_made(amc: Any, small: Any, table: Path) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        (
            amc(sweep={"ebn0_db": [1.0]}),
            "codecs.vq.plan: amc needs a sweep over esn0_db or normalized_snr_db, got ebn0_db: "
            "it would depend on the mode, and the mode on it",
        ),
        (
            amc(**{"codecs.vq.plan.table": "dvbs3"}),
            "codecs.vq.plan.table: must be a shipped table (dvbs2-64800) or an existing .yaml "
            "file, got dvbs3",
        ),
        (
            amc(**{"codecs.bpg.phy": {"channel": {"kind": "rayleigh", "fading": "image"}}}),
            "codecs.bpg.budget: symbols_of vq, whose plan follows the channel, needs the same "
            "phy.channel",
        ),
        (
            small(
                **{
                    "codecs.system.plan": {"kind": "amc", "table": str(table)},
                    "codecs.system.decode": "soft",
                }
            ),
            "codecs.system: decode: soft needs bits without code, got plan amc",
        ),
        (
            amc(**{"codecs.vq.plan.margin": 1}),
            "codecs.vq.plan.margin: is not a key of this section",
        ),
        (
            amc(**{"codecs.vq.plan.margin_db": "x"}),
            "codecs.vq.plan.margin_db: must be a valid number",
        ),
    ]
    for data, line in cases:
        with pytest.raises(ScenarioError, match=f"^{re.escape(line)}"):
            build(parse(data))


def test_es_n0_of_a_point_is_the_same_in_all_modes(amc: Any) -> None:
    scenario = parse(amc())
    sender = build(scenario)["vq"]
    for link in sender.links:
        assert conditions(link, scenario, 7.0).noise_variance == pytest.approx(10**-0.7, rel=1e-12)
    assert sender.channel_states(0.1, [torch.Generator()] * 2).tolist() == pytest.approx([10, 10])
