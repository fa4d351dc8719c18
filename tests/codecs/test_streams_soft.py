import itertools
import math

import pytest
import torch
from torch import Tensor

from semcodec.streams import debinarize, index_labels, soft_decode


def book(bits: int, dimension: int, *, seed: int) -> tuple[Tensor, Tensor]:
    """A prior and codewords."""
    generator = torch.Generator().manual_seed(seed)
    prior = torch.rand(1 << bits, generator=generator).square()
    return prior / prior.sum(), torch.randn(1 << bits, dimension, generator=generator)


def llrs_of(shape: tuple[int, ...], *, seed: int) -> Tensor:
    return 3 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("gray", [False, True])
def test_by_definition(bits: int, gray: bool) -> None:
    """Products of probabilities of bits, word by word, in double precision."""
    prior, codewords = book(bits, 3, seed=bits)
    labels = index_labels(1 << bits, labelling="gray" if gray else "natural")
    llrs = llrs_of((2, 5, bits), seed=bits)
    got = soft_decode(llrs, prior=prior, codewords=codewords, labels=labels if gray else None)
    for i, j in itertools.product(range(2), range(5)):
        posterior = []
        for k in range(1 << bits):
            p = float(prior[k])
            for b, llr in zip(f"{labels[k]:0{bits}b}", llrs[i, j].tolist(), strict=True):
                p *= 1 / (1 + math.exp(llr if b == "1" else -llr))
            posterior.append(p)
        weights = torch.tensor(posterior).double() / sum(posterior)
        assert torch.allclose(got.vectors[i, j].double(), weights @ codewords.double(), atol=1e-5)
        assert int(got.indices[i, j]) == int(weights.argmax())


def test_log_posterior_is_a_matrix_product() -> None:
    """log prior - sum_j b_j(k) L_j: the usual form, with nine bits."""
    prior, codewords = book(9, 4, seed=9)
    llrs = llrs_of((50, 9), seed=9)
    matrix = (torch.arange(512)[:, None] >> torch.arange(8, -1, -1) & 1).double()
    log_posterior = prior.double().log() - llrs.double() @ matrix.T
    expected = log_posterior.softmax(1) @ codewords.double()
    got = soft_decode(llrs, prior=prior, codewords=codewords)
    assert torch.allclose(got.vectors.double(), expected, atol=1e-5)
    assert torch.equal(got.indices, log_posterior.argmax(1))


@pytest.mark.parametrize("magnitude", [200.0, torch.inf])
def test_certain_bits_are_looked_up(magnitude: float) -> None:
    prior, codewords = book(6, 4, seed=1)
    bits = torch.randint(2, (40, 6), generator=torch.Generator().manual_seed(1))
    llrs = torch.where(bits == 1, -magnitude, magnitude)
    hard = debinarize(bits.flatten(), bits_per_index=6, labelling="natural")
    got = soft_decode(llrs, prior=prior, codewords=codewords)
    assert torch.equal(got.indices, hard)
    assert torch.equal(got.vectors, codewords[hard])


def test_nothing_known_gives_the_prior() -> None:
    prior, codewords = book(6, 4, seed=2)
    got = soft_decode(torch.zeros(3, 6), prior=prior, codewords=codewords)
    assert torch.allclose(got.vectors, (prior @ codewords).expand(3, 4), atol=1e-6)
    assert got.indices.tolist() == [int(prior.argmax())] * 3


def test_some_bits_certain_and_the_others_unknown() -> None:
    """The prior's mean over the words that are left."""
    prior, codewords = book(3, 2, seed=3)
    llrs = torch.tensor([[-torch.inf, 0.0, torch.inf]])  # 1 ? 0: words 4 and 6
    got = soft_decode(llrs, prior=prior, codewords=codewords)
    expected = (prior[[4, 6]] @ codewords[[4, 6]]) / prior[[4, 6]].sum()
    assert torch.allclose(got.vectors[0], expected, atol=1e-6)


def test_words_that_are_never_sent() -> None:
    codewords = torch.eye(4)
    prior = torch.tensor([0.0, 0.5, 0.5, 0.0])
    inf = torch.inf
    llrs = torch.tensor([[8.0, 9.0], [inf, inf], [inf, 0.0], [-inf, -inf]])
    got = soft_decode(llrs, prior=prior, codewords=codewords)
    assert got.indices.tolist() == [2, 0, 1, 3]  # certain bits are believed
    odds = math.exp(8.0 - 9.0)  # of word 1, which denies bit 9.0, against word 2
    assert got.vectors[0].tolist() == pytest.approx([0, odds / (1 + odds), 1 / (1 + odds), 0])
    assert torch.equal(got.vectors[1:], codewords[[0, 1, 3]])


