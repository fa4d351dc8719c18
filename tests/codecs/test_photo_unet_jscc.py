import pytest
import torch
from torch.nn import functional as F

from semcodec.photo.unet_jscc import UNetJsccConfig, UNetJsccNetwork

TINY = 1 / 64
COUNTS = (0, 1, 2, 6)


def network(counts: tuple[int, int, int, int] = COUNTS) -> UNetJsccNetwork:
    torch.manual_seed(1)
    return UNetJsccNetwork(UNetJsccConfig(counts, TINY)).eval()


def pictures(count: int, height: int, width: int) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(2))


def test_number_of_values_by_hand() -> None:
    made = network()
    assert made.config.values_per_pixel == pytest.approx(1 / 16 + 2 / 64 + 6 / 256)
    assert made.value_count(32, 48) == 2 * 3 * 6 + 4 * 6 * 2 + 8 * 12 * 1
    assert made.value_count(32, 48) == made.config.values_per_pixel * 32 * 48
    assert made.value_count(17, 33) == made.value_count(32, 48)  # padding is counted
    with torch.no_grad():
        assert made.encode(pictures(2, 32, 48)).shape == (2, made.value_count(32, 48))


def test_order_is_coarse_to_fine_row_by_row_cell_by_cell() -> None:
    made = network()
    given = pictures(2, 32, 48)
    with torch.no_grad():
        values = made.encode(given)
        features = made.encoder(given)
        grids = [layer(f) for layer, f in zip(made.compress, features, strict=True)]
    assert torch.equal(values[1, :6], grids[0][1, :, 0, 0])
    assert torch.equal(values[1, 6:12], grids[0][1, :, 0, 1])
    assert torch.equal(values[1, 18:24], grids[0][1, :, 1, 0])
    assert torch.equal(values[0, 36:38], grids[1][0, :, 0, 0])
    assert torch.equal(values[0, -96:].reshape(8, 12), grids[2][0, 0])


def test_compression_is_a_matrix_for_each_cell() -> None:
    made = network()
    with torch.no_grad():
        feature = made.encoder(pictures(1, 32, 32))[0]
        value = made.encode_scales(pictures(1, 32, 32))[0]
    matrix = made.compress[0].weight[:, :, 0, 0]  # type: ignore[index, union-attr]
    expected = (
        torch.einsum("vc,chw->vhw", matrix, feature[0]) + made.compress[0].bias[:, None, None]
    )  # type: ignore[index, union-attr]
    assert matrix.shape == (6, 16)
    assert torch.allclose(value[0], expected, atol=1e-5)


@pytest.mark.parametrize("counts", [(0, 0, 0, 3), COUNTS, (2, 0, 1, 1)])
def test_values_cross_as_grids_and_back(counts: tuple[int, int, int, int]) -> None:
    made = network(counts)
    given = pictures(2, 32, 48)
    with torch.no_grad():
        grids = made.encode_scales(given)
        values = made.encode(given)
        assert torch.equal(made.pack(grids), values)
        for grid, back in zip(grids, made.unpack(values, 32, 48), strict=True):
            assert torch.equal(grid, back)
        assert torch.allclose(made.decode(values, 32, 48), made.decode_scales(grids), atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (1, 5), (17, 33)])
def test_any_size_is_padded_and_cut_back(height: int, width: int) -> None:
    made = network()
    given = pictures(2, height, width)
    with torch.no_grad():
        values = made.encode(given)
        assert values.shape == (2, made.value_count(height, width))
        assert made.decode(values, height, width).shape == given.shape


def test_training_through_noise_teaches_it_to_send() -> None:
    torch.manual_seed(1)
    made = UNetJsccNetwork(UNetJsccConfig((0, 2, 4, 8), 1 / 16)).train()
    generator = torch.Generator().manual_seed(3)
    colours = torch.rand(4, 3, 1, 1, generator=generator)
    silent = (colours - colours.median(0).values).abs().mean()  # without a word of the four
    optimizer = torch.optim.Adam(made.parameters(), lr=0.01)
    for _ in range(25):
        values = made.encode(colours.expand(4, 3, 16, 16))
        values = values / values.square().mean(1, keepdim=True).sqrt()
        noise = 0.25 * torch.randn(values.shape, generator=generator)
        error = F.l1_loss(made.decode(values + noise, 16, 16), colours.expand(4, 3, 16, 16))
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    assert error.item() < 0.75 * silent.item()


def test_another_number_of_values_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"values must be \[B, 30\] for 16 x 16 pixels, got \[2, 9"
    ):
        network().decode(torch.zeros(2, 9), 16, 16)
    with pytest.raises(ValueError, match=r"values must be \[B, 30\] .*, got \[30\]"):
        network().decode(torch.zeros(30), 16, 16)


@pytest.mark.parametrize("counts", [(1, 1, 1, 0), (0, -1, 1, 1), (1, 1)])
def test_counts_without_scale_4_are_refused(counts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"values_per_cell must be four counts .*, got \("):
        UNetJsccConfig(counts)  # type: ignore[arg-type]


def test_a_width_is_refused_with_the_configuration() -> None:
    with pytest.raises(ValueError, match=r"width must be a positive multiple of 1/64, got 2.01"):
        UNetJsccConfig(COUNTS, 2.01)
