"""The run: chunks are handed out, and what comes back is kept, by one process alone."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import torch

from semcodec.device import CPU
from transceiver.build import build
from transceiver.encodings import EncodingCache
from transceiver.engine import Engine, Processes
from transceiver.files import writable, write_whole
from transceiver.pictures import Pictures
from transceiver.scenario import Scenario
from transceiver.store import StageShape, Store, create_or_resume
from transceiver.sweep.facts import agreed, facts
from transceiver.sweep.keep import png
from transceiver.sweep.lanes import Lane, point_lanes
from transceiver.sweep.work import Bench, Carried, Chunk, Order, Workshop, carry, located
from transceiver.workers import Job

Progress: TypeAlias = Callable[[str, float], None]
"""Called after each chunk with what is running and the fraction of the whole that is done."""

_AHEAD = 4
"""Lanes for each worker that are looked at to find one for the worker that is free."""


def run(
    scenario: Scenario,
    pictures: Pictures | None,
    *,
    folder: Path,
    batch: int,
    progress: Progress,
    jobs: int = 1,
    engine: Engine | None = None,
    device: str = "cpu",
    cache: EncodingCache | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Run a scenario, or go on with it, in ``folder``.

    Args:
        scenario: The checked scenario.
        pictures: Its pictures; None for random bits.
        folder: The run.
        batch: Frames carried at once. Changes speed and memory, never a number.
        progress: See `Progress`.
        jobs: Worker processes, which share torch's threads; with one, this process does it all.
            It changes no number either, as networks compute on one thread. As workers import the
            script that calls this, its own work must stand behind ``if __name__ == "__main__"``.
        engine: Where other workers are hired, in its own number; ``jobs`` is then left at 1.
        device: Where networks compute: ``cpu``, ``cuda`` or ``auto``, a GPU where the process that
            does the work has one. Last digits of a row may depend on it.
        cache: Where source encodings are kept from run to run; None to keep none.
        say: Takes lines of worker processes: that one died, that a kernel is compiled.

    Raises:
        ValueError: ``jobs`` is below 1, or given beside an engine.
        ScenarioError: The folder holds another run, is being written to, or cannot be written.
        CodecError: A GPU is wanted and there is none.
        WorkerError: Two workers died over the same chunk, or none can begin; what is done is kept.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    if engine is not None and jobs > 1:
        raise ValueError(f"jobs must be left out beside an engine, got {jobs}")
    alone = engine is None and jobs == 1
    engine = engine or Processes(jobs, max(1, torch.get_num_threads() // jobs))
    jobs, threads = engine.jobs, engine.threads
    here = located(device, say) if alone else CPU
    senders = build(scenario, cache=cache, device=here)
    made_by = facts(scenario, senders, pictures) | {"device": device}
    with create_or_resume(folder, scenario, made_by) as store:
        for sub in ("taps", "images"):
            with writable(folder / sub):
                (folder / sub).mkdir(exist_ok=True)
        if pictures is not None:
            write_whole(folder / "images" / "sent.png", png(pictures[0].pixels))
        images = len(pictures) if pictures is not None else 0
        points = point_lanes(scenario, store, senders, images=images, batch=batch, jobs=jobs)
        meter = _Meter(scenario, progress)
        keeper = _Keeper(store, meter)
        lanes = (lane for point in points for lane in _begun(meter, *point))
        if alone:
            bench = Bench.of(scenario, senders, here)
            for lane in lanes:
                while chunk := lane.next():
                    number = keeper.issued(chunk)
                    keeper.keep(lane, number, carry(bench, *_order(chunk, pictures)))
        else:
            instructions = torch.backends.cpu.get_cpu_capability()
            found = agreed(scenario, senders)
            shop = Workshop(scenario, threads, cache, found, instructions, device)
            queue = _Queue(scenario, pictures, lanes, keeper, jobs)
            engine.hire(shop, _each_once(say)).work_off(queue.take, queue.done)
    if cache is not None:
        cache.trim()


@dataclass(frozen=True)
class _Meter:
    """How much of a run is done: the mean over all codecs and points."""

    scenario: Scenario
    progress: Progress
    done: dict[tuple[str, int], float] = field(default_factory=dict)

    def __call__(self, codec: str, point: int, fraction: float) -> None:
        self.done[codec, point] = fraction
        share = 1 / (len(self.scenario.codecs) * len(self.scenario.sweep.values))
        self.progress(_label(self.scenario, codec, point), sum(self.done.values()) * share)


@dataclass
class _Keeper:
    """Writes what comes of chunks: files first, then their units in one transaction.

    The shapes of a codec's stages are those of its first frame, whichever chunk is done first: they
    are kept back until all chunks that were handed out earlier are done.
    """

    store: Store
    meter: _Meter
    _issued: dict[str, int] = field(default_factory=dict)
    _taken: dict[str, int] = field(default_factory=dict)
    _early: dict[tuple[str, int], dict[str, StageShape]] = field(default_factory=dict)

    def issued(self, chunk: Chunk) -> int:
        """The number of a chunk among those of its codec, in the order of handing out."""
        number = self._issued.get(chunk.codec, 0)
        self._issued[chunk.codec] = number + 1
        return number

    def keep(self, lane: Lane, number: int, carried: Carried) -> None:
        """Write what came of a chunk of a lane."""
        for name, content in carried.files.items():
            write_whole(self.store.folder / name, content)
        self._early[lane.codec, number] = dict(carried.stages)
        stages: dict[str, StageShape] = {}
        following = self._taken.get(lane.codec, 0)
        while (shapes := self._early.pop((lane.codec, following), None)) is not None:
            stages = shapes | stages
            following += 1
        self._taken[lane.codec] = following
        self.store.commit(lane.take(carried), stages=stages, seconds=carried.seconds)
        self.meter(lane.codec, lane.point, lane.fraction)


@dataclass
class _Queue:
    """Chunks that can be done now, for workers that ask."""

    scenario: Scenario
    pictures: Pictures | None
    lanes: Iterator[Lane]
    keeper: _Keeper
    jobs: int
    _ready: deque[tuple[Lane, Chunk, int]] = field(default_factory=deque)
    _out: dict[int, tuple[Lane, int]] = field(default_factory=dict)

    def take(self, worker: int) -> Job[Order] | None:
        """A chunk of the worker's own pictures if there is one soon, else the next."""
        while len(self._ready) < _AHEAD * self.jobs:
            lane = next(self.lanes, None)
            if lane is None:
                break
            self._follow(lane)
        if not self._ready:
            return None
        mine = (i for i, (lane, _, _) in enumerate(self._ready) if lane.home % self.jobs == worker)
        place = next(mine, 0)
        lane, chunk, number = self._ready[place]
        del self._ready[place]
        order = _order(chunk, self.pictures)
        job = Job(_name(self.scenario, *order), order)
        self._out[id(job)] = lane, number
        return job

    def done(self, job: Job[Order], carried: Carried) -> None:
        """Keep what came of a chunk; its lane goes on before others begin."""
        lane, number = self._out.pop(id(job))
        self.keeper.keep(lane, number, carried)
        self._follow(lane, first=True)

    def _follow(self, lane: Lane, *, first: bool = False) -> None:
        chunk = lane.next()
        if chunk is not None:
            item = lane, chunk, self.keeper.issued(chunk)
            if first:
                self._ready.appendleft(item)
            else:
                self._ready.append(item)


