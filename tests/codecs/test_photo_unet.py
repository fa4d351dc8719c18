from collections.abc import Mapping

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from semcodec.photo.unet import (
    DECODER_CONTEXT,
    ENCODER_CONTEXT,
    STRIDE,
    UNetConfig,
    UNetDecoder,
    UNetEncoder,
)

TINY = 1 / 64
ALL = (1, 2, 3, 4)


def encoder(scales: tuple[int, ...] = ALL, *, width: float = TINY) -> UNetEncoder:
    torch.manual_seed(1)
    return UNetEncoder(UNetConfig(scales, width)).eval()


def decoder(scales: tuple[int, ...] = ALL, *, width: float = TINY) -> UNetDecoder:
    torch.manual_seed(2)
    return UNetDecoder(UNetConfig(scales, width)).eval()


def features(scales: tuple[int, ...], height: int, width: int) -> list[Tensor]:
    channels = UNetConfig(scales, TINY).channels
    generator = torch.Generator().manual_seed(3)
    return [
        torch.randn(2, channels[s - 1], height >> s, width >> s, generator=generator)
        for s in scales[::-1]
    ]


@pytest.mark.parametrize("scales", [(4,), (2, 3, 4), (1, 4), ALL])
def test_scales_come_coarse_to_fine_and_go_back_to_the_picture(scales: tuple[int, ...]) -> None:
    with torch.no_grad():
        found = encoder(scales)(torch.rand(2, 3, 32, 48))
        picture = decoder(scales)(found)
    assert [f.shape for f in found] == [f.shape for f in features(scales, 32, 48)]
    assert picture.shape == (2, 3, 32, 48)


def test_a_scale_that_is_not_sent_has_no_channels_in_the_decoder() -> None:
    sent, without = decoder(ALL), decoder((2, 4))
    inputs = {
        scale: (sent.up[scale][0].body[0].in_channels, without.up[scale][0].body[0].in_channels)  # type: ignore[index, union-attr]
        for scale in ("4", "3", "2", "1")
    }
    # own c_l / 2, and c_l received; scale 4 is where the decoder begins
    assert inputs == {"4": (8, 8), "3": (4 + 8, 4), "2": (2 + 4, 2 + 4), "1": (1 + 2, 1)}


def conv(x: Tensor, w: Mapping[str, Tensor], name: str, *, stride: int = 1) -> Tensor:
    return F.conv2d(x, w[f"{name}.weight"], w.get(f"{name}.bias"), stride=stride, padding=1)


def norm_prelu(x: Tensor, w: Mapping[str, Tensor], norm: str, slope: str) -> Tensor:
    scale = w[f"{norm}.weight"] / (w[f"{norm}.running_var"] + 1e-5).sqrt()
    shift = w[f"{norm}.bias"] - w[f"{norm}.running_mean"] * scale
    y = x * scale[:, None, None] + shift[:, None, None]
    return y.clamp(min=0) + w[f"{slope}.weight"] * y.clamp(max=0)


def residual(x: Tensor, w: Mapping[str, Tensor], name: str) -> Tensor:
    y = norm_prelu(conv(x, w, f"{name}.body.0"), w, f"{name}.body.1", f"{name}.body.2")
    return x + conv(y, w, f"{name}.body.3")


def shake_statistics(network: torch.nn.Module) -> dict[str, Tensor]:
    """Random statistics and factors in the place of zeros and ones."""
    generator = torch.Generator().manual_seed(4)
    state = network.state_dict()
    for tensor in state.values():
        if tensor.ndim == 1 and tensor.is_floating_point():
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
    return state


def test_encoder_is_the_papers_sequence_of_layers() -> None:
    network = encoder((1, 2, 3, 4))
    w = shake_statistics(network)
    pictures = torch.rand(2, 3, 32, 16)
    stem = conv(pictures - 0.5, w, "stem.0")
    x = stem.clamp(min=0) + w["stem.1.weight"] * stem.clamp(max=0)
    expected = []
    for i in range(4):
        x = residual(x, w, f"down.{i}.0")
        x = conv(x, w, f"down.{i}.1", stride=2)
        x = residual(x, w, f"down.{i}.2")
        x = norm_prelu(x, w, f"down.{i}.3", f"down.{i}.4")
        x = conv(x, w, f"down.{i}.5")
        expected.insert(0, x)
    with torch.no_grad():
        for found, wanted in zip(network(pictures), expected, strict=True):
            assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))


