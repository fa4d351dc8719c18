"""Random bits instead of an image."""

from dataclasses import dataclass

import torch

from transceiver.source.frames import Sent


@dataclass(frozen=True)
class RandomBits:
    """No image: a frame of random bits."""

    payload_bits: int

    def encode(self, generator: torch.Generator) -> Sent:
        """Draw a frame."""
        bits = torch.randint(2, (self.payload_bits,), generator=generator, dtype=torch.uint8)
        return Sent(bits)