def _begun(
    meter: _Meter, codec: str, point: int, fraction: float, lanes: Iterator[Lane]
) -> Iterator[Lane]:
    """The lanes of a point, whose progress so far is told."""
    meter(codec, point, fraction)
    yield from lanes


def _order(chunk: Chunk, pictures: Pictures | None) -> Order:
    if pictures is None:
        return chunk, ()
    return chunk, tuple(pictures[key.image] for key in chunk.keys)


def _label(scenario: Scenario, codec: str, point: int) -> str:
    return f"{codec} {scenario.sweep.quantity} {scenario.sweep.values[point]:g}"


def _name(scenario: Scenario, chunk: Chunk, pictures: tuple[object, ...]) -> str:
    """A chunk for the user's eyes."""
    first, last = chunk.keys[0], chunk.keys[-1]
    units = f"{first.image} of trial {first.trial}"
    if last != first:
        units += f" to {last.image} of trial {last.trial}"
    what = f"pictures {units}" if pictures else f"frames {first.image} to {last.image}"
    return f"{_label(scenario, chunk.codec, chunk.point)}, {what}"


def _each_once(say: Callable[[str], None]) -> Callable[[str], None]:
    """Every line once: all workers compile the same kernels."""
    said: set[str] = set()

    def once(text: str) -> None:
        if text not in said:
            said.add(text)
            say(text)

    return once
