"""A run as a page needs it: plain dataclasses that become JSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from PIL import Image as PillowImage

from transceiver.html.chain import made_by
from transceiver.html.embed import Album
from transceiver.html.samples import Signal, index_grid, load_samples, signal
from transceiver.html.theory import Theory, constellation_of, theory_of
from transceiver.intervals import Estimate, wilson
from transceiver.metrics_names import LABELS, metric_name
from transceiver.report.style import QUANTITIES
from transceiver.report.tables import counted
from transceiver.results import Row, rows
from transceiver.scenario import TAPS, Scenario, ScenarioError
from transceiver.store import StageShape, Store, UnitKey


@dataclass(frozen=True)
class Stage:
    """A tap of a codec's chain.

    Attributes:
        made_by: The block whose output it is.
        share: Of the time of all stages.
    """

    name: str
    shape: str
    dtype: str
    made_by: str
    share: float


@dataclass(frozen=True)
class CodecData:
    """What holds for a codec at every point.

    Attributes:
        ideal: Points of its constellation as (real, imaginary); none where there is no single one.
        stages: In signal order.
    """

    name: str
    kind: str
    ideal: tuple[tuple[float, float], ...]
    modulation: str
    theory: Theory | None
    stages: tuple[Stage, ...]


@dataclass(frozen=True)
class PointData:
    """A row of the results, with what is drawn at its point.

    Attributes:
        codec to metrics: As in `Row`.
        rates: Those of `Row`, and ``outage_rate``.
        counted: By tap, what the counters say.
        picture: Name in the page of the first picture as received in the first trial.
        picture_metrics: Of that picture.
    """

    codec: str
    point: int
    value: float
    esn0_db: float
    ebn0_db: float
    ebn0_payload_db: float
    cbr: float
    failures: int
    outages: int
    counters: Mapping[str, int]
    metrics: Mapping[str, Estimate]
    rates: Mapping[str, Estimate]
    scalars: Mapping[str, float]
    counted: Mapping[str, str]
    signal: Signal
    picture: str | None
    picture_metrics: Mapping[str, float]


@dataclass(frozen=True)
class RunData:
    """Everything of a run that a page shows.

    Attributes:
        label: Its name in the page, different from those of the other runs.
        axis: The swept quantity in words.
        metrics: Label by metric.
        sent: Name in the page of the first picture as sent; None for random bits.
        scenario: YAML that gives the same scenario again.
        facts: Versions, commit, seed, weights.
    """

    label: str
    name: str
    folder: str
    quantity: str
    axis: str
    failure: str
    metrics: Mapping[str, str]
    codecs: tuple[CodecData, ...]
    points: tuple[PointData, ...]
    sent: str | None
    sent_name: str
    scenario: str
    facts: Mapping[str, str]


def run_data(store: Store, table: Sequence[Row], album: Album, *, label: str, most: int) -> RunData:
    """A run for a page.

    Args:
        store: The run.
        table: Its rows.
        album: Gets the run's pictures.
        label: Its name in the page.
        most: At most so many symbols of a point.
    """
    scenario, facts = store.scenario, store.facts()
    sent = store.folder / "images" / "sent.png"
    stages = {codec: store.stages(codec) for codec in scenario.codecs}
    grids = {codec: _grid(sent, stages[codec]) for codec in scenario.codecs}
    points, sent_name = [], ""
    for row in table:
        name = f"{row.codec}-{row.point:03d}"
        unit = store.unit(UnitKey(row.codec, row.point, 0, 0))
        sent_name = unit.image_name if unit else sent_name
        samples = load_samples(store.folder / "taps" / f"{name}.npz")
        points.append(
            PointData(
                codec=row.codec,
                point=row.point,
                value=row.value,
                esn0_db=row.esn0_db,
                ebn0_db=row.ebn0_db,
                ebn0_payload_db=row.ebn0_payload_db,
                cbr=row.cbr,
                failures=row.failures,
                outages=row.outages,
                counters=vars(row.counters),
                metrics=row.metrics,
                rates=row.rates | {"outage_rate": wilson(row.outages, row.counters.frames)},
                scalars=row.scalars,
                counted=counted(row),
                signal=signal(samples, most=most, grid=grids[row.codec]),
                picture=album.add(store.folder / "images" / f"{name}.png"),
                picture_metrics={m: unit.metrics[m] for m in row.metrics} if unit else {},
            )
        )
    return RunData(
        label=label,
        name=scenario.name,
        folder=str(store.folder),
        quantity=scenario.sweep.quantity,
        axis=QUANTITIES[scenario.sweep.quantity],
        failure=scenario.failure.replace("_", " "),
        metrics={name: LABELS[name] for name in map(metric_name, scenario.metrics)},
        codecs=tuple(_codec(store, c, table, stages[c]) for c in scenario.codecs),
        points=tuple(points),
        sent=album.add(sent),
        sent_name=sent_name,
        scenario=scenario_text(scenario),
        facts={key: facts[key] for key in sorted(facts) if key != "scenario"},
    )


def run_rows(store: Store) -> list[Row]:
    """The rows of a run; refused where there are none yet."""
    table = list(rows(store))
    if not table:
        raise ScenarioError(f"{store.folder}: nothing was run yet")
    return table


def scenario_text(scenario: Scenario) -> str:
    """A scenario as YAML, with all defaults."""
    data = scenario.model_dump(mode="json", exclude_none=True)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)


def plain(value: Any) -> Any:
    """Dataclasses, mappings and numbers as JSON has them: NaN and infinities become null.

    >>> plain({"a": (1, math.nan), "b": Estimate(0.5, 0.0, math.inf)})
    {'a': [1, None], 'b': {'value': 0.5, 'low': 0.0, 'high': None}}
    """
    if hasattr(value, "__dataclass_fields__"):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _codec(
    store: Store, codec: str, table: Sequence[Row], shapes: Mapping[str, StageShape]
) -> CodecData:
    scenario, seconds = store.scenario, store.seconds(codec)
    spent = sum(seconds.values()) or 1.0
    constellation = constellation_of(scenario, codec)
    return CodecData(
        name=codec,
        kind=scenario.codecs[codec].kind,
        ideal=tuple((z.real, z.imag) for z in constellation.points.tolist())
        if constellation
        else (),
        modulation=constellation.name if constellation else "",
        theory=theory_of(scenario, codec, [row for row in table if row.codec == codec]),
        stages=tuple(
            Stage(
                name,
                shapes[name].shape,
                shapes[name].dtype,
                made_by(scenario, codec, name),
                seconds.get(name, 0.0) / spent,
            )
            for name in TAPS
            if name in shapes
        ),
    )


def _grid(sent: Path, shapes: Mapping[str, StageShape]) -> tuple[int, int] | None:
    """Of the indices of the first picture; None where they are no single grid over it."""
    if "indices" not in shapes or not sent.is_file():
        return None
    with PillowImage.open(sent) as picture:
        width, height = picture.size
    shape = shapes["indices"].shape.strip("[]").split(",")
    return index_grid(math.prod(int(side) for side in shape), height, width)
