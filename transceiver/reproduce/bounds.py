"""What a byte codec could reach: its pictures at the channel's capacity, without code and CRC.

A picture with S samples (3 H W) and a budget of CBR has n = floor(CBR S) symbols, in which the
channel can carry floor(n log2(1 + Es/N0) / 8) bytes (C. E. Shannon, "A mathematical theory of
communication", 1948, theorem 17). The bound at a point is the mean metric of the pictures encoded
to so many bytes: what this codec reaches with the best of all channel codes, and no bound of what
other codecs reach.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from phy.theory.capacity import awgn_capacity
from semcodec.errors import BudgetError
from transceiver.build import build
from transceiver.build_source import byte_source
from transceiver.failure import mean_colour
from transceiver.files import writable, write_whole
from transceiver.intervals import Estimate
from transceiver.link import Link
from transceiver.metrics import Measure, build_metrics
from transceiver.metrics_names import metric_name
from transceiver.pictures import Pictures
from transceiver.reproduce.paired import TRIALS, Sample, combination
from transceiver.scenario import Scenario
from transceiver.scenario.document import MetricSection
from transceiver.scenario.reproduction import CapacityBound, CurvesFigure
from transceiver.scenario.source import Bytes, Cbr
from transceiver.source import ByteSource, Picture
from transceiver.store import Store

FILE = "capacity_bound.json"
"""In the folder ``figures`` of a run: what was encoded for the bound, picture by picture."""


@dataclass(frozen=True)
class Bound:
    """A curve that is computed, not sent.

    Attributes:
        label: In the figure and the table.
        points: At each point of the sweep the metrics of all pictures, by column.
    """

    label: str
    points: Sequence[Mapping[str, Sample]]

    def estimate(self, point: int, column: str) -> Estimate:
        """The mean over pictures at a point, with what other pictures would change."""
        return combination([(1, self.points[point][column])])

    def has(self, column: str) -> bool:
        """Whether there is a bound of a column: only metrics of pictures have one."""
        return column in self.points[0]


def capacity_bytes(samples: int, *, cbr: float, esn0_db: float) -> int:
    """Whole bytes that floor(cbr samples) symbols can carry at Es/N0 in white noise.

    >>> capacity_bytes(3 * 512 * 768, cbr=1 / 16, esn0_db=0.0)  # 73,728 symbols of 1 bit
    9216
    """
    symbols = int(cbr * samples + 1e-6)
    return int(symbols * float(awgn_capacity(esn0_db)) / 8 + 1e-6)


def capacity_bound(
    scenario: Scenario,
    store: Store,
    pictures: Pictures | None,
    progress: Callable[[str, float], None],
) -> Bound | None:
    """The bound of a scenario's figure.

    It is kept in the run's folder, picture by picture, so that it is computed once, and goes on
    after an interruption.

    Args:
        scenario: With the figure.
        store: The run.
        pictures: What it sends; None to take only what is kept.
        progress: Called after each picture with what is running and the fraction that is done.

    Returns:
        None where the figure has no bound, or where it was not computed yet without ``pictures``.
    """
    figure = scenario.figure
    if not isinstance(figure, CurvesFigure) or figure.bound is None:
        return None
    metrics = [m for m in scenario.metrics if metric_name(m) in figure.metric]
    path = store.folder / "figures" / FILE
    kept = _kept(path, _made_from(scenario, figure.bound, metrics, store))
    if pictures is None:
        if len(kept["pictures"]) != kept["count"]:
            return None
    elif len(kept["pictures"]) < len(pictures):
        link, measure = build(scenario)[figure.bound.codec].link, Measure(build_metrics(metrics))
        kept["count"] = len(pictures)
        for key in range(len(kept["pictures"]), len(pictures)):
            kept["pictures"].append(
                _encoded(scenario, figure.bound.codec, link, measure, pictures[key])
            )
            _keep(path, kept)
            progress("capacity bound", (key + 1) / len(pictures))
    unit = np.arange(kept["count"], dtype=np.int64) * TRIALS
    points = [
        {
            name: Sample(unit, np.array([p[name] for p in pictures_at]), np.ones(len(unit)))
            for name in map(metric_name, metrics)
        }
        for pictures_at in zip(*kept["pictures"], strict=True)
    ]
    return Bound(figure.bound.label, points)


def _encoded(
    scenario: Scenario, name: str, link: Link, measure: Measure, picture: Picture
) -> list[dict[str, float]]:
    """The metrics of a picture at each point; ``bytes`` tells how many are granted."""
    codec = scenario.codecs[name]
    assert isinstance(link.source, ByteSource)
    budget = getattr(codec, "budget", None)
    assert isinstance(budget, Cbr)
    _, height, width = picture.pixels.shape
    known: dict[bytes, dict[str, float]] = {}
    points = []
    for esn0_db in scenario.sweep.values:
        granted = capacity_bytes(picture.pixels.numel(), cbr=budget.value, esn0_db=esn0_db)
        source = byte_source(
            link.source.codec,
            Bytes(kind="bytes", value=max(granted, 1)),
            link,
            scenario.failure,
            None,
            headers_known=link.source.headers_known,
        )
        try:
            data = source.make(picture)
        except BudgetError:
            data = b""
        if data not in known:
            image_hat = (
                source.codec.decode(data, height, width) if data else mean_colour(picture.pixels)
            )
            known[data] = measure([picture], [image_hat])[0]
        points.append({"bytes": granted} | known[data])
    return points


def _made_from(
    scenario: Scenario, bound: CapacityBound, metrics: Sequence[MetricSection], store: Store
) -> list[Any]:
    """What decides the numbers: with anything else they are computed again."""
    codec = scenario.codecs[bound.codec].model_dump(mode="json", exclude={"phy", "plan"})
    return [
        bound.kind, codec, list(map(metric_name, metrics)), list(scenario.sweep.values),
        store.facts()["pictures"],
    ]  # fmt: skip


def _kept(path: Path, made_from: list[Any]) -> dict[str, Any]:
    """What the file holds of the same bound; else nothing."""
    if path.is_file():
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if found["made_from"] == made_from:
            return found
    return {"made_from": made_from, "count": -1, "pictures": []}


def _keep(path: Path, kept: Mapping[str, Any]) -> None:
    """Replace the file at once: it is whole at any moment."""
    with writable(path.parent):
        path.parent.mkdir(exist_ok=True)
    write_whole(path, json.dumps(kept).encode())
