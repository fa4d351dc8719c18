"""Source codecs on both ends of the link: what becomes source bits, and what comes of them."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from torch import Tensor

from phy.allocation import Allocation
from phy.bits import pack_bytes, pack_integers, unpack_bytes, unpack_integers
from semcodec.codec import ByteCodec, Image, IndexCodec
from semcodec.errors import CodecError, DecodeError
from semcodec.streams import FixedStream, IndexStream, Unstreamed, index_labels, soft_decode
from semcodec.system32.codec import SystemCodec

LENGTH_BITS = 24
"""A byte codec's payload begins with its length in bytes, an entropy-coded index stream with its
length in bits; most significant bit first."""

MOST_BYTES = (2**24 - LENGTH_BITS) // 8
"""Of a byte codec's payload: with its length field it is what `phy.crc` takes at once."""


@dataclass(frozen=True)
class Picture:
    """An image to be sent.

    Attributes:
        key: Unique among the pictures of a run.
        name: For tables and figures.
        pixels: uint8 ``[3, H, W]``.
    """

    key: int
    name: str
    pixels: Image


@dataclass(frozen=True)
class Sent:
    """What one frame carries, at the sender.

    Attributes:
        picture: The image; None for random bits.
        indices: Codebook indices ``[n]`` of an index codec.
        payload: Bytes of a byte codec that are sent.
        header: Bytes in front of the payload that the receiver knows and that are not sent.
        length_bits: How many of the first bits are the length field.
        bits: Source bits, length field included.
        codebooks: Codebook assigned to each index, ``[n]``; None for the first of all.
        allocation: The plan of a system with JCAMP or JCAP, as its transmitter made it.
    """

    bits: Tensor
    picture: Picture | None = None
    indices: Tensor | None = None
    payload: bytes | None = None
    header: bytes = b""
    length_bits: int = 0
    codebooks: Tensor | None = None
    allocation: Allocation | None = None


@dataclass(frozen=True)
class Arrived:
    """What came of a frame, before anything is concealed.

    Attributes:
        indices: Received indices of an index codec.
        payload: Received bytes of a byte codec, as far as the length field tells.
        image: The decoded image; None where there is none.
        failed: Whether the receiver knows that it does not have the image that was sent.
        concealed_indices: How many indices an entropy decoder lost and guessed.
        mark_bits: Source bits that are resynchronisation marks.
        damaged_segments: Parts of an index stream that the receiver knows to be damaged.
    """

    indices: Tensor | None = None
    payload: bytes | None = None
    image: Image | None = None
    failed: bool = False
    concealed_indices: int = 0
    mark_bits: int = 0
    damaged_segments: int = 0


@dataclass(frozen=True)
class Arriving:
    """What the receiver knows of one frame when the source decoder begins.

    Attributes:
        bits: Source bits received.
        llrs: Their log-likelihood ratios; None where a channel decoder has made bits of them.
        intact: The CRC's verdict; True where there is none.
        codebooks: Of each index, ``[n]``, by the receiver's own plan; None for the first of all.
    """

    bits: Tensor
    llrs: Tensor | None
    intact: bool
    codebooks: Tensor | None


class _Memo:
    """The last images decoded, by what they were decoded from: most frames arrive intact."""

    def __init__(self, size: int = 64) -> None:
        self._images: OrderedDict[bytes, Image] = OrderedDict()
        self._size = size

    def get(self, key: bytes, decode: Callable[[], Image]) -> Image:
        if key not in self._images:
            self._images[key] = decode()
        self._images.move_to_end(key)
        if len(self._images) > self._size:
            self._images.popitem(last=False)
        return self._images[key]


@dataclass(frozen=True)
class IndexSource:
    """An index codec: fixed-length binary indices. A damaged index is still an index."""

    codec: IndexCodec
    _memo: _Memo = field(default_factory=_Memo, repr=False, compare=False)

    def encode(self, picture: Picture) -> Sent:
        """Image to indices to bits."""
        indices = self.codec.encode(picture.pixels)
        bits = unpack_integers(indices, width=self.codec.bits_per_index)
        return Sent(bits, picture, indices=indices)

    def decode(self, bits: Tensor, sent: Sent) -> Arrived:
        """Bits to indices to image."""
        assert sent.picture is not None
        _, height, width = sent.picture.pixels.shape
        indices = pack_integers(bits, width=self.codec.bits_per_index)
        key = f"{height}x{width}:".encode() + indices.numpy().tobytes()
        image = self._memo.get(key, lambda: self.codec.decode(indices, height, width))
        return Arrived(indices=indices, image=image)


