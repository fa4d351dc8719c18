"""Phase shift keying: BPSK, QPSK, 8-PSK."""

from functools import cache
from math import pi

import torch

from phy.constellation import Axis, Constellation
from phy.qam import qam


@cache
def bpsk() -> Constellation:
    """1 - 2 b on the real axis: bit 0 is +1.

    This is the textbook form. TS 38.211, clause 5.1.2 turns it by pi/4, to which AWGN and a
    one-tap channel are blind.

    >>> bpsk().map(torch.tensor([0, 1], dtype=torch.uint8))
    tensor([ 1.+0.j, -1.+0.j])
    """
    levels = torch.tensor([1.0, -1.0], dtype=torch.float64)
    nothing = Axis(torch.zeros(1, dtype=torch.float64), ())
    return Constellation(
        name="bpsk", points=levels.to(torch.complex128), axes=(Axis(levels, (0,)), nothing)
    )


def qpsk() -> Constellation:
    """4-QAM under its other name: bit 0 is the sign of I, bit 1 that of Q."""
    return qam(4)


@cache
def psk8() -> Constellation:
    r"""8-PSK, Gray labelled as in DVB-S2 (ETSI EN 302 307-1, clause 5.4.2).

    ::

              100
         110   |   000
             \ | /
        010 --- + --- 001
             / | \
         011   |   101
              111

    >>> psk8().map(torch.tensor([1, 1, 0], dtype=torch.uint8))
    tensor([-0.7071+0.7071j])
    """
    eighths_turn = torch.tensor([1, 0, 4, 5, 2, 7, 3, 6], dtype=torch.float64)
    angle = eighths_turn * (pi / 4)
    return Constellation(name="8-psk", points=torch.polar(torch.ones_like(angle), angle))
