"""The threshold of a mode: the first point of a grid that meets a target, found by bisection."""

from collections.abc import Callable
from dataclasses import dataclass
from math import floor
from typing import TypeAlias

from transceiver.mcs.measure import Tally

_STRIDE_DB = 0.5
_WIDEST_DB = 12.0

Measure: TypeAlias = Callable[[float], Tally]
"""Block errors at an Es/N0 [dB]; may stop once there are more than the target allows."""


class NoThresholdError(Exception):
    """The target is not met anywhere near the limit: an error floor, or a poor decoder."""


@dataclass(frozen=True)
class Threshold:
    """Where a mode begins to be good enough.

    Attributes:
        esn0_db: The least point of the grid found to meet the target [dB].
        tally: What was counted there.
        points: All that was measured, by Es/N0 [dB].
    """

    esn0_db: float
    tally: Tally
    points: dict[float, Tally]


def most_errors(target_bler: float, most_blocks: int) -> int:
    """How many of so many blocks may be wrong: the largest number whose rate meets the target.

    Raises:
        ValueError: Not even one, so that nothing could be said of the target.

    >>> most_errors(0.01, 700)
    7
    """
    allowed = floor(target_bler * most_blocks * (1 + 1e-12))
    if allowed < 1:
        raise ValueError(
            f"most_blocks must be at least 1 / target_bler {target_bler:g}, got {most_blocks}"
        )
    return allowed


def find_threshold(
    measure: Measure, *, limit_esn0_db: float, step_db: float, allowed: int
) -> Threshold:
    """Go up from the limit in strides to a point that meets the target, and bisect below it.

    As the same noise is used everywhere, error rates fall with Es/N0 but for rare blocks.

    Args:
        measure: Carries the blocks.
        limit_esn0_db: Where the mode cannot work yet [dB].
        step_db: Of the grid, whose points are multiples of it [dB], above 0.
        allowed: Block errors with which a point still meets the target.

    Raises:
        NoThresholdError: No point within 12 dB of the limit meets the target.

    >>> steep = lambda esn0_db: Tally(0 if esn0_db > 3.6 else 9, 500)
    >>> found = find_threshold(steep, limit_esn0_db=2.9, step_db=0.25, allowed=5)
    >>> found.esn0_db, sorted(found.points)
    (3.75, [3.25, 3.5, 3.75])
    """
    points: dict[float, Tally] = {}

    def meets(place: int) -> bool:
        esn0_db = round(place * step_db, 9)
        points[esn0_db] = measure(esn0_db)
        return points[esn0_db].block_errors <= allowed

    stride = max(1, round(_STRIDE_DB / step_db))
    below = floor(limit_esn0_db / step_db)
    above = below + stride
    while not meets(above):
        below, above = above, above + stride
        if above * step_db > limit_esn0_db + _WIDEST_DB:
            raise NoThresholdError(
                f"no Es/N0 up to {limit_esn0_db + _WIDEST_DB:.1f} dB meets the target"
            )
    while above - below > 1:
        middle = (below + above) // 2
        if meets(middle):
            above = middle
        else:
            below = middle
    esn0_db = round(above * step_db, 9)
    return Threshold(esn0_db, points[esn0_db], points)
