"""From scenario to blocks: what each budget grants, and which link each codec gets."""

from typing import Any

import numpy as np
import pytest
import torch
from skimage import data as photographs

from phy.fading import NoFading, Rayleigh, Rician
from semcodec.errors import BudgetError
from transceiver.build import Sender, build
from transceiver.link import BinarySymmetric
from transceiver.scenario import parse
from transceiver.source import LENGTH_BITS, Picture


@pytest.fixture(scope="module")
def picture() -> Picture:
    pixels = np.ascontiguousarray(photographs.coffee()[50:210, 100:290])
    return Picture(0, "coffee", torch.from_numpy(pixels).movedim(-1, 0).contiguous())


def _symbols(sender: Sender, picture: Picture) -> int:
    sent = sender.encode(picture)
    source = sent.bits.numel() - sent.length_bits
    return sender.link.format.account(source, length_bits=sent.length_bits).symbols


@pytest.mark.parametrize("modulation", [{"kind": "qam", "order": 64}, {"kind": "psk", "order": 2}])
@pytest.mark.parametrize(
    "code", [{"kind": "none"}, {"kind": "ieee80211n", "n": 648, "rate": "2/3"}]
)
@pytest.mark.parametrize("headers", ["counted", "known"])
def test_symbols_of_never_exceeds_the_other_codec(
    change: Any, picture: Picture, modulation: Any, code: Any, headers: str
) -> None:
    """Nor, where the next quality is known, could a better picture have been sent."""
    equal = {"kind": "symbols_of", "codec": "vq"}
    data = change(
        **{
            "codecs.bpg": {"kind": "bpg", "budget": equal, "headers": headers},
            "codecs.webp": {"kind": "webp", "budget": equal, "headers": headers},
            "codecs.bpg.phy": {"modulation": modulation, "code": code},
            "codecs.vq.phy": {"code": {"kind": "gallager"}},
        }
    )
    senders = build(parse(data))
    limit = _symbols(senders["vq"], picture)
    for name in ("bpg", "webp"):
        sender = senders[name]
        try:
            used = _symbols(sender, picture)
        except BudgetError:
            assert name == "webp"
            continue
        assert used <= limit
        codec = sender.link.source.codec
        sent = sender.encode(picture)
        whole = sent.header + sent.payload
        quality = next(q for q in codec.qualities if codec.encode(picture.pixels, q) == whole)
        place = codec.qualities.index(quality)
        better = codec.encode(picture.pixels, codec.qualities[place + 1])
        spared = codec.header_bytes(better) if headers == "known" else 0
        payload = 8 * (len(better) - spared)
        form = sender.link.format
        assert form.account(payload, length_bits=LENGTH_BITS).symbols > limit


def test_other_budgets(change: Any, picture: Picture) -> None:
    _, height, width = picture.pixels.shape
    data = change(**{"codecs.jpeg.budget": {"kind": "bytes", "value": 2000}})
    assert len(build(parse(data))["jpeg"].encode(picture).payload) <= 2000
    data["codecs"]["jpeg"]["headers"] = "known"
    known = build(parse(data))["jpeg"].encode(picture)
    assert len(known.payload) <= 2000 < len(known.payload + known.header)
    data = change(**{"codecs.jpeg.budget": {"kind": "cbr", "value": "1/6"}})
    sender = build(parse(data))["jpeg"]
    assert 0.9 / 6 < _symbols(sender, picture) / (3 * height * width) <= 1 / 6
    data = change(**{"codecs.jpeg.budget": {"kind": "quality", "value": 33}})
    sender = build(parse(data))["jpeg"]
    assert sender.encode(picture).payload == sender.link.source.codec.encode(picture.pixels, 33)
    budget = {"kind": "source_bits_of", "codec": "vq"}
    data = change(**{"codecs.bpg.budget": budget})
    senders = build(parse(data))
    assert 8 * len(senders["bpg"].encode(picture).payload) <= len(
        senders["vq"].encode(picture).bits
    )