def test_mean_square_error_over_a_binary_symmetric_channel() -> None:
    """It is the one that the posteriors tell, and below that of hard decisions: 4 sigma each."""
    count, flip, bits = 40_000, 0.05, 4
    prior, codewords = book(bits, 3, seed=5)
    generator = torch.Generator().manual_seed(6)
    sent = torch.multinomial(prior, count, replacement=True, generator=generator)
    flips = (torch.rand(count, bits, generator=generator) < flip).long()
    received = sent ^ (flips * (1 << torch.arange(bits - 1, -1, -1))).sum(1)
    matrix = torch.arange(16)[:, None] >> torch.arange(bits - 1, -1, -1) & 1
    llrs = (1.0 - 2.0 * matrix) * math.log((1 - flip) / flip)
    table = soft_decode(llrs, prior=prior, codewords=codewords)  # by word received
    soft = (table.vectors[received] - codewords[sent]).square().sum(1)
    hard = (codewords[received] - codewords[sent]).square().sum(1)
    likely = (codewords[table.indices[received]] - codewords[sent]).square().sum(1)
    for worse in (hard, likely):
        gain = worse - soft
        assert gain.mean() > 4 * gain.std() / count**0.5
    distance = (matrix[:, None] != matrix).sum(2)
    joint = prior[:, None] * flip**distance * (1 - flip) ** (bits - distance)
    errors = (codewords[:, None] - table.vectors).square().sum(2)
    assert abs(soft.mean() - (joint * errors).sum()) < 4 * soft.std() / count**0.5


@pytest.mark.parametrize(("n", "bits", "dimension"), [(64, 9, 4), (5, 3, 7), (17, 6, 64)])
def test_what_shares_the_batch_changes_nothing(n: int, bits: int, dimension: int) -> None:
    prior, codewords = book(bits, dimension, seed=n)
    llrs = llrs_of((64, n, bits), seed=n)
    together = soft_decode(llrs, prior=prior, codewords=codewords)
    for size in (1, 3, 7):
        for first in (0, 20):
            some = soft_decode(llrs[first : first + size], prior=prior, codewords=codewords)
            assert torch.equal(some.vectors, together.vectors[first : first + size])
            assert torch.equal(some.indices, together.indices[first : first + size])
    square = soft_decode(llrs.reshape(8, 8, n, bits), prior=prior, codewords=codewords)
    assert torch.equal(square.vectors.reshape(64, n, dimension), together.vectors)


def test_large_codebooks_are_worked_on_in_blocks() -> None:
    """65,536 words: 64 indices to a block."""
    prior, codewords = book(16, 2, seed=8)
    llrs = llrs_of((130, 16), seed=8)
    whole = soft_decode(llrs, prior=prior, codewords=codewords)
    assert whole.vectors.shape == (130, 2)
    for rows in (slice(0, 64), slice(64, 128), slice(128, 130)):
        part = soft_decode(llrs[rows], prior=prior, codewords=codewords)
        assert torch.equal(part.vectors, whole.vectors[rows])
        assert torch.equal(part.indices, whole.indices[rows])


def test_no_indices() -> None:
    prior, codewords = book(3, 2, seed=1)
    for shape in ((0, 3), (0, 5, 3), (2, 0, 3)):
        got = soft_decode(torch.zeros(shape), prior=prior, codewords=codewords)
        assert got.vectors.shape == (*shape[:-1], 2)
        assert got.indices.shape == shape[:-1]


def test_refused() -> None:
    prior, codewords = book(2, 3, seed=1)
    llrs = torch.zeros(5, 2)
    with pytest.raises(ValueError, match=r"llrs must be floating point .* got torch\.int64"):
        soft_decode(llrs.long(), prior=prior, codewords=codewords)
    with pytest.raises(ValueError, match="llrs must be numbers, got NaN"):
        soft_decode(llrs * torch.nan, prior=prior, codewords=codewords)
    with pytest.raises(ValueError, match=r"codewords must be floating point \[8, D\] for 3 bits"):
        soft_decode(torch.zeros(5, 3), prior=prior, codewords=codewords)
    for wrong in (-prior, 0 * prior, prior[:3], prior * torch.inf):
        with pytest.raises(ValueError, match=r"prior must be \[4\], finite, not negative and not"):
            soft_decode(llrs, prior=wrong, codewords=codewords)
    with pytest.raises(ValueError, match="labels must be a permutation of 0 to 3"):
        soft_decode(llrs, prior=prior, codewords=codewords, labels=torch.tensor([0, 1, 1, 3]))
