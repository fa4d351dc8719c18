"""Systems for small pictures over the whole link: plans, streams, and what the receiver needs."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from phy.allocation import Allocation, approximate_ber, exact_ber, jcamp, jcap
from phy.bits import unpack_integers
from phy.fading import Rayleigh
from phy.qam import qam
from transceiver.build import Sender, build
from transceiver.counters import Counters, count
from transceiver.link import Conditions, Received, Streams, send
from transceiver.link import channels as channels_module
from transceiver.networks import one_thread
from transceiver.pictures import open_pictures
from transceiver.results import Row, rows
from transceiver.scenario import Scenario, parse
from transceiver.source import Picture, Sent
from transceiver.store import Store
from transceiver.streams import stream
from transceiver.taps import Recorder

Run = Callable[..., Store]
PLANS = [
    {"kind": kind, "accounting": accounting}
    for kind in ("jcamp", "jcap")
    for accounting in ("per_symbol", "as_printed")
]
AWGN = {"phy.channel": {"kind": "awgn"}}
each_plan = pytest.mark.parametrize("plan", PLANS, ids=lambda plan: "-".join(plan.values()))


def _pictures(scenario: Scenario) -> list[Picture]:
    return list(open_pictures(scenario.images, folder=Path()))


def _streams(image: int) -> Streams:
    names = {"point": 0, "image": image, "trial": 0}
    return Streams(
        fading=stream(1, **names, purpose="fading"), noise=stream(1, **names, purpose="noise")
    )


def _carry(
    sender: Sender, frames: Sequence[Sent], noise_variance: float
) -> tuple[list[Received], dict[str, Sequence[Tensor]]]:
    recorder = Recorder()
    received = send(
        sender.link,
        frames,
        conditions=Conditions(noise_variance, flip_probability=0.0),
        streams=[_streams(i) for i in range(len(frames))],
        last_good=[None] * len(frames),
        tap=recorder,
    )
    return received, recorder.frames


def _count(
    sender: Sender,
    frames: Sequence[Sent],
    received: Sequence[Received],
    taps: dict[str, Sequence[Tensor]],
) -> list[Counters]:
    moved = sender.link.source.displacements(frames, [r.arrived for r in received])
    return count(taps, received, [sender.link.account(f) for f in frames], displacement=moved)


def _gammas(count: int, noise_variance: float) -> Tensor:
    gains = torch.cat([Rayleigh(None).gains(1, generator=_streams(i).fading)
                       for i in range(count)])  # fmt: skip
    return channels_module.channel_state(gains, noise_variance)


@pytest.mark.parametrize("fading", [{"kind": "awgn"}, {"kind": "rayleigh", "fading": "image"}])
@one_thread()
def test_without_noise_the_picture_is_the_codecs(small: Any, fading: dict[str, Any]) -> None:
    scenario = parse(small(**{"phy.channel": fading}))
    sender, pictures = build(scenario)["system"], _pictures(scenario)
    codec = sender.link.source.codec
    frames = sender.encode_batch(pictures, gamma=torch.full((4,), torch.inf))
    received, _ = _carry(sender, frames, 1e-10)
    for picture, r in zip(pictures, received, strict=True):
        indices = codec.encode(picture.pixels)
        assert torch.equal(r.arrived.indices, indices)
        assert torch.equal(r.image, codec.decode(indices, 16, 24))
    assert len({tuple(r.arrived.indices.tolist()) for r in received}) == 4


@one_thread()
def test_a_system_meets_the_codewords_of_its_wrong_bits(small: Any) -> None:
    """Indices, picture and displacement are those of the bits received."""
    scenario = parse(small(**AWGN))
    sender, pictures = build(scenario)["system"], _pictures(scenario)
    codec = sender.link.source.codec
    frames = sender.encode_batch(pictures, gamma=torch.full((4,), torch.inf))
    received, taps = _carry(sender, frames, 0.3)
    counters = _count(sender, frames, received, taps)
    for i, (frame, r) in enumerate(zip(frames, received, strict=True)):
        weights = torch.tensor([8, 4, 2, 1])
        indices = (taps["coded_bits_hard"][i].reshape(24, 4) * weights).sum(1)
        assert torch.equal(r.arrived.indices, indices)
        assert torch.equal(r.image, codec.decode(indices, 16, 24))
        moved = float(codec.displacement(frame.indices, indices).sum())
        assert counters[i].displacement * 2.0**-20 == pytest.approx(moved, abs=1e-4)
        assert counters[i].index_errors == int((indices != frame.indices).sum()) > 0
        assert counters[i].codebook_sum == 0


# JCAMP and JCAP


@each_plan
def test_rows_do_not_depend_on_the_batch(small: Any, run_in: Run, plan: dict[str, Any]) -> None:
    data = small(**{"codecs.system.plan": plan})
    store = run_in(data, batch=1)
    assert store.rows() == run_in(data, batch=3).rows() == run_in(data, batch=16).rows()
    poor, good = rows(store)
    assert poor.scalars["codebook_mean"] > good.scalars["codebook_mean"] > 0
    assert poor.rates["source_ber"].value > good.rates["source_ber"].value > 0
    symbols = [u.counters.symbols for u in store.units("system", 1)]
    if plan["kind"] == "jcap":
        assert set(symbols) == {24}
    elif plan["accounting"] == "per_symbol":
        assert max(symbols) <= 24
    else:
        assert max(symbols) > 24  # as printed the orders' mean is kept, not the symbols' number
    assert good.cbr == good.counters.symbols / (8 * 3 * 16 * 24)


@each_plan
def test_symbols_have_the_powers_of_the_plan(small: Any, plan: dict[str, Any]) -> None:
    """Sum p_t = T for each image; x_t = sqrt(p_t) s_t of the bits of symbol t, in their order."""
    scenario = parse(small(**{"codecs.system.plan": plan}))
    sender, pictures = build(scenario)["system"], _pictures(scenario)
    frames = sender.encode_batch(pictures, gamma=_gammas(4, 0.05))
    received, taps = _carry(sender, frames, 0.05)
    counters = _count(sender, frames, received, taps)
    for i, frame in enumerate(frames):
        allocation = frame.allocation
        assert float(allocation.power.sum()) == pytest.approx(24, rel=1e-9)
        assert torch.equal(taps["bits_per_symbol"][i], allocation.bits_per_symbol)
        energy, at = 0.0, 0
        wrong = 0
        for m, p in zip(allocation.bits_per_symbol.tolist(), allocation.power, strict=True):
            bits = frame.bits[allocation.bit_order[at : at + m]]
            symbol = qam(2**m).map(bits)[0]
            energy += float(p) * float(symbol.abs().square())
            wrong += not torch.equal(bits, taps["coded_bits_hard"][i][at : at + m])
            at += m
        assert at == 96
        assert counters[i].symbol_power * 2.0**-20 == pytest.approx(energy, rel=1e-5)
        assert counters[i].symbol_errors == wrong
        assert counters[i].codebook_sum == int(allocation.codebooks.sum())
        assert counters[i].coded_bit_errors == counters[i].source_bit_errors


def _garbage(frames: Sequence[Sent]) -> None:
    """Destroy all that a frame says of itself but the size of its picture."""
    for frame in frames:
        assert frame.allocation is not None
        for tensor in (frame.allocation.codebooks, frame.allocation.bit_order,
                       frame.allocation.bits_per_symbol, frame.allocation.power,
                       frame.bits, frame.indices, frame.codebooks):  # fmt: skip
            tensor.fill_(1)
        blank = replace(frame.picture, pixels=torch.zeros_like(frame.picture.pixels))
        nothing = {"allocation": None, "codebooks": None, "indices": None, "picture": blank}
        for name, value in nothing.items():
            object.__setattr__(frame, name, value)


def _copies(frames: Sequence[Sent]) -> list[Sent]:
    copied = []
    for frame in frames:
        tensors = {n: t.clone() for n, t in vars(frame).items() if isinstance(t, Tensor)}
        parts = vars(frame.allocation)
        allocation = {n: t.clone() if isinstance(t, Tensor) else t for n, t in parts.items()}
        copied.append(replace(frame, **tensors, allocation=Allocation(**allocation)))
    return copied


@each_plan
def test_the_receiver_needs_nothing_but_what_it_hears(
    small: Any, monkeypatch: pytest.MonkeyPatch, plan: dict[str, Any]
) -> None:
    """From the channel on, frames say nothing of plan, indices, bits or picture: no difference."""
    scenario = parse(small(**{"codecs.system.plan": plan}))
    sender, pictures = build(scenario)["system"], _pictures(scenario) * 2
    frames = sender.encode_batch(pictures, gamma=_gammas(8, 0.03))
    expected, taps = _carry(sender, frames, 0.03)
    counters = _count(sender, frames, expected, taps)

    blank = _copies(frames)
    transmit = channels_module.transmit

    def forgetful(*signals: Any, **named: Any) -> Tensor:
        _garbage(blank)
        return transmit(*signals, **named)

    with monkeypatch.context() as patch:
        patch.setattr(channels_module, "transmit", forgetful)
        received, seen = _carry(sender, blank, 0.03)
    assert all(frame.allocation is None for frame in blank)
    for a, b in zip(received, expected, strict=True):
        assert torch.equal(a.arrived.indices, b.arrived.indices)
        assert torch.equal(a.arrived.image, b.arrived.image)
        assert torch.equal(a.image, b.image)
    # What was sent is told to the counters by the frames kept.
    for name in ("indices", "codebooks", "source_bits"):
        seen[name] = taps[name]
    assert _count(sender, frames, received, seen) == counters
    assert sum(c.index_errors for c in counters) > 0
    assert len({c.codebook_sum for c in counters}) > 2


def test_a_receiver_with_another_gain_gets_wrong_indices(
    small: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plans at both ends differ where gamma does, though the channel makes next to no errors."""
    scenario = parse(small(**{"codecs.system.plan": {"kind": "jcap"}}))
    sender, pictures = build(scenario)["system"], _pictures(scenario)
    gamma = _gammas(4, 0.002)
    frames = sender.encode_batch(pictures, gamma=gamma)
    right, _ = _carry(sender, frames, 0.002)
    state = channels_module.channel_state
    monkeypatch.setattr(channels_module, "channel_state", lambda gain, n0: state(gain, n0) / 30)
    wrong, _ = _carry(sender, frames, 0.002)

    def errors(received: Sequence[Received]) -> int:
        pairs = zip(frames, received, strict=True)
        return sum(int((f.indices != r.arrived.indices).sum()) for f, r in pairs)

    assert errors(wrong) > 40 > 10 * errors(right)


