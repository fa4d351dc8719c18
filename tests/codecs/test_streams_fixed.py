import pytest
import torch

from semcodec.streams import (
    FixedStream,
    Labelling,
    binarize,
    bits_per_index,
    debinarize,
    index_labels,
)

labellings = pytest.mark.parametrize("labelling", ["natural", "gray"])


def test_natural_indices_are_binary_numerals() -> None:
    indices = torch.tensor([[0, 1, 5], [31, 16, 10]])
    bits = binarize(indices, bits_per_index=5, labelling="natural")
    assert bits.dtype == torch.uint8
    assert bits.tolist() == [[int(b) for v in row for b in f"{v:05b}"] for row in indices.tolist()]


def test_gray_labels_are_the_reflected_code() -> None:
    """Each width is the one before it, then that one backwards with a leading 1."""
    words = [""]
    for width in range(1, 9):
        words = ["0" + w for w in words] + ["1" + w for w in reversed(words)]
        bits = binarize(torch.arange(1 << width), bits_per_index=width, labelling="gray")
        assert bits.tolist() == [int(b) for word in words for b in word]
        labels = index_labels(1 << width, labelling="gray")
        assert labels.tolist() == [int(word, 2) for word in words]


@labellings
@pytest.mark.parametrize("width", [1, 3, 9, 16])
def test_round_trip_in_batches(width: int, labelling: Labelling) -> None:
    generator = torch.Generator().manual_seed(width)
    indices = torch.randint(0, 1 << width, (2, 3, 7), generator=generator)
    bits = binarize(indices, bits_per_index=width, labelling=labelling)
    assert bits.shape == (2, 3, 7 * width)
    assert torch.equal(debinarize(bits, bits_per_index=width, labelling=labelling), indices)
    alone = binarize(indices[1, 2], bits_per_index=width, labelling=labelling)
    assert torch.equal(alone, bits[1, 2])


@labellings
def test_any_bits_are_indices_and_an_error_stays_where_it_is(labelling: Labelling) -> None:
    stream = FixedStream(4, labelling)
    sent = torch.arange(16)
    bits = stream.encode(sent, columns=4)
    bits[4 * 7 + 2] ^= 1
    arrived = stream.decode(bits, rows=4, columns=4)
    assert (arrived.indices != sent).nonzero().tolist() == [[7]]
    assert (arrived.segments, arrived.segments_damaged, arrived.mark_bits) == (1, 0, 0)


def test_bits_per_index() -> None:
    assert [bits_per_index(1 << b) for b in range(1, 17)] == list(range(1, 17))
    for size in (0, 1, 3, 500, 1 << 17):
        with pytest.raises(ValueError, match=f"codebook_size must be a power of two.*got {size}"):
            bits_per_index(size)


def test_refused() -> None:
    with pytest.raises(ValueError, match="bits_per_index must be 1 to 16, got 0"):
        FixedStream(0, "natural")
    with pytest.raises(ValueError, match=r"labelling must be one of .*, got 'grey'"):
        FixedStream(4, "grey")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"indices must be in \[0, 8\), got 2 to 8"):
        binarize(torch.tensor([2, 8]), bits_per_index=3, labelling="gray")
    with pytest.raises(ValueError, match=r"indices must be integers, got torch\.bool"):
        binarize(torch.tensor([True]), bits_per_index=3, labelling="gray")
    with pytest.raises(ValueError, match="bits must be a multiple of bits_per_index 3, got 4 bits"):
        debinarize(torch.zeros(4, dtype=torch.uint8), bits_per_index=3, labelling="gray")
    with pytest.raises(ValueError, match=r"bits must be \[12\] for 2 x 2 indices, got \[11\]"):
        FixedStream(3, "natural").decode(torch.zeros(11, dtype=torch.uint8), rows=2, columns=2)
