"""BPG's colours: RGB to full-range BT.601 Y'CbCr and back, chroma halved and doubled.

All in integers with one rounding at the end, so the result depends on no library and no device.
Sources: ITU-R BT.601-7 clause 2.5 (matrix), ITU-T T.871 (JFIF) clause 7 (full range); the filters
and their roundings are those with which Bellard's bpgdec reconstructs.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

_SHIFT = 22  # fraction bits of the matrix: 255 * 2**22 still fits into 31 bits
_HALF_TAPS = (57, 17, -8, -4, 2)  # of 128, from the centre out: ten taps, symmetric
_DOUBLE_TAPS = (-1, 4, -10, 57, 18, -6, 2)  # of 64, at a quarter sample; mirrored at minus one


def rgb_to_ycbcr(image: Tensor) -> Tensor:
    """Full-range Y' = .299 R + .587 G + .114 B, Cb = (B - Y') / 1.772 + 128, Cr likewise.

    Args:
        image: uint8 ``[3, H, W]``, R, G, B.

    Returns:
        uint8 ``[3, H, W]``: Y', Cb, Cr.

    >>> red = torch.tensor([255, 0, 0], dtype=torch.uint8).reshape(3, 1, 1)
    >>> rgb_to_ycbcr(red).flatten().tolist()
    [76, 85, 255]
    """
    red, green, blue = image.to(torch.int32)
    luma = _matrix((red, green, blue), (0.299, 0.587, 0.114), offset=0)
    cb = _matrix((red, green, blue), (-0.299 / 1.772, -0.587 / 1.772, 0.886 / 1.772), offset=128)
    cr = _matrix((red, green, blue), (0.701 / 1.402, -0.587 / 1.402, -0.114 / 1.402), offset=128)
    return torch.stack((luma, cb, cr))


def ycbcr_to_rgb(planes: Tensor) -> Tensor:
    """The inverse matrix: R = Y' + 1.402 (Cr - 128), B = Y' + 1.772 (Cb - 128), G the rest.

    Args:
        planes: uint8 ``[3, H, W]``: Y', Cb, Cr.

    Returns:
        uint8 ``[3, H, W]``, R, G, B.

    >>> ycbcr_to_rgb(torch.full((3, 1, 1), 128, dtype=torch.uint8)).flatten().tolist()
    [128, 128, 128]
    """
    luma, cb, cr = planes.to(torch.int32)
    cb, cr = cb - 128, cr - 128
    red = _matrix((luma, cr), (1.0, 1.402), offset=0)
    green = _matrix((luma, cb, cr), (1.0, -0.114 * 1.772 / 0.587, -0.299 * 1.402 / 0.587), offset=0)
    blue = _matrix((luma, cb), (1.0, 1.772), offset=0)
    return torch.stack((red, green, blue))


def halve_chroma(plane: Tensor) -> Tensor:
    """Decimate by two in both directions; a chroma sample lies between four luma samples.

    Args:
        plane: uint8 ``[H, W]``; edges are replicated.

    Returns:
        uint8 ``[ceil(H / 2), ceil(W / 2)]``.

    >>> halve_chroma(torch.full((3, 4), 7, dtype=torch.uint8)).tolist()
    [[7, 7], [7, 7]]
    """
    columns = _halve_columns(plane.to(torch.int32))
    both = _halve_columns(columns.T).T
    return (both + (1 << 13) >> 14).clamp(0, 255).to(torch.uint8).contiguous()


def double_chroma(plane: Tensor, height: int, width: int) -> Tensor:
    """Interpolate by two in both directions: the counterpart of `halve_chroma`.

    Args:
        plane: uint8 ``[ceil(height / 2), ceil(width / 2)]``; edges are replicated.
        height: Rows of the result.
        width: Columns of the result.

    Returns:
        uint8 ``[height, width]``.

    >>> double_chroma(torch.tensor([[7, 7]], dtype=torch.uint8), 2, 3).tolist()
    [[7, 7, 7], [7, 7, 7]]
    """
    if tuple(plane.shape) != (-(-height // 2), -(-width // 2)):
        raise ValueError(
            f"plane must have half of {height} x {width} samples, got {list(plane.shape)}"
        )
    rows = _double_columns(plane.to(torch.int32).T).T[:height]
    both = _double_columns(rows)[:, :width]
    return (both + (1 << 11) >> 12).clamp(0, 255).to(torch.uint8).contiguous()


def _matrix(inputs: Sequence[Tensor], weights: Sequence[float], *, offset: int) -> Tensor:
    """Round(offset + sum of weight * input) in fixed point, as uint8."""
    total = torch.full_like(inputs[0], (offset << _SHIFT) + (1 << _SHIFT - 1))
    for plane, weight in zip(inputs, weights, strict=True):
        total = total + plane * round(weight * (1 << _SHIFT))
    return (total >> _SHIFT).clamp(0, 255).to(torch.uint8)


def _halve_columns(plane: Tensor) -> Tensor:
    """The ten-tap filter at every other column, times 128; int32 ``[H, ceil(W / 2)]``."""
    width = plane.shape[1]
    left = torch.arange(0, width, 2, device=plane.device)
    total = torch.zeros_like(plane[:, ::2])
    for distance, tap in enumerate(_HALF_TAPS):
        near = plane[:, (left - distance).clamp(min=0)]
        far = plane[:, (left + 1 + distance).clamp(max=width - 1)]
        total = total + tap * (near + far)
    return total


def _double_columns(plane: Tensor) -> Tensor:
    """The seven-tap filter at -1/4 and +1/4 of every column, times 64; int32 ``[H, 2 W]``."""
    width = plane.shape[1]
    column = torch.arange(width, device=plane.device)
    before, after = torch.zeros_like(plane), torch.zeros_like(plane)
    for shift, tap in enumerate(_DOUBLE_TAPS, start=-3):
        before = before + tap * plane[:, (column - shift).clamp(0, width - 1)]
        after = after + tap * plane[:, (column + shift).clamp(0, width - 1)]
    return torch.stack((before, after), dim=2).flatten(1)
