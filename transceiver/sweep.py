"""Run a scenario: every codec at every point, unit by unit, into a store."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from semcodec.errors import BudgetError
from semcodec.image_io import write_png
from transceiver import plan
from transceiver.build import Sender, build, conditions
from transceiver.counters import Counters, count, total
from transceiver.failure import mean_colour
from transceiver.link import Conditions, Streams, send
from transceiver.metrics import Measure, build_metrics
from transceiver.pictures import Pictures
from transceiver.scenario import Scenario
from transceiver.source import IndexSource, Picture, RandomBits, Sent
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
    scenario, store = work.scenario, work.store
    keys = list(plan.image_units(scenario, work.sender.name, work.point, len(pictures)))
    good = {k.image for k in keys if scenario.failure == "last_good" and store.arrived(k)}
    pending = [k for k in keys if not store.has(k)]
    finished = len(keys) - len(pending)
    report(finished / len(keys))
    for group in plan.batches(pending, batch, one_trial=scenario.failure == "last_good"):
        chosen = [pictures[key.image] for key in group]
        for unit, shapes, seconds in _carry(work, group, chosen, good):
            store.commit(unit, stages=shapes, seconds=seconds)
            finished += 1
            if not (unit.failure or unit.outage or unit.counters.source_bit_errors):
                good.add(unit.key.image)
            report(finished / len(keys))


def _carry(
    work: _Work, keys: Sequence[UnitKey], pictures: Sequence[Picture], good: set[int]
) -> list[tuple[Unit, Mapping[str, StageShape], Mapping[str, float]]]:
    """Send a batch of images; an outage is a unit in which nothing is sent."""
    frames: list[Sent] = []
    frame_keys: list[UnitKey] = []
    outages: dict[UnitKey, Unit] = {}
    for key, picture in zip(keys, pictures, strict=True):
        try:
            frames.append(work.sender.encode(picture))
            frame_keys.append(key)
        except BudgetError:
            image_hat = mean_colour(picture.pixels)
            _keep_image(work, key, image_hat)
            outages[key] = Unit(
                key,
                picture.name,
                picture.pixels.numel(),
                failure=False,
                outage=True,
                counters=Counters(frames=1),
                metrics=work.measure(picture, image_hat),
            )
    last_good = [
        work.sender.decode_clean(f) if k.image in good else None
        for k, f in zip(frame_keys, frames, strict=True)
    ]
    sent = _send(work, frame_keys, frames, last_good) if frames else {}
    return [(outages[k], {}, {}) if k in outages else sent[k] for k in keys]


def _bits_point(work: _Work, batch: int, report: Callable[[float], None]) -> None:
    """Frames of random bits until enough block errors or blocks are seen."""
    stop = work.scenario.stop
    assert stop.block_errors is not None
    assert stop.max_blocks is not None
    source = work.sender.link.source
    assert isinstance(source, RandomBits)
    so_far = total([u.counters for u in work.store.units(work.sender.name, work.point)])

    def fraction() -> float:
        assert stop.block_errors is not None
        assert stop.max_blocks is not None
        return min(
            1.0, max(so_far.block_errors / stop.block_errors, so_far.blocks / stop.max_blocks)
        )

    while fraction() < 1:
        first = so_far.frames
        blocks = work.sender.link.format.blocks(source.payload_bits)
        most = -(-(stop.max_blocks - so_far.blocks) // blocks)
        size = min(batch, most, max(1, first))  # grows, so that little is carried in vain
        keys = [UnitKey(work.sender.name, work.point, first + i, 0) for i in range(size)]
        frames = [
            source.encode(
                stream(work.scenario.seed, point=k.point, image=k.image, trial=0, purpose="payload")
            )
            for k in keys
        ]
        for unit, shapes, seconds in _send(work, keys, frames, [None] * size).values():
            work.store.commit(unit, stages=shapes, seconds=seconds)
            so_far = total([so_far, unit.counters])
            report(fraction())
            if fraction() >= 1:
                break


def _send(
    work: _Work,
    keys: Sequence[UnitKey],
    frames: Sequence[Sent],
    last_good: Sequence[torch.Tensor | None],
) -> dict[UnitKey, tuple[Unit, Mapping[str, StageShape], Mapping[str, float]]]:
    """Carry encoded frames, count and measure."""
    link, seed = work.sender.link, work.scenario.seed

    def streams(key: UnitKey) -> Streams:
        name = {"point": key.point, "image": key.image, "trial": key.trial}
        return Streams(
            fading=stream(seed, **name, purpose="fading"),
            noise=stream(seed, **name, purpose="noise"),
        )

    recorder = Recorder()
    received = send(
        link,
        frames,
        conditions=work.conditions,
        streams=[streams(key) for key in keys],
        last_good=last_good,
        tap=recorder,
    )
    seconds = {name: spent / len(frames) for name, spent in recorder.seconds.items()}
    units: dict[UnitKey, tuple[Unit, Mapping[str, StageShape], Mapping[str, float]]] = {}
    for i, (key, frame, arrival) in enumerate(zip(keys, frames, received, strict=True)):
        shapes = {name: _shape(name, parts[i]) for name, parts in recorder.frames.items() if parts}
        displacement = None
        if isinstance(link.source, IndexSource):
            assert frame.indices is not None
            assert arrival.arrived.indices is not None
            displacement = link.source.codec.displacement(frame.indices, arrival.arrived.indices)
        account = link.format.account(
            frame.bits.numel() - frame.length_bits, length_bits=frame.length_bits
        )
        metrics: Mapping[str, float] = {}
        if frame.picture is not None:
            assert arrival.image is not None
            metrics = work.measure(frame.picture, arrival.image)
            _keep_image(work, key, arrival.image)
        if (key.image, key.trial) == (0, 0):
            _keep_samples(
                work, {name: parts[i] for name, parts in recorder.frames.items() if parts}
            )
        unit = Unit(
            key,
            frame.picture.name if frame.picture else "",
            frame.picture.pixels.numel() if frame.picture else 0,
            failure=arrival.arrived.failed,
            outage=False,
            counters=count(recorder.frames, i, arrival, account, displacement=displacement),
            metrics=metrics,
        )
        units[key] = unit, shapes, seconds
    return units


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
        if isinstance(sender.link.source, IndexSource)
    )
    facts["pictures"] = pictures.digest if pictures is not None else ""
    for name, sender in senders.items():
        nominal = sender.link.format.nominal_bits_per_symbol
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
