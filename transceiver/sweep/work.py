"""One chunk of work: some frames of a codec at a point, from the source to the counters.

`carry` is the task of every process that runs a scenario. What goes in and what comes out can be
pickled, and nothing is written: what belongs into files comes back as bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import torch

from phy.jit import announced
from semcodec.device import described, find_device
from semcodec.errors import BudgetError
from transceiver.build import build, conditions
from transceiver.counters import Counters
from transceiver.encodings import EncodingCache
from transceiver.failure import mean_colour
from transceiver.link import Link, Streams
from transceiver.metrics import Measure, build_metrics
from transceiver.progress import compiling
from transceiver.scenario import Scenario
from transceiver.sender import Sender
from transceiver.source import Picture, RandomBits, Sent
from transceiver.store import StageShape, Unit, UnitKey
from transceiver.streams import stream
from transceiver.sweep.facts import agreed
from transceiver.sweep.frames import Setting, send_frames
from transceiver.sweep.keep import picture_file


@dataclass(frozen=True)
class Chunk:
    """Units of one codec at one point that are carried together.

    Attributes:
        codec: Its name.
        point: Number of the point.
        keys: The units. Which of them share a chunk changes no number.
        good: Pictures of which an earlier trial arrived, where failures fall back on it; the keys
            are then of one trial.
    """

    codec: str
    point: int
    keys: tuple[UnitKey, ...]
    good: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Carried:
    """What came of a chunk.

    Attributes:
        units: In the order of the keys.
        stages: What passed the taps of the first frame that was sent.
        seconds: Spent in each stage by all of them.
        files: By path below the run's folder: of a codec's first frame at a point.
    """

    units: tuple[Unit, ...]
    stages: Mapping[str, StageShape] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Bench:
    """The blocks that a process carries chunks with. Senders remember what they have encoded."""

    scenario: Scenario
    senders: Mapping[str, Sender]
    measure: Measure

    @staticmethod
    def of(scenario: Scenario, senders: Mapping[str, Sender], device: torch.device) -> "Bench":
        """With the scenario's metrics, whose networks compute on a device."""
        metrics = build_metrics(scenario.metrics, device=device)
        return Bench(scenario, senders, Measure(metrics))


Order: TypeAlias = tuple[Chunk, tuple[Picture, ...]]
"""A chunk and the picture of each key; none for random bits."""


@dataclass(frozen=True)
class Workshop:
    """What a worker process needs; see `transceiver.workers.Task`.

    Attributes:
        scenario: The checked scenario.
        threads: Of torch, in each worker.
        cache: Of encodings; None to keep none.
        agreed: Versions and digests of the process that hands out the work: a worker, perhaps on
            another machine, must have the same.
        instructions: Of the vector unit that torch uses there.
        device: Where networks compute: ``cpu``, ``cuda``, or ``auto``, a GPU where the worker has
            one.
    """

    scenario: Scenario
    threads: int
    cache: EncodingCache | None
    agreed: Mapping[str, str]
    instructions: str
    device: str = "cpu"

    def open(self, say: Callable[[str], None]) -> Callable[[Order], Carried]:
        """Load weights and tables; ``say`` hears of kernels that are compiled.

        Raises:
            ValueError: Weights, plugins, tables or packages differ from those of the run.
            CodecError: A GPU is wanted and there is none.
        """
        torch.set_num_threads(self.threads)
        device = located(self.device, say)
        senders = build(self.scenario, cache=self.cache, device=device)
        have = agreed(self.scenario, senders)
        for key, wanted in self.agreed.items():
            if have.get(key) != wanted:
                got = have.get(key, "nothing")
                raise ValueError(f"{key} must be {wanted}, as where the run is, got {got}")
        here = torch.backends.cpu.get_cpu_capability()
        if here != self.instructions:
            say(
                f"a worker computes with {here}, the run is on {self.instructions}: where a "
                "network is at work, last bits may depend on which worker took a chunk"
            )
        bench = Bench.of(self.scenario, senders, device)

        def work(order: Order) -> Carried:
            with announced(lambda kernel: say(compiling(kernel))):
                return carry(bench, *order)

        return work


def located(wanted: str, say: Callable[[str], None]) -> torch.device:
    """The device for networks; what it is, is said unless it was asked for."""
    device = find_device(wanted)
    if wanted != "cpu":
        say(f"networks compute on: {described(device)}")
    return device


