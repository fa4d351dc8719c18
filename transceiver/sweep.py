"""Run a scenario: every codec at every point, unit by unit, into a store."""

import math
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch

from semcodec.errors import BudgetError
from semcodec.image_io import write_png
from transceiver import plan
from transceiver.build import build, conditions
from transceiver.counters import Counters, count, total
from transceiver.failure import mean_colour
from transceiver.link import Conditions, Link, Received, Streams, send
from transceiver.mcs.table import digest, find_table
from transceiver.metrics import Measure, build_metrics
from transceiver.pictures import Pictures
from transceiver.scenario import Scenario
from transceiver.scenario.source import AmcPlan
from transceiver.sender import Sender
from transceiver.source import AnalogSource, IndexSource, Picture, RandomBits, Sent, SystemSource
from transceiver.store import StageShape, Store, Unit, UnitKey, create_or_resume
from transceiver.streams import stream
from transceiver.taps import Recorder

CONSTELLATION_SAMPLES = 2048
"""Symbols of a point's first frame that are always kept, for the constellation figure."""

Progress = Callable[[str, float], None]
"""Called after each unit with what is running and the fraction of the whole that is done."""


@dataclass(frozen=True)
class _Work:
    """What stays the same while one codec runs at one point."""

    scenario: Scenario
    sender: Sender
    point: int
    conditions: Conditions
    store: Store
    measure: Measure


def run(
    scenario: Scenario,
    pictures: Pictures | None,
    *,
    folder: Path,
    batch: int,
    progress: Progress,
) -> None:
    """Run a scenario, or go on with it, in ``folder``.

    Args:
        scenario: The checked scenario.
        pictures: Its pictures; None for random bits.
        folder: The run.
        batch: Frames carried at once. Changes speed and memory, never a number.
        progress: See `Progress`.
    """
    senders = build(scenario)
    measure = Measure(build_metrics(scenario.metrics))
    with create_or_resume(folder, scenario, _facts(scenario, senders, pictures)) as store:
        for sub in ("taps", "images"):
            (folder / sub).mkdir(exist_ok=True)
        if pictures is not None:
            write_png(folder / "images" / "sent.png", pictures[0].pixels)
        share = 1 / (len(senders) * len(scenario.sweep.values))
        done = 0.0
        for name, sender in senders.items():
            for point, value in enumerate(scenario.sweep.values):
                work = _Work(
                    scenario,
                    sender,
                    point,
                    conditions(sender.link, scenario, value),
                    store,
                    measure,
                )
                label = f"{name} {scenario.sweep.quantity} {value:g}"

                def report(fraction: float, label: str = label, start: float = done) -> None:
                    progress(label, start + fraction * share)

                if pictures is None:
                    _bits_point(work, batch, report)
                else:
                    _image_point(work, pictures, batch, report)
                done += share


def _image_point(
    work: _Work, pictures: Pictures, batch: int, report: Callable[[float], None]
) -> None:
    """Every trial of every image at one point."""
    scenario, store, name = work.scenario, work.store, work.sender.name
    keys = list(plan.image_units(scenario, name, work.point, len(pictures)))
    arrived = store.arrived(name, work.point) if scenario.failure == "last_good" else set()
    good = {key.image for key in arrived}
    done = store.done(name, work.point)
    pending = [k for k in keys if k not in done]
    finished = len(keys) - len(pending)
    report(finished / len(keys))
    for group in plan.batches(pending, batch, one_trial=scenario.failure == "last_good"):
        chosen = [pictures[key.image] for key in group]
        units, shapes, seconds = _carry(work, group, chosen, good)
        store.commit(units, stages=shapes, seconds=seconds)
        finished += len(units)
        good |= {
            unit.key.image
            for unit in units
            if not (unit.failure or unit.outage or unit.counters.source_bit_errors)
        }
        report(finished / len(keys))


_Carried: TypeAlias = tuple[list[Unit], Mapping[str, StageShape], Mapping[str, float]]
"""Units, what passed the taps of the first of them, and the time that the stages took in all."""