@pytest.mark.parametrize("kind", ["jcamp", "jcap"])
def test_bits_err_as_often_as_the_weights_ask_for(small: Any, kind: str) -> None:
    """P_tot just enough for a choice of codebooks: each bit errs as eq. 34 wants, about.

    Eq. 33 leaves out the far thresholds, and the bits of a symbol share one power; both change
    the mean of an image by a few percent. The errors counted are those of the exact theory.
    """
    scenario = parse(small(**AWGN, **{"codecs.system.plan": {"kind": kind}}))
    sender, picture = build(scenario)["system"], _pictures(scenario)[0]
    problem = sender.link.allocator.problem
    method = partial(jcamp if kind == "jcamp" else jcap, problem, total_power=24.0)
    low, high = 1e-3, 1e4  # the least gamma at which the plan fits, by bisection
    for _ in range(60):
        middle = sqrt(low * high)
        (found,) = method(torch.tensor([middle], dtype=torch.float64))
        low, high = (low, middle) if found.fits else (middle, high)
    (plan,) = method(torch.tensor([high], dtype=torch.float64))
    assert plan.fits

    mu = problem.flip_probability.double().gather(0, plan.codebooks[None, :, None].expand(1, 24, 4))
    wanted = float(mu.mean())
    orders, power = plan.bits_per_symbol, plan.power
    symbols = [(m, float(p) * high) for m, p in zip(orders.tolist(), power, strict=True)]
    approximate, exact = (
        sum(m * float(ber(esn0, bits_per_symbol=m)) for m, esn0 in symbols) / 96
        for ber in (approximate_ber, exact_ber)
    )
    assert abs(approximate / wanted - 1) < 0.03
    assert abs(exact / wanted - 1) < 0.05

    generator = torch.Generator().manual_seed(8)
    frames = []
    for _ in range(500):
        indices = torch.randint(16, (24,), generator=generator)
        bits = unpack_integers(indices, width=4)
        frames.append(Sent(bits, picture, indices=indices, codebooks=plan.codebooks,
                           allocation=plan))  # fmt: skip
    _, taps = _carry(sender, frames, 1 / high)
    wrong = sum(int((a != b).sum()) for a, b in zip(taps["source_bits"], taps["source_bits_hat"],
                                                    strict=True))  # fmt: skip
    bits_sent, m = 500 * 96, int(orders.max())  # bits of a symbol fall together
    assert abs(wrong - bits_sent * exact) < 4 * sqrt(bits_sent * exact * m / 2)
    assert 0.01 < exact < 0.3


