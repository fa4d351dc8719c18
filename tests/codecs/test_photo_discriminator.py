import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from semcodec.photo.discriminator import PatchDiscriminator, discriminator_loss, generator_loss


def discriminator(*, width: float = 1 / 32) -> PatchDiscriminator:
    torch.manual_seed(1)
    return PatchDiscriminator(width=width)


def test_layers_are_those_of_the_paper() -> None:
    layers = list(discriminator(width=0.5).layers)
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    assert [c.kernel_size for c in convolutions] == [(4, 4)] * 5
    assert [c.stride[0] for c in convolutions] == [2, 2, 2, 1, 1]
    assert [c.out_channels for c in convolutions] == [32, 64, 128, 256, 1]
    kinds = "".join(type(layer).__name__[0] for layer in layers)
    assert kinds == "CL" + "CBL" * 3 + "C"


def test_each_logit_sees_a_patch_of_70_pixels() -> None:
    pictures = torch.rand(1, 3, 24, 160, requires_grad=True)
    logits = discriminator().eval()(pictures)
    assert logits.shape == (1, 1, 1, 18)
    (gradient,) = torch.autograd.grad(logits[0, 0, 0, 9], pictures)
    columns = gradient.abs().sum((0, 1, 2)).nonzero()[:, 0]
    assert int(columns.max()) - int(columns.min()) + 1 == 70


@pytest.mark.parametrize(("height", "width"), [(24, 24), (64, 128)])
def test_number_of_patches(height: int, width: int) -> None:
    logits = discriminator()(torch.rand(2, 3, height, width))
    assert logits.shape == (2, 1, height // 8 - 2, width // 8 - 2)


def test_losses_are_the_cross_entropies_of_torch_and_of_the_equation() -> None:
    generator = torch.Generator().manual_seed(2)
    real = 3 * torch.randn(4, 1, 5, 6, generator=generator)
    fake = 3 * torch.randn(4, 1, 5, 6, generator=generator)
    bce = F.binary_cross_entropy_with_logits
    both = (bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))) / 2
    assert torch.allclose(discriminator_loss(real, fake_logits=fake), both)
    assert torch.allclose(generator_loss(fake), bce(fake, torch.ones_like(fake)))
    d_real, d_fake = real.double().sigmoid(), fake.double().sigmoid()
    equation = d_real.log().mean() + (1 - d_fake).log().mean()
    assert float(discriminator_loss(real, fake_logits=fake)) == pytest.approx(-float(equation) / 2)


def test_sure_logits_are_finite_and_push_the_generator() -> None:
    sure = torch.tensor([1000.0])
    assert float(discriminator_loss(sure, fake_logits=-sure)) == 0.0
    assert float(discriminator_loss(-sure, fake_logits=sure)) == 1000.0
    fake = torch.tensor([-50.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(generator_loss(fake), fake)
    assert float(gradient) == pytest.approx(-1.0)  # log(1 - D) would give e^-50


def test_it_learns_to_tell_noise_from_smooth_pictures() -> None:
    made = discriminator()
    generator = torch.Generator().manual_seed(3)
    optimizer = torch.optim.Adam(made.parameters(), lr=5e-3)
    losses = []
    for _ in range(20):
        real = torch.rand(4, 3, 1, 1, generator=generator).expand(4, 3, 32, 32)
        fake = torch.rand(4, 3, 32, 32, generator=generator)
        loss = discriminator_loss(made(real), fake_logits=made(fake))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * math.log(2)


def test_a_width_without_whole_channels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"width must be a positive multiple of 1/64, got 0.01"):
        PatchDiscriminator(width=0.01)
