"""Damaged bitstreams: a picture or `DecodeError`, soon, and without more and more memory.

Ordinary runs take a few hundred streams of each codec, `make conformance` ten thousand.
"""

import contextlib
import faulthandler
import random
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from skimage import data

from semcodec.bpg.codec import Bpg
from semcodec.errors import DecodeError
from semcodec.jpeg import Jpeg
from semcodec.streams import (
    AnsStream,
    Frequencies,
    HuffmanStream,
    IndexStream,
    MarkedHuffmanStream,
    Marks,
)
from semcodec.webp import WebP

COUNTS = [150, pytest.param(10_000, marks=pytest.mark.conformance)]
STUCK_S = 120
"""For twenty streams. A hang in C code can only be ended with the process: with the place of it."""
MOST_GROWTH_BYTES = 64 << 20
"""Of resident memory, after the first fifth: more than caches and fragments take."""
HEIGHT, WIDTH = 40, 56


def _begin() -> None:
    """The time of the next streams begins."""
    faulthandler.dump_traceback_later(STUCK_S, exit=True)


@pytest.fixture(autouse=True)
def _no_hang() -> Iterator[None]:
    _begin()
    yield
    faulthandler.cancel_dump_traceback_later()


def _photo(top: int) -> torch.Tensor:
    crop = data.astronaut()[top : top + HEIGHT, 200 : 200 + WIDTH]
    return torch.from_numpy(crop.copy()).movedim(-1, 0).contiguous()


def _most_bytes() -> int:
    """The largest resident memory so far."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else 1024 * size


def _slice(rng: random.Random, size: int) -> slice:
    start = rng.randrange(size)
    return slice(start, min(size, start + rng.randrange(1, 40)))


def damaged(rng: random.Random, stream: bytes, other: bytes) -> bytes:
    """A stream after one to four accidents."""
    found = bytearray(stream)
    for _ in range(rng.randrange(1, 5)):
        if not found:
            break
        match rng.randrange(8):
            case 0 | 1:
                found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
            case 2:
                found[rng.randrange(min(64, len(found)))] = rng.choice((0, 1, 127, 128, 255))
            case 3:
                del found[rng.randrange(len(found)) :]
            case 4:
                del found[_slice(rng, len(found))]
            case 5:
                found[_slice(rng, len(found))] = rng.randbytes(rng.randrange(40))
            case 6:
                place = _slice(rng, len(found))
                found[place] = bytes(found[place]) * rng.randrange(2, 5)
            case _:
                cut = rng.randrange(len(found))
                found[cut:] = other[min(cut, len(other)) :]
    return bytes(found)


def test_the_accidents_are_all_kinds_of_damage() -> None:
    rng = random.Random(1)
    stream, other = bytes(range(256)) * 4, bytes(1000)
    lengths = [len(damaged(rng, stream, other)) for _ in range(400)]
    assert min(lengths) < 200 < len(stream) < max(lengths)
    assert lengths.count(len(stream)) > 40


def _files(codec: Any) -> list[bytes]:
    qualities = [codec.qualities[i * (len(codec.qualities) - 1) // 4] for i in (1, 2, 3)]
    return [codec.encode(_photo(top), quality) for top in (40, 140) for quality in qualities]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(
    "codec",
    [Bpg("444", "fast"), Bpg("420", "fast"), Jpeg("444"), Jpeg("420"), WebP()],
    ids=["bpg444", "bpg420", "jpeg444", "jpeg420", "webp"],
)
def test_damaged_pictures(
    codec: Any, count: int, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rng = random.Random(count)
    files = _files(codec)
    pictures = most = 0
    refusals = []
    for i in range(count):
        if i % 20 == 0:
            _begin()
        stream = damaged(rng, rng.choice(files), rng.choice(files))
        (tmp_path / "last").write_bytes(stream)  # what is found here if the process dies
        for read in (codec.header_bytes, lambda x: codec.decode(x, HEIGHT, WIDTH)):
            try:
                found = read(stream)
            except DecodeError as error:
                refusals.append(str(error))
                continue
            if isinstance(found, int):
                assert 0 <= found <= len(stream)
            else:
                pictures += 1
                assert (found.dtype, found.shape) == (torch.uint8, (3, HEIGHT, WIDTH))
        if i == count // 5:
            most = _most_bytes()
    assert pictures > count // 20
    assert len(refusals) > count // 20
    assert [text for text in refusals if len(text.splitlines()) != 1] == []
    assert _most_bytes() - most < MOST_GROWTH_BYTES
    assert capfd.readouterr() == ("", "")


FREQUENCIES = Frequencies(tuple(1 + 2000 // (k + 1) for k in range(64)))
STREAMS: dict[str, IndexStream] = {
    "huffman": HuffmanStream(FREQUENCIES),
    "marked": MarkedHuffmanStream(FREQUENCIES, Marks(2, word_bits=16, tolerance=1)),
    "ans": AnsStream(FREQUENCIES),
}


def damaged_bits(rng: random.Random, bits: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Bits after the accidents of `damaged`, of any number."""
    packed = [bytes(x.tolist()) for x in (bits, other)]  # a byte a bit
    found = bytes(value & 1 for value in damaged(rng, packed[0], packed[1]))
    return torch.tensor(list(found), dtype=torch.uint8)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("name", STREAMS)
