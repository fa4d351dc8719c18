"""Random streams: one for each (point, image, trial, purpose), all from the scenario's seed.

A stream is known by its name alone, so what is drawn does not depend on the order of the work,
on the batch, on the number of workers or on the codec: two codecs see the same noise and fading,
as far as the shorter transmission goes (common random numbers).

The name is hashed to the 32 bits that torch's Mersenne Twister takes as a seed. Among N streams
about N^2 / 2^33 pairs share a seed, 1 pair in 10^5 streams: far below what any estimate can see.
"""

import hashlib
from typing import Literal

import torch


def stream(
    seed: int,
    *,
    point: int,
    image: int,
    trial: int,
    purpose: Literal["payload", "fading", "noise"],
) -> torch.Generator:
    """The generator of one purpose in one unit of work."""
    name = f"{seed}/{point}/{image}/{trial}/{purpose}".encode()
    digest = hashlib.blake2b(name, digest_size=4).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big"))
