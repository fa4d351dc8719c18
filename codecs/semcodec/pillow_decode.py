"""Decoding of untrusted JPEG and WebP bytes with Pillow."""

import io
import warnings
from typing import Literal

from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from semcodec.codec import Image
from semcodec.errors import DecodeError
from semcodec.image_io import from_pillow


def decode_with_pillow(
    data: bytes, *, kind: Literal["JPEG", "WEBP"], height: int, width: int
) -> Image:
    """Decode one opaque picture of a known size; its size is checked before its pixels.

    Args:
        data: The file.
        kind: The only format that is tried.
        height: Rows that it shall have.
        width: Columns that it shall have.

    Returns:
        uint8 ``[3, height, width]``.

    Raises:
        DecodeError: The bytes are no such picture.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on damaged metadata or a huge, thus wrong, size
            with PillowImage.open(io.BytesIO(data), formats=[kind]) as picture:
                if picture.size != (width, height):
                    raise DecodeError(
                        f"{kind} picture must be {width} x {height}, "
                        f"got {picture.width} x {picture.height}"
                    )
                if getattr(picture, "n_frames", 1) != 1 or picture.has_transparency_data:
                    raise DecodeError(f"{kind} picture must have one frame and no alpha")
                return from_pillow(picture)
    except DecodeError:
        raise
    except UnidentifiedImageError as error:
        raise DecodeError(f"{kind} data must be decodable, got a damaged header") from error
    except Exception as error:  # Pillow's parsers raise whatever damaged bytes lead them to
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DecodeError(f"{kind} data must be decodable, got: {reason}") from error
