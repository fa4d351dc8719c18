"""What a run keeps in files: of each codec at each point the first frame, picture and samples."""

import io
from collections.abc import Mapping

import numpy as np
from torch import Tensor

from semcodec.codec import Image
from semcodec.image_io import to_pillow
from transceiver.scenario.document import Taps
from transceiver.store import UnitKey

CONSTELLATION_SAMPLES = 2048
"""Symbols of a point's first frame that are always kept, for the constellation figure."""


def picture_file(key: UnitKey, image_hat: Image) -> dict[str, bytes]:
    """The first picture's first trial as PNG, for the strip; nothing of other units."""
    if not is_first(key):
        return {}
    return {f"images/{key.codec}-{key.point:03d}.png": png(image_hat)}


def png(image: Image) -> bytes:
    """An image ``[3, H, W]`` without loss."""
    out = io.BytesIO()
    to_pillow(image).save(out, format="PNG")
    return out.getvalue()


def samples_file(key: UnitKey, signals: Mapping[str, Tensor], taps: Taps) -> dict[str, bytes]:
    """The first samples of what passed the taps of a frame, as a NumPy archive."""
    wanted = dict.fromkeys(("symbols", "received", "equalized"), CONSTELLATION_SAMPLES)
    for name in taps.samples:
        wanted[name] = taps.per_point
    arrays = {
        name: signals[name].reshape(-1)[:limit].numpy()
        for name, limit in wanted.items()
        if name in signals
    }
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)  # type: ignore[arg-type]
    return {f"taps/{key.codec}-{key.point:03d}.npz": out.getvalue()}


def is_first(key: UnitKey) -> bool:
    """Whether a unit is a codec's first at its point."""
    return (key.image, key.trial) == (0, 0)