@dataclass(frozen=True)
class SystemSource:
    """A system for small pictures, in batches of pictures of one size.

    Attributes:
        codec: Network and codebooks.
        stream: Entropy coding of the indices; None for natural binary ones.
        soft: Decode to the mean of the codewords given the LLRs, not to the likeliest bits.
    """

    codec: SystemCodec
    stream: IndexStream | None = None
    soft: bool = False

    @property
    def _length_varies(self) -> bool:
        """Whether a length field goes before the bits."""
        return self.stream is not None and not isinstance(self.stream, FixedStream)

    def choose(self, pictures: Sequence[Picture]) -> list[Tensor]:
        """Indices of each picture in every codebook, ``[V, N]``."""
        chosen: list[Tensor] = [torch.empty(0)] * len(pictures)
        for members in _by_size([p.pixels.shape for p in pictures]):
            stack = torch.stack([pictures[i].pixels for i in members])
            for i, indices in zip(members, self.codec.encode_batch(stack), strict=True):
                chosen[i] = indices.clone()
        return chosen

    def frame(
        self, picture: Picture, choices: Tensor, allocation: Allocation | None = None
    ) -> Sent:
        """What is sent of a picture whose indices are ``choices``, ``[V, N]``."""
        codebooks = allocation.codebooks if allocation else None
        if codebooks is not None and len(codebooks) != choices.shape[1]:
            raise CodecError(
                f"picture {picture.name} must have {len(codebooks)} indices, as many as the "
                f"tables of the weights, got {choices.shape[1]}"
            )
        indices = choices[0] if codebooks is None else choices.gather(0, codebooks[None])[0]
        if self.stream is None:
            bits = unpack_integers(indices, width=self.codec.bits_per_index)
        else:
            _, height, width = picture.pixels.shape
            bits = self.stream.encode(indices, columns=self.codec.grid(height, width)[1])
        length_bits = 0
        if self._length_varies:
            length_bits = LENGTH_BITS
            length = unpack_integers(torch.tensor([len(bits)]), width=LENGTH_BITS)
            bits = torch.cat([length, bits])
        return Sent(
            bits,
            picture,
            indices=indices,
            length_bits=length_bits,
            codebooks=codebooks,
            allocation=allocation,
        )

    def decode(self, arriving: Sequence[Arriving], frames: Sequence[Sent]) -> list[Arrived]:
        """Bits or LLRs to indices to pictures."""
        sizes = [_picture(frame).pixels.shape for frame in frames]
        unstreamed = [self._indices(a, size) for a, size in zip(arriving, sizes, strict=True)]
        images: list[Image] = [torch.empty(0)] * len(frames)
        for members in _by_size(sizes):
            if self.soft:
                vectors = torch.stack([self._soft(arriving[i]) for i in members])
            else:
                indices = torch.stack([unstreamed[i].indices for i in members])
                books = [_or_first(arriving[i].codebooks, indices.shape[1]) for i in members]
                vectors = self.codec.vectors(indices, torch.stack(books))
            _, height, width = sizes[members[0]]
            decoded = self.codec.decode_vectors(vectors, height, width)
            for i, image in zip(members, decoded, strict=True):
                images[i] = image
        return [
            Arrived(
                indices=u.indices,
                image=image,
                concealed_indices=int(u.concealed.sum()) if self.stream else 0,
                mark_bits=u.mark_bits,
                damaged_segments=u.segments_damaged,
            )
            for u, image in zip(unstreamed, images, strict=True)
        ]

    def displacements(self, sent: Sequence[Sent], arrived: Sequence[Arrived]) -> list[Tensor]:
        """Distance ``[n]`` between the codewords sent and received, for each frame."""
        before = torch.cat([s.indices for s in sent if s.indices is not None])
        after = torch.cat([a.indices for a in arrived if a.indices is not None])
        lengths = [len(s.indices) for s in sent if s.indices is not None]
        books = torch.cat([_or_first(s.codebooks, n) for s, n in zip(sent, lengths, strict=True)])
        moved = self.codec.vectors(before, books) - self.codec.vectors(after, books)
        return list(torch.split(moved.square().sum(-1).sqrt(), lengths))

    def _indices(self, arriving: Arriving, size: torch.Size) -> Unstreamed:
        if self.stream is None:
            indices = pack_integers(arriving.bits, width=self.codec.bits_per_index)
            return Unstreamed(indices, _NOTHING)
        rows, columns = self.codec.grid(size[1], size[2])
        bits = arriving.bits
        if self._length_varies:
            length = int(pack_integers(bits[:LENGTH_BITS], width=LENGTH_BITS)[0])
            bits = bits[LENGTH_BITS:][:length]
        return self.stream.decode(bits, rows=rows, columns=columns)

    @property
    def _labels(self) -> Tensor | None:
        """Bit label of each codeword as a number, ``[K]``; None for the natural ones."""
        if not isinstance(self.stream, FixedStream):
            return None
        return index_labels(1 << self.codec.bits_per_index, labelling=self.stream.labelling)

    def _soft(self, arriving: Arriving) -> Tensor:
        """Posterior means ``[N, d]``."""
        assert arriving.llrs is not None
        tables = self.codec.system.codebooks
        llrs = arriving.llrs.reshape(-1, self.codec.bits_per_index)
        books = _or_first(arriving.codebooks, len(llrs))
        vectors = torch.empty(len(llrs), tables.codewords.shape[2])
        for v in torch.unique(books).tolist():
            prior, codewords = tables.probability[v], tables.codewords[v]
            found = soft_decode(llrs, prior=prior, codewords=codewords, labels=self._labels)
            vectors[books == v] = found.vectors[books == v]
        return vectors


