"""Latents as sub-vectors, and the nearest codewords."""

import pytest
import torch
from torch import Tensor

from semcodec.system32.subvectors import assign, join, k_means, nearest, split, squared_distances


def _normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dimension", [1, 2, 4])
@pytest.mark.parametrize("contiguous", [True, False])
def test_split_is_cell_by_cell_and_join_its_inverse(dimension: int, contiguous: bool) -> None:
    latents = _normal(3, 4, 5, 6)
    if not contiguous:
        latents = latents.contiguous(memory_format=torch.channels_last)
    vectors = split(latents, dimension)
    per_cell = 4 // dimension
    assert vectors.shape == (3, 5 * 6 * per_cell, dimension)
    for row, column, part in ((0, 0, 0), (2, 3, per_cell - 1), (4, 5, 0)):
        n = (row * 6 + column) * per_cell + part
        channels = latents[:, part * dimension : (part + 1) * dimension, row, column]
        assert torch.equal(vectors[:, n], channels)
    assert torch.equal(join(vectors, channels=4, height=5, width=6), latents)


def test_squared_distances_are_sums_of_squares() -> None:
    vectors, codewords = _normal(20, 3), _normal(8, 3, seed=2)
    expected = (vectors[:, None] - codewords).square().sum(-1)
    assert torch.allclose(squared_distances(vectors, codewords), expected, atol=1e-5)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("dimension", [1, 4, 8])
def test_nearest_is_that_of_brute_force(dimension: int, biased: bool) -> None:
    vectors, codewords = _normal(300, dimension), _normal(64, dimension, seed=2)
    bias = _normal(64, seed=3).abs() if biased else None
    distance = (vectors[:, None].double() - codewords).square().sum(-1)
    expected = (distance if bias is None else distance + bias).argmin(1)
    assert torch.equal(nearest(vectors, codewords, bias), expected)
    assert torch.equal(assign(vectors, codewords, bias), expected)


def test_of_two_equally_near_the_first_is_taken() -> None:
    codewords = torch.tensor([[1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0], [1.0, 1.0]])
    assert nearest(torch.tensor([[0.0, 3.0], [-2.0, 1.0]]), codewords).tolist() == [0, 1]


def test_nearest_does_not_see_the_rest_of_the_batch() -> None:
    """Vectors half-way between codewords, where the last bit decides."""
    codewords = _normal(32, 4, seed=2)
    pairs = torch.randint(32, (500, 2), generator=torch.Generator().manual_seed(3))
    vectors = codewords[pairs].mean(1)
    whole = nearest(vectors, codewords)
    for size in (1, 3, 70):
        parts = [nearest(part, codewords) for part in torch.split(vectors, size)]
        assert torch.equal(torch.cat(parts), whole)


def test_k_means_finds_clusters_that_lie_apart() -> None:
    """Started in several places, the best run ends in the means of the clusters."""
    centres = 10 * _normal(4, 3)
    members = torch.arange(400) % 4
    vectors = centres[members] + 0.1 * _normal(400, 3, seed=2)
    found = []
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        codewords = k_means(vectors, 4, iterations=5, generator=generator)
        found.append((float(squared_distances(vectors, codewords).amin(1).mean()), codewords))
    _, best = min(found, key=lambda pair: pair[0])
    means = torch.stack([vectors[members == k].mean(0) for k in range(4)])
    assert torch.allclose(torch.cdist(means, best).amin(1), torch.zeros(4), atol=1e-2)


def test_k_means_never_gets_worse() -> None:
    vectors = _normal(500, 4)
    errors = []
    for iterations in (0, 1, 2, 5, 10):
        generator = torch.Generator().manual_seed(7)
        codewords = k_means(vectors, 16, iterations=iterations, generator=generator)
        assert codewords.shape == (16, 4)
        errors.append(float(squared_distances(vectors, codewords).amin(1).mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.8 * errors[0]


def test_k_means_puts_unused_codewords_on_vectors() -> None:
    """Eight codewords for three points: all lie on points, and none of the points is missed."""
    points = torch.tensor([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    vectors = points[torch.arange(90) % 3]
    generator = torch.Generator().manual_seed(1)
    codewords = k_means(vectors, 8, iterations=6, generator=generator)
    distance = torch.cdist(codewords, points)
    assert float(distance.amin(1).max()) < 1e-5
    assert float(distance.amin(0).max()) < 1e-5
    again = k_means(vectors, 8, iterations=6, generator=torch.Generator().manual_seed(1))
    assert torch.equal(again, codewords)
