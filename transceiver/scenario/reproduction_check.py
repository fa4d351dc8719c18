"""What a scenario's figure and claims name must be in the scenario: a line for what is not."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from transceiver.scenario.reproduction import (
    RATES,
    SCALARS,
    CapacityBound,
    CurvesFigure,
    FigureSection,
    FlipProbabilityFigure,
    PicturesFigure,
    RateFigure,
    point_of,
    series_of,
)
from transceiver.scenario.reproduction_claims import (
    AtLeastClaim,
    ClaimSection,
    CliffClaim,
    CliffOrderClaim,
    CliffShiftClaim,
    ComparableClaim,
    GainFallsClaim,
    ImprovementClaim,
    LevelClaim,
    OrderClaim,
    RateOrderClaim,
    TrendClaim,
    WeightsClaim,
    level,
)

if TYPE_CHECKING:
    from transceiver.scenario.document import Scenario

_OF_SWEEPS = GainFallsClaim | CliffClaim | CliffOrderClaim | CliffShiftClaim


def problems(
    scenario: "Scenario", figure: FigureSection | None, claims: Sequence[ClaimSection]
) -> Iterator[str]:
    """A line for each codec, series, point or column that the scenario does not have."""
    from transceiver.metrics_names import metric_name  # which reads the whole document

    metrics = [metric_name(metric) for metric in scenario.metrics]
    codecs, values = list(scenario.codecs), scenario.sweep.values
    weighted = [name for name, c in scenario.codecs.items() if getattr(c, "weights", None)]
    series = series_of(figure, codecs)
    if figure is not None:
        yield from _figure_problems(figure, codecs, weighted, values, metrics)
    if isinstance(figure, CurvesFigure) and figure.bound is not None:
        yield from _bound(figure, figure.bound, scenario, metrics)
    if isinstance(figure, PicturesFigure) and scenario.images is None:
        yield "figure: pictures needs images, got codecs of kind bits"
    for i, claim in enumerate(claims):
        key = f"claims.{i}"
        if isinstance(claim, OrderClaim | ComparableClaim | AtLeastClaim) and claim.points != "all":
            yield from _points(f"{key}.points", claim.points, values)
        if isinstance(claim, ImprovementClaim | RateOrderClaim | LevelClaim):
            yield from _points(f"{key}.point", [claim.point], values)
        if isinstance(claim, _OF_SWEEPS) and len(values) < 2:
            yield f"{key}: {claim.kind} needs a sweep of at least 2 points, got 1"
        match claim:
            case WeightsClaim():
                yield from _weights(key, claim, weighted)
                continue
            case TrendClaim():
                yield from _known(f"{key}.codec", [claim.codec], codecs)
                yield from _known(f"{key}.column", [claim.column], [*metrics, *RATES, *SCALARS])
                continue
            case OrderClaim():
                named = {"series": [n for names in claim.series for n in level(names)]}
            case RateOrderClaim() | CliffOrderClaim():
                named = {"series": claim.series}
            case LevelClaim() | AtLeastClaim():
                named = {"series": [claim.series]}
            case CliffClaim():
                named = {"series": [claim.series], "over": [claim.over] if claim.over else []}
            case CliffShiftClaim():
                named = {"series": claim.series, "over": claim.over}
            case ComparableClaim():
                named = {"series": [claim.series], "other": [claim.other]}
            case _:
                named = {"series": [claim.series], "over": [claim.over]}
        for field, names in named.items():
            yield from _known(f"{key}.{field}", names, list(series))
        yield from _known(f"{key}.metric", [claim.metric], [*metrics, *RATES])


def _figure_problems(
    figure: FigureSection,
    codecs: Sequence[str],
    weighted: Sequence[str],
    values: Sequence[float],
    metrics: Sequence[str],
) -> Iterator[str]:
    if isinstance(figure, FlipProbabilityFigure):
        yield from _known("figure.codec", [figure.codec], weighted)
        return
    for label, names in figure.series.items():
        yield from _known(f"figure.series.{label}", names, codecs)
    shared = [label for label, names in figure.series.items() if len(names) > 1]
    if isinstance(figure, PicturesFigure):
        yield from _points("figure.points", figure.points, values)
        if shared and not metrics:
            yield "figure.series: the best of several codecs needs a metric, got none"
        return
    compared = [*metrics, *RATES]
    if isinstance(figure, RateFigure):
        yield from _points("figure.point", [figure.point], values)
        yield from _known("figure.metric", [figure.metric], compared)
        return
    yield from _known("figure.dashed", figure.dashed, list(figure.series))
    yield from _known("figure.metric", figure.metric, [*compared, *SCALARS])
    if figure.y_label is not None and len(figure.metric) > 1:
        yield f"figure.y_label must be left out for {len(figure.metric)} metrics"
    for column in figure.metric:
        if column in SCALARS and shared:
            yield f"figure.series: the best of several codecs needs a metric, got {column}"


def _bound(
    figure: CurvesFigure, bound: CapacityBound, scenario: "Scenario", metrics: Sequence[str]
) -> Iterator[str]:
    """A capacity needs white noise, and the symbols of a codec by its budget."""
    if bound.label in figure.series:
        yield f"figure.bound.label must differ from those of the series, got {bound.label}"
    if not set(figure.metric) & set(metrics):
        yield f"figure.bound needs a metric of pictures in figure.metric, got {figure.metric}"
    if scenario.sweep.quantity != "esn0_db":
        yield f"figure.bound: capacity needs a sweep over esn0_db, got {scenario.sweep.quantity}"
    limited = [
        name
        for name, codec in scenario.codecs.items()
        if getattr(getattr(codec, "budget", None), "kind", None) == "cbr"
    ]
    if bound.codec not in limited:
        yield (
            f"figure.bound.codec must be a codec with budget cbr ({', '.join(limited) or 'none'}), "
            f"got {bound.codec}"
        )
    elif scenario.phy_of(bound.codec).channel.kind != "awgn":
        channel = scenario.phy_of(bound.codec).channel.kind
        yield f"figure.bound: capacity needs channel awgn, got {channel} for {bound.codec}"


def _weights(key: str, claim: WeightsClaim, weighted: Sequence[str]) -> Iterator[str]:
    whole = claim.quantity in ("parameters", "bytes")
    for names in claim.of:
        if isinstance(names, list) and not whole:
            yield f"{key}.of: only parameters and bytes can be added up, got {claim.quantity}"
        for name in level(names):
            codec, colon, number = name.partition(":")
            yield from _known(f"{key}.of", [codec], weighted)
            if colon and whole:
                yield f"{key}.of: {claim.quantity} are of a whole file, got {name}"
            elif colon and not (number.isdecimal() and int(number) > 0):
                yield f"{key}.of: a codebook must be a number from 1, got {name}"


def _known(key: str, names: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    for name in names:
        if name not in known:
            yield f"{key} must be one of {', '.join(known) or 'none'}, got {name}"


def _points(key: str, wanted: Sequence[float], values: Sequence[float]) -> Iterator[str]:
    for value in wanted:
        try:
            point_of(value, values)
        except ValueError as error:
            yield f"{key} {error}"
