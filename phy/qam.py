"""Square quadrature amplitude modulation, Gray labelled."""

from functools import cache
from typing import Literal

import torch
from torch import Tensor

from phy.constellation import Axis, Constellation

SQUARE_ORDERS = (4, 16, 64, 256, 1024, 4096)
"""The numbers of points of a square QAM."""


@cache
def qam(order: int, *, axes: Literal["interleaved", "split"] = "interleaved") -> Constellation:
    """Square QAM with the labelling of 3GPP TS 38.211, clause 5.1 (4096: the same recursion).

    Even bits select the I level and odd bits the Q level; bit 0 of an axis is its sign, 0 =
    positive. ``split`` keeps the axis labelling but puts the first half of the bits on I and the
    second half on Q, so that each half label is one amplitude.

    Args:
        order: 4, 16, 64, 256, 1024 or 4096 points.
        axes: ``interleaved`` or ``split``.

    Raises:
        ValueError: Another order or arrangement.

    >>> qam(16).map(torch.tensor([1, 0, 1, 1], dtype=torch.uint8)).mul(10**0.5)
    tensor([-3.+3.j])
    >>> qam(16, axes="split").map(torch.tensor([1, 0, 1, 1], dtype=torch.uint8)).mul(10**0.5)
    tensor([-1.-3.j])
    """
    if order not in SQUARE_ORDERS:
        raise ValueError(f"order must be one of {SQUARE_ORDERS}, got {order}")
    if axes not in ("interleaved", "split"):
        raise ValueError(f"axes must be interleaved or split, got {axes}")
    bits_per_axis = (order.bit_length() - 1) // 2
    # Mean of l^2 over both axes of odd levels is 2 (order - 1) / 3: 2, 10, 42, 170, 682, 2730.
    levels = pam_levels(bits_per_axis) / (2 * (order - 1) / 3) ** 0.5
    places = range(2 * bits_per_axis)
    on_i = places[::2] if axes == "interleaved" else places[:bits_per_axis]
    on_q = places[1::2] if axes == "interleaved" else places[bits_per_axis:]
    label_i, label_q = (axis_label(order, tuple(on)) for on in (on_i, on_q))
    name = f"{order}-qam" if axes == "interleaved" else f"{order}-qam-split"
    return Constellation(
        name=name,
        points=torch.complex(levels[label_i], levels[label_q]),
        axes=(Axis(levels, tuple(on_i)), Axis(levels, tuple(on_q))),
    )


def pam_levels(bits: int) -> Tensor:
    """Levels of the 2**bits axis labels, odd integers: TS 38.211, clause 5.1.

    (1 - 2 b0) [2^(a-1) - (1 - 2 b1) [2^(a-2) - ... - (1 - 2 b_(a-1))]], a = ``bits``.

    Returns:
        float64 ``[2**bits]``; neighbouring levels differ in one bit.

    >>> pam_levels(3).tolist()
    [3.0, 1.0, 5.0, 7.0, -3.0, -1.0, -5.0, -7.0]
    """
    label = torch.arange(2**bits)
    level = torch.zeros(2**bits)
    for place in range(bits):
        sign = 1 - 2 * ((label >> place) & 1)
        level = sign * (2**place - level)
    return level.to(torch.float64)


def axis_label(order: int, places: tuple[int, ...]) -> Tensor:
    """For each symbol label, the label ``[order]`` made of its bits at ``places`` (0 = MSB)."""
    label = torch.arange(order)
    found = torch.zeros_like(label)
    for place in places:
        found = 2 * found + ((label >> (order.bit_length() - 2 - place)) & 1)
    return found
