"""What decides the encoding of a picture, as one digest: with anything else it is made anew."""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from PIL import features
from torch import nn

import semcodec
from semcodec.bpg.codec import Bpg
from semcodec.checked import Checked
from semcodec.codec import ByteCodec, Image
from semcodec.device import described, device_of
from semcodec.jpeg import Jpeg
from semcodec.webp import WebP
from transceiver.source import AnalogSource, AtQuality, ByteSource, IndexSource, Limit, Picture

_LAYOUT = 1
"""Of keys and contents; raise it with every change of what an entry holds."""


def byte_key(source: ByteSource, picture: Picture, limit: Limit) -> str | None:
    """Of the bitstream of a byte codec within its budget for this picture.

    None for a codec whose library is not known here, so that its encodings are never kept.
    """
    library = _library(source.codec)
    settings = _settings(source.codec)
    if library is None or settings is None:
        return None
    at_quality = isinstance(limit, AtQuality)
    return _key(
        picture.pixels,
        {
            "codec": settings,
            "library": library,
            "quality" if at_quality else "bytes": limit.value,
            "headers_known": False if at_quality else source.headers_known,
        },
    )


def network_key(source: IndexSource | AnalogSource, picture: Picture) -> str | None:
    """Of the indices or values of a codec with weights.

    The arithmetic of a network depends on the version of torch, the processor's instructions or
    the GPU, and the number of threads. None for a codec that is not made of weights and plain
    settings.
    """
    settings = _settings(source.codec)
    if settings is None:
        return None
    arithmetic = [
        version("torch"),
        platform.machine(),
        *_computes_with(source.codec),
        torch.get_num_threads(),
    ]
    weights = source.codec.sha256
    return _key(picture.pixels, {"codec": settings, "weights": weights, "arithmetic": arithmetic})


def _key(pixels: Image, facts: Mapping[str, Any]) -> str:
    """SHA-256 of facts, the source code of the codecs, and the picture's shape and samples."""
    known = {"layout": _LAYOUT, "source": _source_code(), "shape": list(pixels.shape), **facts}
    digest = hashlib.sha256(json.dumps(known, sort_keys=True).encode())
    digest.update(b"\0")
    digest.update(pixels.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()


def _computes_with(codec: object) -> list[str]:
    assert is_dataclass(codec)
    values = [getattr(codec, one.name) for one in fields(codec)]
    return [described(device_of(value)) for value in values if isinstance(value, nn.Module)]


def _library(codec: ByteCodec) -> list[str] | None:
    """Name and versions of the library that makes the bytes."""
    match codec:
        case Bpg():
            import av

            return ["av", version("av"), json.dumps(av.library_versions, sort_keys=True)]
        case Jpeg():
            names: tuple[str, ...] = ("jpg", "libjpeg_turbo")
        case WebP():
            names = ("webp",)
        case _:
            return None
    return ["pillow", version("pillow"), *(str(features.version(name)) for name in names)]


def _settings(codec: object) -> dict[str, Any] | None:
    """The kind of a codec and its plain fields; None if it has others than those and networks.

    None, too, for a codec of others, whose source code no key could hold.

    >>> _settings(Jpeg(chroma="444"))
    {'kind': 'Jpeg', 'chroma': '444'}
    """
    if not is_dataclass(codec) or isinstance(codec, Checked):
        return None
    found: dict[str, Any] = {"kind": type(codec).__name__}
    for one in fields(codec):
        value = getattr(codec, one.name)
        if value is None or isinstance(value, str | int | float):
            found[one.name] = value
        elif not isinstance(value, nn.Module):  # which the digest of the weights tells
            return None
    return found


@cache
def _source_code() -> str:
    """SHA-256 of the package with the codecs, without what only trains them."""
    root = Path(semcodec.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        if "training" not in path.relative_to(root).parts:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
