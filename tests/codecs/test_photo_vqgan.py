import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semcodec.photo.vqgan import Vqgan, VqganConfig

TINY = VqganConfig(width=8, latent_channels=3, factors=(1, 1, 2, 2))


def randomised(config: VqganConfig, *, seed: int) -> Vqgan:
    """A network none of whose parameters is the zero it starts as."""
    torch.manual_seed(seed)
    network = Vqgan(config).double().requires_grad_(False)
    for parameter in network.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def convolution(x: Tensor, weights: dict[str, Tensor], name: str, *, stride: int = 1) -> Tensor:
    padding = weights[f"{name}.weight"].shape[-1] // 2
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    return F.conv2d(x, weight, bias, stride=stride, padding=padding)


def norm_swish(x: Tensor, weights: dict[str, Tensor], name: str, *, group: int) -> Tensor:
    """By definition: zero mean and unit variance over each group of maps, then y sigmoid(y)."""
    groups = x.reshape(len(x), -1, group, *x.shape[2:])
    mean = groups.mean((2, 3, 4), keepdim=True)
    variance = groups.var((2, 3, 4), keepdim=True, unbiased=False)
    y = ((groups - mean) / (variance + 1e-6).sqrt()).reshape(x.shape)
    y = y * weights[f"{name}.weight"][:, None, None] + weights[f"{name}.bias"][:, None, None]
    return y * torch.sigmoid(y)


def block(x: Tensor, weights: dict[str, Tensor], name: str, *, group: int) -> Tensor:
    hidden = convolution(
        norm_swish(x, weights, f"{name}.body.0", group=group), weights, f"{name}.body.2"
    )
    hidden = convolution(
        norm_swish(hidden, weights, f"{name}.body.3", group=group), weights, f"{name}.body.5"
    )
    skip = convolution(x, weights, f"{name}.skip") if f"{name}.skip.weight" in weights else x
    return skip + hidden


def test_the_encoder_is_the_chain_written_out() -> None:
    network = randomised(replace(TINY, encoder_blocks=(1, 1, 1, 1)), seed=1)
    weights = network.encoder.state_dict()
    pictures = torch.rand(2, 3, 16, 24, dtype=torch.float64)
    x = convolution(2 * pictures - 1, weights, "0")
    x = block(x, weights, "1", group=8)
    for down, following in (("2", "3"), ("4", "5"), ("6", "7")):
        x = block(convolution(x, weights, down, stride=2), weights, following, group=8)
    expected = convolution(norm_swish(x, weights, "8", group=8), weights, "10")
    torch.testing.assert_close(network.encode(pictures), expected)
    assert "5.skip.weight" in weights  # the widths differ there, and only there
    assert "3.skip.weight" not in weights


def test_the_decoder_is_the_chain_written_out_with_nearest_neighbours() -> None:
    network = randomised(replace(TINY, decoder_blocks=(0, 1, 0, 1)), seed=2)
    weights = network.decoder.state_dict()
    latents = torch.randn(2, 3, 2, 3, dtype=torch.float64)

    def up(x: Tensor, name: str) -> Tensor:
        doubled = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return convolution(doubled, weights, f"{name}.convolution")

    x = block(convolution(latents, weights, "0"), weights, "1", group=8)
    x = block(up(up(x, "2"), "3"), weights, "4", group=8)
    x = convolution(norm_swish(up(x, "5"), weights, "6", group=8), weights, "8")
    torch.testing.assert_close(network.decode(latents), (x + 1) / 2)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (24, 8), (32, 40)])
