"""A codec's links, one for each mode of its plan, and what its source encoder has made."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import inf

import torch
from torch import Tensor

from phy.constellation import Constellation
from phy.fading import NoFading
from semcodec.codec import Image
from semcodec.errors import BudgetError
from transceiver.adaptation import ONE_MODE, Modes, channel_state
from transceiver.encodings import EncodingCache
from transceiver.encodings import encode as encode_or_recall
from transceiver.link import BinarySymmetric, Link
from transceiver.source import (
    AnalogSource,
    Arriving,
    ByteSource,
    Picture,
    RandomBits,
    Sent,
    SystemSource,
    decode_sources,
)


@dataclass(frozen=True)
class Sender:
    """A codec's links, and what its source encoder has made so far.

    Attributes:
        name: The codec's name in the scenario.
        kind: The codec's kind.
        links: The blocks; more than one where modulation or code adapt to the channel.
        modes: Which of the links an image takes.
        origin: Package and version, or file, of a plugin with its digest; else empty.
    """

    name: str
    kind: str
    links: tuple[Link, ...]
    modes: Modes = ONE_MODE
    _sent: dict[tuple[int, int], Sent | BudgetError] = field(
        default_factory=dict, repr=False, compare=False
    )
    """By link and picture, and without it: a run may have more pictures than fit into memory."""
    choices: dict[int, Tensor] = field(default_factory=dict, repr=False, compare=False)
    """By picture, its indices in every codebook."""
    cache: EncodingCache | None = field(default=None, repr=False, compare=False)
    """Where encodings are kept from run to run."""
    origin: str = ""

    @property
    def link(self) -> Link:
        """The first link."""
        return self.links[0]

    @property
    def adapts(self) -> bool:
        """Whether what is sent depends on the channel state."""
        return len(self.links) > 1 or self.link.allocator is not None

    @property
    def constellation(self) -> Constellation | None:
        """That of all its symbols; None where they follow a plan or carry analog values."""
        analog = isinstance(self.link.source, AnalogSource)
        return None if self.adapts or analog else self.link.modulation

    def channel_states(self, noise_variance: float, fading: Sequence[torch.Generator]) -> Tensor:
        """Gamma ``[B]`` that plans follow, float64: |h|^2 / N0 of each frame.

        Where a frame meets many gains it is the mean one, 1 / N0, as E|h|^2 = 1. Infinite where
        nothing adapts.

        Args:
            noise_variance: N0.
            fading: For each frame, the generator of its gains at its start; it is advanced.
        """
        link = self.link
        if not self.adapts:
            return torch.full((len(fading),), inf, dtype=torch.float64)
        assert not isinstance(link.channel, BinarySymmetric)
        if link.multipath or not (isinstance(link.channel, NoFading) or link.channel.span is None):
            return torch.full((len(fading),), 1 / noise_variance, dtype=torch.float64)
        gains = [link.channel.gains(1, generator=generator) for generator in fading]
        return channel_state(torch.cat(gains), noise_variance)

    def encode(self, picture: Picture, *, gamma: float = inf) -> Sent:
        """The frame of a picture; raises `BudgetError` where none fits."""
        (frame,) = self.encode_batch([picture], gamma=torch.tensor([gamma], dtype=torch.float64))
        if isinstance(frame, BudgetError):
            raise BudgetError(str(frame))
        return frame

    def encode_batch(
        self, pictures: Sequence[Picture], *, gamma: Tensor
    ) -> list[Sent | BudgetError]:
        """The frame of each picture at its channel state ``[B]``; pictures are encoded once."""
        if isinstance(self.link.source, SystemSource):
            return list(self._of_system(self.link.source, pictures, gamma))
        modes = self.modes.choose(gamma)
        return [self._once(mode, p) for mode, p in zip(modes, pictures, strict=True)]

    def _once(self, mode: int, picture: Picture) -> Sent | BudgetError:
        source = self.links[mode].source
        assert not isinstance(source, SystemSource | RandomBits)
        key = mode if isinstance(source, ByteSource) else 0, picture.key
        if key not in self._sent:
            try:
                sent = encode_or_recall(source, picture, self.cache)
                self._sent[key] = replace(sent, picture=None)
            except BudgetError as error:
                self._sent[key] = BudgetError(str(error))
        known = self._sent[key]
        return known if isinstance(known, BudgetError) else replace(known, picture=picture)

    def _of_system(
        self, source: SystemSource, pictures: Sequence[Picture], gamma: Tensor
    ) -> Iterator[Sent]:
        unknown = [p for p in {p.key: p for p in pictures}.values() if p.key not in self.choices]
        if unknown:
            chosen = source.choose(unknown)
            self.choices.update((p.key, c.short()) for p, c in zip(unknown, chosen, strict=True))
        allocator = self.link.allocator
        plans = allocator.allocate(gamma) if allocator else [None] * len(pictures)
        for picture, plan in zip(pictures, plans, strict=True):
            yield source.frame(picture, self.choices[picture.key].long(), plan)

    def decode_clean(self, sent: Sent) -> Image | None:
        """The picture of a frame that arrives undamaged."""
        source = self.link.source
        if isinstance(source, AnalogSource):
            assert sent.values is not None
            return source.decode([source.symbols(sent.values)], [sent])[0].image
        llrs = 1e3 * (1 - 2 * sent.bits.float())
        arriving = Arriving(sent.bits, llrs, intact=True, codebooks=sent.codebooks)
        (arrived,) = decode_sources(source, [arriving], [sent])
        return arrived.image


@dataclass(frozen=True)
class Spending:
    """What a codec spends on a picture in one of its modes: what budgets refer to."""

    sender: Sender
    mode: int

    def symbols(self, picture: Picture) -> int:
        """Channel uses."""
        return self.sender.links[self.mode].account(self.sender.encode(picture)).symbols

    def source_bits(self, picture: Picture) -> int:
        """Source bits."""
        return self.sender.encode(picture).bits.numel()
