"""PSNR, SSIM and MS-SSIM against scikit-image, SciPy and closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from semcodec.metrics import ms_ssim, mse, psnr, ssim

C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def photo(height: int, width: int) -> torch.Tensor:
    crop = data.chelsea()[:height, :width]
    return torch.from_numpy(crop.copy()).permute(2, 0, 1).contiguous()


def noisy(image: torch.Tensor, deviation: float) -> torch.Tensor:
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(8))
    return (image.float() + deviation * noise).round().clamp(0, 255).to(torch.uint8)


def constant(level: int, side: int) -> torch.Tensor:
    return torch.full((3, side, side), level, dtype=torch.uint8)


def similarity(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Mean SSIM and contrast-structure term by SciPy's filter, borders cut off."""

    def smooth(plane: np.ndarray) -> np.ndarray:
        return gaussian_filter(plane, 1.5, truncate=3.5)[5:-5, 5:-5]

    mean_x, mean_y = smooth(x), smooth(y)
    var_x, var_y = smooth(x * x) - mean_x**2, smooth(y * y) - mean_y**2
    contrast = (2 * (smooth(x * y) - mean_x * mean_y) + C2) / (var_x + var_y + C2)
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    return float((luminance * contrast).mean()), float(contrast.mean())


def halved(plane: np.ndarray) -> np.ndarray:
    even = np.pad(plane, [(0, side % 2) for side in plane.shape], mode="edge")
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4


@pytest.mark.parametrize("deviation", [1, 10, 60])
def test_psnr_and_ssim_agree_with_scikit_image(deviation: float) -> None:
    x = photo(90, 131)
    y = noisy(x, deviation)
    assert psnr(x, y) == pytest.approx(
        peak_signal_noise_ratio(x.numpy(), y.numpy(), data_range=255), abs=1e-10
    )
    theirs = structural_similarity(
        x.numpy(), y.numpy(), channel_axis=0, data_range=255,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip
    assert ssim(x, y) == pytest.approx(theirs, abs=1e-9)
    pairs = zip(x.double().numpy(), y.double().numpy(), strict=True)
    by_definition = np.mean([similarity(a, b)[0] for a, b in pairs])
    assert ssim(x, y) == pytest.approx(by_definition, abs=1e-9)


@pytest.mark.parametrize("size", [(192, 176), (179, 201)])
@pytest.mark.parametrize("deviation", [5, 40])
def test_ms_ssim_is_the_product_over_five_scales(size: tuple[int, int], deviation: float) -> None:
    x = photo(*size)
    y = noisy(x, deviation)
    products = []
    for a, b in zip(x.double().numpy(), y.double().numpy(), strict=True):
        terms = []
        for _ in range(4):
            terms.append(similarity(a, b)[1])
            a, b = halved(a), halved(b)
        terms.append(similarity(a, b)[0])
        products.append(math.prod(t**w for t, w in zip(terms, WEIGHTS, strict=True)))
    assert ms_ssim(x, y) == pytest.approx(np.mean(products), abs=0.01)


@pytest.mark.parametrize("size", [(192, 176), (179, 201)])
@pytest.mark.parametrize("deviation", [5, 40, 200])
def test_ms_ssim_is_that_of_torchmetrics(size: tuple[int, int], deviation: float) -> None:
    x = photo(*size)
    y = noisy(x, deviation)
    theirs = multiscale_structural_similarity_index_measure(
        y[None] / 255, x[None] / 255, data_range=1.0
    )
    assert ms_ssim(x, y) == pytest.approx(float(theirs), abs=2e-6)


def test_closed_forms_of_constant_images() -> None:
    x, y = constant(100, 176), constant(120, 176)
    luminance = (2 * 100 * 120 + C1) / (100**2 + 120**2 + C1)
    assert mse(x, y) == 400
    assert psnr(x, y) == pytest.approx(10 * math.log10(65025 / 400), abs=1e-12)
    assert ssim(x, y) == pytest.approx(luminance, abs=1e-9)
    assert ms_ssim(x, y) == pytest.approx(luminance**0.1333, abs=1e-4)


def test_identical_images() -> None:
    x = photo(176, 176)
    assert (mse(x, x), psnr(x, x), ssim(x, x), ms_ssim(x, x)) == (0, math.inf, 1, 1)


def test_an_anticorrelated_image_has_no_multiscale_similarity() -> None:
    x = photo(176, 176)
    assert ssim(x, 255 - x) < 0.5
    assert ms_ssim(x, 255 - x) == 0


def test_metrics_are_symmetric_and_fall_with_noise() -> None:
    x = photo(176, 180)
    for metric in (psnr, ssim, ms_ssim):
        values = [metric(x, noisy(x, deviation)) for deviation in (2, 8, 32)]
        assert values == sorted(values, reverse=True)
        assert metric(noisy(x, 8), x) == values[1]


def test_metrics_do_not_depend_on_the_number_of_threads() -> None:
    x = photo(290, 300)
    y = noisy(x, 20)
    threads = torch.get_num_threads()
    values = []
    for count in (1, 2):
        torch.set_num_threads(count)
        values.append((psnr(x, y), ssim(x, y), ms_ssim(x, y)))
    torch.set_num_threads(threads)
    assert values[0] == values[1]


def test_layout_in_memory_does_not_matter() -> None:
    x = photo(176, 181)
    y = noisy(x, 20)
    strided = y.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    assert (ssim(x, strided), ms_ssim(x, strided)) == (ssim(x, y), ms_ssim(x, y))


def test_metrics_refuse_other_images() -> None:
    x = photo(32, 32)
    with pytest.raises(
        ValueError, match=r"size of the reference, \[3, 32, 32\], got \[3, 32, 31\]"
    ):
        psnr(x, x[:, :, :31])
    with pytest.raises(ValueError, match="image must be uint8"):
        mse(x, x.float())
    with pytest.raises(ValueError, match=r"sides must be at least 11, got \[32, 10\]"):
        ssim(x[:, :, :10], x[:, :, :10])
    with pytest.raises(ValueError, match=r"sides must be at least 176, got \[175, 200\]"):
        ms_ssim(photo(175, 200), photo(175, 200))
