"""Pictures as bytes and as numbers in [0, 1]."""

import torch
from torch import Tensor

from semcodec.codec import Image


def to_unit(image: Image) -> Tensor:
    """float32 ``[3, H, W]`` in [0, 1] of an image uint8 ``[3, H, W]``."""
    return image.float() / 255


def to_bytes(picture: Tensor) -> Image:
    """The nearest image uint8 ``[3, H, W]`` of real values; those outside [0, 1] are cut.

    >>> to_bytes(torch.tensor([-0.1, 0.5, 1.2])).tolist()
    [0, 128, 255]
    """
    return (picture.clamp(0, 1) * 255).round().to(torch.uint8)
