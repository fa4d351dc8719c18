import copy
import math

import pytest
import torch
from torch.nn import functional as F

from semcodec.photo.vq_deepsc import VARIANTS, VqDeepScConfig, VqDeepScNetwork, bits_per_pixel

TINY = 1 / 64


def network(sizes: tuple[int, int, int, int] = (4, 0, 8, 2), *, seed: int = 1) -> VqDeepScNetwork:
    torch.manual_seed(seed)
    made = VqDeepScNetwork(VqDeepScConfig(sizes, TINY)).eval()
    made.place(pictures(8, 64), iterations=5, generator=torch.Generator().manual_seed(seed))
    return made


def pictures(count: int, height: int, width: int | None = None) -> torch.Tensor:
    """Smooth random pictures."""
    generator = torch.Generator().manual_seed(7)
    coarse = torch.rand(count, 3, 5, 5, generator=generator)
    return F.interpolate(coarse, (height, width or height), mode="bilinear")


def test_rates_of_the_papers_variants_by_hand() -> None:
    expected = {
        1: 3 / 16 + 2 / 64 + 1 / 256,
        2: 6 / 16 + 4 / 64 + 2 / 256,
        3: 1 / 4 + 6 / 16 + 2 / 64 + 2 / 256,
        4: 3 / 4 + 2 / 16 + 1 / 64 + 1 / 256,
    }
    assert {v: bits_per_pixel(sizes) for v, sizes in VARIANTS.items()} == pytest.approx(expected)


@pytest.mark.parametrize("variant", VARIANTS)
def test_indices_fill_the_rate_and_lie_in_their_codebooks(variant: int) -> None:
    sizes = VARIANTS[variant]
    grids = network(sizes).encode(pictures(2, 32, 48))
    used = [n for n in sizes[::-1] if n]
    assert [tuple(g.shape[1:]) for g in grids] == network(sizes).grid_shapes(32, 48)
    assert all(g.dtype == torch.int64 for g in grids)
    assert all(int(g.min()) >= 0 and int(g.max()) < n for g, n in zip(grids, used, strict=True))
    bits = sum(g[0].numel() * math.log2(n) for g, n in zip(grids, used, strict=True))
    assert bits == bits_per_pixel(sizes) * 32 * 48


def test_indices_are_the_nearest_codewords_by_definition() -> None:
    made = network()
    given = pictures(2, 32)
    with torch.no_grad():
        features = made.encoder(given)
    for feature, book, grid in zip(features, made.books(), made.encode(given), strict=True):
        cells = feature.movedim(1, -1)[..., None, :]
        distances = (cells - book.codewords).square().sum(-1)
        assert torch.equal(grid, distances.argmin(-1))


def test_the_two_ends_make_what_the_forward_pass_makes() -> None:
    made = network()
    given = pictures(2, 32)
    with torch.no_grad():
        output = made(given)
    grids = made.encode(given)
    assert all(torch.equal(g, q.indices) for g, q in zip(grids, output.quantized, strict=True))
    assert torch.allclose(made.decode(grids, 32, 32), output.pictures, atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (1, 1), (17, 33)])
