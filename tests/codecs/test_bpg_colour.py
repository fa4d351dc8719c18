"""BPG's colours against their definition in floating point and against Pillow."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from semcodec.bpg.colour import double_chroma, halve_chroma, rgb_to_ycbcr, ycbcr_to_rgb

HALF = np.array([2, -4, -8, 17, 57, 57, 17, -8, -4, 2]) / 128
AFTER = np.array([-1, 4, -10, 57, 18, -6, 2]) / 64  # at a quarter sample after the centre


def rgb() -> torch.Tensor:
    return torch.from_numpy(data.astronaut()[:64, 180:260]).permute(2, 0, 1).contiguous()


def rounded(values: np.ndarray) -> np.ndarray:
    return np.clip(np.floor(values + 0.5), 0, 255)


def nearest_levels(levels: torch.Tensor, exact: np.ndarray) -> bool:
    """Within half a level, and at an exact half within the 22 fraction bits of either side."""
    return bool(np.abs(levels.numpy() - np.clip(exact, 0, 255)).max() < 0.5 + 4 * 255 / 2**23)


def noise(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def test_forward_matrix_is_bt601() -> None:
    pixels = noise(3, 200, 200)
    r, g, b = pixels.double().numpy()
    y = 0.299 * r + 0.587 * g + 0.114 * b
    expected = np.stack((y, (b - y) / 1.772 + 128, (r - y) / 1.402 + 128))
    assert nearest_levels(rgb_to_ycbcr(pixels), expected)


def test_inverse_matrix_is_bt601() -> None:
    planes = noise(3, 200, 200)
    y, cb, cr = planes.double().numpy() - np.array([0, 128, 128]).reshape(3, 1, 1)
    red, blue = y + 1.402 * cr, y + 1.772 * cb
    green = (y - 0.299 * red - 0.114 * blue) / 0.587
    assert nearest_levels(ycbcr_to_rgb(planes), np.stack((red, green, blue)))


def test_matrix_agrees_with_pillow_within_one_level() -> None:
    theirs = np.asarray(Image.fromarray(rgb().permute(1, 2, 0).numpy()).convert("YCbCr"))
    ours = rgb_to_ycbcr(rgb()).permute(1, 2, 0).numpy()
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 1


def test_grey_is_kept_exactly_and_colours_within_two_levels() -> None:
    grey = torch.arange(256, dtype=torch.uint8).expand(3, 1, 256)
    planes = rgb_to_ycbcr(grey)
    assert torch.equal(planes[0], grey[0])
    assert (planes[1:] == 128).all()
    assert torch.equal(ycbcr_to_rgb(planes), grey)
    back = ycbcr_to_rgb(rgb_to_ycbcr(noise(3, 100, 100)))
    assert (back.int() - noise(3, 100, 100).int()).abs().max() <= 2


@pytest.mark.parametrize("shape", [(16, 20), (15, 21), (1, 1), (2, 1), (3, 40)])
def test_halving_is_the_ten_tap_filter_between_the_samples(shape: tuple[int, int]) -> None:
    plane = noise(*shape)
    extended = np.pad(plane.double().numpy(), 5, mode="edge")
    expected = np.zeros((-(-shape[0] // 2), -(-shape[1] // 2)))
    for i in range(expected.shape[0]):
        for j in range(expected.shape[1]):
            window = np.pad(extended, ((0, 1), (0, 1)), mode="edge")
            window = window[2 * i + 1 : 2 * i + 11, 2 * j + 1 : 2 * j + 11]
            expected[i, j] = HALF @ window @ HALF
    assert np.array_equal(halve_chroma(plane).numpy(), rounded(expected))


@pytest.mark.parametrize("size", [(16, 20), (15, 21), (1, 1), (2, 1), (3, 40)])
def test_doubling_is_the_seven_tap_filter_at_quarter_samples(size: tuple[int, int]) -> None:
    plane = noise(-(-size[0] // 2), -(-size[1] // 2))
    extended = np.pad(plane.double().numpy(), 3, mode="edge")
    expected = np.zeros(size)
    for i in range(size[0]):
        for j in range(size[1]):
            rows, columns = (AFTER if k % 2 else AFTER[::-1] for k in (i, j))
            window = extended[i // 2 : i // 2 + 7, j // 2 : j // 2 + 7]
            expected[i, j] = rows @ window @ columns
    assert np.array_equal(double_chroma(plane, *size).numpy(), rounded(expected))


def test_chroma_of_a_photo_survives_halving_and_doubling() -> None:
    cb = rgb_to_ycbcr(rgb())[1]
    back = double_chroma(halve_chroma(cb), *cb.shape)
    replicated = cb[::2, ::2].repeat_interleave(2, 0).repeat_interleave(2, 1)
    error, naive = (float((x.double() - cb.double()).square().mean()) for x in (back, replicated))
    assert error < 0.5 * naive


def test_doubling_refuses_a_plane_of_another_size() -> None:
    with pytest.raises(ValueError, match=r"half of 8 x 8 samples, got \[4, 5\]"):
        double_chroma(noise(4, 5), 8, 8)
