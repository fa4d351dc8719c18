import itertools
import math

import pytest
import torch

from semcodec.codebook.distance import squared_distances
from semcodec.codebook.distortion import (
    channel_distortion,
    expected_displacement,
    random_labelling_distortion,
    transition,
)


def random_codebook(size: int, dimension: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(size)
    p = torch.rand(size, generator=generator, dtype=torch.float64)
    return 3 + torch.randn(size, dimension, generator=generator), p / p.sum()


def matrix(size: int, flips: list[float]) -> torch.Tensor:
    """P(j|i) [K, K], bit by bit from its definition."""
    bits = len(flips)
    table = [
        [
            math.prod(f if (i ^ j) >> (bits - 1 - b) & 1 else 1 - f for b, f in enumerate(flips))
            for j in range(size)
        ]
        for i in range(size)
    ]
    return torch.tensor(table, dtype=torch.float64)


@pytest.mark.parametrize("bits", [1, 2, 5, 8])
def test_transition_is_the_first_row_of_the_matrix(bits: int) -> None:
    flips = torch.linspace(0.01, 0.4, bits, dtype=torch.float64)
    expected = matrix(2**bits, flips.tolist())
    found = transition(2**bits, flip_probability=flips)
    assert torch.allclose(found, expected[0], rtol=1e-13, atol=0)
    i = torch.arange(2**bits)
    assert torch.allclose(found[i[:, None] ^ i], expected, rtol=1e-13, atol=0)
    assert float(found.sum()) == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize("eps", [0.0, 1e-6, 0.01, 0.3, 0.5, 1.0])
def test_distortion_is_the_double_sum_over_all_pairs(eps: float) -> None:
    codewords, p = random_codebook(64, 4)
    expected = (matrix(64, [eps] * 6) * squared_distances(codewords)).sum(1)
    found = expected_displacement(codewords, flip_probability=eps)
    assert torch.allclose(found, expected, rtol=1e-10, atol=1e-300)
    total = channel_distortion(codewords, flip_probability=eps, probability=p)
    assert total == pytest.approx(float(p @ expected), rel=1e-10)


def test_every_bit_may_have_its_own_flip_probability() -> None:
    codewords, p = random_codebook(128, 3)
    flips = [0.3, 0.001, 0.05, 0.2, 0.0, 0.5, 0.01]
    expected = p @ (matrix(128, flips) * squared_distances(codewords)).sum(1)
    found = channel_distortion(codewords, flip_probability=torch.tensor(flips), probability=p)
    # The flip probabilities came as float32: 2^-24 relative.
    assert found == pytest.approx(float(expected), rel=1e-6)
    reverse = channel_distortion(
        codewords, flip_probability=torch.tensor(flips).flip(0), probability=p
    )
    assert reverse != pytest.approx(found, rel=1e-3)


def test_numbered_levels_cost_the_squares_of_their_places() -> None:
    """Levels 0..K-1 under natural labels: sum_b eps 4^b = eps (4^B - 1) / 3.

    j - i = sum_b x_b 2^b, where x_b is 0 or, with probability eps, +1 or -1 by the bit sent: for
    equally likely i the x_b are independent and of mean 0, so that all cross terms vanish.
    """
    for bits in (1, 4, 10):
        levels = torch.arange(2.0**bits)[:, None]
        found = channel_distortion(
            levels, flip_probability=0.02, probability=torch.full((2**bits,), 2.0**-bits)
        )
        assert found == pytest.approx(0.02 * (4**bits - 1) / 3, rel=1e-11)


def test_small_flip_probabilities_keep_their_precision() -> None:
    """In the limit only single errors count: eps times the squares to the B neighbours."""
    codewords, p = random_codebook(256, 4)
    square = squared_distances(codewords)
    i = torch.arange(256)
    single = sum(float(p @ square[i, i ^ (1 << b)]) for b in range(8))
    found = channel_distortion(codewords, flip_probability=1e-13, probability=p)
    assert found / 1e-13 == pytest.approx(single, rel=1e-10)


def test_a_simulated_channel_agrees() -> None:
    codewords, p = random_codebook(16, 2)
    generator = torch.Generator().manual_seed(5)
    n, flips = 400_000, torch.tensor([0.02, 0.2, 0.1, 0.05])
    sent = torch.multinomial(p, n, replacement=True, generator=generator)
    wrong = (torch.rand(n, 4, generator=generator) < flips).long()
    received = sent ^ (wrong * torch.tensor([8, 4, 2, 1])).sum(1)
    square = squared_distances(codewords)[sent, received]
    expected = channel_distortion(codewords, flip_probability=flips, probability=p)
    assert abs(float(square.mean()) - expected) < 4 * float(square.std()) / n**0.5


def test_random_labelling_is_the_mean_over_all_labellings() -> None:
    codewords, p = random_codebook(4, 2)
    flips = torch.tensor([0.05, 0.3])
    values = [
        channel_distortion(codewords[o], flip_probability=flips, probability=p[o])
        for o in map(list, itertools.permutations(range(4)))
    ]
    found = random_labelling_distortion(codewords, flip_probability=flips, probability=p)
    assert found == pytest.approx(sum(values) / 24, rel=1e-12)


def test_random_labelling_is_index_error_rate_times_mean_square() -> None:
    """Eq. 16-20 as printed, for equal probabilities."""
    codewords, _ = random_codebook(32, 3)
    square = squared_distances(codewords)
    expected = (1 - 0.9**5) * float(square.sum()) / (32 * 31)
    p = torch.full((32,), 1 / 32)
    found = random_labelling_distortion(codewords, flip_probability=0.1, probability=p)
    assert found == pytest.approx(expected, rel=1e-12)


def test_random_labels_come_near_to_their_mean() -> None:
    codewords, p = random_codebook(64, 2)
    generator = torch.Generator().manual_seed(2)
    orders = [torch.randperm(64, generator=generator) for _ in range(400)]
    values = torch.tensor(
        [channel_distortion(codewords[o], flip_probability=0.02, probability=p[o]) for o in orders]
    )
    expected = random_labelling_distortion(codewords, flip_probability=0.02, probability=p)
    assert abs(float(values.mean()) - expected) < 4 * float(values.std()) / 20


def test_a_single_codeword_suffers_nothing() -> None:
    one, p = torch.ones(1, 3), torch.ones(1)
    assert channel_distortion(one, flip_probability=0.2, probability=p) == 0
    assert random_labelling_distortion(one, flip_probability=0.2, probability=p) == 0


def test_codewords_and_flips_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="codebook size must be a power of two, got 3"):
        expected_displacement(torch.zeros(3, 1), flip_probability=0.1)
    with pytest.raises(ValueError, match=r"flip_probability must be one value or \[2\], got \[3\]"):
        expected_displacement(torch.zeros(4, 1), flip_probability=torch.zeros(3))
    with pytest.raises(ValueError, match=r"probability must be \[4\], got \[2\]"):
        random_labelling_distortion(
            torch.zeros(4, 1), flip_probability=0.1, probability=torch.ones(2) / 2
        )
