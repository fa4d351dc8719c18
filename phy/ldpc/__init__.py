"""LDPC codes of the standards, and their decoding."""

from phy.ldpc.belief_propagation import BeliefPropagation, Decoded
from phy.ldpc.code import CERTAIN_LLR, LdpcCode
from phy.ldpc.dvbs2 import DvbS2
from phy.ldpc.gallager import Gallager
from phy.ldpc.graph import TannerGraph, expand
from phy.ldpc.ieee80211n import Ieee80211n
from phy.ldpc.nr import Nr

__all__ = [
    "CERTAIN_LLR",
    "BeliefPropagation",
    "Decoded",
    "DvbS2",
    "Gallager",
    "Ieee80211n",
    "LdpcCode",
    "Nr",
    "TannerGraph",
    "expand",
]
