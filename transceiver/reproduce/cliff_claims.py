"""Claims on levels and cliffs: how high a curve is, and where it falls."""

from typing import TypeAlias

from transceiver.intervals import Estimate
from transceiver.reproduce.cliff import CliffError, Cliffs, cliffs
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
from transceiver.reproduce.paired import combination
from transceiver.scenario.reproduction import FALLING, point_of
from transceiver.scenario.reproduction_claims import (
    AtLeastClaim,
    CliffClaim,
    CliffOrderClaim,
    CliffShiftClaim,
    LevelClaim,
)

CliffSection: TypeAlias = CliffClaim | CliffOrderClaim | CliffShiftClaim


def level_claim(claim: LevelClaim, run: Evidence) -> Finding:
    """Compare a mean with a value; the mean itself decides, its interval is shown."""
    point = point_of(claim.point, run.values)
    found = _mean(claim.series, point, claim.metric, run)
    if found is None:
        return _no_data(claim, TOO_LITTLE)
    name, mean = found
    off = mean.value - claim.value
    return Finding(
        claim.text,
        f"{name} {number(claim.metric, mean.value)} at {run.values[point]:g}, "
        f"{amount(claim.metric, off)} from {number(claim.metric, claim.value)}",
        interval(mean, signed=False),
        verdict(abs(off) <= claim.within),
        claim.found,
    )


def at_least_claim(claim: AtLeastClaim, run: Evidence) -> Finding:
    """Compare the means at several points with a value; the means decide."""
    sign = -1 if claim.metric in FALLING else 1
    found: list[tuple[float, str, Estimate]] = []
    for point in run.points(claim.points):
        named = _mean(claim.series, point, claim.metric, run)
        if named is None:
            return _no_data(claim, TOO_LITTLE)
        name, mean = named
        shown = f"{name} {number(claim.metric, mean.value)} at {run.values[point]:g}"
        found.append((sign * (mean.value - claim.value), shown, mean))
    margin, shown, worst = min(found, key=lambda one: one[0])
    reached = sum(one[0] >= 0 for one in found)
    return Finding(
        claim.text,
        f"{'most' if sign < 0 else 'least'}: {shown}; "
        f"{'at most' if sign < 0 else 'at least'} {number(claim.metric, claim.value)} at {reached} "
        f"of {len(found)} points",
        interval(worst, signed=False),
        verdict(margin >= 0),
        claim.found,
    )


def cliff_claim(claim: CliffSection, run: Evidence) -> Finding:
    """Compare cliffs with a place or with each other."""
    match claim:
        case CliffClaim():
            names = [claim.series, *([claim.over] if claim.over is not None else [])]
        case CliffOrderClaim():
            names = claim.series
        case CliffShiftClaim():
            names = [*claim.series, *claim.over]
    try:
        found = cliffs(names, claim.metric, run)
    except CliffError as reason:
        return _no_data(claim, str(reason))
    match claim:
        case CliffClaim():
            return _cliff(claim, found, run)
        case CliffOrderClaim():
            return _cliff_order(claim, found)
        case CliffShiftClaim():
            return _cliff_shift(claim, found)


def _cliff(claim: CliffClaim, found: Cliffs, run: Evidence) -> Finding:
    if claim.at is not None:
        place, wanted = found.at(0), claim.at
        first, last = (number(claim.metric, y) for y in found.ends[0])
        measured = (
            f"cliff of {claim.series} at {place.value:.4g}, {place.value - wanted:+.3g} from "
            f"{wanted:g}; half-way between {first} at {min(run.values):g} and {last} at "
            f"{max(run.values):g}"
        )
    else:
        assert claim.over is not None
        assert claim.shift is not None
        place, wanted = found.shift(0, 1), claim.shift
        measured = (
            f"cliffs: {_places([claim.series, claim.over], found)}; "
            f"shift {place.value:+.3g} for {wanted:+g}"
        )
    return Finding(
        claim.text,
        measured,
        interval(place, signed=claim.at is None),
        verdict(abs(place.value - wanted) <= claim.within),
        claim.found,
    )


def _cliff_order(claim: CliffOrderClaim, found: Cliffs) -> Finding:
    gaps = [found.shift(i + 1, i) for i in range(len(claim.series) - 1)]
    i = min(range(len(gaps)), key=lambda place: gaps[place].value)
    return Finding(
        claim.text,
        f"cliffs: {_places(claim.series, found)}; least: {claim.series[i]} below "
        f"{claim.series[i + 1]} by {gaps[i].value:.3g}",
        interval(gaps[i]),
        verdict(all(gap.low > claim.by for gap in gaps)),
        claim.found,
    )


def _cliff_shift(claim: CliffShiftClaim, found: Cliffs) -> Finding:
    apart = [abs(found.shift(*pair).value) for pair in ((0, 1), (2, 3))]
    closer = found.closer((0, 1), (2, 3))
    return Finding(
        claim.text,
        f"cliffs: {_places([*claim.series, *claim.over], found)}; the first two {apart[0]:.3g} "
        f"apart, the others {apart[1]:.3g}: closer by {closer.value:.3g}",
        interval(closer),
        verdict(closer.low > 0),
        claim.found,
    )


def _places(names: list[str], found: Cliffs) -> str:
    pairs = zip(names, found.values, strict=True)
    return ", ".join(f"{name} {value:.4g}" for name, value in pairs)


def _mean(series: str, point: int, column: str, run: Evidence) -> tuple[str, Estimate] | None:
    """Name and mean of a series at a point; None without an interval."""
    best = run.best(series, point, column)
    if best is None:
        return None
    mean = combination([(1, best.sample)])
    return (run.label(series, best), mean) if decisive(mean) else None


def _no_data(claim: LevelClaim | AtLeastClaim | CliffSection, reason: str) -> Finding:
    return Finding(claim.text, reason, "", "no data", claim.found)
