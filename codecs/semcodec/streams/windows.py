"""The bits in front of every position of a stream, as numbers."""

import numpy as np
from numpy.typing import NDArray


def windows(bits: NDArray[np.uint8], *, width: int) -> NDArray[np.int64]:
    """The ``width`` bits from each position on, most significant first; zeros follow the stream.

    Windows of 1, 2, 4, ... bits are made from each other, and ``width`` put together from them.

    Args:
        bits: ``[m]``, 0 or 1.
        width: 1 to 62.

    Returns:
        int64 ``[m]``.

    >>> windows(np.array([1, 0, 1, 1], dtype=np.uint8), width=3).tolist()
    [5, 3, 6, 4]
    """
    count = len(bits)
    block = np.concatenate([bits, np.zeros(width, dtype=np.uint8)]).astype(np.int64)
    value, done, size = np.zeros(count, dtype=np.int64), 0, 1
    while done < width:
        if width & size:
            value = value << size | block[done : done + count]
            done += size
        block = block[:-size] << size | block[size:]
        size *= 2
    return value
