import itertools

import pytest
import torch
from torch import Tensor

from semcodec.photo.moc import MocRvq, straight_through
from semcodec.vq.codebook import EmaCodebook

TS_38_211 = torch.tensor([0b011, 0b010, 0b000, 0b001, 0b101, 0b100, 0b110, 0b111])
"""Labels of the levels +7, +5, ..., -7 of an axis of 64-QAM: 3GPP TS 38.211, clause 5.1.5."""


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def moc(*, seed: int = 1, channels: int = 6, levels: int = 3, heads: int = 2) -> MocRvq:
    torch.manual_seed(seed)
    return MocRvq(channels=channels, levels=levels, heads=heads)


def noise(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=generator(seed))


def test_quantisation_is_the_recursion_of_equations_4_to_6() -> None:
    quantizer, latents = moc(), noise(2, 6, 3, 4, seed=2)
    quantized = quantizer.quantize(latents)
    assert quantized.indices.shape == (2, 3, 2, 3, 4)
    for b, row, column in itertools.product(range(2), range(3), range(4)):
        residual = latents[b, :, row, column]
        for level in range(3):
            chosen = []
            for head in range(2):
                part = residual[3 * head : 3 * head + 3]
                words = quantizer.codewords[level, head]
                index = int((part - words).norm(dim=1).argmin())
                assert quantized.indices[b, level, head, row, column] == index
                chosen.append(words[index])
            residual = residual - torch.cat(chosen)
        expected = latents[b, :, row, column] - residual
        torch.testing.assert_close(quantized.vectors[b, :, row, column], expected)


def test_the_residual_energy_is_what_each_number_of_levels_leaves() -> None:
    quantizer, latents = moc(), noise(2, 6, 3, 4, seed=3)
    energies = quantizer.quantize(latents).residual_energy
    for levels in (1, 2, 3):
        fewer = quantizer.quantize(latents, levels=levels)
        expected = (latents - fewer.vectors).square().mean()
        torch.testing.assert_close(energies[levels - 1], expected)
        assert fewer.indices.shape[1] == len(fewer.residual_energy) == levels


def test_lookup_is_the_inverse_for_any_number_of_levels() -> None:
    quantizer, latents = moc(), noise(2, 6, 3, 4, seed=4)
    everything = quantizer.quantize(latents).indices
    for levels in (1, 2, 3):
        fewer = quantizer.quantize(latents, levels=levels)
        assert torch.equal(fewer.indices, everything[:, :levels])
        assert torch.equal(quantizer.lookup(everything[:, :levels]), fewer.vectors)


def test_a_number_of_levels_per_picture_is_that_number_for_each() -> None:
    quantizer, latents = moc(), noise(3, 6, 2, 2, seed=5).requires_grad_()
    levels = torch.tensor([3, 1, 2])
    mixed = quantizer.quantize(latents, levels=levels)
    alone = [
        quantizer.quantize(latents[i : i + 1], levels=int(count)) for i, count in enumerate(levels)
    ]
    assert torch.equal(mixed.indices, quantizer.quantize(latents).indices)
    assert torch.equal(mixed.vectors, torch.cat([one.vectors for one in alone]))
    expected = torch.stack([one.commitment for one in alone]).mean()
    torch.testing.assert_close(mixed.commitment, expected)


def test_commitment_is_the_sum_over_levels_and_pulls_only_the_latents() -> None:
    quantizer, latents = moc(), noise(2, 6, 3, 4, seed=6).requires_grad_()
    quantized = quantizer.quantize(latents)
    torch.testing.assert_close(quantized.commitment, quantized.residual_energy.sum())
    quantized.commitment.backward()
    partial = [quantizer.lookup(quantized.indices[:, :levels]) for levels in (1, 2, 3)]
    expected = sum((2 * (latents.detach() - vectors) for vectors in partial), torch.zeros(()))
    assert latents.grad is not None
    torch.testing.assert_close(latents.grad, expected / latents.numel())
    assert not quantized.vectors.requires_grad


def test_straight_through_has_the_values_of_one_and_the_gradient_of_the_other() -> None:
    latents, vectors = noise(2, 4, seed=7).requires_grad_(), noise(2, 4, seed=8)
    output = straight_through(latents, vectors)
    torch.testing.assert_close(output, vectors)
    (output * 3).sum().backward()
    assert torch.equal(latents.grad, torch.full_like(latents, 3.0))  # type: ignore[arg-type]


