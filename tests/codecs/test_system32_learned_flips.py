"""ESC-MVQ's learned flip probabilities: their range, the schedule, and how codebooks join."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from semcodec.system32.binary_channel import label_bits, soft_receive
from semcodec.system32.learned_flips import (
    LEAST_FLIP,
    REGULARIZATION,
    FlipRange,
    LearnedFlips,
    temperature,
)
from semcodec.system32.quantizer import quantization_loss
from semcodec.system32.subvectors import assign


def _normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _forward(quantizer: LearnedFlips, vectors: Tensor, progress: float, seed: int = 1) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return quantizer(vectors, progress=progress, generator=generator)


def _quantizer(ranges: int = 3, *, cells: int = 6, bits: int = 3, scale: float = 1) -> LearnedFlips:
    chosen = [FlipRange(LEAST_FLIP[v], scale * REGULARIZATION[v]) for v in range(ranges)]
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return LearnedFlips(chosen, bits=bits, dimension=2, cells=cells)


def test_the_papers_ranges() -> None:
    """ESC-MVQ, section V: mu_min of five codebooks, and lambda^(v) = 2^(v-1) / 8."""
    assert LEAST_FLIP == (5e-4, 1e-3, 4.5e-3, 0.02, 0.05)
    assert tuple(2 ** (v - 1) / 8 for v in range(1, 6)) == REGULARIZATION


def test_flip_range_keeps_its_bounds() -> None:
    flips = FlipRange(0.02, 1.0)
    logits = torch.tensor([-1e4, -5.0, 0.0, 5.0, 1e4])
    mu = flips.probability(logits)
    expected = [0.02 + 0.48 / (1 + math.exp(-min(max(a, -700), 700))) for a in logits.tolist()]
    assert mu.tolist() == pytest.approx(expected, rel=1e-5)
    assert mu.tolist() == sorted(mu.tolist())
    assert (float(mu[0]), float(mu[-1])) == pytest.approx((0.02, 0.5))


@pytest.mark.parametrize("least", [0.0, 0.5, -1.0])
def test_unfit_ranges_are_refused(least: float) -> None:
    with pytest.raises(ValueError, match=rf"^least must be above 0 and below 0\.5, got {least}$"):
        FlipRange(least, 1.0)
    with pytest.raises(ValueError, match=r"^regularization must be at least 0, got -0\.1$"):
        FlipRange(0.1, -0.1)


def test_temperature_falls_as_the_papers() -> None:
    """0.5 times exp(-0.003) for every 100 of 100,000 steps."""
    assert temperature(0.0) == 0.5
    for hundreds in (1, 250, 1000):
        expected = 0.5 * math.prod([math.exp(-0.003)] * hundreds)
        assert temperature(hundreds / 1000) == pytest.approx(expected)


def test_a_branch_is_eq_20_with_the_loss_of_eq_27() -> None:
    """Codewords received softly, quantisation loss, and lambda times the mean of mu ln mu."""
    quantizer, vectors = _quantizer(), _normal(4, 6, 2)
    with torch.no_grad():
        quantizer.logits.copy_(_normal(3, 6, 3, seed=5))
    (branch,) = _forward(quantizer, vectors, progress=0.2, seed=8)
    codewords = quantizer.codewords[0]
    mu = quantizer.ranges[0].probability(quantizer.logits[0])
    received = soft_receive(
        assign(vectors.reshape(-1, 2), codewords).reshape(4, 6), mu, codewords, label_bits(3),
        temperature=temperature(0.2), generator=torch.Generator().manual_seed(8),
    )  # fmt: skip
    assert torch.allclose(branch.vectors, received, atol=1e-6)
    entropy = sum(m * math.log(m) for m in mu.flatten().tolist()) / mu.numel()
    expected = quantization_loss(vectors, received).item() + 0.125 * entropy
    assert branch.loss.item() == pytest.approx(expected, rel=1e-5)
    assert branch.weight == 1.0


def test_regularisation_draws_mu_to_one_over_e() -> None:
    """Eq. 22: steps along the regulariser alone end at the minimum of mu ln mu."""
    quantizer = _quantizer(1, scale=1.0)
    for _ in range(400):
        (regularizer,) = ((mu * mu.log()).mean() for mu in quantizer.flip_probability())
        (gradient,) = torch.autograd.grad(regularizer, quantizer.logits)
        with torch.no_grad():
            quantizer.logits -= gradient / gradient.abs().max() * 0.05
    assert torch.allclose(quantizer.flip_probability(), torch.tensor(1 / math.e), atol=5e-3)
    plain, drawn = (_quantizer(1, scale=s) for s in (0.0, 1.0))
    vectors = _normal(4, 6, 2)
    grads = []
    for q in (plain, drawn):
        (branch,) = _forward(q, vectors, progress=0.5)
        grads.append(torch.autograd.grad(branch.loss, q.logits)[0])
    assert bool((grads[1] < grads[0]).all())  # below 1/e it pushes mu upwards


def test_codebooks_join_one_after_the_other() -> None:
    """Algorithm 1: the codebook that joins begins as the one before; weights are eta^u / sum."""
    quantizer, vectors = _quantizer(3), _normal(4, 6, 2)
    second = quantizer.codewords[1].detach().clone()
    assert len(_forward(quantizer, vectors, progress=0.3)) == 1
    assert torch.equal(quantizer.codewords[1], second)
    with torch.no_grad():
        quantizer.codewords[0] += 0.1
        quantizer.logits[0] += 1.0
    branches = _forward(quantizer, vectors, progress=0.34)
    assert torch.equal(quantizer.codewords[1], quantizer.codewords[0])
    assert torch.equal(quantizer.logits[1], quantizer.logits[0])
    assert [b.weight for b in branches] == pytest.approx([0.8 / 1.44, 0.64 / 1.44])
    with torch.no_grad():
        quantizer.codewords[1] += 0.1
    joined = quantizer.codewords[1].detach().clone()
    branches = _forward(quantizer, vectors, progress=0.999)
    assert [b.weight for b in branches] == pytest.approx([w / 1.952 for w in (0.8, 0.64, 0.512)])
    assert torch.equal(quantizer.codewords[1], joined)  # those that are there go on
    assert torch.equal(quantizer.codewords[2], joined)
    total = sum(b.weight * b.loss for b in branches)
    (gradient,) = torch.autograd.grad(total, quantizer.codewords)
    assert bool((gradient.abs().sum((1, 2)) > 0).all())


def test_who_has_joined_is_part_of_the_state() -> None:
    quantizer, vectors = _quantizer(3), _normal(4, 6, 2)
    _forward(quantizer, vectors, progress=0.7)
    with torch.no_grad():
        quantizer.codewords[2] += 0.3
    again = _quantizer(3)
    again.load_state_dict(quantizer.state_dict())
    assert len(_forward(again, vectors, progress=0.7)) == 3
    assert torch.equal(again.codewords, quantizer.codewords)


def test_what_it_says_of_itself() -> None:
    quantizer = _quantizer(3)
    flips = quantizer.flip_probability()
    assert flips.shape == (3, 6, 3)
    start = float(quantizer.logits.detach()[0, 0, 0])
    expected = [LEAST_FLIP[v] + (0.5 - LEAST_FLIP[v]) / (1 + math.exp(-start)) for v in range(3)]
    assert flips[:, 0, 0].tolist() == pytest.approx(expected)
    assert float(flips.detach().max()) < 0.2  # they start low
    assert list(quantizer.fast_parameters()) == [quantizer.logits]
    assert quantizer.rate_bias() is None
    quantizer.place(3 + 0.01 * _normal(4, 50, 2), generator=torch.Generator().manual_seed(1))
    assert bool(((quantizer.codewords - 3).abs() < 0.1).all())
    assert torch.equal(quantizer.codewords[0], quantizer.codewords[2])
