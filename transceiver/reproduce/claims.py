"""Whether a paper's claims hold in a run.

Differences are paired: codecs share image, noise and fading of each unit. They are gains: positive
where the first series is better, also of a column that is better when lower. "Significant" means
that the 95 % interval does not hold 0; intervals are of one comparison each. A series of several
codecs is represented at each point by the best of them on the same units, which favours it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import assert_never

from transceiver.intervals import Estimate
from transceiver.reproduce.cliff_claims import at_least_claim, cliff_claim, level_claim
from transceiver.reproduce.evidence import Evidence
from transceiver.reproduce.finding import (
    TOO_LITTLE,
    Finding,
    amount,
    decisive,
    interval,
    number,
    verdict,
)
from transceiver.reproduce.paired import Sample, combination, relative
from transceiver.reproduce.rate_claims import rate_order
from transceiver.reproduce.weights_claims import WeightFiles, weights_claim
from transceiver.scenario.reproduction import FALLING, point_of
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


@dataclass(frozen=True)
class Gain:
    """How much better one series is than another at a point.

    Attributes:
        name: The better one by the claim.
        over: The other.
        point: Number of the point.
        estimate: Positive where the claim is right.
    """

    name: str
    over: str
    point: int
    estimate: Estimate


def evaluate(claim: ClaimSection, run: Evidence, files: WeightFiles) -> Finding:
    """A claim with what was measured."""
    match claim:
        case OrderClaim():
            return _order(claim, run)
        case ImprovementClaim():
            return _improvement(claim, run)
        case GainFallsClaim():
            return _gain_falls(claim, run)
        case ComparableClaim():
            return _comparable(claim, run)
        case TrendClaim():
            return _trend(claim, run)
        case WeightsClaim():
            return weights_claim(claim, files)
        case RateOrderClaim():
            return rate_order(claim, run)
        case LevelClaim():
            return level_claim(claim, run)
        case AtLeastClaim():
            return at_least_claim(claim, run)
        case CliffClaim() | CliffOrderClaim() | CliffShiftClaim():
            return cliff_claim(claim, run)
        case _:
            assert_never(claim)


def _gain(name: str, over: str, point: int, column: str, run: Evidence) -> Gain | None:
    a, b = run.best(name, point, column), run.best(over, point, column)
    if a is None or b is None:
        return None
    sign = -1 if column in FALLING else 1
    estimate = combination([(sign, a.sample), (-sign, b.sample)])
    if not decisive(estimate):
        return None
    return Gain(run.label(name, a), run.label(over, b), point, estimate)


def _none(claim: ClaimSection) -> Finding:
    return Finding(claim.text, TOO_LITTLE, "", "no data", claim.found)


def _order(claim: OrderClaim, run: Evidence) -> Finding:
    gains: list[Gain] = []
    for upper, lower in pairwise(claim.series):
        for name, over in product(level(upper), level(lower)):
            for point in run.points(claim.points):
                gain = _gain(name, over, point, claim.metric, run)
                if gain is None:
                    return _none(claim)
                gains.append(gain)
    right = sum(gain.estimate.low > 0 for gain in gains)
    wrong = [gain for gain in gains if gain.estimate.high < 0]
    worst = min(wrong or gains, key=lambda gain: gain.estimate.value)
    return Finding(
        claim.text,
        f"least: {worst.name} over {worst.over} {amount(claim.metric, worst.estimate.value)} at "
        f"{run.values[worst.point]:g}; of {len(gains)} comparisons {right} significantly right, "
        f"{len(wrong)} significantly wrong",
        interval(worst.estimate),
        verdict(right == len(gains) if claim.strict else not wrong),
        claim.found,
    )


def _improvement(claim: ImprovementClaim, run: Evidence) -> Finding:
    point = point_of(claim.point, run.values)
    a, b = (run.best(name, point, claim.metric) for name in (claim.series, claim.over))
    if a is None or b is None:
        return _none(claim)
    estimate = relative(a.sample, b.sample, falling=claim.metric in FALLING)
    if not decisive(estimate):
        return _none(claim)
    ends = [number(claim.metric, combination([(1, s.sample)]).value) for s in (a, b)]
    measured = (
        f"{run.label(claim.series, a)} {ends[0]}, {run.label(claim.over, b)} {ends[1]}: "
        f"{100 * estimate.value:+.1f} %"
    )
    if claim.paper is not None:
        measured += f"; the paper's {100 * claim.paper:+.1f} % lies {_place(claim.paper, estimate)}"
    return Finding(
        claim.text,
        measured,
        interval(estimate, percent=True),
        verdict(estimate.low > claim.least),
        claim.found,
    )


def _place(value: float, estimate: Estimate) -> str:
    if value < estimate.low:
        return "below the interval"
    return "above the interval" if value > estimate.high else "inside the interval"


def _gain_falls(claim: GainFallsClaim, run: Evidence) -> Finding:
    rising = sorted(range(len(run.values)), key=lambda point: run.values[point])
    half = len(rising) // 2
    halves = rising[:half], rising[-half:]
    low, high = (_mean_gain(claim, points, run) for points in halves)
    if not low or not high:
        return _none(claim)
    estimate = combination([*low, *((-weight, sample) for weight, sample in high)])
    if not decisive(estimate):
        return _none(claim)
    shown = " and ".join(
        f"{amount(claim.metric, combination(gain).value)} from {run.values[points[0]]:g} to "
        f"{run.values[points[-1]]:g}"
        for gain, points in zip((low, high), halves, strict=True)
    )
    return Finding(
        claim.text,
        f"mean gain {shown}: difference {amount(claim.metric, estimate.value)}",
        interval(estimate),
        verdict(estimate.low > 0),
        claim.found,
    )


def _mean_gain(
    claim: GainFallsClaim, points: Sequence[int], run: Evidence
) -> list[tuple[float, Sample]]:
    """The mean gain over points as a weighted sum; nothing where a point was not run."""
    weight = (-1 if claim.metric in FALLING else 1) / len(points)
    terms: list[tuple[float, Sample]] = []
    for point in points:
        a = run.best(claim.series, point, claim.metric)
        b = run.best(claim.over, point, claim.metric)
        if a is None or b is None:
            return []
        terms += [(weight, a.sample), (-weight, b.sample)]
    return terms


def _comparable(claim: ComparableClaim, run: Evidence) -> Finding:
    gains = [
        _gain(claim.series, claim.other, point, claim.metric, run)
        for point in run.points(claim.points)
    ]
    known = [gain for gain in gains if gain is not None]
    if len(known) < len(gains):
        return _none(claim)
    most = max(known, key=lambda gain: abs(gain.estimate.value))
    inside = sum(abs(gain.estimate.value) <= claim.within for gain in known)
    return Finding(
        claim.text,
        f"largest: {most.name} over {most.over} {amount(claim.metric, most.estimate.value)} at "
        f"{run.values[most.point]:g}; within {number(claim.metric, claim.within)} at {inside} of "
        f"{len(known)} points",
        interval(most.estimate),
        verdict(inside == len(known)),
        claim.found,
    )


def _trend(claim: TrendClaim, run: Evidence) -> Finding:
    rising = sorted(range(len(run.values)), key=lambda point: run.values[point])
    found = [run.value(claim.codec, point, claim.column) for point in rising]
    if any(value != value for value in found) or len(found) < 2:  # NaN: not run
        return _none(claim)
    sign = 1 if claim.direction == "rises" else -1
    turns = sum(sign * (after - before) < 0 for before, after in pairwise(found))
    return Finding(
        claim.text,
        f"{claim.column} of {claim.codec} from {number(claim.column, found[0])} at "
        f"{run.values[rising[0]]:g} to {number(claim.column, found[-1])} at "
        f"{run.values[rising[-1]]:g}; {turns} of {len(found) - 1} steps the other way",
        "",
        verdict(turns == 0 and sign * (found[-1] - found[0]) > 0),
        claim.found,
    )