def _carry(
    work: _Work, keys: Sequence[UnitKey], pictures: Sequence[Picture], good: set[int]
) -> _Carried:
    """Send a batch of images; an outage is a unit in which nothing is sent."""
    gamma = _channel_states(work, keys)
    frames = work.sender.encode_batch(pictures, gamma=gamma)
    modes = work.sender.modes.choose(gamma)
    units: dict[UnitKey, Unit] = {}
    for key, picture, frame in zip(keys, pictures, frames, strict=True):
        if isinstance(frame, BudgetError):
            image_hat = mean_colour(picture.pixels)
            _keep_image(work, key, image_hat)
            units[key] = Unit(
                key,
                picture.name,
                picture.pixels.numel(),
                failure=False,
                outage=True,
                counters=Counters(frames=1),
                metrics=work.measure([picture], [image_hat])[0],
            )
    sent = [
        (key, frame, mode)
        for key, frame, mode in zip(keys, frames, modes, strict=True)
        if isinstance(frame, Sent)
    ]
    carried, shapes, seconds = _send_by_mode(
        work,
        [key for key, _, _ in sent],
        [frame for _, frame, _ in sent],
        [mode for _, _, mode in sent],
        [work.sender.decode_clean(f) if key.image in good else None for key, f, _ in sent],
    )
    units |= {unit.key: unit for unit in carried}
    return [units[key] for key in keys], shapes, seconds


