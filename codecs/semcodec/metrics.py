"""How close a received image is to the one sent: PSNR, SSIM, MS-SSIM.

Each compares two uint8 images ``[3, H, W]`` with peak value 255 and returns a float, computed in
float64 and summed as integers, so that it does not depend on the number of threads.

SSIM is written here to be the one that its paper defines and scikit-image computes: torchmetrics
also averages over a border where the window hangs over reflected samples, which moves the value, by
much on a 32 x 32 image.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from semcodec.codec import Image
from semcodec.image_io import require_image

_RADIUS = 5  # of the 11-tap window
_DEVIATION = 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang 2003, clause 3.2


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
    whole window lies within the image.

    Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to
    structural similarity", IEEE Trans. Image Process. 13 (2004), eq. 13.

    Raises:
        ValueError: The images differ in size, or a side is below 11.

    >>> ramp = torch.arange(768, dtype=torch.int32).reshape(3, 16, 16).to(torch.uint8)
    >>> ssim(ramp, ramp)
    1.0
    """
    _require_pair(reference, image, min_side=2 * _RADIUS + 1)
    pairs = zip(reference.double(), image.double(), strict=True)
    return sum(_similarity(x, y)[0] for x, y in pairs) / 3


def ms_ssim(reference: Image, image: Image) -> float:
    """Structural similarity on five scales, each half the one before; 1 for identical images.

    Per channel, the product of the mean contrast-structure terms of the scales 1 to 4 and of the
    mean SSIM of scale 5, each to the power of its weight (0.0448, 0.2856, 0.3001, 0.2363, 0.1333),
    negative means counting as zero; then the mean over R, G, B. The last row or column of an odd
    side is doubled before halving.

    Source: Wang, Simoncelli, Bovik, "Multiscale structural similarity for image quality
    assessment", Asilomar 2003, eq. 7.

    Raises:
        ValueError: The images differ in size, or a side is at most 160: the window would not fit
            into the coarsest scale.

    >>> ms_ssim(*torch.zeros(2, 3, 161, 161, dtype=torch.uint8))
    1.0
    """
    scales = len(_SCALE_WEIGHTS)
    _require_pair(reference, image, min_side=2 * _RADIUS * 2 ** (scales - 1) + 1)
    total = 0.0
    for x, y in zip(reference.double(), image.double(), strict=True):
        product = 1.0
        for scale, weight in enumerate(_SCALE_WEIGHTS):
            if scale:
                x, y = _halve(x), _halve(y)
            similarity, contrast = _similarity(x, y)
            term = contrast if scale < scales - 1 else similarity
            product *= max(term, 0.0) ** weight
        total += product
    return total / 3


def _similarity(x: Tensor, y: Tensor) -> tuple[float, float]:
    """Mean SSIM and mean contrast-structure term of two channels ``[H, W]``."""
    mean_x, mean_y = _smooth(x), _smooth(y)
    xx, yy, xy = mean_x * mean_x, mean_y * mean_y, mean_x * mean_y
    variances = _smooth(x * x + y * y) - xx - yy
    covariance = _smooth(x * y) - xy
    contrast = (2 * covariance + _C2) / (variances + _C2)
    luminance = (2 * xy + _C1) / (xx + yy + _C1)
    return _mean(luminance * contrast), _mean(contrast)


def _mean(values: Tensor) -> float:
    """The mean of values in [-1, 1], each rounded to 2**-32: a sum that no order changes."""
    return int((values * 2**32).round().to(torch.int64).sum()) / (values.numel() * 2**32)


def _smooth(plane: Tensor) -> Tensor:
    """The Gaussian mean of every whole window: ``[H, W]`` becomes ``[H - 10, W - 10]``."""
    taps = [math.exp(-0.5 * (k / _DEVIATION) ** 2) for k in range(_RADIUS + 1)]
    scale = taps[0] + 2 * sum(taps[1:])
    taps = [tap / scale for tap in taps]
    return _smooth_columns(_smooth_columns(plane, taps).T, taps).T


def _smooth_columns(plane: Tensor, taps: Sequence[float]) -> Tensor:
    """The symmetric filter, ``taps`` from its centre out, along the first axis."""
    rows = plane.shape[0] - 2 * _RADIUS
    total = taps[0] * plane[_RADIUS : _RADIUS + rows]
    for distance in range(1, _RADIUS + 1):
        above, below = _RADIUS - distance, _RADIUS + distance
        total += taps[distance] * (plane[above : above + rows] + plane[below : below + rows])
    return total


def _halve(plane: Tensor) -> Tensor:
    """Means of 2 x 2 samples: ``[H, W]`` becomes ``[ceil(H / 2), ceil(W / 2)]``."""
    height, width = plane.shape
    even = pad(plane[None, None], (0, width % 2, 0, height % 2), mode="replicate")
    return avg_pool2d(even, 2)[0, 0]


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