@pytest.mark.parametrize("value", [400, 900, 2200, 3000])
def test_known_header_leaves_the_whole_budget_to_the_picture(
    change: Any, picture: Picture, value: int
) -> None:
    """JPEG's header grows with the quality: the next better file's payload must be too long."""
    budget = {"kind": "bytes", "value": value}
    sender = build(
        parse(change(**{"codecs.jpeg": {"kind": "jpeg", "budget": budget, "headers": "known"}}))
    )["jpeg"]
    codec, sent = sender.link.source.codec, sender.encode(picture)
    assert len(sent.payload) <= value
    files = [codec.encode(picture.pixels, quality) for quality in codec.qualities]
    place = max(i for i, data in enumerate(files) if data == sent.header + sent.payload)
    better = files[place + 1]
    assert len(better) - codec.header_bytes(better) > value


@pytest.mark.parametrize(
    "budget",
    [{"kind": "cbr", "value": 1e-6}, {"kind": "cbr", "value": 1e-3}, {"kind": "bytes", "value": 9}],
)
@pytest.mark.parametrize("headers", ["counted", "known"])
def test_hopeless_budget_is_an_outage(
    change: Any, picture: Picture, budget: Any, headers: str
) -> None:
    """Even where not a single bit is left for the picture."""
    for kind in ("bpg", "jpeg", "webp"):
        data = change(**{f"codecs.{kind}": {"kind": kind, "budget": budget, "headers": headers}})
        sender = build(parse(data))[kind]
        for _ in range(2):  # the second time from memory
            with pytest.raises(BudgetError, match="max_bytes must be at least"):
                sender.encode(picture)


def test_a_frame_is_made_once_and_holds_no_picture(change: Any, picture: Picture) -> None:
    data = change(**{"codecs.jpeg.budget": {"kind": "quality", "value": 33}})
    sender = build(parse(data))["jpeg"]
    first, again = sender.encode(picture), sender.encode(picture)
    assert first.bits is again.bits
    assert again.picture is picture
    assert [sent.picture for sent in sender._sent.values()] == [None]


def test_order_of_codecs_is_that_of_the_scenario(change: Any) -> None:
    data = change()
    data["codecs"] = dict(reversed(data["codecs"].items()))
    assert list(build(parse(data))) == ["jpeg", "bpg", "vq"]


def test_channels_and_modulations(bits: Any) -> None:
    made = {
        "rayleigh": ({"fading": "image"}, Rayleigh(None)),
        "rician": ({"fading": {"block": 9}, "k_factor": 2}, Rician(2.0, 9)),
        "awgn": ({}, NoFading()),
    }
    for kind, (keys, channel) in made.items():
        link = build(parse(bits(**{"phy.channel": {"kind": kind, **keys}})))["bits"].link
        assert link.channel == channel
    symbol = {"kind": "rayleigh", "fading": "symbol"}
    assert build(parse(bits(**{"phy.channel": symbol})))["bits"].link.channel == Rayleigh(1)
    bsc = bits(**{"phy.channel": {"kind": "bsc"}, "sweep": {"flip_probability": [0.1]}})
    link = build(parse(bsc))["bits"].link
    assert link.channel == BinarySymmetric()
    assert link.format.bits_per_symbol == 1
    for kind, order in (("psk", 2), ("psk", 4), ("psk", 8), ("qam", 4096), ("cross_qam", 32)):
        data = bits(**{"phy.modulation": {"kind": kind, "order": order}})
        assert len(build(parse(data))["bits"].link.modulation.points) == order


@pytest.mark.parametrize(
    ("code", "k", "n"),
    [
        ({"kind": "none"}, 0, 0),
        ({"kind": "ieee80211n", "n": 1296, "rate": "3/4"}, 972, 1296),
        ({"kind": "nr", "k": 100, "n": 250}, 100, 250),
        ({"kind": "dvbs2", "n": 16200, "rate": "4/5"}, 12600, 16200),
    ],
)
def test_codes(bits: Any, code: Any, k: int, n: int) -> None:
    """DVB-S2 short frames of nominal rate 4/5 carry 12600 bits: EN 302 307-1, table 5b."""
    sender = build(parse(bits(**{"phy.code": code})))["bits"]
    assert (sender.link.format.k, sender.link.format.n) == (k, n)
    assert sender.link.source.payload_bits == (64 * k - 24 if k else 65536)
