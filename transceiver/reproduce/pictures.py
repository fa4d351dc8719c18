"""The figure ``pictures``: one image as each series brings it across, with its metrics."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from semcodec.codec import Image
from transceiver.build import build
from transceiver.metrics import Measure, build_metrics
from transceiver.metrics_names import LABELS, metric_name
from transceiver.report.style import COLOURS, at_point
from transceiver.reproduce.evidence import Evidence
from transceiver.reproduce.remake import measured, remake
from transceiver.scenario import Scenario, ScenarioError
from transceiver.scenario.reproduction import Crop, PicturesFigure, point_of
from transceiver.source import Picture
from transceiver.store import Store, Unit, UnitKey

_DPI = 150
"""Of the PNG, as `transceiver.report.style.save` writes it."""

_MOST_PIXELS = 260_000
"""Of all pictures together: a PNG takes up to 2.2 bytes for each, and documents hold it."""

_WIDTHS = 1.3, 3.2
"""Least and largest width of a picture [inches]; the captions need the least."""

_COLUMNS = 4
"""Most pictures side by side where there is one point."""

_SIZE = 6.5
"""Of the letters of a caption [points]."""


@dataclass(frozen=True)
class Shown:
    """What one place of the figure shows.

    Attributes:
        image: uint8 ``[3, H, W]``, whole; None where the run has no such unit yet.
        title: The series.
        caption: Metrics, and what was spent: items that are not broken into lines.
        part: Only this part of the image is drawn.
        frame: Where a frame is drawn.
    """

    image: Image | None
    title: str
    caption: Sequence[str]
    part: Crop | None = None
    frame: Crop | None = None


def find_picture(figure: PicturesFigure, pictures: Sequence[Picture]) -> Picture:
    """The picture that a figure names.

    Raises:
        ScenarioError: There is no such picture, or the crop does not lie in it.
    """
    key = figure.image
    if isinstance(key, str):
        names = [picture.name for picture in pictures]
        if key not in names:
            few = ", ".join(names[:30]) + (", ..." if len(names) > 30 else "")
            raise ScenarioError(f"figure.image: must be one of {few}, got {key}")
        key = names.index(key)
    if key >= len(pictures):
        raise ScenarioError(f"figure.image: must be from 0 to {len(pictures) - 1}, got {key}")
    picture = pictures[key]
    _, height, width = picture.pixels.shape
    crop = figure.crop
    if crop and (crop.top + crop.height > height or crop.left + crop.width > width):
        raise ScenarioError(
            f"figure.crop: must lie in the picture of {width} x {height} pixels, got rows "
            f"{crop.top} to {crop.top + crop.height - 1} and columns {crop.left} to "
            f"{crop.left + crop.width - 1}"
        )
    return picture


def received_pictures(
    figure: PicturesFigure, scenario: Scenario, store: Store, run: Evidence, picture: Picture
) -> list[list[Shown]]:
    """What each series brings across ``[points][series]``, its first trial.

    Of a series of several codecs the one that is best in the scenario's first metric over the whole
    run is shown, at each point anew.
    """
    senders = build(scenario)
    measure = Measure(build_metrics(scenario.metrics))
    rows = []
    for value in figure.points:
        point = point_of(value, scenario.sweep.values)
        row = []
        for label, codecs in figure.series.items():
            codec, title = codecs[0], label
            if len(codecs) > 1:
                best = run.best(label, point, metric_name(scenario.metrics[0]))
                codec = best.codec if best else codec
                title = f"{label} ({codec})"
            unit = _unit(store, codec, point, picture)
            if unit is None:
                row.append(Shown(None, title, ["not run yet"]))
                continue
            image = remake(scenario, senders[codec], picture, point=point)
            metrics = measured(measure, picture, image, unit)
            row.append(Shown(image, title, _caption(unit, metrics), part=figure.crop))
        rows.append(row)
    return rows


def draw_pictures(
    figure: PicturesFigure, picture: Picture, rows: Sequence[Sequence[Shown]], *, quantity: str
) -> Figure:
    """The original, and what arrived: a column for each series and a line for each point.

    The pictures of a single point are broken into lines. With a crop the original is shown whole,
    with a frame, and besides as the part that is all that the others show.

    Args:
        figure: What was asked for.
        picture: That was sent.
        rows: What `received_pictures` found ``[points][series]``.
        quantity: That is swept.
    """
    crop = figure.crop
    height, width = (crop.height, crop.width) if crop else picture.pixels.shape[1:]
    size = "{2} × {1} pixels".format(*picture.pixels.shape)
    sent = [Shown(picture.pixels, "original", [size], frame=crop)]
    if crop:
        sent.append(
            Shown(picture.pixels, "original, part", [f"{width} × {height} pixels"], part=crop)
        )
    places = _placed(sent, rows)
    wide = math.sqrt(_MOST_PIXELS / len(places) * width / height) / _DPI
    wide = min(max(wide, _WIDTHS[0]), _WIDTHS[1])
    letters = round(wide * 72 / (0.6 * _SIZE))
    texts = {place: _wrapped(shown.caption, letters) for place, shown in places.items()}
    most = 1 + max(text.count("\n") for text in texts.values())
    title = 16 if len(rows) == 1 else 4  # points; of several lines only the first has titles
    tall = wide * height / width + (1.3 * most * _SIZE + title) / 72
    lines, columns = (1 + max(place[axis] for place in places) for axis in (0, 1))
    drawn = Figure(figsize=(wide * columns + 0.3, tall * lines + 0.6), layout="constrained")
    grid = drawn.subplots(lines, columns, squeeze=False)
    for line, column in product(range(lines), range(columns)):
        axes = grid[line, column]
        if (line, column) not in places:
            axes.set_axis_off()
            continue
        _show(axes, places[line, column])
        axes.set_xlabel(texts[line, column], fontsize=_SIZE)
        if len(rows) > 1 and column == 1:
            axes.set_ylabel(at_point(quantity, figure.points[line]), fontsize=8)
    if len(rows) == 1:
        drawn.supxlabel(at_point(quantity, figure.points[0]), fontsize=8)
    return drawn


def _placed(sent: Sequence[Shown], rows: Sequence[Sequence[Shown]]) -> dict[tuple[int, int], Shown]:
    """Line and column of each; the titles of a column only once."""
    if len(rows) == 1:
        shown = [*sent, *rows[0]]
        columns = math.ceil(len(shown) / math.ceil(len(shown) / _COLUMNS))
        return {divmod(i, columns): one for i, one in enumerate(shown)}
    places: dict[tuple[int, int], Shown] = {(line, 0): one for line, one in enumerate(sent)}
    for line, row in enumerate(rows):
        for column, one in enumerate(row, start=1):
            above = rows[line - 1][column - 1].title if line else ""
            places[line, column] = replace(one, title="") if one.title == above else one
    return places


def _unit(store: Store, codec: str, point: int, picture: Picture) -> Unit | None:
    """The first trial of a picture, as the run has it."""
    return store.unit(UnitKey(codec, point, picture.key, 0))


def _caption(unit: Unit, metrics: Mapping[str, float]) -> list[str]:
    state = ["not sent: no budget fits"] if unit.outage else ["lost"] if unit.failure else []
    values = [
        f"PSNR {value:.2f} dB" if name == "psnr" else f"{LABELS[name].split()[0]} {value:.3f}"
        for name, value in metrics.items()
    ]
    spent = [f"CBR {unit.counters.symbols / unit.samples:.4f}"]
    if unit.counters.source_bits:
        spent.insert(0, f"{unit.counters.source_bits / (unit.samples / 3):.3f} bit/pixel")
    return [*state, *values, *([] if unit.outage else spent)]


def _wrapped(caption: Sequence[str], letters: int) -> str:
    """The items in lines of at most so many letters, none broken."""
    whole = ", ".join(item.replace(" ", "\xa0") for item in caption)
    return "\n".join(textwrap.wrap(whole, letters, break_long_words=False, break_on_hyphens=False))


def _show(axes: Axes, shown: Shown) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(shown.title, fontsize=8)
    if shown.image is None:
        return
    pixels = shown.image.permute(1, 2, 0).numpy()
    if part := shown.part:
        pixels = pixels[part.top : part.top + part.height, part.left : part.left + part.width]
    axes.imshow(pixels)
    if frame := shown.frame:
        corner = (frame.left - 0.5, frame.top - 0.5)
        size = frame.width, frame.height
        axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=COLOURS[5], linewidth=1.5))
