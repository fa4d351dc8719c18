"""Straight-through, quantisation loss, and the quantisers without learned channels."""

from collections.abc import Callable
from math import sqrt
from typing import Any

import pytest
import torch
from torch import Tensor

from semcodec.system32.binary_channel import label_bits
from semcodec.system32.fixed_flips import FixedFlips
from semcodec.system32.gaussian import Gaussian
from semcodec.system32.plain import Plain
from semcodec.system32.quantizer import (
    COMMITMENT,
    Branch,
    Quantizer,
    quantization_loss,
    straight_through,
)
from semcodec.system32.subvectors import squared_distances


def _normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _forward(quantizer: Quantizer, vectors: Tensor, *, seed: int = 1, progress: float = 0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return quantizer(vectors, progress=progress, generator=generator)


def test_straight_through_has_the_value_of_one_and_the_gradient_of_the_other() -> None:
    vectors, received = _normal(2, 5, 3).requires_grad_(), _normal(2, 5, 3, seed=2).requires_grad_()
    passed = straight_through(vectors, received)
    assert torch.allclose(passed, received, atol=1e-6)
    weight = _normal(2, 5, 3, seed=3)
    grads = torch.autograd.grad((weight * passed).sum(), (vectors, received), allow_unused=True)
    assert torch.equal(grads[0], weight)
    assert grads[1] is None


def test_quantization_loss_is_the_definition() -> None:
    """||sg[z] - e||^2 + beta ||z - sg[e]||^2, a mean: each side has its own part's gradient."""
    vectors, received = _normal(2, 5, 3).requires_grad_(), _normal(2, 5, 3, seed=2).requires_grad_()
    loss = quantization_loss(vectors, received)
    assert loss.item() == pytest.approx(1.25 * (vectors - received).square().mean().item())
    to_vectors, to_received = torch.autograd.grad(loss, (vectors, received))
    difference = (received - vectors).detach()
    assert torch.allclose(to_received, 2 * difference / 30, atol=1e-7)
    assert torch.allclose(to_vectors, -2 * COMMITMENT * difference / 30, atol=1e-7)


def test_a_branch_has_all_the_weight_unless_it_says_so() -> None:
    assert Branch(torch.zeros(1, 1, 1), torch.zeros(())).weight == 1.0


# Plain


def test_plain_gives_the_nearest_codewords() -> None:
    quantizer, vectors = Plain(bits=4, dimension=3), _normal(6, 10, 3).requires_grad_()
    (branch,) = _forward(quantizer, vectors)
    codewords = quantizer.codewords[0]
    index = squared_distances(vectors.reshape(-1, 3), codewords).argmin(1)
    expected = codewords[index].reshape(6, 10, 3)
    assert torch.allclose(branch.vectors, expected, atol=1e-6)
    assert branch.loss.item() == pytest.approx(quantization_loss(vectors, expected).item())
    branch.loss.backward()
    used = torch.zeros(16, dtype=torch.bool)
    used[index] = True
    moved = quantizer.codewords.grad[0].abs().sum(1) > 0
    assert torch.equal(moved, used)
    assert vectors.grad is not None
    assert quantizer.rate_bias() is None
    assert quantizer.flip_probability() is None
    assert list(quantizer.fast_parameters()) == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: Plain(bits=3, dimension=2),
        lambda: FixedFlips(bits=3, dimension=2, cells=50, flip=0.1),
    ],
)
def test_codewords_are_placed_on_data(make: Callable[[], Any]) -> None:
    quantizer, vectors = make(), 5 + 0.1 * _normal(4, 50, 2)
    flat = vectors.reshape(-1, 2)
    before = squared_distances(flat, quantizer.codewords[0]).amin(1).mean().item()
    quantizer.place(vectors, generator=torch.Generator().manual_seed(1))
    after = squared_distances(flat, quantizer.codewords[0]).amin(1).mean().item()
    assert quantizer.codewords.requires_grad
    assert after < 0.01 < before


# Fixed flips


def test_fixed_flips_receives_flipped_indices() -> None:
    """Received vectors are codewords, and their labels differ in as many bits as asked for."""
    quantizer = FixedFlips(bits=4, dimension=3, cells=200, flip=0.07)
    vectors = _normal(50, 200, 3)
    (branch,) = _forward(quantizer, vectors)
    codewords = quantizer.codewords[0].detach()
    sent = squared_distances(vectors.reshape(-1, 3), codewords).argmin(1)
    distance = (branch.vectors.detach().reshape(-1, 1, 3) - codewords).square().sum(-1)
    assert float(distance.amin(1).max()) < 1e-9
    wrong = (label_bits(4)[sent] != label_bits(4)[distance.argmin(1)]).sum(0).double()
    count = len(sent)
    assert bool(((wrong - count * 0.07).abs() < 4 * sqrt(count * 0.07 * 0.93)).all())
    expected = quantization_loss(vectors, branch.vectors.detach())
    assert branch.loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert torch.equal(quantizer.flip_probability(), torch.full((1, 200, 4), 0.07))
    assert quantizer.rate_bias() is None
    assert list(quantizer.fast_parameters()) == []


def test_next_to_no_flips_is_plain() -> None:
    plain, flips = Plain(bits=4, dimension=3), FixedFlips(bits=4, dimension=3, cells=9, flip=1e-9)
    with torch.no_grad():
        flips.codewords.copy_(plain.codewords)
    vectors = _normal(5, 9, 3)
    for a, b in zip(_forward(plain, vectors), _forward(flips, vectors), strict=True):
        assert torch.equal(a.vectors, b.vectors)
        assert torch.equal(a.loss, b.loss)


@pytest.mark.parametrize("flip", [0.0, 0.5, -0.1, 1.0])
def test_flips_that_are_none_are_refused(flip: float) -> None:
    with pytest.raises(ValueError, match=rf"^flip must be above 0 and below 0\.5, got {flip}$"):
        FixedFlips(bits=4, dimension=3, cells=9, flip=flip)


# Gaussian


def test_gaussian_adds_noise_of_its_deviation() -> None:
    quantizer = Gaussian(dimension=4, deviation=0.3, power_weight=0.05)
    vectors = _normal(100, 60, 4).requires_grad_()
    (branch,) = _forward(quantizer, vectors)
    noise = (branch.vectors - vectors).detach()
    count = noise.numel()
    assert abs(float(noise.square().sum()) / 0.09 - count) < 4 * sqrt(2 * count)
    assert abs(float(noise.sum())) < 4 * 0.3 * sqrt(count)
    assert branch.loss.item() == pytest.approx(0.05 * vectors.square().mean().item())
    branch.vectors.sum().backward()
    assert torch.equal(vectors.grad, torch.ones_like(vectors))
    assert quantizer.codewords.shape == (1, 0, 4)
    assert quantizer.rate_bias() is None
    assert quantizer.flip_probability() is None
    assert list(quantizer.fast_parameters()) == []
    quantizer.place(vectors, generator=torch.Generator())
    assert torch.equal(_forward(quantizer, vectors)[0].vectors, branch.vectors)
