"""The systems for small pictures, with their index streams and plans."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from phy.allocation import Allocation
from phy.bits import pack_integers, unpack_integers
from semcodec.codec import Image
from semcodec.errors import CodecError
from semcodec.streams import FixedStream, IndexStream, Unstreamed, index_labels, soft_decode
from semcodec.system32.codec import SystemCodec
from transceiver.networks import one_thread
from transceiver.source.frames import LENGTH_BITS, Arrived, Arriving, Picture, Sent


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

    @one_thread()
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

    @one_thread()
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

    @one_thread()
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
