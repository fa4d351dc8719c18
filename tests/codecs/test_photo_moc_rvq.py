import json
from dataclasses import asdict, replace

import pytest
import torch

from semcodec.photo.moc_rvq import MocRvqConfig, MocRvqNetwork
from semcodec.photo.noise_reduction import NoiseReductionConfig
from semcodec.photo.vqgan import VqganConfig

TINY = MocRvqConfig(
    VqganConfig(width=8, latent_channels=8, factors=(1, 1, 1, 1)),
    levels=3,
    heads=2,
    noise_reduction=NoiseReductionConfig(8, width=8, depth=1, layers=1, heads=1, window=4),
)


def network(*, seed: int = 1) -> MocRvqNetwork:
    torch.manual_seed(seed)
    built = MocRvqNetwork(TINY).requires_grad_(False)
    assert built.noise_reduction is not None
    built.noise_reduction.last.weight.normal_(std=0.3)
    return built


def pictures(height: int, width: int) -> torch.Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize(("height", "width"), [(16, 24), (8, 8), (1, 1), (17, 30)])
def test_any_size_is_padded_and_cut_back(height: int, width: int) -> None:
    system = network()
    indices = system.encode(pictures(height, width))
    assert indices.shape == (2, 3, 2, -(-height // 8), -(-width // 8))
    assert indices.dtype == torch.int64
    assert system.decode(indices, height, width).shape == (2, 3, height, width)


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_encode_and_decode_are_the_two_halves_of_a_forward_pass(levels: int) -> None:
    system, images = network(), pictures(16, 24)
    output = system(images, levels=levels)
    indices = system.encode(images, levels=levels)
    assert torch.equal(indices, output.quantized.indices)
    assert torch.equal(indices, system.encode(images)[:, :levels])
    torch.testing.assert_close(system.decode(indices, 16, 24), output.pictures)


def test_the_gradient_reaches_the_encoder_through_the_quantisation() -> None:
    system, images = network().requires_grad_(), pictures(16, 16)
    output = system(images, levels=torch.tensor([1, 3]))
    (output.pictures - images).square().mean().backward()
    first = next(system.autoencoder.encoder.parameters())
    assert first.grad is not None
    assert float(first.grad.abs().max()) > 0


def test_refining_is_the_block_and_then_equation_9() -> None:
    system, images = network(), pictures(16, 24)
    indices = system.encode(images, levels=2)
    retrieved = system.quantizer.lookup(indices)
    refined = system.refine(retrieved)
    again = system.quantizer.quantize(refined, levels=2).vectors
    expected = system.autoencoder.decode(again)
    assert torch.equal(system.decode(indices, 16, 24, refine=True), expected)
    assert not torch.equal(again, retrieved)
    assert not torch.equal(expected, system.decode(indices, 16, 24))


def test_displacement_is_the_distance_of_two_words_of_one_codebook() -> None:
    system = network()
    draw = torch.Generator().manual_seed(3)
    sent, received = torch.randint(8, (2, 2, 2, 2, 3, 4), generator=draw)
    moved = system.displacement(sent, received)
    assert moved.shape == sent.shape
    for place in [(0, 0, 0, 0, 0), (1, 0, 1, 2, 3), (0, 1, 0, 1, 2), (1, 1, 1, 2, 0)]:
        words = system.quantizer.codewords[place[1], place[2]]
        expected = (words[sent[place]] - words[received[place]]).norm()
        torch.testing.assert_close(moved[place], expected)
    assert bool((system.displacement(sent, sent) == 0).all())


def test_bits_of_a_cell_are_the_papers_48_at_four_levels() -> None:
    assert MocRvqConfig().bits_per_cell == 48  # 8 symbols of 64-QAM, CBR 8 / (64 * 3) = 1/24
    assert replace(MocRvqConfig(), levels=1).bits_per_cell == 12


@pytest.mark.parametrize("config", [TINY, MocRvqConfig()])
def test_a_config_survives_json(config: MocRvqConfig) -> None:
    assert MocRvqConfig.read(**json.loads(json.dumps(asdict(config)))) == config


def test_a_block_of_other_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="must have the 32 channels of the latents, got 31"):
        replace(MocRvqConfig(), noise_reduction=NoiseReductionConfig(channels=31))


def test_heads_that_do_not_divide_the_latents_are_refused() -> None:
    with pytest.raises(ValueError, match="heads must divide channels 8, got 3"):
        MocRvqNetwork(replace(TINY, heads=3))


def test_a_grid_of_another_size_is_refused() -> None:
    system = network()
    indices = system.encode(pictures(16, 24))
    with pytest.raises(ValueError, match=r"indices must be \[..., 3, 3\] for 24 x 24 pixels, got"):
        system.decode(indices, 24, 24)


def test_refining_without_a_block_is_refused() -> None:
    torch.manual_seed(4)
    system = MocRvqNetwork(replace(TINY, noise_reduction=None))
    indices = system.encode(pictures(8, 8))
    with pytest.raises(ValueError, match="noise_reduction must be part of the network's config"):
        system.decode(indices, 8, 8, refine=True)