def test_an_update_is_that_of_one_codebook_for_each_level_and_head() -> None:
    quantizer, latents = moc(), noise(2, 6, 5, 7, seed=9)
    books = [[EmaCodebook(8, 3) for _ in range(2)] for _ in range(3)]
    for level, head in itertools.product(range(3), range(2)):
        book = books[level][head]
        book.codewords.copy_(quantizer.codewords[level, head])
        book.sums.copy_(quantizer.sums[level, head])
        book.counts.copy_(quantizer.counts[level, head])
    for _ in range(3):
        for head in range(2):
            residual = latents[:, 3 * head : 3 * head + 3]
            for level in range(3):
                book = books[level][head]
                quantized = book(residual)
                book.update(residual, quantized.indices)
                residual = residual - quantized.vectors
        quantizer.update(latents, quantizer.quantize(latents).indices)
    for level, head in itertools.product(range(3), range(2)):
        book = books[level][head]
        torch.testing.assert_close(quantizer.counts[level, head], book.counts)
        torch.testing.assert_close(quantizer.codewords[level, head], book.codewords)


def test_an_update_with_fewer_levels_leaves_the_others_alone() -> None:
    quantizer, latents = moc(), noise(1, 6, 4, 4, seed=10)
    before = quantizer.codewords.clone()
    quantizer.update(latents, quantizer.quantize(latents, levels=1).indices)
    assert not torch.equal(quantizer.codewords[0], before[0])
    assert torch.equal(quantizer.codewords[1:], before[1:])


def test_restart_finds_well_separated_clusters_in_every_head_and_level() -> None:
    corners = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=3)))
    choice = torch.randint(8, (2, 2, 600), generator=generator(11))
    heads = 10 * corners[choice[0]] + corners[choice[1]]  # [2, 600, 3]
    latents = heads.permute(0, 2, 1).reshape(1, 6, 20, 30)
    latents = latents + 0.01 * noise(1, 6, 20, 30, seed=12)
    energies = []
    for seed in range(8):
        quantizer = moc(levels=2)
        quantizer.restart(latents, iterations=15, generator=generator(seed))
        energies.append(quantizer.quantize(latents).residual_energy)
        torch.testing.assert_close(
            quantizer.sums / quantizer.counts[..., None], quantizer.codewords
        )
    best = torch.stack(energies).amin(0)
    assert best[0] < 1.5  # 1 when each cluster has its word; a cluster without one costs 12 more
    assert best[1] < 0.3


def test_more_levels_leave_less_of_normal_latents() -> None:
    quantizer, latents = moc(levels=4), noise(4, 6, 16, 16, seed=13)
    quantizer.restart(latents, iterations=10, generator=generator(14))
    energies = quantizer.quantize(latents).residual_energy
    assert energies[0] < 0.6 * latents.square().mean()
    assert (energies[1:] < 0.7 * energies[:-1]).all()


def test_dead_words_are_put_on_residuals_and_live_ones_stay() -> None:
    quantizer, latents = moc(), noise(2, 6, 8, 8, seed=15)
    quantizer.restart(latents, iterations=5, generator=generator(16))
    quantizer.counts[1, 0, 3] = 0.01
    quantizer.counts[0, 1, 7] = 0.01
    before = quantizer.codewords.clone()
    moved = quantizer.revive(latents, threshold=0.03, generator=generator(17))
    assert moved == 2
    changed = (quantizer.codewords != before).any(3).nonzero().tolist()
    assert changed == [[0, 1, 7], [1, 0, 3]]
    first = latents[:, 3:].movedim(1, -1).reshape(-1, 3)
    assert (first == quantizer.codewords[0, 1, 7]).all(1).any()
    left = latents - quantizer.quantize(latents, levels=1).vectors
    second = left[:, :3].movedim(1, -1).reshape(-1, 3)
    assert torch.isclose(second, quantizer.codewords[1, 0, 3], atol=1e-6).all(1).any()
    assert (quantizer.counts > 100 / 8 * 0.5).all()
    assert quantizer.revive(latents, threshold=0.03, generator=generator(18)) == 0


