"""Pictures of the signal: constellations, and the image strip."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image as PillowImage

from transceiver.build import Sender
from transceiver.report.style import at_point, save
from transceiver.results import Row
from transceiver.scenario import Scenario

_MOST_COLUMNS = 6
_MOST_SYMBOLS = 2048


def chosen_points(rows: Sequence[Row], most: int = _MOST_COLUMNS) -> list[tuple[int, float]]:
    """At most so many (point, value), evenly spread over the sweep."""
    points = sorted({(r.point, r.value) for r in rows}, key=lambda point: (point[1], point[0]))
    if len(points) <= most:
        return points
    places = np.linspace(0, len(points) - 1, most).round().astype(int)
    return [points[i] for i in places]


def constellation_figure(
    codec: str, rows: Sequence[Row], scenario: Scenario, sender: Sender, run: Path, path: Path
) -> Path | None:
    """Received (above) and equalised (below) symbols at points of the sweep.

    Over the constellation, where all symbols are of the same one.
    """
    points = [(p, v) for p, v in chosen_points(rows) if "received" in _samples(run, codec, p)]
    if not points:
        return None
    figure = Figure(figsize=(1.9 * len(points) + 0.4, 4.3), layout="constrained")
    grid = figure.subplots(2, len(points), squeeze=False)
    single = sender.constellation
    ideal = np.asarray(sender.link.modulation.points)
    reach = 1.6 * float(np.abs(np.concatenate([ideal.real, ideal.imag])).max())
    for column, (point, value) in enumerate(points):
        samples = _samples(run, codec, point)
        for row, name in enumerate(("received", "equalized")):
            axes = grid[row, column]
            z = samples[name][:_MOST_SYMBOLS]
            outside = int(np.sum(np.maximum(np.abs(z.real), np.abs(z.imag)) > reach))
            axes.plot(z.real, z.imag, ".", markersize=1.5, alpha=0.5, color="#0072B2")
            if single:
                axes.plot(ideal.real, ideal.imag, "+", markersize=3, color="#D55E00", linewidth=0.5)
            _square(axes, reach)
            if row == 0:
                axes.set_title(at_point(scenario.sweep.quantity, value), fontsize=8)
            if column == 0:
                axes.set_ylabel(name, fontsize=8)
            if outside:
                axes.set_xlabel(f"{outside} of {len(z)} outside", fontsize=6)
    kind = single.name if single else "symbols of no single constellation"
    figure.suptitle(f"{scenario.name}, {codec}: {kind}", fontsize=9)
    return save(figure, path)


def strip_figure(rows: Sequence[Row], scenario: Scenario, run: Path, path: Path) -> Path:
    """The first picture as sent, and as received by each codec at points of the sweep."""
    points = chosen_points(rows)
    codecs = [c for c in scenario.codecs if any(r.codec == c for r in rows)]
    sent = _picture(run / "images" / "sent.png")
    height, width = sent.shape[:2]
    cell = 2.2
    tall = cell * min(max(height / width, 1 / 3), 3)  # a very long picture is shown small
    figure = Figure(
        figsize=(cell * (len(points) + 1) + 0.3, tall * len(codecs) + 0.55), layout="constrained"
    )
    grid = figure.subplots(len(codecs), len(points) + 1, squeeze=False)
    for r, codec in enumerate(codecs):
        _show(grid[r, 0], sent, "sent" if r == 0 else "")
        grid[r, 0].set_ylabel(codec, fontsize=9)
        for c, (point, value) in enumerate(points, start=1):
            file = run / "images" / f"{codec}-{point:03d}.png"
            title = at_point(scenario.sweep.quantity, value) if r == 0 else ""
            if file.is_file():
                _show(grid[r, c], _picture(file), title)
            else:
                grid[r, c].set_axis_off()
    return save(figure, path)


def _samples(run: Path, codec: str, point: int) -> dict[str, np.ndarray]:
    file = run / "taps" / f"{codec}-{point:03d}.npz"
    if not file.is_file():
        return {}
    with np.load(file) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _picture(path: Path) -> np.ndarray:
    with PillowImage.open(path) as picture:
        return np.array(picture.convert("RGB"))


def _show(axes: Axes, pixels: np.ndarray, title: str) -> None:
    axes.imshow(pixels)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(title, fontsize=8)


def _square(axes: Axes, reach: float) -> None:
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
