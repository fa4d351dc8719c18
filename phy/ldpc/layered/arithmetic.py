"""The number formats of the layered decoders, and the rules' parameters in each."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from phy.ldpc.code import CERTAIN_LLR
from phy.ldpc.layered.check_node import AMinStar, OffsetMinSum, Rule

RuleName: TypeAlias = Literal["offset_min_sum", "a_min_star"]
Arithmetic: TypeAlias = Literal["int8", "int16", "float32"]


@dataclass(frozen=True)
class Format:
    """How LLRs become numbers of the decoder.

    Attributes:
        dtype: Type of posteriors and messages; integers saturate.
        scale: Decoder's number for an LLR of 1.
        limit: Largest magnitude that a channel LLR may become.
        rule: The check-node rule, its parameters in the decoder's units.
    """

    dtype: np.dtype[np.int8] | np.dtype[np.int16] | np.dtype[np.float32]
    scale: float
    limit: float
    rule: Rule


_INT8, _INT16, _FLOAT32 = np.dtype(np.int8), np.dtype(np.int16), np.dtype(np.float32)

FORMATS: dict[tuple[RuleName, Arithmetic], Format] = {
    # Messages stay under a quarter of what a posterior can hold: with twice as much in int8, a
    # single wrong check can outweigh all the others, and nothing is decoded.
    ("offset_min_sum", "int8"): Format(_INT8, 2.0, 127.0, OffsetMinSum(offset=1, cap=31)),
    ("offset_min_sum", "int16"): Format(_INT16, 4.0, 32767.0, OffsetMinSum(offset=2, cap=2047)),
    ("offset_min_sum", "float32"): Format(_FLOAT32, 1.0, CERTAIN_LLR, OffsetMinSum(0.5, 80.0)),
    ("a_min_star", "int16"): Format(_INT16, 8.0, 32767.0, AMinStar(near=11, far=24, cap=2047)),
    ("a_min_star", "float32"): Format(_FLOAT32, 1.0, CERTAIN_LLR, AMinStar(1.375, 3.0, 80.0)),
}
"""Offsets of half an LLR are the best constant ones near rate 1/2 (Chen et al. 2005, Table I)."""


def format_of(rule: RuleName, arithmetic: Arithmetic) -> Format:
    """The format of a rule, or a `ValueError` that lists what there is."""
    if (rule, arithmetic) not in FORMATS:
        known = sorted(a for r, a in FORMATS if r == rule)
        raise ValueError(f"arithmetic must be one of {known} for {rule}, got {arithmetic!r}")
    return FORMATS[rule, arithmetic]
