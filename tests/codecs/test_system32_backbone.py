"""Encoder and decoder that the systems share."""

import pytest
import torch

from semcodec.system32.backbone import STRIDE, Backbone


def _backbone(width: int = 8, channels: int = 4, *, bounded: bool = False) -> Backbone:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return Backbone(width, channels, bounded=bounded)


def _pictures(count: int = 2, height: int = 16, width: int = 24) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("channels", [1, 4, 6])
def test_a_cell_is_four_pixels_wide(channels: int) -> None:
    backbone, pictures = _backbone(channels=channels), _pictures()
    latents = backbone.encode(pictures)
    assert latents.shape == (2, channels, 16 // STRIDE, 24 // STRIDE)
    assert backbone.decode(latents).shape == pictures.shape


def test_bounded_latents_lie_inside_one() -> None:
    plain, bounded = _backbone(), _backbone(bounded=True)
    with torch.no_grad():
        for backbone in (plain, bounded):
            backbone.to_latents.weight *= 300
    latents = plain.encode(_pictures())
    assert float(latents.detach().abs().max()) > 2
    assert torch.allclose(bounded.encode(_pictures()), latents.tanh())
    assert float(bounded.encode(_pictures()).detach().abs().max()) <= 1


def test_every_parameter_takes_part() -> None:
    backbone, pictures = _backbone(), _pictures()
    loss = (backbone.decode(backbone.encode(pictures)) - pictures).square().mean()
    loss.backward()
    for name, parameter in backbone.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.abs().max() > 0), name


def test_the_layers_are_those_of_the_paper() -> None:
    """Two 4 x 4 convolutions of stride 2, two blocks of 3 x 3 and 1 x 1, and their mirror image."""
    backbone = _backbone(width=64)
    shapes = {k: tuple(t.shape) for k, t in backbone.state_dict().items() if t.dim() == 4}
    expected = {
        "encoder.0.weight": (32, 3, 4, 4),
        "encoder.2.weight": (64, 32, 4, 4),
        "encoder.4.weight": (64, 64, 3, 3),
        "encoder.5.body.1.weight": (32, 64, 3, 3),
        "encoder.5.body.3.weight": (64, 32, 1, 1),
        "to_latents.weight": (4, 64, 1, 1),
        "decoder.3.weight": (64, 32, 4, 4),
        "decoder.5.weight": (32, 3, 4, 4),
    }
    assert {name: shapes[name] for name in expected} == expected


@pytest.mark.parametrize("width", [0, 1, 7, -2])
def test_unfit_widths_are_refused(width: int) -> None:
    with pytest.raises(ValueError, match=f"^width must be even and at least 2, got {width}$"):
        Backbone(width, 4, bounded=False)
