"""The best quality that fits into a byte budget, and a memory of what was encoded already."""

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import blake2b
from threading import Lock
from typing import Protocol, TypeAlias

from semcodec.codec import ByteCodec, Image
from semcodec.errors import BudgetError
from semcodec.image_io import require_image

_SURELY_TOO_BIG = 1.05  # beyond a size of so many budgets no better quality is tried
_LOG_BYTES_OF_LADDER = 5.0  # a first guess: from the worst to the best quality bytes grow e**5 fold


class LadderCodec(Protocol):
    """A byte codec with one integer quality. It is hashable: equal codecs give equal bytes."""

    @property
    def qualities(self) -> range:
        """All qualities, from the smallest file to the best picture."""
        ...

    def encode(self, image: Image, quality: int) -> bytes:
        """The bitstream of an image ``[3, H, W]`` at one of the qualities."""
        ...


class HeadedCodec(LadderCodec, ByteCodec, Protocol):
    """A byte codec with a ladder, whose header the receiver may know."""


_Key: TypeAlias = tuple[LadderCodec, bytes, int]


@dataclass
class EncodeCache:
    """Bitstreams by codec, image content and quality; the least recently used ones are dropped.

    Attributes:
        capacity_bytes: Bitstreams are kept while their sizes sum to at most this.
    """

    capacity_bytes: int
    _size_bytes: int = 0
    _entries: OrderedDict[_Key, bytes] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def encode(self, codec: LadderCodec, image: Image, *, quality: int, digest: bytes) -> bytes:
        """``codec.encode(image, quality)``, from memory where it is known; safe among threads."""
        key = (codec, digest, quality)
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
        data = codec.encode(image, quality)
        with self._lock:
            if key not in self._entries:
                self._entries[key] = data
                self._size_bytes += len(data)
            while self._size_bytes > self.capacity_bytes:
                _, dropped = self._entries.popitem(last=False)
                self._size_bytes -= len(dropped)
        return data


_CACHE = EncodeCache(capacity_bytes=64 << 20)


def best_within(
    codec: LadderCodec, image: Image, max_bytes: int, *, cache: EncodeCache = _CACHE
) -> bytes:
    """The bitstream of the best quality that has at most ``max_bytes``.

    A bracketed secant on log(bytes): about four encodings for BPG, eight for JPEG. What it returns
    depends on the codec, the image and the budget only, not on what the cache holds. Sizes are not
    perfectly monotone in the quality: the next better quality than the one returned is too big, and
    so are those after it up to one that is so by more than 5 %.

    Args:
        codec: A codec with a ladder of qualities.
        image: uint8 ``[3, H, W]``.
        max_bytes: The budget, >= 0.
        cache: Where earlier encodings are kept; the default one is shared by the process.

    Raises:
        BudgetError: Even the lowest quality takes more than ``max_bytes``.
    """
    if max_bytes < 0:
        raise ValueError(f"max_bytes must be at least 0, got {max_bytes}")
    require_image(image)
    content = image.contiguous().cpu().numpy().tobytes()
    digest = blake2b(content, digest_size=16, salt=_shape_salt(image)).digest()
    ladder = codec.qualities

    def encode(step: int) -> bytes:
        return cache.encode(codec, image, quality=ladder[step], digest=digest)

    fits, too_big = -1, len(ladder)
    sizes: dict[int, int] = {}
    best = b""
    while too_big - fits > 1:
        step = _next_step(sizes, fits, too_big, max_bytes, len(ladder))
        data = encode(step)
        sizes[step] = len(data)
        if len(data) <= max_bytes:
            fits, best = step, data
        else:
            too_big = step
    for step in range(too_big + 1, len(ladder)):
        if sizes[step - 1] > _SURELY_TOO_BIG * max_bytes:
            break
        data = encode(step)
        sizes[step] = len(data)
        if len(data) <= max_bytes:
            fits, best = step, data
    if fits < 0:
        raise BudgetError(
            f"max_bytes must be at least {sizes[0]}, the smallest size there is, got {max_bytes}"
        )
    return best


def best_after_header(codec: HeadedCodec, image: Image, max_bytes: int) -> bytes:
    """The file of the best quality that has at most ``max_bytes`` after its header.

    Headers differ from file to file (JPEG's tables), so a file is granted what the header of the
    one before took, until that changes no more.

    Raises:
        BudgetError: Even the lowest quality takes more.
    """
    granted = max_bytes + codec.header_bytes(codec.encode(image, codec.qualities[0]))
    fits: bytes | None = None
    while True:
        data = codec.encode_to_budget(image, granted)
        header = codec.header_bytes(data)
        excess = len(data) - header - max_bytes
        if excess > 0:
            if fits is not None:
                return fits
            granted -= excess
        elif max_bytes + header <= granted:
            return data
        else:
            fits, granted = data, max_bytes + header


def _next_step(
    sizes: dict[int, int], fits: int, too_big: int, max_bytes: int, ladder_length: int
) -> int:
    """The next step of the ladder to try, strictly between ``fits`` and ``too_big``."""
    middle = (fits + too_big) // 2
    if max_bytes == 0 or not sizes:
        return middle
    target = math.log(max_bytes)
    below, above = sizes.get(fits), sizes.get(too_big)
    if below is not None and above is not None:
        if len(sizes) > 4 and too_big - fits > 3:  # the secant has had its chance: halve
            return middle
        low, high = math.log(below), math.log(above)
        guess = fits + (target - low) / (high - low) * (too_big - fits)
    else:
        known = fits if below is not None else too_big
        slope = _LOG_BYTES_OF_LADDER / ladder_length
        guess = known + (target - math.log(sizes[known])) / slope
        guess += 1 if known == fits else -1  # rather overshoot: a bracket is worth an encoding
    return min(max(math.floor(guess), fits + 1), too_big - 1)


def _shape_salt(image: Image) -> bytes:
    """Eight bytes that tell a 2 x 3 image from a 3 x 2 one with the same samples."""
    height, width = image.shape[1:]
    return height.to_bytes(8, "big")[-8:] + width.to_bytes(8, "big")[-8:]