def test_any_size_is_continued_by_its_edge_and_cut_back(height: int, width: int) -> None:
    made = network()
    given = pictures(1, height, width)
    grids = made.encode(given)
    rows, columns = -(-height // 16) * 16, -(-width // 16) * 16
    continued = given[..., [min(y, height - 1) for y in range(rows)], :]
    continued = continued[..., [min(x, width - 1) for x in range(columns)]]
    assert all(torch.equal(a, b) for a, b in zip(grids, made.encode(continued), strict=True))
    assert made.decode(grids, height, width).shape == given.shape


def test_gradients_pass_the_codebooks_and_commitments_add_up() -> None:
    made = network()
    output = made(pictures(2, 32))
    expected = sum(
        (f - book.lookup(q.indices)).square().mean()
        for f, book, q in zip(output.features, made.books(), output.quantized, strict=True)
    )
    assert torch.allclose(output.commitment, torch.as_tensor(expected))
    (gradient,) = torch.autograd.grad(output.pictures.sum(), made.encoder.stem[0].weight)  # type: ignore[arg-type]
    assert float(gradient.abs().max()) > 0
    assert not any(book.codewords.requires_grad for book in made.books())


def test_codebooks_move_only_when_updated_each_with_its_own_scale() -> None:
    made = network()
    before = copy.deepcopy(made)
    output = made(pictures(2, 32))
    assert all(
        torch.equal(a.codewords, b.codewords)
        for a, b in zip(made.books(), before.books(), strict=True)
    )
    made.update(output)
    for scale, book in enumerate(before.books()):
        book.update(output.features[scale].detach(), output.quantized[scale].indices)
    for a, b in zip(made.books(), before.books(), strict=True):
        assert torch.equal(a.codewords, b.codewords)


def test_revival_counts_dead_codewords_of_all_scales() -> None:
    made = network()
    output = made(pictures(2, 32))
    for book in made.books():
        book.counts.fill_(100.0)
    made.books()[0].counts[1] = 0.0
    made.books()[2].counts[:2] = 0.0
    moved = made.revive(output, threshold=0.05, generator=torch.Generator().manual_seed(0))
    assert moved == 3
    cells = output.features[2].detach().movedim(1, -1).reshape(-1, 2)
    for word in made.books()[2].codewords[:2]:
        assert float((cells - word).abs().sum(1).min()) == 0.0


def test_placing_puts_codewords_where_the_features_are() -> None:
    torch.manual_seed(3)
    made = VqDeepScNetwork(VqDeepScConfig((0, 8, 4, 4), TINY)).eval()
    given = pictures(8, 64)
    with torch.no_grad():
        before = made(given)
        made.place(given, iterations=10, generator=torch.Generator().manual_seed(0))
        after = made(given)
    assert float(after.commitment) < 0.2 * float(before.commitment)
    for quantized, book in zip(after.quantized, made.books(), strict=True):
        assert len(quantized.indices.unique()) == book.size


def test_training_teaches_it_to_send() -> None:
    torch.manual_seed(1)
    made = VqDeepScNetwork(VqDeepScConfig((0, 8, 4, 4), 1 / 16)).train()
    generator = torch.Generator().manual_seed(3)
    colours = torch.rand(4, 3, 1, 1, generator=generator)
    silent = (colours - colours.median(0).values).abs().mean()  # without a word of the four
    given = colours.expand(4, 3, 16, 16)
    made.place(given, iterations=5, generator=generator)
    optimizer = torch.optim.Adam(made.parameters(), lr=0.01)
    for _ in range(25):
        output = made(given)
        error = F.l1_loss(output.pictures, given)
        optimizer.zero_grad()
        (error + 0.25 * output.commitment).backward()
        optimizer.step()
        made.update(output)
    assert error.item() < 0.75 * silent.item()


def test_grids_of_another_picture_are_refused() -> None:
    made = network()
    grids = made.encode(pictures(1, 16, 32))
    assert [tuple(g.shape) for g in grids] == [(1, 1, 2), (1, 2, 4), (1, 8, 16)]
    with pytest.raises(ValueError, match=r"grids must be \[\(2, 2\), .*for 32 x 32 pixels, got"):
        made.decode(grids, 32, 32)
    with pytest.raises(ValueError, match=r"grids must be .* got \[\(1, 2\)\]"):
        made.decode(grids[:1], 16, 32)


@pytest.mark.parametrize("sizes", [(0, 8, 4, 0), (3, 8, 4, 2), (0, 1, 4, 2), (0, -2, 4, 2), (8, 4)])
def test_sizes_that_do_not_fill_their_bits_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="codebook_sizes must be four powers of two from 2 up"):
        VqDeepScConfig(sizes)  # type: ignore[arg-type]


def test_a_width_is_refused_with_the_configuration() -> None:
    with pytest.raises(ValueError, match=r"width must be a positive multiple of 1/64, got 0.3"):
        VqDeepScConfig(width=0.3)
