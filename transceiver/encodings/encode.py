"""Encode a picture, or take what an earlier run has made of it."""

import io
from collections.abc import Callable
from typing import assert_never

import numpy as np
import torch
from torch import Tensor

from semcodec.errors import BudgetError
from transceiver.encodings.cache import EncodingCache
from transceiver.encodings.key import byte_key, network_key
from transceiver.networks import one_thread
from transceiver.source import AnalogSource, ByteSource, IndexSource, Picture, Sent

_BITSTREAM, _OUTAGE = b"\0", b"\1"
"""First byte of an entry of a byte codec: what follows is its bitstream, or why there is none."""


def encode(
    source: IndexSource | AnalogSource | ByteSource, picture: Picture, cache: EncodingCache | None
) -> Sent:
    """The frame of a picture, the same whether it was kept or is made now.

    What is kept is what the source encoder makes: the whole bitstream, the indices or the values;
    of a byte codec without a quality that fits into the budget, that there is none.

    Raises:
        BudgetError: No quality of a byte codec fits into the budget.
    """
    if cache is None:
        return source.encode(picture)
    match source:
        case ByteSource():
            limit = source.limit(picture)

            def bitstream() -> bytes:
                try:
                    return _BITSTREAM + source.compress(picture.pixels, limit)
                except BudgetError as error:
                    return _OUTAGE + str(error).encode()

            content = _kept(cache, byte_key(source, picture, limit), bitstream)
            if content[:1] == _OUTAGE:
                raise BudgetError(content[1:].decode())
            return source.frame(picture, content[1:])
        case IndexSource() | AnalogSource():
            with one_thread():
                key = network_key(source, picture)
                content = _kept(cache, key, lambda: _packed(source.codec.encode(picture.pixels)))
            return source.frame(picture, _unpacked(content))
        case _:
            assert_never(source)


def _kept(cache: EncodingCache, key: str | None, make: Callable[[], bytes]) -> bytes:
    content = cache.get(key) if key else None
    if content is None:
        content = make()
        if key:
            cache.put(key, content)
    return content


def _packed(numbers: Tensor) -> bytes:
    """Indices or values as an array of NumPy's format; integers in as few bytes as they need.

    >>> indices = torch.tensor([3, 700, 0])
    >>> torch.equal(_unpacked(_packed(indices)), indices), len(_packed(indices))
    (True, 134)
    """
    array = numbers.numpy()
    if array.dtype == np.int64 and array.size and array.min() >= 0:
        array = array.astype(np.min_scalar_type(array.max()))
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def _unpacked(content: bytes) -> Tensor:
    array = np.load(io.BytesIO(content), allow_pickle=False)
    return torch.from_numpy(array.astype(np.int64) if array.dtype.kind in "ui" else array)
