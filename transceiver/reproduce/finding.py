"""A claim beside what was measured."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from transceiver.intervals import Estimate

Verdict: TypeAlias = Literal["holds", "does not hold", "no data"]

TOO_LITTLE = "not run yet, or too little to compare"
"""What is said of a claim without data: points are missing, or a single unit has no spread."""


@dataclass(frozen=True)
class Finding:
    """One line of the table of claims.

    Attributes:
        text: The claim.
        measured: What was measured, in words and numbers.
        interval: The 95 % interval of the number that decides; empty for exact numbers.
        verdict: Whether the claim holds. "no data" where the run does not have the points yet,
            has a single image and trial, or nothing to compare.
        found: What was found out about it, from the scenario.
    """

    text: str
    measured: str
    interval: str
    verdict: Verdict
    found: str


def verdict(holds: bool) -> Verdict:
    """In words."""
    return "holds" if holds else "does not hold"


def decisive(estimate: Estimate) -> bool:
    """Whether an estimate has a bounded interval."""
    return math.isfinite(estimate.low) and math.isfinite(estimate.high)


def amount(column: str, value: float) -> str:
    """A difference of a column, with its sign and unit.

    >>> amount("psnr", 0.25), amount("bler", -1e-4)
    ('+0.25 dB', '-0.0001')
    """
    return f"{value:+.3g}{' dB' if column == 'psnr' else ''}"


def number(column: str, value: float) -> str:
    """A value of a column, with its unit.

    >>> number("psnr", 31.24159), number("cbr", 0.046875)
    ('31.24 dB', '0.04688')
    """
    return f"{value:.4g}{' dB' if column == 'psnr' else ''}"


def interval(estimate: Estimate, *, percent: bool = False, signed: bool = True) -> str:
    """An interval in brackets, of a difference or (``signed=False``) of a value.

    >>> interval(Estimate(0.1, 0.05, 0.15)), interval(Estimate(0.1, 0.05, 0.15), percent=True)
    ('[+0.05, +0.15]', '[+5.0 %, +15.0 %]')
    >>> interval(Estimate(31.24, 31.1159, 31.364), signed=False)
    '[31.12, 31.36]'
    """
    if not decisive(estimate):
        return ""
    ends = (estimate.low, estimate.high)
    if not signed:
        return f"[{', '.join(f'{e:.4g}' for e in ends)}]"
    return f"[{', '.join(f'{100 * e:+.1f} %' if percent else f'{e:+.3g}' for e in ends)}]"
