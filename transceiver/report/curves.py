"""Curves over the swept quantity: metrics, and error rates against theory."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from phy.theory import ber
from transceiver.build import Sender
from transceiver.intervals import Estimate
from transceiver.link import BinarySymmetric
from transceiver.metrics_names import LABELS
from transceiver.report.style import QUANTITIES, colour, marker, new_axes, save
from transceiver.results import Row
from transceiver.scenario import Scenario


def metric_figure(name: str, rows: Sequence[Row], scenario: Scenario, path: Path) -> Path:
    """A metric against the swept quantity for each codec, with 95 % intervals."""
    figure, axes = new_axes()
    codecs = list(scenario.codecs)
    for codec in codecs:
        own = [r for r in rows if r.codec == codec]
        if not own:
            continue
        cbr = own[-1].cbr
        label = f"{codec} (CBR {cbr:.4f})" if math.isfinite(cbr) else f"{codec} (never sent)"
        _curve(axes, own, [r.metrics[name] for r in own], codecs, codec, label=label)
        for row in own:
            if row.outages:
                axes.annotate(
                    f"{row.outages} outages", (row.value, row.metrics[name].value), fontsize=6,
                    xytext=(0, -10), textcoords="offset points", ha="center",
                    color=colour(codecs, codec),
                )  # fmt: skip
    axes.set_xlabel(QUANTITIES[scenario.sweep.quantity])
    axes.set_ylabel(LABELS[name])
    axes.set_title(f"{scenario.name}: failed frames shown as {_policy(scenario)}", fontsize=10)
    axes.legend(fontsize=8, frameon=False)
    return save(figure, path)


def error_rate_figure(
    rows: Sequence[Row], scenario: Scenario, senders: dict[str, Sender], path: Path
) -> Path:
    """Bit error rates before and after decoding and block error rates, over uncoded theory."""
    figure, axes = new_axes(7.0, 5.0)
    codecs = list(scenario.codecs)
    for codec in codecs:
        own = [r for r in rows if r.codec == codec and r.counters.coded_bits]
        if not own:
            continue
        coded = senders[codec].link.coding is not None
        shown = {"coded_ber": ("before decoding", "--")} if coded else {}
        shown["info_ber"] = ("after decoding" if coded else "bits", "-")
        if coded:
            shown["bler"] = ("blocks", ":")
        for rate, (what, line) in shown.items():
            estimates = [r.rates[rate] for r in own]
            _curve(axes, own, estimates, codecs, codec, label=f"{codec}, {what}", line=line)
    _theory(axes, rows, senders)
    axes.set_yscale("log")
    axes.set_ylim(_floor(rows), 1)
    axes.set_xlabel(QUANTITIES[scenario.sweep.quantity])
    axes.set_ylabel("error rate")
    axes.set_title(f"{scenario.name}   (95 % intervals; a caret is an upper bound)", fontsize=9)
    if axes.lines:  # none where every frame was an outage and there is no theory
        axes.legend(fontsize=7, frameon=False, loc="best")
    return save(figure, path)


def _curve(
    axes: Axes,
    rows: Sequence[Row],
    estimates: Sequence[Estimate],
    codecs: Sequence[str],
    codec: str,
    *,
    label: str,
    line: str = "-",
) -> None:
    """A line with a band for the interval; a rate of which nothing was seen is an upper bound."""
    shade = colour(codecs, codec)
    values = np.array([r.value for r in rows])
    middle, low, high = (
        np.array([getattr(e, end) for e in estimates]) for end in ("value", "low", "high")
    )
    bound = (middle == 0) & (low == 0)
    axes.plot(
        values, np.where(bound, np.nan, middle), label=label, color=shade, linestyle=line,
        marker=marker(codecs, codec), markersize=4, linewidth=1.3,
    )  # fmt: skip
    seen = ~bound & np.isfinite(low)
    axes.fill_between(values, low, high, where=seen, color=shade, alpha=0.15, linewidth=0)
    axes.vlines(values[seen], low[seen], high[seen], color=shade, linewidth=0.8, alpha=0.6)
    axes.plot(values[bound], high[bound], linestyle="", marker=7, color=shade, alpha=0.5)


def _theory(axes: Axes, rows: Sequence[Row], senders: dict[str, Sender]) -> None:
    """Closed-form bit error rate of hard decisions, once for each kind of uncoded link."""
    drawn = set()
    for codec, sender in senders.items():
        link, own = sender.link, [r for r in rows if r.codec == codec]
        if isinstance(link.channel, BinarySymmetric) or not own:
            continue
        fading = link.channel
        shift_db = own[0].esn0_db - own[0].value  # over Eb/N0 each code rate has its own curve
        factor = getattr(fading, "k_factor", 0)
        kind = (link.modulation.name, type(fading).__name__, factor, shift_db)
        if kind in drawn:
            continue
        drawn.add(kind)
        closed_form = link.modulation.axes is not None  # else an integral for each point
        count = 61 if closed_form else 21
        ends = min(own, key=lambda r: r.value), max(own, key=lambda r: r.value)
        values = np.linspace(ends[0].value, ends[1].value, count)
        esn0_db = np.linspace(ends[0].esn0_db, ends[1].esn0_db, count)
        axes.plot(
            values, ber(link.modulation, esn0_db, fading=fading), color="#bbbbbb", linewidth=4,
            label="uncoded, theory" if len(drawn) == 1 else None, zorder=1,
        )  # fmt: skip


def _floor(rows: Sequence[Row]) -> float:
    """A decade that lies below everything drawn."""
    rates = [r.rates[name] for r in rows for name in ("coded_ber", "info_ber", "bler")]
    drawn = [e.value or e.high for e in rates if np.isfinite(e.value)]
    return float(10 ** np.floor(np.log10(0.7 * min(drawn, default=1e-5))))


def _policy(scenario: Scenario) -> str:
    return scenario.failure.replace("_", " ")
