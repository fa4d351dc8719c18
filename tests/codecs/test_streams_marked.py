"""Huffman streams with marks: the layout, what is found again, what is lost, what is gained."""

import numpy as np
import pytest
import torch
from torch import Tensor

from semcodec.streams import (
    Frequencies,
    HuffmanStream,
    MarkedHuffmanStream,
    Marks,
    stream_counts,
)

TABLE = Frequencies.of(torch.arange(1, 65).float().log().mul(-1.2).softmax(0))
STREAM = MarkedHuffmanStream(TABLE, Marks(2, 16, 1))
ROWS, COLUMNS = 16, 16
SEGMENT = 2 * COLUMNS


def draw(seed: int, *, rows: int = ROWS, columns: int = COLUMNS) -> Tensor:
    generator = np.random.default_rng(seed)
    return torch.from_numpy(generator.choice(64, rows * columns, p=TABLE.probabilities))


def segment_ends(indices: Tensor) -> list[int]:
    """Where the words of each segment end in the stream."""
    lengths = np.array(STREAM.code.lengths)[indices.numpy()]
    words = lengths.reshape(-1, SEGMENT).sum(1).cumsum()
    return (words + STREAM.marks.width(ROWS) * np.arange(len(words))).tolist()


def test_layout_is_words_and_marks() -> None:
    sent = draw(1)
    bits = STREAM.encode(sent, columns=COLUMNS)
    plain = HuffmanStream(TABLE)
    parts = [plain.encode(sent[:SEGMENT], columns=COLUMNS)]
    for number in range(1, 8):
        parts.append(torch.from_numpy(STREAM.marks.mark(number, rows=ROWS)))
        part = sent[number * SEGMENT : (number + 1) * SEGMENT]
        parts.append(plain.encode(part, columns=COLUMNS))
    assert torch.equal(bits, torch.cat(parts))
    arrived = STREAM.decode(bits, rows=ROWS, columns=COLUMNS)
    assert arrived.mark_bits == 7 * 19
    assert len(bits) == len(plain.encode(sent, columns=COLUMNS)) + arrived.mark_bits


def test_one_error_costs_one_segment_at_most() -> None:
    """Whatever bit is flipped; and damage is never seen where there is none."""
    sent = draw(2)
    clean = STREAM.encode(sent, columns=COLUMNS)
    ends = segment_ends(sent)
    unseen = 0
    for place in range(len(clean)):
        bits = clean.clone()
        bits[place] ^= 1
        arrived = STREAM.decode(bits, rows=ROWS, columns=COLUMNS)
        wrong = (arrived.indices != sent).reshape(-1, SEGMENT).any(1)
        hit = int(np.searchsorted(ends, place, side="right"))
        in_mark = hit > 0 and place < ends[hit - 1] + STREAM.marks.width(ROWS)
        assert set(wrong.nonzero().flatten().tolist()) <= (set() if in_mark else {hit})
        assert arrived.segments_damaged <= (not in_mark)
        unseen += not in_mark and arrived.segments_damaged == 0
        outside = torch.ones(8, dtype=torch.bool)
        outside[hit] = False
        assert not arrived.concealed.reshape(8, SEGMENT)[outside].any()
    # A segment of other words with as many bits is not known to be damaged.
    assert 0 < unseen < len(clean) / 2


def test_a_lost_mark_costs_the_segment_behind_it() -> None:
    sent = draw(3)
    bits = STREAM.encode(sent, columns=COLUMNS)
    third = segment_ends(sent)[2]
    bits[third : third + 16] = 0
    arrived = STREAM.decode(bits, rows=ROWS, columns=COLUMNS)
    assert arrived.segments_damaged == 2  # the end of the one before it is not certain
    concealed = arrived.concealed.reshape(8, SEGMENT)
    assert concealed.all(1).nonzero().flatten().tolist() == [3]
    assert concealed.any(1).sum() == 1
    kept = [s for s in range(8) if s != 3]
    assert torch.equal(arrived.indices.reshape(8, -1)[kept], sent.reshape(8, -1)[kept])
    grid = arrived.indices.reshape(ROWS, COLUMNS)
    assert torch.equal(grid[6], grid[5])
    assert torch.equal(grid[7], grid[5])


