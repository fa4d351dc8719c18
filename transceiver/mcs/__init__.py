"""Adaptive modulation and coding: tables of modes with thresholds. Imports neither torch nor numpy.

`transceiver.mcs.search` and `transceiver.mcs.measure` find the thresholds.
"""

from transceiver.mcs.table import (
    Family,
    FamilyMode,
    MeasuredMode,
    ModeTable,
    find_family,
    find_table,
    load_family,
    load_table,
    tables,
)

__all__ = [
    "Family",
    "FamilyMode",
    "MeasuredMode",
    "ModeTable",
    "find_family",
    "find_table",
    "load_family",
    "load_table",
    "tables",
]