def carry(bench: Bench, chunk: Chunk, pictures: Sequence[Picture]) -> Carried:
    """Encode, send, decode, count and measure the frames of a chunk.

    Args:
        bench: The blocks.
        chunk: What to do.
        pictures: One for each key; none for random bits.
    """
    scenario, sender = bench.scenario, bench.senders[chunk.codec]
    value = scenario.sweep.values[chunk.point]
    setting = Setting(
        scenario, sender, chunk.point, conditions(sender.link, scenario, value), bench.measure
    )
    if isinstance(sender.link.source, RandomBits):
        return _random_frames(setting, chunk.keys)
    return _pictures(setting, chunk, pictures)


def _pictures(setting: Setting, chunk: Chunk, pictures: Sequence[Picture]) -> Carried:
    """Send pictures; an outage is a unit in which nothing is sent."""
    keys, sender = chunk.keys, setting.sender
    gamma = _channel_states(setting, keys)
    frames = sender.encode_batch(pictures, gamma=gamma)
    modes = sender.modes.choose(gamma)
    outages: list[Unit] = []
    files: dict[str, bytes] = {}
    for key, picture, frame in zip(keys, pictures, frames, strict=True):
        if isinstance(frame, BudgetError):
            image_hat = mean_colour(picture.pixels)
            files |= picture_file(key, image_hat)
            outages.append(
                Unit(
                    key,
                    picture.name,
                    picture.pixels.numel(),
                    failure=False,
                    outage=True,
                    counters=Counters(frames=1),
                    metrics=setting.measure([picture], [image_hat])[0],
                )
            )
    sent = [
        (key, frame, mode)
        for key, frame, mode in zip(keys, frames, modes, strict=True)
        if isinstance(frame, Sent)
    ]
    carried = _send_by_mode(
        setting,
        [key for key, _, _ in sent],
        [frame for _, frame, _ in sent],
        [mode for _, _, mode in sent],
        [sender.decode_clean(f) if key.image in chunk.good else None for key, f, _ in sent],
    )
    units = {unit.key: unit for unit in (*outages, *carried.units)}
    return Carried(
        tuple(units[key] for key in keys),
        carried.stages,
        carried.seconds,
        {**files, **carried.files},
    )


def _random_frames(setting: Setting, keys: Sequence[UnitKey]) -> Carried:
    """Send frames of random bits."""
    sender, seed = setting.sender, setting.scenario.seed
    modes = sender.modes.choose(_channel_states(setting, keys))
    frames = [
        random_bits(sender.links[mode]).encode(
            stream(seed, point=key.point, image=key.image, trial=key.trial, purpose="payload")
        )
        for key, mode in zip(keys, modes, strict=True)
    ]
    return _send_by_mode(setting, keys, frames, modes, [None] * len(keys))


def random_bits(link: Link) -> RandomBits:
    """The source of a link that sends random bits."""
    assert isinstance(link.source, RandomBits)
    return link.source


def _streams(setting: Setting, key: UnitKey) -> Streams:
    """The random streams of a unit's channel."""
    name = {"point": key.point, "image": key.image, "trial": key.trial}
    return Streams(
        fading=stream(setting.scenario.seed, **name, purpose="fading"),
        noise=stream(setting.scenario.seed, **name, purpose="noise"),
    )


def _channel_states(setting: Setting, keys: Sequence[UnitKey]) -> torch.Tensor:
    """What the plans of units follow, ``[units]``."""
    fading = [_streams(setting, key).fading for key in keys]
    return setting.sender.channel_states(setting.conditions.noise_variance, fading)


def _send_by_mode(
    setting: Setting,
    keys: Sequence[UnitKey],
    frames: Sequence[Sent],
    modes: Sequence[int],
    last_good: Sequence[torch.Tensor | None],
) -> Carried:
    """Carry each frame over the link of its mode; units in the order of the keys."""
    units: dict[UnitKey, Unit] = {}
    stages: dict[str, StageShape] = {}
    seconds: dict[str, float] = {}
    files: dict[str, bytes] = {}
    for mode in sorted(set(modes)):
        members = [i for i, taken in enumerate(modes) if taken == mode]
        passed = send_frames(
            setting,
            setting.sender.links[mode],
            [keys[i] for i in members],
            [frames[i] for i in members],
            [_streams(setting, keys[i]) for i in members],
            [last_good[i] for i in members],
        )
        units |= {unit.key: unit for unit in passed.units}
        stages = dict(passed.stages) | stages
        files |= passed.files
        for name, spent in passed.seconds.items():
            seconds[name] = seconds.get(name, 0.0) + spent
    return Carried(tuple(units[key] for key in keys), stages, seconds, files)
