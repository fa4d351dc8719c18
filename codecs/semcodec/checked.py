"""Codecs of others: which contract they fulfil, and whether they keep it at every call.

Our own codecs are held to the contracts of `semcodec.codec` by their types and tests. A codec that
is loaded at run time is held to them here: what it returns is checked before anything is sent, so
that a mistake is one line that names the codec, and not a failure somewhere in the link. It is
given copies, and computes without gradients.
"""

import re
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor

from semcodec.budget import HeadedCodec
from semcodec.codec import AnalogCodec, ByteCodec, Image, IndexCodec, IndexRun, Indices, Values
from semcodec.errors import CodecError

INDEX_PARTS = ("encode", "decode", "runs", "displacement", "sha256")
BYTE_PARTS = ("encode_to_budget", "decode", "header_bytes")
LADDER_PARTS = ("qualities", "encode")
ANALOG_PARTS = ("encode", "decode", "sha256")

_MOST_BITS_PER_INDEX = 32
_SHA256 = re.compile(r"([0-9a-f]{64})?")


@dataclass(frozen=True)
class CheckedIndexCodec:
    """An `IndexCodec` whose results are checked."""

    codec: IndexCodec
    name: str

    @property
    def sha256(self) -> str:
        """Digest of the weights; empty for a codec without any."""
        return self.codec.sha256

    def runs(self, height: int, width: int) -> tuple[IndexRun, ...]:
        """What the indices of an image are."""
        runs = tuple(self.codec.runs(height, width))
        for run in runs:
            if not isinstance(run, IndexRun):
                raise CodecError(f"{self.name}: runs must be of IndexRun, got {_shown(run)}")
            if run.count < 0 or not 1 <= run.bits <= _MOST_BITS_PER_INDEX:
                raise CodecError(
                    f"{self.name}: a run must have a count from 0 and 1 to {_MOST_BITS_PER_INDEX} "
                    f"bits, got {run}"
                )
        if sum(run.count for run in runs) < 1:
            raise CodecError(f"{self.name}: runs must have at least one index, got {runs}")
        return runs

    def encode(self, image: Image) -> Indices:
        """The indices of an image, as many and as large as `runs` says."""
        with torch.no_grad():
            indices = self.codec.encode(image.clone())
        runs = self.runs(image.shape[1], image.shape[2])
        count = sum(run.count for run in runs)
        if not _is_tensor(indices, torch.int64, (count,)):
            raise CodecError(
                f"{self.name}: encode must return int64 [{count}], as runs says, "
                f"got {_shown(indices)}"
            )
        for run, part in zip(runs, torch.split(indices, [r.count for r in runs]), strict=True):
            if part.numel() and not 0 <= int(part.min()) <= int(part.max()) < 1 << run.bits:
                raise CodecError(
                    f"{self.name}: indices of {run.name} must be in [0, {1 << run.bits}), "
                    f"got {int(part.min())} to {int(part.max())}"
                )
        return indices

    def decode(self, indices: Indices, height: int, width: int) -> Image:
        """The image of indices."""
        with torch.no_grad():
            image = self.codec.decode(indices.clone(), height, width)
        return _image(self.name, image, height, width)

    def displacement(self, sent: Indices, received: Indices) -> Tensor:
        """How far each codeword received lies from the one sent."""
        with torch.no_grad():
            moved = self.codec.displacement(sent.clone(), received.clone())
        right = isinstance(moved, Tensor) and moved.is_floating_point()
        if not (right and moved.shape == sent.shape and bool((moved >= 0).all())):
            raise CodecError(
                f"{self.name}: displacement must return float {list(sent.shape)} of at least 0, "
                f"got {_shown(moved)}"
            )
        return moved


@dataclass(frozen=True)
class CheckedAnalogCodec:
    """An `AnalogCodec` whose results are checked."""

    codec: AnalogCodec
    name: str

    @property
    def sha256(self) -> str:
        """Digest of the weights; empty for a codec without any."""
        return self.codec.sha256

    def encode(self, image: Image) -> Values:
        """The values of an image: finite, an even number of them."""
        with torch.no_grad():
            values = self.codec.encode(image.clone())
        right = isinstance(values, Tensor) and values.dtype == torch.float32 and values.dim() == 1
        if not right or values.numel() == 0 or values.numel() % 2:
            raise CodecError(
                f"{self.name}: encode must return float32 [n] with an even n, got {_shown(values)}"
            )
        if not bool(values.isfinite().all()):
            raise CodecError(f"{self.name}: values must be finite, got NaN or infinity")
        return values

    def decode(self, values: Values, height: int, width: int) -> Image:
        """The image of values."""
        with torch.no_grad():
            image = self.codec.decode(values.clone(), height, width)
        return _image(self.name, image, height, width)


