import pytest
import torch

from semcodec.codebook.labels import (
    checked_codewords,
    checked_flips,
    checked_probability,
    gray,
    label_length,
    weight,
)


def test_gray_labels_of_neighbours_differ_in_one_bit_all_around() -> None:
    for bits in range(1, 12):
        labels = gray(torch.arange(2**bits))
        assert torch.equal(labels.sort().values, torch.arange(2**bits))
        assert bool((weight(labels ^ labels.roll(1)) == 1).all())


def test_gray_is_undone_by_the_sum_of_shifts() -> None:
    position = torch.arange(4096)
    back = gray(position)
    for shift in (1, 2, 4, 8):
        back = back ^ (back >> shift)
    assert torch.equal(back, position)


def test_weight_counts_ones() -> None:
    label = torch.tensor([0, 1, 2**30, 2**31 - 1, 12345])
    assert weight(label).tolist() == [int(x).bit_count() for x in label]


@pytest.mark.parametrize("size", [0, 3, 100])
def test_sizes_that_leave_labels_over(size: int) -> None:
    with pytest.raises(ValueError, match=f"codebook size must be a power of two, got {size}"):
        label_length(size)


def test_codewords_refused() -> None:
    with pytest.raises(ValueError, match=r"codewords must be \[K, D\], got \[4\]"):
        checked_codewords(torch.zeros(4))
    with pytest.raises(ValueError, match="codewords must be finite"):
        checked_codewords(torch.tensor([[0.0], [torch.nan]]))


def test_probability_refused() -> None:
    with pytest.raises(ValueError, match=r"probability must be \[2\], got \[3\]"):
        checked_probability(torch.ones(3) / 3, size=2)
    with pytest.raises(ValueError, match=r"probability must be at least 0, got -0\.5"):
        checked_probability(torch.tensor([1.5, -0.5]), size=2)
    with pytest.raises(ValueError, match="probability must be at least 0, got nan"):
        checked_probability(torch.tensor([1.0, torch.nan]), size=2)


def test_flip_probability_keeps_double_precision_and_is_checked() -> None:
    assert checked_flips(0.01, bits=3).tolist() == [0.01] * 3
    with pytest.raises(ValueError, match=r"must be one value or \[3\], got \[2\]"):
        checked_flips(torch.zeros(2), bits=3)
    for bad in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match=r"flip_probability must be in \[0, 1\]"):
            checked_flips(bad, bits=1)