# Soft decoding


def _distance_from_clean(small: Any, decode: str, noise_variance: float, **more: Any) -> float:
    """Mean squared error of 40 pictures against those of their indices."""
    scenario = parse(small(**{"codecs.system.decode": decode, **more}))
    sender, pictures = build(scenario)["system"], _pictures(scenario) * 10
    frames = sender.encode_batch(pictures, gamma=_gammas(40, noise_variance))
    received, _ = _carry(sender, frames, noise_variance)
    shown = torch.stack([r.image for r in received]).float()
    tables = sender.link.source.codec
    indices = torch.stack([f.indices for f in frames])
    books = [torch.zeros(24).long() if f.codebooks is None else f.codebooks for f in frames]
    clean = tables.decode_vectors(tables.vectors(indices, torch.stack(books)), 16, 24).float()
    return float((shown - clean).square().mean())


@pytest.mark.parametrize("noise_variance", [0.1, 0.5, 1.0])
def test_soft_decoding_is_nearer_to_the_clean_picture(small: Any, noise_variance: float) -> None:
    hard, soft = (_distance_from_clean(small, d, noise_variance) for d in ("hard", "soft"))
    assert 0 < soft < 0.9 * hard


def test_soft_decoding_follows_the_codebooks_of_the_plan(small: Any) -> None:
    plan = {"codecs.system.plan": {"kind": "jcamp"}}
    hard, soft = (_distance_from_clean(small, d, 0.3, **plan) for d in ("hard", "soft"))
    assert 0 < soft < hard


