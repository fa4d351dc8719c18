"""The last images decoded."""

from collections import OrderedDict
from collections.abc import Callable

from semcodec.codec import Image


class Memo:
    """The last images decoded, by what they were decoded from: most frames arrive intact."""

    def __init__(self, size: int = 64) -> None:
        """Hold at most ``size`` images."""
        self._images: OrderedDict[bytes, Image] = OrderedDict()
        self._size = size

    def get(self, key: bytes, decode: Callable[[], Image]) -> Image:
        """The image of ``key``, decoded if it is not among them."""
        if key not in self._images:
            self._images[key] = decode()
        self._images.move_to_end(key)
        if len(self._images) > self._size:
            self._images.popitem(last=False)
        return self._images[key]