def test_decoder_is_the_papers_sequence_of_layers() -> None:
    network = decoder((1, 3, 4))
    w = shake_statistics(network)
    given = features((1, 3, 4), 32, 16)
    start = conv(given[0], w, "start.0")
    x = start.clamp(min=0) + w["start.1.weight"] * start.clamp(max=0)
    for scale, extra in ((4, None), (3, given[1]), (2, None), (1, given[2])):
        x = x if extra is None else torch.cat([x, extra], 1)
        x = residual(x, w, f"up.{scale}.0")
        # a transposed convolution by definition: zeros between the cells, then the flipped kernel
        spread = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
        spread[..., ::2, ::2] = x
        kernel = w[f"up.{scale}.1.weight"].transpose(0, 1).flip(2, 3)
        x = F.conv2d(spread, kernel, w[f"up.{scale}.1.bias"], padding=1)
        x = norm_prelu(conv(x, w, f"up.{scale}.2"), w, f"up.{scale}.3", f"up.{scale}.4")
    x = F.conv2d(x, w["last.weight"].transpose(0, 1).flip(2, 3), w["last.bias"], padding=1) + 0.5
    with torch.no_grad():
        found = network(given)
    assert torch.allclose(found, x, rtol=1e-4, atol=1e-4 * float(x.abs().max()))


def reach(gradient: Tensor, first: int, last: int) -> int:
    """How far the columns of a gradient's support lie from the columns ``first..last``."""
    columns = gradient.abs().sum((0, 1, 2)).nonzero()[:, 0]
    return max(first - int(columns.min()), int(columns.max()) - last)


def test_contexts_cover_the_receptive_fields_and_are_tight() -> None:
    pictures = torch.rand(1, 3, 16, 368, requires_grad=True)
    middle = encoder()(pictures)[0][..., 11].sum()  # scale 4, pixels 176 to 191
    (gradient,) = torch.autograd.grad(middle, pictures)
    assert ENCODER_CONTEXT - STRIDE < reach(gradient, 176, 191) <= ENCODER_CONTEXT

    given = [f[:1].requires_grad_() for f in features(ALL, 16, 368)]
    pixels = decoder()(given)[..., 176:192].sum()
    gradients = torch.autograd.grad(pixels, given)
    cells = [reach(g, 176 >> s, 191 >> s) << s for g, s in zip(gradients, ALL[::-1], strict=True)]
    assert max(cells) <= DECODER_CONTEXT
    assert max(cells) >= DECODER_CONTEXT - STRIDE


def test_training_moves_the_statistics_that_evaluation_uses_and_exports() -> None:
    network = encoder((4,))
    pictures = torch.rand(4, 3, 32, 32)
    before = {n: t.clone() for n, t in network.state_dict().items() if "running" in n}
    network.train()(pictures)
    after = network.state_dict()
    assert len(before) == 4 * 3 * 2  # four blocks of three normalisations
    assert all(not torch.equal(after[name], tensor) for name, tensor in before.items())
    with torch.no_grad():
        network.eval()
        alone, together = network(pictures[:1])[0], network(pictures)[0]
    assert torch.allclose(alone, together[:1], atol=1e-6)  # no other picture of the batch matters


def test_the_default_is_small_enough_to_ship() -> None:
    config = UNetConfig()
    state = [*UNetEncoder(config).state_dict().values(), *UNetDecoder(config).state_dict().values()]
    assert 8e6 < 2 * sum(t.numel() for t in state) < 16e6  # bytes as float16


@pytest.mark.parametrize("scales", [(), (1, 2, 3), (4, 3), (2, 2, 4), (0, 4), (3, 4, 5)])
def test_scales_without_4_or_out_of_order_are_refused(scales: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"scales must rise, lie in 1..4 and end in 4, got \("):
        UNetConfig(scales)


@pytest.mark.parametrize("width", [0, -0.25, 0.3])
def test_widths_that_give_no_whole_channels_are_refused(width: float) -> None:
    with pytest.raises(
        ValueError, match=rf"width must be a positive multiple of 1/64, got {width}"
    ):
        UNetConfig(width=width)


def test_features_of_another_number_of_scales_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        decoder((2, 4))(features((4,), 32, 32))
