"""The sections ``paper``, ``figure`` and ``claims``: what a scenario reproduces of a paper.

They change no number of a run and are no part of what a run stores: a claim may be put differently
after the run. A *series* is what a paper draws as one curve: a label of ``figure.series``, or a
codec by its name. Of a series of several codecs the best counts, at each point anew.
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


def _list_or_value(value: object) -> str:
    return "~list" if isinstance(value, list) else "~value"


_Names: TypeAlias = Annotated[list[str], Field(min_length=1)]
_Level: TypeAlias = Annotated[
    Annotated[_Names, Tag("~list")] | Annotated[str, Tag("~value")], Discriminator(_list_or_value)
]
"""One name, or several that stand side by side."""

Points: TypeAlias = Annotated[
    Annotated[list[Number], Field(min_length=1), Tag("~list")]
    | Annotated[Literal["all"], Tag("~value")],
    Discriminator(_list_or_value),
]


class Paper(Section):
    """Where the claims come from."""

    title: str
    figure: str | None = None
    """Such as ``Fig. 5``."""


class _Drawn(Section):
    x_label: str | None = None
    y_label: str | None = None


class CurvesFigure(_Drawn):
    """A column over the swept quantity, a curve for each series; several columns side by side."""

    kind: Literal["curves"]
    metric: Annotated[_Names, BeforeValidator(_as_list)]
    series: Annotated[dict[str, _Names], Field(min_length=1)]


class RateFigure(_Drawn):
    """A metric over the mean source bits of an image; a point for each codec of a series."""

    kind: Literal["rate"]
    metric: str
    point: Number
    series: Annotated[dict[str, _Names], Field(min_length=1)]


class FlipProbabilityFigure(_Drawn):
    """Distribution function of the learned flip probabilities of every codebook."""

    kind: Literal["flip_probability_cdf"]
    codec: str


FigureSection: TypeAlias = Annotated[
    CurvesFigure | RateFigure | FlipProbabilityFigure, Field(discriminator="kind")
]


class _Claim(Section):
    text: Annotated[str, Field(min_length=1)]
    """What the paper says."""
    found: str = ""
    """What was found out about a claim that does not hold."""


class OrderClaim(_Claim):
    """Every series is at least as good as each of the next level, at every point."""

    kind: Literal["order"]
    series: Annotated[list[_Level], Field(min_length=2)]
    metric: str
    points: Points = "all"
    strict: bool = False
    """Every difference must be significant."""


class ImprovementClaim(_Claim):
    """A series is better than another by a fraction of the other's value."""

    kind: Literal["improvement"]
    series: str
    over: str
    metric: str
    point: Number
    paper: Number | None = None
    """The fraction that the paper states."""
    least: Number = 0.0
    """The fraction that the interval must lie above."""


class GainFallsClaim(_Claim):
    """The gain over another series is larger over the lower half of the points than the upper."""

    kind: Literal["gain_falls"]
    series: str
    over: str
    metric: str


class ComparableClaim(_Claim):
    """Two series differ by at most ``within`` at each point."""

    kind: Literal["comparable"]
    series: str
    other: str
    metric: str
    within: Annotated[Number, Field(gt=0)]
    points: Points = "all"


class TrendClaim(_Claim):
    """A column of a codec never turns over the sweep, and its ends differ."""

    kind: Literal["trend"]
    codec: str
    column: str
    direction: Literal["falls", "rises"]


class WeightsClaim(_Claim):
    """A property of weight files: of codecs, or of codebooks written ``codec:1``."""

    kind: Literal["weights"]
    quantity: Literal["mean_flip", "index_entropy", "codewords_used", "parameters", "bytes"]
    of: Annotated[list[_Level], Field(min_length=2)]
    """In order; the parameters or bytes of several codecs in brackets are added up."""
    direction: Literal["falls", "rises", "equal"]


class RateOrderClaim(_Claim):
    """Every series lies above the next one in a metric over source bits."""

    kind: Literal["rate_order"]
    series: Annotated[_Names, Field(min_length=2)]
    metric: str
    point: Number


ClaimSection: TypeAlias = Annotated[
    OrderClaim
    | ImprovementClaim
    | GainFallsClaim
    | ComparableClaim
    | TrendClaim
    | WeightsClaim
    | RateOrderClaim,
    Field(discriminator="kind"),
]


def series_of(figure: FigureSection | None, codecs: Sequence[str]) -> dict[str, list[str]]:
    """The codecs of every series; a label goes before a codec of the same name.

    >>> series_of(None, ["vq", "bpg"])
    {'vq': ['vq'], 'bpg': ['bpg']}
    """
    labels = figure.series if isinstance(figure, CurvesFigure | RateFigure) else {}
    return {name: [name] for name in codecs} | labels


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


def level(names: str | list[str]) -> list[str]:
    """The names that stand side by side.

    >>> level("vq"), level(["vq", "bpg"])
    (['vq'], ['vq', 'bpg'])
    """
    return [names] if isinstance(names, str) else names
