import numpy as np
import pytest

from semcodec.streams import Marks
from semcodec.streams.marks import UNIQUE_WORDS


@pytest.mark.parametrize("word_bits", [16, 24, 32])
def test_unique_words_do_not_look_like_themselves(word_bits: int) -> None:
    """Over what it shares with itself shifted, a word differs in a third of the bits at least."""
    word = UNIQUE_WORDS[word_bits]
    assert word.bit_length() == word_bits
    for shift in range(1, word_bits - 4):
        shared = word_bits - shift
        differing = ((word >> shift) ^ (word & (1 << shared) - 1)).bit_count()
        assert differing >= shared / 3


def test_layout() -> None:
    marks = Marks(rows_per_segment=3, word_bits=24, tolerance=2)
    assert [marks.segments(rows) for rows in (1, 3, 4, 64)] == [1, 1, 2, 22]
    assert [marks.width(rows) for rows in (3, 4, 7, 64)] == [24, 25, 26, 29]
    assert marks.total_bits(3) == 0
    assert marks.total_bits(64) == 21 * 29
    mark = "".join(map(str, marks.mark(21, rows=64)))
    assert mark == "111110101111001100100000" + "10101"


def test_search_by_definition() -> None:
    generator = np.random.default_rng(1)
    marks = Marks(rows_per_segment=1, word_bits=16, tolerance=2)
    bits = generator.integers(0, 2, 6000, dtype=np.uint8)
    width = marks.width(6)
    for number in range(1, 6):
        at = 1000 * number
        bits[at : at + width] = marks.mark(number, rows=6)
        bits[at + generator.choice(width, 2, replace=False)] ^= 1
    expected = [
        (at, number, distance)
        for at in range(len(bits) - width + 1)
        for number in range(1, 6)
        if (distance := int((bits[at : at + width] != marks.mark(number, rows=6)).sum())) <= 2
    ]
    found = marks.search(bits, rows=6)
    got = np.stack([found.positions, found.numbers, found.distances], 1)
    assert [tuple(row) for row in got.tolist()] == expected
    assert {(1000 * n, n, 2) for n in range(1, 6)} <= set(expected)


def test_streams_shorter_than_a_mark_have_none() -> None:
    marks = Marks(rows_per_segment=1, word_bits=16, tolerance=2)
    mark = marks.mark(1, rows=2)
    for length in range(len(mark)):
        assert len(marks.search(mark[:length], rows=2).positions) == 0
    assert marks.search(mark, rows=2).positions.tolist() == [0]
    assert len(marks.search(mark, rows=1).positions) == 0  # one segment has no mark


def test_false_marks_are_as_frequent_as_stated() -> None:
    """Places that share no bit, 4 sigma."""
    marks = Marks(rows_per_segment=1, word_bits=16, tolerance=2)
    width, trials = marks.width(2), 150_000
    p = marks.false_mark_probability(2)
    assert p == (1 + 17 + 136) / 2**17
    bits = np.random.default_rng(2).integers(0, 2, width * trials, dtype=np.uint8)
    false = int((marks.search(bits, rows=2).positions % width == 0).sum())
    assert abs(false - trials * p) < 4 * (trials * p * (1 - p)) ** 0.5


@pytest.mark.parametrize(("tolerance", "bit_error_rate"), [(0, 0.01), (1, 0.03), (2, 0.1)])
def test_marks_are_missed_as_often_as_stated(tolerance: int, bit_error_rate: float) -> None:
    """4 sigma."""
    marks = Marks(rows_per_segment=1, word_bits=16, tolerance=tolerance)
    width, trials = marks.width(2), 30_000
    bits = np.tile(marks.mark(1, rows=2), trials)
    bits ^= (np.random.default_rng(3).random(len(bits)) < bit_error_rate).astype(np.uint8)
    found = int((marks.search(bits, rows=2).positions % width == 0).sum())
    p = marks.missed_mark_probability(2, bit_error_rate=bit_error_rate)
    assert abs(trials - found - trials * p) < 4 * (trials * p * (1 - p)) ** 0.5


def test_refused() -> None:
    with pytest.raises(ValueError, match="rows_per_segment must be at least 1, got 0"):
        Marks(rows_per_segment=0, word_bits=16, tolerance=0)
    with pytest.raises(ValueError, match=r"word_bits must be one of \(16, 24, 32\), got 20"):
        Marks(rows_per_segment=1, word_bits=20, tolerance=0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="tolerance must be 0 to 2 for a word of 16 bits, got 3"):
        Marks(rows_per_segment=1, word_bits=16, tolerance=3)