def test_marks_in_the_data_do_no_harm() -> None:
    """Words of equal length let any bits be sent, marks too; only one place is possible for each.

    The data are full of marks 1 to 3, the true mark 2 is destroyed, and so a search is made.
    """
    stream = MarkedHuffmanStream(Frequencies((1, 1, 1, 1)), Marks(1, 16, 1))
    false = np.concatenate([stream.marks.mark(number, rows=4) for number in (1, 3, 2)])
    sent = torch.from_numpy(np.tile(false.reshape(-1, 2) @ [2, 1], 4))
    bits = stream.encode(sent, columns=27)
    assert torch.equal(stream.decode(bits, rows=4, columns=27).indices, sent)
    start = 2 * 27 * 2 + 18
    assert bits[start : start + 18].tolist() == stream.marks.mark(2, rows=4).tolist()
    bits[start : start + 8] ^= 1
    arrived = stream.decode(bits, rows=4, columns=27)
    assert arrived.concealed.reshape(4, 27).all(1).tolist() == [False, False, True, False]
    assert torch.equal(arrived.indices[:54], sent[:54])
    assert torch.equal(arrived.indices[81:], sent[81:])


def test_a_burst_over_two_marks() -> None:
    sent = draw(4)
    bits = STREAM.encode(sent, columns=COLUMNS)
    ends = segment_ends(sent)
    bits[ends[3] - 5 : ends[4] + 5] = 0
    arrived = STREAM.decode(bits, rows=ROWS, columns=COLUMNS)
    right = (arrived.indices == sent).reshape(8, SEGMENT).all(1)
    assert right[[0, 1, 2, 6, 7]].all()
    assert arrived.segments_damaged == 3
    assert arrived.concealed.reshape(8, SEGMENT)[4:6].all()


def test_marks_help() -> None:
    """BER 1e-3, 32 x 32 indices of 64 codewords: fewer than a third of the wrong indices are left.

    4 sigma of the paired difference; the streams with marks are longer and so get more errors.
    """
    plain = HuffmanStream(TABLE)
    marked = MarkedHuffmanStream(TABLE, Marks(1, 16, 1))
    generator = np.random.default_rng(7)
    images = 150
    wrong = np.zeros((images, 2))
    for image in range(images):
        sent = draw(100 + image, rows=32, columns=32)
        for i, stream in enumerate((plain, marked)):
            bits = stream.encode(sent, columns=32)
            bits ^= torch.from_numpy(generator.random(len(bits)) < 1e-3)
            arrived = stream.decode(bits, rows=32, columns=32)
            wrong[image, i] = stream_counts(arrived, sent=sent).indices_wrong
    difference = wrong[:, 0] / 3 - wrong[:, 1]
    assert difference.mean() > 4 * difference.std() / images**0.5


@pytest.mark.parametrize("bit_error_rate", [0.0, 1e-3, 3e-2])
def test_a_stream_without_errors_is_never_called_damaged(bit_error_rate: float) -> None:
    generator = np.random.default_rng(11)
    for seed in range(20):
        sent = draw(seed)
        bits = STREAM.encode(sent, columns=COLUMNS)
        flips = torch.from_numpy(generator.random(len(bits)) < bit_error_rate)
        arrived = STREAM.decode(bits ^ flips, rows=ROWS, columns=COLUMNS)
        if not flips.any():
            assert torch.equal(arrived.indices, sent)
            assert arrived.segments_damaged == 0
        elif arrived.segments_damaged == 0:
            assert not arrived.concealed.any()
        assert int(arrived.concealed.reshape(8, SEGMENT).any(1).sum()) <= arrived.segments_damaged
