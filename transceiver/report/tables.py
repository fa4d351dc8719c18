"""Tables for the terminal."""

import math
from collections.abc import Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from transceiver.intervals import Estimate
from transceiver.metrics_names import metric_name
from transceiver.report.style import QUANTITIES
from transceiver.results import Row
from transceiver.scenario import TAPS, Scenario
from transceiver.store import StageShape


def results_table(rows: Sequence[Row], scenario: Scenario, *, intervals: bool = True) -> Table:
    """One line for each codec and point, with or without the intervals of the metrics."""
    table = Table(
        title=scenario.name, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False,
        collapse_padding=True,
        padding=(0, 1) if intervals else 0,
    )  # fmt: skip
    columns = ["codec", escape(QUANTITIES[scenario.sweep.quantity].replace(" [", "\n[")), "CBR"]
    names = [metric_name(m) for m in scenario.metrics]
    columns += [f"{name} (95 %)" if intervals else name for name in names]
    columns += ["BER\nbefore", "BER\nafter", "BLER", "failed", "out-\nages"]
    for column in columns:
        table.add_column(column, justify="left" if column == "codec" else "right", no_wrap=True)
    show = _interval if intervals else _mean
    last = None
    for row in rows:
        if last not in (None, row.codec):
            table.add_section()
        last = row.codec
        rates, sent = row.rates, row.counters.frames - row.outages
        table.add_row(
            row.codec,
            f"{row.value:g}",
            f"{row.cbr:.4f}" if math.isfinite(row.cbr) else "-",
            *(show(row.metrics[name]) for name in names),
            _rate(rates["coded_ber"]),
            _rate(rates["info_ber"]),
            _rate(rates["bler"]),
            f"{row.failures}/{sent}",
            f"{row.outages}/{row.counters.frames}",
        )
    return table


def taps_table(
    row: Row, scenario: Scenario, stages: dict[str, StageShape], seconds: dict[str, float]
) -> Table:
    """The chain of one codec at one point, in signal order."""
    quantity = escape(QUANTITIES[scenario.sweep.quantity])
    table = Table(
        title=f"{scenario.name}, {row.codec}, {quantity} {row.value:g}, "
        f"{row.counters.frames} frames (time: all points)",
        box=box.SIMPLE_HEAD,
        title_justify="left",
    )
    for column in ("tap", "shape (first frame)", "type", "counted"):
        table.add_column(column)
    table.add_column("time", justify="right")
    spent = sum(seconds.values()) or 1.0
    seen = counted(row)
    for name in TAPS:
        if name in stages:
            stage = stages[name]
            share = f"{100 * seconds.get(name, 0.0) / spent:.1f} %"
            table.add_row(name, stage.shape, stage.dtype, seen.get(name, ""), share)
    return table


def counted(row: Row) -> dict[str, str]:
    """What the counters say of each tap, by its name."""
    c, rates, scalars = row.counters, row.rates, row.scalars
    sent = c.frames - row.outages
    seen = {
        "image": f"{c.frames} frames, {row.outages} outages",
        "source_bits": f"{c.source_bits} bits + {c.length_bits} of length fields",
        "info_bits": f"{c.info_bits} bits in {c.blocks} blocks, {c.crc_bits} of CRC",
        "coded_bits": f"{c.coded_bits} bits, {c.parity_bits} of parity; "
        f"{c.padding_bits} of padding in all",
        "symbols": f"{c.symbols} symbols, mean power {scalars['symbol_power_mean']:.4f}, "
        f"CBR {row.cbr:.4f}",
        "gain": f"mean |h|^2 {scalars['gain_power_mean']:.4f}",
        "received": f"mean |y - hx|^2 {scalars['noise_variance_measured']:.4g}",
        "equalized": f"EVM {100 * scalars['evm']:.1f} %, SER {_rate(rates['ser'])}",
        "coded_bits_hard": f"{c.coded_bit_errors} errors, BER {_rate(rates['coded_ber'])}",
        "info_bits_hat": f"{c.info_bit_errors} errors, BER {_rate(rates['info_ber'])}; "
        f"BLER {_rate(rates['bler'])}",
        "source_bits_hat": f"{c.source_bit_errors} errors, BER {_rate(rates['source_ber'])}; "
        f"FER {_rate(rates['fer'])}; CRC refused {c.crc_failures}, missed {c.undetected_errors}",
        "image_hat": f"{row.failures} of {sent} failed; "
        + ", ".join(f"{name} {_interval(e)}" for name, e in row.metrics.items()),
    }
    if not c.coded_bits:
        seen["equalized"] = f"EVM {100 * scalars['evm']:.1f} %"
    if c.iterations:
        seen["info_bits_hat"] += (
            f"; {scalars['iterations_mean']:.2f} iterations, "
            f"{c.unconverged_blocks} unconverged, {c.false_decodes} false decodes"
        )
    if c.indices:
        seen["indices"] = f"{c.indices} indices"
        if c.codebook_sum:
            seen["codebooks"] = f"mean {scalars['codebook_mean']:.3f}, counted from 0"
        seen["indices_hat"] = (
            f"{c.index_errors} errors, rate {_rate(rates['index_error_rate'])}; "
            f"mean displacement {scalars['displacement_mean']:.4g}"
        )
        if c.concealed_indices or c.mark_bits:
            seen["indices_hat"] += (
                f"; {c.concealed_indices} concealed, {c.damaged_segments} segments damaged, "
                f"{c.mark_bits} bits of marks"
            )
    return seen


def _mean(estimate: Estimate) -> str:
    return f"{estimate.value:.{2 if abs(estimate.value) >= 2 else 4}f}"


def _interval(estimate: Estimate) -> str:
    digits = 2 if abs(estimate.value) >= 2 else 4
    return f"{estimate.value:.{digits}f} [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"


def _rate(estimate: Estimate) -> str:
    if math.isnan(estimate.value):
        return "-"
    if estimate.value == 0:
        return f"<{estimate.high:.1e}"
    return f"{estimate.value:.2e}"
