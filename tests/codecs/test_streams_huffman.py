import heapq
import itertools

import constriction
import numpy as np
import pytest
import torch

from semcodec.streams import Frequencies, HuffmanStream, PrefixCode, huffman_code
from semcodec.streams.windows import windows


def dirichlet(size: int, *, concentration: float, seed: int) -> Frequencies:
    p = np.random.default_rng(seed).dirichlet(np.full(size, concentration))
    return Frequencies.of(torch.from_numpy(p).float())


TABLES = [
    Frequencies((1, 1)),
    Frequencies((1, 1000)),
    Frequencies((7,) * 256),
    Frequencies((7,) * 100),
    Frequencies(tuple(2**k for k in range(20))),
    Frequencies(tuple(np.random.default_rng(4).integers(1, 9, 1000).tolist())),
    dirichlet(512, concentration=0.5, seed=1),
    dirichlet(1024, concentration=0.02, seed=2),  # most of it at the floor
]


def least_total(counts: tuple[int, ...]) -> int:
    """Sum of count times length of Huffman's code: the sum of all merged weights."""
    heap, total = list(counts), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        total += merged
        heapq.heappush(heap, merged)
    return total


@pytest.mark.parametrize("table", TABLES)
def test_code_is_optimal_complete_and_free_of_prefixes(table: Frequencies) -> None:
    code = huffman_code(table)
    lengths = np.array(code.lengths)
    assert int(lengths @ np.array(table.counts)) == least_total(table.counts)
    assert sum(2.0 ** -int(length) for length in lengths) == 1
    ordered = sorted(code.words)  # of two neighbours in it the first would be the prefix
    assert not any(b.startswith(a) for a, b in itertools.pairwise(ordered))
    assert [len(word) for word in code.words] == lengths.tolist()
    stream = HuffmanStream(table)
    assert table.entropy <= stream.mean_bits + 1e-12
    assert stream.mean_bits < table.entropy + 1


def test_powers_of_two_reach_the_entropy() -> None:
    table = Frequencies((8, 4, 2, 1, 1))
    assert huffman_code(table).lengths == (1, 2, 3, 4, 4)
    assert HuffmanStream(table).mean_bits == pytest.approx(table.entropy)


def test_deepest_code_follows_fibonacci() -> None:
    """Counts 1, 1, 2, 3, 5, ...: every merge makes the next one, K - 1 levels."""
    counts = [1, 1]
    while len(counts) < 28:
        counts.append(counts[-1] + counts[-2])
    assert huffman_code(Frequencies(tuple(counts))).longest == 27


def test_canonical_words_of_rfc_1951() -> None:
    """The example of section 3.2.2."""
    code = PrefixCode((3, 3, 3, 3, 3, 2, 4, 4))
    assert code.words == ("010", "011", "100", "101", "110", "00", "1110", "1111")


def test_the_code_of_a_table_stays_the_same() -> None:
    """Ties, of which there are several here, are always broken in the same way."""
    counts = (1, 1, 2, 2, 3, 5, 5, 8, 13, 13)
    assert huffman_code(Frequencies(counts)).lengths == (5, 5, 5, 5, 4, 4, 3, 3, 2, 2)


def test_as_many_bits_as_constriction_writes() -> None:
    table = TABLES[-2]
    tree = constriction.symbol.huffman.EncoderHuffmanTree(np.array(table.counts, dtype=np.float64))
    message = np.random.default_rng(3).choice(table.size, 300, p=table.probabilities)
    encoder = constriction.symbol.QueueEncoder()
    for index in message.tolist():
        encoder.encode_symbol(index, tree)
    bits = HuffmanStream(table).encode(torch.from_numpy(message), columns=10)
    assert len(bits) == encoder.get_compressed_and_bitrate()[1]


@pytest.mark.parametrize("table", TABLES)
def test_words_are_written_and_read(table: Frequencies) -> None:
    code = huffman_code(table)
    indices = np.concatenate(
        [np.arange(table.size), np.random.default_rng(5).integers(0, table.size, 500)]
    )
    bits = code.write(indices)
    words = code.words
    assert "".join(map(str, bits.tolist())) == "".join(words[i] for i in indices)
    reader = code.reader(bits)
    assert reader.read(len(indices), start=0, stop=len(bits)) == (indices.tolist(), len(bits))
    middle = int(np.array(code.lengths)[indices[:40]].sum())
    read, _ = reader.read(10, start=middle, stop=len(bits))
    assert read == indices[40:50].tolist()


def test_a_cut_word_is_not_read() -> None:
    code = PrefixCode((1, 2, 3, 3))
    bits = code.write(np.array([0, 2, 1]))
    assert code.reader(bits).read(9, start=0, stop=5) == ([0, 2], 4)
    assert code.reader(bits[:5]).read(9, start=0, stop=5) == ([0, 2], 4)
    assert code.reader(bits[:0]).read(9, start=0, stop=0) == ([], 0)


def test_receiver_knows_of_missing_and_of_left_bits() -> None:
    stream = HuffmanStream(Frequencies((4, 2, 1, 1)))
    bits = stream.encode(torch.tensor([3, 1, 0, 0, 1, 2]), columns=2)
    cut = stream.decode(bits[:-1], rows=3, columns=2)
    assert cut.indices.tolist() == [3, 1, 0, 0, 1, 0]  # the last is the one above it
    assert cut.concealed.tolist() == [False] * 5 + [True]
    assert cut.segments_damaged == 1
    more = stream.decode(torch.cat([bits, bits[:1]]), rows=3, columns=2)
    assert more.indices.tolist() == [3, 1, 0, 0, 1, 2]
    assert not more.concealed.any()
    assert more.segments_damaged == 1
    nothing = stream.decode(bits[:0], rows=3, columns=2)
    assert nothing.indices.tolist() == [0] * 6  # the most probable codeword
    assert nothing.concealed.all()


def test_indices_before_an_error_are_right() -> None:
    stream = HuffmanStream(TABLES[-2])
    sent = torch.from_numpy(
        np.random.default_rng(8).choice(512, 100, p=stream.frequencies.probabilities)
    )
    ends = np.cumsum(np.array(stream.code.lengths)[sent.numpy()])
    bits = stream.encode(sent, columns=10)
    for place in range(0, len(bits), 37):
        flipped = bits.clone()
        flipped[place] ^= 1
        arrived = stream.decode(flipped, rows=10, columns=10)
        before = int(np.searchsorted(ends, place, side="right"))
        assert torch.equal(arrived.indices[:before], sent[:before])
        assert not torch.equal(arrived.indices, sent)


@pytest.mark.parametrize("width", [1, 2, 7, 16, 37, 62])
def test_windows_by_definition(width: int) -> None:
    bits = np.random.default_rng(width).integers(0, 2, 90, dtype=np.uint8)
    text = "".join(map(str, bits.tolist())) + "0" * width
    expected = [int(text[i : i + width], 2) for i in range(len(bits))]
    assert windows(bits, width=width).tolist() == expected
    assert windows(bits[:0], width=width).tolist() == []


def test_refused() -> None:
    with pytest.raises(ValueError, match=r"lengths must have the Kraft sum 1, got 0\.75"):
        PrefixCode((1, 2))
    with pytest.raises(ValueError, match=r"lengths must have the Kraft sum 1, got 1\.25"):
        PrefixCode((1, 1, 2))
    with pytest.raises(ValueError, match=r"lengths must be 1 to 48, got \(0,\)"):
        PrefixCode((0,))