_NOTHING = torch.zeros(0, dtype=torch.bool)


def _or_first(codebooks: Tensor | None, count: int) -> Tensor:
    return torch.zeros(count, dtype=torch.int64) if codebooks is None else codebooks


def _picture(frame: Sent) -> Picture:
    assert frame.picture is not None
    return frame.picture


def _by_size(sizes: Sequence[torch.Size]) -> list[list[int]]:
    """The places of equal sizes."""
    groups: dict[torch.Size, list[int]] = {}
    for place, size in enumerate(sizes):
        groups.setdefault(size, []).append(place)
    return list(groups.values())


@dataclass(frozen=True)
class ByteSource:
    """A byte codec: a length field, then the bytes.

    Attributes:
        codec: Image to bytes and back.
        make: The bitstream of a picture within its budget; raises `BudgetError`.
        headers_known: The receiver knows the fixed header; it is not sent.
        best_effort: Decode also what the CRC found damaged.
    """

    codec: ByteCodec
    make: Callable[[Picture], bytes]
    headers_known: bool
    best_effort: bool
    _memo: _Memo = field(default_factory=_Memo, repr=False, compare=False)

    def encode(self, picture: Picture) -> Sent:
        """Image to bytes to bits."""
        data = self.make(picture)
        split = self.codec.header_bytes(data) if self.headers_known else 0
        payload = data[split:]
        if len(payload) > MOST_BYTES:
            raise CodecError(
                f"a payload must be at most {MOST_BYTES} bytes, "
                f"got {len(payload)} for picture {picture.name}"
            )
        length = unpack_integers(torch.tensor([len(payload)]), width=LENGTH_BITS)
        bits = torch.cat([length, unpack_bytes(payload)])
        return Sent(bits, picture, payload=payload, header=data[:split], length_bits=LENGTH_BITS)

    def decode(self, bits: Tensor, sent: Sent, *, intact: bool) -> Arrived:
        """Bits to bytes to image; ``intact`` is the verdict of the CRC."""
        assert sent.picture is not None
        _, height, width = sent.picture.pixels.shape
        length = int(pack_integers(bits[:LENGTH_BITS], width=LENGTH_BITS)[0])
        payload = pack_bytes(bits[LENGTH_BITS:])[:length]
        if not (intact or self.best_effort):
            return Arrived(payload=payload, failed=True)
        data = sent.header + payload
        try:
            key = f"{height}x{width}:".encode() + data
            image = self._memo.get(key, lambda: self.codec.decode(data, height, width))
        except DecodeError:
            return Arrived(payload=payload, failed=True)
        return Arrived(payload=payload, image=image, failed=not intact)


@dataclass(frozen=True)
class RandomBits:
    """No image: a frame of random bits."""

    payload_bits: int

    def encode(self, generator: torch.Generator) -> Sent:
        """Draw a frame."""
        bits = torch.randint(2, (self.payload_bits,), generator=generator, dtype=torch.uint8)
        return Sent(bits)


Source: TypeAlias = IndexSource | SystemSource | ByteSource | RandomBits


def decode_sources(
    source: Source, arriving: Sequence[Arriving], frames: Sequence[Sent]
) -> list[Arrived]:
    """What a source codec makes of the frames of a batch."""
    pairs = zip(arriving, frames, strict=True)
    match source:
        case IndexSource():
            return [source.decode(a.bits, frame) for a, frame in pairs]
        case SystemSource():
            return source.decode(arriving, frames)
        case ByteSource():
            return [source.decode(a.bits, frame, intact=a.intact) for a, frame in pairs]
        case RandomBits():
            return [Arrived() for _ in frames]


def byte_tensor(data: bytes) -> Tensor:
    """Bytes as uint8 ``[n]``."""
    values = torch.zeros(len(data), dtype=torch.uint8)
    if data:
        values.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
    return values
