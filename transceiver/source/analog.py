"""Analog codecs: two values make a symbol."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semcodec.analog import from_symbols, to_symbols, unit_power
from semcodec.codec import AnalogCodec, Values
from transceiver.networks import one_thread
from transceiver.source.frames import Arrived, Picture, Sent

_NO_BITS = torch.zeros(0, dtype=torch.uint8)


@dataclass(frozen=True)
class AnalogSource:
    """An analog codec. There is nothing that could fail."""

    codec: AnalogCodec

    @one_thread()
    def encode(self, picture: Picture) -> Sent:
        """Image to values."""
        return self.frame(picture, self.codec.encode(picture.pixels))

    def frame(self, picture: Picture, values: Values) -> Sent:
        """What is sent of a picture with these values."""
        return Sent(_NO_BITS, picture, values=values)

    @one_thread()
    def symbols(self, values: Tensor) -> Tensor:
        """The power normalisation: symbols ``[n/2]`` of unit mean energy of values ``[n]``."""
        return to_symbols(unit_power(values[None])[0])

    @one_thread()
    def decode(self, equalized: Sequence[Tensor], sent: Sequence[Sent]) -> list[Arrived]:
        """Equalised symbols of each frame to values to images."""
        arrived = []
        for symbols, frame in zip(equalized, sent, strict=True):
            assert frame.picture is not None
            _, height, width = frame.picture.pixels.shape
            values = from_symbols(symbols)
            arrived.append(Arrived(values=values, image=self.codec.decode(values, height, width)))
        return arrived
