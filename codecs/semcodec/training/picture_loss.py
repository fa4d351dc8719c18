"""What a reconstructed picture is charged for: L1, mean squared error, MS-SSIM, LPIPS."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from semcodec.lpips import Lpips
from semcodec.metrics import MS_SSIM_WEIGHTS

SCALE_WEIGHTS = MS_SSIM_WEIGHTS[:4]
"""The fifth scale needs sides of 176."""

_WINDOW = 11

LEAST_SIDE = 8 * _WINDOW
"""The window of MS-SSIM must fit into the coarsest of four scales."""


@dataclass(frozen=True)
class PictureLoss:
    """Weights of the terms, each a mean over the batch.

    Attributes:
        l1: Mean absolute error of pictures in [0, 1].
        mse: Mean squared error.
        ms_ssim: 1 - MS-SSIM of four scales, of pictures clipped to [0, 1].
        lpips: LPIPS distance; needs ``metric``.
        metric: LPIPS with its weights.
    """

    l1: float = 1.0
    mse: float = 0.0
    ms_ssim: float = 0.0
    lpips: float = 0.0
    metric: Lpips | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be computed."""
        for name in ("l1", "mse", "ms_ssim", "lpips"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")
        if not self.l1 + self.mse + self.ms_ssim + self.lpips > 0:
            raise ValueError("loss must have a term with a weight above 0, got none")
        if self.lpips and self.metric is None:
            raise ValueError("lpips must come with the weights of its metric, got none")

    def __call__(self, output: Tensor, pictures: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The loss of ``output`` ``[B, 3, H, W]``, and its terms without their weights."""
        terms: dict[str, Tensor] = {}
        if self.l1:
            terms["l1"] = F.l1_loss(output, pictures)
        if self.mse:
            terms["mse"] = F.mse_loss(output, pictures)
        if self.ms_ssim:
            terms["ms_ssim"] = 1 - ms_ssim(output.clamp(0, 1), pictures)
        if self.lpips:
            assert self.metric is not None
            terms["lpips"] = self.metric.distance(pictures, output).mean()
        total = output.new_zeros(())
        for name, term in terms.items():
            total = total + getattr(self, name) * term
        return total, terms


def ms_ssim(output: Tensor, pictures: Tensor) -> Tensor:
    """MS-SSIM of four scales, mean over the batch; differentiable everywhere.

    Gaussian window of 11 x 11 with standard deviation 1.5, only where all of it lies within the
    picture; each scale is the mean of 2 x 2 pixels of the one before. A scale's mean below 1e-4
    counts as 1e-4: at 0 the derivative of a power is infinite.

    Source: Wang, Simoncelli, Bovik, "Multiscale structural similarity for image quality
    assessment", Asilomar 2003, eq. 7, with the weights of the first four scales made to add up
    to one.
    """
    if min(pictures.shape[2:]) < LEAST_SIDE:
        raise ValueError(
            f"sides must be at least {LEAST_SIDE} for ms_ssim, got {list(pictures.shape[2:])}"
        )
    total, value = sum(SCALE_WEIGHTS), output.new_ones(len(output))
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale:
            output, pictures = F.avg_pool2d(output, 2), F.avg_pool2d(pictures, 2)
        luminance, contrast = _similarity(output, pictures)
        last = scale == len(SCALE_WEIGHTS) - 1
        similarity = (luminance * contrast if last else contrast).mean((1, 2, 3))
        value = value * similarity.clamp(min=1e-4) ** (weight / total)
    return value.mean()


def _similarity(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance term and contrast-structure term of SSIM, ``[B, 3, H - 10, W - 10]``."""
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x * mean_x
    variance_y = _blur(y * y) - mean_y * mean_y
    covariance = _blur(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x * mean_x + mean_y * mean_y + c1)
    return luminance, (2 * covariance + c2) / (variance_x + variance_y + c2)


def _blur(x: Tensor) -> Tensor:
    """Windowed means, as two products with band matrices: on a CPU faster than convolutions."""
    return _band(x.shape[2]).T @ (x @ _band(x.shape[3]))


@cache
def _band(side: int) -> Tensor:
    """``[side, side - 10]``: column i holds the window from row i on."""
    offsets = torch.arange(_WINDOW) - _WINDOW // 2
    window = (-offsets.square() / (2 * 1.5**2)).exp()
    rows = torch.arange(side)[:, None] - torch.arange(side - _WINDOW + 1)
    inside = (rows >= 0) & (rows < _WINDOW)
    return torch.where(inside, (window / window.sum())[rows.clamp(0, _WINDOW - 1)], 0.0)
