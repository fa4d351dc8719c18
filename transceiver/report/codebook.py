"""What a codebook looks like: tables for the terminal, and a figure."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from rich import box
from rich.markup import escape
from rich.table import Table

from semcodec.codebook import Analysis
from transceiver.report.style import COLOURS, save

_BEFORE, _AFTER, _RANDOM = COLOURS[0], COLOURS[1], "#888888"
_EVERY = 3
"""Of the grid of flip probabilities and weights, every third one is printed."""


def gain_db(distortion: float, reference: float) -> str:
    """How far a distortion lies below another one [dB]; a dash where one of them is zero.

    >>> gain_db(1.0, 2.0), gain_db(1.0, 0.0)
    ('3.01', '-')
    """
    if min(distortion, reference) <= 0:
        return "-"
    return f"{10 * math.log10(reference / distortion):.2f}"


def codebook_table(analyses: Sequence[Analysis], *, title: str) -> Table:
    """Use and channel distortion, one line for each codebook."""
    use_columns = ("K", "used", "dead", "entropy\n[bit]", "per-\nplexity", "largest\nshare")
    distortion_columns = ("rank\ncorr.", "D_ch", "D_ch,\nrandom", "gain\n[dB]")
    table = _table(title, use_columns + distortion_columns)
    for number, found in enumerate(analyses, start=1):
        use = found.usage
        table.add_row(
            str(number),
            str(use.codebook_size),
            str(use.used),
            str(use.dead),
            f"{use.entropy_bits:.3f}",
            f"{use.perplexity:.1f}",
            f"{100 * use.largest_share:.2f} %",
            _number(found.profile.rank_correlation, ".3f"),
            f"{found.design_exact:.4g}",
            f"{found.design_random:.4g}",
            gain_db(found.design_exact, found.design_random),
        )
    return table


def distance_table(analyses: Sequence[Analysis]) -> Table:
    """Squared distance of codewords by the Hamming distance of their labels."""
    columns = ("bits that\ndiffer", "pairs", "mean\n||e-e'||^2", "10 %", "median", "90 %")
    table = _table("Squared distance of codewords,\nby Hamming distance of labels", columns)
    for number, found in enumerate(analyses, start=1):
        table.add_section()
        profile = found.profile
        rows = zip(profile.pairs, profile.mean, profile.quantiles.tolist(), strict=True)
        for distance, (pairs, mean, quantiles) in enumerate(rows, start=1):
            values = (f"{value:.4g}" for value in (float(mean), *quantiles))
            table.add_row(str(number), str(distance), str(int(pairs)), *values)
    return table


def size_table(analyses: Sequence[Analysis], *, relative_weight: Sequence[float]) -> Table:
    """K* by flip probability (down) and price of a bit (across)."""
    shown = relative_weight[::_EVERY]
    table = _table(
        "K* by the price of a bit, as a share\nof the codewords' variance",
        ("flip\nprobability", *(f"{weight:g}" for weight in shown)),
    )
    for number, found in enumerate(analyses, start=1):
        table.add_section()
        for eps, sizes in list(zip(found.flip_probability, found.best_size, strict=True))[::_EVERY]:
            table.add_row(str(number), f"{eps:g}", *(str(int(k)) for k in sizes[::_EVERY]))
    return table


def codebook_figure(
    before: Sequence[Analysis],
    after: Sequence[Analysis] | None,
    *,
    relative_weight: Sequence[float],
    title: str,
    path: Path,
) -> Path:
    """A row for each codebook: use, distances, D_ch and best size.

    Args:
        before: With the labels of the file.
        after: With new labels, or None.
        relative_weight: Of the K* map, as a share of the codewords' variance.
        title: Above all.
        path: A PNG file.
    """
    figure = Figure(figsize=(15, 3.4 * len(before) + 0.4), layout="constrained")
    grid = figure.subplots(len(before), 4, squeeze=False)
    for row, found in enumerate(before):
        changed = after[row] if after else None
        usage_axes, distance_axes, distortion_axes, size_axes = grid[row]
        for axes in grid[row, :3]:
            axes.grid(visible=True, color="#d9d9d9", linewidth=0.8)
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
        _usage(usage_axes, found, row + 1)
        _distances(distance_axes, found, changed)
        _distortion(distortion_axes, found, changed)
        _sizes(size_axes, found, relative_weight)
    figure.suptitle(title, fontsize=10)
    return save(figure, path)


def _usage(axes: Axes, found: Analysis, number: int) -> None:
    """Probabilities in falling order, with their mean 1/K."""
    use = found.usage
    falling = np.sort(found.probability.numpy())[::-1]
    axes.fill_between(np.arange(len(falling)), falling, step="mid", color=_BEFORE, alpha=0.6)
    axes.axhline(1 / len(falling), color=_RANDOM, linestyle="--", linewidth=1)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("codewords by falling use")
    axes.set_ylabel("probability")
    axes.set_title(f"codebook {number}: {use.entropy_bits:.2f} bit, {use.dead} dead", fontsize=9)


def _distances(axes: Axes, found: Analysis, changed: Analysis | None) -> None:
    """Means with bands from the 10 % to the 90 % quantile."""
    for analysis, shade, label in _both(found, changed):
        profile = analysis.profile
        bits = np.arange(1, len(profile.mean) + 1)
        axes.plot(bits, profile.mean.numpy(), "o-", color=shade, markersize=4, label=label)
        low, _, high = profile.quantiles.T.numpy()
        axes.fill_between(bits, low, high, color=shade, alpha=0.15, linewidth=0)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("label bits that differ")
    axes.set_ylabel("squared distance of codewords")
    axes.set_title("mean, 10 % to 90 %", fontsize=9)
    axes.legend(fontsize=7, frameon=False)


def _distortion(axes: Axes, found: Analysis, changed: Analysis | None) -> None:
    """D_ch over the flip probability."""
    eps = found.flip_probability
    axes.plot(eps, found.random.numpy(), color="#bbbbbb", linewidth=4, label="random labels")
    for analysis, shade, label in _both(found, changed):
        axes.plot(eps, analysis.exact.numpy(), "o-", color=shade, markersize=3, label=label)
    axes.set_xscale("log")
    if bool((found.exact > 0).all()):
        axes.set_yscale("log")
    axes.set_xlabel("flip probability of a bit")
    axes.set_ylabel("channel distortion D_ch")
    axes.legend(fontsize=7, frameon=False)


def _sizes(axes: Axes, found: Analysis, relative_weight: Sequence[float]) -> None:
    """log2 K* over flip probability and price of a bit."""
    bits = np.log2(found.best_size.numpy())
    most = found.usage.codebook_size.bit_length() - 1
    image = axes.imshow(bits, origin="lower", aspect="auto", cmap="viridis", vmin=0, vmax=most)
    axes.set_xticks(
        range(0, len(relative_weight), _EVERY), [f"{w:g}" for w in relative_weight[::_EVERY]]
    )
    eps = found.flip_probability
    axes.set_yticks(range(0, len(eps), _EVERY), [f"{e:g}" for e in eps[::_EVERY]])
    axes.set_xlabel("price of a bit / variance")
    axes.set_ylabel("flip probability of a bit")
    axes.set_title("bits of the best size, random labels", fontsize=9)
    axes.figure.colorbar(image, ax=axes, ticks=MaxNLocator(integer=True))


def _both(found: Analysis, changed: Analysis | None) -> list[tuple[Analysis, str, str]]:
    first = (found, _BEFORE, "labels of the file")
    return [first] if changed is None else [first, (changed, _AFTER, "new labels")]


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(
        title=escape(title), box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False,
        collapse_padding=True,
    )  # fmt: skip
    table.add_column("#")
    for column in columns:
        table.add_column(escape(column), justify="right", no_wrap=True)
    return table


def _number(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "-"
