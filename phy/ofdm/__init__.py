"""Multipath channels with memory, and OFDM over them."""

from phy.ofdm.cp_ofdm import CpOfdm
from phy.ofdm.tdl import Tdl
from phy.ofdm.tdl_ofdm import Carried, TdlOfdm

__all__ = ["Carried", "CpOfdm", "Tdl", "TdlOfdm"]
