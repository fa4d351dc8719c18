"""What theory says beside the curves of a codec: uncoded bit error rate, and capacity."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phy.constellation import Constellation
from phy.fading import NoFading
from phy.theory import ber, bicm_capacity, ergodic_capacity
from transceiver import build_phy
from transceiver.link import BinarySymmetric
from transceiver.results import Row
from transceiver.scenario import Scenario
from transceiver.scenario.source import AnalogCodec, FixedPlan

_POINTS = 61
_POINTS_OF_INTEGRALS = 21


@dataclass(frozen=True)
class Theory:
    """Curves over the range of a sweep, all ``[n]``.

    Attributes:
        value, esn0_db, ebn0_db: Where; NaN for what does not apply.
        ber: Of hard decisions without a code.
        capacity: Bits per channel use that no code can exceed, the receiver knowing the gains.
        bicm: The same for this constellation and a binary code over AWGN; empty elsewhere.
    """

    value: tuple[float, ...]
    esn0_db: tuple[float, ...]
    ebn0_db: tuple[float, ...]
    ber: tuple[float, ...]
    capacity: tuple[float, ...]
    bicm: tuple[float, ...]


def constellation_of(scenario: Scenario, codec: str) -> Constellation | None:
    """The constellation of all symbols of a codec; None where there is no single one."""
    section, phy = scenario.codecs[codec], scenario.phy_of(codec)
    plan = getattr(section, "plan", FixedPlan())
    if (
        isinstance(section, AnalogCodec)
        or not isinstance(plan, FixedPlan)
        or phy.channel.kind == "bsc"
    ):
        return None
    return build_phy.modulation(phy.modulation)


def theory_of(scenario: Scenario, codec: str, rows: Sequence[Row]) -> Theory | None:
    """The curves beside a codec's rows; None where neither applies or nothing was run."""
    law = build_phy.channel(scenario.phy_of(codec).channel)
    if not rows:
        return None
    ends = min(rows, key=lambda r: r.value), max(rows, key=lambda r: r.value)
    if isinstance(law, BinarySymmetric):
        flips = np.geomspace(ends[0].value, ends[1].value, _POINTS)
        nothing = (math.nan,) * _POINTS
        capacity = tuple(1 - _binary_entropy(p) for p in flips.tolist())
        return Theory(tuple(flips.tolist()), nothing, nothing, tuple(flips.tolist()), capacity, ())
    constellation = constellation_of(scenario, codec)
    count = _POINTS if constellation is None or constellation.axes else _POINTS_OF_INTEGRALS
    value, esn0_db, ebn0_db = (
        np.linspace(getattr(ends[0], name), getattr(ends[1], name), count)
        for name in ("value", "esn0_db", "ebn0_db")
    )
    uncoded: tuple[float, ...] = ()
    bicm: tuple[float, ...] = ()
    if constellation is not None:
        uncoded = tuple(ber(constellation, esn0_db, fading=law).tolist())
        if isinstance(law, NoFading) and constellation.axes:
            bicm = tuple(bicm_capacity(constellation, esn0_db).tolist())
    return Theory(
        tuple(value.tolist()),
        tuple(esn0_db.tolist()),
        tuple(ebn0_db.tolist()),
        uncoded,
        tuple(ergodic_capacity(esn0_db, fading=law).tolist()),
        bicm,
    )


def _binary_entropy(p: float) -> float:
    """Bits of a binary choice; 1 minus this is the capacity of a BSC (Shannon, 1948).

    >>> _binary_entropy(0.5)
    1.0
    """
    return -(p * math.log2(p) + (1 - p) * math.log2(1 - p))
