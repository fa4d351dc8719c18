import math

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from semcodec.codebook.distance import LEVELS, distance_profile, squared_distances


def random_codebook(size: int, dimension: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(size)
    p = torch.rand(size, generator=generator, dtype=torch.float64)
    return torch.randn(size, dimension, generator=generator), p / p.sum()


def test_squared_distances_by_definition() -> None:
    codewords, _ = random_codebook(32, 5)
    e = codewords.double()
    expected = (e[:, None] - e).square().sum(-1)
    assert torch.allclose(squared_distances(codewords), expected, rtol=1e-12, atol=0)


def test_profile_by_definition_pair_by_pair() -> None:
    codewords, p = random_codebook(16, 3)
    found = distance_profile(codewords, probability=p)
    square = squared_distances(codewords).numpy()
    for distance in range(1, 5):
        pairs = [(i, j) for i in range(16) for j in range(16) if (i ^ j).bit_count() == distance]
        values = np.array([square[i, j] for i, j in pairs])
        share = np.array([float(p[i]) for i, _ in pairs])
        assert int(found.pairs[distance - 1]) == len(pairs) == 16 * math.comb(4, distance)
        assert float(found.mean[distance - 1]) == pytest.approx(np.average(values, weights=share))
        expected = np.quantile(values, LEVELS, weights=share, method="inverted_cdf")
        assert found.quantiles[distance - 1].tolist() == pytest.approx(expected.tolist())


def test_rank_correlation_is_that_of_another_implementation() -> None:
    codewords, p = random_codebook(64, 2)
    pairs = [(i, j) for i in range(64) for j in range(i)]
    square = squared_distances(codewords)
    expected = spearmanr(
        [(i ^ j).bit_count() for i, j in pairs], [float(square[i, j]) for i, j in pairs]
    ).statistic
    found = distance_profile(codewords, probability=p).rank_correlation
    assert found == pytest.approx(expected, rel=1e-10)


def test_corners_of_a_cube_are_as_far_apart_as_their_labels() -> None:
    index = torch.arange(32)
    corners = ((index[:, None] >> torch.arange(5)) & 1).double()
    found = distance_profile(corners, probability=torch.full((32,), 1 / 32))
    assert torch.allclose(found.mean, torch.arange(1.0, 6, dtype=torch.float64))
    assert torch.allclose(found.quantiles, found.mean[:, None].expand(-1, 3))
    assert found.rank_correlation == pytest.approx(1)


def test_no_rank_correlation_where_nothing_varies() -> None:
    found = distance_profile(torch.tensor([[0.0], [1.0]]), probability=torch.tensor([0.5, 0.5]))
    assert math.isnan(found.rank_correlation)
    assert found.mean.tolist() == [1.0]


def test_weights_single_out_a_codeword() -> None:
    codewords, _ = random_codebook(8, 2)
    p = torch.zeros(8)
    p[3] = 1
    found = distance_profile(codewords, probability=p)
    near = squared_distances(codewords)[3, [2, 1, 7]]
    assert float(found.mean[0]) == pytest.approx(float(near.mean()))
    assert float(found.quantiles[0, 1]) == pytest.approx(float(near.median()))


def test_one_codeword_has_no_distances() -> None:
    with pytest.raises(ValueError, match="codewords must be at least 2, got 1"):
        distance_profile(torch.zeros(1, 2), probability=torch.ones(1))
