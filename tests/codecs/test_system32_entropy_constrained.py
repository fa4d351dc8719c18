"""ECVQ: the criterion of eq. 3, the loss of eq. 5 and 6, and what nu does to the rate."""

from math import log2

import pytest
import torch
from torch import Tensor

from semcodec.system32.entropy_constrained import EntropyConstrained
from semcodec.system32.quantizer import quantization_loss


def _normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _quantizer(nu: float) -> EntropyConstrained:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        quantizer = EntropyConstrained(bits=3, dimension=2, nu=nu)
    with torch.no_grad():
        quantizer.w.copy_(_normal(8, seed=4))
    return quantizer


def _forward(quantizer: EntropyConstrained, vectors: Tensor) -> tuple[Tensor, Tensor]:
    (branch,) = quantizer(vectors, progress=0.0, generator=torch.Generator().manual_seed(1))
    return branch.vectors, branch.loss


def _choice(quantizer: EntropyConstrained, vector: list[float]) -> tuple[int, list[float]]:
    """Argmin_k -nu log2 P(k) + ||z - b_k||^2 by a loop, and -log2 P of all k."""
    weights = (-quantizer.w.detach()).exp().tolist()
    lengths = [-log2(weight / sum(weights)) for weight in weights]
    costs = [
        quantizer.nu * length + sum((z - b) ** 2 for z, b in zip(vector, word, strict=True))
        for length, word in zip(lengths, quantizer.codewords[0].tolist(), strict=True)
    ]
    return costs.index(min(costs)), lengths


@pytest.mark.parametrize("nu", [0.0, 1 / 16, 1.0])
def test_criterion_and_loss_are_those_of_brute_force(nu: float) -> None:
    quantizer, vectors = _quantizer(nu), _normal(5, 30, 2)
    received, loss = _forward(quantizer, vectors)
    choices = [_choice(quantizer, z) for z in vectors.reshape(-1, 2).tolist()]
    index = torch.tensor([k for k, _ in choices])
    expected = quantizer.codewords[0].detach()[index].reshape(5, 30, 2)
    assert torch.allclose(received, expected, atol=1e-6)
    bits = sum(lengths[k] for k, lengths in choices) / len(choices)
    wanted = quantization_loss(vectors, expected).item() + nu * 1.25 * bits / 2
    assert loss.item() == pytest.approx(wanted, rel=1e-5)
    bias = quantizer.rate_bias()
    assert bias.shape == (1, 8)
    assert bias[0].tolist() == pytest.approx([nu * x for x in choices[0][1]], abs=1e-6)


def test_a_dear_bit_leaves_only_the_likeliest_codeword() -> None:
    quantizer, vectors = _quantizer(1e3), _normal(5, 30, 2)
    received, _ = _forward(quantizer, vectors)
    likeliest = quantizer.codewords[0, int(quantizer.w.argmin())].detach()
    assert torch.allclose(received, likeliest.expand_as(received), atol=1e-5)


def test_the_rate_falls_as_nu_rises() -> None:
    """Mean code length of the codewords chosen, over the same table."""
    vectors, rates = _normal(20, 30, 2), []
    for nu in (0.0, 0.1, 0.3, 1.0, 3.0):
        quantizer = _quantizer(nu)
        choices = [_choice(quantizer, z) for z in vectors.reshape(-1, 2).tolist()]
        rates.append(sum(lengths[k] for k, lengths in choices) / len(choices))
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < rates[0] - 0.3


def test_steps_along_the_gradient_learn_the_frequencies() -> None:
    """With the choices held by far codewords, P tends to how often each is chosen."""
    quantizer = _quantizer(0.5)
    with torch.no_grad():
        quantizer.codewords.copy_(100 * _normal(1, 8, 2, seed=5))
    counts = torch.tensor([40, 20, 10, 10, 8, 6, 4, 2])
    vectors = quantizer.codewords[0].detach().repeat_interleave(counts, 0)[None]
    optimizer = torch.optim.Adam(quantizer.fast_parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        _forward(quantizer, vectors)[1].backward()
        optimizer.step()
    assert torch.allclose((-quantizer.w).softmax(0).detach(), counts / 100, atol=5e-3)


def test_placed_on_data_it_knows_the_frequencies() -> None:
    quantizer = _quantizer(0.1)
    vectors = _normal(8, 100, 2)
    quantizer.place(vectors, generator=torch.Generator().manual_seed(1))
    distance = (vectors.reshape(-1, 1, 2) - quantizer.codewords[0]).square().sum(-1)
    counts = torch.bincount(distance.argmin(1), minlength=8)
    expected = (counts + 1) / 808
    assert torch.allclose((-quantizer.w).softmax(0).detach(), expected, atol=1e-5)


def test_what_it_says_of_itself() -> None:
    quantizer = _quantizer(0.25)
    assert list(quantizer.fast_parameters()) == [quantizer.w]
    assert quantizer.flip_probability() is None
    with pytest.raises(ValueError, match=r"^nu must be at least 0, got -0\.1$"):
        EntropyConstrained(bits=3, dimension=2, nu=-0.1)
