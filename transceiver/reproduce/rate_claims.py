"""Rate-distortion claims: which series lies above which in a metric over source bits.

Between its points a series is the straight line, in source bits of an image, as figures draw it;
outside them it is nothing. The bits of a point are a mean that is taken as known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from transceiver.intervals import Estimate
from transceiver.reproduce.evidence import Evidence
from transceiver.reproduce.finding import TOO_LITTLE, Finding, Verdict, amount, decisive, interval
from transceiver.reproduce.paired import Sample, combination
from transceiver.scenario.reproduction import FALLING, point_of
from transceiver.scenario.reproduction_claims import RateOrderClaim


@dataclass(frozen=True)
class Knot:
    """A codec as a point of a series: mean source bits of an image, and the metric."""

    bits: float
    sample: Sample


@dataclass(frozen=True)
class _Above:
    """One series against the next: what to say, the deciding difference, whether it is above."""

    measured: str
    estimate: Estimate | None
    verdict: Verdict


def rate_order(claim: RateOrderClaim, run: Evidence) -> Finding:
    """Compare each series with the next, over the bits that both span."""
    point = point_of(claim.point, run.values)
    lines: list[list[Knot]] = []
    for name in claim.series:
        line = knots(name, point, claim.metric, run)
        if not line:
            return Finding(claim.text, TOO_LITTLE, "", "no data", claim.found)
        lines.append(line)
    pairs = [
        _compare(names, upper, lower, claim.metric)
        for names, (upper, lower) in zip(pairwise(claim.series), pairwise(lines), strict=True)
    ]
    verdicts = [pair.verdict for pair in pairs]
    worst: Verdict = "holds"
    if "does not hold" in verdicts:
        worst = "does not hold"
    elif "no data" in verdicts:
        worst = "no data"
    return Finding(
        claim.text,
        "; ".join(pair.measured for pair in pairs),
        "; ".join(interval(pair.estimate) if pair.estimate else "-" for pair in pairs),
        worst,
        claim.found,
    )


def knots(series: str, point: int, column: str, run: Evidence) -> list[Knot]:
    """The codecs of a series by rising bits; nothing where one was not run."""
    found = []
    for codec in run.series[series]:
        knot = Knot(run.source_bits(codec, point), run.sample(codec, point, column))
        if not decisive(combination([(1, knot.sample)])):
            return []
        found.append(knot)
    return sorted(found, key=lambda knot: knot.bits)


def at(bits: float, line: Sequence[Knot]) -> list[tuple[float, Sample]]:
    """The line at ``bits`` within its ends, as a weighted sum of its points."""
    for left, right in pairwise(line):
        if left.bits < right.bits and left.bits <= bits <= right.bits:
            share = (bits - left.bits) / (right.bits - left.bits)
            return [(1 - share, left.sample), (share, right.sample)]
    return next([(1.0, knot.sample)] for knot in line if knot.bits == bits)


def _compare(
    names: tuple[str, str], upper: Sequence[Knot], lower: Sequence[Knot], column: str
) -> _Above:
    sign = -1 if column in FALLING else 1
    start = max(upper[0].bits, lower[0].bits)
    stop = min(upper[-1].bits, lower[-1].bits)
    places = sorted({k.bits for k in (*upper, *lower) if start <= k.bits <= stop})
    gains = [(bits, _difference(at(bits, upper), at(bits, lower), sign)) for bits in places]
    over = f"{names[0]} over {names[1]}"
    if gains:
        wrong = [gain for gain in gains if gain[1].high < 0]
        bits, worst = min(wrong or gains, key=lambda gain: gain[1].value)
        return _Above(
            f"{over} {amount(column, worst.value)} at {bits:.0f} bits, the least of {len(gains)} "
            f"from {start:.0f} to {stop:.0f}",
            worst,
            "does not hold" if wrong else "holds",
        )
    cheaper = [_cheaper(upper, lower, sign), _cheaper(lower, upper, sign)]
    for (first, second), found in zip((names, names[::-1]), cheaper, strict=True):
        if found is not None:
            saved, gain = found
            return _Above(
                f"{first} has {saved:.0f} bits fewer than {second} at {amount(column, gain.value)}",
                gain,
                "holds" if first == names[0] else "does not hold",
            )
    return _Above(f"{over}: no common range of bits", None, "no data")


def _cheaper(
    upper: Sequence[Knot], lower: Sequence[Knot], sign: int
) -> tuple[float, Estimate] | None:
    """The least bits saved, and its gain, if every lower point is met or beaten with fewer."""
    found = []
    for knot in lower:
        better = []
        for other in upper:
            gain = _difference([(1, other.sample)], [(1, knot.sample)], sign)
            if other.bits < knot.bits and gain.high >= 0:
                better.append((knot.bits - other.bits, gain))
        if not better:
            return None
        found.append(max(better, key=lambda pair: pair[1].value))
    return min(found, key=lambda pair: pair[0])


def _difference(
    upper: Sequence[tuple[float, Sample]], lower: Sequence[tuple[float, Sample]], sign: int
) -> Estimate:
    return combination(
        [*((sign * w, sample) for w, sample in upper), *((-sign * w, s) for w, s in lower)]
    )
