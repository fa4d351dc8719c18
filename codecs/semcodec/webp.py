"""Lossy WebP through Pillow (libwebp). Source of the container: RFC 9649, clause 2."""

import io
from dataclasses import dataclass

from semcodec.budget import best_within
from semcodec.codec import Image
from semcodec.errors import DecodeError
from semcodec.image_io import require_image, to_pillow
from semcodec.pillow_decode import decode_with_pillow

_MAX_SIDE = 16383  # 14 bits, RFC 6386 clause 9.1


@dataclass(frozen=True)
class WebP:
    """A byte codec that makes and reads WebP files: VP8 key frames, always 4:2:0.

    Attributes:
        method: libwebp's effort, 0 (fast) to 6.

    >>> import torch
    >>> image = torch.full((3, 20, 30), 100, dtype=torch.uint8)
    >>> data = WebP().encode(image, 75)
    >>> WebP().header_bytes(data), WebP().decode(data, 20, 30).shape
    (20, torch.Size([3, 20, 30]))
    """

    method: int = 6

    def __post_init__(self) -> None:
        """Refuse an effort that libwebp does not have."""
        if self.method not in range(7):
            raise ValueError(f"method must be in [0, 6], got {self.method}")

    @property
    def qualities(self) -> range:
        """Quality of libwebp from the smallest file to the best picture: 0, 1, ..., 100."""
        return range(101)

    def encode(self, image: Image, quality: int) -> bytes:
        """The WebP file of an image ``[3, H, W]``, ``quality`` from 0 to 100 (best)."""
        require_image(image)
        if quality not in self.qualities:
            raise ValueError(f"quality must be in [0, 100], got {quality}")
        if max(image.shape) > _MAX_SIDE:
            raise ValueError(f"sides must be at most {_MAX_SIDE}, got {list(image.shape[1:])}")
        out = io.BytesIO()
        to_pillow(image).save(out, format="WEBP", quality=quality, method=self.method)
        return out.getvalue()

    def encode_to_budget(self, image: Image, max_bytes: int) -> bytes:
        """The best-quality file of at most ``max_bytes``; `BudgetError` if there is none."""
        return best_within(self, image, max_bytes)

    def decode(self, data: bytes, height: int, width: int) -> Image:
        """The image ``[3, height, width]`` of a WebP file.

        Raises:
            DecodeError: It is no WebP file of that size, ends too early, or has alpha or animation.
        """
        if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
            raise DecodeError(f"WebP file must begin with RIFF....WEBP, got {data[:12].hex()}")
        return decode_with_pillow(data, kind="WEBP", height=height, width=width)

    def header_bytes(self, data: bytes) -> int:
        """Bytes before the VP8 bitstream: the RIFF header, chunks before it, its chunk header."""
        position = 12
        while data[:4] == b"RIFF" and data[8:12] == b"WEBP" and position + 8 <= len(data):
            if data[position : position + 4] in (b"VP8 ", b"VP8L"):
                return position + 8
            size = int.from_bytes(data[position + 4 : position + 8], "little")
            position += 8 + size + size % 2
        raise DecodeError("WebP file must hold a VP8 chunk, got a file without one")
