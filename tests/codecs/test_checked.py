"""Codecs of others are held to their contract at every call."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch

from semcodec.checked import (
    CheckedAnalogCodec,
    CheckedByteCodec,
    CheckedIndexCodec,
    CheckedLadderCodec,
    checked,
)
from semcodec.codec import IndexRun
from semcodec.errors import BudgetError, CodecError, DecodeError
from semcodec.jpeg import Jpeg
from semcodec.webp import WebP

IMAGE = torch.arange(3 * 4 * 6, dtype=torch.uint8).reshape(3, 4, 6)
SIZE = (4, 6)


@dataclass(frozen=True)
class Halves:
    """An index codec: the upper four bits of each sample, then the lower four of the first row."""

    sha256: str = "ab" * 32
    wrong: Any = None
    part: str = ""

    def runs(self, height: int, width: int) -> Any:
        if self.part == "runs":
            return self.wrong
        return [IndexRun("upper", 3 * height * width, 4), IndexRun("lower", 3 * width, 4)]

    def encode(self, image: torch.Tensor) -> Any:
        image //= 1  # in place: it must be a copy
        found = torch.cat([(image >> 4).flatten(), (image[:, 0] & 15).flatten()]).long()
        image.zero_()
        return self.wrong if self.part == "encode" else found

    def decode(self, indices: torch.Tensor, height: int, width: int) -> Any:
        if self.part == "decode":
            return self.wrong
        image = (indices[: 3 * height * width] << 4).byte().reshape(3, height, width)
        image[:, 0] += indices[3 * height * width :].byte().reshape(3, width)
        indices.zero_()
        return image

    def displacement(self, sent: torch.Tensor, received: torch.Tensor) -> Any:
        return self.wrong if self.part == "displacement" else (sent - received).abs().float()


def test_a_sound_index_codec_passes_and_gets_copies() -> None:
    codec = checked(Halves(), "halves")
    assert isinstance(codec, CheckedIndexCodec)
    before = IMAGE.clone()
    indices = codec.encode(IMAGE)
    assert torch.equal(IMAGE, before)
    kept = indices.clone()
    image = codec.decode(indices, *SIZE)
    assert torch.equal(indices, kept)
    assert torch.equal(image[:, 0], IMAGE[:, 0])
    assert torch.equal(image[:, 1:], IMAGE[:, 1:] & 240)
    assert codec.displacement(indices, indices.roll(1)).shape == indices.shape
    assert [run.count for run in codec.runs(*SIZE)] == [72, 18]
    assert codec.sha256 == "ab" * 32


@pytest.mark.parametrize(
    ("part", "wrong", "message"),
    [
        ("runs", [("upper", 72, 4)], "mine: runs must be of IndexRun, got tuple"),
        ("runs", [IndexRun("a", 72, 0)], "count from 0 and 1 to 32 bits, got IndexRun"),
        ("runs", [IndexRun("a", -1, 3)], "count from 0 and 1 to 32 bits, got IndexRun"),
        ("runs", [], "runs must have at least one index"),
        ("encode", torch.zeros(90), r"encode must return int64 \[90\], .* got float32 \[90\]"),
        ("encode", torch.zeros(89).long(), r"int64 \[90\], as runs says, got int64 \[89\]"),
        ("encode", [0] * 90, r"got list \[0, 0"),
        ("encode", torch.full((90,), 16), r"upper must be in \[0, 16\), got 16 to 16"),
        ("encode", torch.full((90,), -1), r"upper must be in \[0, 16\), got -1 to -1"),
        ("decode", torch.zeros(3, 4, 6), r"uint8 \[3, 4, 6\], got float32 \[3, 4, 6\]"),
        ("decode", torch.zeros(3, 4, 5).byte(), r"uint8 \[3, 4, 6\], got uint8 \[3, 4, 5\]"),
        ("decode", None, r"decode must return uint8 \[3, 4, 6\], got NoneType None"),
        ("displacement", torch.zeros(90).long(), r"float \[90\] of at least 0, got int64 \[90\]"),
        ("displacement", -torch.ones(90), r"float \[90\] of at least 0"),
        ("displacement", torch.full((90,), torch.nan), r"float \[90\] of at least 0"),
    ],
)
def test_an_index_codec_that_breaks_its_promise(part: str, wrong: Any, message: str) -> None:
    codec = checked(replace(Halves(), part=part, wrong=wrong), "mine")
    assert isinstance(codec, CheckedIndexCodec)

    def use() -> None:
        indices = codec.encode(IMAGE)
        codec.displacement(indices, indices)
        codec.decode(indices, *SIZE)

    with pytest.raises(CodecError, match=message):
        use()


class Samples:
    """An analog codec whose weight would learn."""

    sha256 = ""
    wrong: Any = None
    weight = torch.ones(1, requires_grad=True)

    def encode(self, image: torch.Tensor) -> Any:
        if self.wrong is not None:
            return self.wrong
        return image.float().flatten() * self.weight

    def decode(self, values: torch.Tensor, height: int, width: int) -> torch.Tensor:
        return (values * self.weight).byte().reshape(3, height, width)


def test_an_analog_codec() -> None:
    inner = Samples()
    codec = checked(inner, "mine")
    assert isinstance(codec, CheckedAnalogCodec)
    values = codec.encode(IMAGE)
    assert not values.requires_grad
    assert torch.equal(codec.decode(values, *SIZE), IMAGE)
    for wrong, message in (
        (torch.zeros(3), r"float32 \[n\] with an even n, got float32 \[3\]"),
        (torch.zeros(0), r"even n, got float32 \[0\]"),
        (torch.zeros(2, 2), r"got float32 \[2, 2\]"),
        (torch.zeros(2).double(), r"got float64 \[2\]"),
        (torch.tensor([1.0, torch.inf]), "values must be finite"),
    ):
        inner.wrong = wrong
        with pytest.raises(CodecError, match=f"mine: .*{message}"):
            codec.encode(IMAGE)


class Raw:
    """A byte codec without qualities."""

    wrong: Any = None

    def encode_to_budget(self, image: torch.Tensor, max_bytes: int) -> Any:
        if self.wrong is not None:
            return self.wrong
        data = image.numpy().tobytes()
        if len(data) > max_bytes:
            raise BudgetError("too small")
        return data

    def decode(self, data: bytes, height: int, width: int) -> torch.Tensor:
        if len(data) != 3 * height * width:
            raise DecodeError("no picture")
        return torch.frombuffer(bytearray(data), dtype=torch.uint8).reshape(3, height, width)

    def header_bytes(self, data: bytes) -> Any:  # noqa: ARG002 - the contract's
        return 0 if self.wrong is None else self.wrong


def test_a_byte_codec() -> None:
    inner = Raw()
    codec = checked(inner, "mine")
    assert isinstance(codec, CheckedByteCodec)
    assert not isinstance(codec, CheckedLadderCodec)
    data = codec.encode_to_budget(IMAGE, 100)
    assert torch.equal(codec.decode(data, *SIZE), IMAGE)
    assert codec.header_bytes(data) == 0
    with pytest.raises(BudgetError):
        codec.encode_to_budget(IMAGE, 71)
    with pytest.raises(DecodeError):
        codec.decode(data[1:], *SIZE)
    for wrong, message in ((b"x" * 101, "got 101 bytes"), ("text", "got str 'text'")):
        inner.wrong = wrong
        with pytest.raises(CodecError, match=f"at most 100 bytes, {message}"):
            codec.encode_to_budget(IMAGE, 100)
    for wrong in (-1, 73, "0"):
        inner.wrong = wrong
        with pytest.raises(CodecError, match=r"header_bytes must be in \[0, 72\], got"):
            codec.header_bytes(data)


@pytest.mark.parametrize("codec", [Jpeg(), WebP()])
def test_our_own_byte_codecs_fulfil_the_contract(codec: Any) -> None:
    image = torch.full((3, 20, 30), 100, dtype=torch.uint8)
    held = checked(codec, "own")
    assert isinstance(held, CheckedLadderCodec)
    assert held.codec is codec
    data = held.encode_to_budget(image, 2000)
    assert data == codec.encode_to_budget(image, 2000)
    assert torch.equal(held.decode(data, 20, 30), codec.decode(data, 20, 30))
    assert held.header_bytes(data) == codec.header_bytes(data)


def test_what_fulfils_no_contract_is_refused() -> None:
    class HalfDone:
        sha256 = ""
        encode = decode = runs = len

    with pytest.raises(
        CodecError,
        match=r"codec x must have encode, decode, runs, displacement, sha256 \(an index codec\), "
        r"encode_to_budget, decode, header_bytes \(a byte codec\) or encode, decode, sha256 "
        r"\(an analog codec\); got HalfDone with decode, encode, runs, sha256$",
    ):
        checked(HalfDone(), "codec x")
    with pytest.raises(CodecError, match="got int with none of them"):
        checked(3, "x")
    HalfDone.runs = HalfDone.displacement = 7  # type: ignore[attr-defined]
    with pytest.raises(CodecError, match="x: displacement must be a method, got int 7"):
        checked(HalfDone(), "x")
    for digest in ("abc", 5):
        with pytest.raises(CodecError, match="sha256 must be 64 hexadecimal digits, or empty"):
            checked(replace(Halves(), sha256=digest), "x")
