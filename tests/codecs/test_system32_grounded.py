"""Index entropy and channel-aware distortion: eq. 9-23 of the theoretically-grounded codebook."""

from math import comb, prod
from typing import Any

import pytest
import torch
from torch import Tensor

from semcodec.system32.grounded import Grounded, transition_matrix
from semcodec.system32.plain import Plain
from semcodec.system32.quantizer import quantization_loss
from semcodec.system32.subvectors import squared_distances


def _normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _quantizer(entropy: float, channel: float, *, softness: float = 1.0) -> Grounded:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return Grounded(
            bits=3, dimension=2, cells=20, flip=0.1,
            entropy_weight=entropy, channel_weight=channel, softness=softness,
        )  # fmt: skip


def _branch(quantizer: Any, vectors: Tensor) -> Any:
    (branch,) = quantizer(vectors, progress=0.0, generator=torch.Generator().manual_seed(1))
    return branch


def _entropy(quantizer: Grounded, vectors: Tensor, *, softness: float = 1.0) -> Tensor:
    """H(p) [nat] of the mean soft assignment; the scale is no function of the codewords."""
    distances = squared_distances(vectors.reshape(-1, 2), quantizer.codewords[0])
    scale = softness * distances.amin(1).mean().detach()
    share = (-distances / scale).softmax(1).mean(0)
    return -(share * share.log()).sum()


def test_transition_matrix_is_that_of_independent_bits() -> None:
    matrix = transition_matrix(4, 0.2)
    for i in range(16):
        for j in range(16):
            expected = prod(0.2 if (i ^ j) >> b & 1 else 0.8 for b in range(4))
            assert float(matrix[i, j]) == pytest.approx(expected, rel=1e-5)
    assert torch.allclose(matrix.sum(1), torch.ones(16))
    # Eq. 15: as many indices at each distance as there are words of that weight.
    for w in range(5):
        distant = [j for j in range(16) if j.bit_count() == w]
        expected = comb(4, w) * 0.2**w * 0.8 ** (4 - w)
        assert float(matrix[0, distant].sum()) == pytest.approx(expected, rel=1e-5)


def test_without_weights_it_is_plain_vq() -> None:
    grounded, plain, vectors = _quantizer(0, 0), Plain(bits=3, dimension=2), _normal(4, 20, 2)
    with torch.no_grad():
        plain.codewords.copy_(grounded.codewords)
    a, b = _branch(grounded, vectors), _branch(plain, vectors)
    assert torch.equal(a.vectors, b.vectors)
    assert torch.equal(a.loss, b.loss)
    assert grounded.flip_probability() is None
    assert torch.equal(_quantizer(0, 0.5).flip_probability(), torch.full((1, 20, 3), 0.1))
    assert grounded.rate_bias() is None
    assert list(grounded.fast_parameters()) == []


def test_channel_loss_is_the_double_sum_over_codewords() -> None:
    """Eq. 22: mean over z of sum_j P(j | i(z)) ||z - e_j||^2, over the components here."""
    quantizer, vectors = _quantizer(0, 0.7), _normal(4, 20, 2)
    codewords, flat = quantizer.codewords[0].detach(), vectors.reshape(-1, 2)
    index = squared_distances(flat, codewords).argmin(1)
    matrix = transition_matrix(3, 0.1)
    expected = 0.0
    for z, i in zip(flat, index.tolist(), strict=True):
        for j in range(8):
            expected += float(matrix[i, j]) * float((z - codewords[j]).square().sum())
    expected *= 0.7 / len(flat) / 2
    plain = quantization_loss(vectors, codewords[index].reshape(4, 20, 2)).item()
    found = _branch(quantizer, vectors).loss.item()
    assert found == pytest.approx(plain + expected, rel=1e-5)


def test_channel_loss_draws_confused_codewords_together() -> None:
    """A step along its gradient lowers the distance of labels one bit apart more than of others."""
    quantizer, vectors = _quantizer(0, 1.0), _normal(10, 20, 2)
    plain = _quantizer(0, 0)
    grads = [torch.autograd.grad(_branch(q, vectors).loss, q.codewords)[0][0]
             for q in (quantizer, plain)]  # fmt: skip
    before = quantizer.codewords[0].detach()
    after = before - 0.5 * (grads[0] - grads[1])
    matrix = transition_matrix(3, 0.1)

    def confusion(codewords: Tensor) -> float:
        return float((matrix * squared_distances(codewords, codewords)).sum())

    assert confusion(after) < confusion(before)


def test_entropy_loss_is_minus_the_entropy_of_soft_assignments() -> None:
    for softness in (0.5, 2.0):
        vectors = _normal(4, 20, 2)
        with_entropy = _branch(_quantizer(0.3, 0, softness=softness), vectors).loss
        plain = _branch(_quantizer(0, 0), vectors).loss
        expected = -0.3 * _entropy(_quantizer(0.3, 0), vectors, softness=softness)
        assert (with_entropy - plain).item() == pytest.approx(expected.item(), abs=1e-5)


def test_entropy_gradient_makes_indices_more_even() -> None:
    """Codewords of which one takes nearly all: steps along that part alone raise the entropy."""
    quantizer, vectors = _quantizer(1.0, 0), _normal(10, 20, 2)
    with torch.no_grad():
        quantizer.codewords[0] = 4 + quantizer.codewords[0]
        quantizer.codewords[0, 0] = 0
    start = _entropy(quantizer, vectors).item()
    for _ in range(60):
        plain = _quantizer(0, 0)
        with torch.no_grad():
            plain.codewords.copy_(quantizer.codewords)
        grads = [torch.autograd.grad(_branch(q, vectors).loss, q.codewords)[0]
                 for q in (quantizer, plain)]  # fmt: skip
        with torch.no_grad():
            quantizer.codewords -= 1.0 * (grads[0] - grads[1])
    assert start < 0.5
    assert _entropy(quantizer, vectors).item() > start + 0.5


def test_entropy_reaches_the_encoder_too() -> None:
    vectors = _normal(4, 20, 2).requires_grad_()
    grads = [torch.autograd.grad(_branch(_quantizer(w, c), vectors).loss, vectors)[0]
             for w, c in ((0, 0), (0.3, 0), (0, 0.3))]  # fmt: skip
    assert not torch.allclose(grads[0], grads[1])
    assert not torch.allclose(grads[0], grads[2])


@pytest.mark.parametrize("flip", [0.0, 0.5])
def test_flips_that_are_none_are_refused(flip: float) -> None:
    with pytest.raises(ValueError, match=rf"^flip must be above 0 and below 0\.5, got {flip}$"):
        Grounded(bits=3, dimension=2, cells=4, flip=flip, entropy_weight=1.0, channel_weight=0.0)


def test_codewords_are_placed_on_data() -> None:
    quantizer = _quantizer(0.1, 0.1)
    quantizer.place(6 + 0.01 * _normal(4, 20, 2), generator=torch.Generator().manual_seed(1))
    assert bool(((quantizer.codewords - 6).abs() < 0.1).all())
