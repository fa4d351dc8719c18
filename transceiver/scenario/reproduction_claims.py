"""The section ``claims``: what a paper says of its figure, in a form that a run can decide.

Each claim has a ``kind``; `transceiver.reproduce.claims` puts it to the test.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator

from transceiver.scenario.reproduction import Names, Points, list_or_value
from transceiver.scenario.section import Number, Section

_Level: TypeAlias = Annotated[
    Annotated[Names, Tag("~list")] | Annotated[str, Tag("~value")], Discriminator(list_or_value)
]
"""One name, or several that stand side by side."""


class _Claim(Section):
    text: Annotated[str, Field(min_length=1)]
    """What the paper says."""
    found: str = ""
    """What was found out about a claim that does not hold."""


class OrderClaim(_Claim):
    """Every series is at least as good as each of the next level, at every point."""

    kind: Literal["order"]
    series: Annotated[list[_Level], Field(min_length=2)]
    """Levels, the best first: a series each, or several that stand side by side."""
    metric: str
    """A column of the results."""
    points: Points = "all"
    """Of the sweep."""
    strict: bool = False
    """Every difference must be significant."""


class ImprovementClaim(_Claim):
    """A series is better than another by a fraction of the other's value."""

    kind: Literal["improvement"]
    series: str
    """The better one."""
    over: str
    """The other."""
    metric: str
    """A column of the results."""
    point: Number
    """Of the sweep."""
    paper: Number | None = None
    """The fraction that the paper states."""
    least: Number = 0.0
    """The fraction that the interval must lie above."""


class GainFallsClaim(_Claim):
    """The gain over another series is larger over the lower half of the points than the upper."""

    kind: Literal["gain_falls"]
    series: str
    """The better one."""
    over: str
    """The other."""
    metric: str
    """A column of the results."""


class ComparableClaim(_Claim):
    """Two series differ by at most ``within`` at each point."""

    kind: Literal["comparable"]
    series: str
    """One."""
    other: str
    """The other."""
    metric: str
    """A column of the results."""
    within: Annotated[Number, Field(gt=0)]
    """In units of the metric."""
    points: Points = "all"
    """Of the sweep."""


class TrendClaim(_Claim):
    """A column of a codec never turns over the sweep, and its ends differ."""

    kind: Literal["trend"]
    codec: str
    """One codec."""
    column: str
    """Of the results."""
    direction: Literal["falls", "rises"]
    """From the first point to the last."""


class WeightsClaim(_Claim):
    """A property of weight files: of codecs, or of codebooks written ``codec:1``."""

    kind: Literal["weights"]
    quantity: Literal["mean_flip", "index_entropy", "codewords_used", "parameters", "bytes"]
    """Of the weight files."""
    of: Annotated[list[_Level], Field(min_length=2)]
    """In order; the parameters or bytes of several codecs in brackets are added up."""
    direction: Literal["falls", "rises", "equal"]
    """From the first of ``of`` to the last."""


class RateOrderClaim(_Claim):
    """Every series lies above the next one in a metric over source bits."""

    kind: Literal["rate_order"]
    series: Annotated[Names, Field(min_length=2)]
    """The best first."""
    metric: str
    """A column of the results."""
    point: Number
    """Of the sweep."""


class LevelClaim(_Claim):
    """The mean of a series at a point lies within ``within`` of a value."""

    kind: Literal["level"]
    series: str
    """One series."""
    metric: str
    """A column of the results."""
    point: Number
    """Of the sweep."""
    value: Number
    """What the mean shall be."""
    within: Annotated[Number, Field(gt=0)]
    """In units of the metric."""


class AtLeastClaim(_Claim):
    """The mean of a series reaches a value at each point: is no larger, where lower is better."""

    kind: Literal["at_least"]
    series: str
    """One series."""
    metric: str
    """A column of the results."""
    value: Number
    """What the mean shall reach."""
    points: Points = "all"
    """Of the sweep."""


class CliffClaim(_Claim):
    """The cliff of a series lies within ``within`` of ``at``, or ``shift`` away from another's.

    The cliff is where the metric crosses half-way between its values at the ends of the sweep; see
    `transceiver.reproduce.cliff`.
    """

    kind: Literal["cliff"]
    series: str
    """One series."""
    metric: str
    """A column of the results."""
    at: Number | None = None
    """Swept value at which its cliff lies; or ``over`` and ``shift``."""
    over: str | None = None
    """The other series."""
    shift: Number | None = None
    """The cliff of ``series`` less that of ``over``: negative where it lies lower."""
    within: Annotated[Number, Field(gt=0)]
    """In units of the sweep."""

    @model_validator(mode="after")
    def _one_form(self) -> "CliffClaim":
        if (self.at is None) == (self.shift is None):
            given = "neither" if self.at is None else "both"
            raise ValueError(f"cliff must have at, or over and shift, got {given}")
        if (self.over is None) != (self.shift is None):
            raise ValueError("over and shift must be given together, got one of them")
        return self


class CliffOrderClaim(_Claim):
    """The cliff of each series lies more than ``by`` below that of the next one."""

    kind: Literal["cliff_order"]
    series: Annotated[Names, Field(min_length=2)]
    """The lowest cliff first."""
    metric: str
    """A column of the results."""
    by: Annotated[Number, Field(ge=0)] = 0.0
    """In units of the sweep."""


class CliffShiftClaim(_Claim):
    """The cliffs of the first pair of series lie closer together than those of the second."""

    kind: Literal["cliff_shift"]
    series: Annotated[Names, Field(min_length=2, max_length=2)]
    """A pair."""
    over: Annotated[Names, Field(min_length=2, max_length=2)]
    """Another pair."""
    metric: str
    """A column of the results."""


ClaimSection: TypeAlias = Annotated[
    OrderClaim
    | ImprovementClaim
    | GainFallsClaim
    | ComparableClaim
    | TrendClaim
    | WeightsClaim
    | RateOrderClaim
    | LevelClaim
    | AtLeastClaim
    | CliffClaim
    | CliffOrderClaim
    | CliffShiftClaim,
    Field(discriminator="kind"),
]


def level(names: str | list[str]) -> list[str]:
    """The names that stand side by side.

    >>> level("vq"), level(["vq", "bpg"])
    (['vq'], ['vq', 'bpg'])
    """
    return [names] if isinstance(names, str) else names
