import itertools
from typing import Any

import pytest
import torch

from semcodec.codebook.distortion import channel_distortion, random_labelling_distortion
from semcodec.codebook.size import (
    distortion_by_size,
    lloyd,
    optimal_size,
    split_codebooks,
)


def gaussian(n: int = 3000, dimension: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(n, dimension, generator=generator) * torch.tensor([3.0, 1.0, 0.5])


def equal(n: int) -> torch.Tensor:
    return torch.full((n,), 1 / n, dtype=torch.float64)


def test_lloyd_ends_in_means_of_nearest_cells_and_counts_them() -> None:
    z = gaussian(400).double()
    book = lloyd(z, z[:8], probability=equal(400), iterations=300)
    square = (z[:, None] - book.codewords).square().sum(-1)
    cell = square.argmin(1)
    for k in range(8):
        assert torch.allclose(book.codewords[k], z[cell == k].mean(0), atol=1e-12)
        assert float(book.probability[k]) == pytest.approx(int((cell == k).sum()) / 400)
    assert book.quantization == pytest.approx(float(square.amin(1).mean()))


def test_lloyd_never_gets_worse() -> None:
    z = gaussian(500)
    errors = [
        lloyd(z, z[:16], probability=equal(500), iterations=n).quantization for n in range(12)
    ]
    assert all(b <= a * (1 + 1e-12) for a, b in itertools.pairwise(errors))
    assert errors[-1] < 0.8 * errors[0]


def test_weights_are_repetitions() -> None:
    z = gaussian(40)
    times = torch.randint(1, 5, (40,), generator=torch.Generator().manual_seed(0))
    often = z.repeat_interleave(times, 0)
    a = lloyd(z, z[:4], probability=times / times.sum(), iterations=30)
    b = lloyd(often, z[:4], probability=equal(len(often)), iterations=30)
    assert torch.allclose(a.codewords, b.codewords, atol=1e-6)
    assert a.quantization == pytest.approx(b.quantization, rel=1e-6)


def test_codeword_without_vectors_stays() -> None:
    start = torch.tensor([[0.0, 0.0, 0.0], [900.0, 0.0, 0.0]])
    book = lloyd(gaussian(50), start, probability=equal(50), iterations=5)
    assert book.codewords[1].tolist() == [900.0, 0.0, 0.0]
    assert book.probability.tolist() == [pytest.approx(1), 0.0]


def test_splitting_lowers_the_error_at_every_size() -> None:
    z = gaussian()
    books = split_codebooks(z, probability=equal(len(z)), most_bits=7)
    assert [len(book.codewords) for book in books] == [2**b for b in range(8)]
    assert torch.allclose(books[0].codewords[0], z.double().mean(0), atol=1e-12)
    assert books[0].quantization == pytest.approx(float(z.double().var(0, correction=0).sum()))
    errors = [book.quantization for book in books]
    assert all(b < a for a, b in itertools.pairwise(errors))
    # k-means from the best of five random starts is no better by more than a few percent.
    generator = torch.Generator().manual_seed(1)
    starts = [z[torch.randperm(len(z), generator=generator)[:64]] for _ in range(5)]
    best = min(lloyd(z, s, probability=equal(len(z)), iterations=30).quantization for s in starts)
    assert errors[6] < 1.05 * best


def test_labels_of_splits_are_better_than_random_ones() -> None:
    z = gaussian()
    book = split_codebooks(z, probability=equal(len(z)), most_bits=6)[-1]
    arguments: dict[str, Any] = {"flip_probability": 0.01, "probability": book.probability}
    own = channel_distortion(book.codewords, **arguments)
    assert own < 0.8 * random_labelling_distortion(book.codewords, **arguments)


def test_more_codewords_than_vectors() -> None:
    z = torch.tensor([[0.0], [1.0], [1.0]])
    books = split_codebooks(z, probability=equal(3), most_bits=3)
    assert books[-1].quantization == pytest.approx(0, abs=1e-15)
    assert float(books[-1].probability.sum()) == pytest.approx(1)
    assert int((books[-1].probability > 0).sum()) == 2


def test_total_distortion_is_what_a_simulated_link_gives() -> None:
    """D(K) = quantisation + channel distortion: quantise, flip bits, compare with the source."""
    z = gaussian(4000).double()
    book = lloyd(z, z[:16], probability=equal(4000), iterations=500)
    (total,) = distortion_by_size([book], flip_probability=[0.1], labelling="own")[0].tolist()
    generator = torch.Generator().manual_seed(9)
    cell = (z[:, None] - book.codewords).square().sum(-1).argmin(1).repeat(50)
    wrong = (torch.rand(len(cell), 4, generator=generator) < 0.1).long()
    received = cell ^ (wrong * torch.tensor([8, 4, 2, 1])).sum(1)
    square = (z.repeat(50, 1) - book.codewords[received]).square().sum(1)
    assert abs(float(square.mean()) - total) < 4 * float(square.std()) / len(cell) ** 0.5


def test_table_is_the_sum_of_its_parts() -> None:
    z = gaussian(300)
    books = split_codebooks(z, probability=equal(300), most_bits=4)
    eps = [0.0, 0.01, 0.2]
    table = distortion_by_size(books, flip_probability=eps, labelling="random")
    for row, flip in zip(table, eps, strict=True):
        for value, book in zip(row.tolist(), books, strict=True):
            channel = random_labelling_distortion(
                book.codewords, flip_probability=flip, probability=book.probability
            )
            assert value == pytest.approx(book.quantization + channel)
    assert table[0].tolist() == pytest.approx([book.quantization for book in books])


def test_best_size_is_the_least_sum_by_search_and_falls_with_price_and_errors() -> None:
    z = gaussian()
    books = split_codebooks(z, probability=equal(len(z)), most_bits=6)
    eps, weight = [0.0, 1e-3, 0.01, 0.05, 0.2], [0.0, 0.01, 0.1, 1.0, 100.0]
    table = distortion_by_size(books, flip_probability=eps, labelling="random")
    best = optimal_size(table, bits=range(7), weight=weight)
    for e, w in itertools.product(range(5), range(5)):
        sums = [float(table[e, b]) + weight[w] * b for b in range(7)]
        assert int(best[e, w]) == 2 ** sums.index(min(sums))
    assert bool((best.diff(dim=1) <= 0).all())
    assert bool((best.diff(dim=0) <= 0).all())
    assert int(best[0, 0]) == 64
    assert best[:, -1].tolist() == [1] * 5


def test_what_is_refused() -> None:
    z = gaussian(10)
    with pytest.raises(ValueError, match=r"vectors must be \[n, D\] and start \[K, D\], got"):
        lloyd(z, z[:2, :2], probability=equal(10), iterations=1)
    with pytest.raises(ValueError, match=r"probability must be \[10\], got \[9\]"):
        lloyd(z, z[:2], probability=equal(9), iterations=1)
    with pytest.raises(ValueError, match="iterations must be at least 0, got -1"):
        lloyd(z, z[:2], probability=equal(10), iterations=-1)
    with pytest.raises(ValueError, match="most_bits must be at least 0, got -1"):
        split_codebooks(z, probability=equal(10), most_bits=-1)
    with pytest.raises(ValueError, match="labelling must be random or own, got gray"):
        distortion_by_size([], flip_probability=[], labelling="gray")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"distortion must be \[E, 3\], got \[1, 2\]"):
        optimal_size(torch.zeros(1, 2), bits=[0, 1, 2], weight=[1])
    with pytest.raises(ValueError, match=r"bits must rise, got \[1, 0\]"):
        optimal_size(torch.zeros(1, 2), bits=[1, 0], weight=[1])
    with pytest.raises(ValueError, match="weight must be at least 0, got -1"):
        optimal_size(torch.zeros(1, 2), bits=[0, 1], weight=[-1])
