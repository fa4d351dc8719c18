"""The paper's figure, drawn from a run."""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import assert_never

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from transceiver.files import write_whole
from transceiver.intervals import Estimate
from transceiver.metrics_names import LABELS
from transceiver.report.style import COLOURS, QUANTITIES, colour, marker, new_axes, save
from transceiver.reproduce.bounds import Bound
from transceiver.reproduce.evidence import Evidence
from transceiver.reproduce.paired import combination
from transceiver.reproduce.rate_claims import knots
from transceiver.reproduce.weights_claims import WeightFiles
from transceiver.scenario.reproduction import (
    RATES,
    SCALARS,
    CurvesFigure,
    FlipProbabilityFigure,
    Paper,
    PlotSection,
    RateFigure,
    point_of,
)

COLUMN_LABELS = LABELS | {
    "cbr": "channel uses per sample",
    "codebook_mean": "mean number of the assigned codebook, from 0",
    "source_bits_mean": "source bits per image",
}


def draw(
    figure: PlotSection,
    run: Evidence,
    files: WeightFiles,
    *,
    quantity: str,
    paper: Paper | None,
    bound: Bound | None = None,
) -> Figure:
    """The figure that a scenario describes; ``quantity`` is what is swept."""
    match figure:
        case CurvesFigure():
            drawn = _curves(figure, run, quantity, bound)
        case RateFigure():
            drawn = _rate(figure, run)
        case FlipProbabilityFigure():
            drawn = _flip_probabilities(figure, files)
        case _:
            assert_never(figure)
    return entitled(drawn, paper)


def entitled(drawn: Figure, paper: Paper | None) -> Figure:
    """The figure, with the paper's name above it."""
    if paper is not None:
        title = f"{paper.figure} of {paper.title}" if paper.figure else paper.title
        drawn.suptitle(title, fontsize=9, wrap=True)
    return drawn


def save_both(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write a PNG and an SVG, both without anything that differs from run to run."""
    drawing = folder / f"{name}.svg"
    png = save(figure, folder / f"{name}.png")
    with matplotlib.rc_context({"svg.hashsalt": name}):
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    write_whole(drawing, out.getvalue())
    return [png, drawing]


def column_estimate(run: Evidence, series: str, point: int, column: str) -> tuple[str, Estimate]:
    """What is drawn of a series at a point, and of which codec; NaN where nothing was run."""
    if column in SCALARS:
        (codec,) = run.series[series]
        value = run.value(codec, point, column)
        return codec, Estimate(value, math.nan, math.nan)
    best = run.best(series, point, column)
    if best is None:
        return "", Estimate(math.nan, math.nan, math.nan)
    return best.codec, combination([(1, best.sample)])


def _curves(figure: CurvesFigure, run: Evidence, quantity: str, bound: Bound | None) -> Figure:
    drawn, first = new_axes(width=6.4 * len(figure.metric))
    panels = [first]
    if len(figure.metric) > 1:
        drawn.clear()
        panels = list(drawn.subplots(1, len(figure.metric)))
    rising = sorted(range(len(run.values)), key=lambda point: run.values[point])
    points = [run.values[point] for point in rising]
    for axes, column in zip(panels, figure.metric, strict=True):
        for label in figure.series:
            estimates = [column_estimate(run, label, point, column)[1] for point in rising]
            if label in figure.dashed:
                axes.plot(
                    points, [e.value for e in estimates], label=label, linestyle="--",
                    color=colour(list(figure.series), label), linewidth=2.2,
                )  # fmt: skip
            else:
                _line(axes, points, estimates, list(figure.series), label)
        if bound is not None and bound.has(column):
            limit = [bound.estimate(point, column).value for point in rising]
            axes.plot(points, limit, label=bound.label, linestyle=":", color="black")
        shown = [y for line in axes.lines for y in np.asarray(line.get_ydata()) if y == y]
        if column in RATES and shown and min(shown) > 0:
            axes.set_yscale("log")
        _finish(axes, figure.x_label or QUANTITIES.get(quantity, quantity))
        axes.set_ylabel(figure.y_label or COLUMN_LABELS.get(column, column.replace("_", " ")))
    return drawn


def _rate(figure: RateFigure, run: Evidence) -> Figure:
    drawn, axes = new_axes()
    point = point_of(figure.point, run.values)
    for label in figure.series:
        line = knots(label, point, figure.metric, run)
        estimates = [combination([(1, knot.sample)]) for knot in line]
        _line(axes, [knot.bits for knot in line], estimates, list(figure.series), label)
    _finish(axes, figure.x_label or "mean source bits of an image")
    axes.set_ylabel(figure.y_label or COLUMN_LABELS.get(figure.metric, figure.metric))
    return drawn


def _flip_probabilities(figure: FlipProbabilityFigure, files: WeightFiles) -> Figure:
    drawn, axes = new_axes()
    for v, table in enumerate(files.table(figure.codec, "flip_probability")):
        mu = np.sort(table.numpy().reshape(-1))
        share = np.arange(1, len(mu) + 1) / len(mu)
        axes.step(
            mu, share, where="post", color=COLOURS[v % len(COLOURS)],
            label=f"codebook {v + 1} (mean {mu.mean():.3g})",
        )  # fmt: skip
    axes.set_xscale("log")
    _finish(axes, figure.x_label or "flip probability of a bit")
    axes.set_ylabel(figure.y_label or "share of bits at most this")
    return drawn


def _line(
    axes: Axes,
    x: Sequence[float],
    estimates: Sequence[Estimate],
    names: Sequence[str],
    name: str,
) -> None:
    """A curve with a band for the interval."""
    shade = colour(names, name)
    lap = list(names).index(name) // len(COLOURS)
    axes.plot(
        x, [e.value for e in estimates], label=name, color=shade, marker=marker(names, name),
        linestyle=("-", "--", ":")[lap % 3], markersize=4, linewidth=1.3,
    )  # fmt: skip
    low, high = (np.array([getattr(e, end) for e in estimates]) for end in ("low", "high"))
    bounded = np.isfinite(low) & np.isfinite(high)
    axes.fill_between(x, low, high, where=bounded, color=shade, alpha=0.2, linewidth=0)


def _finish(axes: Axes, x_label: str) -> None:
    axes.grid(visible=True, color="#d9d9d9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(x_label)
    if axes.lines:
        axes.legend(fontsize=8, frameon=False)
