"""Tables of a page as HTML: they are there without scripts, too."""

import math
from collections.abc import Iterable, Sequence
from html import escape

from transceiver.html.data import PointData, RunData
from transceiver.intervals import Estimate

_RATES = {
    "coded_ber": "BER before",
    "info_ber": "BER after",
    "bler": "BLER",
    "fer": "FER",
}


def results(run: RunData) -> str:
    """A line for each codec and point, with intervals."""
    heads = ["codec", run.axis, "CBR", *run.metrics.values(), *_RATES.values(), "failed", "outages"]
    return _table(heads, (_line(point, run) for point in run.points), "results")


def facts(run: RunData) -> str:
    """Versions, commit, seed, weights."""
    rows = [["run", run.folder], *([name, value] for name, value in run.facts.items() if value)]
    return _table(["fact", "value"], rows, "facts")


def rate(estimate: Estimate) -> str:
    """A rate, or its upper bound where nothing was seen.

    >>> rate(Estimate(0.0, 0.0, 0.01)), rate(Estimate(0.25, 0.2, 0.3))
    ('<1.0e-02', '2.50e-01')
    """
    if math.isnan(estimate.value):
        return "-"
    return f"{estimate.value:.2e}" if estimate.value else f"<{estimate.high:.1e}"


def _line(point: PointData, run: RunData) -> list[str]:
    frames = point.counters["frames"]
    return [
        point.codec,
        f"{point.value:g}",
        f"{point.cbr:.4f}" if math.isfinite(point.cbr) else "-",
        *(_interval(point.metrics[name]) for name in run.metrics),
        *(rate(point.rates[name]) for name in _RATES),
        f"{point.failures}/{frames - point.outages}",
        f"{point.outages}/{frames}",
    ]


def _interval(estimate: Estimate) -> str:
    digits = 2 if abs(estimate.value) >= 2 else 4
    ends = f"{estimate.low:.{digits}f}, {estimate.high:.{digits}f}"
    return f"{estimate.value:.{digits}f} [{ends}]"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], kind: str) -> str:
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    lines = []
    for first, *others in rows:
        cells = "".join(f"<td>{escape(text)}</td>" for text in others)
        lines.append(f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>')
    return (
        f'<div class="scroll" tabindex="0"><table class="{kind}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
