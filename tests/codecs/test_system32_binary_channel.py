"""Binary symmetric channels between indices: eq. 15 to 20 of ESC-MVQ."""

import math
from itertools import product

import torch
from torch import Tensor

from semcodec.system32.binary_channel import (
    exponential,
    hard_receive,
    label_bits,
    soft_receive,
    transition_logits,
)


def _generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _flips(cells: int, bits: int, *, low: float = 0.02, high: float = 0.4) -> Tensor:
    return low + (high - low) * torch.rand(cells, bits, generator=_generator(9))


def _definition(sent: int, received: int, mu: list[float]) -> float:
    """Product over the bits of mu where they differ and of 1 - mu where they do not."""
    bits = len(mu)
    differ = [(sent ^ received) >> (bits - 1 - j) & 1 for j in range(bits)]
    return math.prod(m if d else 1 - m for m, d in zip(mu, differ, strict=True))


def test_labels_are_the_binary_numbers() -> None:
    for bits in (1, 3, 9):
        expected = [[float(b) for b in f"{k:0{bits}b}"] for k in range(2**bits)]
        assert label_bits(bits).tolist() == expected


def test_transition_logits_are_eq_17_up_to_a_constant() -> None:
    for bits in (1, 2, 4):
        mu, size = _flips(3, bits), 2**bits
        sent = torch.arange(size)[:, None].expand(size, 3)
        found = transition_logits(sent, mu, label_bits(bits)).softmax(-1)
        assert found.shape == (size, 3, size)
        for k, n, j in product(range(size), range(3), range(size)):
            expected = _definition(k, j, mu[n].tolist())
            assert math.isclose(float(found[k, n, j]), expected, rel_tol=1e-4)


def test_a_half_forgets_what_was_sent() -> None:
    logits = transition_logits(torch.tensor([[5, 2]]), torch.full((2, 3), 0.5), label_bits(3))
    assert torch.equal(logits, torch.zeros(1, 2, 8))


def test_hard_receive_flips_each_bit_with_its_probability() -> None:
    """Per place and bit within 4 sigma; pairs of bits as if independent."""
    count, mu = 40_000, _flips(3, 4)
    sent = torch.randint(16, (count, 3), generator=_generator())
    received = hard_receive(sent, mu, bits=4, generator=_generator(2))
    wrong = (label_bits(4)[sent] != label_bits(4)[received]).double()
    sigma = (count * mu * (1 - mu)).sqrt()
    assert bool(((wrong.sum(0) - count * mu).abs() < 4 * sigma).all())
    for a, b in ((0, 1), (0, 3), (2, 3)):
        both, p = (wrong[..., a] * wrong[..., b]).sum(0), mu[:, a] * mu[:, b]
        assert bool(((both - count * p).abs() < 4 * (count * p * (1 - p)).sqrt()).all())


def test_hard_receive_has_the_law_of_the_logits() -> None:
    """How often each index is received for each one sent, within 4 sigma."""
    count, mu = 20_000, _flips(1, 3)
    for k in range(8):
        sent = torch.full((count, 1), k)
        received = hard_receive(sent, mu, bits=3, generator=_generator(k))
        p = transition_logits(sent[:1], mu, label_bits(3)).softmax(-1)[0, 0]
        found = torch.bincount(received.flatten(), minlength=8)
        assert bool(((found - count * p).abs() < 4 * (count * p * (1 - p)).sqrt()).all())


def test_without_flips_what_is_sent_is_received() -> None:
    sent = torch.randint(512, (10, 7), generator=_generator())
    received = hard_receive(sent, torch.zeros(7, 9), bits=9, generator=_generator())
    assert torch.equal(received, sent)


def test_at_low_temperature_a_codeword_is_received_as_often_as_eq_17_says() -> None:
    count, mu = 20_000, _flips(2, 2)
    codewords = torch.randn(4, 3, generator=_generator(3))
    sent = torch.tensor([[1, 2]]).expand(count, 2)
    received = soft_receive(
        sent, mu, codewords, label_bits(2), temperature=1e-5, generator=_generator(4)
    )
    distance = (received.reshape(-1, 1, 3) - codewords).square().sum(-1)
    assert float((distance.amin(1) > 1e-9).float().mean()) < 1e-3  # ties of two Gumbel draws
    index = distance.argmin(1).reshape(count, 2)
    p = transition_logits(sent[:1], mu, label_bits(2)).softmax(-1)[0]
    for n in range(2):
        found = torch.bincount(index[:, n], minlength=4)
        sigma = (count * p[n] * (1 - p[n])).sqrt()
        assert bool(((found - count * p[n]).abs() < 4 * sigma).all())


def test_exponential_draws_are_positive_with_the_distribution_of_mean_one() -> None:
    """A draw of 0.0, which comes about once in 16 million, would have no logarithm."""
    draws = exponential(torch.Size((24_000_000,)), generator=_generator(8))
    count = draws.numel()
    assert draws.dtype == torch.float32
    assert float(draws.min()) > 0
    assert abs(float(draws.double().mean()) - 1) < 4 / count**0.5
    for bound in (0.01, 0.5, 2.0, 6.0):
        p = math.exp(-bound)
        found = float((draws > bound).double().mean())
        assert abs(found - p) < 4 * (p * (1 - p) / count) ** 0.5


def test_what_is_received_lies_between_codewords() -> None:
    """At any temperature a convex combination: components lie within those of the codewords."""
    codewords = torch.randn(8, 2, generator=_generator(3))
    sent = torch.randint(8, (50, 4), generator=_generator())
    for temperature in (0.02, 0.5, 5.0):
        received = soft_receive(
            sent, _flips(4, 3), codewords, label_bits(3),
            temperature=temperature, generator=_generator(5),
        )  # fmt: skip
        assert received.shape == (50, 4, 2)
        assert bool((received <= codewords.amax(0) + 1e-6).all())
        assert bool((received >= codewords.amin(0) - 1e-6).all())


def test_gradients_to_flips_and_codewords_are_those_of_differences() -> None:
    sent = torch.randint(4, (3, 2), generator=_generator())
    mu = _flips(2, 2).double().requires_grad_()
    codewords = torch.randn(4, 3, generator=_generator(3)).double().requires_grad_()

    def receive(mu: Tensor, codewords: Tensor) -> Tensor:
        return soft_receive(
            sent, mu, codewords, label_bits(2).double(),
            temperature=0.7, generator=_generator(6),
        )  # fmt: skip

    assert torch.autograd.gradcheck(receive, (mu, codewords))
    grads = torch.autograd.grad(receive(mu, codewords).square().sum(), (mu, codewords))
    assert all(bool(g.abs().min() > 0) for g in grads)


def test_draws_are_those_of_the_generator() -> None:
    sent = torch.randint(16, (5, 6), generator=_generator())
    mu, codewords = _flips(6, 4), torch.randn(16, 4, generator=_generator(3))

    def draw(seed: int) -> tuple[Tensor, Tensor]:
        hard = hard_receive(sent, mu, bits=4, generator=_generator(seed))
        soft = soft_receive(
            sent, mu, codewords, label_bits(4), temperature=0.1, generator=_generator(seed)
        )
        return hard, soft

    for first, again, other in zip(draw(1), draw(1), draw(2), strict=True):
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
