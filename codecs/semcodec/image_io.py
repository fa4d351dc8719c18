"""Image files to tensors, and tensors to PNG files."""

import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image as PillowImage
from PIL import ImageOps

from semcodec.codec import Image

_EIGHT_BIT_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")


def read_image(path: Path) -> Image:
    """Read an image file: PNG, JPEG, WebP, AVIF, TIFF, BMP, ...

    Colours are taken as sRGB (an ICC profile is ignored), grey becomes three equal channels, and
    the orientation that a camera noted is applied.

    Args:
        path: The file.

    Returns:
        uint8 ``[3, H, W]``, R, G, B.

    Raises:
        FileNotFoundError: There is no such file.
        MemoryError: The picture is too large for it.
        ValueError: The file is no image that Pillow can read, has more than 8 bits a channel,
            transparent pixels or several frames.
    """
    if not path.is_file():
        raise FileNotFoundError(f"image file must exist, got {path}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # e.g. on metadata, which are not used
            with PillowImage.open(path) as opened:
                frames = getattr(opened, "n_frames", 1)
                picture = ImageOps.exif_transpose(opened)
                picture.load()
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever their parsers meet
        reason = " ".join(str(error).split())
        raise ValueError(f"image file must be readable, got {path}: {reason}") from error
    if frames > 1 and opened.format != "MPO":  # a camera's JPEG with a preview behind it
        raise ValueError(f"image file must hold one frame, got {frames} in {path}")
    if picture.mode not in _EIGHT_BIT_MODES:
        raise ValueError(f"image must have 8 bits a channel, got mode {picture.mode} in {path}")
    if picture.has_transparency_data:
        alpha = picture.convert("RGBA").getchannel("A")
        if alpha.getextrema()[0] != 255:
            raise ValueError(f"image must be opaque, got transparent pixels in {path}")
    return from_pillow(picture)


def write_png(path: Path, image: Image) -> None:
    """Write an image uint8 ``[3, H, W]`` losslessly; the folder must exist.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "grey.png"
    >>> write_png(path, torch.full((3, 2, 4), 9, dtype=torch.uint8))
    >>> read_image(path).shape
    torch.Size([3, 2, 4])
    """
    to_pillow(image).save(path, format="PNG")


def from_pillow(picture: PillowImage.Image) -> Image:
    """A Pillow image of any 8-bit mode as uint8 ``[3, H, W]``."""
    pixels = np.array(picture.convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def to_pillow(image: Image) -> PillowImage.Image:
    """An image uint8 ``[3, H, W]`` as a Pillow image of mode RGB."""
    require_image(image)
    return PillowImage.fromarray(image.permute(1, 2, 0).contiguous().cpu().numpy())


def require_image(image: Image) -> None:
    """`ValueError` unless the tensor is uint8 ``[3, H, W]`` with at least one pixel.

    >>> require_image(torch.zeros(3, 4, 4))
    Traceback (most recent call last):
    ...
    ValueError: image must be uint8 [3, H, W], got torch.float32 [3, 4, 4]
    """
    if image.dtype != torch.uint8 or image.ndim != 3 or image.shape[0] != 3 or not image.numel():
        raise ValueError(f"image must be uint8 [3, H, W], got {image.dtype} {list(image.shape)}")
