"""Encoded frames over one link, counted and measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from transceiver.counters import count
from transceiver.link import Conditions, Link, Received, Streams, send
from transceiver.metrics import Measure
from transceiver.scenario import Scenario
from transceiver.sender import Sender
from transceiver.source import IndexSource, Sent, SystemSource
from transceiver.store import StageShape, Unit, UnitKey
from transceiver.sweep.keep import is_first, picture_file, samples_file
from transceiver.taps import Recorder


@dataclass(frozen=True)
class Setting:
    """What is the same for all frames of a codec at a point."""

    scenario: Scenario
    sender: Sender
    point: int
    conditions: Conditions
    measure: Measure


@dataclass(frozen=True)
class Passed:
    """Units, what passed the taps of the first of them, the stages' times, files to be kept."""

    units: Sequence[Unit]
    stages: Mapping[str, StageShape]
    seconds: Mapping[str, float]
    files: Mapping[str, bytes]


def send_frames(
    setting: Setting,
    link: Link,
    keys: Sequence[UnitKey],
    frames: Sequence[Sent],
    streams: Sequence[Streams],
    last_good: Sequence[torch.Tensor | None],
) -> Passed:
    """Carry frames of any number, at least one, over a link.

    Args:
        setting: Codec and point.
        link: One of the codec's.
        keys: Of each frame.
        frames: What the source encoder made.
        streams: Of each frame's channel.
        last_good: For each frame the picture that a failure may fall back on.
    """
    recorder = Recorder()
    received = send(
        link,
        frames,
        conditions=setting.conditions,
        streams=streams,
        last_good=last_good,
        tap=recorder,
    )
    stages = {name: _shape(name, parts[0]) for name, parts in recorder.frames.items() if parts}
    counters = count(
        recorder.frames,
        received,
        [link.account(frame) for frame in frames],
        displacement=_displacements(link, frames, received),
    )
    pictures = [frame.picture for frame in frames if frame.picture is not None]
    images = [arrival.image for arrival in received if arrival.image is not None]
    metrics: Sequence[Mapping[str, float]] = [{}] * len(frames)
    files: dict[str, bytes] = {}
    if pictures:
        metrics = setting.measure(pictures, images)
        for key, image in zip(keys, images, strict=True):
            files |= picture_file(key, image)
    units = []
    for i, (key, frame, arrival) in enumerate(zip(keys, frames, received, strict=True)):
        if is_first(key):
            signals = {name: parts[i] for name, parts in recorder.frames.items() if parts}
            files |= samples_file(key, signals, setting.scenario.taps)
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
    return Passed(units, stages, recorder.seconds, files)


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
