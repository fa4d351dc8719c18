"""LDPC codes of the standards, and their decoding."""

from phy.ldpc.belief_propagation import BeliefPropagation
from phy.ldpc.code import CERTAIN_LLR, LdpcCode
from phy.ldpc.decoding import Decoded, LdpcDecoder
from phy.ldpc.dvbs2 import DvbS2
from phy.ldpc.gallager import Gallager
from phy.ldpc.graph import TannerGraph, expand
from phy.ldpc.ieee80211n import Ieee80211n
from phy.ldpc.layered.decoder import Layered
from phy.ldpc.layered.two_tier import TwoTier, two_tier
from phy.ldpc.nr import Nr

__all__ = [
    "CERTAIN_LLR",
    "BeliefPropagation",
    "Decoded",
    "DvbS2",
    "Gallager",
    "Ieee80211n",
    "Layered",
    "LdpcCode",
    "LdpcDecoder",
    "Nr",
    "TannerGraph",
    "TwoTier",
    "expand",
    "two_tier",
]
