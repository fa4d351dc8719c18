import pytest
import torch

from semcodec.vq.codebook import EmaCodebook


def codebook(size: int = 8, dimension: int = 3) -> EmaCodebook:
    torch.manual_seed(1)
    return EmaCodebook(size, dimension)


def test_nearest_is_the_least_distance_by_definition() -> None:
    book = codebook(32, 5)
    vectors = torch.randn(200, 5, generator=torch.Generator().manual_seed(2))
    distances = (vectors[:, None] - book.codewords).square().sum(-1)
    assert torch.equal(book.nearest(vectors), distances.argmin(1))


def test_gradient_passes_straight_through_and_commitment_is_the_mean_square() -> None:
    book = codebook()
    latents = torch.randn(2, 3, 4, 5, requires_grad=True)
    quantized = book(latents)
    assert torch.allclose(quantized.vectors, book.lookup(quantized.indices), atol=1e-6)
    (quantized.vectors * 3).sum().backward()
    assert latents.grad is not None
    assert torch.allclose(latents.grad, torch.full_like(latents, 3.0))
    expected = (latents.detach() - book.lookup(quantized.indices)).square().mean()
    assert torch.allclose(quantized.commitment, expected)


def test_updates_converge_to_the_mean_of_the_vectors_that_chose_a_word() -> None:
    book = codebook(2, 1)
    book.codewords.copy_(torch.tensor([[-0.1], [0.1]]))
    book.sums.copy_(book.codewords)
    latents = torch.tensor([-3.0, -1.0, 2.0, 4.0, 6.0]).reshape(1, 1, 1, 5)
    for _ in range(1500):
        book.update(latents, book(latents).indices)
    assert book.codewords.flatten().tolist() == pytest.approx([-2.0, 4.0], abs=1e-3)


def test_one_update_is_the_moving_average_of_the_source() -> None:
    book = codebook(2, 1)
    book.counts.copy_(torch.tensor([10.0, 5.0]))
    book.sums.copy_(torch.tensor([[20.0], [5.0]]))
    book.update(
        torch.tensor([4.0, 8.0]).reshape(1, 1, 1, 2), torch.zeros(1, 1, 2, dtype=torch.int64)
    )
    counts = [0.99 * 10 + 0.01 * 2, 0.99 * 5]
    assert book.counts.tolist() == pytest.approx(counts)
    words = [(0.99 * 20 + 0.01 * 12) / counts[0], 0.99 * 5 / counts[1]]
    assert book.codewords.flatten().tolist() == pytest.approx(words)


def test_dead_words_are_revived_on_data_and_live_ones_stay() -> None:
    book = codebook(4, 1)
    book.counts.copy_(torch.tensor([100.0, 100.0, 0.01, 100.0]))
    before = book.codewords.clone()
    latents = torch.full((1, 1, 2, 2), 7.0)
    moved = book.revive(latents, threshold=0.03, generator=torch.Generator().manual_seed(0))
    assert moved == 1
    assert book.codewords[2].item() == 7.0
    assert torch.equal(book.codewords[[0, 1, 3]], before[[0, 1, 3]])
    assert book.counts[2] == pytest.approx((300.01) / 4)


def test_restart_finds_well_separated_clusters() -> None:
    book = codebook(4, 2)
    generator = torch.Generator().manual_seed(3)
    centres = torch.tensor([[10.0, 0], [-10, 0], [0, 10], [0, -10]])
    points = centres.repeat(50, 1) + 0.1 * torch.randn(200, 2, generator=generator)
    latents = points.T.reshape(1, 2, 10, 20)
    errors = []
    for seed in range(5):
        book.restart(latents, iterations=20, generator=torch.Generator().manual_seed(seed))
        errors.append(book(latents).commitment.item())
    assert min(errors) < 0.02
