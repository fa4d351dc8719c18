"""Uniform levels over binary symmetric channels: BSC+SQ and BlindSC."""

from itertools import pairwise
from math import sqrt
from typing import Any

import pytest
import torch
from torch import Tensor

from semcodec.system32.binary_channel import label_bits
from semcodec.system32.learned_flips import FlipRange
from semcodec.system32.quantizer import quantization_loss
from semcodec.system32.uniform import UniformFixedFlips, UniformLearnedFlips, levels


def _inside(*shape: int, seed: int = 1) -> Tensor:
    """Uniform in (-1, 1)."""
    return 2 * torch.rand(shape, generator=torch.Generator().manual_seed(seed)) - 1


def _branch(quantizer: Any, vectors: Tensor, *, progress: float = 0.0, seed: int = 1) -> Any:
    generator = torch.Generator().manual_seed(seed)
    (branch,) = quantizer(vectors, progress=progress, generator=generator)
    return branch


def test_levels_are_the_middles_of_equal_intervals() -> None:
    for bits in (1, 3, 8):
        size = 2**bits
        edges = [-1 + 2 * k / size for k in range(size + 1)]
        middles = [(a + b) / 2 for a, b in pairwise(edges)]
        assert levels(bits).shape == (1, size, 1)
        assert levels(bits).flatten().tolist() == pytest.approx(middles)


def test_without_flips_it_rounds() -> None:
    """Index floor((z + 1) / 2 * 2^b); the error is at most half an interval and uniform in it."""
    quantizer, vectors = UniformFixedFlips(bits=3, cells=500, flip=1e-9), _inside(40, 500, 1)
    received = _branch(quantizer, vectors).vectors
    index = ((vectors + 1) * 4).floor().long()
    assert torch.allclose(received, levels(3)[0][index[..., 0]], atol=1e-6)
    error = received - vectors
    assert float(error.abs().max()) <= 0.125 + 1e-6
    mean, count = 0.25**2 / 12, error.numel()  # of the squared error; its variance is mean^2 4/5
    assert abs(float(error.square().mean()) - mean) < 4 * mean * sqrt(0.8 / count)


def test_fixed_flips_flip_bits_of_levels() -> None:
    quantizer, vectors = UniformFixedFlips(bits=3, cells=200, flip=0.08), _inside(60, 200, 1)
    branch = _branch(quantizer, vectors)
    sent = ((vectors + 1) * 4).floor().long()
    arrived = ((branch.vectors + 1) * 4).floor().long()
    wrong = (label_bits(3)[sent] != label_bits(3)[arrived]).sum((0, 1, 2)).double()
    count = sent.numel()
    assert bool(((wrong - count * 0.08).abs() < 4 * sqrt(count * 0.08 * 0.92)).all())
    expected = quantization_loss(vectors, branch.vectors)
    assert branch.loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert torch.equal(quantizer.flip_probability(), torch.full((1, 200, 3), 0.08))
    assert list(quantizer.fast_parameters()) == []
    assert quantizer.rate_bias() is None


def test_the_levels_stay_where_they_are() -> None:
    flips = FlipRange(0.001, 1.0)
    for quantizer in (
        UniformFixedFlips(bits=3, cells=5, flip=0.1),
        UniformLearnedFlips(bits=3, cells=5, flips=flips),
    ):
        quantizer.place(_inside(2, 5, 1), generator=torch.Generator())
        assert torch.equal(quantizer.codewords, levels(3))
        assert not quantizer.codewords.requires_grad


def test_learned_flips_are_drawn_to_a_half() -> None:
    """BlindSC's regulariser (mu - 1/2)^2: its part of the loss, and where its gradient points."""
    vectors, results = _inside(4, 5, 1), []
    for weight in (0.0, 0.6):
        quantizer = UniformLearnedFlips(bits=3, cells=5, flips=FlipRange(0.001, weight))
        branch = _branch(quantizer, vectors, progress=0.5)
        (gradient,) = torch.autograd.grad(branch.loss, quantizer.logits)
        results.append((branch.loss.item(), gradient))
    mu = quantizer.flip_probability()[0, 0, 0].item()
    assert 0.001 < mu < 0.2  # it starts low
    assert results[1][0] - results[0][0] == pytest.approx(0.6 * (mu - 0.5) ** 2, rel=1e-4)
    assert bool((results[1][1] < results[0][1]).all())
    assert list(quantizer.fast_parameters()) == [quantizer.logits]
    assert torch.allclose(quantizer.flip_probability(), torch.tensor(mu))
    assert quantizer.flip_probability().shape == (1, 5, 3)
    assert quantizer.rate_bias() is None


def test_learned_flips_receive_softly_between_the_levels() -> None:
    """Near flips of zero they round; with mu of a half the level sent does not matter."""
    quantizer = UniformLearnedFlips(bits=3, cells=50, flips=FlipRange(1e-6, 1.0))
    vectors = _inside(20, 50, 1)
    with torch.no_grad():
        quantizer.logits.fill_(-30.0)
    received = _branch(quantizer, vectors, progress=1.0).vectors
    index = ((vectors + 1) * 4).floor().long()
    rounded = levels(3)[0][index[..., 0]]
    assert float(((received - rounded).abs() < 1e-3).float().mean()) > 0.999
    with torch.no_grad():
        quantizer.logits.fill_(30.0)
    received = _branch(quantizer, vectors, progress=1.0).vectors
    assert torch.allclose(received, _branch(quantizer, -vectors, progress=1.0).vectors, atol=1e-5)
    assert float(received.abs().max()) <= 0.875 + 1e-5


def test_unfit_flips_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^flip must be above 0 and below 0\.5, got 0\.5$"):
        UniformFixedFlips(bits=3, cells=5, flip=0.5)
