"""The sections ``paper`` and ``figure``: what a scenario reproduces of a paper.

They and the claims (`transceiver.scenario.reproduction_claims`) change no number of a run and are
no part of what a run stores: a claim may be put differently after the run. A *series* is what a
paper draws as one curve: a label of ``figure.series``, or a codec by its name. Of a series of
several codecs the best counts, at each point anew.
"""

import math
from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag

from transceiver.scenario.section import Number, Section

RATES = (
    "coded_ber", "info_ber", "source_ber", "ser", "bler", "unconverged_rate", "fer",
    "index_error_rate", "failure_rate",
)  # fmt: skip
"""Error rates of a result row."""

SCALARS = (
    "cbr", "source_bits_mean", "iterations_mean", "displacement_mean", "evm", "symbol_power_mean",
    "gain_power_mean", "noise_variance_measured", "codebook_mean", "concealed_rate",
)  # fmt: skip
"""Other columns of a result row; none of them is better or worse for being lower."""

FALLING = frozenset({"lpips_alex", "lpips_squeeze", *RATES})
"""Columns that are better when they are lower; every other metric is better when higher."""


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def list_or_value(value: object) -> str:
    """Which of the two forms a key takes, for a discriminator."""
    return "~list" if isinstance(value, list) else "~value"


Names: TypeAlias = Annotated[list[str], Field(min_length=1)]

Points: TypeAlias = Annotated[
    Annotated[list[Number], Field(min_length=1), Tag("~list")]
    | Annotated[Literal["all"], Tag("~value")],
    Discriminator(list_or_value),
]


class Paper(Section):
    """Where the claims come from."""

    title: str
    """The paper's name."""
    figure: str | None = None
    """Such as ``Fig. 5``."""


class _Drawn(Section):
    x_label: str | None = None
    """Label of the axis; made from the quantity without it."""
    y_label: str | None = None
    """The same; for one metric only."""


class CapacityBound(Section):
    """What a byte codec reaches with as many bits as the channel's capacity grants its symbols."""

    kind: Literal["capacity"]
    codec: str
    """Its budget is ``cbr``, its channel ``awgn``; the sweep is over ``esn0_db``."""
    label: str = "capacity bound"
    """In the legend."""


class CurvesFigure(_Drawn):
    """A column over the swept quantity, a curve for each series; several columns side by side."""

    kind: Literal["curves"]
    metric: Annotated[Names, BeforeValidator(_as_list)]
    """A column of the results, or several."""
    series: Annotated[dict[str, Names], Field(min_length=1)]
    """Codecs of each curve, by its label; of several the best counts, at each point anew."""
    dashed: list[str] = []
    """Labels of series that are drawn as a dashed line alone, such as the best of all others."""
    bound: CapacityBound | None = None
    """A capacity bound beside the curves."""


class RateFigure(_Drawn):
    """A metric over the mean source bits of an image; a point for each codec of a series."""

    kind: Literal["rate"]
    metric: str
    """A column of the results."""
    point: Number
    """Of the sweep."""
    series: Annotated[dict[str, Names], Field(min_length=1)]
    """Codecs of each curve, by its label."""


class FlipProbabilityFigure(_Drawn):
    """Distribution function of the learned flip probabilities of every codebook."""

    kind: Literal["flip_probability_cdf"]
    codec: str
    """A codec whose weights have them."""


class Crop(Section):
    """A part of a picture [pixels]."""

    top: Annotated[int, Field(ge=0)]
    """First row."""
    left: Annotated[int, Field(ge=0)]
    """First column."""
    height: Annotated[int, Field(ge=1)]
    """Rows."""
    width: Annotated[int, Field(ge=1)]
    """Columns."""


class PicturesFigure(Section):
    """One image as each series brings it across at some points, with the metrics of each."""

    kind: Literal["pictures"]
    image: Annotated[
        Annotated[int, Field(ge=0), Tag("~number")] | Annotated[str, Tag("~name")],
        Discriminator(lambda value: "~name" if isinstance(value, str) else "~number"),
    ]
    """Its name, or its number from 0."""
    series: Annotated[dict[str, Names], Field(min_length=1)]
    """Codecs of each column, by its label; of several the best in the first metric counts, at each
    point anew."""
    points: Annotated[list[Number], Field(min_length=1)]
    """Of the sweep, a line of pictures for each."""
    crop: Crop | None = None
    """Only this part is shown of what arrives."""


PlotSection: TypeAlias = CurvesFigure | RateFigure | FlipProbabilityFigure
"""Figures that show numbers of a run."""

FigureSection: TypeAlias = Annotated[PlotSection | PicturesFigure, Field(discriminator="kind")]


def series_of(figure: FigureSection | None, codecs: Sequence[str]) -> dict[str, list[str]]:
    """The codecs of every series; a label goes before a codec of the same name.

    >>> series_of(None, ["vq", "bpg"])
    {'vq': ['vq'], 'bpg': ['bpg']}
    """
    if isinstance(figure, FlipProbabilityFigure | None):
        return {name: [name] for name in codecs}
    return {name: [name] for name in codecs} | figure.series


def point_of(value: float, values: Sequence[float]) -> int:
    """The number of the point at a value of the swept quantity.

    Raises:
        ValueError: There is no such point.

    >>> point_of(10.0, [0.0, 10.0])
    1
    """
    for point, known in enumerate(values):
        if math.isclose(known, value, abs_tol=1e-9):
            return point
    shown = ", ".join(f"{v:g}" for v in values)
    raise ValueError(f"must be a point of the sweep ({shown}), got {value:g}")
