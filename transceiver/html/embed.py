"""Pictures inside a page: data URIs within a budget of bytes."""

import base64
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image as PillowImage

BUDGET_BYTES = 11_000_000
"""For all pictures of a page; base64 makes a third more of it."""

_QUALITIES = (92, 80, 60, 40, 20)


@dataclass(frozen=True)
class Embedded:
    """A picture of a page.

    Attributes:
        uri: ``data:image/...``.
        width, height: Of the original [pixels].
        note: How it was made smaller; empty where it is the original.
    """

    uri: str
    width: int
    height: int
    note: str


@dataclass
class Album:
    """The pictures that a page is going to hold; the same picture is held once."""

    files: dict[str, bytes] = field(default_factory=dict)

    def add(self, path: Path) -> str | None:
        """The name of a picture in the page; None where there is no such file."""
        if not path.is_file():
            return None
        data = path.read_bytes()
        name = hashlib.sha256(data).hexdigest()[:16]
        self.files[name] = data
        return name


def embed(files: Mapping[str, bytes], budget_bytes: int = BUDGET_BYTES) -> dict[str, Embedded]:
    """Every picture as a data URI, all of them within a budget.

    A picture goes in as it is where it takes no more than its share. What small pictures leave
    over is shared among the larger ones, which become WebP of as good a quality as fits.

    Args:
        files: PNG files by name.
        budget_bytes: For all of them, before base64.
    """
    left, found = budget_bytes, {}
    by_size = sorted(files.items(), key=lambda item: (len(item[1]), item[0]))
    for place, (name, data) in enumerate(by_size):
        share = left // (len(by_size) - place)
        with PillowImage.open(io.BytesIO(data)) as picture:
            width, height = picture.size
            kind, small, note = _fitted(picture, data, share)
        left -= len(small)
        uri = f"data:image/{kind};base64,{base64.b64encode(small).decode('ascii')}"
        found[name] = Embedded(uri, width, height, note)
    return found


def _fitted(picture: PillowImage.Image, data: bytes, share: int) -> tuple[str, bytes, str]:
    """Format, bytes and note of a picture in at most so many bytes, or of a single pixel."""
    if len(data) <= share and picture.format == "PNG":
        return "png", data, ""
    smaller, scale = picture.convert("RGB"), 1
    while True:
        for quality in _QUALITIES:
            found = _webp(smaller, quality)
            if len(found) <= share or smaller.size == (1, 1):
                size = f", 1/{scale} of its size" if scale > 1 else ""
                return "webp", found, f"WebP of quality {quality}{size}"
        scale *= 2
        width, height = (max(1, side // 2) for side in smaller.size)
        smaller = smaller.resize((width, height), PillowImage.Resampling.BOX)


def _webp(picture: PillowImage.Image, quality: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=quality)
    return file.getvalue()
