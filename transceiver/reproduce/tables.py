"""Claims and the numbers behind the figure, for the terminal and as Markdown."""

import math
from collections.abc import Sequence
from itertools import groupby

from rich import box
from rich.markup import escape
from rich.table import Table

from transceiver.intervals import Estimate
from transceiver.report.style import QUANTITIES
from transceiver.reproduce.bounds import Bound
from transceiver.reproduce.evidence import Evidence
from transceiver.reproduce.figures import column_estimate
from transceiver.reproduce.finding import Finding, decisive
from transceiver.reproduce.paired import combination
from transceiver.scenario.reproduction import (
    CurvesFigure,
    FigureSection,
    Paper,
    RateFigure,
    point_of,
)

_COLUMNS = ("claim", "measured", "95 % interval", "verdict", "found")
_STYLES = {"holds": "green", "does not hold": "red", "no data": "yellow"}


def claims_table(findings: Sequence[Finding], title: str) -> Table:
    """A line for each claim."""
    table = Table(title=escape(title), box=box.SIMPLE_HEAD, title_justify="left", show_lines=True)
    for column in _columns(findings):
        table.add_column(column, overflow="fold")
    for finding in findings:
        cells = [escape(cell) for cell in _cells(finding, findings)]
        shade = _STYLES[finding.verdict]
        cells[3] = f"[{shade}]{cells[3]}[/{shade}]"
        table.add_row(*cells)
    return table


def claims_markdown(
    findings: Sequence[Finding], *, name: str, paper: Paper | None, state: str, numbers: str
) -> str:
    """A document with the claims, how far the run is, and the numbers behind the figure."""
    lines = [f"# {name}", ""]
    if paper is not None:
        lines += [f"{paper.figure} of {paper.title}" if paper.figure else paper.title, ""]
    lines += [state, ""]
    if findings:
        lines += _markdown(_columns(findings), [_cells(f, findings) for f in findings])
    return "\n".join(lines) + (f"\n{numbers}" if numbers else "")


def numbers_markdown(
    figure: FigureSection | None, run: Evidence, *, quantity: str, bound: Bound | None = None
) -> str:
    """The values that the figure shows, with 95 % intervals and the codec of each series."""
    parts: list[str] = []
    if isinstance(figure, CurvesFigure):
        at = QUANTITIES.get(quantity, quantity)
        for column in figure.metric:
            body = []
            limit = bound if bound is not None and bound.has(column) else None
            for point, value in enumerate(run.values):
                found = [column_estimate(run, label, point, column) for label in figure.series]
                cells = [
                    f"{_value(estimate)} {codec}"
                    if len(run.series[label]) > 1
                    else _value(estimate)
                    for label, (codec, estimate) in zip(figure.series, found, strict=True)
                ]
                if limit is not None:
                    cells.append(_value(limit.estimate(point, column)))
                body.append([f"{value:g}", *cells])
            header = [at, *figure.series, *([limit.label] if limit is not None else [])]
            parts += [f"## {column}", "", *_markdown(header, body)]
    if isinstance(figure, RateFigure):
        body = []
        place = point_of(figure.point, run.values)
        for label, codecs in figure.series.items():
            for codec in codecs:
                bits = run.source_bits(codec, place)
                estimate = combination([(1, run.sample(codec, place, figure.metric))])
                body.append([label, codec, f"{bits:.1f}", _value(estimate)])
        header = ["series", "codec", "source bits of an image", figure.metric]
        parts += [f"## {figure.metric} at {figure.point:g}", "", *_markdown(header, body)]
    return "\n".join(parts)


def best_lines(figure: FigureSection | None, run: Evidence) -> list[str]:
    """Which codec was the best of each series, and at which points."""
    lines = []
    if isinstance(figure, CurvesFigure):
        for label, codecs in figure.series.items():
            if len(codecs) < 2:
                continue
            for column in figure.metric:
                best = [run.best(label, point, column) for point in range(len(run.values))]
                known = [(b.codec, f"{v:g}") for b, v in zip(best, run.values, strict=True) if b]
                runs = [
                    f"{codec} at {_from_to([value for _, value in group])}"
                    for codec, group in groupby(known, key=lambda pair: pair[0])
                ]
                lines.append(f"best of {label} in {column}: {'; '.join(runs) or 'not run yet'}")
    return lines


def _from_to(values: Sequence[str]) -> str:
    return f"{values[0]} to {values[-1]}" if len(values) > 2 else ", ".join(values)


def _columns(findings: Sequence[Finding]) -> list[str]:
    """The last column only where something was found out."""
    return list(_COLUMNS if any(f.found for f in findings) else _COLUMNS[:-1])


def _cells(finding: Finding, findings: Sequence[Finding]) -> list[str]:
    cells = [finding.text, finding.measured, finding.interval, finding.verdict, finding.found]
    return cells[: len(_columns(findings))]


def _value(estimate: Estimate) -> str:
    if math.isnan(estimate.value):
        return "-"
    if not decisive(estimate):
        return f"{estimate.value:#.4g}"
    return f"{estimate.value:#.4g} [{estimate.low:#.4g}, {estimate.high:#.4g}]"


def _markdown(header: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """A table; line breaks and bars in a cell would end it."""

    def line(cells: Sequence[str]) -> str:
        clean = [" ".join(cell.split()).replace("|", r"\|") for cell in cells]
        return f"| {' | '.join(clean)} |"

    return [line(header), f"|{'---|' * len(header)}", *map(line, body), ""]
