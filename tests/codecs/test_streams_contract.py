"""What holds for every kind of stream: round trips, counters, damage, refusals."""

import pickle

import numpy as np
import pytest
import torch
from torch import Tensor

from semcodec.streams import (
    AnsStream,
    FixedStream,
    Frequencies,
    HuffmanStream,
    IndexStream,
    MarkedHuffmanStream,
    Marks,
    Unstreamed,
    stream_counts,
)
from semcodec.streams.conceal import conceal

SIZE = 64
NEARLY_EVEN = Frequencies.of(torch.arange(1, SIZE + 1).float().reciprocal().softmax(0))
SKEWED = Frequencies.of(torch.arange(1, SIZE + 1).float().log().mul(-1.5).softmax(0))
STREAMS: dict[str, IndexStream] = {
    "natural": FixedStream(6, "natural"),
    "gray": FixedStream(6, "gray"),
    "huffman": HuffmanStream(SKEWED),
    "huffman nearly fixed": HuffmanStream(NEARLY_EVEN),
    "ans": AnsStream(SKEWED),
    "marked": MarkedHuffmanStream(SKEWED, Marks(2, 16, 1)),
    "marked 32": MarkedHuffmanStream(SKEWED, Marks(3, 32, 4)),
    "one segment": MarkedHuffmanStream(SKEWED, Marks(100, 24, 0)),
}
every_stream = pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)


def draw(count: int, *, seed: int) -> Tensor:
    generator = np.random.default_rng(seed)
    return torch.from_numpy(generator.choice(SIZE, count, p=SKEWED.probabilities))


@every_stream
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 7), (8, 8), (7, 5), (40, 3)])
def test_round_trip(stream: IndexStream, rows: int, columns: int) -> None:
    indices = draw(rows * columns, seed=rows)
    bits = stream.encode(indices, columns=columns)
    assert (bits.dtype, bits.dim()) == (torch.uint8, 1)
    assert bits.numel() == 0 or int(bits.max()) <= 1
    arrived = stream.decode(bits, rows=rows, columns=columns)
    assert arrived.indices.dtype == torch.int64
    assert torch.equal(arrived.indices, indices)
    assert not arrived.concealed.any()
    assert arrived.segments_damaged == 0


@every_stream
def test_every_index_can_be_sent(stream: IndexStream) -> None:
    indices = torch.arange(SIZE)
    bits = stream.encode(indices, columns=8)
    assert torch.equal(stream.decode(bits, rows=8, columns=8).indices, indices)


@every_stream
def test_mean_bits_is_the_mean(stream: IndexStream) -> None:
    """4 sigma; one symbol's information spreads by less than 3 bits, an ANS stream has a tail."""
    count = 40_000
    indices = draw(count, seed=1)
    marks = stream.decode(stream.encode(indices, columns=200), rows=200, columns=200).mark_bits
    bits = len(stream.encode(indices, columns=200)) - marks
    if isinstance(stream, HuffmanStream) and stream.frequencies is NEARLY_EVEN:
        expected = float(SKEWED.probabilities @ np.array(stream.code.lengths)) * count
    else:
        expected = stream.mean_bits * count
    assert abs(bits - expected) < 4 * 3 * count**0.5 + 32


@every_stream
def test_damage_never_costs_more_than_indices(stream: IndexStream) -> None:
    """Flips, bursts, other lengths, noise: as many indices as were sent, and all are codewords."""
    generator = np.random.default_rng(5)
    rows, columns = 8, 6
    clean = stream.encode(draw(rows * columns, seed=2), columns=columns).numpy()
    for trial in range(250):
        bits = clean.copy()
        if trial % 5 == 0:
            bits ^= (generator.random(len(bits)) < 10.0 ** generator.uniform(-3, -0.3)).astype(
                np.uint8
            )
        elif trial % 5 == 1:
            start = generator.integers(len(bits))
            bits[start : start + generator.integers(1, 60)] = generator.integers(2)
        elif isinstance(stream, FixedStream):
            bits = generator.integers(0, 2, len(bits), dtype=np.uint8)
        elif trial % 5 == 2:
            bits = bits[: generator.integers(len(bits))]
        elif trial % 5 == 3:
            bits = np.concatenate([bits, bits[: generator.integers(100)]])
        else:
            bits = generator.integers(0, 2, generator.integers(400), dtype=np.uint8)
        arrived = stream.decode(torch.from_numpy(bits), rows=rows, columns=columns)
        assert arrived.indices.shape == arrived.concealed.shape == (rows * columns,)
        assert 0 <= int(arrived.indices.min()) <= int(arrived.indices.max()) < SIZE
        assert 0 <= arrived.segments_damaged <= arrived.segments
        assert arrived.segments_damaged > 0 or not arrived.concealed.any()


@every_stream
def test_streams_can_be_sent_to_another_process(stream: IndexStream) -> None:
    indices = draw(64, seed=3)
    bits = stream.encode(indices, columns=8)
    again = pickle.loads(pickle.dumps(stream))
    assert again == stream
    assert torch.equal(again.encode(indices, columns=8), bits)


@every_stream
def test_refused(stream: IndexStream) -> None:
    with pytest.raises(ValueError, match=r"indices must be in \[0, 64\), got 0 to 64"):
        stream.encode(torch.tensor([0, 64]), columns=1)
    with pytest.raises(ValueError, match=r"indices must be in \[0, 64\), got -1 to 0"):
        stream.encode(torch.tensor([0, -1]), columns=1)
    with pytest.raises(ValueError, match=r"indices must be integers, got torch\.float32"):
        stream.encode(torch.zeros(2), columns=1)
    for shape, columns in (((3,), 2), ((0,), 1), ((2, 2), 2), ((3,), 0)):
        with pytest.raises(ValueError, match=r"indices must be \[rows \* columns\] with"):
            stream.encode(torch.zeros(shape, dtype=torch.int64), columns=columns)
    bits = torch.zeros(6, dtype=torch.uint8)
    with pytest.raises(ValueError, match="rows and columns must be at least 1, got 0 and 1"):
        stream.decode(bits, rows=0, columns=1)
    with pytest.raises(ValueError, match=r"bits must be uint8 \[m\], got torch\.int64 \[6\]"):
        stream.decode(bits.long(), rows=1, columns=1)
    with pytest.raises(ValueError, match="bits must be 0 or 1, got 2"):
        stream.decode(bits + 2, rows=1, columns=1)


def test_counts() -> None:
    received = Unstreamed(
        indices=torch.tensor([1, 2, 3, 4, 5]),
        concealed=torch.tensor([False, False, True, True, False]),
        mark_bits=17,
        segments=3,
        segments_damaged=2,
    )
    counts = stream_counts(received, sent=torch.tensor([1, 9, 3, 9, 9]))
    assert (counts.indices, counts.indices_wrong, counts.indices_concealed) == (5, 3, 2)
    assert (counts.mark_bits, counts.segments, counts.segments_damaged) == (17, 3, 2)
    with pytest.raises(ValueError, match=r"sent must have the shape \[5\]"):
        stream_counts(received, sent=torch.tensor([1, 9]))


def test_concealment_by_definition() -> None:
    """Each lost index is what stands above it, taken row after row."""
    generator = np.random.default_rng(6)
    for columns in (1, 4, 9):
        indices = generator.integers(0, 50, 9 * columns)
        lost = generator.random(9 * columns) < 0.5
        expected = indices.copy()
        for i in np.flatnonzero(lost):
            expected[i] = expected[i - columns] if i >= columns else 99
        got = conceal(indices, lost=lost, columns=columns, fallback=99)
        assert np.array_equal(got, expected)