def greedy_walk(words: Tensor) -> list[int]:
    """Algorithm 1, lines 2 to 6, to the letter."""
    here, left, walk = words.mean(0), list(range(len(words))), []
    for _ in range(len(words)):
        nearest = min(left, key=lambda k: float((words[k] - here).norm()))
        left.remove(nearest)
        walk.append(nearest)
        here = words[nearest]
    return walk


def test_neighbouring_levels_of_an_axis_hold_neighbouring_positions_of_the_walk() -> None:
    quantizer = moc()
    before = quantizer.codewords.clone()
    order = quantizer.reorder(labels=TS_38_211)
    for level, head in itertools.product(range(3), range(2)):
        walk = greedy_walk(before[level, head])
        on_the_axis = quantizer.codewords[level, head, TS_38_211]  # from +7 down to -7
        assert torch.equal(on_the_axis, before[level, head, walk])
        assert torch.equal(
            before[level, head, order[level, head]], quantizer.codewords[level, head]
        )


def test_new_indices_change_no_quantised_vector() -> None:
    quantizer, latents = moc(), noise(2, 6, 4, 4, seed=19)
    quantizer.counts.copy_(torch.rand(3, 2, 8, generator=generator(20)))
    quantizer.sums.copy_(quantizer.codewords * quantizer.counts[..., None])
    old, counts = quantizer.quantize(latents), quantizer.counts.clone()
    order = quantizer.reorder(labels=TS_38_211)
    new = quantizer.quantize(latents)
    assert torch.equal(new.vectors, old.vectors)
    level = torch.arange(3).reshape(-1, 1, 1, 1)
    head = torch.arange(2).reshape(-1, 1, 1)
    assert torch.equal(order[level, head, new.indices], old.indices)
    assert torch.equal(quantizer.counts, counts.gather(2, order))
    torch.testing.assert_close(quantizer.sums, quantizer.codewords * quantizer.counts[..., None])


def test_reordering_makes_the_neighbours_of_a_level_nearer() -> None:
    quantizer = moc(seed=21, channels=16, levels=4, heads=4)

    def neighbour_distance() -> float:
        axis = quantizer.codewords[:, :, TS_38_211]
        return float((axis[:, :, 1:] - axis[:, :, :-1]).norm(dim=3).mean())

    before = neighbour_distance()
    quantizer.reorder(labels=TS_38_211)
    assert neighbour_distance() < 0.9 * before


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"levels": 0}, "levels must be at least 1, got 0"),
        ({"heads": 4}, "heads must divide channels 6, got 4"),
        ({"words": 6}, "words must be a power of two, got 6"),
    ],
)
def test_counts_that_do_not_fit_are_refused(change: dict[str, int], text: str) -> None:
    arguments = {"channels": 6, "heads": 2, **change}
    with pytest.raises(ValueError, match=text):
        MocRvq(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("levels", "text"),
    [
        (0, "levels must be 1 to 3, got 0"),
        (4, "levels must be 1 to 3, got 4"),
        (torch.tensor([1, 4]), r"levels must be 1 to 3, got \[1, 4\]"),
        (torch.tensor([1, 2, 3]), r"levels must be one number or \[2\], got \[3\]"),
    ],
)
def test_levels_that_do_not_exist_are_refused(levels: int | Tensor, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        moc().quantize(torch.zeros(2, 6, 1, 1), levels=levels)


@pytest.mark.parametrize("shape", [(1, 4, 2, 1, 1), (1, 0, 2, 1, 1), (1, 3, 1, 1, 1), (3, 2, 1, 1)])
def test_indices_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"indices must be \[B, 1 to 3, 2, h, w\], got"):
        moc().lookup(torch.zeros(shape, dtype=torch.int64))


@pytest.mark.parametrize("index", [-1, 8])
def test_indices_that_are_no_words_are_refused(index: int) -> None:
    with pytest.raises(ValueError, match=f"indices must be 0 to 7, got {index} to {index}"):
        moc().lookup(torch.full((1, 3, 2, 1, 1), index))


def test_labels_that_are_no_permutation_are_refused() -> None:
    with pytest.raises(ValueError, match="labels must be a permutation of 0 to 7"):
        moc().reorder(labels=torch.zeros(8, dtype=torch.int64))