@dataclass(frozen=True)
class CheckedByteCodec:
    """A `ByteCodec` whose results are checked."""

    codec: ByteCodec
    name: str

    def encode_to_budget(self, image: Image, max_bytes: int) -> bytes:
        """The best bitstream of at most ``max_bytes``."""
        with torch.no_grad():
            data = self.codec.encode_to_budget(image.clone(), max_bytes)
        if not isinstance(data, bytes) or len(data) > max_bytes:
            came = f"{len(data)} bytes" if isinstance(data, bytes) else _shown(data)
            raise CodecError(
                f"{self.name}: encode_to_budget must return at most {max_bytes} bytes, got {came}"
            )
        return data

    def decode(self, data: bytes, height: int, width: int) -> Image:
        """The image of a bitstream; `DecodeError` where it holds none."""
        with torch.no_grad():
            image = self.codec.decode(data, height, width)
        return _image(self.name, image, height, width)

    def header_bytes(self, data: bytes) -> int:
        """How many leading bytes describe the format."""
        header = self.codec.header_bytes(data)
        if not isinstance(header, int) or not 0 <= header <= len(data):
            raise CodecError(
                f"{self.name}: header_bytes must be in [0, {len(data)}], got {_shown(header)}"
            )
        return header


@dataclass(frozen=True)
class CheckedLadderCodec(CheckedByteCodec):
    """A byte codec that has qualities, too."""

    codec: HeadedCodec

    @property
    def qualities(self) -> range:
        """All qualities, from the smallest file to the best picture."""
        return self.codec.qualities

    def encode(self, image: Image, quality: int) -> bytes:
        """The bitstream of an image at one of the qualities."""
        with torch.no_grad():
            data = self.codec.encode(image.clone(), quality)
        if not isinstance(data, bytes):
            raise CodecError(f"{self.name}: encode must return bytes, got {_shown(data)}")
        return data


Checked: TypeAlias = CheckedIndexCodec | CheckedAnalogCodec | CheckedByteCodec


def checked(codec: object, name: str) -> Checked:
    """A codec behind the checks of the contract that it fulfils.

    An index codec is known by ``runs`` and ``displacement``, a byte codec by ``encode_to_budget``
    and ``header_bytes``, and an analog codec by having none of these four.

    Raises:
        CodecError: It fulfils none of the contracts.

    >>> checked(object(), "mine")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    semcodec.errors.CodecError: mine must have encode, ...; got object with none of them
    """
    special = set(INDEX_PARTS + BYTE_PARTS) - set(ANALOG_PARTS)
    parts = {part for part in special | set(ANALOG_PARTS) if hasattr(codec, part)}
    if parts.issuperset(INDEX_PARTS):
        found: Checked = CheckedIndexCodec(cast(IndexCodec, codec), name)
    elif parts.issuperset(BYTE_PARTS):
        if all(hasattr(codec, part) for part in LADDER_PARTS):
            found = CheckedLadderCodec(cast(HeadedCodec, codec), name)
        else:
            found = CheckedByteCodec(cast(ByteCodec, codec), name)
    elif parts == set(ANALOG_PARTS):
        found = CheckedAnalogCodec(cast(AnalogCodec, codec), name)
    else:
        raise CodecError(
            f"{name} must have {', '.join(INDEX_PARTS)} (an index codec), "
            f"{', '.join(BYTE_PARTS)} (a byte codec) or {', '.join(ANALOG_PARTS)} (an analog "
            f"codec); got {type(codec).__name__} with {', '.join(sorted(parts)) or 'none of them'}"
        )
    for part in sorted(parts - {"sha256"}):
        if not callable(getattr(codec, part)):
            raise CodecError(f"{name}: {part} must be a method, got {_shown(getattr(codec, part))}")
    digest = getattr(codec, "sha256", "")
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise CodecError(
            f"{name}: sha256 must be 64 hexadecimal digits, or empty for a codec without weights, "
            f"got {_shown(digest)}"
        )
    return found


def _image(name: str, image: object, height: int, width: int) -> Image:
    if not _is_tensor(image, torch.uint8, (3, height, width)):
        raise CodecError(
            f"{name}: decode must return uint8 [3, {height}, {width}], got {_shown(image)}"
        )
    return cast(Tensor, image).contiguous()


def _is_tensor(value: object, dtype: torch.dtype, shape: tuple[int, ...]) -> bool:
    return isinstance(value, Tensor) and value.dtype == dtype and tuple(value.shape) == shape


def _shown(value: Any) -> str:
    """A tensor by type and shape, anything else by its type and the begin of its text."""
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
    text = " ".join(repr(value).split())
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:60] + '...'}"
