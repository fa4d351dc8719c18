"""Index codecs: binary indices of fixed lengths."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from phy.bits import pack_integers, unpack_integers
from semcodec.codec import IndexCodec, Indices
from transceiver.networks import one_thread
from transceiver.source.frames import Arrived, Picture, Sent
from transceiver.source.memo import Memo


@dataclass(frozen=True)
class IndexSource:
    """An index codec: binary indices, run after run. A damaged index is still an index."""

    codec: IndexCodec
    _memo: Memo = field(default_factory=Memo, repr=False, compare=False)

    @one_thread()
    def encode(self, picture: Picture) -> Sent:
        """Image to indices to bits."""
        return self.frame(picture, self.codec.encode(picture.pixels))

    def frame(self, picture: Picture, indices: Indices) -> Sent:
        """What is sent of a picture with these indices."""
        _, height, width = picture.pixels.shape
        runs = self.codec.runs(height, width)
        parts = torch.split(indices, [run.count for run in runs])
        bits = [unpack_integers(part, width=r.bits) for part, r in zip(parts, runs, strict=True)]
        return Sent(torch.cat(bits), picture, indices=indices)

    @one_thread()
    def decode(self, bits: Tensor, sent: Sent) -> Arrived:
        """Bits to indices to image."""
        assert sent.picture is not None
        _, height, width = sent.picture.pixels.shape
        runs = self.codec.runs(height, width)
        parts = torch.split(bits, [run.count * run.bits for run in runs])
        indices = torch.cat(
            [pack_integers(part, width=r.bits) for part, r in zip(parts, runs, strict=True)]
        )
        key = f"{height}x{width}:".encode() + indices.numpy().tobytes()
        image = self._memo.get(key, lambda: self.codec.decode(indices, height, width))
        return Arrived(indices=indices, image=image)