def test_certain_bits_are_looked_up_in_the_codebook_of_each_index(small: Any) -> None:
    """Soft decoding of LLRs without bound, where all three codebooks are in use."""
    hard, soft = (
        build(parse(small(**{"codecs.system.plan": {"kind": "jcap"}, "codecs.system.decode": d})))
        for d in ("hard", "soft")
    )
    gamma = torch.tensor([14.0, 25.0, 35.0, 50.0], dtype=torch.float64)
    pictures = _pictures(parse(small()))
    frames = hard["system"].encode_batch(pictures, gamma=gamma)
    assert torch.unique(torch.stack([f.codebooks for f in frames])).tolist() == [0, 1, 2]
    for frame in frames:
        image = hard["system"].decode_clean(frame)
        assert torch.equal(soft["system"].decode_clean(frame), image)
        alone = replace(frame, codebooks=torch.full_like(frame.codebooks, 2))
        assert not torch.equal(soft["system"].decode_clean(alone), image)


@pytest.mark.parametrize(
    "section",
    [{"plan": {"kind": "jcamp"}}, {"stream": {"kind": "fixed"}},
     {"stream": {"kind": "fixed", "labelling": "gray"}}],
    ids=["jcamp", "natural", "gray"],
)  # fmt: skip
def test_without_noise_soft_is_hard(small: Any, section: dict[str, Any]) -> None:
    images = []
    for decode in ("hard", "soft"):
        data = small(**{"codecs.system.decode": decode})
        data["codecs"]["system"] |= section
        scenario = parse(data)
        sender, pictures = build(scenario)["system"], _pictures(scenario)
        frames = sender.encode_batch(pictures, gamma=_gammas(4, 1e-8))
        received, _ = _carry(sender, frames, 1e-8)
        images.append(torch.stack([r.image for r in received]))
    assert torch.equal(*images)


# Streams


STREAMS = {
    "fixed": {"kind": "fixed"},
    "gray": {"kind": "fixed", "labelling": "gray"},
    "huffman": {"kind": "huffman"},
    "marked": {"kind": "huffman", "mark_every_rows": 1},
    "ans": {"kind": "ans"},
}


def _streamed(small: Any, run_in: Run, points: list[float]) -> dict[str, list[Row]]:
    data = small(**AWGN, sweep={"esn0_db": points})
    (codec,) = data["codecs"].values()
    data["codecs"] = {name: {**codec, "stream": section} for name, section in STREAMS.items()}
    store = run_in(data)
    for batch in (1, 5):
        assert run_in(data, batch=batch).rows() == store.rows()
    table = list(rows(store))
    return {name: [row for row in table if row.codec == name] for name in STREAMS}


def test_every_stream_brings_the_same_picture_and_counts_its_bits(small: Any, run_in: Run) -> None:
    table = _streamed(small, run_in, [6.0, 100.0])
    fixed = table["fixed"][1]
    bits = {name: found[1].counters.source_bits for name, found in table.items()}
    for name, (noisy, clean) in table.items():
        assert clean.metrics["psnr"].value == fixed.metrics["psnr"].value, name
        assert clean.counters.index_errors == clean.counters.concealed_indices == 0
        assert clean.counters.damaged_segments == 0
        assert noisy.counters.index_errors > 0
        assert clean.counters.symbols >= bits[name] / 4
    assert bits["fixed"] == bits["gray"] == 8 * 96
    assert bits["huffman"] < bits["fixed"]
    lengths = {name: found[1].counters.length_bits for name, found in table.items()}
    assert lengths == dict.fromkeys(STREAMS, 8 * 24) | {"fixed": 0, "gray": 0}
    # A mark of 16 bits and a number of two before each of four rows but the first.
    assert [row.counters.mark_bits for row in table["marked"]] == [8 * 3 * 18] * 2
    assert bits["marked"] == bits["huffman"] + 8 * 3 * 18
    assert all(row.counters.mark_bits == 0 for row in table["huffman"] + table["ans"])
    assert table["marked"][0].scalars["concealed_rate"] > 0
    assert table["marked"][0].counters.damaged_segments > 0
    assert table["ans"][0].counters.damaged_segments > 0
    for name in ("fixed", "gray"):  # every damaged index is an index
        assert table[name][0].counters.concealed_indices == 0
