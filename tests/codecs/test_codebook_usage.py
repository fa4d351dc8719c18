import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from semcodec.codebook.usage import histogram, usage


def test_equal_use_is_the_bound_of_the_entropy() -> None:
    found = usage(torch.full((512,), 1 / 512))
    assert found.entropy_bits == pytest.approx(9, abs=1e-12)
    assert found.perplexity == pytest.approx(512, rel=1e-12)
    assert (found.used, found.dead, found.used_share) == (512, 0, 1.0)
    assert found.largest_share == 1 / 512


def test_one_codeword_alone() -> None:
    found = usage(torch.tensor([0.0, 1.0, 0.0, 0.0]))
    assert (found.entropy_bits, found.perplexity) == (0.0, 1.0)
    assert (found.used, found.dead, found.used_share) == (1, 3, 0.25)


def test_entropy_is_that_of_another_implementation() -> None:
    p = np.random.default_rng(0).dirichlet(np.full(300, 0.3))
    found = usage(torch.from_numpy(p))
    assert found.entropy_bits == pytest.approx(float(entropy(p, base=2)), rel=1e-12)
    assert found.perplexity == pytest.approx(2**found.entropy_bits)


def test_histogram_of_a_grid_of_indices() -> None:
    indices = torch.randint(0, 7, (4, 5, 6), generator=torch.Generator().manual_seed(1))
    counts = histogram(indices, size=8)
    assert counts.tolist() == [int((indices == k).sum()) for k in range(8)]
    found = usage(counts / counts.sum())
    assert (found.codebook_size, found.dead) == (8, 1)
    assert found.entropy_bits < math.log2(7)
    assert histogram(torch.zeros(0, dtype=torch.int64), size=3).tolist() == [0, 0, 0]


@pytest.mark.parametrize("bad", [-1, 4])
def test_indices_outside_of_the_codebook(bad: int) -> None:
    with pytest.raises(ValueError, match=r"indices must be in \[0, 4\), got"):
        histogram(torch.tensor([0, bad]), size=4)


def test_what_is_no_distribution() -> None:
    with pytest.raises(ValueError, match=r"probability must add up to 1, got 3"):
        usage(torch.ones(3))
    with pytest.raises(ValueError, match=r"probability must be \[2\], got \[2, 2\]"):
        usage(torch.ones(2, 2))