def test_damaged_index_streams_always_give_indices(name: str, count: int) -> None:
    rng, stream = random.Random(count), STREAMS[name]
    generator = torch.Generator().manual_seed(2)
    rows, columns = 12, 9
    p = torch.tensor(FREQUENCIES.counts, dtype=torch.float64)
    draw = torch.multinomial(p, 4 * rows * columns, replacement=True, generator=generator)
    sent = [stream.encode(part, columns=columns) for part in draw.reshape(4, -1)]
    wrong = most = 0
    for i in range(count):
        if i % 20 == 0:
            _begin()
        k = rng.randrange(4)
        bits = damaged_bits(rng, sent[k], sent[rng.randrange(4)])
        found = stream.decode(bits, rows=rows, columns=columns)
        assert found.indices.shape == found.concealed.shape == (rows * columns,)
        assert 0 <= int(found.indices.min()) <= int(found.indices.max()) < 64
        wrong += not torch.equal(found.indices, draw.reshape(4, -1)[k])
        if i == count // 5:
            most = _most_bytes()
    assert wrong > count // 2
    assert _most_bytes() - most < MOST_GROWTH_BYTES


def _lengths_field(codec: str) -> Callable[[bytes], Iterator[bytes]]:
    """Headers that promise far more than there is."""

    def bpg(stream: bytes) -> Iterator[bytes]:
        for length in (b"\xff\xff\xff\xff\x7f", b"\x8f\xff\xff\xff\x7f", b"\x80", b"\xff" * 6):
            yield stream[:6] + length * 2 + stream[8:]
            yield stream[:9] + length + stream[10:]

    def jpeg(stream: bytes) -> Iterator[bytes]:
        place = stream.index(b"\xff\xc0")
        for sides in (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\x28\xff\xff"):
            yield stream[: place + 5] + sides + stream[place + 9 :]
        for length in (b"\0\0", b"\0\1", b"\xff\xff"):
            yield stream[: place + 2] + length + stream[place + 4 :]
        yield stream[:2] + b"\xff\xe1\xff\xff" * 20_000

    def webp(stream: bytes) -> Iterator[bytes]:
        for size in (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f"):
            yield stream[:4] + size + stream[8:]
            yield stream[:16] + size + stream[20:]
        yield stream[:26] + b"\xff\x3f\xff\x3f" + stream[30:]

    return {"bpg": bpg, "jpeg": jpeg, "webp": webp}[codec]


@pytest.mark.parametrize("name", ["bpg", "jpeg", "webp"])
def test_headers_that_promise_too_much(name: str) -> None:
    codec: Any = {"bpg": Bpg("444", "fast"), "jpeg": Jpeg(), "webp": WebP()}[name]
    before = _most_bytes()
    for stream in _lengths_field(name)(_files(codec)[1]):
        for read in (codec.header_bytes, lambda x: codec.decode(x, HEIGHT, WIDTH)):
            with contextlib.suppress(DecodeError):
                read(stream)
    assert _most_bytes() - before < MOST_GROWTH_BYTES
