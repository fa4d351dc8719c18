"""One look for all figures."""

import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from transceiver.files import writable, write_whole

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette (2008), told apart also by colour-blind readers."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""One more than colours, so that an eighth codec has a pair of its own."""

QUANTITIES = {
    "esn0_db": "Es/N0 [dB]",
    "ebn0_db": "Eb/N0 [dB]",
    "normalized_snr_db": "normalised SNR [dB]",
    "flip_probability": "flip probability",
}


def at_point(quantity: str, value: float) -> str:
    """A point of a sweep in words.

    >>> at_point("esn0_db", 6.0), at_point("flip_probability", 0.01)
    ('Es/N0 6 dB', 'flip probability 0.01')
    """
    name, _, unit = QUANTITIES[quantity].partition(" [")
    return f"{name} {value:g} {unit.rstrip(']')}".rstrip()


def colour(names: Sequence[str], name: str) -> str:
    """The colour of a codec: the same in every figure of a run."""
    return COLOURS[list(names).index(name) % len(COLOURS)]


def marker(names: Sequence[str], name: str) -> str:
    """The marker of a codec."""
    return MARKERS[list(names).index(name) % len(MARKERS)]


def new_axes(width: float = 6.4, height: float = 4.4) -> tuple[Figure, Axes]:
    """A figure with one pair of axes [inches]."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(visible=True, which="major", color="#d9d9d9", linewidth=0.8)
    axes.grid(visible=True, which="minor", color="#eeeeee", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save(figure: Figure, path: Path) -> Path:
    """Write a PNG, whole or not at all."""
    with writable(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    out = io.BytesIO()
    figure.savefig(out, dpi=150, format="png")
    write_whole(path, out.getvalue())
    return path
