"""Cross-shaped quadrature amplitude modulation: 32 and 128 points."""

from functools import cache

import torch

from phy.constellation import Constellation
from phy.qam import axis_label, pam_levels


@cache
def cross_qam(order: int) -> Constellation:
    """32- or 128-QAM: a Gray labelled rectangle whose outer columns are folded into a cross.

    A rectangle of 8 x 4 (16 x 8) points has a Gray label: even bits on I, odd bits on Q, each
    axis as in `qam`. Its columns beyond 3/4 of the width go above and below the rest, which
    saves about 1 dB of mean energy (levels before the scaling to unit energy, upper right
    quadrant of 32 points, written as the I Q levels of the rectangle)::

        5 |                              71 73
        3 |  13 33 53 73      ---->      13 33 53
        1 |  11 31 51 71                 11 31 51
          +-------------                 ---------
             1  3  5  7                  1  3  5

    With H levels on the rectangle's Q axis, a point with |I| > 3 H / 2 moves to
    I' = sgn(I) |Q|, Q' = sgn(Q) (|I| - H / 2). Inside each part neighbours still differ in one
    bit; across the fold in two (32 points) or up to three (128). A labelling with one bit
    between all neighbours does not exist for a cross (Smith 1975), so more bits fall per symbol
    error: neighbours differ in 7/6 bits on average (32 points) and 217/192 (128).

    Source: J. G. Smith, "Odd-bit quadrature amplitude-shift keying", IEEE Trans. Commun. 23(3),
    1975.

    Args:
        order: 32 or 128 points.

    Raises:
        ValueError: Another order.

    >>> cross_qam(32).points.mul(20**0.5).imag.abs().max().round().item()
    5.0
    """
    if order not in (32, 128):
        raise ValueError(f"order must be 32 or 128, got {order}")
    bits = order.bit_length() - 1
    on_i, on_q = tuple(range(0, bits, 2)), tuple(range(1, bits, 2))
    i = pam_levels(len(on_i))[axis_label(order, on_i)]
    q = pam_levels(len(on_q))[axis_label(order, on_q)]
    height = 2 ** len(on_q)
    outside = i.abs() > 1.5 * height
    points = torch.complex(
        torch.where(outside, i.sign() * q.abs(), i),
        torch.where(outside, q.sign() * (i.abs() - height / 2), q),
    )
    energy = points.abs().square().mean()  # 20 or 82
    return Constellation(name=f"{order}-cross-qam", points=points / energy.sqrt())
