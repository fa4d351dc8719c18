"""Index codecs: fixed-length binary indices."""

from dataclasses import dataclass, field

from torch import Tensor

from phy.bits import pack_integers, unpack_integers
from semcodec.codec import IndexCodec
from transceiver.source.frames import Arrived, Picture, Sent
from transceiver.source.memo import Memo


@dataclass(frozen=True)
class IndexSource:
    """An index codec: fixed-length binary indices. A damaged index is still an index."""

    codec: IndexCodec
    _memo: Memo = field(default_factory=Memo, repr=False, compare=False)

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