def test_a_cell_for_each_8_by_8_pixels_of_any_size(height: int, width: int) -> None:
    network = randomised(TINY, seed=3)
    latents = network.encode(torch.rand(2, 3, height, width, dtype=torch.float64))
    assert latents.shape == (2, 3, height // 8, width // 8)
    assert network.decode(latents).shape == (2, 3, height, width)


def test_pictures_of_a_batch_do_not_see_each_other() -> None:
    network = randomised(TINY, seed=4)
    pictures = torch.rand(3, 3, 16, 16, dtype=torch.float64)
    together = network(pictures)
    apart = torch.cat([network(picture[None]) for picture in pictures])
    torch.testing.assert_close(together, apart)


def test_the_output_is_not_clipped() -> None:
    network = randomised(TINY, seed=5)
    last = network.decoder[-1]
    assert isinstance(last, nn.Conv2d)
    assert last.bias is not None
    last.weight.zero_()
    last.bias.copy_(torch.tensor([-3.0, 0.0, 3.0]))
    output = network.decode(torch.zeros(1, 3, 1, 1, dtype=torch.float64))
    assert output[0, :, 0, 0].tolist() == [-1.0, 0.5, 2.0]


def test_attention_is_the_softmax_over_all_cells() -> None:
    network = randomised(replace(TINY, attention=True), seed=6)
    weights = network.decoder.state_dict()
    latents = torch.randn(1, 3, 2, 3, dtype=torch.float64)
    x = convolution(latents, weights, "0")
    found = network.decoder[1](x)
    normed = F.group_norm(x, 2, weights["1.norm.weight"], weights["1.norm.bias"], 1e-6)
    parts = convolution(normed, weights, "1.queries_keys_values")[0].reshape(3, 16, 6)
    queries, keys, values = parts
    expected = torch.empty(16, 6, dtype=torch.float64)
    for cell in range(6):
        scores = [float(queries[:, cell] @ keys[:, other]) / math.sqrt(16) for other in range(6)]
        share = torch.tensor([math.exp(score) for score in scores], dtype=torch.float64)
        expected[:, cell] = values @ (share / share.sum())
    expected = x + convolution(expected.reshape(1, 16, 2, 3), weights, "1.last")
    torch.testing.assert_close(found, expected)


def test_attention_starts_as_nothing_and_both_sides_have_their_own() -> None:
    torch.manual_seed(7)
    network = Vqgan(replace(TINY, attention=True))
    x = torch.randn(1, 16, 2, 2)
    assert torch.equal(network.decoder[1](x), x)
    names = [name for name, _ in network.named_parameters() if "queries_keys_values.weight" in name]
    assert [name.split(".")[0] for name in names] == ["encoder", "decoder"]


def test_the_defaults_fit_into_16_megabytes_of_float16() -> None:
    count = sum(parameter.numel() for parameter in Vqgan(VqganConfig()).parameters())
    assert 1_000_000 < count < 8_000_000


def test_a_few_steps_of_adam_bring_a_picture_closer() -> None:
    torch.manual_seed(8)
    network = Vqgan(TINY)
    ramp = torch.linspace(0, 1, 16)
    picture = torch.stack([ramp.expand(16, 16), ramp.expand(16, 16).T, torch.full((16, 16), 0.3)])
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    errors = []
    for _ in range(20):
        error = F.mse_loss(network(picture[None]), picture[None])
        optimizer.zero_grad(set_to_none=True)
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.5 * errors[0]


@pytest.mark.parametrize(("height", "width"), [(12, 16), (16, 20)])
def test_sides_that_are_no_multiples_are_refused(height: int, width: int) -> None:
    with pytest.raises(ValueError, match=r"sides must be multiples of 8, got \[\d+, \d+\]"):
        Vqgan(TINY).encode(torch.rand(1, 3, height, width))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"factors": (1, 2, 4)}, r"factors must have 4 entries, got \(1, 2, 4\)"),
        ({"factors": (0, 1, 1, 1)}, "factors must be at least 1"),
        ({"width": 12}, "width must be a multiple of group 8, got 12"),
        ({"latent_channels": 0}, "latent_channels must be at least 1, got 0"),
        ({"decoder_blocks": (0, 0, 0, -1)}, "must be at least 0"),
        ({"encoder_blocks": (1, 1, 0, 1)}, "encoder_blocks must be at least 1 after a step down"),
    ],
)
def test_configurations_that_cannot_be_built_are_refused(
    change: dict[str, object], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        replace(TINY, **change)  # type: ignore[arg-type]