def _bits_point(work: _Work, batch: int, report: Callable[[float], None]) -> None:
    """Frames of random bits until enough block errors or blocks are seen."""
    stop = work.scenario.stop
    assert stop.block_errors is not None
    assert stop.max_blocks is not None
    forms = [(link.format, _random_bits(link).payload_bits) for link in work.sender.links]
    blocks = min(form.blocks(payload_bits) for form, payload_bits in forms)
    so_far = total([u.counters for u in work.store.units(work.sender.name, work.point)])

    def fraction() -> float:
        assert stop.block_errors is not None
        assert stop.max_blocks is not None
        return min(
            1.0, max(so_far.block_errors / stop.block_errors, so_far.blocks / stop.max_blocks)
        )

    while fraction() < 1:
        first = so_far.frames
        most = -(-(stop.max_blocks - so_far.blocks) // blocks)
        size = min(batch, most, max(1, first))  # grows, so that little is carried in vain
        keys = [UnitKey(work.sender.name, work.point, first + i, 0) for i in range(size)]
        modes = work.sender.modes.choose(_channel_states(work, keys))
        frames = [
            _random_bits(work.sender.links[mode]).encode(
                stream(work.scenario.seed, point=k.point, image=k.image, trial=0, purpose="payload")
            )
            for k, mode in zip(keys, modes, strict=True)
        ]
        units, shapes, seconds = _send_by_mode(work, keys, frames, modes, [None] * size)
        needed = []
        for unit in units:
            needed.append(unit)
            so_far = total([so_far, unit.counters])
            if fraction() >= 1:
                break
        work.store.commit(needed, stages=shapes, seconds=seconds)
        report(fraction())


def _streams(work: _Work, key: UnitKey) -> Streams:
    """The random streams of a unit's channel."""
    name = {"point": key.point, "image": key.image, "trial": key.trial}
    return Streams(
        fading=stream(work.scenario.seed, **name, purpose="fading"),
        noise=stream(work.scenario.seed, **name, purpose="noise"),
    )


def _random_bits(link: Link) -> RandomBits:
    assert isinstance(link.source, RandomBits)
    return link.source


def _channel_states(work: _Work, keys: Sequence[UnitKey]) -> torch.Tensor:
    """What the plans of units follow, ``[units]``."""
    fading = [_streams(work, key).fading for key in keys]
    return work.sender.channel_states(work.conditions.noise_variance, fading)


def _send_by_mode(
    work: _Work,
    keys: Sequence[UnitKey],
    frames: Sequence[Sent],
    modes: Sequence[int],
    last_good: Sequence[torch.Tensor | None],
) -> _Carried:
    """Carry each frame over the link of its mode; units in the order of the keys."""
    units: dict[UnitKey, Unit] = {}
    shapes: dict[str, StageShape] = {}
    seconds: dict[str, float] = {}
    for mode in sorted(set(modes)):
        members = [i for i, taken in enumerate(modes) if taken == mode]
        carried, passed, spent = _send(
            work,
            work.sender.links[mode],
            [keys[i] for i in members],
            [frames[i] for i in members],
            [last_good[i] for i in members],
        )
        units |= {unit.key: unit for unit in carried}
        shapes = dict(passed) | shapes
        for name, stage_seconds in spent.items():
            seconds[name] = seconds.get(name, 0.0) + stage_seconds
    return [units[key] for key in keys], shapes, seconds


def _send(
    work: _Work,
    link: Link,
    keys: Sequence[UnitKey],
    frames: Sequence[Sent],
    last_good: Sequence[torch.Tensor | None],
) -> _Carried:
    """Carry encoded frames, count and measure."""
    recorder = Recorder()
    received = send(
        link,
        frames,
        conditions=work.conditions,
        streams=[_streams(work, key) for key in keys],
        last_good=last_good,
        tap=recorder,
    )
    shapes = {name: _shape(name, parts[0]) for name, parts in recorder.frames.items() if parts}
    counters = count(
        recorder.frames,
        received,
        [link.account(frame) for frame in frames],
        displacement=_displacements(link, frames, received),
    )
    pictures = [frame.picture for frame in frames if frame.picture is not None]
    images = [arrival.image for arrival in received if arrival.image is not None]
    metrics: Sequence[Mapping[str, float]] = [{}] * len(frames)
    if pictures:
        metrics = work.measure(pictures, images)
        for key, image in zip(keys, images, strict=True):
            _keep_image(work, key, image)
    units = []
    for i, (key, frame, arrival) in enumerate(zip(keys, frames, received, strict=True)):
        if (key.image, key.trial) == (0, 0):
            _keep_samples(
                work, {name: parts[i] for name, parts in recorder.frames.items() if parts}
            )
        units.append(
            Unit(
                key,
                frame.picture.name if frame.picture else "",
                frame.picture.pixels.numel() if frame.picture else 0,
                failure=arrival.arrived.failed,
                outage=False,
                counters=counters[i],
                metrics=metrics[i],
            )
        )
    return units, shapes, recorder.seconds


def _displacements(
    link: Link, frames: Sequence[Sent], received: Sequence[Received]
) -> list[torch.Tensor] | None:
    """How far the codewords received lie from those sent, for index codecs."""
    arrived = [r.arrived for r in received]
    match link.source:
        case IndexSource():
            return [
                link.source.codec.displacement(frame.indices, a.indices)
                for frame, a in zip(frames, arrived, strict=True)
                if frame.indices is not None and a.indices is not None
            ]
        case SystemSource():
            return link.source.displacements(frames, arrived)
        case _:
            return None


def _shape(name: str, values: torch.Tensor) -> StageShape:
    return StageShape(name, str(list(values.shape)), str(values.dtype).removeprefix("torch."))


def _keep_image(work: _Work, key: UnitKey, image_hat: torch.Tensor) -> None:
    """The first picture's first trial, for the strip."""
    if (key.image, key.trial) == (0, 0):
        name = f"{work.sender.name}-{work.point:03d}.png"
        write_png(work.store.folder / "images" / name, image_hat)


def _keep_samples(work: _Work, signals: Mapping[str, torch.Tensor]) -> None:
    """The first samples of the first frame at this point."""
    wanted = dict.fromkeys(("symbols", "received", "equalized"), CONSTELLATION_SAMPLES)
    for name in work.scenario.taps.samples:
        wanted[name] = work.scenario.taps.per_point
    arrays = {
        name: signals[name].reshape(-1)[:limit].numpy()
        for name, limit in wanted.items()
        if name in signals
    }
    path = work.store.folder / "taps" / f"{work.sender.name}-{work.point:03d}.npz"
    partial = path.with_suffix(".partial.npz")
    np.savez_compressed(partial, **arrays)  # type: ignore[arg-type]
    partial.replace(path)


def _facts(
    scenario: Scenario, senders: Mapping[str, Sender], pictures: Pictures | None
) -> dict[str, str]:
    """What made the run, for its database."""
    packages = (
        "semantic-transceiver",
        "torch",
        "numpy",
        "numba",
        "sionna-no-rt",
        "pillow",
        "av",
        "torchmetrics",
    )
    facts = {f"version.{name}": version(name) for name in packages}
    facts["commit"] = _commit()
    facts["weights"] = " ".join(
        f"{name}:{sender.link.source.codec.sha256}"
        for name, sender in senders.items()
        if isinstance(sender.link.source, IndexSource | SystemSource | AnalogSource)
    )
    facts["mode_tables"] = " ".join(
        f"{name}:{digest(find_table(plan.table, key=name))}"
        for name, plan in ((name, getattr(c, "plan", None)) for name, c in scenario.codecs.items())
        if isinstance(plan, AmcPlan)
    )
    facts["pictures"] = pictures.digest if pictures is not None else ""
    for name, sender in senders.items():
        nominal = sender.link.format.nominal_bits_per_symbol
        if len(sender.links) > 1 and scenario.sweep.quantity != "ebn0_db":
            nominal = math.nan  # no Eb/N0 for all modes
        facts[f"nominal_bits_per_symbol.{name}"] = repr(nominal)
    facts["seed"] = str(scenario.seed)
    return facts


def _commit() -> str:
    """The git commit of a checkout; unknown for an installed package or without git."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return found.stdout.strip() if found.returncode == 0 else "unknown"
