"""Source codecs on both ends: bits of indices and bytes, and what damage does."""

from typing import Any

import pytest
import torch

from phy.bits import unpack_bytes, unpack_integers
from semcodec.errors import BudgetError, CodecError, DecodeError
from semcodec.jpeg import Jpeg
from semcodec.webp import WebP
from transceiver.build import build
from transceiver.networks import one_thread
from transceiver.pictures import Pictures, open_pictures
from transceiver.scenario import parse
from transceiver.source import LENGTH_BITS, AtQuality, ByteSource, Picture, byte_tensor
from transceiver.source import byte as byte_module


@pytest.fixture
def pictures(base: dict[str, Any], tmp_path: Any) -> Pictures:
    scenario = parse(base)
    assert scenario.images is not None
    return open_pictures(scenario.images, folder=tmp_path)


def _jpeg_source(*, headers_known: bool = False, best_effort: bool = False) -> ByteSource:
    codec = Jpeg()
    return ByteSource(
        codec,
        lambda _: AtQuality(40),
        lambda image, limit: codec.encode(image, limit.value),
        headers_known=headers_known,
        best_effort=best_effort,
    )


@one_thread()
def test_indices_to_bits_and_back(base: dict[str, Any], pictures: Pictures) -> None:
    sender = build(parse(base))["vq"]
    codec = sender.link.source.codec
    for picture in pictures:
        sent = sender.encode(picture)
        _, height, width = picture.pixels.shape
        assert len(sent.indices) == -(-height // 8) * -(-width // 8)
        assert sent.bits.tolist() == [
            int(bit) for index in sent.indices.tolist() for bit in f"{index:04b}"
        ]
        assert len(set(sent.indices.tolist())) > 1
        arrived = sender.link.source.decode(sent.bits, sent)
        assert torch.equal(arrived.indices, sent.indices)
        assert torch.equal(arrived.image, codec.decode(sent.indices, height, width))
        assert not arrived.failed


def test_damaged_index_is_an_index(base: dict[str, Any], pictures: Pictures) -> None:
    sender = build(parse(base))["vq"]
    sent = sender.encode(pictures[0])
    arrived = sender.link.source.decode(1 - sent.bits, sent)
    assert torch.equal(arrived.indices, 15 - sent.indices)
    assert arrived.image.shape == pictures[0].pixels.shape
    assert not arrived.failed


def test_bytes_to_bits_and_back(pictures: Pictures) -> None:
    source = _jpeg_source()
    sent = source.encode(pictures[0])
    data = Jpeg().encode(pictures[0].pixels, 40)
    assert sent.payload == data
    assert sent.length_bits == LENGTH_BITS
    assert torch.equal(sent.bits[LENGTH_BITS:], unpack_bytes(data))
    assert int("".join(map(str, sent.bits[:LENGTH_BITS].tolist())), 2) == len(data)
    arrived = source.decode(sent.bits, sent, intact=True)
    assert arrived.payload == data
    assert torch.equal(arrived.image, Jpeg().decode(data, *pictures[0].pixels.shape[1:]))


@pytest.mark.parametrize("codec", [Jpeg(), WebP()])
def test_known_header_saves_exactly_the_header(pictures: Pictures, codec: Jpeg | WebP) -> None:
    for picture in pictures:
        data = codec.encode(picture.pixels, 40)
        counted, known = (
            ByteSource(
                codec,
                lambda _: AtQuality(40),
                lambda _, __, d=data: d,
                headers_known=h,
                best_effort=False,
            )
            for h in (False, True)
        )
        whole, saved = counted.encode(picture), known.encode(picture)
        header = codec.header_bytes(data)
        assert whole.bits.numel() - saved.bits.numel() == 8 * header > 0
        assert (saved.header, saved.payload) == (data[:header], data[header:])
        pixels = counted.decode(whole.bits, whole, intact=True).image
        assert torch.equal(known.decode(saved.bits, saved, intact=True).image, pixels)


def test_refused_frame_fails_without_decoding(pictures: Pictures) -> None:
    source = _jpeg_source()
    sent = source.encode(pictures[0])
    arrived = source.decode(sent.bits, sent, intact=False)
    assert arrived.failed
    assert arrived.image is None
    assert arrived.payload == sent.payload


def test_best_effort_shows_what_can_be_decoded(pictures: Pictures) -> None:
    source = _jpeg_source(best_effort=True)
    sent = source.encode(pictures[0])
    clean = source.decode(sent.bits, sent, intact=True).image
    damaged = sent.bits.clone()
    damaged[-60] ^= 1
    shown = source.decode(damaged, sent, intact=False)
    assert shown.failed
    assert shown.image is not None
    assert not torch.equal(shown.image, clean)
    damaged[LENGTH_BITS] ^= 1  # the file no longer begins with ffd8
    nothing = source.decode(damaged, sent, intact=False)
    assert nothing.failed
    assert nothing.image is None


@pytest.mark.parametrize("claimed", [0, 1, 2**24 - 1])
def test_damaged_length_field_is_no_crash(pictures: Pictures, claimed: int) -> None:
    source = _jpeg_source(best_effort=True)
    sent = source.encode(pictures[0])
    damaged = sent.bits.clone()
    damaged[:LENGTH_BITS] = unpack_integers(torch.tensor([claimed]), width=LENGTH_BITS)
    arrived = source.decode(damaged, sent, intact=False)
    assert arrived.payload == sent.payload[:claimed]
    assert (arrived.image is None) == (claimed < 2)


def test_noise_never_crashes_a_byte_codec(base: dict[str, Any], pictures: Pictures) -> None:
    """BPG, JPEG and WebP bytes with random bits flipped: an image of the size, or nothing."""
    data = {**base, "failure": "best_effort"}
    quality = {"bpg": 40, "jpeg": 40, "webp": 30}
    data["codecs"] = {
        kind: {"kind": kind, "budget": {"kind": "quality", "value": value}}
        for kind, value in quality.items()
    }
    generator = torch.Generator().manual_seed(2)
    shown = dict.fromkeys(quality, 0)
    for name, sender in build(parse(data)).items():
        sent = sender.encode(pictures[1])
        for rate in (0.0005, 0.002, 0.01, 0.5):
            for _ in range(10):
                flips = torch.rand(sent.bits.shape, generator=generator) < rate
                bits = sent.bits ^ flips.to(torch.uint8)
                arrived = sender.link.source.decode(bits, sent, intact=False)
                assert arrived.failed
                if arrived.image is not None:
                    shown[name] += 1
                    assert arrived.image.shape == pictures[1].pixels.shape
                    assert arrived.image.dtype == torch.uint8
    assert min(shown.values()) > 0
    assert max(shown.values()) < 40


def test_oversized_payload_is_refused_in_words(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(byte_module, "MOST_BYTES", 100)
    with pytest.raises(CodecError, match=r"payload must be at most 100 bytes, got \d+ for"):
        _jpeg_source().encode(pictures[0])
    assert issubclass(BudgetError, CodecError)
    assert issubclass(DecodeError, CodecError)


def test_byte_tensor() -> None:
    assert byte_tensor(b"").shape == (0,)
    assert byte_tensor(b"\x00\xff").tolist() == [0, 255]


def test_tiny_pictures_pass_every_codec(base: dict[str, Any]) -> None:
    """From 1 x 1 pixels on, encoded and decoded by each kind of codec."""
    data = dict(base)
    quality = {"kind": "quality", "value": 30}
    data["codecs"] = {"vq": base["codecs"]["vq"]} | {
        kind: {"kind": kind, "budget": quality} for kind in ("bpg", "jpeg", "webp")
    }
    senders = build(parse(data))
    for key, (height, width) in enumerate(((1, 1), (1, 9), (7, 5), (8, 17))):
        pixels = torch.full((3, height, width), 90, dtype=torch.uint8)
        picture = Picture(key, f"{height}x{width}", pixels)
        for sender in senders.values():
            image = sender.decode_clean(sender.encode(picture))
            assert image is not None
            assert image.shape == pixels.shape
