"""Networks of other frameworks as codecs: two functions of tensors, whoever computes them.

::

    image --/255, continue sides--> [1, 3, H', W'] --encode--> indices or values [1, ...]
    image <--cut, x 255, round----- [1, 3, H', W'] <--decode--  indices or values [1, ...]
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from semcodec.codec import Image, IndexRun, Indices, Values
from semcodec.errors import CodecError
from semcodec.pixels import to_bytes, to_unit

Sends: TypeAlias = Literal["indices", "values"]


@dataclass(frozen=True)
class Program:
    """A pair of functions, and what both ends know of them.

    Attributes:
        name: Of the codec, for errors.
        encode_picture: Of a picture float32 ``[1, 3, H', W']`` in [0, 1] what is sent,
            ``[1, ...]``.
        decode_picture: The inverse: a picture float32 ``[1, 3, H', W']``.
        sha256: Digest of the files.
        multiple: Sides are continued by their last row and column to multiples of this, and cut
            back after decoding.
    """

    name: str
    encode_picture: Callable[[Tensor], Tensor]
    decode_picture: Callable[[Tensor], Tensor]
    sha256: str
    multiple: int = 1
    _forms: dict[tuple[int, int], tuple[torch.Size, torch.dtype]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def form(self, height: int, width: int) -> tuple[torch.Size, torch.dtype]:
        """Shape and type of what is sent of a picture of some size; both ends know it."""
        if (height, width) not in self._forms:
            self.encode(torch.zeros(3, height, width, dtype=torch.uint8))
        return self._forms[height, width]

    def encode(self, image: Image) -> Tensor:
        """What is sent of an image, ``[1, ...]``; `CodecError` where the program takes it not."""
        _, height, width = image.shape
        pad = (0, -width % self.multiple, 0, -height % self.multiple)
        picture = F.pad(to_unit(image)[None], pad, mode="replicate")
        sent = _called(self.encode_picture, picture, f"{self.name}: the encoder")
        if sent.dim() < 2 or sent.shape[0] != 1:
            raise CodecError(
                f"{self.name}: the encoder must return [1, ...], got {list(sent.shape)}"
            )
        self._forms[height, width] = (sent.shape, sent.dtype)
        return sent

    def decode(self, flat: Tensor, height: int, width: int) -> Image:
        """The image of what arrived, ``[n]``."""
        shape, dtype = self.form(height, width)
        picture = _called(
            self.decode_picture, flat.to(dtype).reshape(shape), f"{self.name}: the decoder"
        )
        sides = height + -height % self.multiple, width + -width % self.multiple
        if picture.dtype != torch.float32 or tuple(picture.shape) != (1, 3, *sides):
            raise CodecError(
                f"{self.name}: the decoder must return float32 [1, 3, {sides[0]}, {sides[1]}], "
                f"got {str(picture.dtype).removeprefix('torch.')} {list(picture.shape)}"
            )
        if bool(picture.isnan().any()):
            raise CodecError(f"{self.name}: the decoder must return numbers, got NaN")
        return to_bytes(picture[0, :, :height, :width])


@dataclass(frozen=True)
class ProgramIndices:
    """A program that sends integers below ``2**bits``: an index codec.

    >>> levels = Program("levels", lambda x: (x * 15).round().long(), lambda i: i / 15, sha256="")
    >>> codec = ProgramIndices(levels, bits=4)
    >>> image = torch.full((3, 1, 2), 17, dtype=torch.uint8)
    >>> codec.encode(image).tolist(), codec.runs(1, 2)[0].count
    ([1, 1, 1, 1, 1, 1], 6)
    >>> torch.equal(codec.decode(codec.encode(image), 1, 2), image)
    True
    """

    program: Program
    bits: int

    @property
    def sha256(self) -> str:
        """Digest of the program's files."""
        return self.program.sha256

    def runs(self, height: int, width: int) -> tuple[IndexRun]:
        """One run, in the order of the encoder's tensor."""
        shape, _ = self.program.form(height, width)
        return (IndexRun("indices", shape.numel(), self.bits),)

    def encode(self, image: Image) -> Indices:
        """Indices ``[n]``."""
        sent = self.program.encode(image)
        if sent.is_floating_point() or sent.is_complex() or sent.dtype == torch.bool:
            raise CodecError(
                f"{self.program.name}: the encoder must return integers where sends is indices, "
                f"got {str(sent.dtype).removeprefix('torch.')}"
            )
        return sent.reshape(-1).long()

    def decode(self, indices: Indices, height: int, width: int) -> Image:
        """The image of indices ``[n]``."""
        return self.program.decode(indices, height, width)

    def displacement(self, sent: Indices, received: Indices) -> Tensor:
        """1 for each wrong index: the program keeps its codewords to itself."""
        return (sent != received).float()


@dataclass(frozen=True)
class ProgramValues:
    """A program that sends real values: an analog codec."""

    program: Program

    @property
    def sha256(self) -> str:
        """Digest of the program's files."""
        return self.program.sha256

    def encode(self, image: Image) -> Values:
        """Values ``[n]``."""
        return self.program.encode(image).reshape(-1)

    def decode(self, values: Values, height: int, width: int) -> Image:
        """The image of values ``[n]``."""
        return self.program.decode(values, height, width)


def _called(function: Callable[[Tensor], Tensor], value: Tensor, who: str) -> Tensor:
    """``function(value)``; whatever a program of others raises is one line."""
    try:
        with torch.no_grad():
            found: object = function(value)
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or "no reason given"
        raise CodecError(
            f"{who} must take {str(value.dtype).removeprefix('torch.')} {list(value.shape)}, "
            f"got {type(error).__name__}: {reason}"
        ) from error
    if not isinstance(found, Tensor):
        raise CodecError(f"{who} must return one tensor, got {type(found).__name__}")
    return found
