import pytest
import torch

from semcodec.analog import from_symbols, to_symbols, unit_power
from semcodec.photo.jscc import CHANNELS, JsccNetwork
from semcodec.photo.vqgan import VqganConfig


def network(channels: int = 4) -> JsccNetwork:
    torch.manual_seed(1)
    config = VqganConfig(width=8, latent_channels=channels, factors=(1, 1, 1, 1))
    return JsccNetwork(config).requires_grad_(False)


def pictures(height: int, width: int) -> torch.Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(2))


def test_values_run_row_by_row_and_a_cell_stays_together() -> None:
    system, images = network(), pictures(16, 24)
    latents = system.autoencoder.encode(images)
    values = system.encode(images)
    cells = [latents[:, :, row, column] for row in range(2) for column in range(3)]
    assert torch.equal(values, torch.cat(cells, dim=1))


@pytest.mark.parametrize(("height", "width"), [(16, 24), (1, 1), (9, 30)])
def test_any_size_is_padded_and_cut_back(height: int, width: int) -> None:
    system, images = network(), pictures(height, width)
    values = system.encode(images)
    assert values.shape == (2, system.value_count(height, width))
    output = system.decode(values, height, width)
    padded = torch.nn.functional.pad(images, (0, -width % 8, 0, -height % 8), mode="replicate")
    expected = system.autoencoder(padded)[..., :height, :width]
    torch.testing.assert_close(output, expected)


def test_the_papers_channels_use_a_quarter_of_a_symbol_per_sample() -> None:
    system, images = network(CHANNELS), pictures(16, 24)
    values = unit_power(system.encode(images))
    symbols = to_symbols(values[0])
    assert len(symbols) == 3 * 16 * 24 / 4  # CBR 1/4, eq. 11
    assert float(symbols.abs().square().mean()) == pytest.approx(1, rel=1e-5)
    assert torch.equal(from_symbols(symbols), values[0])


def test_the_gradient_passes_the_power_normalisation() -> None:
    system, images = network().requires_grad_(), pictures(16, 16)
    values = unit_power(system.encode(images))
    (system.decode(values, 16, 16) - images).square().mean().backward()
    first = next(system.autoencoder.encoder.parameters())
    assert first.grad is not None
    assert float(first.grad.abs().max()) > 0


def test_an_odd_number_of_values_in_a_cell_is_refused() -> None:
    with pytest.raises(ValueError, match="latent_channels must be even, got 5"):
        network(5)


@pytest.mark.parametrize("shape", [(1, 23), (24,)])
def test_another_number_of_values_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"values must be \[B, 24\] for 24 x 16 pixels, got"):
        network().decode(torch.zeros(shape), 16, 24)
