"""How close a received image is to the one sent: PSNR, SSIM, MS-SSIM.

Each compares two uint8 images ``[3, H, W]`` with peak value 255 and returns a float.

SSIM is scikit-image's, with the settings of its paper. torchmetrics' SSIM also averages over a
border where the window hangs over reflected samples (the photograph `astronaut` with noise of
standard deviation 8: 0.7099 instead of 0.7135), which moves the value by much on a picture of
32 x 32. MS-SSIM has torchmetrics' definition, where the same border changes little (0.9661 instead
of 0.9662), but filters rows, then columns, which is faster. Both import what they need when
first used.
"""

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from semcodec.codec import Image
from semcodec.image_io import require_image

Samples: TypeAlias = npt.NDArray[np.floating[Any]]

_WINDOW = 11
_RADIUS = _WINDOW // 2
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of the scales, the finest first (Wang et al., 2003)."""
MS_SSIM_SIDE = 16 * _WINDOW
"""The window must fit into the coarsest of the five scales."""


def mse(reference: Image, image: Image) -> float:
    """Mean squared error over all samples of all channels, in squared 8-bit levels.

    The sum is one of integers, so the value is exact up to the final division.

    >>> black = torch.zeros(3, 2, 2, dtype=torch.uint8)
    >>> mse(black, black + 5)
    25.0
    """
    _require_pair(reference, image)
    difference = reference.to(torch.int64) - image.to(torch.int64)
    return int((difference * difference).sum()) / difference.numel()


def psnr(reference: Image, image: Image) -> float:
    """Peak signal-to-noise ratio, 10 log10(255**2 / mse), in dB.

    Identical images give ``math.inf``. A mean over images that contains one is infinite too: a
    caller who averages bounds each value first, by convention at 100 dB, and says so.

    >>> black = torch.zeros(3, 2, 2, dtype=torch.uint8)
    >>> round(psnr(black, black + 5), 4), psnr(black, black)
    (34.1514, inf)
    """
    error = mse(reference, image)
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(reference: Image, image: Image) -> float:
    """Structural similarity, the mean over pixels and R, G, B; 1 for identical images.

    Gaussian window of 11 x 11 with standard deviation 1.5, K1 = 0.01, K2 = 0.03, only where the
    whole window lies within the image (scikit-image).

    Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to
    structural similarity", IEEE Trans. Image Process. 13 (2004), eq. 13.

    Raises:
        ValueError: The images differ in size, or a side is below 11.

    >>> ramp = torch.arange(768, dtype=torch.int32).reshape(3, 16, 16).to(torch.uint8)
    >>> ssim(ramp, ramp)
    1.0
    """
    from skimage.metrics import structural_similarity

    _require_pair(reference, image, min_side=_WINDOW)
    value = structural_similarity(  # type: ignore[no-untyped-call]
        reference.cpu().numpy(),
        image.cpu().numpy(),
        channel_axis=0,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return float(value)


def ms_ssim(reference: Image, image: Image) -> float:
    """Structural similarity on five scales, each half the one before; 1 for identical images.

    Gaussian window of 11 x 11 with standard deviation 1.5, K1 = 0.01, K2 = 0.03; contrast and
    structure where the whole window lies within the image, luminance with them on the coarsest
    scale, where the image is mirrored at its border. A negative mean counts as zero.

    Source: Wang, Simoncelli, Bovik, "Multiscale structural similarity for image quality
    assessment", Asilomar 2003, eq. 7.

    Raises:
        ValueError: The images differ in size, or a side is below 176.

    >>> round(ms_ssim(*torch.zeros(2, 3, 176, 176, dtype=torch.uint8)), 6)
    1.0
    """
    _require_pair(reference, image, min_side=MS_SSIM_SIDE)
    x: Samples = reference.cpu().numpy().astype(np.float32) / 255
    y: Samples = image.cpu().numpy().astype(np.float32) / 255
    value = 1.0
    for weight in MS_SSIM_WEIGHTS[:-1]:
        _, contrast = _similarity(x, y)
        inside = contrast[:, _RADIUS:-_RADIUS, _RADIUS:-_RADIUS]
        value *= max(float(inside.mean()), 0) ** weight
        x, y = _halved(x), _halved(y)
    luminance, contrast = _similarity(x, y)
    return float(value * max(float((luminance * contrast).mean()), 0) ** MS_SSIM_WEIGHTS[-1])


def _similarity(x: Samples, y: Samples) -> tuple[Samples, Samples]:
    """Luminance, and contrast with structure, at each pixel ``[3, H, W]``."""
    from scipy.ndimage import gaussian_filter

    mean_x, mean_y, square_x, square_y, product = gaussian_filter(
        np.stack([x, y, x * x, y * y, x * y]),
        sigma=1.5,
        radius=_RADIUS,
        mode="mirror",
        axes=(-2, -1),
    )
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    variances = np.maximum(square_x - mean_x**2, 0) + np.maximum(square_y - mean_y**2, 0)
    return luminance, (2 * (product - mean_x * mean_y) + c2) / (variances + c2)


def _halved(x: Samples) -> Samples:
    """Means of 2 x 2 pixels; an odd last row or column is left out."""
    even = x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2]
    return (even[:, ::2, ::2] + even[:, ::2, 1::2] + even[:, 1::2, ::2] + even[:, 1::2, 1::2]) / 4


def _require_pair(reference: Image, image: Image, *, min_side: int = 1) -> None:
    require_image(reference)
    require_image(image)
    if reference.shape != image.shape:
        raise ValueError(
            f"image must be of the size of the reference, {list(reference.shape)}, "
            f"got {list(image.shape)}"
        )
    if min(image.shape[1:]) < min_side:
        raise ValueError(f"sides must be at least {min_side}, got {list(image.shape[1:])}")
