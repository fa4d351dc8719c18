"""The work of a run in lanes: chunks of a lane go one after the other, lanes side by side.

- Pictures: every chunk is a lane of its own. Where failures fall back on the last picture that
  arrived (``failure: last_good``), a lane is a group of pictures, trial by trial.
- Random bits: a lane is a point, as what has been counted decides when it ends.

With N workers the pictures are cut into N groups, and each group has a worker that it is given to
if it is free: so each picture is encoded by one worker, as far as possible.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from typing import Protocol

from transceiver import plan
from transceiver.counters import total
from transceiver.scenario import Scenario
from transceiver.sender import Sender
from transceiver.source import RandomBits
from transceiver.store import Store, Unit, UnitKey
from transceiver.sweep.work import Carried, Chunk, random_bits


class Lane(Protocol):
    """Chunks that need what came of those before.

    Attributes:
        codec: Its name.
        point: Number of the point.
        home: The worker that should have it.
    """

    codec: str
    point: int
    home: int

    def next(self) -> Chunk | None:
        """The next chunk, once what came of the one before was taken; None at the end."""
        ...

    def take(self, carried: Carried) -> Sequence[Unit]:
        """What of a chunk's units counts."""
        ...

    @property
    def fraction(self) -> float:
        """How much of the whole point is done."""
        ...


class PicturePoint:
    """A codec at a point: what is done and what is to do."""

    def __init__(self, scenario: Scenario, store: Store, codec: str, point: int, images: int):
        """Look into the store."""
        assert scenario.stop.trials is not None
        self.codec, self.point = codec, point
        self.units, self.finished = images * scenario.stop.trials, store.count(codec, point)
        self.in_order = scenario.failure == "last_good"
        self.pending: list[UnitKey] = []
        self.good: set[int] = set()
        if self.finished == self.units:
            return
        done = store.done(codec, point)
        keys = plan.image_units(scenario, codec, point, images)
        self.pending = [key for key in keys if key not in done]
        if self.in_order:
            self.good = {key.image for key in store.arrived(codec, point)}

    @property
    def fraction(self) -> float:
        """Of the units."""
        return self.finished / self.units

    def lanes(self, *, batch: int, jobs: int, images: int) -> Iterator["PictureLane"]:
        """Cut what is to do into chunks of at most ``batch`` units."""
        groups: dict[int, list[UnitKey]] = {}
        for key in self.pending:
            groups.setdefault(key.image * jobs // images, []).append(key)
        chunks = {
            home: plan.batches(keys, batch, one_trial=self.in_order)
            for home, keys in sorted(groups.items())
        }
        if self.in_order:
            yield from (PictureLane(self, home, cut) for home, cut in chunks.items())
            return
        for row in zip_longest(*chunks.values()):
            for home, keys in zip(chunks, row, strict=True):
                if keys:
                    yield PictureLane(self, home, iter([keys]))


class PictureLane:
    """Chunks of pictures, in trials that rise where failures fall back on earlier ones."""

    def __init__(self, where: PicturePoint, home: int, chunks: Iterator[Sequence[UnitKey]]):
        """Begin with the first of ``chunks``."""
        self.codec, self.point, self.home = where.codec, where.point, home
        self._where, self._chunks = where, chunks

    def next(self) -> Chunk | None:
        """The next chunk."""
        keys = next(self._chunks, None)
        if keys is None:
            return None
        good = frozenset(key.image for key in keys) & self._where.good
        return Chunk(self.codec, self.point, tuple(keys), good)

    def take(self, carried: Carried) -> Sequence[Unit]:
        """All units."""
        self._where.finished += len(carried.units)
        if self._where.in_order:
            self._where.good |= {
                unit.key.image
                for unit in carried.units
                if not (unit.failure or unit.outage or unit.counters.source_bit_errors)
            }
        return carried.units

    @property
    def fraction(self) -> float:
        """Of the point."""
        return self._where.fraction


class BitsLane:
    """Frames of random bits until enough block errors or blocks are seen."""

    def __init__(self, scenario: Scenario, store: Store, sender: Sender, point: int, batch: int):
        """Go on from what the store holds."""
        self.codec, self.point, self.home = sender.name, point, point
        stop = scenario.stop
        assert stop.block_errors is not None
        assert stop.max_blocks is not None
        self._block_errors, self._max_blocks, self._batch = (
            stop.block_errors,
            stop.max_blocks,
            batch,
        )
        forms = [(link.format, random_bits(link).payload_bits) for link in sender.links]
        self._blocks_of_frame = min(form.blocks(payload_bits) for form, payload_bits in forms)
        self._so_far = store.totals(sender.name, point).counters

    @property
    def fraction(self) -> float:
        """Of the block errors, or of the blocks if more of those are there."""
        errors, blocks = self._so_far.block_errors, self._so_far.blocks
        return min(1.0, max(errors / self._block_errors, blocks / self._max_blocks))

    def next(self) -> Chunk | None:
        """As many frames as there were so far, so that little is carried in vain."""
        if self.fraction >= 1:
            return None
        first = self._so_far.frames
        most = -(-(self._max_blocks - self._so_far.blocks) // self._blocks_of_frame)
        size = min(self._batch, most, max(1, first))
        keys = (UnitKey(self.codec, self.point, first + i, 0) for i in range(size))
        return Chunk(self.codec, self.point, tuple(keys))

    def take(self, carried: Carried) -> Sequence[Unit]:
        """The units up to the one with which enough was seen."""
        needed = []
        for unit in carried.units:
            needed.append(unit)
            self._so_far = total([self._so_far, unit.counters])
            if self.fraction >= 1:
                break
        return needed


def point_lanes(
    scenario: Scenario,
    store: Store,
    senders: Mapping[str, Sender],
    *,
    images: int,
    batch: int,
    jobs: int,
) -> Iterator[tuple[str, int, float, Iterator[Lane]]]:
    """Codec, point, the fraction of it that is done, and lanes for the rest; point after point.

    The store is looked into when a point is reached.
    """
    for name, sender in senders.items():
        for point in range(len(scenario.sweep.values)):
            if isinstance(sender.link.source, RandomBits):
                lane = BitsLane(scenario, store, sender, point, batch)
                yield name, point, lane.fraction, chain([lane])
            else:
                where = PicturePoint(scenario, store, name, point, images)
                lanes = where.lanes(batch=batch, jobs=jobs, images=images)
                yield name, point, where.fraction, chain(lanes)
