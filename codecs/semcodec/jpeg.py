"""Baseline JPEG through Pillow (libjpeg-turbo), with Huffman tables made for each picture.

Source of the marker syntax: ITU-T T.81, annex B.
"""

import io
from dataclasses import dataclass
from typing import Literal

from semcodec.budget import best_within
from semcodec.codec import Image
from semcodec.errors import DecodeError
from semcodec.image_io import require_image, to_pillow
from semcodec.pillow_decode import decode_with_pillow

_START = b"\xff\xd8"
_SOS = 0xDA
_STANDALONE = (0x01, *range(0xD0, 0xD9))  # TEM, RST, SOI: markers without a length


@dataclass(frozen=True)
class Jpeg:
    """A byte codec that makes baseline JPEG files and reads any JPEG file.

    Attributes:
        chroma: "420" (half the chroma resolution in both directions) or "444".

    >>> import torch
    >>> image = torch.full((3, 20, 30), 100, dtype=torch.uint8)
    >>> data = Jpeg().encode(image, 75)
    >>> torch.equal(Jpeg().decode(data, 20, 30), image)
    True
    """

    chroma: Literal["444", "420"] = "420"

    def __post_init__(self) -> None:
        """Refuse another subsampling."""
        if self.chroma not in ("444", "420"):
            raise ValueError(f"chroma must be '444' or '420', got {self.chroma!r}")

    @property
    def qualities(self) -> range:
        """Quality of libjpeg from the smallest file to the best picture: 1, 2, ..., 100."""
        return range(1, 101)

    def encode(self, image: Image, quality: int) -> bytes:
        """The JPEG file of an image ``[3, H, W]``, ``quality`` from 1 to 100 (best)."""
        require_image(image)
        if quality not in self.qualities:
            raise ValueError(f"quality must be in [1, 100], got {quality}")
        out = io.BytesIO()
        to_pillow(image).save(
            out,
            format="JPEG",
            quality=quality,
            subsampling="4:4:4" if self.chroma == "444" else "4:2:0",
            optimize=True,
        )
        return out.getvalue()

    def encode_to_budget(self, image: Image, max_bytes: int) -> bytes:
        """The best-quality file of at most ``max_bytes``; `BudgetError` if there is none."""
        return best_within(self, image, max_bytes)

    def decode(self, data: bytes, height: int, width: int) -> Image:
        """The image ``[3, height, width]`` of a JPEG file.

        Raises:
            DecodeError: It is no JPEG file of that size, or it ends too early. Other damage to the
                entropy-coded data mostly goes unnoticed.
        """
        if data[:2] != _START:
            raise DecodeError(f"JPEG file must begin with ffd8, got {data[:2].hex() or 'nothing'}")
        return decode_with_pillow(data, kind="JPEG", height=height, width=width)

    def header_bytes(self, data: bytes) -> int:
        """Bytes up to the entropy-coded data: everything to the end of the (first) SOS header.

        That includes the quantisation tables, which the quality sets, and the Huffman tables, which
        are fitted to the picture.
        """
        position = 2
        while data[:2] == _START and position + 4 <= len(data) and data[position] == 0xFF:
            marker = data[position + 1]
            if marker == 0xFF or marker in _STANDALONE:
                position += 1 if marker == 0xFF else 2
                continue
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
            if marker == _SOS and position <= len(data):
                return position
        raise DecodeError("JPEG file must hold a scan, got a file without an SOS marker")
